"""The Circuit view and its exports: nodes, edges and scores as the command line has them."""

import csv
import io
import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree

import networkx as nx
import pytest
from PIL import Image

from attention_viz.records.page import PageState
from tests.browser.wording import DEFAULT_QUESTION, MARY, SWAPPED, rounded, to_number

CHOSEN = ("L0H5", "L2H3", "L3H6")
SMALLEST = 0.02  # share of the strongest measured edge below which the page draws none
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def asked(site):
    """What the command line measures."""
    return site.cli("circuit", *DEFAULT_QUESTION, "--heads", ",".join(CHOSEN))


@pytest.fixture
def person(visit, site, asked):
    """Somebody who opens a link to the Circuit view."""
    john = site.workbench.token_id("embedded", " John")
    page = PageState(
        prompt=MARY, counterfactual=SWAPPED, heads=CHOSEN, flip_to=john, view="circuit"
    )
    person = visit(site, page.to_fragment())
    person.until(lambda: person.is_shown("#circuit-graph"), "the graph")
    person.until(lambda: len(person.graph("nodes")) == len(asked["nodes"]), "its nodes")
    return person


def test_the_circuit_shows_the_command_lines_numbers(person, asked):
    assert {node["id"] for node in person.graph("nodes")} == {n["id"] for n in asked["nodes"]}
    assert edges_of(person.graph("edges")) == drawn_edges(asked)
    person.until(lambda: "attention weight" in person.text("#circuit-legend"), "the legend")

    person.unfolds("Table: edges")
    rows = person.until(lambda: person.table("Edges of the circuit"), "the table of edges")
    assert len(rows) == len(asked["edges"])
    for row, edge in zip(rows, asked["edges"], strict=True):
        assert row[:3] == [edge["source"], edge["target"], edge["via"]]
        assert to_number(row[3]) == rounded(edge["value"], 3)
        assert row[4] == edge["unit"]
        assert row[5] == ("yes" if edge["measured"] else "not measured")
    person.unfolds("Table: nodes and roles")
    rows = person.until(lambda: person.table("Nodes of the circuit"), "the table of nodes")
    heads = {row[0]: row for row in rows if row[1] == "head"}
    for node in asked["nodes"]:
        if node["kind"] == "head":
            assert to_number(heads[node["id"]][4]) == rounded(node["contribution"], 3)

    bars = person.until(lambda: person.figure("#circuit-bars-plot"), "the contributions")
    drawn = {facts[0]: x for facts, x in zip(bars["customdata"], bars["x"], strict=True)}
    exact = {part["component"]: part["value"] for part in asked["contributions"]}
    assert "unembedding bias" in drawn
    assert drawn.pop("sum") == rounded(asked["baseline"], 3)
    for component in drawn.keys() & exact.keys():
        assert drawn[component] == rounded(exact[component], 5)


def test_roles_come_behind_the_graph_and_colour_it(person, asked):
    roles = {n["id"]: n["role"]["name"] for n in asked["nodes"] if n["kind"] == "head"}

    def drawn() -> dict:
        return {n["id"]: n["role"] for n in person.graph("nodes") if n["id"] in roles}

    person.until(lambda: drawn() == roles, "the roles that the command line prints")
    person.until(
        lambda: "not measured" not in person.text("#circuit-legend"), "the legend with roles"
    )


def test_a_click_on_a_head_tells_its_numbers(person, asked):
    node = next(node for node in asked["nodes"] if node["id"] == "L2H3")
    person.until(lambda: "runs" in person.text("#circuit-detail"), "the whole circuit's numbers")
    person.clicks_at(*person.place_of_node("L2H3"))
    person.until(lambda: person.text("#circuit-detail").startswith("Head L2H3"), "its detail")
    told = person.text("#circuit-detail .facts-list")
    assert to_number(told.split("direct contribution")[1]) == rounded(node["contribution"], 2)
    written = [edge for edge in asked["edges"] if edge["source"] == "L2H3"]
    script = """return [...document.querySelectorAll('#circuit-detail .edge-list')]
        .find(list => list.querySelector('.list-title').textContent.startsWith('writes to'))
        .querySelectorAll('li').length"""
    assert person.js(script) == len(written)


def test_exports_hold_what_was_measured(person, asked):
    edges = edges_of(asked["edges"])
    nodes = {node["id"]: node["contribution"] for node in asked["nodes"]}

    data = json.loads(export(person, "json"))
    graph = nx.node_link_graph(data, edges="edges")
    assert data["graph"]["baseline"] == asked["baseline"]
    assert graph_nodes(graph) == nodes and graph_edges(graph) == edges

    graph = read_graphml(export(person, "graphml"))
    assert graph_nodes(graph) == nodes and graph_edges(graph) == edges

    rows = list(csv.DictReader(io.StringIO(export(person, "csv").decode("utf-8"))))
    assert {
        (r["source"], r["target"], r["via"], int(r["row position"] or -1)): float(r["value"])
        for r in rows
    } == edges

    dot = export(person, "dot")
    if shutil.which("dot"):
        assert dot_parts(dot) == (set(nodes), edges)


def test_pictures_hold_the_nodes_and_edges_drawn(person, asked):
    picture = ElementTree.fromstring(export(person, "svg"))
    ids = {part.get("id", "") for part in picture.iter()}
    assert {i.removeprefix("node:") for i in ids if i.startswith("node:")} == {
        node["id"] for node in asked["nodes"]
    }
    assert len([i for i in ids if i.startswith("edge:")]) == len(drawn_edges(asked))
    words = " ".join("".join(part.itertext()) for part in picture.iter(f"{SVG}text"))
    assert all(head in words for head in CHOSEN) and "␣Mary" in words

    image = Image.open(io.BytesIO(export(person, "png")))
    assert min(image.size) > 300 and len(image.convert("L").getcolors()) > 50
    pdf = export(person, "pdf")
    assert pdf.startswith(b"%PDF") and pdf.rstrip().endswith(b"%%EOF")


def test_a_dragged_node_is_where_it_was_dragged_in_the_files(person):
    before = places(person)
    x, y = person.place_of_node("L2H3")
    person.drags((x, y), (x + 90, y + 25))
    person.until(lambda: places(person)["L2H3"] != before["L2H3"], "the node moved")
    after = places(person)
    assert {**after, "L2H3": None} == {**before, "L2H3": None}

    person.until(lambda: saved_places(person)["L2H3"] == near(after["L2H3"]), "its place saved")
    assert saved_places(person) == {node: near(place) for node, place in after.items()}

    drawn = svg_places(export(person, "svg"))
    # The picture has its own origin: places are compared from one node to another.
    for node in ("L0H5", "logits"):
        assert step(drawn, node, "L2H3") == near(scaled(step(after, node, "L2H3"), 0.75), 1.0)


def test_tables_are_saved_as_csv(person, asked):
    rows = saved_table(person, "contributions")
    exact = {part["component"]: part["value"] for part in asked["contributions"]}
    assert {row["component"]: float(row["direct contribution (logits)"]) for row in rows} == exact
    assert sum(exact.values()) == rounded(asked["baseline"], 3)


def edges_of(edges):
    """{(source, target, via, row position or −1): value}."""
    return {
        (e["source"], e["target"], e["via"], -1 if e["position"] is None else e["position"]): e[
            "value"
        ]
        for e in edges
    }


def drawn_edges(asked):
    """Those strong enough to be drawn, and all token edges."""
    strongest = max(abs(edge["value"]) for edge in asked["edges"] if edge["measured"])
    return edges_of(
        edge
        for edge in asked["edges"]
        if not edge["measured"] or abs(edge["value"]) >= SMALLEST * strongest
    )


def export(person, suffix):
    """Save the circuit by the menu."""

    def press():
        if not person.js("return document.getElementById('circuit-menu').open"):
            person.clicks("#circuit-menu summary")
        script = """return [...document.querySelectorAll('#circuit-menu .menu-item')]
            .find(item => item.querySelector('b').innerText === arguments[0])"""
        person.js(script, suffix.upper()).click()

    return person.saves(press, f"circuit-{person.state().model}.{suffix}")


def saved_table(person, name):
    def press():
        person.clicks(f"#{name}-csv")

    data = person.saves(press, f"attention-viz-{name}.csv")
    return list(csv.DictReader(io.StringIO(data.decode("utf-8"))))


def read_graphml(data):
    return nx.parse_graphml(data.decode("utf-8"), edge_key_type=str, force_multigraph=True)


def graph_nodes(graph):
    return {node: values.get("contribution") for node, values in graph.nodes(data=True)}


def graph_edges(graph):
    return {
        (source, target, values["via"], values.get("row_position", -1)): values["value"]
        for source, target, values in graph.edges(data=True)
    }


def dot_parts(dot):
    """Node names and edges as graphviz reads them."""
    done = subprocess.run(["dot", "-Tdot_json"], input=dot, capture_output=True, check=True)
    read = json.loads(done.stdout)
    names = {part["_gvid"]: part["name"] for part in read["objects"]}
    edges = {
        (
            names[e["tail"]],
            names[e["head"]],
            e["via"],
            int(e.get("row_position") or -1),
        ): float(e["value"])
        for e in read["edges"]
    }
    return set(names.values()), edges


def places(person):
    return {node["id"]: (node["x"], node["y"]) for node in person.graph("nodes")}


def saved_places(person):
    nodes = json.loads(export(person, "json"))["nodes"]
    return {node["id"]: (node["x"], node["y"]) for node in nodes}


def svg_places(picture):
    """The middles of the nodes' boxes, pt."""
    found = {}
    for group in ElementTree.fromstring(picture).iter(f"{SVG}g"):
        name = group.get("id", "")
        if not name.startswith("node:"):
            continue
        numbers = [float(n) for n in re.findall(r"-?\d+\.?\d*", group.find(f"{SVG}path").get("d"))]
        xs, ys = numbers[::2], numbers[1::2]
        found[name.removeprefix("node:")] = (
            (min(xs) + max(xs)) / 2,
            (min(ys) + max(ys)) / 2,
        )
    return found


def step(places, start, end):
    return tuple(b - a for a, b in zip(places[start], places[end], strict=True))


def scaled(step, factor):
    return tuple(factor * each for each in step)


def near(place, most=0.6):
    return pytest.approx(place, abs=most)
