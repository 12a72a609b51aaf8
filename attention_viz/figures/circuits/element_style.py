"""What a stylesheet makes of an element, as cytoscape reads it: the exported picture draws from it.

So page and picture have one description of a drawing: the elements and their style.
"""

import re
from collections.abc import Sequence
from typing import Any

from attention_viz.figures.circuits.circuit_layout import around
from attention_viz.figures.circuits.circuit_routes import Box, Point, curve_between, points_along

_ROW_NAME = 46  # px that a row's name takes at the left
_COLUMN_NAME = 16  # px below
_TITLE = 20  # px of a group's name above its box
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


def extent_of(elements: Sequence[dict[str, Any]]) -> tuple[float, float, float, float]:
    """Left, top, right and bottom (px) of nodes, edges, boxes of groups and names of rows."""
    places = {e["data"]["id"]: e["position"] for e in elements if "position" in e}
    boxes, points, members = [], [], {}
    for element in elements:
        data, place = element["data"], element.get("position")
        if data["kind"] == "edge":
            ends = (
                (places[data[end]]["x"], places[data[end]]["y"]) for end in ("source", "target")
            )
            points += points_along(curve_of(data, *ends))
        elif data["kind"] == "guide" and place is not None:
            is_column = "guide-column" in element["classes"]
            points.append((place["x"], place["y"] + (_COLUMN_NAME if is_column else 0)))
            points.append(
                (place["x"] - (_ROW_NAME if data["label"] and not is_column else 0), place["y"])
            )
        elif place is not None:
            box = Box(place["x"], place["y"], data["width"], data["height"])
            boxes.append(box)
            members.setdefault(data.get("parent"), []).append(box)
    boxes += [
        around(inside).grown(_TITLE) for parent, inside in members.items() if parent is not None
    ]
    xs = [x for x, _ in points] + [box.x + s * box.width / 2 for box in boxes for s in (-1, 1)]
    ys = [y for _, y in points] + [box.y + s * box.height / 2 for box in boxes for s in (-1, 1)]
    return min(xs, default=0), min(ys, default=0), max(xs, default=0), max(ys, default=0)


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
