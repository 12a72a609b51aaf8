"""The two Dash components of the page: its skeleton, and the bridges its traffic crosses.

They are drawn by assets/10_bridge.js. A bridge has `asked`, which the browser sets, and `told`,
which the server answers; each has one question under way at a time.
"""

from typing import Any

from dash.development.base_component import Component

RAIL, VIEW, BEHIND, ACT, TICK = "rail", "view", "behind", "act", "tick"
BRIDGES = (RAIL, VIEW, BEHIND, ACT, TICK)


class _Own(Component):
    """A component of this page rather than of a library: its script is one of the assets."""

    _namespace = "attention_viz"
    _children_props: list[str] = []
    _base_nodes: list[str] = ["children"]
    _valid_wildcard_attributes: list[str] = []
    available_wildcard_properties: list[str] = []
    _type = "Own"
    _prop_names: list[str] = []


class Skeleton(_Own):
    """Markup of ours that stays: `html` as it is, never changed by Dash.

    `start` is what the scripts begin with, as JSON.
    """

    _type = "Skeleton"
    _prop_names = ["id", "html", "start"]
    available_properties = _prop_names

    def __init__(self, id: str, html: str, start: dict[str, Any]):
        super().__init__(id=id, html=html, start=start)


class Bridge(_Own):
    """One line between browser and server; it shows nothing."""

    _type = "Bridge"
    _prop_names = ["id", "asked", "told"]
    available_properties = _prop_names

    def __init__(self, id: dict[str, str]):
        super().__init__(id=id)


def bridge_id(name: Any) -> dict[str, Any]:
    return {"type": "bridge", "name": name}
