"""A deep circuit on the page: its stacks, sums of their edges, pictures of an asked size."""

import html
import io
import json
import re

import pytest
from PIL import Image

from attention_viz.exports.tables import edges_table
from attention_viz.figures.circuits.folding import fold_circuit, stacks_of
from attention_viz.figures.circuits.stack import SummedEdge
from attention_viz.panels.views import circuit as view
from attention_viz.panels.views.circuit.export import save_file
from attention_viz.panels.views.circuit.lines import signed
from attention_viz.panels.views.circuit.requests import circuit_request
from attention_viz.records.errors import BadInput
from attention_viz.records.page import PageState
from attention_viz.records.page.link import pack
from tests.deep import deep_chosen_of
from tests.panels.fakes import FakeWorkbench
from tests.panels.views import MARY, answer, draw, find_all, text_of

REQUEST = circuit_request(MARY)
CIRCUIT = deep_chosen_of(REQUEST)
FIRST = stacks_of(CIRCUIT)[0]
MEMBERS = tuple(member.id for member in FIRST.members)
BENCH = FakeWorkbench(known={REQUEST: CIRCUIT})


def elements(state: PageState) -> dict[str, dict]:
    figure = draw(view, "circuit-figure", BENCH, state)
    return {e["data"]["id"]: e["data"] for e in json.loads(figure.props["data-graph"])["elements"]}


def detail(**chosen) -> str:
    found = answer(view, "circuit-detail", BENCH, MARY, circuit=chosen)
    return html.unescape(re.sub("<[^>]+>", "", found["html"]))


def test_the_graph_has_stacks_and_the_ones_opened_are_not_there():
    folded, opened = elements(MARY), elements(MARY.put("circuit", opened=MEMBERS))
    assert FIRST.id in folded and not set(MEMBERS) & folded.keys()
    assert FIRST.id not in opened and set(MEMBERS) <= opened.keys()
    assert opened[MEMBERS[0]]["chain"] == list(MEMBERS)
    unfolded = elements(MARY.put("circuit", folds=False))
    assert {node.id for node in CIRCUIT.nodes} <= unfolded.keys()


def test_what_is_opened_is_in_the_link():
    state = MARY.put("circuit", opened=MEMBERS, folds=False, width=800, height=600)
    assert PageState.from_fragment(state.to_fragment()) == state
    assert PageState.from_fragment(MARY.to_fragment()).circuit.folds
    for bad in ({"opened": "L1MLP"}, {"folds": 1}, {"width": 5}, {"height": 10**6}):
        with pytest.raises(BadInput):
            PageState.from_fragment(pack({"circuit": bad}))


def test_the_detail_of_a_stack_tells_its_mlps_and_that_numbers_are_sums():
    told = detail(id=FIRST.id)
    assert all(member.label in told for member in FIRST.members)
    assert f"{len(FIRST.members)} MLPs without a head" in told and "Open" in told
    assert f"a sum of {len(FIRST.members)}" in told
    assert f"{len(FIRST.inside)}, together" in told


def test_the_detail_of_a_sum_has_its_parts_and_both_sides():
    edge = next(e for e in fold_circuit(CIRCUIT).edges if getattr(e, "is_mixed", False))
    place = {"source": edge.source, "target": edge.target, "via": edge.via.value}
    told = detail(**place, position=None)
    assert f"sum of {len(edge.parts)} edges" in told and "not one measurement" in told
    assert "Their signs differ" in told
    assert all(signed(value) in told for value in (edge.value, *edge.both_sums))
    for part in edge.parts:
        assert (part.source if part.source != edge.source else part.target) in told
    one = CIRCUIT.edges[0]  # into the first MLP, which is no part of a stack
    plain = detail(source=one.source, target=one.target, via=one.via.value, position=None)
    assert "sum of" not in plain


def test_the_table_has_all_edges_and_says_which_are_drawn_as_sums():
    table = draw(view, "circuit-edges", BENCH, MARY)
    rows = [text_of(row) for row in find_all(table, "Tr")]
    assert len(rows) == 1 + len(edges_table(CIRCUIT)[1]) == 1 + len(CIRCUIT.edges)
    told = " ".join(rows)
    sums = [e for e in fold_circuit(CIRCUIT).edges if isinstance(e, SummedEdge)]
    inside = sum(f"inside {FIRST.label}" in row for row in rows)
    assert "drawn as" in rows[0] and inside == len(FIRST.inside)
    assert told.count("sum of ") == sum(len(edge.parts) for edge in sums)
    plain = draw(view, "circuit-edges", BENCH, MARY.put("circuit", folds=False))
    assert "drawn as" not in text_of(plain)


def test_a_picture_has_the_size_on_the_page_and_data_have_every_node():
    state = MARY.put("circuit", width=700, height=500)
    _, data = save_file(BENCH, state, "png")
    assert Image.open(io.BytesIO(data)).size == (700, 500)
    _, data = save_file(BENCH, state, "json")
    nodes = {node["id"]: node for node in json.loads(data)["nodes"]}
    assert nodes.keys() == {node.id for node in CIRCUIT.nodes}
    assert all("x" in node for node in nodes.values())
