"""What a person did to the drawing of a circuit: nothing here changes what was measured."""

from dataclasses import dataclass

LAYOUTS = {
    "layers": "a row per layer, upward",
    "tokens": "a row per layer, a column per token position",
}
SHAPES = ("column", "page", "screen")
PICTURE_SIDE = (100, 10_000)  # px that a picture may be asked to be wide or high


@dataclass(frozen=True)
class CircuitView:
    """Nodes are named by their ids ("L2H3", "token:4"); ids the circuit lacks are passed over."""

    layout: str = "layers"  # one of LAYOUTS
    positions: tuple[tuple[str, float, float], ...] = ()  # pinned: id, x, y in px, y downward
    hidden: tuple[str, ...] = ()  # not drawn, nor their edges
    names: tuple[tuple[str, str], ...] = ()  # id, what it is called instead
    groups: tuple[tuple[str, tuple[str, ...]], ...] = ()  # name, ids; a node's first one counts
    # one of SHAPES: how wide; "": as fits. Pinned places mean something in one shape only.
    shape: str = ""
    folds: bool = True  # a deep circuit's chains of MLPs to stacks
    opened: tuple[str, ...] = ()  # MLPs that no stack holds


PLAIN_VIEW = CircuitView()
