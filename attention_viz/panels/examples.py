"""Prompts in one click, each with a behaviour known from the literature."""

from dataclasses import dataclass

import dash_bootstrap_components as dbc
from dash import ALL, Dash, Input, Output, State, ctx, html, no_update

from attention_viz.panels.common import state_of
from attention_viz.panels.ids import PAGE, RESTORED
from attention_viz.records.page import PageState


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
    return state.change(
        prompt=example.prompt,
        counterfactual=example.counterfactual,
        position=-1,
        answer=None,
        distractor=None,
        flip_to=None,  # filled in by the target panel, once the vocabulary is there
        heads=(),
        focus=None,
        maps_page=0,
    )


def example_of(prompt: str) -> Example | None:
    """The example with this prompt."""
    return next((example for example in EXAMPLES if example.prompt == prompt), None)


def layout() -> dbc.DropdownMenu:
    items = [
        dbc.DropdownMenuItem(
            [
                html.Span(example.title, className="example-title"),
                html.Span(example.prompt, className="example-prompt"),
                html.Span(example.about, className="example-about"),
            ],
            id={"type": "example", "index": index},
            n_clicks=0,
        )
        for index, example in enumerate(EXAMPLES)
    ]
    return dbc.DropdownMenu(items, label="Examples", id="examples", align_end=True)


def register(app: Dash, workbench: object) -> None:
    @app.callback(
        Output(PAGE, "data", allow_duplicate=True),
        Output(RESTORED, "data", allow_duplicate=True),
        Input({"type": "example", "index": ALL}, "n_clicks"),
        State(PAGE, "data"),
        prevent_initial_call=True,
    )
    def choose(clicks: list[int], page: dict) -> tuple:
        if not any(clicks):
            return no_update, no_update
        data = example_state(EXAMPLES[ctx.triggered_id["index"]], state_of(page)).to_json()
        return data, data
