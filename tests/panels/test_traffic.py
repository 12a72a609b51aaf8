"""What the browser asks and is told: parts, acts, ticks; and nothing it sends breaks the server."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attention_viz.app import create_app
from attention_viz.panels.frame import model, traffic
from attention_viz.panels.kit import html
from attention_viz.panels.kit.acts import Outcome
from attention_viz.panels.kit.bridge import BRIDGES, bridge_id
from attention_viz.panels.kit.parts import Part, key_of
from attention_viz.panels.kit.requests import search_request, sweep_request
from attention_viz.records.errors import BadInput
from attention_viz.records.job import JobStatus
from attention_viz.records.page import VIEWS, PageState
from tests.panels.fakes import FakeWorkbench
from tests.panels.views import MARY

PAGE = MARY.to_sparse()
SWEEP = sweep_request(MARY)


def _heads(bench: Any, state: Any) -> html.Node:
    return html.P(list(state.heads))


def _sweep(bench: Any, state: Any) -> html.Node:
    job = bench.jobs.find(SWEEP)
    return html.P(job.state if job else "none")


def _broken(bench: Any, state: Any) -> html.Node:
    raise BadInput("No <heads>.", "Pick some.")


PARTS = {
    each.name: each
    for each in map(lambda p: Part(*p), [("heads", _heads), ("sweep", _sweep), ("broken", _broken)])
}


def _refuse(bench: Any, state: PageState, payload: dict) -> Outcome:
    raise BadInput("Not now.", "Later.")


ACTS = {
    "select": lambda bench, state, payload: Outcome(page=state.change(heads=("L0H0",))),
    "refuse": _refuse,
}


def ask(bench: Any = None, **asked: Any) -> dict[str, Any]:
    told = traffic.answer(bench or FakeWorkbench(), PARTS, ACTS, {"n": 7, "page": PAGE} | asked)
    return json.loads(json.dumps(told))


def job(state: str, **values: Any) -> JobStatus:
    return JobStatus("job-1", SWEEP, state, **values)


# Parts


def test_parts_named_are_drawn_and_no_others():
    told = ask(parts=["heads"])
    assert set(told["parts"]) == {"heads"} and told["n"] == 7
    assert told["parts"]["heads"]["html"] == "<p>L2H3L3H1L0H5</p>"
    assert told["parts"]["heads"]["reads"] == ["shared.heads"]
    assert "outcome" not in told
    assert list(ask(parts=["sweep", "heads"])["parts"]) == ["sweep", "heads"]


def test_names_unknown_are_ignored():
    assert set(ask(parts=["nothing", "heads", 3, None, ["heads"]])["parts"]) == {"heads"}
    for parts in ([], None, "heads", {"heads": 1}, 3):
        assert ask(parts=parts)["parts"] == {}


def test_a_part_that_has_nothing_to_show_does_not_hinder_the_others():
    told = ask(parts=["broken", "heads"])["parts"]
    assert "No &lt;heads&gt;." in told["broken"]["html"] and told["heads"]["html"]


def test_the_answer_says_how_the_pages_model_stands():
    assert ask()["model"] == {
        "name": "embedded",
        "state": "ready",
        "message": "",
        "layers": 2,
        "heads": 3,
    }
    loading = FakeWorkbench(embedded=("loading", "reading weights"))
    assert ask(loading)["model"]["message"] == "reading weights"
    elsewhere = ask(page=MARY.change(model="elsewhere").to_sparse())["model"]
    assert elsewhere["state"] == "failed" and "elsewhere" in elsewhere["message"]


@pytest.mark.parametrize(
    "page", [3, "x", [1], {"shared": {"kind": "noise"}}, {"shared": 3}, {"circuit": {"edges": -1}}]
)
@pytest.mark.parametrize("more", [{"parts": ["heads"]}, {"act": "select"}, {"watch": {}}])
def test_a_page_that_cannot_be_is_said_and_nothing_is_done(page, more):
    told = ask(page=page, **more)
    (said,) = told["outcome"]["says"]
    assert said["kind"] == "danger" and said["remedy"]
    assert set(told) == {"n", "outcome"}


# Acts


def test_an_act_tells_what_changed():
    assert ask(act="select")["outcome"] == {"changes": {"shared.heads": ["L0H0"]}}


def test_an_act_that_fails_says_why():
    (said,) = ask(act="refuse", payload={})["outcome"]["says"]
    assert (said["message"], said["remedy"]) == ("Not now.", "Later.")


@pytest.mark.parametrize("act", ["nothing", None, 3, ["select"]])
def test_an_act_that_is_unknown_is_said(act):
    (said,) = ask(act=act)["outcome"]["says"]
    assert "Reload" in said["remedy"]


# Ticks


def test_a_tick_draws_only_parts_whose_jobs_moved():
    running = FakeWorkbench(job("running", done=2, total=9))
    key = key_of(SWEEP)
    same = {"sweep": {key: "job-1 running 2 0"}, "heads": {"x": "job-9 done 3 0"}}
    moved = ask(running, watch=same | {"heads": {}})
    assert moved["parts"] == {} and moved["outcome"] == {}
    told = ask(running, watch={"sweep": {key: "job-1 running 1 0"}, "heads": {}})
    assert set(told["parts"]) == {"sweep"}
    assert told["parts"]["sweep"]["marks"] == {key: "job-1 running 2 0"}
    over = ask(FakeWorkbench(job("done")), watch={"sweep": {key: "job-1 running 2 0"}})
    assert over["parts"]["sweep"]["html"] == "<p>done</p>"


def test_a_job_that_was_forgotten_moved():
    assert set(ask(watch={"sweep": {"key": "job-1 running 2 0"}})["parts"]) == {"sweep"}


def test_marks_of_no_job_and_names_unknown_are_not_looked_for():
    watch = {"sweep": {"key": ""}, "nothing": {"key": "job-1 running 2 0"}, "heads": 3}
    assert ask(watch=watch)["parts"] == {}


def test_a_search_that_ended_is_adopted_once():
    state = MARY.change(heads=(), flip_to=8)
    ended = JobStatus("job-1", search_request(state), "failed", error=BadInput("No.", "Yes."))
    bench = FakeWorkbench(ended)
    told = ask(bench, page=state.to_sparse(), watch={}, followed=["job-1", "job-2"])
    assert told["outcome"]["followed"] == [] and len(told["outcome"]["says"]) == 1
    again = ask(bench, page=state.to_sparse(), watch={}, followed=told["outcome"]["followed"])
    assert again["outcome"] == {}


def test_a_search_under_way_stays_followed():
    state = MARY.change(flip_to=8)
    going = JobStatus("job-1", search_request(state), "running")
    told = ask(FakeWorkbench(going), page=state.to_sparse(), watch={}, followed=["job-1"])
    assert told["outcome"] == {}


def test_a_model_that_is_there_takes_the_page():
    told = ask(FakeWorkbench(other=("ready", "")), watch={}, wanted="other")
    assert told["outcome"]["wanted"] == ""
    assert told["outcome"]["changes"] == {"shared.model": "other", "shared.heads": []}


def test_a_model_that_failed_is_said_and_the_page_stays():
    told = ask(FakeWorkbench(other=("failed", "No connection.")), watch={}, wanted="other")
    (said,) = told["outcome"]["says"]
    assert "stays with embedded" in said["message"] and said["remedy"] == "No connection."
    assert told["outcome"]["told"] == {"failed": "other"} and "changes" not in told["outcome"]


def test_a_model_that_is_loaded_goes_on_being_wanted():
    told = ask(FakeWorkbench(other=("loading", "")), watch={}, wanted="other")
    assert told["outcome"] == {"wanted": "other"}


def test_a_model_that_is_nowhere_is_wanted_no_longer():
    told = ask(watch={}, wanted="elsewhere")
    assert told["outcome"]["wanted"] == "" and "elsewhere" in told["outcome"]["says"][0]["message"]
    assert ask(watch={}, wanted=None)["outcome"] == {}


def test_a_model_that_came_and_a_search_that_ended_are_both_told():
    """Neither takes the other's place in the answer."""
    state = MARY.change(flip_to=8)
    ended = JobStatus("job-1", search_request(state), "failed", error=BadInput("No.", "Yes."))
    told = ask(
        FakeWorkbench(ended, other=("ready", "")),
        page=state.to_sparse(),
        watch={},
        followed=["job-1"],
        wanted="other",
    )["outcome"]
    assert told["changes"]["shared.model"] == "other"
    assert (told["wanted"], told["followed"]) == ("", []) and told["says"][0]["message"] == "No."


def test_how_far_a_model_is_loaded_is_drawn_at_every_tick():
    bench = FakeWorkbench(other=("loading", "fetching 40 %"))
    asked = {"page": PAGE, "watch": {}, "wanted": "other", "local": {"model.wanted": "other"}}
    told = traffic.answer(bench, traffic.parts_of([]), {}, asked)["parts"]
    assert set(told) == set(model.NAMES)
    assert "loading other… fetching 40 %" in told["model-chip"]["html"]
    bench.states["other"] = ("failed", "No connection.")
    told = traffic.answer(bench, traffic.parts_of([]), {}, asked)["parts"]
    assert "other failed" in told["model-chip"]["html"] and not told["model-chip"]["waits"]
    own = FakeWorkbench(embedded=("loading", "reading weights"))
    told = traffic.answer(own, traffic.parts_of([]), {}, {"page": PAGE, "watch": {}})["parts"]
    assert "reading weights" in told["model-chip"]["html"]
    rest = traffic.answer(FakeWorkbench(), traffic.parts_of([]), {}, {"page": PAGE, "watch": {}})
    assert rest["parts"] == {}


# Garbage

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 9)
    | st.sampled_from([1.0, -1e300, float("nan"), "", "x", "\ud800", "job-1", "L0H1", "embedded"])
    | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["job", "value", "contents", "x"]), inner, max_size=2)
    ),
    max_leaves=5,
)
KEYS = ("n", "page", "local", "parts", "act", "payload", "watch", "followed", "wanted")


@pytest.fixture(scope="module")
def app():
    return create_app(FakeWorkbench())


def send(app: Any, asked: Any) -> dict[str, Any]:
    """Through the server, as the browser does."""
    name = json.dumps(bridge_id("act"), separators=(",", ":"), sort_keys=True)
    (output,) = app.callback_map
    body = {
        "output": output,
        "outputs": {"id": bridge_id("act"), "property": "told"},
        "inputs": [{"id": bridge_id("act"), "property": "asked", "value": asked}],
        "changedPropIds": [f"{name}.asked"],
        "parsedChangedPropsIds": [f"{name}.asked"],
        "state": [],
    }
    answered = app.server.test_client().post("/_dash-update-component", json=body)
    assert answered.status_code == 200, asked
    return json.loads(answered.data)["response"][name]["told"]


small = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def test_an_ordinary_question_crosses_the_server(app):
    told = send(app, {"n": 3, "page": PAGE, "parts": ["model-chip"]})
    assert told["n"] == 3 and set(told["parts"]) == {"model-chip"}
    assert len(app.callback_map) == 1 and len(BRIDGES) == 5


@small
@given(asked=JSON)
def test_no_question_breaks_the_server(app, asked):
    assert "n" in send(app, asked)


@small
@given(key=st.sampled_from(KEYS), value=JSON, kind=st.sampled_from(["parts", "act", "watch"]))
def test_no_value_of_any_key_breaks_the_server(app, key, value, kind):
    usual = {"parts": ["model-chip"], "act": "run", "watch": {}}[kind]
    told = send(app, {"n": 1, "page": PAGE, kind: usual, "followed": [], key: value})
    assert key == "n" or told["n"] == 1


ALL_ACTS = sorted(traffic.acts_of())
BOXES = ("prompt", "counterfactual", "way", "seed", "value", "index", "job", "typed", "fragment")
PAYLOADS = st.dictionaries(
    st.sampled_from([*BOXES, "contents", "name", "node", "nodes", "kind", "format"]),
    JSON,
    max_size=4,
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(act=st.sampled_from(ALL_ACTS), payload=PAYLOADS, is_run=st.booleans())
def test_no_payload_breaks_an_act(workbench, capsys, act, payload, is_run):
    """Nor is any of it told as a mistake of the server's."""
    workbench.wait("embedded")
    page = PAGE if is_run else {}
    asked = {"n": 1, "page": page, "act": act, "payload": payload}
    told = traffic.answer(workbench, {}, traffic.acts_of(), asked)
    assert json.loads(json.dumps(told)) is not None
    assert "Traceback" not in capsys.readouterr().err
    for said in told["outcome"].get("says", ()):
        assert said["message"] and said["remedy"] is not None


def test_every_view_and_all_of_the_frame_are_on_the_page():
    parts, acts = traffic.parts_of(), traffic.acts_of()
    assert {"tokens", "prediction", "head-grid", "search-state", "model-chip"} <= set(parts)
    assert {"run", "find", "sweep", "model", "open", "fit", "build", "example", "cancel"} <= set(
        acts
    )
    assert set(traffic.parts_of([])) < set(parts) and set(traffic.acts_of([])) < set(acts)
    for view in VIEWS:
        assert set(traffic.parts_of([view])) > set(traffic.parts_of([]))
    assert all(name == part.name and part.wave in (0, 1) for name, part in parts.items())
