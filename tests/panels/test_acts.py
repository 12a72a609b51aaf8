"""What comes of an act, as the browser is told: only what there is to do."""

import base64
import json
from typing import Any

import pytest

from attention_viz.panels.kit import html
from attention_viz.panels.kit.acts import Outcome, changes_between, outcome_json, perform
from attention_viz.panels.kit.common import toast
from attention_viz.panels.kit.files import csv_act
from attention_viz.panels.kit.parts import key_of
from attention_viz.panels.kit.requests import sweep_request
from attention_viz.panels.kit.results import CANCEL, cancel, submit
from attention_viz.records.errors import BadInput
from attention_viz.records.job import JobStatus
from attention_viz.records.page import PageState
from tests.panels.fakes import FakeWorkbench
from tests.panels.views import MARY

JOB = JobStatus("job-1", sweep_request(MARY), "running", done=2, total=4)


def test_an_outcome_that_says_nothing_is_nothing():
    assert outcome_json(Outcome(), MARY) == {}
    assert outcome_json(Outcome(page=MARY), MARY) == {"changes": {}}


def test_only_fields_that_changed_are_told():
    after = MARY.change(heads=("L0H1",), scale=0.5).put("circuit", edges=30, hidden=("L2H3",))
    told = outcome_json(Outcome(page=after), MARY)
    assert told == {
        "changes": {
            "shared.heads": ["L0H1"],
            "settings.scale": 0.5,
            "circuit.edges": 30,
            "circuit.hidden": ["L2H3"],
        }
    }
    assert changes_between(after, after) == {}
    back = changes_between(after, MARY)
    assert back.keys() == told["changes"].keys() and back["circuit.hidden"] == []


def test_changes_applied_to_the_page_give_the_page_meant():
    after = MARY.with_model("other").put("attention", focus=(3, 2)).change(theme="dark", seed=4)
    page = MARY.to_json()
    for address, value in changes_between(MARY, after).items():
        section, _, name = address.partition(".")
        page[section][name] = value
    assert PageState.from_json(page) == after


def test_everything_an_act_can_bring_about_is_told():
    told = outcome_json(
        Outcome(
            says=toast("Saved.", kind="success"),
            submitted=(JOB,),
            followed=("job-1",),
            file=("a.csv", b"\xff,1"),
            values={"prompt": "<b>"},
            wanted="",
            told={"options": []},
            place=("problems", html.P("<b>")),
        ),
        MARY,
    )
    assert json.loads(json.dumps(told)) == told
    assert told["says"][0]["title"] == "Done" and told["says"][0]["message"] == "Saved."
    assert told["marks"] == {key_of(JOB.request): "job-1 running 2 0"}
    assert (told["followed"], told["wanted"]) == (["job-1"], "")
    assert base64.b64decode(told["file"]["data"]) == b"\xff,1" and told["file"]["name"] == "a.csv"
    assert told["values"] == {"prompt": "<b>"} and told["told"] == {"options": []}
    assert told["place"] == {"id": "problems", "html": "<p>&lt;b&gt;</p>"}
    assert "changes" not in told


def test_that_nothing_is_followed_any_more_is_told():
    assert outcome_json(Outcome(followed=()), MARY) == {"followed": []}


@pytest.mark.parametrize("kind", ["danger", "warning", "success", "info"])
def test_toasts_hold_message_remedy_and_what_kind_they_are(kind):
    (said,) = toast(BadInput("Too long.", "Shorten it."), kind=kind)
    assert (said["message"], said["remedy"], said["kind"]) == ("Too long.", "Shorten it.", kind)
    assert said["title"] and toast("x", title="Left out")[0]["title"] == "Left out"


# perform


def done(act: Any, payload: Any = None, name: Any = "go") -> dict:
    return perform(FakeWorkbench(), {"go": act}, MARY, name, payload)


def test_an_act_is_given_the_page_and_what_was_sent():
    def act(bench, state, payload):
        assert state == MARY and bench.catalogue
        return Outcome(told=payload)

    assert done(act, {"a": 1}) == {"told": {"a": 1}}
    assert done(lambda *_: None) == {}


@pytest.mark.parametrize("payload", [None, [], "x", 3, True, [{}]])
def test_what_is_no_object_is_an_empty_one(payload):
    seen = []
    done(lambda bench, state, payload: seen.append(payload), payload)
    assert seen == [{}]


def test_what_a_person_can_put_right_is_said():
    def act(bench, state, payload):
        raise BadInput("No heads.", "Pick some.")

    (said,) = done(act)["says"]
    assert (said["message"], said["remedy"], said["kind"]) == ("No heads.", "Pick some.", "danger")


def test_a_bug_is_said_without_its_words_and_told_to_the_log(capsys):
    def act(bench, state, payload):
        raise KeyError("secret")

    (said,) = done(act)["says"]
    assert said["kind"] == "danger" and said["remedy"] and "secret" not in str(said)
    assert "secret" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["nothing", "", None, 3, [], {}, "__class__"])
def test_an_act_that_is_unknown_says_to_reload(name):
    (said,) = done(lambda *_: None, name=name)["says"]
    assert "Reload" in said["remedy"]


# Acts that several views share


def test_cancel_stops_a_job_and_tells_how_it_stands():
    bench = FakeWorkbench(JOB)
    stopped = []
    bench.jobs.cancel = stopped.append
    outcome = cancel(bench, MARY, {"job": "job-1"})
    assert stopped == ["job-1"] and outcome.submitted == (JOB,)
    assert cancel(bench, MARY, {"job": "job-9"}).submitted == ()
    assert cancel(bench, MARY, {}).submitted == ()
    assert CANCEL == "cancel"


def test_submitting_tells_the_marks_of_all_jobs():
    bench = FakeWorkbench()
    bench.submit = lambda request: JobStatus(f"job-{request}", request, "queued")
    told = outcome_json(submit(bench, 1, 2), MARY)
    assert told["marks"] == {key_of(1): "job-1 queued 0 0", key_of(2): "job-2 queued 0 0"}


def test_a_table_is_saved_under_its_name():
    acts = csv_act("look", lambda bench, state: (["head", "effect"], [["L0H1", 0.5]]))
    told = perform(FakeWorkbench(), acts, MARY, "look-csv", {})
    assert told["file"]["name"] == "attention-viz-look.csv"
    assert base64.b64decode(told["file"]["data"]).decode().splitlines()[0] == "head,effect"
