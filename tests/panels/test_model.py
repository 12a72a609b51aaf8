"""The menu of models: loading, failing, trying again."""

from dash import no_update

from attention_viz.panels.model import draw_chip, option, settled, sizes, with_model
from attention_viz.panels.news import ended_jobs, is_busy, job_mark, read_news
from attention_viz.panels.requests import search_request, sweep_request
from attention_viz.records.job import JobStatus
from tests.panels.fakes import ENTRIES, FakeWorkbench, info_of, said
from tests.panels.views import MARY

WANTED = {"name": "other", "at": 1}
PAGE = MARY.to_json()


def test_sizes_are_named_once_they_are_known():
    assert sizes(info_of(layers=4, heads=8)) == "4 layers × 8 heads · 2.4 M"
    assert "small" in said(option(ENTRIES[0], None)["label"])
    assert "2 layers" in said(option(ENTRIES[0], info_of())["label"])


def test_the_page_stays_with_the_old_model_while_another_is_loaded():
    bench = FakeWorkbench(other=("loading", "fetching 40 %"))
    assert settled(bench, WANTED, PAGE) == (no_update,) * 5
    chip = said(draw_chip(bench.status("embedded"), bench.status("other")))
    assert chip == "loading other… fetching 40 %"


def test_a_model_that_is_there_takes_the_page_without_the_old_ones_ids():
    bench = FakeWorkbench(other=("ready", ""))
    page = MARY.change(answer=3, flip_to=4, position=2)
    data, restored, wanted, _, _ = settled(bench, WANTED, page.to_json())
    assert data == restored == with_model(page, "other").to_json()
    assert (data["model"], data["heads"], data["answer"], data["flip_to"]) == (
        "other",
        [],
        None,
        None,
    )
    assert data["prompt"] == MARY.prompt and wanted is None


def test_a_failure_is_said_once_and_can_be_tried_again():
    bench = FakeWorkbench(other=("failed", "No connection. Use a folder."))
    data, _, wanted, menu, says = settled(bench, WANTED, PAGE)
    assert data is no_update and menu == "embedded"
    assert "stays with embedded" in says[0]["message"]
    assert says[0]["remedy"] == "No connection. Use a folder."
    assert settled(bench, wanted, PAGE) == (no_update,) * 5
    assert "other failed" in said(draw_chip(bench.status("embedded"), bench.status("other")))


def test_news_of_jobs_tell_others_their_kind_only():
    mine = JobStatus("job-1", sweep_request(MARY), "running", done=2, total=4, seconds=1.23)
    bench = FakeWorkbench(mine)
    bench.jobs.active = lambda: (mine,)
    news = read_news(bench, "embedded", None, None)
    assert news["jobs"][0]["label"] == "sweep" and MARY.prompt not in str(news)
    assert is_busy(news)
    bench.jobs.active = lambda: ()
    later = read_news(bench, "embedded", None, news)
    assert later["over"] == ["job-1"] and not is_busy(later)


def test_the_timer_runs_while_a_model_is_loaded():
    bench = FakeWorkbench(other=("loading", ""))
    bench.jobs.active = lambda: ()
    assert is_busy(read_news(bench, "embedded", "other", None))
    assert not is_busy(read_news(bench, "embedded", None, None))
    assert is_busy(read_news(bench, "other", None, None))


def test_marks_follow_the_pages_own_jobs():
    mine = JobStatus("job-1", sweep_request(MARY), "running", done=2, total=4)
    bench = FakeWorkbench(mine)
    assert job_mark(bench, PAGE, sweep_request) == "job-1 running 2 0"
    assert job_mark(bench, MARY.change(position=3).to_json(), sweep_request) == ""
    assert job_mark(bench, PAGE, search_request) == ""  # no token to flip to


def test_jobs_that_are_over_or_forgotten_have_ended():
    over = JobStatus("job-1", None, "done")
    running = JobStatus("job-2", None, "running")
    followed = {"job-1": True, "job-2": True, "job-3": True}
    assert ended_jobs(FakeWorkbench(over, running), followed) == ["job-1", "job-3"]
