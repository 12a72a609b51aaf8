"""Any record as plain JSON values.

Dataclasses become objects, enums their values, a HeadId "L2H3", a Token {"token", "id"} (with
"bytes" and "shown" where it holds part of a character), arrays nested lists; what is not measured
(nan) or not finite becomes null, which JSON can say.
"""

import math
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

import numpy as np

from attention_viz.records.ids import HeadId
from attention_viz.records.tokens import Token


def to_json(record: Any) -> Any:
    """Values for json.dumps(…, allow_nan=False). Raises TypeError for what is no record."""
    if isinstance(record, HeadId):
        return str(record)
    if isinstance(record, Token):
        return record.values
    if isinstance(record, Enum):
        return to_json(record.value)
    if is_dataclass(record) and not isinstance(record, type):
        return {field.name: to_json(getattr(record, field.name)) for field in fields(record)}
    if isinstance(record, dict):
        return {str(to_json(key)): to_json(value) for key, value in record.items()}
    if isinstance(record, (list, tuple)):
        return [to_json(item) for item in record]
    return _plain(record)


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return to_json(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, BaseException):
        return str(value)
    raise TypeError(f"{type(value).__name__} can't be written as JSON")
