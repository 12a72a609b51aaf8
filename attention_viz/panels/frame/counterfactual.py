"""Builds the counterfactual prompt from the prompt: a menu of ways beside its box.

What was built is put into the box and run, so that nobody takes it for what is shown.
"""

from typing import Any

from attention_viz.panels.frame.prompt import COUNTERFACTUAL, PROMPT, check_prompt
from attention_viz.panels.kit import html
from attention_viz.panels.kit.acts import Act, Outcome, act_button
from attention_viz.panels.kit.common import NotReady, ask
from attention_viz.records.bench import Bench
from attention_viz.records.circuits.counterfactual import (
    Counterfactual,
    CounterfactualRequest,
    Way,
)
from attention_viz.records.errors import BadInput
from attention_viz.records.page import PageState
from attention_viz.records.page.checks import is_whole
from attention_viz.records.question import Question

_ABOUT = {
    Way.NAMES: "The name said last becomes the other one, or two names change places",
    Way.REPEATED: "The word that comes twice becomes another one where it comes last",
    Way.RANDOM: "One token becomes a random word; press again for another",
}


def layout() -> html.Node:
    items = [
        act_button(
            [
                html.Span(f"{way.value[0].upper()}{way.value[1:]}", className="example-title"),
                html.Span(about, className="example-about"),
            ],
            "build",
            {"way": way.value},
            className="menu-item",
            # Each press counts one up: another random word.
            **{"data-count": "seed", "data-with": PROMPT},
        )
        for way, about in _ABOUT.items()
    ]
    opener = html.Summary(
        "Build", className="btn", title="Make a counterfactual of the prompt and run it"
    )
    return html.Details(
        [opener, html.Div(items, className="menu wide")],
        id="build-menu",
        className="menu-button build",
    )


def build(bench: Bench, state: PageState, way: Way, seed: int = 0) -> Counterfactual:
    """A counterfactual of the page's prompt.

    Raises BadInput for a prompt that can't be read or that has nothing to change in this way, and
    while the model is loaded.
    """
    check_prompt(bench, state.change(counterfactual=""))
    plain = Question(state.model, state.prompt, state.position, state.bos, chat=state.chat)
    try:
        return ask(bench, CounterfactualRequest(plain, way, seed=seed))
    except NotReady as wait:
        raise BadInput("The model is still loading.", "Build again when it is there.") from wait


def _build(bench: Bench, state: PageState, payload: dict[str, Any]) -> Outcome:
    ways = {way.value: way for way in Way}
    way, seed, prompt = ways.get(str(payload.get("way"))), payload.get("seed"), payload.get(PROMPT)
    if way is None or not is_whole(seed) or not isinstance(prompt, str):
        raise BadInput("There is no such way to build one.", "Choose one of the menu.")
    typed = state.with_prompt(prompt, "")
    made = build(bench, typed, way, seed=seed)
    return Outcome(page=state.with_prompt(prompt, made.text), values={COUNTERFACTUAL: made.text})


ACTS: dict[str, Act] = {"build": _build}
