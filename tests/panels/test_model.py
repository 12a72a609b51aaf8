"""The menu of models: loading, failing, trying again."""

from dataclasses import replace

import pytest

from attention_viz.panels.frame import model
from attention_viz.panels.frame.model import news, settle, sizes
from attention_viz.panels.kit.acts import outcome_json
from attention_viz.panels.kit.parts import Reading
from attention_viz.records.errors import BadInput
from attention_viz.records.model import SelfCheck
from tests.panels.fakes import FakeWorkbench, info_of, said
from tests.panels.views import MARY, answer, draw, find_all


def settled(bench, wanted="other", page=MARY) -> dict:
    return outcome_json(settle(bench, page, wanted), page)


def chip(bench, **local) -> str:
    return answer(model, "model-chip", bench, MARY, **local)["html"]


def test_sizes_are_named_once_they_are_known():
    assert sizes(info_of(layers=4, heads=8)) == "4 layers × 8 heads · 2.4 M"
    lines = find_all(draw(model, "model-box", FakeWorkbench(), _reading()), "option")
    assert [line.props["value"] for line in lines] == ["embedded", "other"]
    assert "2 layers" in said(lines[0]) and "from the hub" in said(lines[1])
    (unknown, _) = find_all(
        draw(model, "model-box", FakeWorkbench(embedded=("loading", "")), _reading()), "option"
    )
    assert "small" in said(unknown)


def _reading(**local):
    return Reading(MARY, {"model.wanted": local.get("wanted")})


@pytest.mark.parametrize(
    ("state", "chosen"), [("loading", "other"), ("failed", "embedded"), (None, "embedded")]
)
def test_the_menu_shows_the_model_that_comes_or_else_the_pages(state, chosen):
    bench = FakeWorkbench(**({"other": (state, "")} if state else {}))
    menu = draw(model, "model-box", bench, _reading(wanted="other" if state else None))
    (line,) = [each for each in find_all(menu, "option") if each.props["selected"]]
    assert line.props["value"] == chosen


def test_the_page_stays_with_the_old_model_while_another_is_loaded():
    bench = FakeWorkbench(other=("loading", "fetching 40 %"))
    assert settled(bench) == {"wanted": "other"}
    assert "loading other… fetching 40 %" in chip(bench, **{"model.wanted": "other"})
    assert "cpu" in chip(bench)  # this page's own model is there


def test_choosing_a_model_loads_it():
    bench = FakeWorkbench(other=("loading", ""))
    outcome = model.ACTS["model"](bench, MARY, {"value": "other"})
    assert bench.loaded == ["other"] and outcome.wanted == "other" and outcome.page is None
    for payload in ({}, {"value": "elsewhere"}, {"value": []}):
        with pytest.raises(BadInput, match="list"):
            model.ACTS["model"](bench, MARY, payload)


def test_a_model_that_is_there_takes_the_page_without_the_old_ones_ids():
    bench = FakeWorkbench(other=("ready", ""))
    page = MARY.change(answer=3, flip_to=4, position=2).put("circuit", hidden=("L2H3",))
    outcome = settle(bench, page, "other")
    assert outcome.page == page.with_model("other") and outcome.wanted == ""
    changes = settled(bench, page=page)["changes"]
    assert changes["shared.model"] == "other" and changes["shared.heads"] == []
    assert changes["shared.answer"] is changes["shared.flip_to"] is None
    assert "shared.prompt" not in changes


def test_the_pages_own_model_chosen_again_is_wanted_no_longer():
    assert settled(FakeWorkbench(), wanted="embedded") == {"wanted": ""}


def test_a_failure_is_said_once_and_can_be_tried_again():
    bench = FakeWorkbench(other=("failed", "No connection. Use a folder."))
    told = settled(bench)
    assert "stays with embedded" in told["says"][0]["message"]
    assert told["says"][0]["remedy"] == "No connection. Use a folder."
    assert "changes" not in told and told["told"] == {"failed": "other"}
    shown = chip(bench, **{"model.wanted": "other"})
    assert "other failed" in shown and "Try again" in shown
    assert 'data-act="model"' in shown and "&quot;other&quot;" in shown


def test_the_pages_own_model_can_fail_too():
    told = settled(FakeWorkbench(embedded=("failed", "Disk full.")), wanted="embedded")
    assert "stays" not in told["says"][0]["message"]
    assert "embedded failed" in chip(FakeWorkbench(embedded=("failed", "Disk full.")))


def test_the_chip_says_what_was_tested():
    shown = said(model.chip(FakeWorkbench().status("embedded")))
    assert "cpu" in shown and "self-test" not in shown
    checked = replace(info_of(), checks=(SelfCheck("scale 1 changes nothing", 1e-7),))
    badge = model.draw_badge(checked)
    assert "self-test" in said(badge) and "scale 1 changes nothing" in badge.props["title"]


def test_scripts_are_told_where_a_model_stands():
    assert news(FakeWorkbench(), "embedded")["state"] == "ready"
    assert news(FakeWorkbench(), "embedded")["heads"] == 3
    loading = news(FakeWorkbench(other=("loading", "fetching 40 %")), "other")
    assert loading == {"name": "other", "state": "loading", "message": "fetching 40 %"}
    assert news(FakeWorkbench(), "elsewhere")["state"] == "failed"


def test_what_is_particular_about_a_model_is_said():
    told = replace(info_of(), notes=("3 rows of the unembedding have no token", "odd"))
    assert model.facts(told).endswith("; 3 rows of the unembedding have no token; odd")
    assert model.facts(info_of()).endswith(" s")
