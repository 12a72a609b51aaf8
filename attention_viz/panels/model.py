"""The menu of models: choosing one loads it; the page stays with the old one until it is there."""

import time
from typing import Any

from dash import Dash, Input, Output, State, ctx, dcc, html, no_update

from attention_viz.panels.common import loading_text, state_of, toast
from attention_viz.panels.ids import MODEL_NEWS, PAGE, RESTORED, TOAST
from attention_viz.records.errors import AttentionVizError
from attention_viz.records.model import ModelEntry, ModelInfo, ModelStatus
from attention_viz.records.page import PageState

WANTED = "model-wanted"  # {name, at} of the model that is to come on the page
MENU = "model-menu"


def layout(workbench: Any) -> html.Div:
    entries = workbench.catalogue.entries
    return html.Div(
        [
            dcc.Store(id=WANTED),
            html.Label("Model", htmlFor=MENU, className="visually-hidden"),
            dcc.Dropdown(
                id=MENU,
                options=[option(entry, None) for entry in entries],
                value=entries[0].name,
                clearable=False,
                searchable=False,
                className="model-menu",
            ),
            html.Div(id="model-chip", className="model-chip"),
            html.Button(
                "Try again", id="model-retry", className="btn btn-sm", type="button", hidden=True
            ),
        ],
        className="model",
    )


def sizes(info: ModelInfo) -> str:
    """ "4 layers × 8 heads · 2.4 M"."""
    millions = info.parameters / 1e6
    count = f"{millions:.1f} M" if millions < 10 else f"{millions:.0f} M"
    if millions >= 1000:
        count = f"{millions / 1000:.1f} B"
    return f"{info.layers} layers × {info.heads} heads · {count}"


def option(entry: ModelEntry, info: ModelInfo | None) -> dict[str, Any]:
    """A line of the menu: the name, and the sizes where they are known."""
    detail = sizes(info) if info else entry.about
    label = html.Span([entry.name, html.Small(detail)], className="model-option")
    return {"label": label, "value": entry.name, "search": entry.name}


def draw_chip(status: ModelStatus, wanted: ModelStatus | None) -> Any:
    """The device, or what is being loaded, or that it failed."""
    shown = wanted if wanted is not None and wanted.state != "ready" else status
    name = shown.entry.name
    if shown.state == "ready":
        device = html.Span(shown.info.device, className="chip", title=facts(shown.info))
        return html.Div([device, draw_badge(shown.info)], className="chips")
    if shown.state == "failed":
        return html.Span(f"{name} failed", className="chip bad", title=shown.message)
    text = loading_text(name, shown.message)
    return html.Span(
        [html.Span(className="spinner"), html.Span(text)], className="chip busy", role="status"
    )


def draw_badge(info: ModelInfo) -> Any:
    """What was tested of the intervention when the model was loaded; those who fail are refused."""
    if not info.checks:
        return None
    told = "\n".join(f"{check.claim}: off by {check.error:.1g}" for check in info.checks)
    title = f"Tested when the model was loaded (relative differences):\n{told}"
    return html.Span("✓ self-test", className="chip ok", title=title, id="self-test")


def facts(info: ModelInfo) -> str:
    """What is known of a model, for those who hover."""
    bos = "prepended" if info.prepends_bos else "not prepended"
    return (
        f"{info.architecture}, {info.dtype} on {info.device}; d_model {info.d_model}, "
        f"d_head {info.d_head}, {info.key_value_heads} key/value heads, vocabulary "
        f"{info.vocabulary}, context {info.context} tokens, beginning of text {bos}; "
        f"loaded in {info.seconds:.1f} s"
    )


def with_model(state: PageState, name: str) -> PageState:
    """The page for another model: heads and token ids of the old one mean nothing there."""
    return state.change(
        model=name,
        heads=(),
        position=-1,
        answer=None,
        distractor=None,
        flip_to=None,
        focus=None,
        maps_page=0,
    )


def wanted_status(workbench: Any, wanted: dict | None) -> ModelStatus | None:
    return workbench.status(wanted["name"]) if wanted else None


def register(app: Dash, workbench: Any) -> None:
    @app.callback(
        Output(WANTED, "data"),
        Output(TOAST, "data", allow_duplicate=True),
        Input(MENU, "value"),
        Input("model-retry", "n_clicks"),
        State(WANTED, "data"),
        State(PAGE, "data"),
        prevent_initial_call=True,
    )
    def choose(name: str, _clicks: int, wanted: dict | None, page: dict) -> tuple:
        if ctx.triggered_id == "model-retry":
            name = (wanted or {"name": page["model"]})["name"]
        elif name == page["model"]:
            # Back to the model of the page: by itself after a failure, or by second thoughts.
            is_failed = bool(wanted and wanted.get("told"))
            return no_update if is_failed else None, no_update
        try:
            workbench.load(name)
        except AttentionVizError as error:
            return no_update, toast(error)
        return {"name": name, "at": time.time()}, no_update

    @app.callback(
        Output(PAGE, "data", allow_duplicate=True),
        Output(RESTORED, "data", allow_duplicate=True),
        Output(WANTED, "data", allow_duplicate=True),
        Output(MENU, "value", allow_duplicate=True),
        Output(TOAST, "data", allow_duplicate=True),
        Input(MODEL_NEWS, "data"),
        State(WANTED, "data"),
        State(PAGE, "data"),
        prevent_initial_call=True,
    )
    def settle(_news: list, wanted: dict | None, page: dict) -> tuple:
        return settled(workbench, wanted, page)

    @app.callback(
        Output(MENU, "value", allow_duplicate=True),
        Input(RESTORED, "data"),
        State(MENU, "value"),
        prevent_initial_call=True,
    )
    def follow(page: dict, chosen: str) -> Any:
        return no_update if page["model"] == chosen else page["model"]

    @app.callback(
        Output("model-chip", "children"),
        Output("model-retry", "hidden"),
        Output(MENU, "options"),
        Input(MODEL_NEWS, "data"),
        State(WANTED, "data"),
        State(PAGE, "data"),
    )
    def draw(_news: list, wanted: dict | None, page: dict) -> tuple:
        status, other = workbench.status(page["model"]), wanted_status(workbench, wanted)
        failed = "failed" in (status.state, other.state if other else "")
        infos = [(entry, workbench.status(entry.name).info) for entry in entries(workbench)]
        return draw_chip(status, other), not failed, [option(*pair) for pair in infos]


def entries(workbench: Any) -> tuple[ModelEntry, ...]:
    return workbench.catalogue.entries


def settled(workbench: Any, wanted: dict | None, page: dict) -> tuple:
    """Page, restored, wanted, menu, toast, once the model wanted is there or has failed."""
    status = wanted_status(workbench, wanted)
    if status is None or status.state in ("loading", "not loaded") or wanted.get("told"):
        return (no_update,) * 5
    name, old = wanted["name"], page["model"]
    if status.state == "failed":
        stays = "" if name == old else f"; the page stays with {old}"
        problem = toast(f"{name} could not be loaded{stays}.", status.message)
        # Kept as wanted, so that it can be tried again.
        return no_update, no_update, wanted | {"told": True}, old, problem
    if name == old:
        return no_update, no_update, None, no_update, no_update
    data = with_model(state_of(page), name).to_json()
    return data, data, None, no_update, no_update
