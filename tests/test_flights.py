"""Single flight: computed once for all who ask, also as parts of other things; no deadlock."""

import threading

import pytest

from attention_viz.jobs import DeviceLock, Flights, JobPace, Priority, Results
from attention_viz.records.errors import BadInput, Cancelled
from tests.threads_for_tests import PATIENCE, in_thread, outcome_of, until


class Desk:
    """Flights, with a computation per name that is counted and can be held up or go wrong."""

    def __init__(self):
        self.lock = DeviceLock()
        self.flights = Flights(Results(2**20), self.lock)
        self.calls, self.held, self.errors = [], {}, {}
        self.parts = {}  # name: what it recalls, in order

    def hold(self, *names):
        self.held |= {name: threading.Event() for name in names}

    def ask(self, name, pace=None):
        pace = pace or JobPace(self.lock)
        return self.flights.once(name, lambda pace: self.compute(name, pace), pace)

    def compute(self, name, pace):
        self.calls.append(name)
        while name in self.held and not self.held[name].wait(0.002):
            pace.report(0, 1)
        if self.errors.get(name):
            raise self.errors.pop(name)
        parts = [
            pace.recall(part, lambda part=part: self.compute(part, pace))
            for part in self.parts.get(name, ())
        ]
        with pace.turn():
            return (name, *parts)


@pytest.fixture
def desk():
    return Desk()


def cancellable(desk, priority=Priority.SEARCH):
    flag = threading.Event()
    return flag, JobPace(desk.lock, priority, cancelled=flag)


def test_a_part_that_two_need_at_once_is_computed_once(desk):
    desk.parts = {"circuit": ["scores"], "curve": ["scores"]}
    desk.hold("scores")
    first = in_thread(desk.ask, "circuit")
    until(lambda: "scores" in desk.calls)
    second = in_thread(desk.ask, "curve")
    until(lambda: desk.flights.waiting("scores") or desk.calls.count("scores") > 1)
    desk.held["scores"].set()
    assert outcome_of(first) == ("circuit", ("scores",))
    assert outcome_of(second) == ("curve", ("scores",))
    assert desk.calls.count("scores") == 1


def test_a_click_on_what_is_a_part_of_another_measurement_shares_it(desk):
    desk.parts = {"circuit": ["scores"]}
    desk.hold("scores")
    whole = in_thread(desk.ask, "circuit")
    until(lambda: "scores" in desk.calls)
    part = in_thread(desk.ask, "scores")
    until(lambda: desk.flights.waiting("scores") or desk.calls.count("scores") > 1)
    desk.held["scores"].set()
    assert outcome_of(part) is outcome_of(whole)[1]
    assert desk.calls == ["circuit", "scores"]


def test_parts_of_parts_are_kept_one_by_one(desk):
    desk.parts = {"a": ["b", "c"], "b": ["c"]}
    assert desk.ask("a") == ("a", ("b", ("c",)), ("c",))
    assert desk.calls == ["a", "b", "c"]
    assert desk.ask("b") == ("b", ("c",)) and len(desk.calls) == 3


def test_a_measurement_that_recalls_itself_is_not_waited_for(desk):
    def compute(pace):
        return ("outer", pace.recall("a", lambda: "inner"))

    thread = in_thread(desk.flights.once, "a", compute, JobPace(desk.lock))
    assert outcome_of(thread) == ("outer", "inner")


def test_two_that_need_each_other_don_t_wait_for_each_other(desk):
    """a recalls b and b recalls a: no registry has this; a deadlock would stop the server."""
    both_fly = threading.Barrier(2)

    def compute(own, other):
        def work(pace):
            both_fly.wait(PATIENCE)
            return (own, pace.recall(other, lambda: f"{other} for {own}"))

        return work

    threads = [
        in_thread(desk.flights.once, own, compute(own, other), JobPace(desk.lock))
        for own, other in (("a", "b"), ("b", "a"))
    ]
    assert [outcome_of(thread)[0] for thread in threads] == ["a", "b"]


def test_a_ring_of_three_is_broken_too(desk):
    all_fly = threading.Barrier(3)

    def work(own, other):
        def compute(pace):
            all_fly.wait(PATIENCE)
            return (own, pace.recall(other, lambda: other))

        return compute

    threads = [
        in_thread(desk.flights.once, own, work(own, other), JobPace(desk.lock))
        for own, other in ("ab", "bc", "ca")
    ]
    assert [outcome_of(thread)[0] for thread in threads] == ["a", "b", "c"]


def test_who_holds_the_device_doesn_t_wait_for_who_needs_it(desk):
    desk.hold("scores")
    pilot = in_thread(desk.ask, "scores")
    until(lambda: desk.calls)

    def with_the_device(pace):
        with pace.turn():
            return pace.recall("scores", lambda: "my own")

    holder = in_thread(desk.flights.once, "other", with_the_device, JobPace(desk.lock))
    assert outcome_of(holder) == "my own"
    desk.held["scores"].set()
    assert outcome_of(pilot) == ("scores",)


def test_who_waits_for_a_part_goes_on_when_its_pilot_is_cancelled(desk):
    desk.parts = {"job": ["scores"]}
    desk.hold("scores")
    flag, pace = cancellable(desk)
    job = in_thread(desk.ask, "job", pace)
    until(lambda: "scores" in desk.calls)
    click = in_thread(desk.ask, "scores")
    until(lambda: desk.flights.waiting("scores"))
    flag.set()
    until(lambda: desk.calls.count("scores") == 2)
    desk.held["scores"].set()
    assert outcome_of(click) == ("scores",)
    with pytest.raises(Cancelled):
        outcome_of(job)


def test_a_job_that_waits_for_a_part_can_be_cancelled(desk):
    desk.parts = {"job": ["scores"]}
    desk.hold("scores")
    click = in_thread(desk.ask, "scores")
    until(lambda: desk.calls)
    flag, pace = cancellable(desk)
    job = in_thread(desk.ask, "job", pace)
    until(lambda: desk.flights.waiting("scores"))
    flag.set()
    with pytest.raises(Cancelled):
        outcome_of(job)
    assert desk.flights.waiting("scores") == 0
    desk.held["scores"].set()
    assert outcome_of(click) == ("scores",) and desk.calls.count("scores") == 1


def test_what_a_cancelled_part_returned_is_neither_kept_nor_shared(desk):
    flag, pace = cancellable(desk)

    def cut_short(pace):
        flag.set()
        return pace.recall("scores", lambda: "so far")

    assert desk.flights.once("job", cut_short, pace) == "so far"
    assert desk.ask("scores") == ("scores",)
    assert desk.ask("job") == ("job",)


@pytest.mark.parametrize("error", [BadInput("Too long.", "Shorten it."), ZeroDivisionError()])
def test_an_error_for_people_reaches_all_who_wait_and_a_bug_does_not(desk, error):
    desk.parts = {"first": ["scores"], "second": ["scores"]}
    desk.hold("scores")
    desk.errors["scores"] = error
    first = in_thread(desk.ask, "first")
    until(lambda: "scores" in desk.calls)
    second = in_thread(desk.ask, "second")
    until(lambda: desk.flights.waiting("scores"))
    desk.held["scores"].set()
    with pytest.raises(type(error)) as caught:
        outcome_of(first)
    if isinstance(error, BadInput):
        with pytest.raises(BadInput, match="Shorten it") as other:
            outcome_of(second)
        assert other.value is not caught.value and desk.calls.count("scores") == 1
    else:
        assert outcome_of(second) == ("second", ("scores",))
    assert desk.ask("scores") == ("scores",), "an error is not kept"


def test_a_job_that_a_click_waits_for_takes_its_turns_as_a_click(desk):
    """Also where the click waits for it by way of another job."""
    desk.parts = {"other job": ["scores"]}
    desk.hold("scores")
    job = in_thread(desk.ask, "scores", cancellable(desk)[1])
    until(lambda: desk.calls)
    middle = in_thread(desk.ask, "other job", cancellable(desk)[1])
    until(lambda: desk.flights.waiting("scores"))
    click = in_thread(desk.ask, "other job")
    until(lambda: desk.flights.waiting("other job"))
    with desk.lock.turn():
        desk.held["scores"].set()
        until(lambda: desk.lock.waiting(Priority.CLICK) + desk.lock.waiting(Priority.SEARCH))
        assert desk.lock.waiting(Priority.CLICK) == 1
    assert outcome_of(click) is outcome_of(middle)
    assert outcome_of(job) == ("scores",)


def test_a_job_that_only_jobs_wait_for_goes_behind_clicks(desk):
    desk.hold("scores")
    job = in_thread(desk.ask, "scores", cancellable(desk)[1])
    until(lambda: desk.calls)
    other = in_thread(desk.ask, "scores", cancellable(desk)[1])
    until(lambda: desk.flights.waiting("scores"))
    with desk.lock.turn():
        desk.held["scores"].set()
        until(lambda: desk.lock.waiting(Priority.CLICK) + desk.lock.waiting(Priority.SEARCH))
        assert desk.lock.waiting(Priority.SEARCH) == 1
    assert outcome_of(job) is outcome_of(other)
