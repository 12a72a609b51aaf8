"""Where attention's readers take their input: q, k and v of each head, told apart.

In most families a head's q, k or v is made by columns of one linear map; which ones is found by
derivatives, not by architecture (`ColumnReaders`). Where heads are made together (q and k normed
over all heads in OLMo 2, latent attention in DeepSeek) the attention function's own arguments are
the place (`FrontReaders`): q, k and v are made again from the other input and one head's slice of
them is swapped. The second way is slower, so the first is taken where it can be.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from attention_viz.models.attention import Listener, adding, listening
from attention_viz.models.decoder import Decoder, Run

Normed = Float[Tensor, "row pos d_model"]
Inputs = Sequence[tuple[int, Int[Tensor, " row"] | slice, Normed]]  # (reader, rows, its new input)


Residual = Float[Tensor, "batch pos d_model"]


@dataclass(frozen=True)
class NewInput:
    """Another residual stream for one reader, in some rows of the batch."""

    reader: int  # within its part of the layer: Q, K and V in the graph's order; else 0
    rows: Int[Tensor, " row"] | slice
    residual: Float[Tensor, "row pos d_model"]


# (layer, residual stream, is it the MLP's) → new inputs of the readers there
Split = Callable[[int, Residual, bool], Sequence[NewInput]]


@dataclass(frozen=True)
class Reader:
    """Where a head's Q, K or V is made: columns of one of the attention's first projections."""

    projection: int
    columns: Int[Tensor, " d_head"] | slice  # a slice where they lie side by side


@dataclass
class Heard:
    """What a pass gave of which readers are parts, by layer."""

    tensors: list[dict[int, Tensor]] = field(default_factory=list)  # by projection, or q, k, v
    calls: dict[int, tuple[tuple, dict]] = field(default_factory=dict)  # attention's arguments


class HeadsMadeTogether(Exception):
    """A head's q, k or v has no columns of its own."""


class ColumnReaders:
    """Readers that are columns of projections. Raises HeadsMadeTogether where they are not."""

    def __init__(self, decoder: Decoder, run: Run):
        self._projections = [
            [
                each
                for each in layer.attention.modules()
                if isinstance(each, nn.Linear | Conv1D) and each is not layer.projection
            ]
            for layer in decoder.architecture.layers
        ]
        self._readers = _find_columns(decoder, self._projections[0], run)

    def __len__(self) -> int:
        return len(self._readers)

    def listen(self, hooks: ExitStack) -> Heard:
        """What the projections give in passes run meanwhile."""
        heard = Heard([{} for _ in self._projections])
        for layer, modules in enumerate(self._projections):
            for index, module in enumerate(modules):  # not in the order of their calls

                def keep(_, args, output, layer=layer, index=index):
                    heard.tensors[layer][index] = output

                hooks.callback(module.register_forward_hook(keep).remove)
        return heard

    def gradients(self, layer: int, heard: Heard, _) -> list[Tensor]:
        """Gradients at each reader's input; `heard` has those at its tensors by now."""
        modules, own = self._projections[layer], heard.tensors[layer]
        return [
            own[reader.projection][..., reader.columns]
            @ _columns_of(modules[reader.projection], reader.columns).T
            for reader in self._readers
        ]

    def give(
        self, hooks: ExitStack, layers: Sequence[int], choose: Callable[[int], Inputs]
    ) -> None:
        """Let readers have the inputs that `choose(layer)` names, in blocks called meanwhile."""
        for layer in layers:
            for index, module in enumerate(self._projections[layer]):
                hook = self._putting(layer, index, choose)
                hooks.callback(module.register_forward_hook(hook).remove)

    def _putting(self, layer: int, index: int, choose: Callable[[int], Inputs]) -> Callable:
        def hook(module, _, output):
            output = output.clone()
            for reader, rows, normed in choose(layer):
                where = self._readers[reader]
                if where.projection == index:
                    made = normed @ _columns_of(module, where.columns)
                    if module.bias is not None:
                        made = made + module.bias[where.columns]
                    _put(output, rows, where.columns, made)
            return output

        return hook


class FrontReaders:
    """Readers that are slices of what the attention function is given."""

    def __init__(self, decoder: Decoder, run: Run):
        self._attentions = [layer.attention for layer in decoder.architecture.layers]
        made = made_in_block(decoder, run.residual[0], run)
        heads = [(slot, head) for slot, each in enumerate(made) for head in range(each.shape[1])]
        self._readers = heads

    def __len__(self) -> int:
        return len(self._readers)

    def listen(self, hooks: ExitStack) -> Heard:
        """What the attention function is given in passes run meanwhile."""
        heard = Heard([{} for _ in self._attentions])

        def hear(layer: int, *slots: Tensor) -> tuple[Tensor, ...]:
            heard.tensors[layer] = dict(enumerate(slots))
            return slots

        self._keep_calls(hooks, range(len(self._attentions)), heard.calls)
        hooks.enter_context(adding(inputs=hear))
        return heard

    def gradients(self, layer: int, heard: Heard, normed: Normed) -> list[Tensor]:
        """Gradients at each reader's input; `heard` has those at its tensors by now."""
        own = heard.tensors[layer]
        with torch.enable_grad():
            leaf = normed.detach().requires_grad_()
            slots = self._front(layer, leaf, heard.calls[layer], slice(None))
            found = []
            for slot, head in self._readers:
                only = torch.zeros_like(own[slot])
                only[:, head] = own[slot][:, head]
                found += torch.autograd.grad(slots[slot], leaf, only, retain_graph=True)
        return found

    def give(
        self, hooks: ExitStack, layers: Sequence[int], choose: Callable[[int], Inputs]
    ) -> None:
        """Let readers have the inputs that `choose(layer)` names, in blocks called meanwhile."""
        calls: dict[int, tuple[tuple, dict]] = {}

        def put(layer: int, *slots: Tensor) -> tuple[Tensor, ...]:
            if layer not in layers:
                return slots
            slots = tuple(slot.clone() for slot in slots)
            for reader, rows, normed in choose(layer):
                slot, head = self._readers[reader]
                slots[slot][rows, head] = self._front(layer, normed, calls[layer], rows)[slot][
                    :, head
                ]
            return slots

        self._keep_calls(hooks, layers, calls)
        hooks.enter_context(adding(inputs=put))

    def _keep_calls(self, hooks: ExitStack, layers: Sequence[int], calls: dict) -> None:
        for layer in layers:

            def keep(_, args, kwargs, layer=layer):
                calls[layer] = (args, kwargs)

            module = self._attentions[layer]
            hooks.callback(module.register_forward_pre_hook(keep, with_kwargs=True).remove)

    def _front(self, layer: int, normed: Normed, call: tuple[tuple, dict], rows) -> list[Tensor]:
        """q, k and v of other inputs in these rows of a call, without the attention itself."""
        args, kwargs = call
        count = len(args[0] if args else kwargs["hidden_states"])

        def own(value):
            if isinstance(value, tuple):
                return tuple(own(each) for each in value)
            has_rows = isinstance(value, Tensor) and value.ndim > 1 and len(value) == count > 1
            return value[rows] if has_rows else value

        args = tuple(own(each) for each in args[1:])
        kwargs = {name: own(value) for name, value in kwargs.items() if name != "hidden_states"}
        made: list[Tensor] = []

        def stop(_, *slots: Tensor):
            made.extend(slots)
            raise _Made

        try:
            with listening(Listener(inputs=stop)):
                self._attentions[layer].forward(normed, *args, **kwargs)
        except _Made:
            return made
        raise RuntimeError("the attention function was never called")


class _Made(Exception):
    pass


def find_readers(decoder: Decoder, run: Run) -> ColumnReaders | FrontReaders:
    """The faster of both ways that this model allows."""
    try:
        return ColumnReaders(decoder, run)
    except HeadsMadeTogether:
        return FrontReaders(decoder, run)


def made_in_block(decoder: Decoder, residual: Normed, run: Run) -> list[Tensor]:
    """q, k and v that the first block makes of a stream, after whoever else is listening."""
    made: list[Tensor] = []

    def hear(layer, query, key, value):
        made.extend((query, key, value))
        return query, key, value

    with adding(inputs=hear):
        decoder.call_block(0, residual, run)
    return made


def _find_columns(decoder: Decoder, projections: list[nn.Module], run: Run) -> list[Reader]:
    """Columns of the first layer's projections on which each head's q, k and v depend."""
    outputs: dict[int, Tensor] = {}

    def keeping(index: int) -> Callable:
        def keep(_, args, output):
            outputs[index] = output.detach().requires_grad_()
            return outputs[index]

        return keep

    with torch.enable_grad(), ExitStack() as hooks:
        for index, module in enumerate(projections):
            hooks.callback(module.register_forward_hook(keeping(index)).remove)
        made = made_in_block(decoder, run.residual[0], run)
        heads = [slot[:, head] for slot in made for head in range(slot.shape[1])]
        return [_columns_read(head, outputs) for head in heads]


def _columns_read(made: Tensor, outputs: dict[int, Tensor]) -> Reader:
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(made.shape, generator=generator, dtype=made.dtype).to(made.device)
    gradients = torch.autograd.grad(
        (made * weights).sum(), list(outputs.values()), retain_graph=True, allow_unused=True
    )
    touched = [
        (index, gradient.abs().sum((0, 1)).nonzero()[:, 0])
        for index, gradient in zip(outputs, gradients, strict=True)
        if gradient is not None and gradient.any()
    ]
    if len(touched) != 1 or len(touched[0][1]) != made.shape[-1]:
        raise HeadsMadeTogether
    projection, columns = touched[0]
    first, last = columns[0].item(), columns[-1].item()
    is_block = last - first == len(columns) - 1
    return Reader(projection, slice(first, last + 1) if is_block else columns)


def _columns_of(module: nn.Module, columns: Tensor | slice) -> Float[Tensor, "d_model d_head"]:
    if isinstance(module, Conv1D):
        return module.weight[:, columns]
    return module.weight[columns].T


def _put(output: Tensor, rows, columns, made: Tensor) -> None:
    """output[rows, :, columns] = made, however rows and columns are given."""
    if isinstance(rows, slice) or isinstance(columns, slice):
        output[rows, :, columns] = made
    else:
        output[rows[:, None], :, columns] = made.transpose(1, 2)
