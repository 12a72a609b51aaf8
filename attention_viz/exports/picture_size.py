"""How large a circuit's picture is: in which shape it is drawn, and how much smaller or larger.

Sizes are px of 96 an inch, so that letters of 8 px are 6 points high. Where nobody asks for a size,
the drawing has the page's own shape if its letters are at least that high on a sheet of 4:3, and
else the shape that fits such a sheet best.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from attention_viz.figures.circuits.circuit_layout import SHAPES, Shape
from attention_viz.records.circuits.circuit_view import PICTURE_SIDE
from attention_viz.records.errors import BadInput

_LEAST, _MOST = PICTURE_SIDE
LETTERS = 11.0  # px, the smallest letters of a drawing at its own size
LEGIBLE = 8.0  # px: 6 points
_RATIO = 4 / 3
_HEIGHT = 588.0  # px of the drawing, so that caption and legend have room beside it
_WIDTHS = (640.0, 860.0, 1060.0, 1240.0)  # px that rows are spread over


@dataclass(frozen=True)
class PictureSize:
    """What was asked for, px; None: as it comes. Raises BadInput for sizes no picture can have."""

    width: int | None = None
    height: int | None = None

    def __post_init__(self) -> None:
        for name, px in (("width", self.width), ("height", self.height)):
            if px is not None and not _LEAST <= px <= _MOST:
                raise BadInput(
                    f"A picture can't have a {name} of {px} px.",
                    f"Ask for {_LEAST} to {_MOST:,}, or leave it out.",
                )

    @property
    def is_asked(self) -> bool:
        return self.width is not None or self.height is not None

    def scale(self, width: float, height: float) -> float:
        """How much larger than this a drawing becomes; 1 where nothing was asked."""
        asked = ((self.width, width), (self.height, height))
        return min((px / own for px, own in asked if px is not None), default=1.0)


OWN_SIZE = PictureSize()
_SHEET = PictureSize(960, 720)  # 10 × 7.5 inches


Side = tuple[float, float]  # width and height, px at its own size


def best_shape(
    shapes: Sequence[Shape], measure: Callable[[Shape], Side], size: PictureSize
) -> Shape:
    """The shape whose letters can be read at this size, and of those the one nearest to 4:3.

    Where both sides are asked for, or no letters can be read: that with the largest ones. The first
    of the shapes comes first where nothing is asked.
    """
    if len(shapes) == 1:
        return shapes[0]
    first = measure(shapes[0])
    if not size.is_asked and _letters(first, _SHEET) >= LEGIBLE:
        return shapes[0]
    sides = {shapes[0]: first} | {shape: measure(shape) for shape in shapes[1:]}
    if size.is_asked and None in (size.width, size.height):
        legible = [shape for shape, side in sides.items() if _letters(side, size) >= LEGIBLE]
        if legible:
            return min(legible, key=lambda shape: _off_ratio(sides[shape]))
    sheet = size if size.is_asked else _SHEET

    def worth(shape: Shape) -> tuple[float, float]:
        return round(_letters(sides[shape], sheet), 1), _area(sides[shape], sheet)

    return max(shapes, key=worth)


def shapes_for(own: str = "") -> tuple[Shape, ...]:
    """Those that a picture may have: only `own` where places were pinned in it."""
    return (SHAPES[own],) if own else tuple(_shapes())


def _shapes() -> Iterator[Shape]:
    yield SHAPES["page"]
    for width in _WIDTHS:
        yield replace(SHAPES["screen"], width=width, height=_HEIGHT)
    yield SHAPES["column"]


def _letters(side: Side, size: PictureSize) -> float:
    """px of the smallest letters at this size."""
    return LETTERS * size.scale(*side)


def _area(side: Side, size: PictureSize) -> float:
    """px² that it takes of the sheet."""
    return side[0] * side[1] * size.scale(*side) ** 2


def _off_ratio(side: Side) -> float:
    return abs(math.log(side[0] / side[1] / _RATIO))
