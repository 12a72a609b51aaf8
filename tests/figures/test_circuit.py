"""The circuit's elements, routes, legend and contributions."""

import math
import re
from dataclasses import replace

import pytest

from attention_viz.figures import palette
from attention_viz.figures.circuits.circuit import (
    contribution_rows,
    draw_circuit,
    draw_contributions,
    legend,
    stylesheet,
)
from attention_viz.figures.circuits.circuit_layout import (
    CAREFUL,
    MOST_CHOSEN,
    MOST_EDGES,
    drawn_edges,
    edge_label,
    edge_width,
    lay_out,
    point_at,
    points_along,
)
from attention_viz.figures.escape import signed
from attention_viz.records.circuits.attribution import Direction
from attention_viz.records.circuits.circuit import CircuitEdge, CircuitNode, Contribution
from attention_viz.records.circuits.circuit_view import CircuitView
from attention_viz.records.circuits.edge import Via
from attention_viz.records.circuits.roles import Role
from attention_viz.records.errors import BadInput
from attention_viz.records.ids import HeadId
from attention_viz.records.metrics import Sense
from tests.builders import NASTY, circuit_of, cut_of, tokens_of

SEEN = "token:2→L3H1:attention@14"


@pytest.fixture
def circuit():
    return circuit_of()


def nodes_of(elements):
    kinds = ("token", "input", "head", "mlp", "output")
    return {e["data"]["id"]: e for e in elements if e["data"]["kind"] in kinds}


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


def test_the_data_of_an_element_are_the_records():
    """What the page's hover and detail read."""
    circuit = cut_of()
    drawn = {e["data"]["id"]: e["data"] for e in edges_of(draw_circuit(circuit))}
    for edge in circuit.edges:
        data = drawn[f"{edge.source}→{edge.target}:{edge.via.value}"]
        assert (data["value"], data["unit"]) == (edge.value, "logits")
        assert (data["exact"], data["estimate"]) == (edge.is_exact, edge.estimate)
    assert any(edge.estimate is None for edge in circuit.edges)
    circuit = circuit_of()
    elements = draw_circuit(circuit)
    [seen] = [e["data"] for e in edges_of(elements) if e["data"]["id"] == SEEN]
    assert (seen["value"], seen["unit"], seen["position"]) == (0.83, "attention weight", 14)
    nodes = nodes_of(elements)
    for node in circuit.nodes:
        data = nodes[node.id]["data"]
        assert (data["kind"], data["position"]) == (node.kind, node.position)
        assert data["contribution"] == node.contribution
        if node.head:
            told = (data["head"], data["role"], data["score"])
            assert told == (str(node.head), node.role.role.value, node.role.score)


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


def test_widths_have_a_scale_each():
    def width(via, value):
        return edge_width(CircuitEdge("a", "b", via, value), 2.29)

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
    classes = {e["data"]["id"]: e["classes"].split() for e in edges_of(elements)}
    assert classes["L2H3→L3H1:Q"] == ["via-Q", "helps", "exact"]
    assert classes["L2H3→L3H1:K"] == ["via-K", "against", "exact"]
    assert classes["token:2→L3H1:attention@14"] == ["via-attention", "seen"]


def test_a_line_says_whether_it_helps_and_an_arrow_head_that_of_its_input():
    circuit, styles = cut_of(), stylesheet("dark")
    for element in edges_of(draw_circuit(circuit, "dark")):
        style = style_of(element, styles)
        data = element["data"]
        assert style["line-color"] == palette.sign_colour(data["value"], "dark", Sense.HELPS_BELOW)
        assert style["target-arrow-color"] == palette.DARK.via[Via(data["via"])]
        assert (style.get("line-style") == "dashed") == (not data["exact"])
    assert {edge.via for edge in circuit.edges} >= {Via.Q, Via.K, Via.V, Via.LOGITS}


def test_an_edge_without_effect_has_no_sign(circuit):
    edges = (replace(circuit.edges[0], value=0.0),)
    drawn = edges_of(draw_circuit(replace(circuit, edges=edges)))[0]
    assert style_of(drawn, stylesheet())["line-color"] == palette.LIGHT.muted
    assert "no effect" in {item["text"] for item in legend(replace(circuit, edges=edges))}


def test_estimated_exact_and_seen_edges_look_different(circuit):
    one = replace(circuit.edges[4], is_exact=False)
    edges = edges_of(draw_circuit(replace(circuit, edges=(one, *circuit.edges[5:]))))
    looks = {
        name: str(style_of(element, stylesheet()).get("line-dash-pattern"))
        for element in edges
        for name in {"exact", "estimated", "seen"}.intersection(element["classes"].split())
    }
    assert len(set(looks.values())) == len(looks) == 3


def style_of(element, styles):
    """What cytoscape makes of the element's classes: later entries win."""
    found = {}
    for style in styles:
        names = [name.strip() for name in style["selector"].split(",")]
        if any(name.removeprefix(".") in element["classes"].split() for name in names):
            found |= style["style"]
    return found


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_style_knows_every_class_and_datum(circuit, theme):
    elements, styles = draw_circuit(circuit, theme), stylesheet(theme)
    selectors = " ".join(style["selector"] for style in styles)
    classes = {name for e in elements for name in e["classes"].split()}
    assert all(f".{name}" in selectors for name in classes)
    used = set(re.findall(r"data\((\w+)\)", str(styles)))
    assert used <= set(edges_of(elements)[0]["data"]) | set(nodes_of(elements)["L2H3"]["data"])


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
    measured = [e for e in drawn_edges(circuit) if e.via.is_causal]
    left_out = [e for e in circuit.edges if e.via.is_causal and e not in measured]
    assert len(measured) == MOST_CHOSEN and left_out
    assert min(abs(e.value) for e in measured) >= max(abs(e.value) for e in left_out)
    assert len(edges_of(draw_circuit(circuit))) == len(drawn_edges(circuit))


def test_the_legend_explains_what_occurs(circuit):
    text = {item["text"]: item for item in legend(circuit, "dark")}
    arrows = {words: item["colour"] for words, item in text.items() if item["mark"] == "arrow"}
    assert arrows == {
        "into Q: changes where the reader looks from": palette.DARK.via[Via.Q],
        "into K: changes what the reader finds": palette.DARK.via[Via.K],
        "into V: changes what the reader copies": palette.DARK.via[Via.V],
        "direct to the logits": palette.DARK.via[Via.LOGITS],
    }
    assert text["duplicate token: L2H3 0.70"]["colour"] == palette.DARK.roles["duplicate token"]
    assert any("the heads' mean over the prompt" in words for words in text)
    only_tokens = replace(circuit, edges=circuit.edges[-2:])
    marks = {item["mark"] for item in legend(only_tokens)}
    assert marks == {"dashed", "dot", "note"}


def signs_of(circuit):
    starts = ("helps the answer", "works against the answer")
    return [item for item in legend(circuit) if item["text"].startswith(starts)]


def test_the_legend_says_what_the_signs_and_widths_mean(circuit):
    helps, against = signs_of(circuit)
    assert (helps["colour"], against["colour"]) == (palette.LIGHT.helps, palette.LIGHT.against)
    assert "␣Mary − ␣John falls when the edge is patched (−)" in helps["text"]
    assert "rises when the edge is patched (+)" in against["text"]
    width = next(i for i in legend(circuit) if i["mark"] == "width")
    assert "2.29 logits" in width["text"]


def test_a_denoised_circuits_signs_are_the_other_way_round():
    circuit = cut_of()
    attribution = replace(circuit.request.attribution, direction=Direction.DENOISE)
    request = replace(circuit.request, attribution=attribution)
    denoised = replace(circuit, request=request)
    helps, against = signs_of(denoised)
    assert "rises when the edge is restored (+)" in helps["text"]
    assert "falls when the edge is restored (−)" in against["text"]
    before, after = (edges_of(draw_circuit(each)) for each in (circuit, denoised))
    for one, other in zip(before, after, strict=True):
        classes = (one["classes"].split()[1], other["classes"].split()[1])
        assert classes == (("helps", "against") if one["data"]["value"] < 0 else (
            "against", "helps"
        ))  # fmt: skip


def test_a_helpful_heads_edge_and_contribution_have_one_colour(circuit):
    edge = next(e for e in edges_of(draw_circuit(circuit)) if e["data"]["source"] == "L3H1")
    bars = draw_contributions(circuit).data[0]
    bar = next(i for i, facts in enumerate(bars.customdata) if facts[0] == "L3H1")
    assert edge["data"]["value"] < 0 < bars.x[bar]
    assert style_of(edge, stylesheet())["line-color"] == bars.marker.color[bar]


def test_the_legend_of_a_cut_circuit_names_the_method_and_mlps():
    items = legend(cut_of())
    dotted = next(item for item in items if item["mark"] == "dotted")
    assert "EAP-IG, 5 steps, resample" in dotted["text"]
    assert any(item["mark"] == "hexagon" and item["text"] == "MLP" for item in items)
    assert any("answer − distractor" in item["text"] for item in items)
    exact = replace(cut_of(), edges=tuple(replace(e, is_exact=True) for e in cut_of().edges))
    assert not any(item["mark"] == "dotted" for item in legend(exact))


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


def test_contribution_bars_say_what_helps(circuit):
    bars = draw_contributions(circuit).data[0]
    assert list(bars.x) == [value for _, value in contribution_rows(circuit)]
    for value, colour in list(zip(bars.x, bars.marker.color, strict=True))[:-1]:
        assert colour == (palette.LIGHT.helps if value > 0 else palette.LIGHT.against)
    assert bars.marker.color[-1] == palette.LIGHT.clean


def test_contribution_bars_tell_their_numbers_and_stand_greatest_first(circuit):
    figure = draw_contributions(circuit)
    bars, layout = figure.data[0], figure.layout
    rows = contribution_rows(circuit)
    assert rows[0] == ("L3H1", 2.29) and bars.text[0] == "+2.29"
    assert [tuple(facts) for facts in bars.customdata] == [
        (name, signed(value, 3)) for name, value in rows
    ]
    assert list(bars.text) == [signed(value) for _, value in rows]
    assert list(bars.y) == list(layout.yaxis.tickvals) == list(range(len(rows)))
    assert layout.yaxis.range[0] > layout.yaxis.range[1], "the first bar is on top"
    plain = [name.removeprefix("<b>").removesuffix("</b>") for name in layout.yaxis.ticktext]
    assert plain == [name for name, _ in rows]
    assert layout.xaxis.title.text == "logit ␣Mary − ␣John (logits)"


def test_no_contribution_is_an_empty_figure_that_says_so(circuit):
    assert not draw_contributions(replace(circuit, contributions=())).data


def test_names_in_contributions_are_safe(circuit):
    odd = replace(circuit, contributions=(Contribution("<i>L0</i>", 1.0),))
    assert "<i>" not in str(draw_contributions(odd).layout.yaxis.ticktext)


def test_mlps_and_the_input_have_their_places():
    nodes = nodes_of(draw_circuit(cut_of()))
    mlps = [name for name in nodes if name.endswith("MLP")]
    heads = [name for name, node in nodes.items() if node["data"]["kind"] == "head"]
    assert mlps and nodes["input"]["classes"] == "input"
    assert place(nodes["input"])[1] > max(place(nodes[head])[1] for head in heads)
    for mlp in mlps:
        layer = int(mlp[1])
        same = [place(nodes[h])[1] for h in heads if int(h[1]) == layer]
        later = [place(nodes[h])[1] for h in heads if int(h[1]) > layer]
        assert all(place(nodes[mlp])[1] < y for y in same)
        assert all(place(nodes[mlp])[1] > y for y in later)
    assert "not measured" not in nodes[heads[0]]["data"]["label"]


@pytest.mark.parametrize("circuit", [cut_of(60, 12, 12), cut_of(500, 12, 12)], ids=["60", "500"])
def test_nodes_of_cut_circuits_do_not_overlap(circuit):
    boxes = list(lay_out(circuit).boxes.values())
    assert len(boxes) == len(circuit.nodes)
    assert all(a.overlap(b) == 0 for i, a in enumerate(boxes) for b in boxes[:i])


def test_500_edges_are_drawn_without_numbers():
    circuit = cut_of(600, 12, 12)
    drawn = edges_of(draw_circuit(circuit))
    assert len(drawn) == MOST_EDGES
    assert {e["data"]["label"] for e in drawn} == {""}
    assert all("crowded" in e["classes"].split() and e["data"]["number"] for e in drawn)
    sizes = [abs(e["data"]["value"]) for e in drawn]
    assert sizes == sorted(sizes), "strong edges are drawn over weak ones"
    assert any("100 weaker" in item["text"] for item in legend(circuit))


def test_edges_are_led_with_care_while_they_are_few():
    few, many = cut_of(CAREFUL, 6, 6), cut_of(CAREFUL + 1, 6, 6)
    assert all(route.label for route in lay_out(few).routes)
    assert not any(route.label for route in lay_out(many).routes)


def test_ordering_the_rows_crosses_fewer_edges():
    circuit = cut_of(120, 6, 8, seed=3)
    boxes = lay_out(circuit).boxes
    by_number = {}
    for layer in range(6):
        row = [n for n in circuit.nodes if n.head and n.head.layer == layer]
        places = sorted(boxes[node.id].x for node in row)
        by_number |= {
            node.id: replace(boxes[node.id], x=x) for node, x in zip(row, places, strict=True)
        }
    assert crossings(circuit, boxes) < 0.95 * crossings(circuit, boxes | by_number)


def crossings(circuit, boxes):
    """Pairs of edges whose straight lines cross."""
    lines = [
        ((boxes[e.source].x, boxes[e.source].y), (boxes[e.target].x, boxes[e.target].y))
        for e in circuit.edges
    ]
    return sum(cross(*a, *b) for i, a in enumerate(lines) for b in lines[:i])


def cross(a, b, c, d):
    def side(p, q, r):
        return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])

    return side(a, b, c) * side(a, b, d) < 0 and side(c, d, a) * side(c, d, b) < 0


def test_pinned_nodes_are_where_they_were_put_and_nothing_else_moves(circuit):
    bad = (("L3H1", float("nan"), 0.0), ("L3H6", 1e9, 0.0), ("L9H9", 0.0, 0.0))
    view = CircuitView(positions=(("L2H3", 321.0, -45.5), *bad))
    nodes, plain = nodes_of(draw_circuit(circuit, view=view)), nodes_of(draw_circuit(circuit))
    assert place(nodes["L2H3"]) == (321.0, -45.5)
    assert {n: place(e) for n, e in nodes.items() if n != "L2H3"} == {
        n: place(e) for n, e in plain.items() if n != "L2H3"
    }


def test_hidden_nodes_are_gone_with_their_edges(circuit):
    view = CircuitView(hidden=("L3H1", "token:4", "L9H9"))
    elements, plain = draw_circuit(circuit, view=view), nodes_of(draw_circuit(circuit))
    nodes = nodes_of(elements)
    assert set(nodes) == {node.id for node in circuit.nodes} - {"L3H1", "token:4"}
    ends = {e["data"][end] for e in edges_of(elements) for end in ("source", "target")}
    assert not ends & {"L3H1", "token:4"}
    assert len(edges_of(elements)) == sum(
        not {e.source, e.target} & {"L3H1", "token:4"} for e in circuit.edges
    )
    assert all(place(nodes[name]) == place(plain[name]) for name in nodes)
    texts = " ".join(item["text"] for item in legend(circuit, view=view))
    assert "Hidden by hand: 2 nodes" in texts and "L3H1" not in texts
    assert "weaker" not in texts


def test_everything_can_be_hidden(circuit):
    view = CircuitView(hidden=tuple(node.id for node in circuit.nodes))
    assert draw_circuit(circuit, view=view) == []


def test_names_are_shown_and_heads_keep_their_own(circuit):
    view = CircuitView(names=(("L3H1", "the mover\x07"), ("token:4", "<b>subject"), ("x", "y")))
    nodes = nodes_of(draw_circuit(circuit, view=view))
    assert nodes["L3H1"]["data"]["label"] == "the mover␇\nL3H1  +2.29"
    assert nodes["L3H1"]["data"]["name"] == "L3H1"
    assert nodes["token:4"]["data"]["label"] == "<b>subject"
    assert any("the mover␇ 0.70" in item["text"] for item in legend(circuit, view=view))
    blank = nodes_of(draw_circuit(circuit, view=CircuitView(names=(("L3H1", "  "),))))
    assert blank["L3H1"]["data"]["label"] == "L3H1\n+2.29"


def test_groups_are_parents_of_their_nodes(circuit):
    groups = (("movers\n", ("L3H1", "L3H6", "L9H9")), ("late", ("L3H1", "L2H3")), ("none", ("z",)))
    elements = draw_circuit(circuit, view=CircuitView(groups=groups))
    parents = {e["data"]["id"]: e["data"]["label"] for e in elements if e["classes"] == "group"}
    assert parents == {"group:0": "movers", "group:1": "late"}
    members = {n: e["data"].get("parent") for n, e in nodes_of(elements).items()}
    assert {n: p for n, p in members.items() if p} == {
        "L3H1": "group:0", "L3H6": "group:0", "L2H3": "group:1"
    }  # fmt: skip


def test_a_groups_box_holds_its_nodes_and_no_other():
    circuit = cut_of(60, 6, 6)
    names = [node.id for node in circuit.nodes if node.kind in ("head", "mlp")]
    view = CircuitView(groups=(("one", tuple(names[::3])), ("two", tuple(names[1::7]))))
    layout = lay_out(circuit, view=view)
    one, two = layout.groups
    assert one.box.overlap(two.box) == 0
    for group in layout.groups:
        for name in names:
            box = layout.boxes[name]
            area = box.width * box.height if name in group.members else 0
            assert group.box.overlap(box) == pytest.approx(area)


def test_by_tokens_heads_stand_over_their_tokens(circuit):
    at = {"L0H6": 10, "L2H3": 10, "L3H1": 14, "L3H6": None}
    nodes = tuple(
        replace(node, position=at[node.id]) if node.head else node for node in circuit.nodes
    )
    layout = lay_out(replace(circuit, nodes=nodes), view=CircuitView(layout="tokens"))
    x = {name: box.x for name, box in layout.boxes.items()}
    assert x["L0H6"] == x["L2H3"] == x["token:10"]
    assert x["L3H1"] == x["token:14"] == x["logits"]
    assert x["L3H6"] > max(x[f"token:{position}"] for position in (2, 4, 10, 14))
    assert [column.position for column in layout.columns] == [2, 4, 10, 14, None]
    assert layout.boxes["L3H1"].y == layout.boxes["L3H6"].y
    boxes = list(layout.boxes.values())
    assert all(a.overlap(b) == 0 for i, a in enumerate(boxes) for b in boxes[:i])


def test_by_tokens_columns_without_a_token_node_are_named():
    circuit = cut_of()
    nodes = tuple(replace(n, position=4) if n.head else n for n in circuit.nodes)
    elements = draw_circuit(replace(circuit, nodes=nodes), view=CircuitView(layout="tokens"))
    labels = {e["data"]["label"] for e in elements if e["classes"] == "guide guide-column"}
    assert labels == {"", "␣John", "␣to_2"}


def test_an_unknown_layout_is_refused(circuit):
    with pytest.raises(BadInput, match="circle"):
        draw_circuit(circuit, view=CircuitView(layout="circle"))


def test_every_role_has_a_colour_and_a_style(circuit):
    for theme in ("light", "dark"):
        selectors = {style["selector"] for style in stylesheet(theme)}
        colours = [palette.role_colour(role, theme) for role in Role]
        assert len(set(colours)) == len(Role)
        assert len([name for name in selectors if name.startswith(".role-")]) == len(Role)


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
