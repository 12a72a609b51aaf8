"""Circuits that people bring: a list of heads, our node-link JSON, or EAP-IG's JSON.

Only names are read here; whether the model has these heads and edges is seen when they are
measured (`fit_edges`).

Signs: in EAP-IG's JSON a positive score means that the edge helps, as in its authors' notebooks
and in MIB. Here a score is what replacing the edge changes: −1 × that. Files say it in a field
(`EAP_IG_SIGN`); one without it is the authors', or was saved by this program before it had the
field, with the sign of its own scores: nothing in such a file tells which.
"""

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from attention_viz.records.circuits.edge import INPUT, OUTPUT, EdgeId, Via
from attention_viz.records.errors import BadInput
from attention_viz.records.ids import HeadId

MOST_BYTES = 5_000_000
_LONGEST_LABEL = 200
_SHOWN = 60  # characters of what was given, in an error
_KNOWN = (
    "Give a list of heads (9.9, 10.0 or L9H9 L10H0), this program's .json (node-link), "
    "or the JSON of the EAP-IG package."
)

_HEAD = re.compile(r"[La]?(\d{1,4})(?:H|\.h?)(\d{1,4})", re.IGNORECASE)
_NODE = re.compile(r"L(\d{1,4})(?:(H|KV)(\d{1,4})|(MLP))")
_EAP_NODE = re.compile(r"a(\d{1,4})\.h(\d{1,4})|m(\d{1,4})")
_EAP_EDGE = re.compile(r"(\S+?)->([^<\s]+)(?:<([qkv])>)?")

EAP_IG_SIGN = "score_sign"  # a field of EAP-IG's JSON, which its own reader passes over
HELPS = "positive: the edge helps"  # its value
# A field of both JSON formats: how many heads share keys and values in the model it was made with.
# An edge into one of these heads stands for an edge into what they share.
HEADS_SHARING = "heads_sharing_key_values"

_Scored = tuple[EdgeId, float | None]


@dataclass(frozen=True)
class ImportedCircuit:
    """What a file names, nothing measured. Of a list of heads there are no edges."""

    label: str  # what the file says it is, or its name
    heads: tuple[HeadId, ...]  # all in it
    edges: tuple[EdgeId, ...] = ()
    # Of the edges: what replacing them changes, logits, negative where they help; None: not given.
    # Where heads share keys and values, an edge into each of them has its part.
    scores: tuple[float | None, ...] = ()


def parse_circuit(text: str, name: str = "") -> ImportedCircuit:
    """Read a file's text; `name` is what it was called.

    Of EAP-IG's JSON only edges `in_graph`; of ours all but attention weights. Raises BadInput for
    anything else than the three formats, for an edge that goes downward, and beyond 5 MB.
    """
    if len(text) > MOST_BYTES or len(text.encode("utf-8", "replace")) > MOST_BYTES:
        raise BadInput(
            f"The file is larger than {MOST_BYTES // 1_000_000} MB.",
            "Leave out the edges that are not in the circuit.",
        )
    text = text.removeprefix("\ufeff").strip()
    if not text:
        raise BadInput("There is nothing in the file.", _KNOWN)
    if not text.startswith(("{", "[")):
        return ImportedCircuit(_label(name, ""), _parse_heads(text))
    data = _read_json(text)
    read = _reader_of(data)
    found = dict(_joined(read(data), *_sharing(data)))
    heads = _heads_of(found) if found else ()
    heads = tuple(dict.fromkeys((*heads, *_node_link_heads(data))))
    if not heads and not found:
        raise BadInput("The circuit in the file is empty.", "Save it with at least one edge.")
    return ImportedCircuit(_label(name, data), heads, tuple(found), tuple(found.values()))


def _parse_heads(text: str) -> tuple[HeadId, ...]:
    """Heads in the order given, each once."""
    words = [word for word in re.split(r"[,;\s]+", text) if word]
    return tuple(dict.fromkeys(_parse_head(word) for word in words))


def _parse_head(word: str) -> HeadId:
    match = _HEAD.fullmatch(word)
    if match is None:
        raise BadInput(f"{_short(word)} is not a head, and the file is no JSON.", _KNOWN)
    return HeadId(int(match[1]), int(match[2]))


def _read_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"The file is no JSON ({_reason(error)}).", _KNOWN) from error


def _reader_of(data: Any) -> Callable[[Any], Iterator[_Scored]]:
    """Which of the two formats it is."""
    if isinstance(data, dict):
        edges = data.get("edges", data.get("links"))
        if isinstance(data.get("nodes"), dict) and isinstance(edges, dict):
            return _read_eap_ig
        if isinstance(data.get("nodes"), list) and isinstance(edges, list):
            return _read_node_link
    raise BadInput("This JSON is not a circuit's: it has no nodes and edges.", _KNOWN)


def _sharing(data: dict) -> tuple[int, bool]:
    """How many heads share keys and values, where the file says so; whether scores are parts."""
    is_eap_ig = isinstance(data["nodes"], dict)
    about = data if is_eap_ig else data.get("graph")
    group = about.get(HEADS_SHARING, 1) if isinstance(about, dict) else 1
    is_number = isinstance(group, int) and not isinstance(group, bool) and group >= 1
    return (group if is_number else 1), is_eap_ig


def _joined(edges: Iterable[_Scored], group: int, are_parts: bool) -> Iterator[_Scored]:
    """Edges into heads that share keys and values become one into what they share."""
    for edge, score in edges:
        if group > 1 and edge.via in (Via.K, Via.V) and "KV" not in edge.reader:
            reader = HeadId.parse(edge.reader)
            edge = EdgeId(edge.writer, f"L{reader.layer}KV{reader.head // group}", edge.via)
            score = score * group if are_parts and score is not None else score
        yield edge, score


def _read_eap_ig(data: dict) -> Iterator[_Scored]:
    sign = data.get(EAP_IG_SIGN, HELPS)
    if sign != HELPS:
        raise BadInput(
            f"The file's {EAP_IG_SIGN} is {_short(str(sign))}, not {HELPS!r}.",
            "Turn the scores round and say so in the file, or leave the field out.",
        )
    for name, values in data["edges"].items():
        if not isinstance(values, dict) or not isinstance(values.get("in_graph"), bool):
            raise BadInput(f"Edge {_short(name)} does not say whether it is in_graph.", _KNOWN)
        if values["in_graph"]:
            helps = _score(values.get("score"))
            yield _eap_ig_edge(name), None if helps is None else -helps


def _eap_ig_edge(name: str) -> EdgeId:
    match = _EAP_EDGE.fullmatch(name)
    if match is None:
        raise _no_edge(name)
    writer, reader = (_eap_ig_node(part, name) for part in match.group(1, 2))
    via = _via_of(reader) if match[3] is None else Via(match[3].upper())
    return _checked(writer, reader, via, name)


def _eap_ig_node(part: str, edge: str) -> str:
    match = _EAP_NODE.fullmatch(part)
    if match is None:
        if part in (INPUT, OUTPUT):
            return part
        raise _no_edge(edge)
    return f"L{int(match[3])}MLP" if match[3] else str(HeadId(int(match[1]), int(match[2])))


def _read_node_link(data: dict) -> Iterator[_Scored]:
    for number, edge in enumerate(data.get("edges", data.get("links")), 1):
        about = f"number {number}"
        if not isinstance(edge, dict):
            raise _no_edge(about)
        source, target, via = (edge.get(key) for key in ("source", "target", "via"))
        if via not in list(Via) or not isinstance(source, str) or not isinstance(target, str):
            raise _no_edge(about)
        if Via(via).is_causal:
            found = _checked(source, target, Via(via), about)
            yield found, _score(edge.get("value", edge.get("score")))


def _node_link_heads(data: dict) -> Iterator[HeadId]:
    """Heads among the nodes of node-link JSON: some may have no edge."""
    nodes = data["nodes"] if isinstance(data["nodes"], list) else []
    for node in nodes:
        name = node.get("id") if isinstance(node, dict) else None
        match = _NODE.fullmatch(name) if isinstance(name, str) else None
        if match and match[2] == "H":
            yield HeadId(int(match[1]), int(match[3]))


def _checked(writer: str, reader: str, via: Via | None, about: str) -> EdgeId:
    """The edge, if there can be one: what is read fits the reader, and it goes upward."""
    from_place, to_place = _place(writer), _place(reader)
    is_whole = reader == OUTPUT or reader.endswith("MLP")
    fits = via is _via_of(reader) if is_whole else via in (Via.Q, Via.K, Via.V)
    is_shared = "KV" in reader and via is Via.Q
    if None in (from_place, to_place) or "KV" in writer or not fits or is_shared:
        raise _no_edge(about)
    if not from_place < to_place:
        raise BadInput(
            f"Edge {_short(about)} does not go upward.",
            "A writer comes before its reader: from the input over the layers to the logits.",
        )
    return EdgeId(writer, reader, via)


def _via_of(reader: str) -> Via | None:
    """Of readers with one input."""
    if reader == OUTPUT:
        return Via.LOGITS
    return Via.MLP if reader.endswith("MLP") else None


def _place(name: str) -> tuple[float, int] | None:
    """Height in the model: layer, then attention before MLP."""
    if name in (INPUT, OUTPUT):
        return (-1, 0) if name == INPUT else (math.inf, 0)
    match = _NODE.fullmatch(name)
    return None if match is None else (int(match[1]), 1 if match[4] else 0)


def _heads_of(edges: Iterable[EdgeId]) -> tuple[HeadId, ...]:
    names = {name for edge in edges for name in (edge.writer, edge.reader)}
    matches = [_NODE.fullmatch(name) for name in names]
    return tuple(sorted(HeadId(int(m[1]), int(m[3])) for m in matches if m and m[2] == "H"))


def _score(value: Any) -> float | None:
    """A finite number; everything else is no score."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _label(name: str, data: Any) -> str:
    graph = data.get("graph") if isinstance(data, dict) else None
    label = graph.get("label") if isinstance(graph, dict) else None
    text = label if isinstance(label, str) and label else name
    return (text or "imported")[:_LONGEST_LABEL]


def _no_edge(about: str) -> BadInput:
    return BadInput(f"Edge {_short(about)} of the file can't be read.", _KNOWN)


def _short(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…")


def _reason(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)[:100]
