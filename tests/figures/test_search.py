"""The course of a search."""

from dataclasses import replace

from attention_viz.figures.palette import DARK
from attention_viz.figures.search import draw_steps
from attention_viz.records.search import Objective
from tests.builders import search_of


def test_each_step_has_its_score_and_its_runner_up():
    result = search_of()
    figure = draw_steps(result)
    not_taken, taken = figure.data
    assert list(taken.y) == [-1.5, -0.4, 1.2, 0.7]
    assert list(not_taken.y) == [-1.9, -0.6, None, -0.2]
    assert list(figure.layout.xaxis.ticktext) == ["+ L2H3", "+ L0H6", "+ L3H1", "− L0H6"]
    assert [list(facts) for facts in taken.customdata[1:3]] == [
        ["L0H6", "+ L0H6", "L2H3, L0H6: −0.400 logits", "␣Mary", "next best L3H1: −0.600 logits"],
        ["L3H1", "+ L3H1", "L2H3, L0H6, L3H1: +1.200 logits", "␣John", "no other head tried"],
    ]


def test_scores_are_of_runs_with_the_set_ablated():
    not_taken, taken = draw_steps(search_of(), "dark").data
    assert taken.line.color == taken.marker.color == DARK.ablated
    assert not_taken.marker.line.color == DARK.muted


def test_the_flip_is_a_line_at_0():
    assert len(draw_steps(search_of()).layout.shapes) == 1
    kl = draw_steps(search_of(Objective.KL))
    assert not kl.layout.shapes and "nats" in kl.layout.yaxis.title.text


def test_before_the_first_step():
    figure = draw_steps(replace(search_of(), steps=()))
    assert not figure.data and figure.layout.annotations
