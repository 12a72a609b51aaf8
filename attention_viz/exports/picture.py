"""The circuit as a picture (PNG, SVG, PDF), drawn from the page's own elements and their style.

Above it a caption that says what was measured of which model and how, below it the legend. Drawn in
px, y downward, on a matplotlib Figure of its own (no pyplot, no global state kept). The same
circuit gives the same bytes. SVG texts are texts, not outlines: they can be searched.
"""

import io
import math
import textwrap
import threading
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch, Polygon

from attention_viz.exports.picture_caption import caption_of
from attention_viz.exports.picture_size import OWN_SIZE, PictureSize, best_shape, shapes_for
from attention_viz.figures import palette
from attention_viz.figures.circuits.circuit import draw_circuit, legend, stylesheet
from attention_viz.figures.circuits.circuit_layout import (
    Box,
    Point,
    Shape,
    around,
    arrow_length,
    point_at,
    points_along,
)
from attention_viz.figures.circuits.element_style import curve_of, extent_of, style_of
from attention_viz.figures.circuits.folding import fold_circuit
from attention_viz.figures.escape import visible
from attention_viz.records.circuits.circuit import Circuit
from attention_viz.records.circuits.circuit_view import PLAIN_VIEW, CircuitView
from attention_viz.records.circuits.faithfulness import Faithfulness, FaithfulnessResult

_SETTINGS = {"svg.fonttype": "none", "svg.hashsalt": "attention-viz", "pdf.fonttype": 42}
_METADATA = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": "Attention Viz"},
    "pdf": {"CreationDate": None, "ModDate": None, "Creator": "Attention Viz"},
}
_SANS = ["DejaVu Sans"]  # comes with matplotlib, so every machine draws alike
_MONO = ["DejaVu Sans Mono", "DejaVu Sans"]
_PX = 0.75  # points in a px at 96 px an inch
_EDGE_OF_PAGE = 24  # px
_LETTER = 6.3  # px, a generous mean of our texts
_LINE = 17  # px from line to line of the texts
_INDENT = 27  # px from a sign of the legend to its text
_SIGN_DASHES = {"solid": "solid", "dashed": (0, (2.4, 1.6)), "dotted": (0, (0.8, 1.04))}
_SIGN_CORNERS = {
    "width": ((0, -0.6), (20, -3.5), (20, 3.5), (0, 0.6)),
    "arrow": ((4, -5), (16, 0), (4, 5)),
    "hexagon": ((2, 0), (6, -6), (14, -6), (18, 0), (14, 6), (6, 6)),
}
_SORTS = {"arrow": "arrow", "dot": "node", "hexagon": "node", "note": "note"}  # else a line
_LONGEST_SIDE = 6000  # px of a PNG
# matplotlib's settings are global; two exports at once would undo each other's.
_saving = threading.Lock()


def draw_picture(
    circuit: Circuit,
    suffix: str,
    positions: Mapping[str, Point] | None = None,
    theme: str = "light",
    smallest: float = 0.0,
    *,
    view: CircuitView = PLAIN_VIEW,
    faithfulness: Faithfulness | FaithfulnessResult | None = None,
    size: PictureSize = OWN_SIZE,
) -> bytes:
    """The picture in the format "png", "svg" or "pdf".

    `positions` are the page's, by node id, in px, and come before those that `view` pins. A
    `Faithfulness` without its request was measured with the circuit's own ablation kind. A PNG of
    an asked size has as many pixels, one of its own size twice as many. Raises BadInput for a
    layout that is not known.
    """
    placed = tuple((name, x, y) for name, (x, y) in (positions or {}).items())
    view = replace(view, positions=(*view.positions, *placed))
    caption, items = caption_of(circuit, faithfulness), legend(circuit, theme, smallest, view)

    def sheet(shape: Shape, shown: Circuit) -> _Sheet:
        elements = draw_circuit(shown, theme, smallest, view, shape)
        return _Sheet(elements, stylesheet(theme), palette.theme_of(theme), caption, items)

    # Its edges hardly change a drawing's size, and routing them takes most of the time.
    bare = replace(fold_circuit(circuit, view), edges=())
    with _saving, matplotlib.rc_context(_SETTINGS):
        own = view.shape or ("page" if view.positions else "")
        shape = best_shape(shapes_for(own), lambda shape: sheet(shape, bare).size, size)
        return _save(sheet(shape, circuit).draw(size), suffix, circuit, size)


def draw_sheet(
    elements: Sequence[dict[str, Any]],
    styles: Sequence[dict[str, Any]],
    theme: str = "light",
    caption: Sequence[str] = (),
    items: Sequence[dict[str, str]] = (),
    size: PictureSize = OWN_SIZE,
) -> Figure:
    """What the page's graph shows of these elements in this style, as a figure.

    Each artist's gid is its element's kind and id: "node:L2H3", "edge:…", "arrow:…", "label:…".
    `caption` stands above, the first line bold; `items` of a legend below.
    """
    return _Sheet(elements, styles, palette.theme_of(theme), caption, items).draw(size)


def _save(figure: Figure, suffix: str, circuit: Circuit, size: PictureSize) -> bytes:
    out = io.BytesIO()
    about = dict(_METADATA[suffix])
    about["Title"] = f"Circuit of {visible(circuit.request.question.model)}"
    longest = 96 * max(figure.get_size_inches())
    dpi = 96.0 if size.is_asked else min(192.0, 96 * _LONGEST_SIDE / longest)
    with warnings.catch_warnings():
        # Letters that our fonts lack are boxes in PNG and PDF; who opens an SVG finds a font.
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .* missing from")
        figure.savefig(out, format=suffix, dpi=dpi, metadata=about, facecolor="auto")
    return out.getvalue()


class _Sheet:
    """The drawing in progress: a figure whose one axis is the sheet in px, y downward."""

    def __init__(
        self,
        elements: Sequence[dict[str, Any]],
        styles: Sequence[dict[str, Any]],
        colours: palette.Theme,
        caption: Sequence[str],
        items: Sequence[dict[str, str]],
    ):
        self.colours, self.px = colours, _PX
        self.parts = parts = [
            _Part(each["data"], style_of(each, styles), each) for each in elements
        ]
        self.places = {part.id: part.place for part in parts if part.place is not None}
        self.edges = [part for part in parts if part.kind == "edge"]
        self.guides = [part for part in parts if part.kind == "guide"]
        self.groups = [part for part in parts if part.kind == "group"]
        rest = ("edge", "guide", "group")
        self.nodes = [part for part in parts if part.kind not in rest]
        self.curves = [self._curve(part.data) for part in self.edges]
        self.frames = [self._frame(group) for group in self.groups]
        left, right, self.top, self.bottom = self._extent()
        self.left, width = left, right - left
        per_line = int(width / _LETTER)
        self.lines = [part for line in caption for part in textwrap.wrap(line, per_line) or [""]]
        self.signs, foot = _flow(items, width)
        self.head = self.top - _LINE * len(self.lines) - 20
        self.size = (
            width + 2 * _EDGE_OF_PAGE,
            self.bottom + foot + 26 - self.head + 2 * _EDGE_OF_PAGE,
        )

    def draw(self, size: PictureSize) -> Figure:
        self._open(size)
        self._draw_caption(self.lines, self.left, self.head)
        for guide in self.guides:
            self._draw_guide(guide)
        for group, frame in zip(self.groups, self.frames, strict=True):
            self._draw_group(group, frame)
        for number, (edge, curve) in enumerate(zip(self.edges, self.curves, strict=True)):
            self._draw_edge(edge, curve, 2 + number / (len(self.edges) + 1))
        for node in self.nodes:
            self._draw_node(node)
        for edge, curve in zip(self.edges, self.curves, strict=True):
            self._draw_edge_label(edge, curve)
        for item, x, y, text in self.signs:
            self._draw_sign(item, self.left + x, self.bottom + 26 + y, text)
        return self.figure

    def _curve(self, data: dict[str, Any]) -> list[Point]:
        return curve_of(data, self.places[data["source"]], self.places[data["target"]])

    def _frame(self, group: "_Part") -> Box:
        """Around the group's nodes, as cytoscape draws a compound one."""
        inside = [node.box for node in self.nodes if node.data.get("parent") == group.id]
        return around(inside, group.style["padding"])

    def _extent(self) -> tuple[float, float, float, float]:
        """Left, right, top, bottom of the graph itself."""
        left, top, right, bottom = extent_of([part.element for part in self.parts])
        spare = max(0.0, 600 - (right - left)) / 2  # the texts need some room
        return left - spare, right + spare, top, bottom

    def _open(self, size: PictureSize) -> None:
        """A figure of the size asked for, the drawing in its middle."""
        wide, high = self.size
        scale = size.scale(wide, high)
        self.px = _PX * scale
        width, height = (
            asked or scale * own
            for asked, own in zip((size.width, size.height), self.size, strict=True)
        )
        self.figure = Figure((width / 96, height / 96), dpi=96, facecolor=self.colours.card)
        FigureCanvasAgg(self.figure)
        self.axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set_axis_off()
        beside, above = (width / scale - wide) / 2, (height / scale - high) / 2
        left, top = self.left - _EDGE_OF_PAGE - beside, self.head - _EDGE_OF_PAGE - above
        self.axes.set_xlim(left, left + width / scale)
        self.axes.set_ylim(top + height / scale, top)

    def _draw_caption(self, lines: list[str], left: float, top: float) -> None:
        for number, line in enumerate(lines):
            style = {"weight": "bold", "color": self.colours.ink} if number == 0 else {}
            self._write(left, top + _LINE * number, line, ha="left", **style)

    def _draw_guide(self, guide: "_Part") -> None:
        """A line through a row or column, or its name."""
        style = guide.style
        if guide.place is None:
            ends = [self.places[guide.data[end]] for end in ("source", "target")]
            self._line(ends, style["line-color"], style["width"], z=0, linestyle=_dashes(style))
            return
        (x, y), is_below = guide.place, style["text-valign"] == "bottom"
        side = {} if is_below else {"ha": "right"}
        down = 10 if is_below else 0
        self._write(x, y + down, guide.data["label"], **side, **_font(style))

    def _draw_group(self, group: "_Part", frame: Box) -> None:
        style = group.style
        inside = to_rgba(style["background-color"], style["background-opacity"])
        line = {"edgecolor": style["border-color"], "linewidth": self.px * style["border-width"]}
        dashes = (0, (4, 3))
        self._box(frame, 10, linestyle=dashes, zorder=1, gid=group.id, facecolor=inside, **line)
        wide, y = 7.4 * len(group.data["label"]), frame.y - frame.height / 2 - 10
        title = Box(frame.x, y, wide, 15)
        self._box(title, 3, facecolor=self.colours.card, alpha=0.9, linewidth=0, zorder=3)
        self._write(frame.x, y, group.data["label"], z=4, **_font(style))

    def _draw_edge(self, edge: "_Part", curve: list[Point], z: float) -> None:
        style = edge.style
        width = style["width"]
        length = arrow_length(width, style["arrow-scale"])
        points, corners = _with_arrow(points_along(curve, 60), length)
        alpha = style.get("opacity", 1) * style["line-opacity"]  # of line and arrow, in cytoscape
        look = {"alpha": alpha, "linestyle": _dashes(style), "gid": f"edge:{edge.id}"}
        self._line(points, style["line-color"], width, z=z, **look)
        head = {"color": style["target-arrow-color"], "alpha": alpha, "gid": f"arrow:{edge.id}"}
        self.axes.add_patch(Polygon(corners, closed=True, lw=0, zorder=z + 1e-6, **head))

    def _draw_edge_label(self, edge: "_Part", curve: list[Point]) -> None:
        style, text = edge.style, edge.style["source-label"]
        if not text:
            return
        x, y = point_at(curve, style["source-text-offset"])
        back = Box(x, y, 6.8 * len(text) + 6, 15)
        behind = to_rgba(style["text-background-color"], style["text-background-opacity"])
        self._box(back, 3, facecolor=behind, linewidth=0, zorder=3)
        self._write(x, y, text, z=4, gid=f"label:{edge.id}", **_font(style))

    def _draw_node(self, node: "_Part") -> None:
        box, style = node.box, node.style
        look = {"facecolor": style["background-color"], "zorder": 5, "gid": f"node:{node.id}"}
        look |= {"linewidth": self.px * style.get("border-width", 0)}
        if look["linewidth"]:
            look["edgecolor"] = style["border-color"]
        if style.get("ghost") == "yes":
            self._draw_ghost(box, style, look)
        self._draw_outline(box, style, look)
        lines = style["label"].split("\n")
        for number, line in enumerate(lines):
            y = box.y + 15.5 * (number - (len(lines) - 1) / 2)
            self._write(box.x, y, line, z=6, gid=f"label:{node.id}", **_font(style))

    def _draw_ghost(self, box: Box, style: dict[str, Any], look: dict[str, Any]) -> None:
        """A faint copy behind the node, as cytoscape draws it."""
        moved = replace(box, x=box.x + style["ghost-offset-x"], y=box.y + style["ghost-offset-y"])
        faint = {"alpha": style["ghost-opacity"], "zorder": 4.9, "gid": None}
        self._draw_outline(moved, style, look | faint)

    def _draw_outline(self, box: Box, style: dict[str, Any], look: dict[str, Any]) -> None:
        if style["shape"] == "hexagon":
            self.axes.add_patch(Polygon(_hexagon(box), closed=True, **look))
        else:
            self._box(box, 7, **look)

    def _draw_sign(self, item: dict[str, str], x: float, y: float, text: str) -> None:
        """One line of the legend; its sign is drawn where there is one."""
        colour, mark = item["colour"], item["mark"]
        if mark in _SIGN_DASHES:
            style = {"linestyle": _SIGN_DASHES[mark]}
            self._line([(x, y), (x + 20, y)], colour, 2.5, z=2, **style)
        elif mark in _SIGN_CORNERS:
            corners = [(x + dx, y + dy) for dx, dy in _SIGN_CORNERS[mark]]
            self.axes.add_patch(Polygon(corners, closed=True, color=colour, lw=0, zorder=2))
        elif mark == "dot":
            self._box(Box(x + 10, y, 11, 11), 5.4, facecolor=colour, linewidth=0)
        indent = 0 if mark in ("note", "") else _INDENT
        self._write(x + indent, y, text, ha="left")

    def _write(self, x: float, y: float, text: str, **style: Any) -> None:
        if not text.strip():
            return
        written = self.axes.text(
            x,
            y,
            text,
            ha=style.get("ha", "center"),
            va="center_baseline" if style.get("ha") == "left" else "center",
            fontsize=self.px * style.get("size", 11.5),
            family=style.get("family", _SANS),
            weight=style.get("weight", "normal"),
            color=style.get("color", self.colours.ink2),
            zorder=style.get("z", 4),
            parse_math=False,  # a prompt's "$" is a dollar
        )
        written.set_gid(style.get("gid"))

    def _line(self, points: list[Point], colour: str, width: float, z: float, **style: Any) -> None:
        xs, ys = zip(*points, strict=True)
        gid = style.pop("gid", None)
        line = Line2D(xs, ys, color=colour, linewidth=self.px * width, zorder=z, **style)
        line.set_dash_capstyle("butt")
        line.set_gid(gid)
        self.axes.add_line(line)

    def _box(self, box: Box, rounding: float, **style: Any) -> None:
        corner = (box.x - box.width / 2, box.y - box.height / 2)
        shape = f"round,pad=0,rounding_size={rounding}"
        self.axes.add_patch(FancyBboxPatch(corner, box.width, box.height, boxstyle=shape, **style))


@dataclass(frozen=True)
class _Part:
    """An element with its style resolved."""

    data: dict[str, Any]
    style: dict[str, Any]
    element: dict[str, Any]

    @property
    def id(self) -> str:
        return self.data["id"]

    @property
    def kind(self) -> str:
        return self.data["kind"]

    @property
    def place(self) -> Point | None:
        """Middle of a node; None for edges and groups."""
        place = self.element.get("position")
        return None if place is None else (place["x"], place["y"])

    @property
    def box(self) -> Box:
        return Box(*self.place, self.style["width"], self.style["height"])


def _font(style: dict[str, Any]) -> dict[str, Any]:
    """How a text of an element is written."""
    return {
        "size": style["font-size"],
        "color": style["color"],
        "family": _MONO if style["font-family"] == palette.MONO else _SANS,
        "weight": "bold" if style.get("font-weight", 400) >= 600 else "normal",
    }


def _with_arrow(points: list[Point], size: float) -> tuple[list[Point], list[Point]]:
    """The line cut where its arrow head begins, and the head's three corners."""
    tip = points[-1]
    kept = list(points)
    while len(kept) > 2 and math.dist(kept[-1], tip) < 0.9 * size:
        kept.pop()
    dx, dy = tip[0] - kept[-1][0], tip[1] - kept[-1][1]
    length = math.hypot(dx, dy) or 1.0
    dx, dy = dx / length, dy / length
    base = (tip[0] - size * dx, tip[1] - size * dy)
    half = 0.5 * size
    corners = [
        tip,
        (base[0] - half * dy, base[1] + half * dx),
        (base[0] + half * dy, base[1] - half * dx),
    ]
    return [*kept, base] if _goes_on(kept, base) else kept, corners


def _goes_on(points: list[Point], base: Point) -> bool:
    """Whether the line still moves forward when it is led to the arrow's base."""
    (x0, y0), (x1, y1) = list(pairwise(points))[-1]
    return (x1 - x0) * (base[0] - x1) + (y1 - y0) * (base[1] - y1) > 0


def _dashes(style: dict[str, Any]) -> Any:
    """matplotlib's line style; it counts in line widths, cytoscape in px."""
    if style.get("line-style", "solid") == "solid":
        return "solid"
    return (0, tuple(part / style["width"] for part in style["line-dash-pattern"]))


def _hexagon(box: Box) -> list[Point]:
    """As cytoscape draws it: the slants take a quarter of the width at either side."""
    half, up, slant = box.width / 2, box.height / 2, box.width / 4
    flat = half - slant
    offsets = ((-half, 0), (-flat, -up), (flat, -up), (half, 0), (flat, up), (-flat, up))
    return [(box.x + dx, box.y + dy) for dx, dy in offsets]


def _flow(
    items: Sequence[dict[str, str]], width: float
) -> tuple[list[tuple[dict[str, str], float, float, str]], float]:
    """Each line of the legend with its place, and the height of all.

    Signs of one sort stand side by side while there is room; notes have their own lines.
    """
    placed, x, y, before = [], 0.0, 0.0, None
    for item in items:
        is_note, sort = item["mark"] == "note", _SORTS.get(item["mark"])
        indent = 0 if is_note else _INDENT
        wide = indent + _LETTER * len(item["text"])
        if x > 0 and (sort != before or x + wide > width):
            x, y = 0.0, y + _LINE
        before = sort
        first, *rest = textwrap.wrap(item["text"], int((width - indent) / _LETTER)) or [""]
        placed.append((item, x, y, first))
        for line in rest:
            y += _LINE
            placed.append((item | {"mark": ""}, x + indent, y, line))
        x += wide + 24
        if is_note or rest:
            x, y = 0.0, y + _LINE
    return placed, y + (_LINE if x > 0 else 0)
