"""Jobs: order, dedupe, partial results, cancel; the device lock: priorities without starvation."""

import threading

import pytest

from attention_viz.jobs import DeviceLock, JobPace, Jobs, Priority
from attention_viz.records.errors import AttentionVizError, BadInput, Cancelled
from tests.threads_for_tests import PATIENCE, until


def over(jobs, job_id):
    until(lambda: jobs.status(job_id).is_over)
    return jobs.status(job_id)


class Gate:
    """Work that waits until the test opens it, reporting all the while."""

    def __init__(self, result="result"):
        self.started, self.open, self.result = threading.Event(), threading.Event(), result

    def __call__(self, pace):
        self.started.set()
        steps = 0
        while not self.open.wait(0.002):
            steps += 1
            pace.report(steps, 1000, f"partial {steps}")
        return self.result


@pytest.fixture
def jobs():
    jobs = Jobs(remembered=5)
    yield jobs
    jobs.close()


def test_a_job_ends_with_its_result(jobs):
    status = over(jobs, jobs.submit("request", lambda pace: 42).id)
    assert (status.state, status.result, status.error) == ("done", 42, None)
    assert status.request == "request"
    assert status.seconds >= 0
    assert jobs.active() == ()


def test_progress_and_partial_are_seen_while_it_runs(jobs):
    gate = Gate()
    job = jobs.submit("request", gate)
    until(lambda: jobs.status(job.id).done >= 2)
    status = jobs.status(job.id)
    assert status.state == "running" and status.total == 1000
    assert status.partial.startswith("partial")
    assert status.seconds > 0
    gate.open.set()
    assert over(jobs, job.id).result == "result"


def test_a_report_without_a_record_keeps_the_last_partial(jobs):
    def work(pace):
        pace.report(1, 3, "first")
        pace.report(2, 3)

    assert over(jobs, jobs.submit("request", work).id).partial == "first"


def test_jobs_run_in_order_and_say_how_many_are_ahead(jobs):
    gate, order = Gate(), []
    jobs.submit("a", gate)
    gate.started.wait(PATIENCE)
    for name in "bcd":
        jobs.submit(name, lambda pace, name=name: order.append(name))
    assert [job.request for job in jobs.active()] == ["a", "b", "c", "d"]
    assert [job.queued_before for job in jobs.active()] == [0, 1, 2, 3]
    assert [job.state for job in jobs.active()] == ["running", "queued", "queued", "queued"]
    gate.open.set()
    until(lambda: not jobs.active())
    assert order == ["b", "c", "d"]


def test_the_same_request_is_the_same_job_until_it_is_over(jobs):
    gate = Gate()
    first = jobs.submit("request", gate)
    assert jobs.submit("request", gate).id == first.id
    gate.open.set()
    over(jobs, first.id)
    again = jobs.submit("request", lambda pace: "new")
    assert again.id != first.id
    assert jobs.find("request").id == again.id


def test_find_gives_none_for_what_was_never_asked(jobs):
    assert jobs.find("nothing") is None
    assert jobs.status("unknown") is None


def test_a_cancelled_job_keeps_its_partial_record(jobs):
    job = jobs.submit("request", Gate())
    until(lambda: jobs.status(job.id).partial is not None)
    jobs.cancel(job.id)
    status = over(jobs, job.id)
    assert status.state == "cancelled"
    assert status.partial.startswith("partial")
    assert status.result is None and status.error is None


def test_what_work_returns_after_a_cancel_is_its_partial_record(jobs):
    def work(pace):
        try:
            Gate()(pace)
        except Cancelled:
            return "what was found"

    job = jobs.submit("request", work)
    until(lambda: jobs.status(job.id).done > 0)
    jobs.cancel(job.id)
    status = over(jobs, job.id)
    assert (status.state, status.partial, status.result) == ("cancelled", "what was found", None)


def test_a_queued_job_is_cancelled_at_once_and_never_runs(jobs):
    gate, ran = Gate(), []
    jobs.submit("a", gate)
    queued = jobs.submit("b", lambda pace: ran.append("b"))
    jobs.cancel(queued.id)
    assert jobs.status(queued.id).state == "cancelled"
    gate.open.set()
    until(lambda: not jobs.active())
    assert ran == []


def test_a_request_whose_job_is_being_cancelled_gets_a_new_job(jobs):
    stuck = threading.Event()
    job = jobs.submit("request", lambda pace: stuck.wait(PATIENCE))
    until(lambda: jobs.status(job.id).state == "running")
    jobs.cancel(job.id)
    again = jobs.submit("request", lambda pace: "new")
    assert again.id != job.id
    stuck.set()
    assert over(jobs, again.id).result == "new"


def test_cancelling_what_is_over_or_unknown_does_nothing(jobs):
    job = over(jobs, jobs.submit("request", lambda pace: 1).id)
    jobs.cancel(job.id)
    jobs.cancel("unknown")
    assert jobs.status(job.id).state == "done"


def test_an_error_for_people_is_kept(jobs):
    def work(pace):
        raise BadInput("Too long.", "Shorten it.")

    status = over(jobs, jobs.submit("request", work).id)
    assert status.state == "failed"
    assert (status.error.message, status.error.remedy) == ("Too long.", "Shorten it.")


def test_a_bug_is_logged_and_named_and_the_next_job_runs(jobs, capsys):
    def work(pace):
        raise ZeroDivisionError("details for us")

    status = over(jobs, jobs.submit("request", work).id)
    assert status.state == "failed"
    assert isinstance(status.error, AttentionVizError)
    assert "ZeroDivisionError" in status.error.message
    assert "details for us" in capsys.readouterr().err
    assert over(jobs, jobs.submit("next", lambda pace: "fine").id).result == "fine"


def test_only_the_newest_finished_jobs_are_remembered(jobs):
    ids = [over(jobs, jobs.submit(n, lambda pace, n=n: n).id).id for n in range(8)]
    until(lambda: jobs.status(ids[2]) is None)
    assert [jobs.status(id) is None for id in ids] == [True] * 3 + [False] * 5


def test_a_known_result_is_a_job_that_is_over(jobs):
    job = jobs.submit_done("request", "known")
    assert (job.state, job.result) == ("done", "known")
    assert jobs.submit_done("request", "known").id == job.id
    assert jobs.find("request").result == "known"


def test_closing_stops_the_running_job_and_takes_no_more():
    jobs = Jobs()
    running, queued = jobs.submit("a", Gate()), jobs.submit("b", Gate())
    until(lambda: jobs.status(running.id).done > 0)
    jobs.close()
    assert jobs.status(running.id).state == jobs.status(queued.id).state == "cancelled"
    with pytest.raises(AttentionVizError):
        jobs.submit("c", Gate())


def test_clicks_go_before_searches_in_order():
    lock, order = DeviceLock(), []

    def take(name, priority):
        with lock.turn(priority):
            order.append(name)

    asked = [("s1", Priority.SEARCH), ("c1", Priority.CLICK), ("s2", Priority.SEARCH)]
    asked += [("c2", Priority.CLICK)]
    with lock.turn():
        threads = _queue_up(lock, take, asked)
    for thread in threads:
        thread.join(PATIENCE)
    assert order == ["c1", "c2", "s1", "s2"]


def test_a_search_is_not_starved_by_clicks():
    lock, order = DeviceLock(patience=2), []

    def take(name, priority):
        with lock.turn(priority):
            order.append(name)

    asked = [("search", Priority.SEARCH)] + [(f"c{n}", Priority.CLICK) for n in range(5)]
    with lock.turn():
        threads = _queue_up(lock, take, asked)
    for thread in threads:
        thread.join(PATIENCE)
    assert order == ["c0", "c1", "search", "c2", "c3", "c4"]


def _queue_up(lock, take, asked):
    """Start a thread per turn, each one in the queue before the next is started."""
    threads = []
    for name, priority in asked:
        before = lock.waiting(priority)
        threads.append(threading.Thread(target=take, args=(name, priority)))
        threads[-1].start()
        until(lambda p=priority, n=before: lock.waiting(p) == n + 1)
    return threads


def test_turns_exclude_each_other():
    lock, inside, most = DeviceLock(), [], []

    def work(priority):
        for _ in range(200):
            with lock.turn(priority):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work, args=(p,)) for p in [*Priority] * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(most) == 1200 and set(most) == {1}


def test_a_thread_may_take_its_turn_again_and_an_error_gives_it_back():
    lock = DeviceLock()
    with pytest.raises(KeyError), lock.turn(), lock.turn(Priority.SEARCH):
        raise KeyError
    taken = threading.Event()

    def take():
        with lock.turn():
            taken.set()

    threading.Thread(target=take).start()
    assert taken.wait(PATIENCE)


def test_a_pace_raises_cancelled_at_the_next_report_and_still_tells():
    flag, heard = threading.Event(), []
    pace = JobPace(DeviceLock(), cancelled=flag, listener=lambda *news: heard.append(news))
    pace.report(1, 2, "part")
    assert not pace.is_cancelled
    flag.set()
    assert pace.is_cancelled
    with pytest.raises(Cancelled):
        pace.report(2, 2, "more")
    assert heard == [(1, 2, "part"), (2, 2, "more")]
