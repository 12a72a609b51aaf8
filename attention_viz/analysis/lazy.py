"""Attributes computed when first read, without a lock.

`functools.cached_property` holds one lock for all objects of a class before Python 3.12. What is
computed here waits for its turn on the device; whoever has the device and reads the same attribute
of another object would wait for that lock: both for ever. An object belongs to one thread, so
nothing needs a lock.
"""

from collections.abc import Callable
from typing import Any


class lazy:
    """Decorates a method whose value is kept in the object."""

    def __init__(self, compute: Callable[[Any], Any]):
        self._compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        kept = instance.__dict__
        if self._name not in kept:
            kept[self._name] = self._compute(instance)
        return kept[self._name]
