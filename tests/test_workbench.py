"""The workbench with made-up models and measurements: loading, caching, sharing, failing."""

import threading
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

from attention_viz.jobs import Results, size_of
from attention_viz.models.catalogue import Catalogue
from attention_viz.records.errors import AttentionVizError, BadInput, Cancelled, ModelUnavailable
from attention_viz.records.model import EMBEDDED
from attention_viz.records.question import Question
from attention_viz.records.tokens import Token
from attention_viz.workbench import REGISTRY, Workbench, _imported
from tests.threads_for_tests import PATIENCE, in_thread, outcome_of, until


@dataclass(frozen=True)
class Ask:
    question: Question
    what: str = "square"


@dataclass(frozen=True, eq=False)
class Answer:
    request: Ask
    values: np.ndarray


QUESTION = Question(model=EMBEDDED, prompt="Hello")


class Vocabulary:
    size = 3

    def find(self, text):
        return {" John": 1}[text]

    def token(self, id):
        return Token(id, f"token {id}")

    def matching(self, text, limit):
        return [Token(1, text)][:limit]


class Lab:
    """A loader and a measurement whose every call is counted, and which can be held up."""

    def __init__(self):
        self.loads, self.calls = [], []
        self.open = threading.Event()
        self.open.set()
        self.load_error = self.error = None

    def load(self, entry, *, device, threads, memory, padding, report):
        self.loads.append((entry.name, device, threads))
        report("reading weights")
        self.open.wait(PATIENCE)
        if self.load_error:
            raise self.load_error
        return SimpleNamespace(info=f"info of {entry.name}", vocabulary=Vocabulary())

    def measure(self, model, request, pace):
        self.calls.append(request)
        with pace.turn():
            pace.report(0, 2, "partial")
        while not self.open.wait(0.002):
            pace.report(1, 2)
        if self.error:
            raise self.error
        return Answer(request, np.zeros(4))


@pytest.fixture
def lab():
    return Lab()


@pytest.fixture
def bench(lab):
    bench = Workbench(Catalogue.standard(), "cpu", 2, registry={Ask: lab.measure}, loader=lab.load)
    yield bench
    lab.open.set()
    bench.close()


# Models


def test_loading_returns_at_once_and_status_follows_it(bench, lab):
    assert bench.status(EMBEDDED).state == "not loaded"
    lab.open.clear()
    assert bench.load(EMBEDDED).state == "loading"
    until(lambda: bench.status(EMBEDDED).message == "reading weights")
    bench.load(EMBEDDED)
    lab.open.set()
    status = bench.wait(EMBEDDED)
    assert (status.state, status.info) == ("ready", "info of embedded")
    assert lab.loads == [(EMBEDDED, "cpu", 2)]


def test_only_models_of_the_catalogue_can_be_asked_for(bench, lab):
    for ask in (bench.load, bench.status, bench.wait):
        with pytest.raises(BadInput):
            ask("/etc")
    with pytest.raises(BadInput):
        bench.measure(Ask(Question(model="/etc", prompt="Hello")))
    with pytest.raises(BadInput):
        bench.submit(Ask(Question(model="/etc", prompt="Hello")))
    assert lab.loads == []


def test_a_failed_load_says_why_and_can_be_tried_again(bench, lab):
    lab.load_error = ModelUnavailable("The hub can't be reached.", "Use a local folder.")
    with pytest.raises(ModelUnavailable, match="local folder"):
        bench.wait(EMBEDDED)
    status = bench.status(EMBEDDED)
    assert status.state == "failed" and "can't be reached" in status.message
    with pytest.raises(ModelUnavailable):
        bench.measure(Ask(QUESTION))
    assert len(lab.loads) == 1  # only load() tries again
    lab.load_error = None
    bench.load(EMBEDDED)
    assert bench.wait(EMBEDDED).state == "ready"


def test_a_bug_while_loading_is_a_model_unavailable(bench, lab, capsys):
    lab.load_error = KeyError("weights")
    with pytest.raises(ModelUnavailable, match="KeyError"):
        bench.wait(EMBEDDED)
    assert "Traceback" in capsys.readouterr().err


# Measurements


def test_an_answer_is_computed_once_and_kept(bench, lab):
    assert bench.cached(Ask(QUESTION)) is None
    first = bench.measure(Ask(QUESTION))
    assert bench.measure(Ask(Question(model=EMBEDDED, prompt="Hello"))) is first
    assert bench.cached(Ask(QUESTION)) is first
    assert len(lab.calls) == 1


def test_two_callers_at_once_share_one_computation(bench, lab):
    lab.open.clear()
    first = in_thread(bench.measure, Ask(QUESTION))
    second = in_thread(bench.measure, Ask(QUESTION))
    until(lambda: bench._flights.waiting(Ask(QUESTION)))
    lab.open.set()
    assert outcome_of(first) is outcome_of(second) is not None
    assert len(lab.calls) == 1


def test_a_part_of_two_measurements_at_once_is_computed_once(lab):
    """Two requests that need the same scores: the second waits for the first one's."""
    part, asked, is_open = Ask(QUESTION, "scores"), [], threading.Event()

    def scores(pace):
        asked.append(pace)
        while not is_open.wait(0.002):
            pace.report(0, 1)
        return Answer(part, np.zeros(4))

    def measure(model, request, pace):
        if request == part:
            return scores(pace)
        return request.what, pace.recall(part, lambda: scores(pace))

    bench = Workbench(Catalogue.standard(), registry={Ask: measure}, loader=lab.load)
    job = bench.submit(Ask(QUESTION, "circuit"))
    until(lambda: asked)
    whole, click = in_thread(bench.measure, Ask(QUESTION, "curve")), in_thread(bench.measure, part)
    until(lambda: len(asked) > 1 or bench._flights.waiting(part) == 2)
    is_open.set()
    assert outcome_of(whole) == ("curve", outcome_of(click))
    until(lambda: bench.jobs.status(job.id).is_over)
    assert bench.jobs.status(job.id).result == ("circuit", bench.cached(part))
    assert len(asked) == 1
    bench.close()


def test_an_error_for_people_reaches_every_caller_and_is_not_kept(bench, lab):
    lab.error = BadInput("Too long.", "Shorten it.")
    for _ in range(2):
        with pytest.raises(BadInput, match="Shorten it"):
            bench.measure(Ask(QUESTION))
    lab.error = None
    assert bench.measure(Ask(QUESTION)).request == Ask(QUESTION)


def test_a_bug_is_raised_as_it_is(bench, lab):
    lab.error = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        bench.measure(Ask(QUESTION))


def test_a_submitted_request_ends_in_the_cache(bench, lab):
    job = bench.submit(Ask(QUESTION))
    until(lambda: bench.jobs.status(job.id).is_over)
    result = bench.jobs.status(job.id).result
    assert bench.cached(Ask(QUESTION)) is result is not None
    assert bench.jobs.find(Ask(QUESTION)).id == job.id


def test_a_known_answer_is_a_finished_job(bench):
    answer = bench.measure(Ask(QUESTION))
    job = bench.submit(Ask(QUESTION))
    assert (job.state, job.result) == ("done", answer)


def test_a_cancelled_measurement_is_not_kept(bench, lab):
    bench.wait(EMBEDDED)
    lab.open.clear()
    job = bench.submit(Ask(QUESTION))
    until(lambda: bench.jobs.status(job.id).partial == "partial")
    bench.jobs.cancel(job.id)
    until(lambda: bench.jobs.status(job.id).is_over)
    assert bench.jobs.status(job.id).state == "cancelled"
    assert bench.cached(Ask(QUESTION)) is None


def test_a_partial_record_returned_after_a_cancel_is_not_the_answer(lab):
    def search(model, request, pace):
        try:
            while not threading.Event().wait(0.002):
                pace.report(1, 2, "so far")
        except Cancelled:
            return "so far"

    bench = Workbench(Catalogue.standard(), registry={Ask: search}, loader=lab.load)
    job = bench.submit(Ask(QUESTION))
    until(lambda: bench.jobs.status(job.id).partial)
    bench.jobs.cancel(job.id)
    until(lambda: bench.jobs.status(job.id).is_over)
    status = bench.jobs.status(job.id)
    assert (status.state, status.partial) == ("cancelled", "so far")
    assert bench.cached(Ask(QUESTION)) is None
    bench.close()


def test_a_click_on_what_a_cancelled_job_was_computing_computes_it(bench, lab):
    bench.wait(EMBEDDED)
    lab.open.clear()
    job = bench.submit(Ask(QUESTION))
    until(lambda: lab.calls)
    click = in_thread(bench.measure, Ask(QUESTION))
    until(lambda: bench._flights.waiting(Ask(QUESTION)))
    bench.jobs.cancel(job.id)
    until(lambda: len(lab.calls) == 2)
    lab.open.set()
    assert outcome_of(click).request == Ask(QUESTION)


def test_a_job_that_waits_for_its_model_can_be_cancelled(bench, lab):
    lab.open.clear()
    job = bench.submit(Ask(QUESTION))
    until(lambda: bench.status(EMBEDDED).state == "loading")
    bench.jobs.cancel(job.id)
    until(lambda: bench.jobs.status(job.id).is_over)
    assert bench.jobs.status(job.id).state == "cancelled"
    assert bench.status(EMBEDDED).state == "loading"


def test_the_registry_names_functions_that_exist():
    for request, path in REGISTRY.items():
        assert callable(_imported(path)), request


# Tokens


def test_tokens_are_found_by_their_text_with_visible_blanks(bench):
    assert bench.token_id(EMBEDDED, "␣John") == bench.token_id(EMBEDDED, " John") == 1
    assert bench.find_tokens(EMBEDDED, "␣Jo", 5) == [Token(1, " Jo")]
    assert bench.token(EMBEDDED, 2) == Token(2, "token 2")
    for id in (-1, 3):
        with pytest.raises(BadInput, match="0 to 2"):
            bench.token(EMBEDDED, id)


# The cache


def test_the_least_recently_used_result_is_forgotten_first():
    results = Results(3500)
    for name in "abc":
        results.put(name, np.zeros(1000, np.uint8))
    results.get("a")
    results.put("d", np.zeros(1000, np.uint8))
    assert [results.get(name) is None for name in "abcd"] == [False, True, False, False]


def test_a_result_too_big_for_the_cache_is_kept_until_the_next():
    results = Results(100)
    results.put("big", np.zeros(1000))
    assert results.get("big") is not None
    results.put("small", 1)
    assert results.get("big") is None


def test_a_result_put_again_is_counted_once():
    results = Results(2500)
    for _ in range(5):
        results.put("a", np.zeros(1000, np.uint8))
    results.put("b", np.zeros(1000, np.uint8))
    assert results.get("a") is not None


def test_the_size_of_a_record_counts_arrays_inside_and_nothing_twice():
    array = np.zeros(10_000)
    record = Answer(Ask(QUESTION), array)
    assert 80_000 <= size_of(record) < 82_000
    assert size_of([record, {"again": (array, record)}]) < 83_000


def test_a_new_error_is_raised_for_each_caller(bench, lab):
    lab.load_error = ModelUnavailable("No.", "Retry.")
    errors = []
    for _ in range(2):
        with pytest.raises(AttentionVizError) as caught:
            bench.wait(EMBEDDED)
        errors.append(caught.value)
    assert errors[0] is not errors[1]
