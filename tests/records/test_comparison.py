"""What two circuits share, counted by hand."""

from dataclasses import replace

import pytest

from attention_viz.exports.tables import comparison_table
from attention_viz.records.circuits.attribution import AttributionRequest, Direction, Method
from attention_viz.records.circuits.circuit import CircuitEdge, CircuitNode, CutRequest
from attention_viz.records.circuits.comparison import compare_circuits, tell_turned
from attention_viz.records.circuits.edge import EdgeId, Via
from attention_viz.records.circuits.pairs import PairsRequest
from attention_viz.records.ids import HeadId
from tests.builders import circuit_of


def made(edges, extra=()):
    """A circuit of these (source, target, via, value), its nodes those of the edges."""
    base = circuit_of()
    names = dict.fromkeys([*(end for edge in edges for end in edge[:2]), *extra])
    nodes = []
    for name in names:
        kinds = {"logits": "output", "input": "input"}
        kind = kinds.get(name, "mlp" if name.endswith("MLP") else "head")
        head = HeadId.parse(name) if kind == "head" else None
        nodes.append(CircuitNode(name, kind, name, head))
    return replace(base, nodes=tuple(nodes), edges=tuple(CircuitEdge(*edge) for edge in edges))


LEFT = (
    ("L0H1", "L2H3", Via.K, -1.0),
    ("L0H1", "L2H3", Via.Q, 0.25),
    ("L2H3", "logits", Via.LOGITS, 2.0),
    ("L0MLP", "logits", Via.LOGITS, 1.0),
    ("L1H1", "logits", Via.LOGITS, 3.0),
)
RIGHT = (
    ("L0H1", "L2H3", Via.K, -2.0),
    ("L2H3", "logits", Via.LOGITS, 4.0),
    ("L0MLP", "logits", Via.LOGITS, 2.0),
    ("L3H0", "logits", Via.LOGITS, 5.0),
)


def test_shared_and_only():
    found = compare_circuits(made(LEFT), made(RIGHT))
    assert found.nodes.shared == ("L0H1", "L2H3", "L0MLP")
    assert found.nodes.only_left == ("L1H1",) and found.nodes.only_right == ("L3H0",)
    assert found.heads.shared == ("L0H1", "L2H3")
    assert found.edges.only_left == (
        EdgeId("L0H1", "L2H3", Via.Q),
        EdgeId("L1H1", "logits", Via.LOGITS),
    )
    assert found.edges.only_right == (EdgeId("L3H0", "logits", Via.LOGITS),)
    assert found.heads.jaccard == 2 / 4 and found.edges.jaccard == 3 / 6
    assert [(s.left, s.right) for s in found.scores] == [(-1, -2), (2, 4), (1, 2)]
    assert found.correlation == pytest.approx(1.0)


def test_the_other_way_round_is_the_mirror():
    one, other = (
        compare_circuits(made(LEFT), made(RIGHT)),
        compare_circuits(made(RIGHT), made(LEFT)),
    )
    assert one.edges.only_left == other.edges.only_right
    assert set(one.nodes.shared) == set(other.nodes.shared)
    assert one.correlation == pytest.approx(other.correlation)
    assert one.edges.sides[EdgeId("L1H1", "logits", Via.LOGITS)] == "only-left"
    assert other.edges.sides[EdgeId("L1H1", "logits", Via.LOGITS)] == "only-right"


def test_a_circuit_and_itself():
    circuit = circuit_of()
    found = compare_circuits(circuit, circuit)
    assert found.heads.jaccard == found.edges.jaccard == 1
    assert found.correlation == pytest.approx(1)
    assert set(found.edges.shared) == {edge.id for edge in circuit.causal_edges}


@pytest.mark.parametrize(
    "values",
    [(1.0, 2.0, None), (1.0, 1.0, 1.0)],
    ids=["too few", "constant"],
)
def test_no_correlation_where_there_is_none(values):
    edges = [
        (f"L0H{i}", "logits", Via.LOGITS, value)
        for i, value in enumerate(values)
        if value is not None
    ]
    assert compare_circuits(made(edges), made(edges)).correlation is None


def test_opposite_scores_correlate_negatively():
    mirrored = [(*edge[:3], -edge[3]) for edge in LEFT]
    assert compare_circuits(made(LEFT), made(mirrored)).correlation == pytest.approx(-1)


def test_nothing_in_common_and_nothing_at_all():
    apart = compare_circuits(made(LEFT[4:]), made(RIGHT[3:]))
    assert apart.heads.jaccard == apart.edges.jaccard == 0
    empty = compare_circuits(made(()), made(()))
    assert empty.heads.jaccard is None and empty.edges.jaccard is None


def test_noised_and_denoised_scores_are_brought_to_one_sign():
    """Replacing takes away what restoring gives back: the right one is turned, and that is said."""
    pairs = PairsRequest(circuit_of().request.question)
    noise, denoise = (
        CutRequest(AttributionRequest(pairs, Method.EAP, direction=direction))
        for direction in Direction
    )
    left = replace(made(LEFT), request=noise)
    same = compare_circuits(left, replace(made(RIGHT), request=noise))
    found = compare_circuits(left, replace(made(RIGHT), request=denoise))
    assert [(s.left, s.right) for s in same.scores] == [(-1, -2), (2, 4), (1, 2)]
    assert [(s.left, s.right) for s in found.scores] == [(-1, 2), (2, -4), (1, -2)]
    assert found.correlation == pytest.approx(-same.correlation)
    assert (same.is_turned, tell_turned(same)) == (False, "")
    assert found.is_turned
    assert "the left one by noise, the right one by denoise" in tell_turned(found)
    values = {edge.id: edge.value for edge in found.right.causal_edges}
    assert values[EdgeId("L3H0", "logits", Via.LOGITS)] == -5.0
    headers, rows = comparison_table(found)
    assert headers[-1] == "right (logits, sign turned)"
    assert [row[-2:] for row in rows if row[0] == "L0H1->L2H3.K"] == [[-1.0, 2.0]]
