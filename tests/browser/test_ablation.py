"""Ablate, sweep, and a search that flips Mary to John; every number as the command line's."""

import pytest

from tests.browser.wording import (
    DEFAULT_QUESTION,
    HEADS,
    SWAPPED,
    by_token,
    rounded,
    shown,
    to_number,
)

CHOSEN = ("L2H3", "L3H1")


@pytest.mark.parametrize("kind", ["zero", "mean", "resample"])
def test_ablating_shows_the_command_lines_numbers(person, site, kind):
    person.selects(*CHOSEN)
    person.until(lambda: person.state().flip_to is not None, "the example's token to flip to")
    person.chooses("#kind", kind)
    person.until(lambda: f"{kind} ablation" in person.text("#prediction"), f"{kind} ablation")
    asked = site.cli("ablate", *DEFAULT_QUESTION, "--heads", ",".join(CHOSEN), "--kind", kind)

    for run in ("clean", "ablated"):
        known = by_token(asked[run]["top"])
        bars = person.bars(run)
        assert len(bars) == 5 and set(bars) & set(known)
        for token in set(bars) & set(known):
            assert bars[token] == rounded(known[token], 6)
    assert to_number(person.text("#kl")) == rounded(asked["kl"], 2)

    person.opens_view("ablation")
    person.until(lambda: tiles(person), "the numbers before and after")
    told = tiles(person)
    assert to_number(told["KL(clean ‖ ablated)"]) == rounded(asked["kl"], 2)
    difference = asked["logit_diff"]
    assert to_number(told["logit ␣Mary − ␣John"]) == rounded(difference["clean"], 2)
    assert to_number(told["entropy"].split("→")[1]) == rounded(asked["ablated"]["entropy"], 2)
    rows = person.table("The next token before and after the ablation")
    assert len(rows) == len(asked["rank_changes"])
    for row, change in zip(rows, asked["rank_changes"], strict=True):
        assert row[0] == shown(change["token"])
        assert to_number(row[1]) == rounded(change["probability"]["clean"], 3)
        assert to_number(row[2]) == rounded(change["probability"]["ablated"], 3)


def test_sweeping_shows_the_command_lines_effects(person, site):
    person.until(lambda: len(person.effects()) == len(HEADS), "the default sweep")
    person.until(lambda: person.state().flip_to is not None, "the example's token to flip to")
    compare_grid(person, site.cli("sweep", *DEFAULT_QUESTION)["effect"])

    person.opens_view("ablation")
    person.picks_in_menu("metric", "logit difference")
    person.clicks("#sweep")
    person.until(
        lambda: all("logit difference" in title for title in person.grid().values()),
        "a sweep of the logit difference",
    )
    asked = site.cli("sweep", *DEFAULT_QUESTION, "--metric", "logit_diff")
    compare_grid(person, asked["effect"])
    exact = by_head(asked["effect"])
    strongest = max(exact, key=lambda head: abs(exact[head]))
    person.until(lambda: f"Strongest: {strongest}" in person.text("#sweep-note"), "the bars' note")
    bars = person.figure("#sweep-plot")
    drawn = {facts[0]: y for facts, y in zip(bars["customdata"], bars["y"], strict=True)}
    assert drawn == {head: rounded(exact[head], 5) for head in drawn}
    person.unfolds("Table: all heads, ranked")
    title = "Effect of each head on logit difference"
    rows = person.until(lambda: person.table(title), "the table")
    assert {row[1]: to_number(row[2]) for row in rows} == {
        head: rounded(effect, 3) for head, effect in exact.items()
    }


def test_a_targeted_search_flips_mary_to_john(person, site):
    person.until(lambda: len(person.effects()) == len(HEADS), "the default sweep")
    person.until(lambda: person.state().flip_to is not None, "the example's token to flip to")
    person.picks_in_list("pick-flip-to-box", "␣Paris", typed="Paris")
    paris = site.workbench.token_id("embedded", " Paris")
    person.until(lambda: person.state().flip_to == paris, "any token can be chosen")
    person.picks_in_list("pick-flip-to-box", "␣John", typed="John")
    john = site.workbench.token_id("embedded", " John")
    person.until(lambda: person.state().flip_to == john, "John is to win")

    person.opens_view("ablation")
    person.clicks("#find")
    person.until(person.selected, "heads found and selected")
    asked = site.cli(
        *("search", *DEFAULT_QUESTION, "--objective", "flip"),
        *("--flip-to", " John", "--max-heads", 5),
    )
    assert asked["flipped"] and asked["minimal"]
    assert person.selected() == sorted(asked["heads"])
    person.until(lambda: person.top_token("ablated") == "␣John", "the rail's top-1")
    person.until(
        lambda: "top-1 flipped ␣Mary → ␣John" in person.text("#prediction"), "the flip in words"
    )
    person.until(
        lambda: "Minimal: no head can be dropped." in person.text("#search-state"), "the verdict"
    )
    person.sees_toast("Found and selected")

    person.unfolds("Table: step by step")
    title = "margin of the flip-to token (logits)"
    person.until(lambda: len(person.table(title)) == len(asked["steps"]), "the steps")
    for row, step in zip(person.table(title), asked["steps"], strict=True):
        assert row[0].endswith(step["action"]) and row[1] == step["head"]
        assert to_number(row[3]) == rounded(step["score"], 3)
        assert row[6] == shown(step["top"]["token"])


def test_fast_clicks_end_with_the_numbers_of_the_last(person, site):
    """Ten heads, one click right after the other: what is shown is of all ten."""
    person.until(lambda: len(person.effects()) == len(HEADS), "the default sweep")
    person.until(lambda: person.state().flip_to is not None, "the example's token to flip to")
    chosen = HEADS[3:30:3] + HEADS[31:]
    click = """return (async (heads) => {
        for (const head of heads) {
            document.querySelector(`.head-grid [data-head=${head}]`).click();
            await new Promise((go) => setTimeout(go, 20));
        }
    })(arguments[0])"""
    person.js(click, chosen)
    assert person.selected() == sorted(chosen)
    person.settles()
    asked = site.cli("ablate", *DEFAULT_QUESTION, "--heads", ",".join(chosen))
    known = by_token(asked["ablated"]["top"])
    bars = person.bars("ablated")
    assert set(bars) & set(known)
    for token in set(bars) & set(known):
        assert bars[token] == rounded(known[token], 6)
    assert to_number(person.text("#kl")) == rounded(asked["kl"], 2)


def test_results_of_an_older_prompt_are_marked(person):
    person.selects(*CHOSEN)
    person.until(lambda: person.bars("ablated"), "both runs")
    person.writes("#prompt", SWAPPED)
    person.until(lambda: person.is_shown("#edited-note"), "a note that the prompt was edited")
    person.until(lambda: person.is_shown("#results.is-edited"), "older results stepping back")
    person.clicks("#run")
    person.until(lambda: person.top_token("clean") == "␣John", "the new prompt's answer")
    person.until(lambda: not person.is_shown("#edited-note"), "the note gone")


def tiles(person):
    """The numbers before and after, by name."""
    return dict(zip(person.texts(".tile-name"), person.texts(".tile-value"), strict=True))


def by_head(effect):
    """Effects by the heads' names."""
    return {
        f"L{layer}H{head}": value
        for layer, row in enumerate(effect)
        for head, value in enumerate(row)
    }


def compare_grid(person, effect):
    exact = {head: rounded(value, 4) for head, value in by_head(effect).items()}
    assert person.effects() == exact


def test_strategies_alternatives_and_closer_looks(person, site):
    """Another strategy, other minimal sets, and each closer look measured and drawn."""
    person.until(lambda: len(person.effects()) == len(HEADS), "the default sweep")
    person.until(lambda: person.state().flip_to is not None, "the example's token to flip to")
    person.opens_view("ablation")
    person.picks_in_menu("study-strategy", "beam")
    person.until(lambda: person.state().strategy == "beam", "the strategy")
    person.until(lambda: "The best sets of each size" in person.text("#study-estimate"), "about it")
    person.until(lambda: "runs" in person.text("#study-estimate"), "what it would take")
    person.clicks("#find")
    person.until(person.selected, "heads found and selected")
    asked = site.cli("search", *DEFAULT_QUESTION, "--flip-to", " John", "--strategy", "beam")
    assert person.selected() == sorted(asked["heads"])
    if asked["alternatives"]:
        person.until(lambda: person.is_shown(".alternatives"), "other minimal sets")
        for heads in asked["alternatives"]:
            assert all(head in person.text(".alternatives") for head in heads)

    heads = ",".join(asked["heads"])
    looks = {
        "cost": "cost to flip",
        "dose": "dose and response",
        "redundancy": "redundancy",
        "positions": "position × head",
        "control": "random control",
        "agreement": "agreement of kinds",
    }
    for name, label in looks.items():
        person.chooses("#look", label)
        person.until(lambda name=name: person.state().ablation.look == name, f"the look {name}")
        person.clicks("#measure")
        drawn = "#look-result [aria-label='cost to flip']" if name == "cost" else f"#look-{name}"
        person.until(lambda drawn=drawn: person.is_shown(drawn), f"{name} drawn")
        person.until(lambda: "runs in" in person.text("#look-told"), f"{name} measured")
    found = site.cli("look", "dose", *DEFAULT_QUESTION, "--heads", heads)
    person.chooses("#look", looks["dose"])
    for flip in found["flips"]:
        scale = f"{flip['scale']:.2f}".replace("-", "−")
        person.until(
            lambda scale=scale: f"at {scale} from" in person.text("#look-told"), "the flip"
        )
