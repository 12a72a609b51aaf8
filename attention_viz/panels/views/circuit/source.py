"""What the circuit is made of: chosen heads, edge scores cut to a size, or an imported circuit."""

from attention_viz.panels.kit import html
from attention_viz.panels.kit.controls import menu, segments, shown_if, steps, switch, told
from attention_viz.panels.views.circuit import imports, pairs, replacing
from attention_viz.records.ablation import AblationKind
from attention_viz.records.circuits.attribution import Method, Points
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
_POINTS = {
    Points.RIGHT: "k = 1 … 5 (paper)",
    Points.LEFT: "k = 0 … 4 (library)",
    Points.MID: "midpoints",
}
_POINTS_ABOUT = (
    "Where EAP-IG takes its five gradients, k/5 of the way from the counterfactual to the clean "
    "prompt: as in the paper, as its authors' library since February 2025, or halfway between"
)
_CUTS = {
    Cut.GREEDY: "from the logits",
    Cut.TOP: "strongest",
    Cut.MIB: "MIB, signed",
    Cut.MIB_ABSOLUTE: "MIB, absolute",
}
_CUT_ABOUT = (
    "From the logits, or the strongest anywhere: as many as leave the size asked for when dead "
    "ends are pruned. As the MIB benchmark: the edges that help most, or the strongest; what "
    "pruning drops is not made up for"
)


def layout() -> html.Node:
    names = segments(_SOURCE, _SOURCE_NAMES, "What the circuit is made of")
    return html.Div(
        [
            html.Div(names, className="controls"),
            html.Div(imports.layout(), **shown_if(_SOURCE, "given")),
            html.Div(pairs.layout(), **shown_if(_SOURCE, "scores", "given")),
            html.Div(
                [replacing.layout(), html.Div(_scores(), **shown_if(_SOURCE, "scores"))],
                className="circuit-settings",
                **shown_if(_SOURCE, "scores", "given"),
            ),
        ],
        className="circuit-source",
    )


def _scores() -> list[html.Node]:
    methods = {method.value: name for method, name in _METHODS.items()}
    method = menu("circuit.method", methods, className="circuit-method")
    cuts = {cut.value: name for cut, name in _CUTS.items()}
    points = menu(
        "circuit.points",
        {each.value: name for each, name in _POINTS.items()},
        **{"aria-label": "Where EAP-IG takes its gradients"},
    )
    of_eap_ig = shown_if("circuit.method", Method.EAP_IG.value)
    of_resample = shown_if("circuit.edge_kind", AblationKind.RESAMPLE.value)
    size = steps("circuit.edges", SIZES, id="circuit-size", live=False)
    return [
        html.Label(["scores", method], className="control"),
        html.Div(html.Div(points, title=_POINTS_ABOUT, **of_resample), **of_eap_ig),
        html.Label(["cut", menu("circuit.cut", cuts)], className="control", title=_CUT_ABOUT),
        switch("circuit.mlps", "MLPs"),
        html.Label(
            ["edges at most", html.Span([size, told("circuit.edges")], className="slider wide")],
            className="control",
        ),
    ]
