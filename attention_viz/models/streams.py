"""The residual stream's readers, each with an input of its own.

A head's Q, K and V, an MLP and the logits all read the residual stream, through a norm where the
family has one. Here the gradient at each reader's own input is taken, and runs are made in which
every reader gets another input: what edge scores, path patching and faithfulness need. Only where
attention makes q, k and v (`readers`), the norms, the MLPs and the final norm are touched; rotary
positions, grouped queries, gated MLPs and parallel blocks come for free.

A test on first use refuses models where readers that are given another stream do not read it as the
model itself would.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from attention_viz.models.architecture import REMEDY
from attention_viz.models.attention import Listener, listening
from attention_viz.models.decoder import Decoder, Run, first_tensor
from attention_viz.models.reader_check import check_readers
from attention_viz.models.readers import (
    ColumnReaders,
    Heard,
    NewInput,
    Residual,
    Split,
    find_readers,
)
from attention_viz.records.circuits.graph import Graph
from attention_viz.records.errors import BadInput


@dataclass
class Backward:
    """A forward pass, and the gradient of a metric at every reader's input."""

    streams: "Streams"
    run: Run = field(default_factory=Run)  # residual streams and z of this pass
    entering: dict[int, Residual] = field(default_factory=dict)  # by layer: what attention reads
    before_mlp: dict[int, Residual] = field(default_factory=dict)  # by layer: what the MLP reads
    heard: Heard = field(default_factory=Heard)  # then its tensors are their gradients
    mlp_inputs: list[Tensor] = field(default_factory=list)  # behind the MLPs' norms
    final: Residual | None = None  # the gradient at the final residual stream
    metric: Float[Tensor, " batch"] | None = None  # each row's own

    def into_attention(self, layer: int) -> Float[Tensor, "batch reader pos d_model"]:
        """Gradients at the inputs of the layer's Q, K and V, in the graph's order."""
        streams, entering = self.streams, self.entering[layer]
        norm = streams.layers[layer].attention_norm
        normed = entering if norm is None else norm.forward(entering)
        gradients = streams.readers.gradients(layer, self.heard, normed)
        return _through_norm(norm, entering, gradients)

    def into_mlp(self, layer: int) -> Float[Tensor, "batch 1 pos d_model"]:
        """Gradient at the input of the layer's MLP."""
        residual = self.before_mlp[layer]
        gradient = self.mlp_inputs[layer].reshape(residual.shape)
        return _through_norm(self.streams.layers[layer].mlp_norm, residual, [gradient])


class Streams:
    """A decoder with its readers told apart. Raises BadInput where that can't be done."""

    def __init__(self, decoder: Decoder):
        decoder.need_attention("Edges between heads")
        if decoder.need_writes().has_changing_bias:
            raise _refusal(
                decoder, "the bias of its attention passes through a norm and belongs to no head"
            )
        self.decoder = decoder
        self.layers = decoder.architecture.layers
        if any(layer.mlp is None for layer in self.layers):
            raise _refusal(decoder, "it has layers without an MLP")
        try:
            ids = decoder.example_ids(2, 7)
            run = decoder.run(ids[:1])
            self.readers = find_readers(decoder, run)
            parallel = self._reads_entering_stream(run)
            self.graph = Graph(decoder.layers, decoder.heads, decoder.key_value_heads, parallel)
            check_readers(self, ids, run)
        except (RuntimeError, ValueError, TypeError, IndexError, AttributeError) as error:
            cause = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise _refusal(decoder, f"its readers can't be told apart ({cause})") from error

    @property
    def is_plain(self) -> bool:
        """Whether readers and writers are as TransformerLens hooks them: norm before, W_O after."""
        has_norms = all(layer.attention_norm and layer.mlp_norm for layer in self.layers)
        by_columns = isinstance(self.readers, ColumnReaders)
        return has_norms and by_columns and self.decoder.need_writes().is_plain

    def backward(
        self,
        ids: Int[Tensor, "batch prompt"],
        metric: Callable[[Residual], Float[Tensor, " batch"]],
        *,
        embeddings: Float[Tensor, "batch part d_model"] | None = None,
        stretch: Run | None = None,
    ) -> Backward:
        """Gradients of `metric(final residual stream)`, summed over the batch, at every reader.

        `embeddings` replaces the residual stream entering the first block. Only the positions of
        `stretch`, part of a run of these prompts, are run, where it is given.
        """
        kept = Backward(self)

        def hear(layer: int, z: Tensor, _) -> Tensor:
            kept.run.z.append(z)
            return z

        with torch.enable_grad(), ExitStack() as hooks, listening(Listener(output=hear)):
            kept.heard = self.readers.listen(hooks)
            self._keep(kept, hooks, embeddings)
            self.decoder.run_blocks(ids, stretch)
            value = metric(kept.final)
            made = [each for layer in kept.heard.tensors for each in layer.values()]
            wanted = [*made, *kept.mlp_inputs, kept.final]
            gradients = list(torch.autograd.grad(value.sum(), wanted))
        kept.metric = value.detach()
        final, kept.final = kept.final.detach(), gradients.pop()
        kept.mlp_inputs = gradients[len(gradients) - len(self.layers) :]
        found = iter(gradients)
        tensors = [{index: next(found) for index in layer} for layer in kept.heard.tensors]
        kept.heard.tensors = tensors
        kept.run.residual = [*(each.detach() for each in kept.run.residual), final]
        kept.entering = {layer: each.detach() for layer, each in kept.entering.items()}
        kept.before_mlp = {layer: each.detach() for layer, each in kept.before_mlp.items()}
        kept.run.z = [z.detach() for z in kept.run.z]
        return kept

    @torch.no_grad()
    def run_split(
        self,
        ids: Int[Tensor, "batch prompt"],
        split: Split,
        listener: Listener,
        *,
        stretch: Run | None = None,
    ) -> Residual:
        """The final residual stream of a pass in which `split` chooses the readers' inputs.

        `listener` hears z of the heads. Of a `stretch` of a run of these prompts, only that is run.
        """
        final: list[Residual] = []

        def leave(_, args, output):
            final.append(first_tensor(output))

        with listening(listener), self.splitting(split), ExitStack() as hooks:
            _hook(hooks, self.decoder.blocks[-1].register_forward_hook(leave))
            self.decoder.run_blocks(ids, stretch)
        return final[0]

    @contextmanager
    def splitting(self, split: Split, layers: Sequence[int] | None = None) -> Iterator[None]:
        """Give readers the inputs that `split` chooses, in blocks called meanwhile."""
        layers = range(self.decoder.layers) if layers is None else layers
        chosen: dict[tuple[int, bool], Sequence[NewInput]] = {}

        def choose(layer: int, residual: Tensor, is_mlp: bool) -> None:
            chosen[layer, is_mlp] = split(layer, residual, is_mlp)

        def for_attention(layer: int) -> list[tuple[int, Tensor | slice, Tensor]]:
            return [
                (new.reader, new.rows, self._norm(layer, new.residual, is_mlp=False))
                for new in chosen[layer, False]
            ]

        with ExitStack() as hooks:
            for layer in layers:
                self.hear_streams(layer, hooks, choose)
                read = self._reading(layer, chosen)
                _hook(hooks, self.layers[layer].mlp.register_forward_pre_hook(read))
            self.readers.give(hooks, layers, for_attention)
            yield

    def _reading(self, layer: int, chosen: dict) -> Callable:
        """A hook that gives the MLP its new inputs."""

        def read(_, args):
            entering = args[0]
            for new in chosen[layer, True]:
                shape = (-1, *new.residual.shape[1:])
                entering = entering.reshape(shape).clone()
                entering[new.rows] = self._norm(layer, new.residual, is_mlp=True)
            return (entering.reshape(args[0].shape), *args[1:])

        return read

    def hear_streams(
        self, layer: int, hooks: ExitStack, hear: Callable[[int, Tensor, bool], object]
    ) -> None:
        """hear(layer, residual stream, is it the MLP's): what is read before any norm.

        An MLP that shares attention's norm reads the same; OPT's positions lie flat before it.
        """
        shape: list[torch.Size] = []
        parts = self.layers[layer]
        of_mlp, of_attention = parts.mlp_norm or parts.mlp, parts.attention_norm or parts.attention

        def attention(_, args, kwargs):
            residual = args[0] if args else kwargs["hidden_states"]
            shape[:] = [residual.shape]
            hear(layer, residual, False)
            if of_mlp is of_attention:
                hear(layer, residual, True)

        _hook(hooks, of_attention.register_forward_pre_hook(attention, with_kwargs=True))
        if of_mlp is not of_attention:

            def mlp(_, args):
                hear(layer, args[0].reshape(shape[0]), True)

            _hook(hooks, of_mlp.register_forward_pre_hook(mlp))

    def _norm(self, layer: int, residual: Tensor, *, is_mlp: bool) -> Tensor:
        parts = self.layers[layer]
        norm = parts.mlp_norm if is_mlp else parts.attention_norm
        # Not called: our hooks on it are for the block's own call.
        return residual if norm is None else norm.forward(residual)

    def _keep(self, kept: Backward, hooks: ExitStack, embeddings: Residual | None) -> None:
        """Hooks that make every reader's input a leaf of its own and keep it."""
        decoder = self.decoder

        def enter(_, args, kwargs):
            residual = (kwargs["hidden_states"] if "hidden_states" in kwargs else args[0]).detach()
            residual = (residual if embeddings is None else embeddings).requires_grad_()
            if "hidden_states" in kwargs:
                return args, {**kwargs, "hidden_states": residual}
            return (residual, *args[1:]), kwargs

        def keep(_, args, kwargs):
            kept.run.residual.append(args[0] if args else kwargs["hidden_states"])

        def hear(layer: int, residual: Tensor, is_mlp: bool) -> None:
            (kept.before_mlp if is_mlp else kept.entering)[layer] = residual

        def split_off(module, args):
            own = args[0].view_as(args[0])  # a node of its own: only this MLP's gradient
            kept.mlp_inputs.append(own)
            return (own, *args[1:])

        def leave(_, args, output):
            kept.final = first_tensor(output)

        first = decoder.blocks[0].register_forward_pre_hook(enter, with_kwargs=True)
        _hook(hooks, first)
        _hook(hooks, decoder.blocks[-1].register_forward_hook(leave))
        for layer, parts in enumerate(self.layers):
            block = decoder.blocks[layer]
            _hook(hooks, block.register_forward_pre_hook(keep, with_kwargs=True))
            self.hear_streams(layer, hooks, hear)
            _hook(hooks, parts.mlp.register_forward_pre_hook(split_off))

    @torch.no_grad()
    def _reads_entering_stream(self, run: Run) -> bool:
        """Whether the MLP reads the stream that entered the block: parallel attention and MLP."""
        seen: dict[bool, Tensor] = {}
        with ExitStack() as hooks:
            self.hear_streams(0, hooks, lambda _, residual, is_mlp: seen.update({is_mlp: residual}))
            self.decoder.call_block(0, run.residual[0], run)
        return torch.equal(seen[False], seen[True])


@torch.no_grad()
def writers_of(decoder: Decoder, run: Run) -> Float[Tensor, "batch writer pos d_model"]:
    """What every writer wrote: the input, then per layer its heads and its MLP.

    What attention writes beside its heads belongs to none; with the writers it sums to the stream.
    """
    writes = decoder.need_writes()
    written = [run.residual[0][:, None]]
    for layer in range(decoder.layers):
        z = run.z[layer]
        results = writes.head_results(layer, z)
        attention = results.sum(1) + writes.bias(layer, z)
        mlp = run.residual[layer + 1] - run.residual[layer] - attention
        written += [results, mlp[:, None]]
    return torch.cat(written, 1)


def constant_bias(decoder: Decoder) -> Float[Tensor, " d_model"]:
    """What attention of all layers writes beside its heads, the same in every run."""
    writes = decoder.need_writes()
    nothing = torch.zeros(
        1, 1, decoder.heads, decoder.d_head, device=decoder.device, dtype=decoder.dtype
    )
    biases = [writes.bias(layer, nothing).reshape(-1) for layer in range(decoder.layers)]
    return torch.stack(biases).sum(0)


def _hook(hooks: ExitStack, handle) -> None:
    hooks.callback(handle.remove)


def _through_norm(
    norm: nn.Module | None, residual: Residual, gradients: Sequence[Tensor]
) -> Float[Tensor, "batch reader pos d_model"]:
    """Gradients at a norm's input, from those at its output, for several readers at once."""
    stacked = torch.stack(list(gradients), 1)
    if norm is None:
        return stacked
    with torch.enable_grad():
        own = residual[:, None].expand_as(stacked).contiguous().requires_grad_()
        return torch.autograd.grad(norm.forward(own), own, stacked)[0]


def _refusal(decoder: Decoder, reason: str) -> BadInput:
    return BadInput(f"Edges of {type(decoder.hf).__name__} can't be measured: {reason}.", REMEDY)
