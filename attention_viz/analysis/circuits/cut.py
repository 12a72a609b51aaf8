"""Circuits cut from edge scores, and the measured edges of given circuits.

Greedy (Hanna et al. 2024): from the logits, always the edge with the greatest |score| whose reader
is already in the circuit. Top: the greatest |scores| anywhere. Either way edges that lie on no way
from the input to the logits are dropped.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float

from attention_viz.analysis.circuits.attribution import attribute_edges
from attention_viz.analysis.circuits.mib import cut_top
from attention_viz.analysis.circuits.pair_batches import PairBatch, Replacement, replacing_label
from attention_viz.analysis.circuits.pairs import known_pairs
from attention_viz.analysis.circuits.path_patching import (
    changes_of,
    first_change,
    patch_edges,
    with_convention,
)
from attention_viz.analysis.circuits.ranking import rank_edges, take
from attention_viz.analysis.contributions import direct_contributions
from attention_viz.analysis.metrics import read_metric
from attention_viz.analysis.question import ask_pair
from attention_viz.models.loading import LoadedModel
from attention_viz.records.ablation import AblationKind
from attention_viz.records.circuits.attribution import Attribution, AttributionRequest, Direction
from attention_viz.records.circuits.circuit import (
    Circuit,
    CircuitEdge,
    CircuitNode,
    Contribution,
    Cut,
    CutRequest,
    EdgesRequest,
)
from attention_viz.records.circuits.edge import INPUT, OUTPUT, EdgeId
from attention_viz.records.circuits.fit import fit_edges
from attention_viz.records.circuits.graph import Graph
from attention_viz.records.circuits.pairs import PairSet
from attention_viz.records.circuits.replacing import Replacing
from attention_viz.records.errors import BadInput
from attention_viz.records.ids import HeadId
from attention_viz.records.metrics import Metric
from attention_viz.records.pace import Pace
from attention_viz.records.question import Question

PATCHED_WITH = {
    AblationKind.RESAMPLE: "its value in the counterfactual prompt (resample)",
    AblationKind.MEAN: "its mean over the clean prompts ({label})",
    AblationKind.ZERO: "{label}",
}

Mask = Bool[np.ndarray, "writer reader"]


def measure_cut(model: LoadedModel, request: CutRequest, pace: Pace | None = None) -> Circuit:
    """The circuit of so many edges. Raises BadInput (see AttributionRequest), or for no edge."""
    started = time.perf_counter()
    pace = pace or Pace()
    attribution = scores_of(model, request.attribution, pace)
    circuit = cut_attribution(model, attribution, request, pace)
    return replace(circuit, seconds=time.perf_counter() - started)


def scores_of(model: LoadedModel, request: AttributionRequest, pace: Pace) -> Attribution:
    """The scores, computed unless somebody asked for them before."""
    return pace.recall(request, lambda: attribute_edges(model, request, pace))


def cut_attribution(
    model: LoadedModel, attribution: Attribution, request: CutRequest, pace: Pace
) -> Circuit:
    """The circuit cut from scores that are there already."""
    graph, scores = attribution.graph, attribution.scores
    mask = _cut(attribution, request)
    is_exact = request.attribution.method.is_exact
    edges = [
        CircuitEdge(each.writer, each.reader, each.via, float(scores[graph.index(each)]))
        for each in edges_of(graph, mask)
    ]
    edges = [replace(edge, is_exact=is_exact) for edge in _strongest_first(edges)]
    if not is_exact:
        wanted = [edge.id for edge in edges[: request.exact_top]]
        wanted += [edge.id for edge in edges[request.exact_top :] if edge.id in request.exact]
        edges = _patched(model, attribution, edges, wanted, pace)
    return _circuit(model, request, attribution.pairs, edges, attribution.clean, pace)


def _cut(attribution: Attribution, request: CutRequest) -> Mask:
    """Raises BadInput for a size below 1, and for MIB's way without MLPs."""
    graph, scores, size = attribution.graph, attribution.scores, request.edges
    ranking = request.way.ranking
    if ranking is None:
        return cut_scores(graph, scores, size, request.way, with_mlps=request.with_mlps)
    if not request.with_mlps:
        raise BadInput("MIB's cut is of all edges, those of MLPs too.", "Let the MLPs in.")
    return cut_top(graph, scores, size, ranking, attribution.request.direction.sense)


def _patched(
    model: LoadedModel,
    attribution: Attribution,
    edges: list[CircuitEdge],
    wanted: list[EdgeId],
    pace: Pace,
) -> list[CircuitEdge]:
    """The wanted edges measured, their estimates kept beside.

    Raises BadInput for denoising scores: patching goes the other way.
    """
    if not wanted:
        return edges
    if attribution.request.direction is Direction.DENOISE:
        raise BadInput(
            "Edges are patched from clean to replaced, these scores go the other way (denoise).",
            "Score them in the direction noise to measure some exactly.",
        )
    asked = attribution.request
    exact, _ = patch_over_pairs(
        model, attribution.pairs, wanted, asked.ablation, pace, asked.replacing
    )
    return [
        replace(edge, value=exact[edge.id], is_exact=True, estimate=edge.value)
        if edge.id in exact
        else edge
        for edge in edges
    ]


def measure_edges(model: LoadedModel, request: EdgesRequest, pace: Pace | None = None) -> Circuit:
    """The circuit of given edges, each patched. Raises BadInput for an unknown edge, or none."""
    started = time.perf_counter()
    pace = pace or Pace()
    if not request.edges:
        raise BadInput("There are no edges.", "Name at least one, like L0H1->L2H3.K.")
    pairs = known_pairs(model, request.pairs, pace)
    with pace.turn():
        edges = fit_edges(request.edges, model.streams.graph)
    exact, clean = patch_over_pairs(model, pairs, edges, request.kind, pace, request.replacing)
    found = [CircuitEdge(e.writer, e.reader, e.via, value) for e, value in exact.items()]
    circuit = _circuit(model, request, pairs, _strongest_first(found), clean, pace)
    return replace(circuit, seconds=time.perf_counter() - started)


def _strongest_first(edges: Sequence[CircuitEdge]) -> list[CircuitEdge]:
    return sorted(edges, key=lambda edge: -abs(edge.value))


def cut_scores(
    graph: Graph,
    scores: Float[np.ndarray, "writer reader"],
    size: int,
    way: Cut,
    *,
    with_mlps: bool = True,
) -> Mask:
    """The greatest circuit of at most `size` edges. Raises BadInput for a size below 1."""
    if size < 1:
        raise BadInput(f"A circuit of {size} edges is empty.", "Choose at least 1.")
    return take(graph, rank_edges(graph, scores, way, with_mlps=with_mlps), size)


def edges_of(graph: Graph, mask: Mask) -> list[EdgeId]:
    """The edges of a mask, reader by reader."""
    readers, writers = mask.T.nonzero()
    return [graph.edge(w, r) for w, r in zip(writers.tolist(), readers.tolist(), strict=True)]


def patch_over_pairs(
    model: LoadedModel,
    pairs: PairSet,
    edges: Sequence[EdgeId],
    kind: AblationKind,
    pace: Pace,
    replacing: Replacing = Replacing(),  # noqa: B008 (frozen)
) -> tuple[dict[EdgeId, float], float]:
    """Effects by direct path patching, and the clean logit difference: means over the pairs."""
    replacement = Replacement.of(model, pairs, kind, pace, replacing)
    sums = dict.fromkeys(edges, 0.0)
    clean, done = 0.0, 0
    for number, pair in enumerate(pairs.pairs):
        asked = ask_pair(model, pairs.request.question, pair, pace)
        clean += read_metric(asked, Metric.LOGIT_DIFF, asked.logits[None]).item()
        batch = PairBatch.of(pairs.pairs, [number], model.decoder.device)
        changes = changes_of(asked, batch, replacement)
        first = first_change(asked, replacement)
        for chunk, effects in patch_edges(asked, edges, changes, first=first):
            for edge, effect in zip(chunk, effects, strict=True):
                sums[edge] += effect
            done += len(chunk)
            pace.report(done, len(edges) * len(pairs.pairs))
    count = len(pairs.pairs)
    return {edge: total / count for edge, total in sums.items()}, clean / count


def _circuit(
    model: LoadedModel,
    request: CutRequest | EdgesRequest,
    pairs: PairSet,
    edges: Sequence[CircuitEdge],
    baseline: float,
    pace: Pace,
) -> Circuit:
    """Edges and the nodes they join."""
    graph, first = model.streams.graph, pairs.pairs[0]
    contributions: tuple[Contribution, ...] = ()
    if len(pairs.pairs) == 1:
        contributions = direct_contributions(ask_pair(model, request.question, first, pace))
    drawn = tuple(_drawn(graph, edges))
    return Circuit(
        request=request,
        tokens=first.clean,
        position=first.position,
        answer=first.answer,
        distractor=first.distractor,
        baseline=baseline,
        ablated=None,
        nodes=tuple(_nodes(graph, drawn, contributions, pairs)),
        edges=drawn,
        contributions=contributions,
        patched_with=_patched_with(model, request),
        evaluations=sum(edge.is_exact for edge in edges) * len(pairs.pairs),
        seconds=0.0,
        pairs=len(pairs.pairs),
        graph=graph,
        about=question_of(pairs),
        is_capped=model.decoder.logit_cap is not None,
        is_plain=model.streams.is_plain,
    )


def _patched_with(model: LoadedModel, request: CutRequest | EdgesRequest) -> str:
    kind = request.ablation.kind
    label = replacing_label(model, kind, request.replacing)
    return with_convention(model, PATCHED_WITH[kind].format(label=label))


def question_of(pairs: PairSet) -> Question:
    """The first pair as a question."""
    first, asked = pairs.pairs[0], pairs.request.question
    return Question(
        asked.model,
        first.text.clean,
        first.position,
        asked.bos,
        first.text.counterfactual,
        first.answer.id,
        first.distractor.id,
        asked.chat,
    )


def _drawn(graph: Graph, edges: Sequence[CircuitEdge]) -> Iterator[CircuitEdge]:
    """An edge into a shared key/value head goes to each of its heads that is in the circuit."""
    writers = {edge.source for edge in edges} | {OUTPUT}
    for edge in edges:
        for target in graph.heads_behind(edge.target):
            if target in writers or target == edge.target:
                yield replace(edge, target=target)


def _nodes(
    graph: Graph,
    edges: Sequence[CircuitEdge],
    contributions: Sequence[Contribution],
    pairs: PairSet,
) -> Iterator[CircuitNode]:
    """Everything an edge touches, from the input to the output."""
    names = {edge.source for edge in edges} | {edge.target for edge in edges}
    written = {each.component: each.value for each in contributions}
    for name in (name for name in graph.writers if name in names):
        if name == INPUT:
            yield CircuitNode(name, "input", name)
        elif name.endswith("MLP"):
            label = f"{name[:-3]} MLP"
            yield CircuitNode(name, "mlp", label, contribution=written.get(label))
        else:
            yield CircuitNode(name, "head", name, HeadId.parse(name), None, written.get(name))
    first = pairs.pairs[0]
    difference = f"{first.answer.shown} − {first.distractor.shown}"
    several = len(pairs.pairs) > 1
    yield CircuitNode(OUTPUT, "output", "answer − distractor" if several else difference)
