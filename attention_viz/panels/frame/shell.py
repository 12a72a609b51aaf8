"""The frame: top bar, prompt, the rail that stays, the tabs of views, and the page's state."""

from typing import Any

import dash_bootstrap_components as dbc
from dash import Dash
from dash import html as dash_html

from attention_viz.panels.frame import counterfactual, examples, help, link, model, prompt, traffic
from attention_viz.panels.kit import html
from attention_viz.panels.kit.bridge import BRIDGES, Bridge, Skeleton, bridge_id
from attention_viz.panels.kit.common import card
from attention_viz.panels.rail import heads, intervention, prediction, search
from attention_viz.panels.views import room
from attention_viz.records.bench import Bench
from attention_viz.records.page import VIEWS, PageState


def layout(bench: Bench, logo: str) -> dash_html.Div:
    """The whole page, with nothing drawn yet."""
    page = link.first_page(bench)
    bench.load(page.model)
    sheet = Skeleton("help-sheet", html.to_html(help.layout()), {})
    return dash_html.Div(
        [
            Skeleton("frame", html.to_html(_frame(logo)), start(bench, page)),
            *(Bridge(bridge_id(name)) for name in BRIDGES),
            dbc.Offcanvas(
                sheet,
                id="help",
                title=dash_html.Span("Help", id="help-title"),
                labelledby="help-title",
                placement="end",
                is_open=False,
                className="help",
            ),
        ],
        className="page",
    )


def start(bench: Bench, page: PageState) -> dict[str, Any]:
    """What the browser's scripts begin with: the page, its defaults, the skeletons of views."""
    return {
        "page": page.to_json(),
        "defaults": PageState().to_json(),
        "views": {view.name: html.to_html(room(view).layout()) for view in VIEWS},
        "waves": {name: part.wave for name, part in traffic.parts_of().items() if part.wave},
        "model": model.news(bench, page.model),
    }


def _frame(logo: str) -> list[html.Node]:
    return [
        html.A("Skip to the views", href="#view", className="skip-link", id="skip"),
        _top_bar(logo),
        prompt.layout(counterfactual.layout()),
        html.Main(
            [_rail(), _views(), prompt.edited_note()],
            id="results",
            className="results",
        ),
        html.Div(id="toasts", className="toasts", role="status", **{"aria-live": "polite"}),
    ]


def _top_bar(logo: str) -> html.Node:
    return html.Header(
        [
            html.Div(
                [html.Img(src=logo, alt="", width=22, height=22), html.H1("Attention Viz")],
                className="logo",
            ),
            model.layout(),
            html.Div(className="grow"),
            _ghost("↶", "undo", "Undo (Ctrl+Z)", disabled=True),
            _ghost("↷", "redo", "Redo (Ctrl+Shift+Z)", disabled=True),
            examples.layout(),
            html.Button("Copy link", id="copy-link", className="btn btn-ghost", type="button"),
            _ghost("?", "help-open", "Help and keys (?)"),
            _ghost(html.Span(className="theme-icon"), "theme-switch", "Light or dark"),
        ],
        className="top-bar",
    )


def _ghost(content: Any, name: str, title: str, **props: Any) -> html.Node:
    return html.Button(
        content,
        id=name,
        className="btn btn-ghost",
        type="button",
        title=title,
        **{"aria-label": title},
        **props,
    )


def _rail() -> html.Node:
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


def _views() -> html.Node:
    tabs = [
        html.Button(
            view.title,
            id=f"tab-{view.name}",
            role="tab",
            type="button",
            className="view-tab",
            tabIndex=-1,
            **{
                "aria-controls": "view",
                "data-change": html.to_json({"shared.view": view.name}),
                "data-tab": view.name,
            },
        )
        for view in VIEWS
    ]
    return html.Section(
        [
            html.Div(
                tabs,
                role="tablist",
                className="tabs",
                **{"aria-label": "Views", "data-roving": "true"},
            ),
            html.Div(id="view", role="tabpanel", className="view", tabIndex=-1),
        ],
        className="views",
        **{"aria-label": "Views"},
    )


def register(app: Dash, bench: Bench) -> None:
    """Bring the frame and all it holds to life."""
    traffic.register(app, bench)
