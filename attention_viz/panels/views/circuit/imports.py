"""A circuit from elsewhere: heads become the selection, edges are measured on the pairs chosen."""

import base64
from typing import Any

from attention_viz.panels.kit import html
from attention_viz.panels.kit.acts import Act, Outcome, act_button
from attention_viz.panels.kit.common import toast
from attention_viz.panels.kit.parts import Part, place
from attention_viz.panels.views.circuit.known import shown_circuit
from attention_viz.panels.views.circuit.upload import file_button
from attention_viz.records.bench import Bench
from attention_viz.records.circuits.circuit_file import parse_circuit
from attention_viz.records.circuits.fit import tell_widened
from attention_viz.records.errors import BadInput
from attention_viz.records.page import PageState
from attention_viz.records.page.checks import MOST_GIVEN

_HINT = "9.9, 10.0 or L9H9 L10H0; or choose a JSON file (ours, or EAP-IG's)"
_TEXT = "circuit-import-text"
_TOLD = "circuit-import-told"


def layout() -> html.Node:
    box = html.Textarea(
        id=_TEXT,
        placeholder=_HINT,
        rows=1,
        className="prompt-box",
        spellCheck="false",
        **{"aria-label": "Heads, or a circuit as JSON"},
    )
    button = act_button(
        "Import", "circuit-import", className="btn primary small", **{"data-with": _TEXT}
    )
    upload = file_button("circuit-file", "circuit-import-file", accept=".json,.txt")
    controls = html.Div([box, button, upload], className="controls circuit-import")
    widened = place("circuit-widened", className="note", role="status")
    return html.Div([controls, html.Div(id=_TOLD, className="note"), widened])


def read_file(contents: Any) -> str:
    """The text of a file as a browser sends it. Raises BadInput for anything else."""
    try:
        data = base64.b64decode(str(contents).partition(",")[2], validate=True)
        return data.decode("utf-8")
    except ValueError as error:
        raise BadInput("The file is not text in UTF-8.", "Choose a JSON or text file.") from error


def import_circuit(state: PageState, text: str, name: str = "") -> tuple[PageState, str]:
    """The page with the circuit's heads chosen, or its edges given. Raises BadInput."""
    found = parse_circuit(text, name)
    if not found.edges:
        heads = tuple(str(head) for head in found.heads)
        page = state.change(heads=heads).put("circuit", source="heads")
        return page, f"{found.label}: {len(heads)} heads, now chosen"
    if len(found.edges) > MOST_GIVEN:
        raise BadInput(
            f"The circuit has {len(found.edges)} edges; a page holds {MOST_GIVEN}.",
            "Save fewer edges, or measure it on the command line with --import.",
        )
    edges = tuple(str(edge) for edge in found.edges)
    page = state.put("circuit", source="given", given_edges=edges)
    return page, f"{found.label}: {len(edges)} edges, measured here on the pairs chosen"


def _take_text(bench: Bench, state: PageState, payload: dict[str, Any]) -> Outcome:
    return _taken(*import_circuit(state, str(payload.get(_TEXT) or "")))


def _take_file(bench: Bench, state: PageState, payload: dict[str, Any]) -> Outcome:
    text, name = read_file(payload.get("contents")), str(payload.get("name") or "")
    return _taken(*import_circuit(state, text, name))


def _taken(page: PageState, said: str) -> Outcome:
    if page.circuit.source == "heads":  # what is told here is not seen then
        return Outcome(page=page, says=toast(said, kind="success"))
    return Outcome(page=page, place=(_TOLD, said))


def show_widened(bench: Bench, state: PageState) -> Any:
    """That the circuit drawn has more than the file named, where it has."""
    circuit = shown_circuit(bench, state) if state.circuit.source == "given" else None
    return None if circuit is None else tell_widened(circuit.widened) or None


PARTS = (Part("circuit-widened", show_widened),)
ACTS: dict[str, Act] = {"circuit-import": _take_text, "circuit-import-file": _take_file}
