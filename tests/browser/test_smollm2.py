"""The main journey on a real language model: chosen in the menu, swept, flipped, drawn, saved."""

import json
import xml.etree.ElementTree as ElementTree

import pytest

from attention_viz.records.model import EMBEDDED
from attention_viz.records.page import PageState
from tests.browser.test_circuit import SVG, export
from tests.browser.wording import MARY, SWAPPED

HEADS = 270
ASKED = ("--model", "smollm2", "--prompt", MARY, "--counterfactual", SWAPPED)
FLIP = (*ASKED, "--distractor", " John")


@pytest.fixture
def site(serve_page, embedded_model, smollm2):
    """The page with both models at hand."""
    models = {EMBEDDED: embedded_model, "smollm2": smollm2}
    return serve_page(loader=lambda entry, **settings: models[entry.name])


@pytest.fixture
def person(visit, site):
    page = PageState(prompt=MARY, counterfactual=SWAPPED, strategy="greedy")
    return visit(site, page.to_fragment())


def test_from_the_menu_to_a_saved_circuit(person, site):
    # its line in the menu says what it is; choosing it asks it the same
    # (the lines of a closed menu have a text, but are not shown)
    script = "return document.querySelector('#model-menu option[value=smollm2]')?.text"
    line = person.until(lambda: person.js(script), "its line in the menu")
    assert "30 layers × 9 heads" in line and line.endswith("Apache-2.0")
    person.picks_in_menu("model-menu", "smollm2")
    person.until(lambda: person.state().model == "smollm2", "the model in the address")
    person.until(lambda: len(person.grid()) == HEADS, "a grid of 30 × 9 heads")
    person.until(lambda: person.top_token("clean") == "␣Mary", "what it says")
    chips = person.token_chips()
    assert len(chips) == 15 and chips[1] == "When"

    # sweep: the command line's numbers
    person.opens_view("ablation")
    person.until(lambda: person.is_shown("[data-act=sweep]"), "the button")
    person.clicks("[data-act=sweep]")
    person.until(lambda: len(person.effects()) == HEADS, "all heads swept")
    swept = site.cli("sweep", *FLIP)
    exact = {f"L{i}H{j}": swept["effect"][i][j] for i in range(30) for j in range(9)}
    assert person.effects() == pytest.approx(exact, abs=6e-5)

    # search: a set of heads that flips it
    person.until(lambda: person.state().flip_to is not None, "the token to flip to")
    person.clicks("#find")
    person.until(lambda: person.state().heads, "the heads found")
    heads = person.state().heads
    assert 2 <= len(heads) <= 4, "no single head flips it"
    person.until(lambda: person.bars("ablated"), "the ablated prediction")
    assert person.top_token("ablated") == "␣John"

    # circuit: of these heads, then of edge scores
    person.opens_view("circuit")
    measured(person, lambda: set(heads) <= ids(person), "their circuit")
    person.chooses("#circuit-source", "Edge scores")
    measured(person, lambda: "input" in ids(person), "the circuit of edge scores")
    edges = person.until(lambda: person.graph("edges"), "its edges")
    drawn = {(edge["source"], edge["target"], edge["via"]) for edge in edges}
    asked = site.cli("circuit", *FLIP, "--edges", person.state().circuit.edges)
    assert drawn <= {(e["source"], e["target"], e["via"]) for e in asked["edges"]}
    person.until(
        lambda: f"Faithfulness {asked['faithfulness']:.2f}" in person.text("#proof-now"),
        "how faithful it is",
    )

    # export: the page's circuit, as data and as a picture
    graph = json.loads(export(person, "json"))
    kept = {(link["source"], link["target"], link["via"]) for link in graph["edges"]}
    assert drawn <= kept and graph["graph"]["model"] == "smollm2"
    picture = ElementTree.fromstring(export(person, "svg"))
    assert picture.tag == f"{SVG}svg"


def test_a_question_to_the_assistant(person, site):
    """The switch of the chat template, there for models that have one."""
    person.until(lambda: person.top_token("clean") == "␣Mary", "the embedded model's answer")
    assert not person.is_shown("#chat")
    person.picks_in_menu("model-menu", "smollm2")
    person.until(lambda: person.state().model == "smollm2", "the model in the address")
    person.runs_prompt("What is the capital of France?", "")
    person.until(lambda: person.is_shown("#chat"), "the switch")
    person.clicks("#chat")
    person.until(lambda: person.state().chat, "the chat in the address")
    person.until(lambda: "<|im_start|>" in person.token_chips(), "the template's tokens")
    asked = ("--model", "smollm2", "--prompt", "What is the capital of France?", "--chat")
    read = site.cli("tokens", *asked)
    assert person.token_chips() == read["shown"]
    person.until(lambda: person.top_token("clean") == "The", "how its answer begins")
    person.clicks("#chat")
    person.until(lambda: not person.state().chat, "the plain prompt again")
    person.until(lambda: "<|im_start|>" not in person.token_chips(), "its own tokens only")


def measured(person, is_there, what):
    """A circuit that is short to measure comes by itself, another by its button."""
    button = "#circuit-measure [data-act=circuit-measure]"
    script = "return !!window.document.querySelector('#circuit-graph')?._cyreg"

    def is_drawn():
        return person.js(script) and is_there()

    person.until(lambda: person.is_shown(button) or is_drawn(), f"{what}, or its button")
    if not is_drawn():
        person.clicks(button)
    person.until(is_drawn, what)


def ids(person):
    return {node["id"] for node in person.graph("nodes")}
