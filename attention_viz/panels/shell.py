"""The frame: top bar, prompt, the rail that stays, the tabs of views, and the page's state."""

from types import ModuleType
from typing import Any

from dash import Dash, Input, Output, State, dcc, html

from attention_viz.panels import (
    counterfactual,
    examples,
    heads,
    help,
    intervention,
    link,
    mirror,
    model,
    news,
    prediction,
    prompt,
    search,
    toasts,
)
from attention_viz.panels.common import card
from attention_viz.panels.ids import (
    ABLATION,
    CIRCUIT,
    DRAWING,
    HEADS,
    HEADS_PICKED,
    LOOK_ASKED,
    MODEL_STATUS,
    PAGE,
    POSITION_PICKED,
    QUESTION,
    RESTORED,
    SEARCH_ASKED,
    STUDY,
    SWEEP_ASKED,
    THEME,
    TOAST,
    VIEW,
    VIEWS,
)
from attention_viz.records.page import PageState

PARTS = (
    toasts,
    model,
    examples,
    link,
    news,
    prompt,
    counterfactual,
    prediction,
    heads,
    intervention,
    search,
    help,
)
_DERIVED = (QUESTION, HEADS, ABLATION, STUDY, CIRCUIT, DRAWING, VIEW, THEME)
_EVENTS = (
    RESTORED,
    TOAST,
    HEADS_PICKED,
    POSITION_PICKED,
    SEARCH_ASKED,
    SWEEP_ASKED,
    LOOK_ASKED,
)
_LOGO = "assets/logo.svg"


def layout(workbench: Any, views: dict[str, ModuleType], logo: str = _LOGO) -> html.Div:
    """The whole page, with nothing run yet. `views` holds the modules by view name."""
    return html.Div(
        [
            _stores(),
            link.layout(),
            news.layout(),
            _top_bar(workbench, logo),
            prompt.layout(counterfactual.layout()),
            html.Main(
                [_rail(), _views(views), prompt.edited_note()], id="results", className="results"
            ),
            toasts.layout(),
            help.layout(),
        ],
        className="page",
    )


def _stores() -> html.Div:
    page = dcc.Store(id=PAGE, data=PageState().to_json())
    return html.Div([page, *(dcc.Store(id=name) for name in _DERIVED + _EVENTS)])


def _top_bar(workbench: Any, logo: str) -> html.Header:
    return html.Header(
        [
            html.Div(
                [html.Img(src=logo, alt="", width=22, height=22), html.H1("Attention Viz")],
                className="logo",
            ),
            model.layout(workbench),
            html.Div(className="grow"),
            examples.layout(),
            _ghost("Copy link", "copy-link", "Copy a link to this view"),
            _ghost("?", "help-open", "Help and keys (?)"),
            _ghost(html.Span(className="theme-icon"), "theme-switch", "Light or dark"),
        ],
        className="top-bar",
    )


def _ghost(content: Any, name: str, title: str) -> html.Button:
    return html.Button(
        content,
        id=name,
        className="btn btn-ghost",
        type="button",
        title=title,
        **{"aria-label": title},
    )


def _rail() -> html.Aside:
    return html.Aside(
        [
            prediction.layout(),
            heads.layout(),
            card(
                "Intervention",
                intervention.layout(),
                search.layout(),
                note="on z, each head's own output",
                className="intervention-card",
            ),
        ],
        className="rail",
        **{"aria-label": "Prediction, heads and intervention"},
    )


def _views(views: dict[str, ModuleType]) -> html.Section:
    first = PageState().view
    tabs = [
        html.Button(
            name.capitalize(),
            id=f"tab-{name}",
            role="tab",
            type="button",
            className="view-tab",
            **{"aria-controls": VIEWS[name], "aria-selected": str(name == first).lower()},
        )
        for name in views
    ]
    panels = [
        html.Div(
            module.layout(), id=VIEWS[name], role="tabpanel", hidden=name != first, className="view"
        )
        for name, module in views.items()
    ]
    return html.Section(
        [html.Div(tabs, role="tablist", className="tabs"), *panels], className="views"
    )


def register(app: Dash, workbench: Any, views: dict[str, ModuleType]) -> None:
    """Bring the frame and all it holds to life."""
    _register_state(app)
    _register_tabs(app, list(views))
    for part in (*PARTS, *views.values()):
        part.register(app, workbench)
    mirror.follow(app)


def _register_state(app: Dash) -> None:
    browser = "function(...all) { return dash_clientside.page.%s(...all); }"
    app.clientside_callback(
        browser % "derive",
        Input(PAGE, "data"),
        Input(MODEL_STATUS, "data"),
        *(State(name, "data") for name in _DERIVED),
    )
    app.clientside_callback(
        browser % "switchTheme",
        Output(PAGE, "data", allow_duplicate=True),
        Input("theme-switch", "n_clicks"),
        State(PAGE, "data"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        browser % "showTheme",
        Input(THEME, "data"),
        prevent_initial_call=True,
    )


def _register_tabs(app: Dash, names: list[str]) -> None:
    app.clientside_callback(
        "function(...all) { return dash_clientside.page.openTab(...all); }",
        Output(PAGE, "data", allow_duplicate=True),
        *(Input(f"tab-{name}", "n_clicks") for name in names),
        State(PAGE, "data"),
        prevent_initial_call=True,
    )
    # The list of names is the app's own, so that a page may hold fewer views.
    app.clientside_callback(
        f"function(view) {{ return dash_clientside.page.showView(view, {names!r}); }}",
        *(Output(VIEWS[name], "hidden") for name in names),
        *(Output(f"tab-{name}", "aria-selected") for name in names),
        Input(VIEW, "data"),
        prevent_initial_call=True,
    )
