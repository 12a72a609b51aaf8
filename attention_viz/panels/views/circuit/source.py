"""What the circuit is made of: chosen heads, edge scores cut to a size, or an imported circuit."""

from attention_viz.panels.kit import html
from attention_viz.panels.kit.controls import menu, segments, shown_if, steps, switch, told
from attention_viz.panels.views.circuit import imports, pairs
from attention_viz.records.circuits.attribution import EDGE_ABLATIONS, Method
from attention_viz.records.circuits.circuit import Cut
from attention_viz.records.page.circuit import SOURCES

SIZES = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100, 150, 200, 300, 400, 500)
_SOURCE = "circuit.source"
_SOURCE_NAMES = dict(zip(SOURCES, ("Chosen heads", "Edge scores", "Import"), strict=True))
_METHODS = {
    Method.EAP_IG: "EAP-IG, 5 steps",
    Method.EAP: "EAP",
    Method.EXACT: "exact, every edge patched",
}
_CUTS = {Cut.GREEDY: "from the logits", Cut.TOP: "strongest"}


def layout() -> html.Node:
    names = segments(_SOURCE, _SOURCE_NAMES, "What the circuit is made of")
    return html.Div(
        [
            html.Div(names, className="controls"),
            html.Div(imports.layout(), **shown_if(_SOURCE, "given")),
            html.Div(pairs.layout(), **shown_if(_SOURCE, "scores", "given")),
            html.Div(
                [_kind(), html.Div(_scores(), **shown_if(_SOURCE, "scores"))],
                className="circuit-settings",
                **shown_if(_SOURCE, "scores", "given"),
            ),
        ],
        className="circuit-source",
    )


def _kind() -> html.Node:
    kinds = {kind.value: kind.value for kind in EDGE_ABLATIONS}
    chosen = segments("circuit.edge_kind", kinds, "Outside is replaced by")
    about = "what an edge outside the circuit carries: the counterfactual's value, a mean, nothing"
    return html.Div(["outside", chosen], className="control", title=about)


def _scores() -> list[html.Node]:
    methods = {method.value: name for method, name in _METHODS.items()}
    method = menu("circuit.method", methods, className="circuit-method")
    cuts = {cut.value: name for cut, name in _CUTS.items()}
    size = steps("circuit.edges", SIZES, id="circuit-size", live=False)
    return [
        html.Label(["scores", method], className="control"),
        segments("circuit.cut", cuts, "How edges are taken from the scores"),
        switch("circuit.mlps", "MLPs"),
        html.Label(
            ["edges", html.Span([size, told("circuit.edges")], className="slider wide")],
            className="control",
        ),
    ]
