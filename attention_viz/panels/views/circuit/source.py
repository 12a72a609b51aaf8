"""What the circuit is made of: chosen heads, edge scores cut to a size, or an imported circuit."""

import base64
import binascii
from typing import Any

import dash_bootstrap_components as dbc
from attention_viz.panels.frame.mirror import mirror

from attention_viz.panels import ids, pairs
from attention_viz.panels.kit import html
from attention_viz.panels.kit.common import ask, state_of, toast
from attention_viz.panels.kit.controls import segments
from attention_viz.panels.kit.requests import circuit_request
from attention_viz.records.ablation import AblationKind
from attention_viz.records.circuits.attribution import EDGE_ABLATIONS, Method
from attention_viz.records.circuits.circuit import Circuit, Cut
from attention_viz.records.circuits.circuit_file import MOST_BYTES, parse_circuit
from attention_viz.records.circuits.pairs import PairsRequest
from attention_viz.records.errors import AttentionVizError, BadInput
from attention_viz.records.page import MOST_GIVEN, SOURCES, PageState
from attention_viz.records.question import Question

SIZES = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100, 150, 200, 300, 400, 500)
_SOURCE_NAMES = dict(zip(SOURCES, ("Chosen heads", "Edge scores", "Import"), strict=True))
_METHODS = {
    Method.EAP_IG: "EAP-IG, 5 steps",
    Method.EAP: "EAP",
    Method.EXACT: "exact, every edge patched",
}
_CUTS = {Cut.GREEDY: "from the logits", Cut.TOP: "strongest"}
_HINT = "9.9, 10.0 or L9H9 L10H0; or drop a JSON file (ours, or EAP-IG's)"

# Which controls belong to the source; the slider's place is the size's index.
_SHOW = """page => [
  page.source === "heads", page.source === "heads", page.source !== "scores",
  page.source !== "given",
  page.source === "heads" ? "circuit-by-heads" : "circuit-by-pairs"]"""
_TO_SIZE = f"""(place, page) => {{
  const edges = {list(SIZES)}[place];
  if (edges === undefined || edges === page.edges) return dash_clientside.no_update;
  return new dash_clientside.Patch().assign(["edges"], edges).build();
}}"""
_TO_PLACE = f"""(page, place) => {{
  const sizes = {list(SIZES)};
  const nearest = sizes.reduce((best, size, i) =>
    Math.abs(size - page.edges) < Math.abs(sizes[best] - page.edges) ? i : best, 0);
  if (nearest !== place) dash_clientside.set_props("circuit-size", {{ value: nearest }});
  return String(page.edges);
}}"""


def layout() -> html.Div:
    return html.Div(
        [
            html.Div(segments("circuit-source", _SOURCE_NAMES, SOURCES[0]), className="controls"),
            html.Div(pairs.layout(), id="circuit-pairs-box", hidden=True),
            html.Div(
                [
                    html.Div(_kind(), id="circuit-kind-box", hidden=True),
                    html.Div(_scores(), id="circuit-scores-box", hidden=True),
                ],
                className="circuit-settings",
            ),
            html.Div(_import(), id="circuit-import-box", hidden=True),
        ],
        className="circuit-source",
        id="circuit-source-box",
    )


def _kind() -> html.Div:
    kinds = {kind.value: kind.value for kind in EDGE_ABLATIONS}
    chosen = segments("circuit-kind", kinds, AblationKind.RESAMPLE.value)
    about = "what an edge outside the circuit carries: the counterfactual's value, a mean, nothing"
    return html.Div(["outside is replaced by", chosen], className="control", title=about)


def _scores() -> list[Any]:
    methods = dcc.Dropdown(
        [{"label": name, "value": method.value} for method, name in _METHODS.items()],
        Method.EAP_IG.value,
        id="circuit-method",
        clearable=False,
        searchable=False,
        className="circuit-method",
    )
    size = dcc.Slider(
        0,
        len(SIZES) - 1,
        1,
        id="circuit-size",
        value=SIZES.index(PageState().edges),
        marks=None,
        allow_direct_input=False,
        updatemode="mouseup",
    )
    size_control = html.Label(
        ["edges", html.Span(size, className="slider wide"), html.Output(id="circuit-size-told")],
        className="control",
    )
    cuts = segments("circuit-cut", {cut.value: name for cut, name in _CUTS.items()}, Cut.GREEDY)
    mlps = dbc.Switch(id="circuit-mlps", label="MLPs", value=True, className="circuit-mlps")
    return [html.Div(["scores", methods], className="control"), cuts, mlps, size_control]


def _import() -> list[Any]:
    box = dcc.Textarea(
        id="circuit-import-text",
        placeholder=_HINT,
        rows=1,
        className="prompt-box",
        spellCheck="false",
    )
    button = html.Button(
        "Import", id="circuit-import", type="button", className="btn primary small"
    )
    upload = dcc.Upload(
        html.Button("Choose a file…", type="button", className="btn btn-sm"),
        id="circuit-import-file",
        accept=".json,.txt",
        max_size=20 * MOST_BYTES,
        multiple=False,
    )
    return [
        html.Div([box, button, upload], className="controls circuit-import"),
        html.Div(id="circuit-import-told", className="note"),
    ]


def register(app: Dash, workbench: Any) -> None:
    for control, field in (
        ("circuit-source", "source"),
        ("circuit-kind", "edge_kind"),
        ("circuit-method", "method"),
        ("circuit-cut", "cut"),
        ("circuit-mlps", "mlps"),
    ):
        mirror(app, control, field)
    pairs.register(app, workbench)
    app.clientside_callback(
        _SHOW,
        Output("circuit-pairs-box", "hidden"),
        Output("circuit-kind-box", "hidden"),
        Output("circuit-scores-box", "hidden"),
        Output("circuit-import-box", "hidden"),
        Output("circuit-source-box", "className"),
        Input(ids.PAGE, "data"),
    )
    app.clientside_callback(
        _TO_SIZE,
        Output(ids.PAGE, "data", allow_duplicate=True),
        Input("circuit-size", "value"),
        State(ids.PAGE, "data"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        _TO_PLACE,
        Output("circuit-size-told", "children"),
        Input(ids.PAGE, "data"),
        State("circuit-size", "value"),
    )

    @app.callback(
        Output(ids.PAGE, "data", allow_duplicate=True),
        Output("circuit-import-told", "children"),
        Output(ids.TOAST, "data", allow_duplicate=True),
        Input("circuit-import", "n_clicks"),
        Input("circuit-import-file", "contents"),
        State("circuit-import-text", "value"),
        State("circuit-import-file", "filename"),
        State(ids.PAGE, "data"),
        prevent_initial_call=True,
    )
    def take(_clicks, contents, text, name, page):
        try:
            is_file = ctx.triggered_id == "circuit-import-file"
            given = read_file(contents) if is_file else (text or "")
            return (*import_circuit(workbench, state_of(page), given, name or ""), no_update)
        except AttentionVizError as error:
            return no_update, no_update, toast(error)


def read_file(contents: Any) -> str:
    """The text of a file as a browser sends it. Raises BadInput for anything else."""
    try:
        data = base64.b64decode(str(contents).partition(",")[2], validate=True)
        return data.decode("utf-8")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise BadInput("The file is not text in UTF-8.", "Choose a JSON or text file.") from error


def import_circuit(workbench: Any, state: PageState, text: str, name: str) -> tuple[Patch, str]:
    """The page with the circuit's heads chosen, or its edges given. Raises BadInput."""
    found = parse_circuit(text, name)
    patch = Patch()
    if not found.edges:
        patch["heads"] = [str(head) for head in found.heads]
        patch["source"] = "heads"
        return patch, f"{found.label}: {len(found.heads)} heads, now chosen"
    if len(found.edges) > MOST_GIVEN:
        raise BadInput(
            f"The circuit has {len(found.edges)} edges; a page holds {MOST_GIVEN}.",
            "Save fewer edges, or measure it on the command line with --import.",
        )
    patch["given_edges"] = [str(edge) for edge in found.edges]
    patch["source"] = "given"
    return patch, f"{found.label}: {len(found.edges)} edges, measured here on the pairs chosen"


def known_circuit(workbench: Any, state: PageState) -> Circuit:
    """The circuit that belongs to the page; what is not known yet is measured.

    Raises BadInput where there is nothing to measure.
    """
    if state.source == "heads" and not state.heads:
        raise BadInput("No heads are selected.", "Pick heads in the grid, or press Find heads.")
    if state.source != "heads":
        pairs.ask_pairs(workbench, state)
    return ask(workbench, circuit_request(state))


def first_question(workbench: Any, state: PageState) -> Question:
    """What the views beside the graph ask: the page's question, or the first pair's."""
    if state.source == "heads" or not state.pairs:
        return state.question
    request: PairsRequest = state.pairs_request
    first = workbench.measure(request).pairs[0]
    return Question(
        state.model,
        first.text.clean,
        first.position,
        state.bos,
        first.text.counterfactual,
        first.answer.id,
        first.distractor.id,
    )
