"""What one node writes to every token's logit, and what the model says without it.

The direct write is that of `contributions`: the residual stream at the read-out is a sum, and with
the final norm's scale held at its value in this run each part of it has logits of its own (Elhage
et al. 2021; nostalgebraist 2020). A constant added to all logits changes no prediction, so they
are told relative to their mean over the vocabulary.
"""

import re
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from attention_viz.analysis.attention import run_clean
from attention_viz.analysis.circuits.pairs import known_pairs
from attention_viz.analysis.contributions import read_components
from attention_viz.analysis.edits import edit_of
from attention_viz.analysis.metrics import read_metric
from attention_viz.analysis.one_pass import Candidate, climb, evaluate
from attention_viz.analysis.question import Asked, ask, ask_pair
from attention_viz.models.direct import unembedded
from attention_viz.models.loading import LoadedModel
from attention_viz.models.streams import writers_of
from attention_viz.records.ablation import Ablation, AblationKind
from attention_viz.records.circuits.edge import INPUT
from attention_viz.records.circuits.node import NodeDetail, NodeRequest, WrittenToken
from attention_viz.records.circuits.pairs import PairsRequest
from attention_viz.records.errors import BadInput
from attention_viz.records.ids import HeadId
from attention_viz.records.metrics import Metric
from attention_viz.records.pace import Pace

_MLP = re.compile(r"L(\d+)MLP")


@torch.no_grad()
def node_detail(model: LoadedModel, request: NodeRequest, pace: Pace | None = None) -> NodeDetail:
    """Its direct write, its effect and its pattern. Raises BadInput for a node there is not."""
    if request.top < 1:
        raise BadInput(f"The top {request.top} tokens are none.", "Ask for 1 or more.")
    asked = _ask_first(model, request.pairs, pace or Pace())
    head, layer = _find(asked, request.node)
    detail = NodeDetail(
        request=request,
        tokens=asked.tokens,
        position=asked.position,
        contribution=None,
        promoted=(),
        suppressed=(),
        effect=_effect(asked, request.ablation, head, layer),
        pattern=None if head is None else _pattern(asked, head),
    )
    if not asked.decoder.writes_to_stream:
        return detail
    written = _written_logits(asked, head, layer)
    return replace(
        detail,
        contribution=(written[asked.answer] - written[asked.distractor]).item(),
        promoted=_listed(asked, written, request.top, largest=True),
        suppressed=_listed(asked, written, request.top, largest=False),
    )


def _ask_first(model: LoadedModel, pairs: PairsRequest, pace: Pace) -> Asked:
    """The question itself, or the first pair of a family."""
    if not pairs.family and not pairs.given:
        return ask(model, pairs.question, pace)
    found = known_pairs(model, pairs, pace)
    return ask_pair(model, pairs.question, found.pairs[0], pace)


def _find(asked: Asked, node: str) -> tuple[HeadId | None, int]:
    """The head, or None; and how many layers lie below what the node writes (input: 0)."""
    if node == INPUT:
        return None, 0
    match = _MLP.fullmatch(node)
    if match is None:
        [head] = asked.need_heads((HeadId.parse(node),))
        return head, head.layer
    if int(match[1]) >= asked.decoder.layers:
        raise BadInput(
            f"There is no {node}: {asked.model.info.name} has layers 0 to "
            f"{asked.decoder.layers - 1}.",
            "Choose a node of this model.",
        )
    return None, int(match[1]) + 1


def _written_logits(asked: Asked, head: HeadId | None, layer: int) -> Float[Tensor, " vocabulary"]:
    """The node's direct write to every logit, relative to their mean."""
    component = str(head) if head else f"L{layer - 1} MLP" if layer else "embed"
    with asked.turn():
        names, read = read_components(asked)
        every = torch.arange(asked.vocabulary.size, device=read.device)
        logits = unembedded(asked.decoder, read[names.index(component)][None], every)[0]
    return logits - logits.mean()


def _listed(
    asked: Asked, written: Float[Tensor, " vocabulary"], top: int, *, largest: bool
) -> tuple[WrittenToken, ...]:
    found = written.topk(min(top, len(written)), largest=largest)
    pairs = zip(found.indices.tolist(), found.values.tolist(), strict=True)
    return tuple(WrittenToken(asked.token(id), value) for id, value in pairs)


def _effect(asked: Asked, ablation: Ablation, head: HeadId | None, layer: int) -> float | None:
    """Change of the logit difference; None where this node can't be ablated in this way."""
    if head is not None:
        candidate = Candidate((head,), edit_of(asked, ablation))
        [(_, logits)] = evaluate(asked, [candidate], lambda logits: logits)
    else:
        replaced = _replaced(asked, ablation, layer)
        if replaced is None:
            return None
        with asked.turn():
            logits = climb(asked, replaced, layer=layer)[:, : asked.vocabulary.size]
    both = torch.cat([logits, asked.logits[None]])
    ablated, clean = read_metric(asked, Metric.LOGIT_DIFF, both).tolist()
    return ablated - clean


def _replaced(
    asked: Asked, ablation: Ablation, layer: int
) -> Float[Tensor, "1 pos d_model"] | None:
    """The residual stream above an MLP (or the input) whose result was replaced everywhere."""
    decoder = asked.decoder
    if not (decoder.calls_blocks and decoder.writes_to_stream) or ablation.positions is not None:
        return None
    index = layer * (decoder.heads + 1)  # in the order of Graph.writers
    with asked.turn():
        own = writers_of(decoder, asked.run)[:, index]
    if ablation.kind is AblationKind.ZERO:
        other = torch.zeros_like(own)
    elif ablation.kind is AblationKind.RESAMPLE:
        run = asked.counterfactual
        with asked.turn():
            other = writers_of(decoder, run)[:, index]
    elif ablation.kind is AblationKind.MEAN and not ablation.references:
        first = 1 if asked.tokens.bos and len(asked.tokens) > 1 else 0
        other = own[:, first:].mean(1, keepdim=True)
    else:
        return None
    return asked.run.residual[layer] - own + other


def _pattern(asked: Asked, head: HeadId) -> Float[np.ndarray, "query key"] | None:
    if not asked.decoder.hears_attention:
        return None
    return run_clean(asked).pattern[head.layer][0, head.head].double().cpu().numpy()
