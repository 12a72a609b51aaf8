"""The circuit as a picture (PNG, SVG, PDF), as the page shows it: same places, curves, colours.

Above it a caption that says what was measured of which model and how, below it the legend. Drawn in
px, y downward, on a matplotlib Figure of its own (no pyplot, no global state kept). The same
circuit gives the same bytes. SVG texts are texts, not outlines: they can be searched.
"""

import io
import math
import textwrap
import threading
import warnings
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch, Polygon

from attention_viz.exports.picture_caption import caption_of
from attention_viz.figures import palette
from attention_viz.figures.circuits.circuit import legend
from attention_viz.figures.circuits.circuit_layout import (
    CAREFUL,
    Box,
    Group,
    Layout,
    Point,
    Route,
    edge_names,
    edge_opacity,
    edge_width,
    lay_out,
    point_at,
    points_along,
    strongest_edge,
)
from attention_viz.figures.circuits.circuit_legend import edge_sense
from attention_viz.figures.escape import visible
from attention_viz.records.circuits.circuit import Circuit, CircuitNode
from attention_viz.records.circuits.circuit_view import PLAIN_VIEW, CircuitView
from attention_viz.records.circuits.edge import Via
from attention_viz.records.circuits.faithfulness import Faithfulness, FaithfulnessResult
from attention_viz.records.circuits.roles import Role
from attention_viz.records.metrics import Sense

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
) -> bytes:
    """The picture in the format "png", "svg" or "pdf".

    `positions` are the page's, by node id, in px, and come before those that `view` pins. A
    `Faithfulness` without its request was measured with the circuit's own ablation kind. Raises
    BadInput for a layout that is not known.
    """
    placed = tuple((name, x, y) for name, (x, y) in (positions or {}).items())
    view = replace(view, positions=(*view.positions, *placed))
    sheet = _Sheet(circuit, lay_out(circuit, smallest, view), palette.theme_of(theme))
    items = legend(circuit, theme, smallest, view)
    with _saving, matplotlib.rc_context(_SETTINGS):
        return _save(sheet.draw(caption_of(circuit, faithfulness), items), suffix, circuit)


def _save(figure: Figure, suffix: str, circuit: Circuit) -> bytes:
    out = io.BytesIO()
    about = dict(_METADATA[suffix])
    about["Title"] = f"Circuit of {visible(circuit.request.question.model)}"
    longest = 96 * max(figure.get_size_inches())
    dpi = min(192.0, 96 * _LONGEST_SIDE / longest)
    with warnings.catch_warnings():
        # Letters that our fonts lack are boxes in PNG and PDF; who opens an SVG finds a font.
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .* missing from")
        figure.savefig(out, format=suffix, dpi=dpi, metadata=about, facecolor="auto")
    return out.getvalue()


class _Sheet:
    """The drawing in progress: a figure whose one axis is the sheet in px, y downward."""

    def __init__(self, circuit: Circuit, layout: Layout, colours: palette.Theme):
        self.circuit = circuit
        self.layout = layout
        self.colours = colours
        self.curves = [_curve(route, layout) for route in layout.routes]
        self.strongest = strongest_edge(circuit)
        self.sense = edge_sense(circuit)
        self.is_crowded = len(layout.routes) > CAREFUL

    def draw(self, caption: list[str], items: list[dict[str, str]]) -> Figure:
        left, right, top, bottom = self._extent()
        per_line = int((right - left) / _LETTER)
        lines = [part for line in caption for part in textwrap.wrap(line, per_line) or [""]]
        places, foot = _flow(items, right - left)
        head = _LINE * len(lines) + 20
        self._open((left, right, top - head, bottom + foot + 26))
        self._draw_caption(lines, left, top - head)
        self._draw_guides(left, right)
        for group in self.layout.groups:
            self._draw_group(group)
        names = edge_names(route.edge for route in self.layout.routes)
        for route, name, curve in zip(self.layout.routes, names, self.curves, strict=True):
            self._draw_edge(route, name, curve)
        for node in self.circuit.nodes:
            if node.id in self.layout.boxes:
                self._draw_node(node)
        for route, curve in zip(self.layout.routes, self.curves, strict=True):
            self._draw_edge_label(route, curve)
        for item, x, y, text in places:
            self._draw_sign(item, left + x, bottom + 26 + y, text)
        return self.figure

    def _extent(self) -> tuple[float, float, float, float]:
        """Left, right, top, bottom of the graph itself."""
        boxes = [*self.layout.boxes.values(), *(group.box for group in self.layout.groups)]
        points = [point for curve in self.curves for point in points_along(curve)]
        xs = [x for x, _ in points] + [b.x + s * b.width / 2 for b in boxes for s in (-1, 1)]
        ys = [y for _, y in points] + [b.y + s * b.height / 2 for b in boxes for s in (-1, 1)]
        ys += [group.box.y - group.box.height / 2 - 20 for group in self.layout.groups]
        left, right = min(xs, default=0) - 70, max(xs, default=0) + 24
        spare = max(0.0, 600 - (right - left)) / 2  # the texts need some room
        below = 32 if self.layout.columns else 0
        return left - spare, right + spare, min(ys, default=0), max(ys, default=0) + below

    def _open(self, extent: tuple[float, float, float, float]) -> None:
        left, right, top, bottom = extent
        left, right = left - _EDGE_OF_PAGE, right + _EDGE_OF_PAGE
        top, bottom = top - _EDGE_OF_PAGE, bottom + _EDGE_OF_PAGE
        size = ((right - left) / 96, (bottom - top) / 96)
        self.figure = Figure(figsize=size, dpi=96, facecolor=self.colours.card)
        FigureCanvasAgg(self.figure)
        self.axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set_axis_off()
        self.axes.set_xlim(left, right)
        self.axes.set_ylim(bottom, top)

    def _draw_caption(self, lines: list[str], left: float, top: float) -> None:
        for number, line in enumerate(lines):
            style = {"weight": "bold", "color": self.colours.ink} if number == 0 else {}
            self._write(left, top + _LINE * number, line, ha="left", **style)

    def _draw_guides(self, left: float, right: float) -> None:
        colours = self.colours
        for name, y in self.layout.rows:
            self._line([(left + 48, y), (right, y)], colours.line, 1.0, z=0)
            self._write(left, y, name, ha="left", color=colours.muted)
        ys = [y for _, y in self.layout.rows]
        for column in self.layout.columns:
            foot = max(ys) + 36
            self._line([(column.x, foot - 10), (column.x, min(ys))], colours.line, 1.0, z=0)
            self._write(column.x, foot, column.label, family=_MONO, color=colours.muted)

    def _draw_group(self, group: Group) -> None:
        box, colours = group.box, self.colours
        style = {"facecolor": colours.soft, "edgecolor": colours.accent, "linewidth": 1.1}
        self._box(box, 10, linestyle=(0, (4, 3)), zorder=1, gid=group.id, **style)
        wide = 7.4 * len(group.name)
        title = Box(box.x - box.width / 2 + 6 + wide / 2, box.y - box.height / 2 - 10, wide, 15)
        self._box(title, 3, facecolor=colours.card, alpha=0.9, linewidth=0, zorder=3)
        self._write(title.x - wide / 2, title.y, group.name, ha="left", weight="bold", z=4)

    def _draw_edge(self, route: Route, name: str, curve: list[Point]) -> None:
        edge, colours = route.edge, self.colours
        width = edge_width(edge, self.strongest)
        alpha = edge_opacity(edge, self.strongest, self.is_crowded)
        points, arrow = _with_arrow(points_along(curve, 60), 7 + 1.3 * width)
        z = 2 + 0.5 * (abs(edge.value) / (self.strongest or 1) if edge.via.is_causal else 0)
        style = {"alpha": alpha, "linestyle": _dashes(route, width), "gid": f"edge:{name}"}
        self._line(points, _line_colour(route, colours, self.sense), width, z=z, **style)
        head = {"color": colours.via[edge.via], "alpha": alpha if self.is_crowded else 1.0}
        self.axes.add_patch(Polygon(arrow, closed=True, lw=0, zorder=z + 0.01, **head))

    def _draw_edge_label(self, route: Route, curve: list[Point]) -> None:
        if not route.label:
            return
        x, y = point_at(curve, route.label_at)
        back = Box(x, y, 6.8 * len(route.label) + 6, 15)
        self._box(back, 3, facecolor=self.colours.card, alpha=0.9, linewidth=0, zorder=3)
        colour = self.colours.ink if route.edge.via.is_causal else self.colours.muted
        self._write(x, y, route.label, size=11, color=colour, z=4)

    def _draw_node(self, node: CircuitNode) -> None:
        box, colours = self.layout.boxes[node.id], self.colours
        is_readout = node.kind == "token" and node.position == self.circuit.position
        rim: dict[str, Any] = {"linewidth": 0.0}
        if node.kind in ("token", "input"):
            edge = {"token": colours.muted, "input": colours.ink}[node.kind]
            edge = colours.accent if is_readout else edge
            rim = {"edgecolor": edge, "linewidth": 1.5 if is_readout else 0.8}
        style = {"facecolor": _fill(node, colours), "zorder": 5, "gid": f"node:{node.id}"} | rim
        if node.kind == "mlp":
            self.axes.add_patch(Polygon(_hexagon(box), closed=True, **style))
        else:
            self._box(box, 7, **style)
        self._write_in_node(node, box)

    def _write_in_node(self, node: CircuitNode, box: Box) -> None:
        style: dict[str, Any] = {"size": 12, "color": _ink(node, self.colours), "z": 6}
        if node.kind == "token":
            style["family"] = _MONO
        if node.kind in ("head", "mlp"):
            style["weight"] = "bold"
        lines = self.layout.labels[node.id].split("\n")
        for number, line in enumerate(lines):
            self._write(box.x, box.y + 15.5 * (number - (len(lines) - 1) / 2), line, **style)

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
        self.axes.text(
            x,
            y,
            text,
            ha=style.get("ha", "center"),
            va="center_baseline" if style.get("ha") else "center",
            fontsize=_PX * style.get("size", 11.5),
            family=style.get("family", _SANS),
            weight=style.get("weight", "normal"),
            color=style.get("color", self.colours.ink2),
            zorder=style.get("z", 4),
            parse_math=False,  # a prompt's "$" is a dollar
        )

    def _line(self, points: list[Point], colour: str, width: float, z: float, **style: Any) -> None:
        xs, ys = zip(*points, strict=True)
        gid = style.pop("gid", None)
        line = Line2D(xs, ys, color=colour, linewidth=_PX * width, zorder=z, **style)
        line.set_dash_capstyle("butt")
        line.set_gid(gid)
        self.axes.add_line(line)

    def _box(self, box: Box, rounding: float, **style: Any) -> None:
        corner = (box.x - box.width / 2, box.y - box.height / 2)
        shape = f"round,pad=0,rounding_size={rounding}"
        self.axes.add_patch(FancyBboxPatch(corner, box.width, box.height, boxstyle=shape, **style))


def _curve(route: Route, layout: Layout) -> list[Point]:
    source, target = layout.boxes[route.edge.source], layout.boxes[route.edge.target]
    return route.curve((source.x, source.y), (target.x, target.y))


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
    half = 0.42 * size
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


def _line_colour(route: Route, colours: palette.Theme, sense: Sense) -> str:
    """Whether an edge helps the answer; attention weights have no side."""
    edge = route.edge
    if not edge.via.is_causal:
        return colours.via[Via.ATTENTION]
    return palette.sign_colour(edge.value, colours.name, sense)


def _dashes(route: Route, width: float) -> Any:
    """matplotlib's line style; it counts in line widths, we in px."""
    if not route.edge.via.is_causal:
        return (0, (6 / width, 4 / width))
    return "solid" if route.edge.is_exact else (0, (2 / width, 2.6 / width))


def _hexagon(box: Box) -> list[Point]:
    """As cytoscape draws it: the slants take a quarter of the width at either side."""
    half, up, slant = box.width / 2, box.height / 2, box.width / 4
    flat = half - slant
    offsets = ((-half, 0), (-flat, -up), (flat, -up), (half, 0), (flat, up), (-flat, up))
    return [(box.x + dx, box.y + dy) for dx, dy in offsets]


def _flow(
    items: list[dict[str, str]], width: float
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


def _fill(node: CircuitNode, colours: palette.Theme) -> str:
    if node.kind == "head":
        role = node.role.role if node.role else Role.UNCLEAR
        return palette.role_colour(role, colours.name)
    return {"output": colours.ink, "mlp": colours.mlp}.get(node.kind, colours.card)


def _ink(node: CircuitNode, colours: palette.Theme) -> str:
    inks = {"head": "#ffffff", "mlp": "#ffffff", "output": colours.card}
    return inks.get(node.kind, colours.ink)
