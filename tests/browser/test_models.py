"""The page while a model is loaded, when it can't be loaded, and with another model."""

import threading

import pytest

from attention_viz.models.catalogue import Catalogue
from tests.browser.wording import HEADS
from tests.models_for_tests import save_random_model


@pytest.fixture
def let_load():
    """Set it, and the model gets loaded."""
    event = threading.Event()
    yield event
    event.set()


def test_the_page_answers_while_the_model_is_loaded(visit, serve_page, embedded_model, let_load):
    def load(entry, *, report, **settings):
        report("reading weights")
        assert let_load.wait(120)
        return embedded_model

    person = visit(serve_page(loader=load))
    person.until(
        lambda: "loading the embedded model… reading weights" in person.text("#model-chip"),
        "what is being done",
    )
    for place in ("#tokens", "#prediction", "#head-grid"):
        person.until(lambda place=place: "loading" in person.text(place), f"loading in {place}")
    person.opens_view("lens")
    person.until(lambda: "loading" in person.text("#view-lens"), "loading in a view")
    theme = person.theme()
    person.clicks("#theme-switch")
    person.until(lambda: person.theme() != theme, "the other theme")
    person.runs_prompt("The Eiffel Tower is in", "")
    person.until(lambda: person.state().prompt == "The Eiffel Tower is in", "the prompt taken")
    assert "loading" in person.text("#tokens")

    let_load.set()
    person.until(lambda: person.top_token("clean") == "␣Paris", "an answer, without a click")
    person.until(lambda: len(person.effects()) == len(HEADS), "the sweep, without a click")
    person.until(lambda: person.values("#lens-map"), "the lens, without a click")
    person.until(lambda: person.text("#model-chip").startswith("cpu"), "the device")
    person.until(lambda: not person.is_shown(".loading, .spinner"), "nothing loading any more")


def test_a_model_that_fails_to_load_leaves_the_page_as_it_is(visit, serve_page, tmp_path):
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "config.json").write_text('{"model_type": "gpt2", "architectures": ["GPT2"]}')
    person = visit(serve_page(Catalogue.standard([str(broken)])))
    person.until(lambda: len(person.effects()) == len(HEADS), "the embedded model")
    person.selects("L2H3")
    person.picks_in_menu("model-menu", "broken")
    sees_failure(person)
    assert person.state().model == "embedded" and person.selected() == ["L2H3"]
    person.until(lambda: "embedded" in person.value("#model-menu"), "the menu as the page is")
    person.until(lambda: "broken failed" in person.text("#model-chip"), "what failed")
    person.clicks("#model-chip button")
    person.until(lambda: failures(person) == 2, "the second try")

    person.selects("L0H5", "L2H3")
    person.until(lambda: person.bars("ablated"), "the old model works on")


def test_another_model_is_loaded_and_shown(visit, serve_page, tmp_path):
    catalogue = Catalogue.standard([str(save_random_model("gpt2", tmp_path))])
    name = catalogue.entries[-1].name
    person = visit(serve_page(catalogue))
    person.until(lambda: len(person.effects()) == len(HEADS), "the embedded model")
    person.selects("L2H3")
    person.picks_in_menu("model-menu", name)
    person.until(lambda: len(person.grid()) == 12, "a grid of 3 × 4 heads")
    person.until(lambda: len(person.effects()) == 12, "its sweep")
    person.until(lambda: person.state().model == name, "the model in the address")
    assert person.selected() == []
    person.picks_in_menu("model-menu", "embedded")
    person.until(lambda: len(person.effects()) == len(HEADS), "the embedded model again")


def sees_failure(person):
    wanted = "broken could not be loaded; the page stays with embedded."

    def reason():
        toast = next((toast for toast in person.told() if wanted in toast), "")
        return toast.partition(wanted)[2].strip()

    person.until(reason, "a message with the reason")


def failures(person):
    return sum("broken could not be loaded" in toast for toast in person.told())
