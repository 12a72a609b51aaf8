"""How large a circuit's picture is: in which shape it is drawn, and how much smaller or larger.

Sizes are px of 96 an inch, so that letters of 8 px are 6 points high. Where nobody asks for a size,
the drawing has the page's own shape if its letters are at least that high on a sheet of 4:3, and
else the shape that fits such a sheet best.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from attention_viz.figures.circuits.circuit_layout import SHAPES, Shape
from attention_viz.records.circuits.circuit_view import PICTURE_SIDE
from attention_viz.records.errors import BadInput

_LEAST, _MOST = PICTURE_SIDE
LETTERS = 11.0  # px, the smallest letters of a drawing at its own size
LEGIBLE = 8.0  # px: 6 points
_RATIO = 4 / 3
_SHEET = (960.0, 720.0)  # px: 10 × 7.5 inches
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


class Measured(Protocol):
    """Something of a width and height, px at its own size."""

    @property
    def size(self) -> tuple[float, float]: ...


Drawn = TypeVar("Drawn", bound=Measured)


def best_shape(shapes: Sequence[Shape], draw: Callable[[Shape], Drawn], size: PictureSize) -> Drawn:
    """The drawing whose letters can be read at this size, and of those the one nearest to 4:3.

    Where both sides are asked for, or none of the letters can be read: that with the largest ones.
    The first of the shapes comes first where nothing is asked.
    """
    drawn: list[Drawn] = []
    for shape in shapes:
        drawn.append(draw(shape))
        if not size.is_asked and _letters(drawn[-1], PictureSize(*_SHEET)) >= LEGIBLE:
            return drawn[-1]
    if size.is_asked and None in (size.width, size.height):
        legible = [each for each in drawn if _letters(each, size) >= LEGIBLE]
        if legible:
            return min(legible, key=_off_ratio)
    sheet = size if size.is_asked else PictureSize(*_SHEET)
    return max(drawn, key=lambda each: (round(_letters(each, sheet), 1), _area(each, sheet)))


def shapes_for(own: str = "") -> tuple[Shape, ...]:
    """Those that a picture may have: only `own` where places were pinned in it."""
    return (SHAPES[own],) if own else tuple(_shapes())


def _shapes() -> Iterator[Shape]:
    yield SHAPES["page"]
    for width in _WIDTHS:
        yield replace(SHAPES["screen"], width=width)
    yield SHAPES["column"]


def _letters(drawn: Measured, size: PictureSize) -> float:
    """px of its smallest letters at this size."""
    return LETTERS * size.scale(*drawn.size)


def _area(drawn: Measured, size: PictureSize) -> float:
    """px² that it takes of the sheet."""
    width, height = drawn.size
    return width * height * size.scale(width, height) ** 2


def _off_ratio(drawn: Measured) -> float:
    width, height = drawn.size
    return abs(math.log(width / height / _RATIO))
