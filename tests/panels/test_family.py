"""The look over a family of pairs on the page: its pairs, its strip, and the search over it."""

import base64

import pytest

from attention_viz.panels.kit.html import to_html
from attention_viz.panels.views.ablation import family, look
from attention_viz.panels.views.ablation.requests import (
    family_pairs,
    family_search_request,
    look_request,
)
from attention_viz.records.errors import BadInput
from attention_viz.records.family_search import FamilyEstimateRequest
from attention_viz.records.job import JobStatus
from attention_viz.records.looks.family import PairFlip
from attention_viz.records.page import PageState
from attention_viz.records.search import Estimate
from attention_viz.records.statistics import Rate
from tests.builders import family_of, family_search_of
from tests.panels.fakes import FakeWorkbench, said
from tests.panels.views import MARY, StubWorkbench, by_id, draw, find_all, text_of

SHOWING = MARY.put("ablation", look="family", family="induction", pair_count=7)
GIVEN = (("one two", "one three", " four", " five"),)


def test_the_pairs_are_those_chosen():
    pairs = family_pairs(SHOWING)
    assert (pairs.family, pairs.count, pairs.question.prompt) == ("induction", 7, "")
    own = SHOWING.put("ablation", family="given")
    with pytest.raises(BadInput, match="No pairs of your own"):
        family_pairs(own)
    [pair] = family_pairs(own.put("circuit", given_pairs=GIVEN)).given
    assert pair.answer == " four"


def test_the_search_is_asked_as_the_page_says():
    state = SHOWING.change(max_heads=3, kind="mean").put("ablation", flip="sign", share=0.6)
    request = family_search_request(state)
    assert (request.flip, request.share, request.max_heads) == (PairFlip.SIGN, 0.6, 3)
    assert request.ablation == state.intervention and request.pairs == family_pairs(state)


def test_a_click_on_a_pair_opens_it():
    """The strip's cells and the table's buttons ask for the same act."""
    bench = StubWorkbench(known={look_request(SHOWING): family_of()})
    drawn = draw(look, "look-result", bench, SHOWING)
    assert '"click":{"act":"open-pair"}' in by_id(drawn, "look-family").props["data-matrix"]
    buttons = find_all(draw(look, "look-table", bench, SHOWING), "Button")
    openers = [each for each in buttons if each.props.get("data-act") == "open-pair"]
    assert [each.props["data-payload"] for each in openers] == [
        '{"col":0}',
        '{"col":1}',
        '{"col":2}',
    ]
    outcome = look.ACTS["open-pair"](bench, SHOWING, {"row": 1, "col": 1})
    pair = family_of().pairs[1].pair
    page = outcome.page
    assert (page.prompt, page.counterfactual) == (pair.text.clean, pair.text.counterfactual)
    assert (page.answer, page.distractor) == (pair.answer.id, pair.distractor.id)
    assert page.flip_to == pair.distractor.id and page.heads == SHOWING.heads
    assert outcome.values == {
        "prompt": pair.text.clean,
        "counterfactual": pair.text.counterfactual,
    }


@pytest.mark.parametrize("payload", [{}, {"col": 3}, {"col": -1}, {"col": True}, {"col": "0"}])
def test_a_pair_that_is_not_there_is_not_opened(payload):
    bench = StubWorkbench(known={look_request(SHOWING): family_of()})
    with pytest.raises(BadInput, match="no such pair"):
        look.ACTS["open-pair"](bench, SHOWING, payload)
    with pytest.raises(BadInput, match="no such pair"):
        look.ACTS["open-pair"](StubWorkbench(), SHOWING, {"col": 0})


def test_a_file_of_pairs_is_read_for_both_views():
    text = b"clean,counterfactual,answer,distractor\none two,one three, four, five\nx,,y,z\n"
    contents = "data:text/csv;base64," + base64.b64encode(text).decode()
    payload = {"contents": contents, "name": "<b>.csv"}
    outcome = look.ACTS["family-file"](StubWorkbench(), SHOWING, payload)
    assert outcome.page.ablation.family == "given"
    assert outcome.page.circuit.given_pairs == GIVEN
    name, told = outcome.place
    assert f'id="{name}"' in to_html(look.layout())
    assert "1 pair read" in text_of(told) and "line 3" in text_of(told)
    assert "<b>.csv" not in to_html(told)


def found(job=None, known=None, state=SHOWING):
    return draw(family, "family-found", FakeWorkbench(*([job] if job else []), known=known), state)


def test_what_a_search_would_take_is_said_before():
    request = FamilyEstimateRequest(family_search_request(SHOWING))
    assert "at most 1,234 runs" in text_of(found(known={request: Estimate(1234, 7.0)}))


def test_nothing_is_asked_where_another_look_is_shown():
    assert found(state=SHOWING.put("ablation", look="dose")) is None


def test_a_running_search_shows_its_best_set_and_can_be_stopped():
    request = family_search_request(SHOWING)
    partial = family_search_of(train=Rate(2, 4))
    job = JobStatus("job-1", request, "running", done=40, total=900, partial=partial)
    drawn = found(job)
    assert "so far" in text_of(drawn) and "2 of 4 pairs tried" in text_of(drawn)
    assert "40 of 900 runs" in text_of(drawn)
    assert text_of(by_id(drawn, "cancel-family")) == "Cancel"


def test_what_was_found_is_told_with_its_rates_and_its_control():
    drawn = found(known={family_search_request(SHOWING): family_search_of()})
    told = said(by_id(drawn, "family-told"))
    assert "Training pairs: 8 of 9 (89 %" in told and "Held-out pairs: 6 of 9 (67 %" in told
    assert "2 of 4 random sets" in told and "Minimal" in told and "Smallest" in told
    assert "2 pairs the clean model does not answer right" in told
    [select] = [b for b in find_all(drawn, "Button") if text_of(b) == "Select these"]
    assert select.props["data-heads"] == '["L0H1","L2H2"]'
    assert len(find_all(by_id(drawn, "family-steps"), "Tr")) == 3


def test_a_cancelled_search_keeps_what_it_found():
    request = family_search_request(SHOWING)
    partial = family_search_of(held_out=None, random=(), minimal=None, stopped="cancelled")
    job = JobStatus("job-1", request, "cancelled", done=40, total=900, partial=partial)
    drawn = found(job)
    assert "Cancelled after 40 of 900 runs" in text_of(drawn) and by_id(drawn, "family-set")
    assert "Held-out" not in text_of(drawn)


def test_a_share_that_was_not_reached_is_said():
    result = family_search_of(train=Rate(3, 9), stopped="max heads", minimal=None, smallest=None)
    told = text_of(found(known={family_search_request(SHOWING): result}))
    assert "Fewer than 80 % of the training pairs flip." in told


def test_find_submits_the_search_of_pairs_that_can_be_asked(bench):
    outcome = look.ACTS["family-find"](bench, SHOWING, {})
    [job] = outcome.submitted
    assert job.request == family_search_request(SHOWING)
    with pytest.raises(BadInput, match="No pairs of your own"):
        look.ACTS["family-find"](bench, SHOWING.put("ablation", family="given"), {})


def test_links_before_families_are_read():
    assert PageState.from_json({"ablation": {"look": "dose"}}).ablation.family
    for name, value in (("family", "x"), ("share", 0), ("share", 1.5), ("flip", "x")):
        with pytest.raises(BadInput):
            PageState.from_json({"ablation": {name: value}})
