"""The circuit that the page's choices name, and what the views beside it ask about.

A small model's circuit is measured as soon as it is chosen, a large one's in the background: of
chosen heads by itself where that is short, else when somebody asks for it.
"""

from attention_viz.panels.kit.common import ask
from attention_viz.panels.kit.requests import need_heads
from attention_viz.panels.kit.results import Found, behind, find
from attention_viz.panels.views.circuit.pairs import ask_pairs
from attention_viz.panels.views.circuit.requests import attribution_request, circuit_request
from attention_viz.records.bench import Bench
from attention_viz.records.circuits.attribution import Method
from attention_viz.records.circuits.circuit import Circuit, CircuitRequest
from attention_viz.records.circuits.roles import RolesRequest
from attention_viz.records.duration import DurationRequest
from attention_viz.records.errors import AttentionVizError, BadInput
from attention_viz.records.page import PageState
from attention_viz.records.question import Question

_SMALL_MODEL = 20_000_000  # parameters; its circuits take well under a second on two cores
_FEW_HEADS = 12


def need_source(bench: Bench, state: PageState) -> None:
    """Raises BadInput where there is nothing yet to measure a circuit of."""
    if state.circuit.source == "heads":
        need_heads(state)
    elif state.circuit.source == "given" and not state.circuit.given_edges:
        raise BadInput(
            "No circuit imported yet.",
            "Paste heads, or choose a file: JSON of this page or of EAP-IG.",
        )
    else:
        ask_pairs(bench, state)


def find_circuit(bench: Bench, state: PageState) -> Found:
    """The page's circuit, measured now where that is quick, or the job that measures it.

    One of chosen heads that is short is started.

    Raises AttentionVizError where there is nothing to measure, or it can't be.
    """
    need_source(bench, state)
    request = circuit_request(state)
    if is_quick(bench, state):
        return Found(ask(bench, request))
    found = find(bench, request)
    is_new = found.record is None and found.job is None
    if is_new and isinstance(request, CircuitRequest) and len(request.heads) <= _FEW_HEADS:
        if ask(bench, DurationRequest(request)).is_short:
            return Found(job=bench.submit(request))
    return found


def shown_circuit(bench: Bench, state: PageState) -> Circuit | None:
    """The circuit that is drawn; where there is none, the line above the graph says why."""
    try:
        found = find_circuit(bench, state).record
    except AttentionVizError:
        return None
    return found if isinstance(found, Circuit) else None


def circuit_with_roles(bench: Bench, state: PageState) -> Circuit | None:
    """The circuit that is drawn, with roles as soon as they are measured: it never waits."""
    circuit = shown_circuit(bench, state)
    if circuit is None or circuit.about is None:
        return circuit
    return circuit.with_roles(behind(bench, RolesRequest(circuit.about)))


def whole_circuit(bench: Bench, state: PageState) -> Circuit:
    """The circuit as it is saved, its roles measured now. Raises AttentionVizError as below."""
    circuit = need_circuit(bench, state)
    if circuit.about is None:
        return circuit
    return circuit.with_roles(bench.measure(RolesRequest(circuit.about)))


def need_circuit(bench: Bench, state: PageState) -> Circuit:
    """The circuit that is drawn. Raises AttentionVizError where there is none."""
    found = find_circuit(bench, state).record
    if not isinstance(found, Circuit):
        raise BadInput("This circuit is not measured yet.", "Press Measure the circuit first.")
    return found


def is_quick(bench: Bench, state: PageState) -> bool:
    """Whether the circuit is measured without asking; a model not there yet is asked about."""
    circuit = state.circuit
    info = bench.status(state.model).info
    is_small = info is None or info.parameters <= _SMALL_MODEL
    if circuit.source == "heads":
        return is_small and len(state.heads) <= _FEW_HEADS
    # Every edge patched takes some thousand runs a pair, even in a small model.
    is_single = not circuit.pairs or circuit.method != Method.EXACT.value
    if is_small and is_single:
        return True
    if circuit.source != "scores" or circuit.exact:
        return False
    return bench.cached(attribution_request(state)) is not None  # cutting takes no runs


def first_question(bench: Bench, state: PageState) -> Question:
    """What the views beside the graph ask: the page's question, or the first pair's."""
    if not state.circuit.asks_own_pairs:
        return state.question
    first = ask_pairs(bench, state).pairs[0]
    return Question(
        state.model,
        first.text.clean,
        first.position,
        state.bos,
        first.text.counterfactual,
        first.answer.id,
        first.distractor.id,
        state.chat,
    )
