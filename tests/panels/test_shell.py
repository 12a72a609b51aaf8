"""The page as a whole, without a browser."""

import gzip
import json
import re

import brotli
import pytest
from dash.development.base_component import Component

from attention_viz.app import ASSETS, create_app
from attention_viz.panels.frame import shell, traffic
from attention_viz.panels.frame.examples import EXAMPLES, example_state
from attention_viz.panels.frame.link import first_page
from attention_viz.panels.kit.bridge import BRIDGES
from attention_viz.panels.rail import intervention
from attention_viz.records.ablation import KINDS, AblationKind
from attention_viz.records.page import VIEWS, PageState
from attention_viz.records.question import TokensRequest
from tests.panels.fakes import FakeWorkbench
from tests.panels.views import MARY, find_all, text_of


@pytest.fixture(scope="module")
def app():
    return create_app(FakeWorkbench())


@pytest.fixture(scope="module")
def client(app):
    return app.server.test_client()


def test_two_apps_live_in_one_process(app):
    bench = FakeWorkbench()
    bench.states["embedded"] = ("loading", "only here")
    other = create_app(bench)
    assert other.server is not app.server
    assert other.callback_map.keys() == app.callback_map.keys()
    layouts = [each.server.test_client().get("/_dash-layout").json for each in (app, other)]
    models = [_start(layout)["model"]["state"] for layout in layouts]
    assert models == ["ready", "loading"]


def test_the_page_is_served_with_nothing_from_elsewhere(client):
    index = client.get("/").get_data(as_text=True)
    assert 'lang="en"' in index
    sources = re.findall(r'(?:src|href)="([^"]+)"', index)
    assert sources and not [source for source in sources if source.startswith(("http", "//"))]
    for source in sources:
        assert client.get(source).status_code == 200, source


def test_scripts_and_styles_ask_for_nothing_from_elsewhere():
    for path in ASSETS.glob("*.css"):
        text = path.read_text(encoding="utf-8")
        assert "sourceMappingURL" not in text, path.name
        assert not re.search(r"url\(['\"]?(https?:)?//", text), path.name
        assert "@import" not in text, path.name
    for path in ASSETS.glob("*.js"):
        text = path.read_text(encoding="utf-8")
        assert "sourceMappingURL" not in text, path.name
        if ".min." not in path.name:
            links = re.findall(r"https?://[^\"'` )]+", text)
            assert all(link.startswith("http://www.w3.org/") for link in links), path.name
    for name in ("BOOTSTRAP", "PLOTLY", "CYTOSCAPE", "IDIOMORPH"):
        assert (ASSETS / f"{name}_LICENSE.txt").is_file()


@pytest.mark.parametrize(("name", "unpack"), [("br", brotli.decompress), ("gzip", gzip.decompress)])
def test_answers_are_compressed(client, name, unpack):
    plain = client.get("/_dash-layout")
    packed = client.get("/_dash-layout", headers={"Accept-Encoding": name})
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == name
    assert json.loads(unpack(packed.data)) == plain.json
    assert len(packed.data) < len(plain.data) / 3


@pytest.mark.parametrize("names", ["gzip, deflate, br, zstd", "gzip, deflate"])
def test_scripts_are_compressed_for_every_browser(client, names):
    """Without encryption browsers take no brotli."""
    script = client.get("/assets/02_plotly-basic.min.js", headers={"Accept-Encoding": names})
    assert script.headers["Content-Encoding"] in names
    assert len(script.data) < (ASSETS / "02_plotly-basic.min.js").stat().st_size / 2


def test_files_with_their_version_in_the_address_are_kept_and_others_are_not(client):
    index = client.get("/").get_data(as_text=True)
    sources = re.findall(r'(?:src|href)="(/(?:assets|_dash-component-suites)/[^"]+)"', index)
    assert len(sources) > 10
    for source in sources:
        kept = client.get(source).headers["Cache-Control"]
        if "favicon" in source and "m=" not in source:
            continue
        assert "max-age=31536000" in kept and "immutable" in kept, source
        assert "no-cache" not in kept, source
    for path in ("/", "/_dash-layout", "/_dash-dependencies", "/assets/10_core.js"):
        assert "immutable" not in client.get(path).headers.get("Cache-Control", ""), path
    missing = client.get("/assets/nothing.js?m=1")
    assert "immutable" not in missing.headers.get("Cache-Control", "")


def test_few_dash_components_are_on_the_page(app):
    """Each costs every action something: what is shown is markup, not components."""
    parts = list(_components(app.layout()))
    assert 5 < len(parts) <= 20
    assert [part.id["name"] for part in parts if part._type == "Bridge"] == list(BRIDGES)


def test_no_component_has_the_id_of_another(app):
    found = [part.id for part in _components(app.layout()) if getattr(part, "id", None)]
    names = [json.dumps(name, sort_keys=True) for name in found]
    assert sorted(names) == sorted(set(names))


def test_one_callback_answers_everything(app):
    (entry,) = app.callback_map.values()
    (asked,) = entry["inputs"]
    assert asked["property"] == "asked" and not entry["state"]


def test_user_text_is_never_raw_html(app):
    for part in _components(app.layout()):
        assert not getattr(part, "dangerously_allow_html", False)
    hostile = PageState(prompt="<img src=x onerror=alert(1)>")
    for name, part in traffic.parts_of([]).items():
        drawn = traffic.draw_part(FakeWorkbench(), part, hostile, {})
        assert "<img" not in drawn["html"], name


def test_scripts_begin_with_the_page_and_the_skeletons(client):
    start = _start(client.get("/_dash-layout").json)
    page = first_page(FakeWorkbench())
    assert PageState.from_json(start["page"]) == page
    assert PageState.from_json(start["defaults"]) == PageState()
    assert list(start["views"]) == [view.name for view in VIEWS]
    assert all("data-part" in markup for markup in start["views"].values())
    assert start["model"]["state"] == "ready"
    waves = {name: part.wave for name, part in traffic.parts_of().items()}
    assert all(waves[name] == wave > 0 for name, wave in start["waves"].items())


def test_a_visit_loads_the_first_model_and_each_visit_is_a_page_of_its_own(app):
    bench = FakeWorkbench()
    layouts = [to_json(shell.layout(bench, "logo.svg")) for _ in range(2)]
    assert bench.loaded == ["embedded", "embedded"] and layouts[0] == layouts[1]


def test_tabs_and_help_name_every_view(client):
    layout = client.get("/_dash-layout").get_data(as_text=True)
    for view in VIEWS:
        assert f"tab-{view.name}" in layout and view.help.split(";")[0][:30] in layout


# Examples


def test_examples_start_afresh_with_their_prompt():
    state = example_state(EXAMPLES[1], MARY.change(answer=3, position=2, theme="dark", kind="mean"))
    assert state.prompt == EXAMPLES[1].prompt and state.heads == () and state.position == -1
    assert (state.answer, state.flip_to) == (None, None)
    assert (state.theme, state.kind) == ("dark", "mean")


def test_examples_fit_the_embedded_model(workbench):
    workbench.wait("embedded")
    for example in EXAMPLES:
        read = workbench.measure(TokensRequest(example_state(example, PageState()).question))
        assert len(read.tokens) > 3
        if example.flip_to:
            workbench.token_id("embedded", example.flip_to)


def test_an_example_fills_the_boxes_and_the_page():
    acts = traffic.acts_of()
    asked = {"page": MARY.to_sparse(), "act": "example", "payload": {"index": 2}}
    outcome = traffic.answer(FakeWorkbench(), {}, acts, asked)["outcome"]
    assert outcome["changes"]["shared.prompt"] == EXAMPLES[2].prompt
    assert outcome["values"] == {
        "prompt": EXAMPLES[2].prompt,
        "counterfactual": EXAMPLES[2].counterfactual,
    }


@pytest.mark.parametrize("index", [len(EXAMPLES), -1, 1.0, True, "1", None, []])
def test_an_example_that_is_none_is_refused(index):
    asked = {"page": {}, "act": "example", "payload": {"index": index}}
    outcome = traffic.answer(FakeWorkbench(), {}, traffic.acts_of(), asked)["outcome"]
    assert "no such example" in outcome["says"][0]["message"]


# Kinds of ablation


def test_only_the_setting_a_kind_uses_is_shown():
    tree = intervention.layout()
    shown = [node for node in _nodes(tree) if "data-shown-if" in node.props]
    for kind in AblationKind:
        now = [node for node in shown if kind.value in json.loads(node.props["data-shown-if"])[1]]
        names = {node.id for node in now if node.id}
        assert names == {f"{setting.name}-row" for setting in kind.settings}
        # One line holds either what the kind does or what it takes.
        about = [text_of(node) for node in now if not node.id]
        assert about == ([] if kind.settings else [KINDS[kind].short])
    assert all(json.loads(node.props["data-shown-if"])[0] == "shared.kind" for node in shown)
    assert "counterfactual" in KINDS[AblationKind.RESAMPLE].short


def test_every_kind_can_be_chosen_and_says_what_it_does():
    choices = find_all(intervention.layout(), "input")
    kinds = [each.props["value"] for each in choices if each.props["type"] == "radio"]
    assert kinds == [kind.value for kind in AblationKind]
    titles = [span.props.get("title") for span in find_all(intervention.layout(), "span")]
    assert all(kind.about in titles for kind in AblationKind)


def _components(root):
    yield root
    children = getattr(root, "children", None)
    for child in children if isinstance(children, list | tuple) else [children]:
        if isinstance(child, Component):
            yield from _components(child)


def _nodes(root):
    if isinstance(root, list | tuple):
        for child in root:
            yield from _nodes(child)
    elif hasattr(root, "props"):
        yield root
        yield from _nodes(root.children)


def _start(layout: dict) -> dict:
    parts = layout["props"]["children"]
    return next(part["props"]["start"] for part in parts if part["props"].get("id") == "frame")


def to_json(layout: Component) -> str:
    return json.dumps(layout, default=lambda part: part.to_plotly_json(), sort_keys=True)
