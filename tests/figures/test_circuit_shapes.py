"""A circuit's drawing in its shapes: ports, extents, ranks, and styles read as cytoscape's."""

import math
from dataclasses import replace

import pytest

from attention_viz.figures.circuits.circuit import draw_circuit, draw_graph, stylesheet
from attention_viz.figures.circuits.circuit_layout import (
    SHAPES,
    edge_label,
    lay_out,
    points_along,
    smallest_of,
    strongest_edge,
)
from attention_viz.figures.circuits.circuit_legend import (
    folded_legend,
    is_denoised,
    legend,
    worth_listing,
)
from attention_viz.figures.circuits.circuit_routes import Box, route_carefully, route_plainly
from attention_viz.figures.circuits.comparison import draw_compared, draw_comparison
from attention_viz.figures.circuits.element_style import curve_of, extent_of, style_of
from attention_viz.figures.palette import LIGHT
from attention_viz.records.circuits import circuit_view
from attention_viz.records.circuits.attribution import Direction
from attention_viz.records.circuits.circuit import CircuitEdge
from attention_viz.records.circuits.circuit_view import CircuitView
from attention_viz.records.circuits.comparison import compare_circuits
from attention_viz.records.circuits.edge import Via
from tests.builders import circuit_of, cut_of

CIRCUITS = {"heads": circuit_of(), "60": cut_of(60, 4, 8), "500": cut_of(500, 12, 12)}
READER = {"a": Box(0, 0, 80, 40), "b": Box(30, -300, 80, 40), "c": Box(-200, -150, 80, 40)}


@pytest.mark.parametrize(
    "route", [lambda *a: route_carefully(*a), lambda e, _, b: route_plainly(e, b)]
)
def test_ports_say_whether_it_is_q_k_or_v(route):
    """Q enters at the left of the reader's foot, K in the middle, V at the right."""
    vias = (Via.V, Via.Q, Via.K)
    edges = [CircuitEdge("a", "b", via, 1.0) for via in vias]
    routes = route(edges, ["+1.00"] * 3, READER)
    at = {r.edge.via: r.enter for r in routes}
    assert at[Via.Q][0] <= -15 and at[Via.K][0] == 0 and at[Via.V][0] >= 15
    assert {y for _, y in at.values()} == {READER["b"].height / 2}


@pytest.mark.parametrize("name", CIRCUITS)
def test_ports_are_the_same_at_every_reader(name):
    layout = lay_out(CIRCUITS[name])
    places = {via: {r.enter[0] for r in layout.routes if r.edge.via is via} for via in Via}
    assert [places[via] for via in (Via.Q, Via.K, Via.V)] == [{-20.0}, {0.0}, {20.0}]


def test_edges_do_not_run_along_each_other():
    """Two with the same ends: two rows of one head's pattern."""
    edges = [CircuitEdge("a", "b", Via.ATTENTION, 0.5, position=row) for row in (1, 2)]
    one, other = (
        points_along(route.curve((0, 0), (30, -300)))
        for route in route_carefully(edges, ["0.50"] * 2, READER)
    )
    middle = len(one) // 2
    assert min(math.dist(one[middle], point) for point in other) > 20


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", CIRCUITS)
def test_nodes_do_not_overlap_in_any_shape(name, shape):
    boxes = list(lay_out(CIRCUITS[name], view=CircuitView(shape=shape)).boxes.values())
    assert all(a.overlap(b) == 0 for i, a in enumerate(boxes) for b in boxes[:i])


def test_shapes_are_those_of_the_record_and_differ_in_width():
    assert tuple(SHAPES) == circuit_view.SHAPES
    sizes = {}
    for shape in SHAPES:
        elements = draw_circuit(cut_of(60, 4, 4), view=CircuitView(shape=shape))
        left, top, right, bottom = extent_of(elements)
        sizes[shape] = (right - left, bottom - top)
    assert sizes["column"][0] < 450 < sizes["page"][0] < 1000 < sizes["screen"][0]
    # Letters of 11 px at 10 px or more, in a column of 411 px and across a page of 820
    assert 400 / sizes["column"][0] * 11 >= 10 and 800 / sizes["page"][0] * 11 >= 10
    assert 750 / sizes["column"][1] * 11 >= 10


def test_500_edges_can_be_read_on_a_whole_screen():
    elements = draw_circuit(CIRCUITS["500"], view=CircuitView(shape="screen"))
    left, top, right, bottom = extent_of(elements)
    assert min(1880 / (right - left), 990 / (bottom - top)) * 12 >= 9


@pytest.mark.parametrize("name", CIRCUITS)
def test_what_differs_makes_one_shape_of_another(name):
    graph = draw_graph(CIRCUITS[name])
    for shape, changes in graph["view"]["shapes"].items():
        made = []
        for element in graph["elements"]:
            x, y, data = changes.get(element["data"]["id"], (None, None, {}))
            moved = {} if x is None else {"position": {"x": x, "y": y}}
            made.append(element | {"data": element["data"] | data} | moved)
        assert made == draw_circuit(CIRCUITS[name], view=CircuitView(shape=shape))
        assert graph["view"]["extents"][shape] == [round(at) for at in extent_of(made)]


def test_a_drawing_with_pinned_places_has_one_shape():
    view = CircuitView(positions=(("L2H3", 10.0, 20.0),), shape="column")
    graph = draw_graph(circuit_of(), view=view)
    assert graph["elements"] == draw_circuit(circuit_of(), view=view)
    assert graph["view"]["shapes"] == {} and graph["view"]["shape"] == "column"
    assert set(graph["view"]["extents"]) == {"column"}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", CIRCUITS)
def test_nothing_reaches_beyond_the_extent(name, shape):
    view = CircuitView(shape=shape, groups=(("one", ("L2H3", "L3H1")),))
    elements = draw_circuit(CIRCUITS[name], view=view)
    left, top, right, bottom = extent_of(elements)
    places = {e["data"]["id"]: tuple(e["position"].values()) for e in elements if "position" in e}
    points = [place for place in places.values()]
    for element in elements:
        data = element["data"]
        if data["kind"] == "edge":
            points += curve_points(data, places)
        elif "width" in data:
            x, y = places[data["id"]]
            points += [(x + s * data["width"] / 2, y + s * data["height"] / 2) for s in (-1, 1)]
    assert all(left <= x <= right and top <= y <= bottom for x, y in points)


def test_an_edge_that_bows_out_belongs_to_the_extent():
    nodes = [
        {
            "data": {"id": name, "kind": "head", "width": 10, "height": 10},
            "position": {"x": 0, "y": y},
            "group": "nodes",
        }
        for name, y in (("a", 0), ("b", -100))
    ]
    data = {"id": "e", "kind": "edge", "source": "a", "target": "b", "leave": "0px -5px"}
    bend = {"enter": "0px 5px", "weights": "0.3 0.7", "distances": "80 80"}
    edge = {"data": data | bend, "group": "edges"}
    assert extent_of(nodes) == (-5, -105, 5, 5)
    left, top, right, bottom = extent_of([*nodes, edge])
    assert (top, bottom) == (-105, 5) and right - left > 60


def curve_points(data, places):
    return points_along(curve_of(data, places[data["source"]], places[data["target"]]))


def test_curves_of_elements_are_those_of_the_layout():
    layout = lay_out(CIRCUITS["60"])
    edges = {e["data"]["id"]: e["data"] for e in draw_circuit(CIRCUITS["60"])}
    for route in layout.routes:
        ends = [
            (layout.boxes[n].x, layout.boxes[n].y) for n in (route.edge.source, route.edge.target)
        ]
        name = f"{route.edge.source}→{route.edge.target}:{route.edge.via.value}"
        points = zip(route.curve(*ends), curve_of(edges[name], *ends), strict=True)
        assert all(math.dist(one, other) < 0.2 for one, other in points)


def test_strong_edges_have_the_higher_rank():
    elements = draw_circuit(CIRCUITS["500"])
    edges = [e["data"] for e in elements if e["data"]["kind"] == "edge"]
    assert [edge["rank"] for edge in edges] == list(range(1, 501))
    sizes = [abs(edge["value"]) for edge in sorted(edges, key=lambda edge: edge["rank"])]
    assert sizes == sorted(sizes)


def test_a_style_is_read_as_cytoscape_reads_it():
    element = {"group": "edges", "classes": "a b", "data": {"size": 3}}
    rules = [
        {"selector": ".a", "style": {"width": 1, "color": "red", "label": "data(size)"}},
        {"selector": "node.a", "style": {"color": "no"}},
        {"selector": ".z, edge.b", "style": {"color": "blue"}},
        {"selector": ".a.z", "style": {"color": "no"}},
        {"selector": ".a:selected", "style": {"color": "no"}},
        {"selector": "edge", "style": {"opacity": "data(none)"}},
    ]
    style = {"width": 1, "color": "blue", "label": 3, "opacity": None}
    assert style_of(element, rules) == style


def test_a_comparison_comes_in_shapes_too():
    comparison = compare_circuits(cut_of(30, seed=1), cut_of(30, seed=2))
    graph = draw_compared(comparison, "dark")
    assert graph["elements"] == draw_comparison(comparison, "dark")
    assert set(graph["view"]["extents"]) == set(SHAPES) and graph["view"]["fixed"]


def test_a_share_of_the_strongest_edge_is_its_least_size():
    circuit = circuit_of()
    assert strongest_edge(circuit) == 2.29
    assert smallest_of(circuit, 0.5) == pytest.approx(1.145)
    assert [smallest_of(circuit, share) for share in (None, -1, 2, "x")] == [0.0] * 4


def test_the_legends_line_is_short_and_its_notes_are_whole():
    for circuit in CIRCUITS.values():
        signs, notes = folded_legend(circuit, "dark")
        assert notes == legend(circuit, "dark")
        assert all(len(sign["text"]) <= 24 and sign["mark"] != "note" for sign in signs)
        assert len({sign["text"] for sign in signs}) == len(signs)
    words = [sign["text"] for sign in folded_legend(circuit_of())[0]]
    assert words[:3] == ["helps the answer", "works against the answer", "exact"]
    assert {"attention weight", "into Q", "induction"} <= set(words)


def test_one_meaning_has_one_colour_though_denoising_turns_the_signs():
    circuit = cut_of()
    attribution = replace(circuit.request.attribution, direction=Direction.DENOISE)
    turned = replace(circuit, request=replace(circuit.request, attribution=attribution))
    assert is_denoised(turned) and not is_denoised(circuit) and not is_denoised(circuit_of())
    colours = {"helps the answer": LIGHT.helps, "works against the answer": LIGHT.against}
    for each, helps in ((circuit, "−"), (turned, "+")):
        assert {
            s["text"]: s["colour"] for s in folded_legend(each)[0] if "answer" in s["text"]
        } == (colours)
        [told] = [i["text"] for i in legend(each) if i["text"].startswith("helps the answer")]
        assert told.endswith(f"({helps})")
        for element in draw_circuit(each):
            if element["data"]["kind"] == "edge":
                is_negative = element["data"]["value"] < 0
                side = "helps" if is_negative == (helps == "−") else "against"
                assert side in element["classes"].split()
                assert style_of(element, stylesheet())["line-color"] == getattr(LIGHT, side)


def test_edges_that_a_list_would_call_nothing_are_folded():
    def edges(*values, via=Via.Q):
        return [CircuitEdge("a", "b", via, value) for value in values]

    def sizes(given):
        return [[edge.value for edge in part] for part in worth_listing(given)]

    assert sizes(edges(0.0004, -1.0, 0.02, -0.009)) == [[-1.0, 0.02], [0.0004, -0.009]]
    assert sizes(edges(0.004, 0.002, 0.00001)) == [[0.004, 0.002], [0.00001]], "all are weak"
    assert sizes(edges(0.5, 0.004, 0.02, via=Via.ATTENTION)) == [[0.5, 0.02], [0.004]]
    assert sizes(edges()) == [[], []]
    assert sizes(edges(0.0)) == [[0.0], []]


def test_labels_are_on_the_edges_in_every_shape():
    for shape in SHAPES:
        for route in lay_out(CIRCUITS["60"], view=CircuitView(shape=shape)).routes:
            assert route.label == edge_label(route.edge) and route.label_at > 0


def test_the_page_draws_no_number_of_a_crowded_edge_but_can():
    elements, styles = draw_circuit(CIRCUITS["500"]), stylesheet()
    edge = next(e for e in elements if e["data"]["kind"] == "edge")
    assert style_of(edge, styles)["source-label"] == "" and edge["data"]["number"]
    shown = {rule["selector"]: rule["style"] for rule in styles}["edge.hovered, edge:selected"]
    assert shown["source-label"] == "data(number)" and shown["opacity"] == 1
