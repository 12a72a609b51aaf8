"""Parts: what is read is noted, what is looked for is noted, and nothing else is drawn from."""

import time
from dataclasses import dataclass
from typing import Any

import pytest

from attention_viz.panels.frame import traffic
from attention_viz.panels.kit import html
from attention_viz.panels.kit.common import NotReady, ask
from attention_viz.panels.kit.parts import (
    Looking,
    Part,
    Reading,
    draw_part,
    is_active,
    key_of,
    mark_of,
    place,
)
from attention_viz.panels.kit.requests import (
    ablation_request,
    lens_request,
    need_heads,
    prediction_request,
    search_request,
    sweep_request,
)
from attention_viz.panels.kit.results import find
from attention_viz.panels.views.attention.requests import attention_request, token_request
from attention_viz.records.errors import BadInput
from attention_viz.records.job import JobStatus
from attention_viz.records.page import VIEWS, PageState
from attention_viz.records.question import TokensRequest
from tests.panels.fakes import FakeWorkbench
from tests.panels.views import MARY

# What a question is made of
QUESTION = {
    f"shared.{name}"
    for name in "model prompt position bos chat counterfactual answer distractor".split()
}


def reads(look: Any, state: PageState = MARY, **local: Any) -> set[str]:
    """The addresses noted while `look(state)` runs."""
    reading = Reading(state, local)
    look(reading)
    return reading.read


# Reading


def test_nothing_is_read_before_it_is_looked_at():
    assert Reading(MARY).read == set()


def test_exactly_the_fields_looked_at_are_noted():
    assert reads(lambda s: (s.prompt, s.heads)) == {"shared.prompt", "shared.heads"}
    assert reads(lambda s: s.circuit) == set()
    assert reads(lambda s: s.circuit.edges) == {"circuit.edges"}
    assert reads(lambda s: (s.attention.show, s.lens.show)) == {"attention.show", "lens.show"}


def test_fields_have_the_values_of_the_page():
    state = MARY.change(kind="scale", scale=0.25, position=3).put("circuit", edges=77)
    reading = Reading(state)
    assert (reading.prompt, reading.position) == (state.prompt, 3)
    assert (reading.circuit.edges, reading.setting("scale")) == (77, 0.25)
    assert reading.question == state.question and reading.intervention == state.intervention
    assert reading.head_ids == state.head_ids and reading.pairs_request == state.pairs_request
    assert reading.circuit.drawing == state.circuit.drawing


def test_a_question_reads_what_it_is_made_of():
    # flip_to only stands in for a distractor that was not chosen
    assert reads(lambda s: s.question) == QUESTION | {"shared.flip_to"}
    assert reads(lambda s: s.question, MARY.change(distractor=3)) == QUESTION
    assert reads(lambda s: s.head_ids) == {"shared.heads"}


@pytest.mark.parametrize(
    ("kind", "own"),
    [("zero", []), ("scale", ["scale"]), ("sparsify", ["threshold"]), ("permute", ["seed"])],
)
def test_only_settings_of_the_kind_in_use_are_read(kind, own):
    wanted = {"shared.kind"} | {f"settings.{name}" for name in own}
    assert reads(lambda s: s.intervention, MARY.change(kind=kind)) == wanted


@pytest.mark.parametrize(
    ("pairs", "wanted"),
    [
        ("", QUESTION | {"shared.flip_to", "circuit.pairs"}),
        (
            "given",
            {"shared.model", "shared.bos", "shared.chat", "circuit.pairs", "circuit.given_pairs"},
        ),
        (
            "indirect object",
            {"shared.model", "shared.bos", "shared.chat", "circuit.pairs", "circuit.pair_count"},
        ),
    ],
)
def test_pairs_of_their_own_do_not_read_the_prompt(pairs, wanted):
    state = MARY.put("circuit", pairs=pairs)
    assert reads(lambda s: s.pairs_request, state) == wanted


def test_properties_and_methods_of_a_view_read_through():
    drawing = {"arranged", "pinned", "hidden", "names", "groups", "shape", "folds", "opened"}
    assert reads(lambda s: s.circuit.drawing) == {f"circuit.{name}" for name in drawing}
    assert reads(lambda s: s.circuit.asks_own_pairs) == {"circuit.source"}
    own = MARY.put("circuit", source="scores")
    assert reads(lambda s: s.circuit.asks_own_pairs, own) == {"circuit.source", "circuit.pairs"}


def test_a_page_changed_while_drawing_notes_on():
    def look(state):
        other = state.change(position=2, metric="kl").put("circuit", edges=3)
        return other.question, other.circuit.edges

    reading = Reading(MARY)
    question, edges = look(reading)
    assert (question.position, edges) == (2, 3)
    # What was set here is not the page's any more.
    assert reading.read == (QUESTION | {"shared.flip_to"}) - {"shared.position"}
    derived = Reading(MARY)
    assert derived.change(position=derived.max_heads).position == MARY.max_heads
    assert derived.read == {"shared.max_heads"}
    assert derived.position == -1 and "shared.position" in derived.read


def test_a_setting_can_be_changed_by_its_name():
    reading = Reading(MARY.change(kind="scale"))
    assert reading.change(scale=0.75).intervention.scale == 0.75
    assert reading.read == {"shared.kind"}
    assert reading.intervention.scale == 0 and "settings.scale" in reading.read


def test_requests_read_what_they_ask():
    question = QUESTION | {"shared.flip_to"}
    ablated = {"shared.heads", "shared.kind"}
    assert reads(prediction_request) == question
    assert reads(ablation_request) == question | ablated
    assert reads(sweep_request) == question | {"shared.kind", "shared.metric"}
    search = {"shared.kind", "shared.objective", "shared.max_heads", "shared.strategy"}
    assert reads(search_request, MARY.change(flip_to=3)) == question | search
    assert reads(need_heads) == {"shared.heads"}
    assert reads(lens_request) == question - {"shared.counterfactual"}
    assert reads(lambda s: lens_request(s, "ablated")) == question | ablated


def test_maps_read_neither_the_read_out_nor_what_the_clean_run_does_without():
    clean = {"shared.model", "shared.prompt", "shared.bos", "shared.chat"}
    maps = clean | {"shared.heads", "attention.show"}
    assert reads(attention_request) == maps
    assert reads(lambda s: token_request(s, 3)) == clean
    ablated = MARY.put("attention", show="ablated")
    assert reads(attention_request, ablated) == maps | {"shared.kind"}
    resampled = reads(attention_request, ablated.change(kind="resample"))
    assert resampled == maps | {"shared.kind", "shared.counterfactual"}


def test_what_is_only_in_this_tab_is_read_by_its_name():
    look = lambda s: s.local("circuit.node")  # noqa: E731
    assert reads(look) == {"local.circuit.node"}
    assert Reading(MARY, {"circuit.node": "L2H3"}).local("circuit.node") == "L2H3"
    assert Reading(MARY).local("circuit.node") is None
    changed = Reading(MARY, {"a": 1}).change(position=2).put("circuit", edges=2)
    assert changed.local("a") == 1


def test_a_link_of_the_page_reads_all_of_it():
    every = {f"{s}.{name}" for s, fields in MARY.to_json().items() for name in fields}
    reading = Reading(MARY)
    assert reading.to_fragment() == MARY.to_fragment()
    assert reading.read == every
    assert reads(lambda s: s.whole()) == every
    views = {view.name for view in VIEWS}
    assert reads(lambda s: s.views) == {a for a in every if a.split(".")[0] in views}
    assert reads(lambda s: s.settings) == {a for a in every if a.startswith("settings.")}


def test_a_name_that_is_nowhere_is_our_mistake():
    with pytest.raises(AttributeError):
        _ = Reading(MARY).nothing
    with pytest.raises(AttributeError):
        _ = Reading(MARY).circuit.nothing


# Looking

REQUEST = sweep_request(MARY)
KEY = key_of(REQUEST)


def job(state: str, **values: Any) -> JobStatus:
    return JobStatus("job-1", REQUEST, state, **values)


def test_jobs_found_and_missing_are_noted():
    looking = Looking(FakeWorkbench(job("running", done=2, total=9)))
    assert looking.jobs.find(REQUEST).done == 2
    other = sweep_request(MARY.change(kind="mean"))
    assert looking.jobs.find(other) is None
    assert looking.marks == {KEY: "job-1 running 2 0", key_of(other): ""}


def test_a_result_that_is_not_there_is_waited_for_one_that_is_there_is_not():
    known = FakeWorkbench(known={REQUEST: "swept"})
    looking = Looking(known)
    assert looking.cached(REQUEST) == "swept" and looking.marks == {}
    missing = Looking(FakeWorkbench())
    assert missing.cached(REQUEST) is None and missing.marks == {KEY: ""}
    under_way = Looking(FakeWorkbench(job("queued", queued_before=2)))
    assert under_way.cached(REQUEST) is None and under_way.marks == {KEY: "job-1 queued 0 2"}


def test_what_is_found_is_noted_whether_or_not_it_is_there():
    for bench in (FakeWorkbench(), FakeWorkbench(job("done", result="swept"))):
        looking = Looking(bench)
        find(looking, REQUEST)
        assert looking.marks == {KEY: mark_of(bench.jobs.find(REQUEST))}


def test_a_job_started_while_drawing_is_noted():
    bench = FakeWorkbench()
    bench.submit = lambda request: job("queued")
    looking = Looking(bench)
    looking.cached(REQUEST)
    assert looking.submit(REQUEST).id == "job-1"
    assert looking.marks == {KEY: "job-1 queued 0 0"}


@pytest.mark.parametrize(
    ("state", "waits"), [("loading", True), ("ready", False), ("failed", False)]
)
def test_a_model_that_is_loaded_is_waited_for(state, waits):
    looking = Looking(FakeWorkbench(embedded=(state, "")))
    assert looking.status("embedded").state == state
    assert looking.waits is waits


def test_marks_change_with_everything_there_is_to_show_of_a_job():
    stands = [
        job("queued", queued_before=2),
        job("queued", queued_before=1),
        job("running", done=1, total=3),
        job("running", done=2, total=3),
        job("done", done=3, total=3),
        job("failed"),
        job("cancelled", done=2),
    ]
    marks = [mark_of(each) for each in [None, *stands]]
    assert len(set(marks)) == len(marks) and marks[0] == ""
    assert all(mark.partition(" ")[0] == "job-1" for mark in marks[1:])


def test_requests_have_keys_of_their_own():
    states = [MARY, MARY.change(kind="mean"), MARY.change(position=2), MARY.change(metric="kl_x")]
    requests = [sweep_request(state) for state in states[:3]] + [prediction_request(MARY)]
    assert len({key_of(request) for request in requests}) == 4
    assert key_of(sweep_request(MARY)) == key_of(sweep_request(MARY.change()))
    assert key_of(TokensRequest(MARY.change(prompt="\ud800").question))  # half a character


# draw_part


def drawn(draw: Any, bench: Any = None, state: PageState = MARY, **local: Any) -> dict:
    return draw_part(bench or FakeWorkbench(), Part("here", draw), state, local)


def test_a_part_is_its_markup_and_what_it_depends_on():
    def draw(bench, state):
        job = bench.jobs.find(REQUEST)
        return html.P([state.prompt[:4], state.local("node"), job and job.id])

    told = drawn(draw, FakeWorkbench(job("running")), node="L2H3")
    assert told == {
        "html": "<p>WhenL2H3job-1</p>",
        "reads": ["local.node", "shared.prompt"],
        "marks": {KEY: "job-1 running 0 0"},
        "waits": False,
    }


def test_a_part_that_shows_nothing_is_empty():
    told = drawn(lambda bench, state: None)
    assert told == {"html": "", "reads": [], "marks": {}, "waits": False}


def test_what_a_person_can_put_right_stands_in_the_parts_place():
    def draw(bench, state):
        assert state.prompt
        raise BadInput("Too <long>.", "Shorten it.")

    told = drawn(draw)
    assert "Too &lt;long&gt;." in told["html"] and "Shorten it." in told["html"]
    assert told["reads"] == ["shared.prompt"] and not told["waits"]


@pytest.mark.parametrize("state", ["loading", "not loaded"])
def test_a_model_that_is_not_there_yet_is_waited_for(state):
    bench = FakeWorkbench(embedded=(state, "reading weights"))
    told = drawn(lambda bench, state: ask(bench, prediction_request(state)), bench)
    assert "loading the embedded model… reading weights" in told["html"]
    assert told["waits"] is True and "shared.model" in told["reads"]


def test_a_part_that_says_nothing_while_a_model_is_loaded_waits_all_the_same():
    def draw(bench, state):
        try:
            return ask(bench, prediction_request(state))
        except NotReady:
            return None

    told = drawn(draw, FakeWorkbench(embedded=("loading", "")))
    assert told["html"] == "" and told["waits"] is True


def test_a_model_that_failed_says_why():
    bench = FakeWorkbench(embedded=("failed", "No connection."))
    told = drawn(lambda bench, state: ask(bench, prediction_request(state)), bench)
    assert "could not be loaded" in told["html"] and "No connection." in told["html"]
    assert told["waits"] is False


@pytest.mark.parametrize("bug", [ValueError("secret"), KeyError("secret"), RecursionError()])
def test_a_bug_is_said_in_its_place_and_told_to_the_log_only(bug, capsys):
    def draw(bench, state):
        assert state.prompt
        raise bug

    told = drawn(draw)
    assert "could not be drawn" in told["html"] and "secret" not in told["html"]
    assert told["reads"] == ["shared.prompt"]
    assert type(bug).__name__ in capsys.readouterr().err


def test_a_model_that_is_not_on_the_list_is_said():
    told = drawn(
        lambda bench, state: ask(bench, prediction_request(state)),
        state=MARY.change(model="elsewhere"),
    )
    assert "elsewhere" in told["html"]


def test_a_place_is_the_element_its_part_fills():
    assert html.to_html(place("study", className="x")) == (
        '<div id="study" data-part="study" class="x"></div>'
    )


# All parts of the page, on the embedded model: nothing is drawn from what was not noted


@dataclass(frozen=True)
class Page:
    """A page with every part of it drawn, after all that runs by itself has ended."""

    state: PageState
    local: dict[str, Any]
    first: dict[str, dict]  # each part as it was drawn first, one after the other
    parts: dict[str, dict]  # as they are drawn once all is there


# Another value of every field that no check refuses, and that has something to show.
OTHER = (
    PageState(
        model="gpt2",
        prompt="The keys to the cabinet",
        counterfactual="The key to the cabinet",
        bos=False,
        chat=True,
        position=3,
        answer=5,
        distractor=6,
        flip_to=7,
        heads=("L1H1", "L2H2"),
        kind="sparsify",
        metric="logit_diff",
        objective="kl",
        max_heads=2,
        strategy="greedy",
        view="lens",
        theme="dark",
    )
    .change(scale=1.5, threshold=0.125, seed=9)
    .put("attention", show="difference", page=1, threshold=0.125, focus=(2, 1))
    .put(
        "ablation",
        look="dose",
        family="indirect object BABA",
        pair_count=4,
        flip="sign",
        share=0.5,
    )
    .put("lens", show="ablated")
    .put(
        "circuit",
        source="scores",
        pairs="given",
        pair_count=3,
        given_pairs=(("a b", "a c", " x", " y"),),
        method="eap",
        edge_kind="mean",
        points="mid",
        input_part="token",
        mean_over="position",
        cut="mib",
        edges=7,
        mlps=False,
        exact=("L0H1->L2H3.K",),
        given_edges=("input->L0H1.V",),
        smallest=0.5,
        side_lens="circuit",
        kept=MARY.to_fragment(),
        arranged="tokens",
        pinned=(("L2H3", 5.0, 6.0),),
        shape="page",
        hidden=("L3H1",),
        names=(("L2H3", "mover"),),
        groups=(("both", ("L2H3", "L3H1")),),
        folds=False,
        opened=("L1MLP",),
        width=960,
        height=720,
    )
)
LOCAL = {"attention.table": "L3H1", "attention.token": 2, "model.wanted": "gpt2"}
MARY_EDGES = ("L2H3->L3H1.Q", "L3H1->logits", "L0H5->L2H3.V")
PAGES = {
    "nothing run": (PageState(), {}),
    "no heads": (MARY.change(heads=()), {}),
    "heads": (MARY.change(flip_to=10), {}),
    "attention, resampled": (
        MARY.change(kind="resample", metric="logit_diff").put(
            "attention", show="difference", focus=(14, 10), threshold=0.1
        ),
        {"attention.table": "L3H1"},
    ),
    "ablation, scaled": (
        MARY.change(view="ablation", kind="scale", scale=0.5, flip_to=9).put(
            "ablation", look="dose"
        ),
        {},
    ),
    "circuit of heads": (MARY.change(view="circuit"), {"circuit.node": "L2H3"}),
    "circuit given": (
        MARY.change(view="circuit").put(
            "circuit", source="given", given_edges=MARY_EDGES, side_lens="circuit"
        ),
        {},
    ),
    "lens, permuted": (
        MARY.change(view="lens", kind="permute", seed=3, position=10).put("lens", show="ablated"),
        {},
    ),
    "heads the model lacks": (MARY.change(heads=("L9H9",)), {}),
}


def test_the_other_page_differs_everywhere():
    there, others = MARY.put("circuit", edges=8).to_json(), OTHER.to_json()
    default = PageState().to_json()
    same = {f"{s}.{k}" for s in others for k, v in others[s].items() if v == default[s][k]}
    assert not same
    assert PageState.from_json(others) == OTHER and there.keys() == others.keys()


@pytest.fixture(scope="module")
def bench(workbench):
    workbench.wait("embedded")
    return workbench


@pytest.fixture(scope="module")
def parts():
    return traffic.parts_of()


@pytest.fixture(scope="module", params=list(PAGES))
def page(request, bench, parts):
    state, local = PAGES[request.param]
    first = {name: draw_part(bench, part, state, local) for name, part in parts.items()}
    _rest(bench)
    drawn = {name: draw_part(bench, part, state, local) for name, part in parts.items()}
    return Page(state, local, first, drawn)


def _rest(bench: Any) -> None:
    """Wait for what parts have started by themselves."""
    for _ in range(1000):
        if not bench.jobs.active():
            return
        time.sleep(0.02)
    raise AssertionError("jobs go on")


def test_no_part_has_a_bug_and_drawing_twice_is_drawing_once(bench, parts, page):
    for name, part in parts.items():
        assert "could not be drawn" not in page.parts[name]["html"], name
        assert draw_part(bench, part, page.state, page.local) == page.parts[name], name


def test_no_part_is_changed_by_what_another_measures(page):
    """Only jobs that go on are watched: what was drawn without one has to stay right."""
    for name, first in page.first.items():
        if not any(map(is_active, first["marks"].values())):
            assert first["html"] == page.parts[name]["html"], name


def test_a_change_of_what_a_part_did_not_read_never_changes_it(bench, parts, page):
    """So nothing on the page gets stale: the browser asks again exactly when it must."""
    default = PageState().to_json()
    for name, part in parts.items():
        known = page.parts[name]
        for other in (OTHER.to_json(), default):
            state, local = _differing(page, known["reads"], other)
            told = draw_part(bench, part, state, local)
            assert told["html"] == known["html"], (name, known["reads"])
            assert told["reads"] == known["reads"], name


def _differing(page: Page, read: list[str], other: dict) -> tuple[PageState, dict]:
    """A page that is as `page` in what was read, and as `other` in everything else."""
    own = page.state.to_json()
    values = {
        section: {
            field: own[section][field] if f"{section}.{field}" in read else value
            for field, value in fields.items()
        }
        for section, fields in other.items()
    }
    local = {
        name: page.local.get(name)
        for name in LOCAL.keys() | page.local.keys()
        if f"local.{name}" in read
    }
    elsewhere = {name: value for name, value in LOCAL.items() if f"local.{name}" not in read}
    return PageState.from_json(values), {
        k: v for k, v in local.items() if v is not None
    } | elsewhere


def test_every_part_of_the_open_view_shows_something_of_the_page(page):
    for name in ("tokens", "head-grid", "prediction", "model-chip"):
        assert page.parts[name]["html"], name
        assert "shared.model" in page.parts[name]["reads"], name
