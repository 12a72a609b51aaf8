"""The circuit as a picture (PNG, SVG, PDF), as the page shows it: same places, curves, colours.

Drawn in px, y downward, on a matplotlib Figure of its own (no pyplot, no global state kept).
The same circuit gives the same bytes. SVG texts are texts, not outlines: they can be searched.
"""

import io
import math
import textwrap
import threading
import warnings
from dataclasses import replace
from itertools import pairwise
from typing import Any

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch, Polygon

from attention_viz.figures import palette
from attention_viz.figures.circuit import legend
from attention_viz.figures.circuit_layout import (
    Box,
    Layout,
    Point,
    Route,
    edge_label,
    edge_names,
    edge_opacity,
    edge_width,
    lay_out,
    node_label,
    point_at,
    points_along,
)
from attention_viz.figures.escape import signed, visible
from attention_viz.records.circuit import Circuit, CircuitNode, Via
from attention_viz.records.roles import Role

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
_LETTER = 6.8  # px, a generous mean of our texts
_LINE = 17  # px from line to line of the texts
_LONGEST_SIDE = 6000  # px of a PNG
_FARTHEST = 20_000.0  # px from the middle that a node may have been dragged

# matplotlib's settings are global; two exports at once would undo each other's.
_saving = threading.Lock()


def draw_picture(
    circuit: Circuit,
    suffix: str,
    positions: dict[str, Point] | None = None,
    theme: str = "light",
    smallest: float = 0.0,
) -> bytes:
    """The picture in the format "png", "svg" or "pdf"."""
    layout = _moved(lay_out(circuit, smallest), positions or {})
    sheet = _Sheet(circuit, layout, palette.theme_of(theme))
    with _saving, matplotlib.rc_context(_SETTINGS):
        return _save(sheet.draw(legend(circuit, theme, smallest)), suffix, circuit)


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


def _moved(layout: Layout, positions: dict[str, Point]) -> Layout:
    """The layout with nodes where the page has them; places that can't be are passed over."""
    boxes = dict(layout.boxes)
    for name, (x, y) in positions.items():
        if name in boxes and all(abs(v) <= _FARTHEST for v in (x, y)):
            boxes[name] = replace(boxes[name], x=float(x), y=float(y))
    sides = [box.x + side * box.width / 2 for box in boxes.values() for side in (-1, 1)]
    return replace(layout, boxes=boxes, left=min(sides, default=0), right=max(sides, default=0))


class _Sheet:
    """The drawing in progress: a figure whose one axis is the sheet in px, y downward."""

    def __init__(self, circuit: Circuit, layout: Layout, colours: palette.Theme):
        self.circuit = circuit
        self.layout = layout
        self.colours = colours
        self.curves = [_curve(route, layout) for route in layout.routes]

    def draw(self, items: list[dict[str, str]]) -> Figure:
        left, right, top, bottom = self._extent()
        per_line = int((right - left) / _LETTER)
        caption = self._caption(per_line)
        notes = [(item, textwrap.wrap(item["text"], per_line - 6) or [""]) for item in items]
        head = _LINE * len(caption) + 20
        foot = _LINE * sum(len(lines) for _, lines in notes) + 26
        self._open((left, right, top - head, bottom + foot))
        self._draw_caption(caption, left, top - head)
        self._draw_guides(left, right)
        for route, name, curve in zip(
            self.layout.routes,
            edge_names(r.edge for r in self.layout.routes),
            self.curves,
            strict=True,
        ):
            self._draw_edge(route, name, curve)
        for node in self.circuit.nodes:
            self._draw_node(node)
        for route, curve in zip(self.layout.routes, self.curves, strict=True):
            self._draw_edge_label(route, curve)
        self._draw_legend(notes, left, bottom + 26)
        return self.figure

    def _extent(self) -> tuple[float, float, float, float]:
        """Left, right, top, bottom of the graph itself."""
        boxes = list(self.layout.boxes.values())
        points = [point for curve in self.curves for point in points_along(curve)]
        xs = [x for x, _ in points] + [self.layout.left, self.layout.right]
        ys = [y for _, y in points] + [b.y + s * b.height / 2 for b in boxes for s in (-1, 1)]
        left, right = min(xs) - 70, max(xs) + 24
        spare = max(0.0, 600 - (right - left)) / 2  # the texts need some room
        return left - spare, right + spare, min(ys, default=0), max(ys, default=0)

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

    def _caption(self, per_line: int) -> list[str]:
        circuit, question = self.circuit, self.circuit.request.question
        difference = f"{circuit.answer.shown} − {circuit.distractor.shown}"
        lines = [
            f"Circuit of {question.model} · {circuit.request.ablation.label} ablation · "
            f"{len(circuit.request.heads)} heads",
            f"Prompt: {question.prompt}",
        ]
        if question.counterfactual is not None:
            lines.append(f"Counterfactual: {question.counterfactual}")
        lines.append(
            f"Logit difference {difference}: {signed(circuit.baseline)} clean, "
            f"{signed(circuit.ablated)} with all these heads ablated (logits)"
        )
        shown = (visible(line.replace("\n", "⏎").replace("\t", "⇥")) for line in lines)
        return [part for line in shown for part in textwrap.wrap(line, per_line) or [""]]

    def _draw_caption(self, lines: list[str], left: float, top: float) -> None:
        for number, line in enumerate(lines):
            style = {"weight": "bold", "color": self.colours.ink} if number == 0 else {}
            self._write(left, top + _LINE * number, line, ha="left", **style)

    def _draw_guides(self, left: float, right: float) -> None:
        for name, y in self.layout.rows:
            self._line([(left + 48, y), (right, y)], self.colours.line, 1.0, z=0)
            self._write(left, y, name, ha="left", color=self.colours.muted)

    def _draw_edge(self, route: Route, name: str, curve: list[Point]) -> None:
        edge = route.edge
        colour = self.colours.via[edge.via]
        width, alpha = edge_width(edge, self.circuit), edge_opacity(edge, self.circuit)
        points, arrow = _with_arrow(points_along(curve, 60), 6 + 1.3 * width)
        dashes = (0, (5 / width, 4 / width)) if edge.via is Via.ATTENTION else "solid"
        self._line(
            points,
            colour,
            width,
            z=2,
            alpha=edge_opacity(edge, self.circuit),
            linestyle=dashes,
            gid=f"edge:{name}",
        )
        self.axes.add_patch(
            Polygon(arrow, closed=True, color=colour, lw=0, alpha=alpha, zorder=2.5)
        )

    def _draw_edge_label(self, route: Route, curve: list[Point]) -> None:
        x, y = point_at(curve, route.label_at)
        text = edge_label(route.edge)
        back = Box(x, y, 6.8 * len(text) + 6, 15)
        self._box(back, 3, facecolor=self.colours.card, alpha=0.9, linewidth=0, zorder=3)
        measured = route.edge.via.is_measured
        colour = self.colours.ink if measured else self.colours.muted
        self._write(x, y, text, size=11, color=colour, z=4)

    def _draw_node(self, node: CircuitNode) -> None:
        box, colours = self.layout.boxes[node.id], self.colours
        is_readout = node.kind == "token" and node.position == self.circuit.position
        rim = {"linewidth": 0.0}
        if node.kind == "token":
            edge = colours.accent if is_readout else colours.muted
            rim = {"edgecolor": edge, "linewidth": 1.5 if is_readout else 0.8}
        self._box(box, 7, facecolor=_fill(node, colours), zorder=5, gid=f"node:{node.id}", **rim)
        style: dict[str, Any] = {"size": 12, "color": _ink(node, colours), "z": 6}
        if node.kind == "token":
            style["family"] = _MONO
        if node.kind == "head":
            style["weight"] = "bold"
        lines = node_label(node).split("\n")
        for number, line in enumerate(lines):
            self._write(box.x, box.y + 15.5 * (number - (len(lines) - 1) / 2), line, **style)

    def _draw_legend(
        self, notes: list[tuple[dict[str, str], list[str]]], left: float, y: float
    ) -> None:
        for item, lines in notes:
            if item["mark"] in ("solid", "dashed"):
                dashes = (0, (3, 2)) if item["mark"] == "dashed" else "solid"
                self._line([(left, y), (left + 18, y)], item["colour"], 2.5, z=2, linestyle=dashes)
            if item["mark"] == "dot":
                self._box(Box(left + 9, y, 10, 10), 4.9, facecolor=item["colour"], linewidth=0)
            indent = 0 if item["mark"] == "note" else 26
            for line in lines:
                self._write(left + indent, y, line, ha="left")
                y += _LINE

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


def _fill(node: CircuitNode, colours: palette.Theme) -> str:
    if node.kind == "head":
        return colours.roles[node.role.role if node.role else Role.UNCLEAR]
    return colours.ink if node.kind == "output" else colours.card


def _ink(node: CircuitNode, colours: palette.Theme) -> str:
    return {"head": "#ffffff", "output": colours.card, "token": colours.ink}[node.kind]
