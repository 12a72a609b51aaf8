"""Beside the graph: logit lens, top tokens, and what each component writes by itself."""

from dataclasses import dataclass
from typing import Any

from attention_viz.exports.tables import contributions_table
from attention_viz.figures.circuits.circuit import draw_contributions
from attention_viz.figures.lens import draw_lens
from attention_viz.figures.palette import BOTH
from attention_viz.panels.kit import html
from attention_viz.panels.kit.acts import Act
from attention_viz.panels.kit.common import ask, card, empty, number
from attention_viz.panels.kit.controls import segments
from attention_viz.panels.kit.drawn import matrix, plot
from attention_viz.panels.kit.files import csv_act, csv_button
from attention_viz.panels.kit.lens import measure_ablated, observe
from attention_viz.panels.kit.parts import Part, place
from attention_viz.panels.kit.ranking import ranking
from attention_viz.panels.kit.requests import ablation_request, lens_request, prediction_request
from attention_viz.panels.views.circuit.known import first_question, need_circuit, shown_circuit
from attention_viz.panels.views.circuit.requests import circuit_only_request
from attention_viz.records.ablation import AblationResult, Prediction
from attention_viz.records.bench import Bench
from attention_viz.records.circuits.circuit import Circuit
from attention_viz.records.circuits.faithfulness import CircuitLensRequest
from attention_viz.records.errors import AttentionVizError, BadInput
from attention_viz.records.lens import LogitLens
from attention_viz.records.page import PageState

_MOST_BARS = 12
_TOP = 6
_RUNS = {"clean": "clean", "ablated": "its heads ablated", "circuit": "circuit only"}
_TOLD = (
    "What each component writes straight to the logits, the final norm's scale held fixed. "
    "All of them and the unembedding bias add up to the clean logit difference."
)


def layout() -> html.Node:
    runs = segments("circuit.side_lens", _RUNS, "Of which run the lens is")
    lens = card(
        "Logit lens",
        html.Div(runs, className="controls"),
        place("circuit-lens"),
        place("circuit-lens-told"),
        note="stronger: more probable",
    )
    top = card(
        "Top tokens",
        place("circuit-top"),
        note=html.Span(id="circuit-top-note", **{"data-part": "circuit-top-note"}),
    )
    bars = card(
        "Direct contributions",
        place("circuit-bars"),
        note="to the logit difference",
        tools=csv_button("contributions", "Save all contributions as CSV"),
    )
    return html.Div([lens, top, bars], className="view-side")


@dataclass(frozen=True)
class Beside:
    """The page as these views ask it, and the circuit where one was cut or imported."""

    state: PageState
    circuit: Circuit | None = None


def aside(bench: Bench, state: PageState) -> Beside:
    """Beside a circuit of edges the question is its first pair's, its heads are ablated."""
    if state.circuit.source == "heads":
        return Beside(state)
    question = first_question(bench, state)
    circuit = shown_circuit(bench, state)
    asked = state.change(
        prompt=question.prompt,
        counterfactual=question.counterfactual or "",
        position=question.position,
        answer=question.answer,
        distractor=question.distractor,
        heads=() if circuit is None else tuple(str(head) for head in circuit.heads),
        kind=state.circuit.edge_kind,
    )
    return Beside(asked, circuit)


# Parts


def show_lens(bench: Bench, state: PageState) -> Any:
    beside = aside(bench, state)
    lens = lens_of(bench, state, beside)
    # Another prompt's positions are not this page's: there a click means nothing.
    click = {} if state.circuit.asks_own_pairs else None
    spec = draw_lens(lens, BOTH.name, click=click, colour_bar=False)
    return matrix(spec, "circuit-lens-map")


def show_lens_told(bench: Bench, state: PageState) -> Any:
    """What the lens says in sentences; the map says why there are none."""
    try:
        asked = aside(bench, state).state
        clean = ask(bench, lens_request(asked))
    except AttentionVizError:
        return None
    return observe(clean, measure_ablated(bench, asked, clean))


def lens_of(bench: Bench, state: PageState, beside: Beside) -> LogitLens:
    """The lens of the run chosen. Raises BadInput where there is no such run."""
    if state.circuit.side_lens == "circuit":
        if beside.circuit is None or not beside.circuit.edge_ids:
            raise BadInput(
                "Circuit only is for circuits of edges.",
                "Choose Edge scores or Import above the graph, or another run here.",
            )
        return ask(bench, CircuitLensRequest(circuit_only_request(state, beside.circuit)))
    clean = ask(bench, lens_request(beside.state))
    if state.circuit.side_lens == "clean":
        return clean
    if not beside.state.heads:
        raise BadInput("No heads are ablated.", "Pick heads, or choose the clean run.")
    found = measure_ablated(bench, beside.state, clean)
    if found is None:
        raise BadInput("These heads can't be ablated so.", "Choose another intervention.")
    return found


def show_top(bench: Bench, state: PageState) -> Any:
    """The next tokens: clean, with the heads ablated, and of a cut circuit alone."""
    beside = aside(bench, state)
    if not beside.state.heads:
        return draw_top(ask(bench, prediction_request(beside.state)))
    result: AblationResult = ask(bench, ablation_request(beside.state))
    alone = None
    if beside.circuit is not None and beside.circuit.edge_ids:
        alone = ask(bench, circuit_only_request(state, beside.circuit))
    return draw_top(result.clean, result.ablated, alone)


def show_top_note(bench: Bench, state: PageState) -> Any:
    """Of which runs the tokens are."""
    try:
        beside = aside(bench, state)
        if not beside.state.heads:
            return "clean run"
        result: AblationResult = ask(bench, ablation_request(beside.state))
    except AttentionVizError:
        return None  # the tokens' place says why
    label = result.request.ablation.label
    if beside.circuit is None:
        return f"KL {number(result.kl, 2)} nats, {label} ablation of all"
    return f"first pair; {label}" if beside.circuit.pairs > 1 else label


def draw_top(
    clean: Prediction, ablated: Prediction | None = None, alone: Prediction | None = None
) -> html.Node:
    columns = [html.Div([html.H3("clean"), ranking(clean.top, _TOP)])]
    if ablated is not None:
        title = "ablated" if alone is None else "its heads ablated"
        columns.append(html.Div([html.H3(title), ranking(ablated.top, _TOP, "ablated")]))
    if alone is not None:
        columns.append(html.Div([html.H3("circuit only"), ranking(alone.top, _TOP)]))
    return html.Div(columns, className="two-rankings")


def show_bars(bench: Bench, state: PageState) -> Any:
    circuit = shown_circuit(bench, state)
    if circuit is None:
        return empty("Measured with the circuit.")
    if not circuit.contributions:
        return empty("Of one prompt only, not of a family of pairs.")
    bars = plot(draw_contributions(circuit, BOTH.name, _MOST_BARS), "circuit-bars-plot")
    return [bars, html.P(_TOLD, className="note")]


PARTS = (
    Part("circuit-lens", show_lens, wave=1),
    Part("circuit-lens-told", show_lens_told, wave=1),
    Part("circuit-top", show_top, wave=1),
    Part("circuit-top-note", show_top_note, wave=1),
    Part("circuit-bars", show_bars, wave=1),
)
ACTS: dict[str, Act] = csv_act(
    "contributions", lambda bench, state: contributions_table(need_circuit(bench, state))
)
