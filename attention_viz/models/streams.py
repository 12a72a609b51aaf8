"""The residual stream's readers, each with an input of its own.

A head's Q, K and V, an MLP and the logits all read the residual stream through a norm. Here the
gradient at each reader's own input is taken, and runs are made in which every reader gets another
input: what edge scores, path patching and faithfulness need. Only the first projections of
attention, the norms, the MLPs and the final norm are touched; rotary positions, grouped queries,
gated MLPs and parallel blocks come for free.

Which columns of which projection belong to which reader is found by derivatives, not by
architecture; a test on first use refuses models where a reader has no columns of its own.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from attention_viz.models.attention import Listener, listening
from attention_viz.models.decoder import Decoder, Run, first_tensor
from attention_viz.records.circuits.graph import Graph
from attention_viz.records.errors import BadInput

TOLERANCE = 1e-3  # of the test on first use, relative

Residual = Float[Tensor, "batch pos d_model"]


@dataclass(frozen=True)
class Reader:
    """Where a head's Q, K or V is made: columns of one of the attention's first projections."""

    projection: int
    columns: Int[Tensor, " d_head"] | slice  # a slice where they lie side by side


@dataclass(frozen=True)
class NewInput:
    """Another residual stream for one reader, in some rows of the batch."""

    reader: int  # within its part of the layer: Q, K and V in the graph's order; else 0
    rows: Int[Tensor, " row"] | slice
    residual: Float[Tensor, "row pos d_model"]


# (layer, residual stream, is it the MLP's) → new inputs of the readers there
Split = Callable[[int, Residual, bool], Sequence[NewInput]]


@dataclass
class Backward:
    """A forward pass, and the gradient of a metric at every reader's input."""

    streams: "Streams"
    run: Run = field(default_factory=Run)  # residual streams and z of this pass
    entering: list[Residual] = field(default_factory=list)  # by layer: what attention's norm reads
    before_mlp: list[Residual] = field(default_factory=list)  # by layer: what the MLP's norm reads
    projected: list[list[Tensor]] = field(default_factory=list)  # by layer and projection
    mlp_inputs: list[Tensor] = field(default_factory=list)
    final: Residual | None = None  # the gradient at the final residual stream
    metric: Float[Tensor, " batch"] | None = None  # each row's own

    def into_attention(self, layer: int) -> Float[Tensor, "batch reader pos d_model"]:
        """Gradients at the inputs of the layer's Q, K and V, in the graph's order."""
        streams = self.streams
        modules = streams.projections[layer]
        normed = [
            self.projected[layer][reader.projection][..., reader.columns]
            @ _columns_of(modules[reader.projection], reader.columns).T
            for reader in streams.readers
        ]
        return _through_norm(streams.attention_norms[layer], self.entering[layer], normed)

    def into_mlp(self, layer: int) -> Float[Tensor, "batch 1 pos d_model"]:
        """Gradient at the input of the layer's MLP."""
        norm = self.streams.mlp_norms[layer]
        return _through_norm(norm, self.before_mlp[layer], [self.mlp_inputs[layer]])


class Streams:
    """A decoder with its readers told apart. Raises BadInput where that can't be done."""

    def __init__(self, decoder: Decoder):
        decoder.need_attention("Edges between heads")
        if not decoder.writes_to_stream:
            raise _refusal(decoder, "there is a norm between its heads and the residual stream")
        self.decoder = decoder
        layers = range(decoder.layers)
        self.attention_norms = [decoder.part(f"blocks.{i}.ln1") for i in layers]
        second = "ln2" if decoder.has_part("ln2") else "ln1"
        self.mlp_norms = [decoder.part(f"blocks.{i}.{second}") for i in layers]
        self.mlps = [decoder.part(f"blocks.{i}.mlp") for i in layers]
        self.projections = [_first_projections(decoder, i) for i in layers]
        ids = torch.arange(1, 8, device=decoder.device)[None] % decoder.settings.d_vocab
        run = decoder.run(ids)
        self.readers = _find_readers(decoder, self.projections[0], run)
        parallel = _reads_entering_stream(self, ids)
        self.graph = Graph(decoder.layers, decoder.heads, decoder.key_value_heads, parallel)
        self._test(ids, run)

    def backward(
        self,
        ids: Int[Tensor, "batch pos"],
        metric: Callable[[Residual], Float[Tensor, " batch"]],
        *,
        embeddings: Residual | None = None,
    ) -> Backward:
        """Gradients of `metric(final residual stream)`, summed over the batch, at every reader.

        `embeddings` replaces the residual stream entering the first block.
        """
        kept = Backward(self, projected=[[] for _ in self.projections])

        def hear(layer: int, z: Tensor, _) -> Tensor:
            kept.run.z.append(z)
            return z

        with torch.enable_grad(), ExitStack() as hooks, listening(Listener(output=hear)):
            self._keep(kept, hooks, embeddings)
            self.decoder.run_blocks(ids)
            value = metric(kept.final)
            wanted = [*sum(kept.projected, []), *kept.mlp_inputs, kept.final]
            gradients = list(torch.autograd.grad(value.sum(), wanted))
        kept.metric = value.detach()
        final, kept.final = kept.final.detach(), gradients.pop()
        kept.mlp_inputs = gradients[len(gradients) - len(self.mlps) :]
        found = iter(gradients)
        kept.projected = [[next(found) for _ in layer] for layer in kept.projected]
        kept.entering = [residual.detach() for residual in kept.entering]
        kept.before_mlp = [residual.detach() for residual in kept.before_mlp]
        kept.run.residual = [*kept.entering, final]
        kept.run.z = [z.detach() for z in kept.run.z]
        return kept

    @torch.no_grad()
    def run_split(
        self, ids: Int[Tensor, "batch pos"], split: Split, listener: Listener
    ) -> Residual:
        """The final residual stream of a pass in which `split` chooses the readers' inputs.

        `listener` hears z of the heads.
        """
        final: list[Residual] = []

        def leave(_, args, output):
            final.append(first_tensor(output))

        with self.splitting(split), listening(listener), ExitStack() as hooks:
            _hook(hooks, self.decoder.blocks[-1].register_forward_hook(leave))
            self.decoder.run_blocks(ids)
        return final[0]

    @contextmanager
    def splitting(self, split: Split, layers: Sequence[int] | None = None) -> Iterator[None]:
        """Give readers the inputs that `split` chooses, in blocks called meanwhile."""
        with ExitStack() as hooks:
            for layer in range(self.decoder.layers) if layers is None else layers:
                self._split_layer(layer, split, hooks)
            yield

    def _split_layer(self, layer: int, split: Split, hooks: ExitStack) -> None:
        chosen: dict[bool, Sequence[NewInput]] = {}

        def choose(is_mlp: bool) -> Callable:
            def hook(_, args):
                chosen[is_mlp] = split(layer, args[0], is_mlp)

            return hook

        _hook(hooks, self.attention_norms[layer].register_forward_pre_hook(choose(False)))
        if self.mlp_norms[layer] is not self.attention_norms[layer]:
            _hook(hooks, self.mlp_norms[layer].register_forward_pre_hook(choose(True)))
        else:
            _hook(hooks, self.attention_norms[layer].register_forward_pre_hook(choose(True)))
        for index, module in enumerate(self.projections[layer]):
            hook = self._project(layer, index, chosen)
            _hook(hooks, module.register_forward_hook(hook))

        def read(_, args):
            entering = args[0]
            for new in chosen[True]:
                entering = entering.clone()
                entering[new.rows] = self._norm(layer, new.residual, is_mlp=True)
            return (entering, *args[1:])

        _hook(hooks, self.mlps[layer].register_forward_pre_hook(read))

    def _project(self, layer: int, index: int, chosen: dict) -> Callable:
        def hook(module, _, output):
            output = output.clone()
            for new in chosen[False]:
                reader = self.readers[new.reader]
                if reader.projection == index:
                    normed = self._norm(layer, new.residual, is_mlp=False)
                    made = normed @ _columns_of(module, reader.columns)
                    if module.bias is not None:
                        made = made + module.bias[reader.columns]
                    _put(output, new.rows, reader.columns, made)
            return output

        return hook

    def _norm(self, layer: int, residual: Tensor, *, is_mlp: bool) -> Tensor:
        norm = (self.mlp_norms if is_mlp else self.attention_norms)[layer]
        return norm.forward(residual)  # not called: our hooks on it are for the block's own call

    def _keep(self, kept: Backward, hooks: ExitStack, embeddings: Residual | None) -> None:
        """Hooks that make every reader's input a leaf of its own and keep it."""
        decoder = self.decoder

        def enter(_, args, kwargs):
            residual = (kwargs["hidden_states"] if "hidden_states" in kwargs else args[0]).detach()
            residual = (residual if embeddings is None else embeddings).requires_grad_()
            if "hidden_states" in kwargs:
                return args, {**kwargs, "hidden_states": residual}
            return (residual, *args[1:]), kwargs

        def split_off(module, args):
            own = args[0].view_as(args[0])  # a node of its own: only this MLP's gradient
            kept.mlp_inputs.append(own)
            return (own, *args[1:])

        def leave(_, args, output):
            kept.final = first_tensor(output)

        first = decoder.blocks[0].register_forward_pre_hook(enter, with_kwargs=True)
        _hook(hooks, first)
        _hook(hooks, decoder.blocks[-1].register_forward_hook(leave))
        for layer in range(decoder.layers):
            _hook(
                hooks,
                self.attention_norms[layer].register_forward_pre_hook(
                    lambda _, args: kept.entering.append(args[0])
                ),
            )
            _hook(
                hooks,
                self.mlp_norms[layer].register_forward_pre_hook(
                    lambda _, args: kept.before_mlp.append(args[0])
                ),
            )
            _hook(hooks, self.mlps[layer].register_forward_pre_hook(split_off))
            for module in self.projections[layer]:
                _hook(
                    hooks,
                    module.register_forward_hook(
                        lambda _, args, output, layer=layer: kept.projected[layer].append(output)
                    ),
                )

    def _test(self, ids: Tensor, run: Run) -> None:
        """Refuse a model in which readers given their own inputs change anything."""
        readers = range(len(self.readers))

        def same(layer: int, residual: Tensor, is_mlp: bool) -> list[NewInput]:
            return [NewInput(i, slice(None), residual) for i in ([0] if is_mlp else readers)]

        final = self.run_split(ids, same, Listener())
        expected = run.residual[-1]
        error = ((final - expected).abs().max() / expected.abs().max()).item()
        if not error < TOLERANCE:
            raise _refusal(self.decoder, f"readers can't be told apart (off by {error:.2g})")


@torch.no_grad()
def writers_of(decoder: Decoder, run: Run) -> Float[Tensor, "batch writer pos d_model"]:
    """What every writer wrote: the input, then per layer its heads and its MLP.

    The output projection's bias belongs to none; with the writers it sums to the stream.
    """
    written = [run.residual[0][:, None]]
    for layer in range(decoder.layers):
        results = head_results(decoder, layer, run.z[layer])
        attention = results.sum(1) + decoder.output_bias(layer).to(results)
        mlp = run.residual[layer + 1] - run.residual[layer] - attention
        written += [results, mlp[:, None]]
    return torch.cat(written, 1)


def head_results(
    decoder: Decoder, layer: int, z: Float[Tensor, "batch pos head d_head"]
) -> Float[Tensor, "batch head pos d_model"]:
    """What each head writes to the residual stream: z @ W_O[head]."""
    return torch.einsum("bphd,hdm->bhpm", z, decoder.output_weights(layer))


def _hook(hooks: ExitStack, handle) -> None:
    hooks.callback(handle.remove)


def _put(output: Tensor, rows, columns, made: Tensor) -> None:
    """output[rows, :, columns] = made, however rows and columns are given."""
    if isinstance(rows, slice) or isinstance(columns, slice):
        output[rows, :, columns] = made
    else:
        output[rows[:, None], :, columns] = made.transpose(1, 2)


def _columns_of(module: nn.Module, columns: Tensor | slice) -> Float[Tensor, "d_model d_head"]:
    if isinstance(module, Conv1D):
        return module.weight[:, columns]
    return module.weight[columns].T


def _first_projections(decoder: Decoder, layer: int) -> list[nn.Module]:
    """The linear maps of a layer's attention that make q, k and v."""
    last = decoder.projections[layer]
    modules = decoder.attentions[layer].modules()
    return [each for each in modules if isinstance(each, nn.Linear | Conv1D) and each is not last]


def _find_readers(decoder: Decoder, projections: list[nn.Module], run: Run) -> list[Reader]:
    """Columns of the first layer's projections on which each head's q, k and v depend."""
    outputs, made = [], []

    def keep(_, args, output):
        outputs.append(output.detach().requires_grad_())
        return outputs[-1]

    def hear(layer, query, key, value):
        made.extend((query, key, value))
        return query, key, value

    with torch.enable_grad(), ExitStack() as hooks:
        for module in projections:
            _hook(hooks, module.register_forward_hook(keep))
        with listening(Listener(inputs=hear)):
            decoder.call_block(0, run.residual[0], run)
        heads = [slot[:, head] for slot in made for head in range(slot.shape[1])]
        return [_reader_of(decoder, head, outputs) for head in heads]


def _reader_of(decoder: Decoder, made: Tensor, outputs: list[Tensor]) -> Reader:
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(made.shape, generator=generator, dtype=made.dtype).to(made.device)
    gradients = torch.autograd.grad(
        (made * weights).sum(), outputs, retain_graph=True, allow_unused=True
    )
    touched = [
        (index, gradient.abs().sum((0, 1)).nonzero()[:, 0])
        for index, gradient in enumerate(gradients)
        if gradient is not None and gradient.any()
    ]
    if len(touched) != 1 or len(touched[0][1]) != made.shape[-1]:
        raise _refusal(decoder, "a head's q, k or v is made together with other heads'")
    projection, columns = touched[0]
    first, last = columns[0].item(), columns[-1].item()
    is_block = last - first == len(columns) - 1
    return Reader(projection, slice(first, last + 1) if is_block else columns)


@torch.no_grad()
def _reads_entering_stream(streams: Streams, ids: Tensor) -> bool:
    """Whether the MLP reads the stream that entered the block: parallel attention and MLP."""
    seen: list[Tensor] = []
    with ExitStack() as hooks:
        for norm in (streams.attention_norms[0], streams.mlp_norms[0]):
            _hook(hooks, norm.register_forward_pre_hook(lambda _, args: seen.append(args[0])))
        streams.decoder.run_blocks(ids)
    return torch.equal(seen[0], seen[1])


def _through_norm(
    norm: nn.Module, residual: Residual, gradients: Sequence[Tensor]
) -> Float[Tensor, "batch reader pos d_model"]:
    """Gradients at a norm's input, from those at its output, for several readers at once."""
    stacked = torch.stack(list(gradients), 1)
    with torch.enable_grad():
        own = residual[:, None].expand_as(stacked).contiguous().requires_grad_()
        return torch.autograd.grad(norm.forward(own), own, stacked)[0]


def _refusal(decoder: Decoder, reason: str) -> BadInput:
    return BadInput(
        f"Edges of {type(decoder.hf).__name__} can't be measured: {reason}.",
        "Choose a model such as GPT-2, GPT-NeoX/Pythia or Llama.",
    )
