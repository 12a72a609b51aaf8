"""From a search to a circuit with its proof, out as files, in again, and compared."""

import csv
import io
import json
import xml.etree.ElementTree as ElementTree

import networkx as nx
import pytest
from selenium.webdriver.common.keys import Keys

from attention_viz.panels.views.circuit.export import FILES
from attention_viz.panels.views.circuit.source import SIZES
from attention_viz.records.page import PageState
from tests.browser.test_circuit import export
from tests.browser.wording import DEFAULT_QUESTION, MARY, SWAPPED, rounded

PAIR = DEFAULT_QUESTION


@pytest.fixture
def person(visit, site):
    """Somebody who opens a link to the default question."""
    john = site.workbench.token_id("embedded", " John")
    page = PageState(prompt=MARY, counterfactual=SWAPPED, flip_to=john, view="ablation")
    return visit(site, page.to_fragment())


def test_from_a_search_to_a_proved_circuit_and_back_from_a_file(person, site, tmp_path):
    # search → heads → their circuit
    person.clicks("#find")
    person.until(lambda: len(person.state().heads) >= 2, "the heads found")
    heads = person.state().heads
    person.opens_view("circuit")
    person.until(lambda: set(heads) <= ids(person), "their circuit")

    # → all edges scored, cut to a size by the slider
    person.chooses("#circuit-source", "Edge scores")
    person.until(lambda: "input" in ids(person), "the circuit of edge scores")
    first = asked(site, person.state().circuit.edges)
    person.until(lambda: edges(person) == listed(first), "the command line's edges")
    person.until(lambda: says(person, first), "its faithfulness")
    person.element("#circuit-size").send_keys(3 * Keys.ARROW_LEFT)
    fewer = SIZES[SIZES.index(20) - 3]
    person.until(lambda: person.state().circuit.edges == fewer, "fewer edges")
    second = asked(site, fewer)
    assert 0 < len(second["edges"]) < len(first["edges"])
    person.until(lambda: edges(person) == listed(second), "the smaller circuit")
    person.until(lambda: says(person, second), "its faithfulness")

    # → a node's numbers
    head = next(node["id"] for node in second["nodes"] if node["kind"] == "head")
    person.clicks_at(*person.place_of_node(head))
    person.until(lambda: f"Head {head}" in person.text("#circuit-detail"), "the head's detail")

    # → an edge measured exactly
    edge = max(second["edges"], key=lambda each: abs(each["score"]))
    person.clicks_at(*middle_of(person, edge))
    person.until(lambda: "Measure exactly" in person.text("#circuit-detail"), "the edge's detail")
    press(person, "#circuit-detail", "Measure exactly")
    person.until(lambda: len(person.state().circuit.exact) == 1, "the edge asked for")
    person.until(
        lambda: any(e["exact"] for e in person.graph("edges")), "the edge measured exactly"
    )
    measured = next(e for e in person.graph("edges") if e["exact"])
    assert (measured["source"], measured["target"]) == (edge["source"], edge["target"])
    assert measured["estimate"] == rounded(edge["score"], 6)
    assert measured["value"] != measured["estimate"]

    # → the proof over sizes
    person.clicks("[data-act=proof-measure]")
    person.until(lambda: person.is_shown("#proof-curve"), "the curve")
    person.until(lambda: "CPR" in person.text("#proof"), "the curve in words")

    # → files of each kind
    saved = {suffix: export(person, suffix) for suffix in FILES}
    check_files(saved, person)

    # → in again, and compared with what was kept
    person.clicks("[data-act=compare-keep]")
    person.until(lambda: person.state().circuit.kept, "the circuit kept")
    person.chooses("#circuit-source", "Import")
    file = tmp_path / "circuit.json"
    file.write_bytes(saved["json"])
    person.element("#circuit-file").send_keys(str(file))
    person.until(lambda: person.state().circuit.source == "given", "the import")
    person.until(lambda: all(e["exact"] for e in person.graph("edges")), "every edge measured")
    person.until(lambda: edges(person) == listed(second), "the same edges")
    person.until(
        lambda: f"{len(second['edges'])} edges in both" in person.text("#compare-told"),
        "the comparison",
    )


def asked(site, size):
    """What the command line measures."""
    return site.cli("circuit", *PAIR, "--edges", size)


def ids(person):
    return {node["id"] for node in person.graph("nodes")}


def edges(person):
    return {(e["source"], e["target"], e["via"]) for e in person.graph("edges")}


def listed(answer):
    """Edges strong enough to be drawn: at least 2 % of the strongest."""
    strongest = max(abs(edge["score"]) for edge in answer["edges"])
    return {
        (edge["source"], edge["target"], edge["via"])
        for edge in answer["edges"]
        if abs(edge["score"]) >= 0.02 * strongest
    }


def says(person, answer):
    return f"Faithfulness {answer['faithfulness']:.2f}" in person.text("#proof-now")


def middle_of(person, edge):
    """A point of an edge's line in the window, px."""
    script = """
        const box = document.getElementById('circuit-graph');
        box.scrollIntoView({block: 'center'});
        const {left, top} = box.getBoundingClientRect();
        const edge = box._cyreg.cy.edges().filter(each =>
            each.data('source') === arguments[0].source &&
            each.data('target') === arguments[0].target && each.data('via') === arguments[0].via);
        const at = edge[0].renderedMidpoint();
        return [left + at.x, top + at.y];"""
    return tuple(person.steady(lambda: person.js(script, edge)))


def press(person, place, label):
    script = """return [...document.querySelectorAll(arguments[0] + ' button')]
        .find(button => button.innerText.trim() === arguments[1])"""
    person.js(script, place, label).click()


def check_files(saved, person):
    """Every format holds the page's edges."""
    drawn = edges(person)
    graph = nx.node_link_graph(json.loads(saved["json"]), edges="edges")
    assert drawn <= {(s, t, values["via"]) for s, t, values in graph.edges(data=True)}
    assert json.loads(saved["json"])["graph"]["faithfulness"] is not None
    for suffix, read in (("graphml", nx.parse_graphml), ("gexf", _parse_gexf)):
        text = saved[suffix].decode("utf-8")
        assert read(text).number_of_edges() == graph.number_of_edges(), suffix
    rows = list(csv.DictReader(io.StringIO(saved["csv"].decode("utf-8"))))
    assert len(rows) == graph.number_of_edges()
    nodes = list(csv.DictReader(io.StringIO(saved["nodes.csv"].decode("utf-8"))))
    assert len(nodes) == graph.number_of_nodes()
    other = json.loads(saved["eapig.json"])
    assert sum(edge["in_graph"] for edge in other["edges"].values()) == graph.number_of_edges()
    assert len(other["edges"]) == 1519  # all of the model, with their scores
    assert b"digraph" in saved["dot"]
    ElementTree.fromstring(saved["svg"])
    assert saved["png"].startswith(b"\x89PNG") and saved["pdf"].startswith(b"%PDF")
    compile(saved["py"], "circuit.py", "exec")


def _parse_gexf(text):
    return nx.read_gexf(io.BytesIO(text.encode("utf-8")))
