"""A circuit of 30 layers: folded without losing an edge, and drawn so that it can be read."""

from collections import Counter
from dataclasses import replace
from itertools import combinations

import pytest

from attention_viz.figures.circuits.circuit import draw_circuit, draw_graph, legend
from attention_viz.figures.circuits.circuit_layout import (
    SHAPES,
    Box,
    drawn_edges,
    edge_label,
    edge_number,
    lay_out,
    point_at,
)
from attention_viz.figures.circuits.element_style import extent_of
from attention_viz.figures.circuits.folding import can_fold, fold_circuit, stacks_of
from attention_viz.figures.circuits.stack import StackNode, SummedEdge, size_of_edge, sum_of
from attention_viz.records.circuits.circuit_view import LAYOUTS, CircuitView
from tests.builders import circuit_of, cut_of
from tests.deep import deep_cut_of

SEEDS = range(3)
DEEP = {seed: deep_cut_of(seed=seed) for seed in SEEDS}
UNFOLDED = CircuitView(folds=False)


def members(circuit, *which):
    """Ids of the MLPs in these of its stacks, from below; of all by default."""
    stacks = stacks_of(circuit)
    chosen = [stacks[at] for at in which] if which else stacks
    return tuple(member.id for stack in chosen for member in stack.members)


def parts_of(folded):
    """Every edge of the circuit that the folded one stands for."""
    for edge in folded.edges:
        yield from edge.parts if isinstance(edge, SummedEdge) else (edge,)
    for node in folded.nodes:
        yield from getattr(node, "inside", ())


@pytest.mark.parametrize("seed", SEEDS)
def test_every_edge_is_drawn_once_by_itself_in_a_sum_or_inside_a_stack(seed):
    circuit = DEEP[seed]
    folded = fold_circuit(circuit)
    assert len(folded.nodes) < len(circuit.nodes) and len(folded.edges) < len(circuit.edges)
    assert Counter(parts_of(folded)) == Counter(circuit.edges)


@pytest.mark.parametrize("seed", SEEDS)
def test_folding_conserves_the_sums(seed):
    circuit, folded = DEEP[seed], fold_circuit(DEEP[seed])
    inside = [edge for node in folded.nodes for edge in getattr(node, "inside", ())]
    assert sum_of(folded.edges) + sum_of(inside) == pytest.approx(sum_of(circuit.edges), abs=1e-12)
    home = {m.id: s.id for s in stacks_of(circuit) for m in s.members}
    for edge in folded.edges:
        if not isinstance(edge, SummedEdge):
            assert edge in circuit.edges
            continue
        own = [
            each.value
            for each in circuit.edges
            if (home.get(each.source, each.source), home.get(each.target, each.target), each.via)
            == (edge.source, edge.target, edge.via)
        ]
        positive, negative = edge.both_sums
        assert edge.value == pytest.approx(sum(own), abs=1e-12)
        assert positive == pytest.approx(sum(v for v in own if v > 0), abs=1e-12)
        assert negative == pytest.approx(sum(v for v in own if v < 0), abs=1e-12)
        assert edge.is_mixed == (min(own) < 0 < max(own))
    for stack in stacks_of(circuit):
        parts = [node.contribution for node in circuit.nodes if node.id in home and
                 home[node.id] == stack.id]  # fmt: skip
        assert stack.contribution == pytest.approx(sum(parts), abs=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_chain_has_no_head_between_its_mlps(seed):
    circuit = DEEP[seed]
    heads = {node.head.layer for node in circuit.nodes if node.head is not None}
    for stack in stacks_of(circuit):
        layers = [int(member.id[1:].removesuffix("MLP")) for member in stack.members]
        assert layers == sorted(layers) and len(layers) > 1
        assert stack.label == f"MLP {layers[0]}–{layers[-1]}"
        # A layer's heads stand before its MLP
        assert not heads & set(range(layers[0] + 1, layers[-1] + 1))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_mlp_of_the_strongest_edge_stands_alone(seed):
    """The first one, which reads the input: who looks at the circuit looks for it."""
    circuit = DEEP[seed]
    strongest = max(circuit.edges, key=lambda edge: abs(edge.value))
    assert strongest.target == "L0MLP" and "L0MLP" not in members(circuit)
    assert strongest in fold_circuit(circuit).edges


@pytest.mark.parametrize("seed", SEEDS)
def test_opening_all_stacks_restores_all_nodes_and_edges(seed):
    circuit = DEEP[seed]
    opened = fold_circuit(circuit, CircuitView(opened=members(circuit)))
    assert set(opened.nodes) == set(circuit.nodes) and set(opened.edges) == set(circuit.edges)
    assert fold_circuit(circuit, UNFOLDED) is circuit


@pytest.mark.parametrize("seed", SEEDS)
def test_opening_one_stack_shows_its_mlps_and_leaves_the_others_folded(seed):
    circuit = DEEP[seed]
    first, *others = stacks_of(circuit)
    opened = fold_circuit(circuit, CircuitView(opened=members(circuit, 0)))
    ids = {node.id for node in opened.nodes}
    assert {member.id for member in first.members} <= ids and first.id not in ids
    assert {stack.id for stack in others} <= ids
    assert set(first.inside) <= set(opened.edges)
    assert Counter(parts_of(opened)) == Counter(circuit.edges)


def test_what_a_person_did_to_an_mlp_keeps_it_out_of_the_stacks():
    circuit = DEEP[0]
    one = members(circuit)[1]
    for view in (
        CircuitView(positions=((one, 1.0, 2.0),)),
        CircuitView(names=((one, "mine"),)),
        CircuitView(groups=(("mine", (one,)),)),
        CircuitView(hidden=(one,)),
    ):
        folded = fold_circuit(circuit, view)
        assert one in {node.id for node in folded.nodes}, view
        assert Counter(parts_of(folded)) == Counter(circuit.edges)


def test_a_stack_is_pinned_hidden_and_named_as_any_node():
    circuit = DEEP[0]
    stack = stacks_of(circuit)[0].id
    layout = lay_out(circuit, view=CircuitView(positions=((stack, 5.0, 6.0),)))
    assert (layout.boxes[stack].x, layout.boxes[stack].y) == (5.0, 6.0)
    assert (
        lay_out(circuit, view=CircuitView(names=((stack, "early"),))).labels[stack][:5] == "early"
    )
    hidden = lay_out(circuit, view=CircuitView(hidden=(stack,)))
    assert stack not in hidden.boxes
    assert not any(stack in (r.edge.source, r.edge.target) for r in hidden.routes)


def test_circuits_of_few_layers_stay_as_they_were():
    for circuit in (circuit_of(), cut_of(60, 4, 8), cut_of(20, 6, 4)):
        assert fold_circuit(circuit) is circuit and not can_fold(circuit)


def test_folding_twice_is_folding_once():
    folded = fold_circuit(DEEP[0])
    assert fold_circuit(folded) is folded


# How it is drawn


@pytest.fixture(scope="module", params=[(s, v) for s in (0, 1) for v in LAYOUTS], ids=str)
def drawn(request):
    """(circuit, view, {shape: layout}) folded, with one stack open, and unfolded."""
    seed, layout = request.param
    circuit = DEEP[seed]
    views = (
        CircuitView(layout=layout),
        CircuitView(layout=layout, opened=members(circuit, 0)),
        CircuitView(layout=layout, folds=False),
    )
    return [
        (circuit, view, lay_out(circuit, view=view))
        for shape in SHAPES
        for view in (replace(each, shape=shape) for each in views)
    ]


def test_no_node_lies_on_another(drawn):
    for _, view, layout in drawn:
        for (one, a), (other, b) in combinations(layout.boxes.items(), 2):
            assert a.overlap(b) == 0, (view, one, other)


def test_no_row_s_name_lies_on_a_node_or_on_another(drawn):
    for _, view, layout in drawn:
        names = [(name, y) for name, y in (*layout.rows, *layout.skipped)]
        spots = [Box(layout.left - 12 - 23, y, 46, 11) for _, y in names]
        assert all(a.overlap(b) == 0 for a, b in combinations(spots, 2)), (view, names)
        assert all(a.overlap(b) == 0 for a in spots for b in layout.boxes.values())


def test_a_reader_s_foot_is_above_its_writer_s_middle(drawn):
    for _, view, layout in drawn:
        for route in layout.routes:
            source, target = layout.boxes[route.edge.source], layout.boxes[route.edge.target]
            assert target.y + target.height / 2 <= source.y, (view, route)


@pytest.mark.parametrize("seed", SEEDS)
def test_100_edges_can_be_read_on_the_page(seed):
    """Letters of 8 px (6 points) or more in a column of 411 px, across 820, on a whole screen."""
    graph = draw_graph(DEEP[seed])
    for shape, (wide, high) in {
        "column": (399, 748), "page": (808, 748), "screen": (1240, 700)
    }.items():  # fmt: skip
        left, top, right, bottom = graph["view"]["extents"][shape]
        zoom = min(wide / (right - left), high / (bottom - top))
        assert 11 * zoom >= 8, (shape, zoom)


def test_numbers_of_few_edges_stand_beside_the_nodes():
    circuit = deep_cut_of(24, few=4)
    layout = lay_out(circuit)
    assert stacks_of(circuit) and len(layout.routes) <= 60
    for route in layout.routes:
        ends = (layout.boxes[name] for name in (route.edge.source, route.edge.target))
        x, y = point_at(route.curve(*((box.x, box.y) for box in ends)), route.label_at)
        label = Box(x, y, 6.8 * len(route.label), 11)
        assert route.label == edge_label(route.edge)
        assert all(label.overlap(box) < 40 for box in layout.boxes.values()), route


def test_layers_without_a_row_are_named_on_thin_lines():
    layout = lay_out(DEEP[0])
    rows = {name for name, _ in layout.rows}
    told = {layer for name, _ in (*layout.rows, *layout.skipped) for layer in layers_in(name)}
    first = min(layer for name in rows for layer in layers_in(name))
    last = max(layer for name in rows for layer in layers_in(name))
    assert told == set(range(first, last + 1))
    guides = [e for e in draw_circuit(DEEP[0]) if "guide-skipped" in e.get("classes", "")]
    assert {e["data"]["label"] for e in guides if e["data"].get("label")} == {
        name for name, _ in layout.skipped
    }
    assert not lay_out(cut_of(60, 4, 8)).skipped


def layers_in(name):
    if not name[1:2].isdigit():
        return ()
    first, _, last = name.removeprefix("L").partition("–")
    return range(int(first), int(last or first) + 1)


def test_elements_say_what_a_stack_holds_and_that_an_edge_is_a_sum():
    circuit = DEEP[0]
    data = {e["data"]["id"]: (e["data"], e["classes"]) for e in draw_circuit(circuit)}
    for stack in stacks_of(circuit):
        told, classes = data[stack.id]
        assert told["members"] == [member.id for member in stack.members]
        assert f"{len(stack.members)} MLPs" in told["label"] and "stack" in classes.split()
    sums = [e for e in fold_circuit(circuit).edges if isinstance(e, SummedEdge)]
    assert any(edge.is_mixed for edge in sums)
    for edge in sums:
        told, _ = data[f"{edge.source}→{edge.target}:{edge.via.value}"]
        count = len(edge.parts)
        assert told["parts"] == count and told["number"] == edge_number(edge)
        assert f"sum of {count} edge{'' if count == 1 else 's'}" in told["number"]
        assert (" (+" in told["number"]) == edge.is_mixed


def test_an_opened_mlp_knows_its_chain():
    circuit = DEEP[0]
    chain = members(circuit, 0)
    nodes = {
        e["data"]["id"]: e["data"]
        for e in draw_circuit(circuit, view=CircuitView(opened=chain[:1]))
    }
    assert nodes[chain[0]]["chain"] == list(chain)
    assert all("chain" not in data for id, data in nodes.items() if id not in chain)


def test_the_slider_hides_a_sum_only_where_both_its_sides_are_small():
    circuit = DEEP[0]
    folded = fold_circuit(circuit)
    mixed = next(e for e in folded.edges if isinstance(e, SummedEdge) and e.is_mixed)
    assert size_of_edge(mixed) > abs(mixed.value)
    assert mixed in drawn_edges(folded, size_of_edge(mixed))
    assert mixed not in drawn_edges(folded, 1.001 * size_of_edge(mixed))


def test_the_legend_counts_what_is_folded():
    circuit, folded = DEEP[0], fold_circuit(DEEP[0])
    stacks = [node for node in folded.nodes if isinstance(node, StackNode)]
    sums = [edge for edge in folded.edges if isinstance(edge, SummedEdge)]
    [note] = [item["text"] for item in legend(circuit) if item["text"].startswith("Folded")]
    assert f"{len(members(circuit))} MLPs in {len(stacks)} stack" in note
    assert f"{sum(len(edge.parts) for edge in sums)} edges of theirs" in note
    assert f"{len(sums)} sums" in note and f"all {len(circuit.edges)} edges" in note
    assert f"{sum(len(stack.inside) for stack in stacks)} edge" in note
    assert not any("Folded" in item["text"] for item in legend(circuit, view=UNFOLDED))


def test_extents_hold_the_whole_drawing():
    for shape in SHAPES:
        elements = draw_circuit(DEEP[1], view=CircuitView(shape=shape))
        left, top, right, bottom = extent_of(elements)
        for element in elements:
            if "width" in element["data"] and "position" in element:
                x, y = element["position"].values()
                assert left <= x <= right and top <= y <= bottom
