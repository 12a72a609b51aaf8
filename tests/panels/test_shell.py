"""The page as a whole, without a browser."""

import json
import re

import pytest
from dash import html

from attention_viz.app import ASSETS, create_app
from attention_viz.panels import ids
from attention_viz.panels.common import toast
from attention_viz.panels.examples import EXAMPLES, example_state
from attention_viz.panels.intervention import shown_settings
from attention_viz.panels.toasts import stack
from attention_viz.records.errors import BadInput
from attention_viz.records.page import PageState
from tests.panels.fakes import FakeWorkbench, said
from tests.panels.views import MARY


@pytest.fixture(scope="module")
def app():
    return create_app(FakeWorkbench())


def test_two_apps_live_in_one_process(app):
    other = create_app(FakeWorkbench())
    assert other.server is not app.server
    assert other.callback_map.keys() == app.callback_map.keys()


def test_the_page_is_served_with_nothing_from_elsewhere(app):
    client = app.server.test_client()
    index = client.get("/").get_data(as_text=True)
    assert 'lang="en"' in index
    sources = re.findall(r'(?:src|href)="([^"]+)"', index)
    assert sources and not [source for source in sources if source.startswith(("http", "//"))]
    layout = client.get("/_dash-layout").get_data(as_text=True)
    for name in (ids.PAGE, ids.HEADS_PICKED, ids.TOAST, *ids.VIEWS.values()):
        assert f'"id":"{name}"' in layout


def test_styles_ask_for_nothing_from_elsewhere():
    for path in ASSETS.glob("*.css"):
        text = path.read_text(encoding="utf-8")
        assert "sourceMappingURL" not in text, path.name
        assert not re.search(r"url\(['\"]?(https?:)?//", text), path.name
        assert "@import" not in text, path.name
    assert (ASSETS / "BOOTSTRAP_LICENSE.txt").is_file()


def test_no_component_has_the_id_of_another(app):
    found = [part.id for part in _parts(app.layout) if getattr(part, "id", None)]
    names = [json.dumps(name, sort_keys=True) for name in found]
    assert sorted(names) == sorted(set(names))


def test_every_name_a_callback_uses_is_on_the_page(app):
    there = {part.id for part in _parts(app.layout) if isinstance(getattr(part, "id", None), str)}
    used = {
        item["id"]
        for entry in app.callback_map.values()
        for item in entry["inputs"] + entry["state"]
        if not item["id"].startswith("{")
    }
    # Components that views draw later are the views' own matter.
    missing = {
        name for name in used - there if not re.match(r"(circuit|attention|lens|study)", name)
    }
    assert not missing


def test_user_text_is_never_raw_html(app):
    for part in _parts(app.layout):
        assert not getattr(part, "dangerously_allow_html", False)


def test_examples_start_afresh_with_their_prompt():
    state = example_state(EXAMPLES[1], MARY.change(answer=3, position=2, theme="dark", kind="mean"))
    assert state.prompt == EXAMPLES[1].prompt and state.heads == () and state.position == -1
    assert (state.answer, state.flip_to) == (None, None)
    assert (state.theme, state.kind) == ("dark", "mean")


def test_examples_fit_the_embedded_model(workbench):
    from attention_viz.records.question import TokensRequest

    workbench.wait("embedded")
    for example in EXAMPLES:
        read = workbench.measure(TokensRequest(example_state(example, PageState()).question))
        assert len(read.tokens) > 3
        if example.flip_to:
            workbench.token_id("embedded", example.flip_to)


def test_only_the_setting_a_kind_uses_is_shown():
    assert shown_settings("zero")[1:] == (False, True, True, True)
    assert shown_settings("scale")[1:] == (True, False, True, True)
    assert shown_settings("sparsify")[1:] == (True, True, False, True)
    assert shown_settings("permute")[1:] == (True, True, True, False)
    assert "counterfactual" in shown_settings("resample")[0]


def test_toasts_hold_message_and_remedy_and_do_not_repeat_themselves():
    first = stack(toast(BadInput("Too long.", "Shorten it.")), None)
    assert "Too long. Shorten it." in said(first[0])
    shown = [part.to_plotly_json() for part in first]
    shown = json.loads(json.dumps(shown, default=lambda part: part.to_plotly_json()))
    again = stack(toast(BadInput("Too long.", "Shorten it.")), shown)
    assert len(again) == 1
    other = stack(toast("Saved.", kind="success"), shown)
    assert len(other) == 2
    shown[0]["props"]["is_open"] = False
    assert len(stack(toast("Saved.", kind="success"), shown)) == 1


def _parts(root):
    yield root
    children = getattr(root, "children", None)
    children = children if isinstance(children, list | tuple) else [children]
    for child in children:
        if isinstance(child, html.Div.__mro__[1]):
            yield from _parts(child)
