"""Results kept under their frozen requests, bounded in bytes."""

import threading
from collections import OrderedDict
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np


class Results:
    """Results by request, the least recently used forgotten first, bounded in bytes."""

    def __init__(self, most_bytes: int):
        self._most = most_bytes
        self._guard = threading.Lock()
        self._kept: OrderedDict[Any, tuple[Any, int]] = OrderedDict()
        self._bytes = 0

    def get(self, request: Any) -> Any | None:
        with self._guard:
            if request not in self._kept:
                return None
            self._kept.move_to_end(request)
            return self._kept[request][0]

    def put(self, request: Any, result: Any) -> None:
        size = size_of(result)
        with self._guard:
            if request in self._kept:
                self._bytes -= self._kept.pop(request)[1]
            self._kept[request] = (result, size)
            self._bytes += size
            # The newest stays even where it is too big alone: somebody is looking at it.
            while self._bytes > self._most and len(self._kept) > 1:
                self._bytes -= self._kept.popitem(last=False)[1][1]


_OBJECT_BYTES = 64  # what a small Python object costs, roughly


def size_of(record: Any) -> int:
    """About how many bytes a record holds on to; arrays and texts exactly, the rest roughly."""
    seen: set[int] = set()
    todo, size = [record], 0
    while todo:
        item = todo.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        size += _OBJECT_BYTES
        if isinstance(item, np.ndarray):
            size += item.nbytes
        elif isinstance(item, str | bytes):
            size += len(item)
        elif isinstance(item, dict):
            todo += [*item.keys(), *item.values()]
        elif isinstance(item, tuple | list | set | frozenset):
            todo += item
        elif is_dataclass(item):
            todo += [getattr(item, part.name) for part in fields(item)]
    return size
