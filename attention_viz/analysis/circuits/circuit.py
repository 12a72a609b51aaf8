"""The circuit of chosen heads: every number of the graph is measured here.

Edges between heads and into the logits: direct path patching; the writer's z becomes that of the
counterfactual prompt where there is one, else what the intervention makes of it. Token edges: the
attention weights of the row in which the head matters most, found by replacing its z at one
position at a time. Nodes: direct contributions.
"""

import time
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from attention_viz.analysis.attention import run_clean
from attention_viz.analysis.circuits.path_patching import (
    Changes,
    edges_between,
    patch_edges,
    with_convention,
)
from attention_viz.analysis.contributions import direct_contributions
from attention_viz.analysis.edits import Edit, Place, Replace, edit_of
from attention_viz.analysis.metrics import read_metric
from attention_viz.analysis.one_pass import Candidate, evaluate
from attention_viz.analysis.question import Asked, ask
from attention_viz.analysis.sweep import all_heads
from attention_viz.models.loading import LoadedModel
from attention_viz.records.ablation import Ablation, AblationKind
from attention_viz.records.circuits.circuit import (
    Circuit,
    CircuitEdge,
    CircuitNode,
    CircuitRequest,
    Contribution,
)
from attention_viz.records.circuits.edge import OUTPUT, EdgeId, Via
from attention_viz.records.ids import HeadId
from attention_viz.records.metrics import Metric
from attention_viz.records.pace import Pace

LEAST_WEIGHT = 0.05  # of a token edge beside a head's strongest one


def measure_circuit(
    model: LoadedModel, request: CircuitRequest, pace: Pace | None = None
) -> Circuit:
    """Nodes and edges of the chosen heads. Raises BadInput where they can't be measured."""
    started = time.perf_counter()
    asked = ask(model, request.question, pace)
    heads = tuple(sorted(asked.need_heads(request.heads)))
    contributions = direct_contributions(asked)
    patch, patched_with = _patch_of(asked, request.ablation)
    between = list(_edges(asked, heads, patch))
    (ablated, alone, none), rows = _ablated_and_rows(asked, heads, request, patch)
    from_tokens = _from_tokens(asked, heads, rows, request.tokens_per_head)
    return Circuit(
        request=request,
        tokens=asked.tokens,
        position=asked.position,
        answer=asked.answer_token,
        distractor=asked.distractor_token,
        baseline=(asked.logits[asked.answer] - asked.logits[asked.distractor]).item(),
        ablated=ablated,
        nodes=tuple(_nodes(asked, heads, rows, contributions, from_tokens)),
        edges=(*from_tokens, *between),
        contributions=contributions,
        patched_with=with_convention(model, patched_with),
        evaluations=len(between) + 3 + len(heads) * len(_positions(asked)),
        seconds=time.perf_counter() - started,
        graph=model.streams.graph,
        alone=alone,
        none=none,
        about=request.question,
        is_capped=model.decoder.logit_cap is not None,
        is_plain=model.streams.is_plain,
    )


def _patch_of(asked: Asked, ablation: Ablation) -> tuple[Edit, str]:
    """What replaces the writers' z, and how that is called."""
    if asked.read.counterfactual is not None:
        resample = Ablation(AblationKind.RESAMPLE, positions=ablation.positions)
        return edit_of(asked, resample), "its value in the counterfactual prompt (resample)"
    return edit_of(asked, ablation), f"the ablated value ({ablation.label})"


def _changes(asked: Asked, heads: Sequence[HeadId], patch: Edit) -> Changes:
    """How the patch changes what the heads write; other writers stay."""
    graph, writes = asked.model.streams.graph, asked.decoder.need_writes()
    clean = asked.run.residual[0][0]
    changes = clean.new_zeros(len(graph.writers), *clean.shape)
    for head in heads:
        z, row = asked.run.z[head.layer], graph.writers.index(str(head))
        new, at = z.clone(), z
        new[0, :, head.head] = _patched(asked, head, patch)
        if asked.read.counterfactual is not None:
            at = asked.counterfactual.z[head.layer]  # a result counts as in the run it comes from
        before = writes.head_results(head.layer, z)[0, head.head]
        after = writes.head_results(head.layer, new, at=at)[0, head.head]
        stays = (new == z).all(-1).all(-1)[0, :, None]
        changes[row] = (after - before).masked_fill(stays, 0)
    return changes


def _patched(asked: Asked, head: HeadId, patch: Edit) -> Float[Tensor, "pos d_head"]:
    clean = asked.run.z[head.layer][:, :, head.head]
    row, which = torch.tensor([[0], [head.head]], device=clean.device)
    return patch(Place(head.layer, row, which, asked.run.attended[head.layer]), clean)[0]


def _edges(asked: Asked, heads: Sequence[HeadId], patch: Edit):
    """Edges between the heads and into the logits, reported as they are measured.

    An edge into a shared key/value head is drawn to each of its heads that was chosen.
    """
    edges = edges_between(asked, heads)
    edges += [EdgeId(str(head), OUTPUT, Via.LOGITS) for head in heads]
    graph = asked.model.streams.graph
    chosen = {str(head) for head in heads}
    effects: dict[EdgeId, float] = {}
    with torch.no_grad(), asked.turn():
        changes = _changes(asked, heads, patch)
    for chunk, found in patch_edges(asked, edges, changes, first=patch.first):
        effects |= zip(chunk, found, strict=True)
        asked.pace.report(len(effects), len(edges))
    for edge in edges:
        for target in graph.heads_behind(edge.reader):
            if target in chosen or target == OUTPUT:
                yield CircuitEdge(edge.writer, target, edge.via, effects[edge])


def _ablated_and_rows(
    asked: Asked, heads: tuple[HeadId, ...], request: CircuitRequest, patch: Edit
) -> tuple[tuple[float, float, float], dict[HeadId, int]]:
    """Logit differences, and each head's position of greatest effect.

    With the heads ablated, with all others, with all.
    """
    positions = _positions(asked)
    values = [z[0].clone() for z in asked.run.z]
    for head in heads:
        values[head.layer][:, head.head] = _patched(asked, head, patch)
    singles = [Replace((position,), values) for position in positions]
    everything = tuple(all_heads(asked))
    others = tuple(head for head in everything if head not in heads)
    edit = edit_of(asked, request.ablation)
    candidates = [Candidate(each, edit) for each in (heads, others, everything)]
    candidates += [Candidate((head,), edit) for head in heads for edit in singles]
    measured = torch.empty(len(candidates), dtype=asked.logits.dtype)
    for indices, found in evaluate(asked, candidates, lambda logits: _difference(asked, logits)):
        measured[indices] = found
        asked.pace.report(len(indices), len(candidates))
    clean = _difference(asked, asked.logits[None])
    effects = (measured[3:] - clean).abs().reshape(len(heads), len(positions))
    rows = {head: positions[int(row.argmax())] for head, row in zip(heads, effects, strict=True)}
    return tuple(measured[:3].tolist()), rows


def _difference(asked: Asked, logits: Tensor) -> Tensor:
    return read_metric(asked, Metric.LOGIT_DIFF, logits).cpu()


def _positions(asked: Asked) -> range:
    """Positions that the read-out can see."""
    return range(asked.position + 1)


def _from_tokens(
    asked: Asked, heads: Sequence[HeadId], rows: dict[HeadId, int], most: int
) -> tuple[CircuitEdge, ...]:
    """The strongest attention weights of each head, in the row where the head matters most."""
    run = run_clean(asked)
    edges = []
    for head in heads:
        row = rows[head]
        weights = run.pattern[head.layer][0, head.head, row, : row + 1]
        best = weights.topk(min(most, row + 1))
        for weight, position in zip(best.values.tolist(), best.indices.tolist(), strict=True):
            if weight >= LEAST_WEIGHT or position == best.indices[0]:
                source = f"token:{position}"
                edges.append(CircuitEdge(source, str(head), Via.ATTENTION, weight, position=row))
    return tuple(edges)


def _nodes(
    asked: Asked,
    heads: Sequence[HeadId],
    rows: dict[HeadId, int],
    contributions: Sequence[Contribution],
    from_tokens: Sequence[CircuitEdge],
):
    """Tokens that an edge starts from, the heads, the output."""
    labels = asked.tokens.labels
    for position in sorted({int(edge.source.partition(":")[2]) for edge in from_tokens}):
        yield CircuitNode(f"token:{position}", "token", labels[position], position=position)
    written = {each.component: each.value for each in contributions}
    for head in heads:
        name = str(head)
        yield CircuitNode(name, "head", name, head, rows[head], written[name])
    difference = f"{asked.answer_token.shown} − {asked.distractor_token.shown}"
    yield CircuitNode(OUTPUT, "output", difference)
