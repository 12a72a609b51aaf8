"""Prompts in one click, each with a behaviour known from the literature."""

from dataclasses import dataclass
from typing import Any

from attention_viz.panels.kit import html
from attention_viz.panels.kit.acts import Act, Outcome, act_button
from attention_viz.records.bench import Bench
from attention_viz.records.errors import BadInput
from attention_viz.records.page import PageState
from attention_viz.records.page.checks import is_whole


@dataclass(frozen=True)
class Example:
    """A prompt, what to compare it with, and the token a search may make win."""

    title: str
    prompt: str
    about: str
    counterfactual: str = ""  # as many tokens as the prompt
    flip_to: str = ""  # one token, with its leading space


EXAMPLES = (
    Example(
        "Indirect object",
        "When Mary and John went to the store, John gave a drink to",
        "Who gets the drink? The name that was said once.",
        "When Mary and John went to the store, Mary gave a drink to",
        " John",
    ),
    Example(
        "Induction",
        "window silver garden orange window silver garden",
        "What came after the last word before?",
        flip_to=" window",
    ),
    Example(
        "Agreement",
        "The key to the cabinets",
        "The verb agrees with the key, not with the cabinets.",
        "The keys to the cabinets",
        " are",
    ),
    Example(
        "Too big, too small",
        "The trophy doesn't fit in the brown suitcase because it's too",
        "What is said of the trophy?",
        flip_to=" small",
    ),
    Example(
        "Landmark",
        "The Eiffel Tower is in",
        "A fact to recall.",
        flip_to=" Rome",
    ),
    Example(
        "Greater than",
        "The war lasted from the year 1741 to the year 17",
        "Years after 41 are more probable than those before.",
    ),
    Example(
        "Successor",
        "Monday, Tuesday, Wednesday,",
        "What comes next in the order?",
        flip_to=" Friday",
    ),
)


def example_state(example: Example, state: PageState) -> PageState:
    """The page with an example on it: what belonged to the prompt before is let go."""
    return state.with_prompt(example.prompt, example.counterfactual).change(
        position=-1,
        answer=None,
        distractor=None,
        flip_to=None,  # suggested once the vocabulary is there
        heads=(),
    )


def example_of(prompt: str) -> Example | None:
    """The example with this prompt."""
    return next((example for example in EXAMPLES if example.prompt == prompt), None)


def suggested_flip(bench: Bench, state: PageState) -> PageState:
    """The page with its example's token to flip to, where none is chosen and the model has it."""
    example = example_of(state.prompt)
    is_open = state.flip_to is None and example is not None and example.flip_to
    if not is_open or bench.status(state.model).state != "ready":
        return state
    try:
        return state.change(flip_to=bench.token_id(state.model, example.flip_to))
    except BadInput:  # this model has no such token
        return state


def layout() -> html.Node:
    items = [
        act_button(
            [
                html.Span(example.title, className="example-title"),
                html.Span(example.prompt, className="example-prompt"),
                html.Span(example.about, className="example-about"),
            ],
            "example",
            {"index": index},
            className="menu-item",
        )
        for index, example in enumerate(EXAMPLES)
    ]
    opener = html.Summary("Examples", className="btn btn-ghost")
    return html.Details(
        [opener, html.Div(items, className="menu wide")], id="examples", className="menu-button"
    )


def _show(bench: Bench, state: PageState, payload: dict[str, Any]) -> Outcome:
    index = payload.get("index")
    if not is_whole(index) or index not in range(len(EXAMPLES)):
        raise BadInput("There is no such example.", "Choose one of the menu.")
    shown = suggested_flip(bench, example_state(EXAMPLES[index], state))
    texts = {"prompt": shown.prompt, "counterfactual": shown.counterfactual}
    return Outcome(page=shown, values=texts)


ACTS: dict[str, Act] = {"example": _show}
