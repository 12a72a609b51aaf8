"""The circuit's elements, routes, legend and contributions."""

import math
import re
from dataclasses import replace

import pytest

from attention_viz.figures import palette
from attention_viz.figures.circuit import (
    contribution_rows,
    draw_circuit,
    draw_contributions,
    legend,
    stylesheet,
)
from attention_viz.figures.circuit_layout import (
    MOST_EDGES,
    drawn_edges,
    edge_label,
    edge_width,
    lay_out,
    point_at,
    points_along,
)
from attention_viz.records.circuit import CircuitEdge, CircuitNode, Contribution, Via
from attention_viz.records.ids import HeadId
from attention_viz.records.roles import Role
from tests.builders import NASTY, circuit_of, tokens_of


@pytest.fixture
def circuit():
    return circuit_of()


def nodes_of(elements):
    return {
        e["data"]["id"]: e for e in elements if e["data"]["kind"] in ("token", "head", "output")
    }


def edges_of(elements):
    return [e for e in elements if e["data"]["kind"] == "edge"]


def place(element):
    return element["position"]["x"], element["position"]["y"]


def test_every_node_and_every_edge_is_there_with_its_value(circuit):
    elements = draw_circuit(circuit)
    assert set(nodes_of(elements)) == {node.id for node in circuit.nodes}
    drawn = {
        (e["data"]["source"], e["data"]["target"], e["data"]["via"]): e["data"]["value"]
        for e in edges_of(elements)
    }
    assert drawn == {(e.source, e.target, e.via.value): e.value for e in circuit.edges}
    ids = [e["data"]["id"] for e in elements]
    assert len(ids) == len(set(ids))


def test_layers_go_upward_and_tokens_stand_in_order(circuit):
    nodes = nodes_of(draw_circuit(circuit))
    order = ["token:2", "L0H6", "L2H3", "L3H1", "logits"]
    heights = [place(nodes[name])[1] for name in order]
    assert heights == sorted(heights, reverse=True) and len(set(heights)) == 5
    assert place(nodes["L3H1"])[1] == place(nodes["L3H6"])[1]
    across = [place(nodes[f"token:{position}"])[0] for position in (2, 4, 10, 14)]
    assert across == sorted(across)


def test_no_two_nodes_overlap():
    circuit = many_heads(12)
    boxes = list(lay_out(circuit).boxes.values())
    assert all(a.overlap(b) == 0 for i, a in enumerate(boxes) for b in boxes[:i])


def test_labels_are_signed_logits_or_plain_weights():
    def label(via, value):
        return edge_label(CircuitEdge("a", "b", via, value))

    assert label(Via.Q, -1.406) == "−1.41"
    assert label(Via.LOGITS, 2.294) == "+2.29"
    assert label(Via.V, 0.0021) == "+0.002"
    assert label(Via.ATTENTION, 0.834) == "0.83"


def test_widths_have_a_scale_each(circuit):
    def width(via, value):
        return edge_width(CircuitEdge("a", "b", via, value), circuit)

    assert width(Via.LOGITS, -2.29) > width(Via.Q, 1.41) > width(Via.Q, 0.1)
    assert width(Via.Q, -1.0) == width(Via.K, 1.0)
    assert width(Via.ATTENTION, 1.0) == 3.5 != width(Via.Q, 1.0)


def test_edges_of_one_pair_are_kept_apart(circuit):
    layout = lay_out(circuit)
    same = [r for r in layout.routes if (r.edge.source, r.edge.target) == ("L2H3", "L3H1")]
    assert {r.edge.via for r in same} == {Via.Q, Via.K, Via.V}
    assert len({r.enter for r in same}) == 3
    spots = [point_at(curve_of(route, layout), route.label_at) for route in same]
    gaps = [math.dist(a, b) for i, a in enumerate(spots) for b in spots[:i]]
    assert min(gaps) > 15


def test_curves_start_and_end_at_their_nodes_and_pass_behind_no_other(circuit):
    layout = lay_out(circuit)
    for route in layout.routes:
        points = points_along(curve_of(route, layout))
        source, target = layout.boxes[route.edge.source], layout.boxes[route.edge.target]
        assert points[0] == pytest.approx((source.x, source.y - source.height / 2))
        assert points[-1][1] == pytest.approx(target.y + target.height / 2)
        others = [
            box
            for name, box in layout.boxes.items()
            if name not in (route.edge.source, route.edge.target)
        ]
        assert not any(inside(point, box) for box in others for point in points)


def test_edges_leave_and_enter_at_the_same_slant(circuit):
    layout = lay_out(circuit)
    for route in layout.routes:
        start, first, _, last, end = curve_of(route, layout)
        assert first[0] - start[0] == pytest.approx(last[0] - end[0])
        assert end[1] < last[1] < first[1] < start[1]


def test_moving_a_node_takes_the_curve_along(circuit):
    route = lay_out(circuit).routes[0]
    curve, moved = route.curve((0, 0), (100, -200)), route.curve((10, 5), (110, -195))
    assert moved == [pytest.approx((x + 10, y + 5)) for x, y in curve]


def test_classes_say_via_and_role(circuit):
    elements = draw_circuit(circuit)
    nodes = nodes_of(elements)
    assert "role-duplicate-token" in nodes["L2H3"]["classes"].split()
    assert "readout" in nodes["token:14"]["classes"].split()
    by_via = {e["data"]["via"]: e["classes"].split() for e in edges_of(elements)}
    assert by_via["Q"] == ["via-Q", "measured"]
    assert by_via["attention"] == ["via-attention", "seen"]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_style_knows_every_class_and_datum(circuit, theme):
    elements, styles = draw_circuit(circuit, theme), stylesheet(theme)
    selectors = " ".join(style["selector"] for style in styles)
    classes = {name for e in elements for name in e["classes"].split()}
    assert all(f".{name}" in selectors for name in classes)
    used = set(re.findall(r"data\((\w+)\)", str(styles)))
    assert used <= set(edges_of(elements)[0]["data"]) | set(nodes_of(elements)["L2H3"]["data"])
    dashed = next(s for s in styles if s["selector"] == ".seen")
    assert dashed["style"]["line-style"] == "dashed"


def test_a_head_shows_its_contribution_or_that_there_is_none(circuit):
    nodes = nodes_of(draw_circuit(circuit))
    assert nodes["L3H1"]["data"]["label"] == "L3H1\n+2.29"
    unknown = CircuitNode("L1H1", "head", "L1H1", HeadId(1, 1))
    nodes = nodes_of(draw_circuit(replace(circuit, nodes=(*circuit.nodes, unknown))))
    assert nodes["L1H1"]["data"]["label"] == "L1H1\nnot measured"
    assert "role-unclear" in nodes["L1H1"]["classes"]


def test_small_edges_can_be_left_out_and_the_legend_says_so(circuit):
    drawn = edges_of(draw_circuit(circuit, smallest=0.2))
    sizes = [abs(e["data"]["value"]) for e in drawn if e["data"]["via"] != "attention"]
    assert min(sizes) >= 0.2 and len(drawn) == len(circuit.edges) - 4
    assert any(item["text"].startswith("4 weaker") for item in legend(circuit, smallest=0.2))
    assert not any("weaker" in item["text"] for item in legend(circuit))


def test_a_great_circuit_shows_its_strongest_edges():
    circuit = many_heads(14)
    measured = [e for e in drawn_edges(circuit) if e.via.is_measured]
    left_out = [e for e in circuit.edges if e.via.is_measured and e not in measured]
    assert len(measured) == MOST_EDGES and left_out
    assert min(abs(e.value) for e in measured) >= max(abs(e.value) for e in left_out)
    assert len(edges_of(draw_circuit(circuit))) == len(drawn_edges(circuit))


def test_the_legend_explains_what_occurs(circuit):
    text = {item["text"]: item for item in legend(circuit, "dark")}
    lines = [item["colour"] for item in text.values() if item["mark"] == "solid"]
    assert lines == [palette.DARK.via[via] for via in (Via.Q, Via.K, Via.V, Via.LOGITS)]
    assert text["duplicate token: L2H3 0.70"]["colour"] == palette.DARK.roles[Role.DUPLICATE_TOKEN]
    assert any("the heads' mean over the prompt" in words for words in text)
    only_tokens = replace(circuit, edges=circuit.edges[-2:])
    assert not any(item["mark"] == "solid" for item in legend(only_tokens))


def test_labels_from_prompts_can_be_drawn():
    elements = draw_circuit(circuit_of(tokens_of(("x", "y", *NASTY))))
    data = [node["data"] for node in nodes_of(elements).values()]
    labels = [node["label"] for node in data if node["kind"] != "head"]
    assert len(labels) == 5 and all(ord(c) >= 0x20 for label in labels for c in label)


def test_contributions_add_up_to_the_baseline(circuit):
    rows = contribution_rows(circuit, most=3)
    names = [name for name, _ in rows]
    assert {"L3H1", "L3H6", "L2H3", "L0H6", "unembedding bias"} < set(names)
    assert names[-2:] == ["3 others", "sum"]
    assert sum(value for _, value in rows[:-1]) == pytest.approx(rows[-1][1])
    assert rows[-1][1] == pytest.approx(circuit.baseline)


def test_contribution_bars_are_coloured_by_sign(circuit):
    bars = draw_contributions(circuit).data[0]
    assert list(bars.x) == [value for _, value in contribution_rows(circuit)]
    for value, colour in list(zip(bars.x, bars.marker.color, strict=True))[:-1]:
        assert colour == palette.sign_colour(value)
    assert bars.marker.color[-1] == palette.LIGHT.clean
    assert not draw_contributions(replace(circuit, contributions=())).data


def test_names_in_contributions_are_safe(circuit):
    odd = replace(circuit, contributions=(Contribution("<i>L0</i>", 1.0),))
    assert "<i>" not in str(draw_contributions(odd).layout.yaxis.ticktext)


def many_heads(count):
    """`count` heads over four layers, Q, K and V edges between all that can be."""
    circuit = circuit_of()
    heads = [HeadId(i % 4, i) for i in range(count)]
    pairs = [(a, b) for a in heads for b in heads if a.layer < b.layer]
    edges = [
        CircuitEdge(str(a), str(b), via, math.sin(7.0 * i + j))
        for i, (a, b) in enumerate(pairs)
        for j, via in enumerate((Via.Q, Via.K, Via.V))
    ]
    nodes = [CircuitNode(str(h), "head", str(h), h, contribution=0.1) for h in heads]
    others = [node for node in circuit.nodes if node.kind != "head"]
    return replace(circuit, nodes=(*nodes, *others), edges=tuple(edges))


def curve_of(route, layout):
    source, target = layout.boxes[route.edge.source], layout.boxes[route.edge.target]
    return route.curve((source.x, source.y), (target.x, target.y))


def inside(point, box):
    return abs(point[0] - box.x) < box.width / 2 and abs(point[1] - box.y) < box.height / 2
