"""What a stylesheet makes of an element, as cytoscape reads it: the exported picture draws from it.

So page and picture have one description of a drawing: the elements and their style.
"""

import re
from collections.abc import Sequence
from typing import Any

from attention_viz.figures.circuits.circuit_routes import Point, curve_between

_DATUM = re.compile(r"data\((\w+)\)")
_SELECTOR = re.compile(r"(?P<group>node|edge)?(?P<classes>(\.[\w-]+)*)")
_GROUPS = {"node": "nodes", "edge": "edges"}


def style_of(element: dict[str, Any], stylesheet: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Every property of the element; later rules win, data are filled in.

    Selectors are "node", "edge", classes and lists of them; those of states (":selected") do not
    hold for an exported picture.
    """
    style: dict[str, Any] = {}
    for rule in stylesheet:
        if any(_holds(part.strip(), element) for part in rule["selector"].split(",")):
            style |= rule["style"]
    return {name: _filled(value, element["data"]) for name, value in style.items()}


def curve_of(data: dict[str, Any], source: Point, target: Point) -> list[Point]:
    """Start, control, joint, control, end of an edge of these data between nodes' middles."""
    weights, distances = (
        tuple(float(number) for number in data[name].split()) for name in ("weights", "distances")
    )
    return curve_between(
        _offset(source, data["leave"]), _offset(target, data["enter"]), weights, distances
    )


def _holds(selector: str, element: dict[str, Any]) -> bool:
    match = _SELECTOR.fullmatch(selector)
    if match is None or not selector:
        return False
    group, classes = match["group"], match["classes"].split(".")[1:]
    is_group = group is None or element["group"] == _GROUPS[group]
    return is_group and set(classes) <= set(element.get("classes", "").split())


def _filled(value: Any, data: dict[str, Any]) -> Any:
    match = _DATUM.fullmatch(value) if isinstance(value, str) else None
    return value if match is None else data.get(match[1])


def _offset(middle: Point, pixels: str) -> Point:
    """The point at "20px -15px" from a middle."""
    dx, dy = (float(part.removesuffix("px")) for part in pixels.split())
    return middle[0] + dx, middle[1] + dy
