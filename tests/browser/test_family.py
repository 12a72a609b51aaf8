"""A set over a family of pairs, by a person: measured, a pair opened, and heads found over it."""

import pytest

from attention_viz.records.page import PageState
from tests.browser.wording import MARY, SWAPPED, to_number

HEADS = ("L3H0", "L3H2")


@pytest.fixture
def person(visit, site):
    page = PageState(prompt=MARY, counterfactual=SWAPPED, heads=HEADS, view="ablation")
    page = page.put("ablation", look="family", pair_count=8)
    person = visit(site, page.to_fragment())
    person.until(lambda: person.is_shown("#family"), "the families")
    return person


def test_a_set_is_measured_over_a_family_and_a_pair_opened(person, site):
    person.clicks("#measure")
    person.until(lambda: "runs in" in person.text("#look-told"), "the family measured")
    argv = ("look", "family", "--heads", ",".join(HEADS), "--family", "indirect object ABBA")
    asked = site.cli(*argv, "--pairs", "8")
    rate = asked["rates"]["distractor"]
    assert f"{rate['count']} of {rate['of']}" in person.text("#look-told")
    spec = person.matrix("#look-family")
    assert len(spec["columns"]["names"]) == 8
    for row, name in enumerate(("clean", "ablated")):
        told = [each[name] for each in asked["pairs"]]
        assert person.values("#look-family")[row] == pytest.approx(told, abs=1e-3)

    person.clicks("#look-fold > summary")
    person.until(lambda: person.is_shown("[data-act='open-pair']"), "buttons that open a pair")
    person.clicks("tbody tr:nth-child(3) [data-act='open-pair']")
    pair = asked["pairs"][2]["pair"]
    person.until(lambda: person.state().prompt == pair["clean"], "the third pair")
    assert person.value("#prompt") == pair["clean"]
    assert person.value("#counterfactual") == pair["counterfactual"]
    assert person.state().heads == HEADS

    person.until(lambda: person.is_shown("#look-family canvas"), "the strip")
    person.js(
        "const canvas = document.querySelector('#look-family canvas');"
        "canvas.scrollIntoView({block: 'center'}); canvas.focus();"
    )
    person.presses("\ue007")  # Enter opens the first pair that flips, where the cursor starts
    person.until(lambda: person.state().prompt != pair["clean"], "another pair")
    assert person.state().prompt in [each["pair"]["clean"] for each in asked["pairs"]]


def test_heads_are_found_over_a_family(person):
    person.until(lambda: "at most" in person.text("#family-found"), "what it would take")
    person.clicks("#family-find")
    person.until(lambda: person.is_shown("#family-told"), "the set found")
    told = person.text("#family-told")
    assert "Training pairs: " in told and "Held-out pairs: " in told and "random sets" in told
    assert to_number(told.split("Held-out pairs: ")[1].split(" of ")[0]) <= 4
    names = person.texts("#family-set .head-chip")
    person.clicks("#family-found [data-heads]")
    person.until(lambda: set(person.state().heads) == set(names), "the heads selected")
