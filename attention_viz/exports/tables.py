"""Records as tables: (headers, rows), for the page's table views and for CSV files.

Units are in the headers. Values are exact: numbers unrounded, and tokens are records, which a page
shows with their blanks visible and a CSV file has as the tokenizer has them. What was not measured
is None, an empty field in CSV.
"""

import csv
import io
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from attention_viz.records.ablation import AblationResult
from attention_viz.records.attention import AttentionMaps
from attention_viz.records.circuits.circuit import Circuit, CircuitEdge
from attention_viz.records.circuits.comparison import CircuitComparison
from attention_viz.records.circuits.faithfulness import Curve, Faithfulness, FaithfulnessResult
from attention_viz.records.lens import LogitLens
from attention_viz.records.looks.agreement import Agreement
from attention_viz.records.looks.control import Control
from attention_viz.records.looks.cost import CostTable
from attention_viz.records.looks.dose import Dose
from attention_viz.records.looks.family import FamilyEffect, PairFlip
from attention_viz.records.looks.positions import PositionMap
from attention_viz.records.looks.redundancy import Redundancy
from attention_viz.records.search import SearchResult
from attention_viz.records.sweep import HeadSweep
from attention_viz.records.tokens import Token

Table = tuple[list[str], list[list[Any]]]


def to_csv(headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """UTF-8 with a header line, quoted where a value needs it (RFC 4180)."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(headers)
    writer.writerows([_field(value) for value in row] for row in rows)
    return out.getvalue().encode("utf-8", errors="replace")


def ablation_table(result: AblationResult) -> Table:
    """Every token in either top list, before and after."""
    numbers = ("probability", "logit", "rank")
    headers = ["token", "id", *(f"{when} {n}" for n in numbers for when in ("clean", "ablated"))]
    rows = []
    for change in result.changes:
        pairs = [(getattr(change.clean, n), getattr(change.ablated, n)) for n in numbers]
        rows.append([change.token, change.token.id, *(v for pair in pairs for v in pair)])
    return headers, rows


def sweep_table(sweep: HeadSweep) -> Table:
    """One row per head, layer by layer."""
    metric = sweep.request.metric
    headers = ["head", "layer", "index", f"effect on {metric.title} ({metric.unit})", "top-1 then"]
    rows = []
    for (layer, head), effect in np.ndenumerate(sweep.effect):
        top = sweep.top[layer][head]
        rows.append([f"L{layer}H{head}", layer, head, _measured(effect), top])
    return headers, rows


def search_table(result: SearchResult) -> Table:
    """One row per step."""
    title = result.request.objective.score_title
    headers = ["step", "action", "head", "heads", title, "top-1 then", "next best", "its score"]
    return headers, [
        [
            number,
            step.action,
            str(step.head),
            " ".join(str(head) for head in step.heads),
            _measured(step.score),
            step.top,
            None if step.runner_up is None else str(step.runner_up),
            _measured(step.runner_up_score),
        ]
        for number, step in enumerate(result.steps, start=1)
    ]


def attention_table(maps: AttentionMaps) -> Table:
    """One row per head, query and key that the query can see."""
    headers = ["head", "from position", "from", "to position", "to", "clean weight"]
    if maps.ablated is not None:
        headers += ["ablated weight", "difference"]
    tokens = maps.tokens.items
    rows = []
    for index, head in enumerate(maps.request.heads):
        for query, key in zip(*np.tril_indices(len(tokens)), strict=True):
            weights = [float(maps.clean[index, query, key])]
            if maps.ablated is not None:
                ablated = float(maps.ablated[index, query, key])
                weights += [ablated, ablated - weights[0]]
            ends = [int(query), tokens[query], int(key), tokens[key]]
            rows.append([str(head), *ends, *weights])
    return headers, rows


def lens_table(lens: LogitLens) -> Table:
    """One row per lens row, position and place in the top-k."""
    headers = ["row", "position", "at token", "rank", "token", "id", "probability"]
    headers += ["entropy (nats)", "answer probability", "answer rank"]
    rows = []
    for row, name in enumerate(lens.rows):
        for position, at in enumerate(lens.tokens.items):
            cell = [
                float(lens.entropy[row, position]),
                float(lens.answer_probability[row, position]),
                int(lens.answer_rank[row, position]),
            ]
            for k, token in enumerate(lens.top[row][position]):
                probability = float(lens.probability[row, position, k])
                place = [name, position, at, k + 1, token, token.id, probability]
                rows.append(place + cell)
    return headers, rows


def contributions_table(circuit: Circuit) -> Table:
    """Direct contributions of all components; they sum to the clean logit difference."""
    headers = ["component", "direct contribution (logits)"]
    return headers, [[part.component, float(part.value)] for part in circuit.contributions]


def nodes_table(circuit: Circuit) -> Table:
    headers = ["id", "kind", "label", "position", "direct contribution (logits)", "role", "score"]
    rows = []
    for node in circuit.nodes:
        role = [None, None] if node.role is None else [node.role.role.value, node.role.score]
        rows.append([node.id, node.kind, node.label, node.position, node.contribution, *role])
    return headers, rows


def edges_table(circuit: Circuit) -> Table:
    """All edges, those too weak to be drawn included.

    `exact`: patched, not estimated by gradients; empty for attention weights.
    """
    headers = ["source", "target", "via", "value", "unit", "exact", "estimate", "row position"]
    return headers, [
        [
            edge.source,
            edge.target,
            edge.via.value,
            float(edge.value),
            edge.via.unit,
            edge.is_exact if edge.via.is_causal else None,
            _measured(_estimate_of(edge)),
            edge.position,
        ]
        for edge in circuit.edges
    ]


def _estimate_of(edge: CircuitEdge) -> float | None:
    """By gradients: the value itself where it was not patched."""
    return edge.estimate if edge.is_exact else edge.value


def curve_table(curve: Curve) -> Table:
    """One row per size; the random circuits are of the same size, their mean over all of them."""
    headers = ["edges", "share of edges", "logit difference (logits)", "faithfulness"]
    headers += ["95 % low", "95 % high", "faithfulness of the rest", "random, mean"]
    random = {control.size: control.mean for control in curve.random}
    return headers, [_faithfulness_row(p) + [_measured(random.get(p.size))] for p in curve.points]


def _faithfulness_row(found: Faithfulness) -> list[Any]:
    low, high = (
        (None, None) if found.interval is None else (found.interval.low, found.interval.high)
    )
    ends = [found.metric, found.faithfulness, low, high, found.without]
    return [found.size, found.share, *map(_measured, ends)]


def minimality_table(result: FaithfulnessResult) -> Table:
    """One row per edge, the most needed first."""
    ranked = sorted(result.minimality, key=lambda each: -each.loss)
    headers = ["edge", "loss of faithfulness without it"]
    return headers, [[str(each.edge), _measured(each.loss)] for each in ranked]


def comparison_table(comparison: CircuitComparison) -> Table:
    """Heads and MLPs, then edges, with both circuits' scores."""
    turned = ", sign turned" if comparison.is_turned else ""
    headers = ["name", "kind", "in", "left (logits)", f"right (logits{turned})"]
    mine, theirs = (
        {edge.id: float(edge.value) for edge in circuit.causal_edges}
        for circuit in (comparison.left, comparison.right)
    )
    rows = [[name, "node", side, None, None] for name, side in comparison.nodes.sides.items()]
    for edge, side in comparison.edges.sides.items():
        rows.append([str(edge), "edge", side, mine.get(edge), theirs.get(edge)])
    return headers, rows


def _measured(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else float(value)


def _field(value: Any) -> Any:
    """None and nan are empty; booleans are written as in JSON, tokens as texts."""
    if isinstance(value, Token):
        return value.text
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if isinstance(value, float) and math.isnan(value) else value


def cost_table(found: CostTable) -> Table:
    """One row per token; the margin is that of the set in the row."""
    headers = ["token", "id", "probability, clean", "heads", "set", "margin (logits)", "flips"]
    return headers, [
        [
            row.token.token,
            row.token.token.id,
            row.token.probability,
            len(row.heads),
            " ".join(map(str, row.heads)),
            row.score,
            "yes" if row.flipped else "no",
        ]
        for row in found.rows
    ]


def redundancy_table(found: Redundancy) -> Table:
    """One row per pair."""
    unit = found.request.metric.unit
    headers = ["head", "other head", f"together ({unit})", f"sum of each alone ({unit})"]
    rows = []
    for i, one in enumerate(found.heads):
        for j in range(i + 1, len(found.heads)):
            alone = found.single[i] + found.single[j]
            values = [found.pair[i, j], alone, found.excess[i, j]]
            rows.append([str(one), str(found.heads[j]), *map(_measured, values)])
    return [*headers, f"difference ({unit})"], rows


def agreement_table(found: Agreement) -> Table:
    """One row per head, one column per kind with its settings."""
    unit = found.request.metric.unit
    headers = ["head", *(f"{ablation.label} ({unit})" for ablation in found.ablations)]
    layers, heads = found.effect.shape[1:]
    return headers, [
        [f"L{layer}H{head}", *(_measured(value) for value in found.effect[:, layer, head])]
        for layer in range(layers)
        for head in range(heads)
    ]


def control_table(found: Control) -> Table:
    """The set chosen, then every random one."""
    headers = ["set", f"effect on {found.request.metric.title} ({found.request.metric.unit})"]
    rows = [["chosen", found.effect]]
    return headers, rows + [[f"random {i}", _measured(v)] for i, v in enumerate(found.random, 1)]


def dose_table(found: Dose) -> Table:
    """One row per factor."""
    answer, distractor = found.answer.shown, found.distractor.shown
    headers = ["factor on z", "logit difference (logits)", f"probability of {answer}"]
    headers += [f"probability of {distractor}", "KL (nats)"]
    columns = (found.scale, found.logit_diff, found.answer_probability)
    columns += (found.distractor_probability, found.kl)
    return headers, [[_measured(value) for value in row] for row in zip(*columns, strict=True)]


def positions_table(found: PositionMap) -> Table:
    """One row per head, one column per position."""
    labels = found.tokens.labels[: found.effect.shape[1]]
    headers = ["head", "all positions", *(f"{i} {label}" for i, label in enumerate(labels))]
    return headers, [
        [str(head), _measured(whole), *(_measured(value) for value in row)]
        for head, whole, row in zip(found.heads, found.whole, found.effect, strict=True)
    ]


def family_table(found: FamilyEffect) -> Table:
    """One row per pair; whether it flips is empty where the clean model answers it wrong."""
    headers = ["pair", "prompt", "answer", "distractor", "logit difference, clean (logits)"]
    headers += ["logit difference, ablated (logits)", "top-1, clean", "top-1, ablated"]
    headers += [f"flips: {flip.about}" for flip in PairFlip]
    rows = []
    for number, each in enumerate(found.pairs, 1):
        texts = each.pair.clean.texts[1 if each.pair.clean.bos else 0 :]
        prompt = "".join(texts) if each.pair.text is None else each.pair.text.clean
        row = [number, prompt, each.pair.answer, each.pair.distractor]
        row += [each.clean, each.ablated, each.clean_top, each.ablated_top]
        rows.append(row + [_yes(each.flips(f)) if each.counts(f) else None for f in PairFlip])
    return headers, rows


def _yes(claim: bool) -> str:
    return "yes" if claim else "no"
