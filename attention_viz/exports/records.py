"""Any record as plain JSON values: what every command prints with `--json`.

A HeadId is "L2H3", an EdgeId "L0H1->L2H3.K", a Token {"token", "id"}, with "bytes" and "shown" if
it holds part of a character; an enum is its value, with its unit beside it where it has one; arrays
are nested lists; an ablation has the settings of its kind and no other. What is not measured (nan)
is null. Infinity, which JSON can't say, is no result of anything here, and is refused.

What was asked stands beside what was found, not within it: an answer's own fields come after those
of its request, and say in its place what both say (a position counted from the end is resolved).
"""

import math
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

import numpy as np

from attention_viz.records.ablation import Ablation
from attention_viz.records.circuits.edge import EdgeId
from attention_viz.records.errors import BadInput
from attention_viz.records.ids import HeadId
from attention_viz.records.question import Question
from attention_viz.records.tokens import Token, Tokens

# Fields whose own fields stand beside the others of their record; left out where there is none.
_BESIDE = ("request", "question", "ablation", "tokens", "token")


def record_json(record: Any) -> Any:
    """Values for json.dumps(…, allow_nan=False).

    Raises TypeError for what is no record, and BadInput for an infinite number.
    """
    for kind, write in _WRITERS.items():
        if isinstance(record, kind):
            return write(record)
    if is_dataclass(record) and not isinstance(record, type):
        return pick(record, *(field.name for field in fields(record)))
    return _plain(record)


def pick(record: Any, *names: str) -> dict[str, Any]:
    """Some fields or properties of a record, as in its JSON."""
    beside: dict[str, Any] = {}
    own: dict[str, Any] = {}
    for name in names:
        value = getattr(record, name)
        if name not in _BESIDE:
            own[name] = record_json(value)
            own |= _unit(value)
        elif value is not None:
            written = record_json(value)
            beside |= written if isinstance(written, dict) else {name: written}
    return beside | own


def _unit(value: Any) -> dict[str, str]:
    """Of a metric, an objective, or an edge's way."""
    return {"unit": value.unit} if isinstance(value, Enum) and hasattr(value, "unit") else {}


def _ablation(ablation: Ablation) -> dict[str, Any]:
    """The intervention, with the settings its kind uses."""
    written = {"kind": ablation.kind.value, **record_json(ablation.settings)}
    if ablation.positions is not None:
        written["at"] = list(ablation.positions)
    if ablation.references:
        written["references"] = list(ablation.references)
    return written


def _question(question: Question) -> dict[str, Any]:
    """The tokens of the logit difference are there where they were chosen."""
    written = {
        name: getattr(question, name)
        for name in ("model", "prompt", "counterfactual", "position", "bos")
    }
    chosen = {name: getattr(question, name) for name in ("answer", "distractor")}
    if question.chat:
        written["chat"] = True
    return written | {name: {"id": id} for name, id in chosen.items() if id is not None}


def _tokens(tokens: Tokens) -> dict[str, Any]:
    ids = [token.id for token in tokens.items]
    return {"tokens": list(tokens.texts), "ids": ids, "bos": tokens.bos}


_WRITERS: dict[type | tuple[type, ...], Callable[[Any], Any]] = {
    (HeadId, EdgeId): str,
    Token: lambda token: token.values,
    Tokens: _tokens,
    Question: _question,
    Ablation: _ablation,
    Enum: lambda member: record_json(member.value),
    dict: lambda values: {str(record_json(k)): record_json(v) for k, v in values.items()},
    (list, tuple): lambda values: [record_json(value) for value in values],
}


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return record_json(value.tolist())
    if isinstance(value, float):
        if math.isinf(value):
            raise BadInput("A number came out infinite.", "Ask with a smaller scale, or otherwise.")
        return None if math.isnan(value) else value
    if value is None or isinstance(value, bool | int | str):
        return value
    raise TypeError(f"{type(value).__name__} can't be written as JSON")
