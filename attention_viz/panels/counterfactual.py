"""Builds the counterfactual prompt from the prompt: a menu of ways beside its box.

What was built is put into the box and run, so that nobody takes it for what is shown.
"""

from typing import Any

import dash_bootstrap_components as dbc
from dash import ALL, Dash, Input, Output, State, ctx, html, no_update

from attention_viz.panels.common import NotReady, ask, state_of, toast
from attention_viz.panels.ids import PAGE, TOAST
from attention_viz.panels.prompt import (
    COUNTERFACTUAL,
    PROMPT,
    check_prompt,
    run_patch,
    with_prompt,
)
from attention_viz.records.circuits.counterfactual import Counterfactual, CounterfactualRequest, Way
from attention_viz.records.errors import AttentionVizError
from attention_viz.records.page import PageState
from attention_viz.records.question import Question

_ITEM = "build-way"
_ABOUT = {
    Way.NAMES: "The name said last becomes the other one, or two names change places",
    Way.REPEATED: "The word that comes twice becomes another one where it comes last",
    Way.RANDOM: "One token becomes a random word; press again for another",
}


def layout() -> html.Div:
    items = [
        dbc.DropdownMenuItem(
            [
                html.Span(f"{way.value[0].upper()}{way.value[1:]}", className="example-title"),
                html.Span(about, className="example-about"),
            ],
            id={"type": _ITEM, "way": way.value},
            n_clicks=0,
        )
        for way, about in _ABOUT.items()
    ]
    menu = dbc.DropdownMenu(items, label="Build", id="build-menu", align_end=True)
    return html.Div(menu, className="build", title="Make a counterfactual of the prompt and run it")


def build(workbench: Any, state: PageState, way: Way, seed: int = 0) -> Counterfactual:
    """A counterfactual of the page's prompt.

    Raises NotReady while the model is loaded, and BadInput for a prompt that can't be read or
    that has nothing to change in this way.
    """
    check_prompt(workbench, state.change(counterfactual=""))
    plain = Question(state.model, state.prompt, state.position, state.bos)
    return ask(workbench, CounterfactualRequest(plain, way, seed=seed))


def register(app: Dash, workbench: Any) -> None:
    @app.callback(
        Output(COUNTERFACTUAL, "value", allow_duplicate=True),
        Output(PAGE, "data", allow_duplicate=True),
        Output(TOAST, "data", allow_duplicate=True),
        Input({"type": _ITEM, "way": ALL}, "n_clicks"),
        State(PROMPT, "value"),
        State(PAGE, "data"),
        prevent_initial_call=True,
    )
    def fill(clicks: list[int], prompt: str | None, page: dict) -> tuple:
        if not any(clicks):
            return no_update, no_update, no_update
        try:
            way = Way(ctx.triggered_id["way"])
            typed = with_prompt(state_of(page), prompt or "", "")
            made = build(workbench, typed, way, seed=ctx.triggered[0]["value"] - 1)
        except NotReady:
            says = toast("The model is still loading.", "Build again when it is there.", "warning")
            return no_update, no_update, says
        except AttentionVizError as error:
            return no_update, no_update, toast(error)
        return made.text, run_patch(typed.change(counterfactual=made.text)), no_update
