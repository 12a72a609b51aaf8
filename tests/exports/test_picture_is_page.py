"""The exported picture says of each node and edge what the page's graph says, and the record."""

import math
from dataclasses import replace

import pytest
from matplotlib.colors import to_hex, to_rgba
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch, Patch, Polygon

from attention_viz.exports.picture import draw_sheet
from attention_viz.figures import palette
from attention_viz.figures.circuits.circuit import draw_circuit, legend, stylesheet
from attention_viz.figures.circuits.circuit_layout import (
    drawn_edges,
    edge_label,
    edge_names,
    lay_out,
    point_at,
)
from attention_viz.figures.circuits.comparison import comparison_stylesheet, draw_comparison
from attention_viz.figures.circuits.element_style import style_of
from attention_viz.records.circuits.attribution import Direction
from attention_viz.records.circuits.circuit_view import PLAIN_VIEW, CircuitView
from attention_viz.records.circuits.comparison import compare_circuits
from attention_viz.records.circuits.edge import Via
from attention_viz.records.circuits.roles import Role
from tests.builders import circuit_of, cut_of

BY_HAND = CircuitView(
    positions=(("L2H3", -50.0, -200.0),),
    hidden=("L0H6",),
    names=(("L3H1", "mover"),),
    groups=(("late", ("L3H1", "L3H6")),),
    shape="column",
)


def denoised(circuit):
    attribution = replace(circuit.request.attribution, direction=Direction.DENOISE)
    return replace(circuit, request=replace(circuit.request, attribution=attribution))


def half_exact(circuit):
    edges = tuple(replace(e, is_exact=n % 2 == 0) for n, e in enumerate(circuit.edges))
    return replace(circuit, edges=edges)


CASES = {
    "heads": (circuit_of(), PLAIN_VIEW),
    "by hand": (circuit_of(), BY_HAND),
    "cut": (half_exact(cut_of()), PLAIN_VIEW),
    "denoised": (denoised(cut_of(12)), PLAIN_VIEW),
    "crowded": (half_exact(cut_of(150, 6, 8)), PLAIN_VIEW),
    "none": (replace(circuit_of(), edges=(replace(circuit_of().edges[0], value=0.0),)), PLAIN_VIEW),
}


@pytest.fixture(scope="module", params=[(c, t) for c in CASES for t in ("light", "dark")], ids=str)
def drawn(request):
    name, theme = request.param
    circuit, view = CASES[name]
    elements = draw_circuit(circuit, theme, view=view)
    return circuit, view, theme, elements, artists(draw_sheet(elements, stylesheet(theme), theme))


def artists(figure):
    """By gid; texts as lists, a node's label has a text for each line."""
    axes, found = figure.axes[0], {}
    for artist in (*axes.lines, *axes.patches):
        found[artist.get_gid()] = artist
    for text in axes.texts:
        if text.get_gid():
            found.setdefault(text.get_gid(), []).append(text)
    return found


def edges_of(circuit, view):
    return zip(
        *(lambda edges: (edge_names(edges), edges))(drawn_edges(circuit, view=view)), strict=True
    )


def dashes(line):
    """None where it is solid, else px drawn and left out."""
    pattern = line._unscaled_dash_pattern[1]
    return (
        None
        if pattern is None
        else [round(part * line.get_linewidth() / 0.75, 6) for part in pattern]
    )


def test_exact_lines_are_solid_estimated_dotted_and_attention_dashed(drawn):
    circuit, view, _, _, found = drawn
    wanted = {"exact": None, "estimated": [2, 4], "seen": [6, 4]}
    for name, edge in edges_of(circuit, view):
        kind = "seen" if not edge.via.is_causal else "exact" if edge.is_exact else "estimated"
        assert dashes(found[f"edge:{name}"]) == wanted[kind]


def test_lines_say_whether_they_help_and_arrows_what_they_enter(drawn):
    """Patched away, what helps takes from the answer; restored (denoised), it gives."""
    circuit, view, theme, _, found = drawn
    colours = palette.theme_of(theme)
    is_restored = circuit == CASES["denoised"][0]
    for name, edge in edges_of(circuit, view):
        side = colours.helps if (edge.value > 0) == is_restored else colours.against
        side = side if edge.value else colours.muted
        line = side if edge.via.is_causal else colours.via[Via.ATTENTION]
        assert to_hex(found[f"edge:{name}"].get_color()) == line
        assert to_hex(found[f"arrow:{name}"].get_facecolor()) == colours.via[edge.via]


def test_the_stronger_edge_is_the_wider_and_the_plainer_one(drawn):
    circuit, view, _, _, found = drawn
    lines = [
        (abs(edge.value), found[f"edge:{name}"])
        for name, edge in edges_of(circuit, view)
        if edge.via.is_causal
    ]
    lines.sort(key=lambda line: line[0])
    for looks in (
        [line.get_linewidth() for _, line in lines],
        [line.get_alpha() for _, line in lines],
        [line.get_zorder() for _, line in lines],
    ):
        assert looks == sorted(looks)
    if len(lines) > 1:
        assert lines[0][1].get_linewidth() < lines[-1][1].get_linewidth()


def test_edges_enter_at_their_ports(drawn):
    circuit, view, _, _, found = drawn
    layout = lay_out(circuit, view=view)
    for name, edge in edges_of(circuit, view):
        box = layout.boxes[edge.target]
        x, y = found[f"arrow:{name}"].get_xy()[0]
        assert y == pytest.approx(box.y + box.height / 2)
        side = {Via.Q: -20, Via.K: 0, Via.V: 20, Via.ATTENTION: 0}.get(edge.via)
        assert abs(x - box.x) <= box.width / 2 if side is None else x - box.x == pytest.approx(side)
        source = layout.boxes[edge.source]
        start = found[f"edge:{name}"].get_xydata()[0]
        assert start[1] == pytest.approx(source.y - source.height / 2)


def test_numbers_stand_on_their_edges_unless_there_are_many(drawn):
    circuit, view, _, _, found = drawn
    layout = lay_out(circuit, view=view)
    is_crowded = len(layout.routes) > 60
    names = dict(zip(edge_names(r.edge for r in layout.routes), layout.routes, strict=True))
    for name, edge in edges_of(circuit, view):
        texts = found.get(f"label:{name}", [])
        assert [text.get_text() for text in texts] == ([] if is_crowded else [edge_label(edge)])
        for text in texts:
            route = names[name]
            ends = [(layout.boxes[n].x, layout.boxes[n].y) for n in (edge.source, edge.target)]
            spot = point_at(route.curve(*ends), route.label_at)
            assert math.dist(text.get_position(), spot) < 1


def test_nodes_have_their_label_colour_shape_and_place(drawn):
    circuit, view, theme, _, found = drawn
    layout, colours = lay_out(circuit, view=view), palette.theme_of(theme)
    for node in circuit.nodes:
        if node.id in view.hidden:
            assert f"node:{node.id}" not in found
            continue
        patch, texts = found[f"node:{node.id}"], found[f"label:{node.id}"]
        role = node.role.role if node.role else Role.UNCLEAR
        fills = {
            "head": palette.role_colour(role, theme), "mlp": colours.mlp, "output": colours.ink,
        }  # fmt: skip
        assert to_hex(patch.get_facecolor()) == fills.get(node.kind, colours.card)
        assert isinstance(patch, Polygon if node.kind == "mlp" else FancyBboxPatch)
        assert "\n".join(text.get_text() for text in texts) == layout.labels[node.id]
        box, around = (
            layout.boxes[node.id],
            patch.get_path().get_extents(patch.get_patch_transform()),
        )
        sides = (around.x0, around.y0, around.x1, around.y1)
        half = (box.width / 2, box.height / 2)
        own = (box.x - half[0], box.y - half[1], box.x + half[0], box.y + half[1])
        assert sides == pytest.approx(own, abs=0.01)


def test_the_token_read_out_has_a_rim_of_its_own(drawn):
    circuit, view, theme, _, found = drawn
    for node in circuit.nodes:
        if node.kind == "token" and node.id not in view.hidden:
            is_readout = node.position == circuit.position
            rim = to_hex(found[f"node:{node.id}"].get_edgecolor())
            assert (rim == palette.theme_of(theme).accent) == is_readout


def test_every_property_is_the_page_s(drawn):
    """What cytoscape is told of an element, and what the artist has."""
    _, _, theme, elements, found = drawn
    for element in elements:
        style, name = style_of(element, stylesheet(theme)), element["data"]["id"]
        if element["data"]["kind"] == "edge":
            line = found[f"edge:{name}"]
            alpha = style.get("opacity", 1) * style["line-opacity"]
            assert line.get_alpha() == found[f"arrow:{name}"].get_alpha() == alpha
            assert line.get_linewidth() == pytest.approx(0.75 * style["width"])
            assert to_hex(line.get_color()) == style["line-color"]
        elif element["data"]["kind"] == "group":
            fill = to_rgba(style["background-color"], style["background-opacity"])
            assert found[name].get_facecolor() == pytest.approx(fill)
        elif element["data"]["kind"] != "guide":
            assert to_hex(found[f"node:{name}"].get_facecolor()) == style["background-color"]
            assert {to_hex(t.get_color()) for t in found[f"label:{name}"]} == {style["color"]}


def test_nothing_lies_outside_the_page(drawn):
    *_, elements, found = drawn
    line = next(iter(found.values()))
    axes = line.axes if not isinstance(line, list) else line[0].axes
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    for name, artist in found.items():
        if name and name.startswith("edge:"):
            assert all(left < x < right and top < y < bottom for x, y in artist.get_xydata())


def test_a_comparison_can_be_drawn_too():
    comparison = compare_circuits(cut_of(20, seed=1), cut_of(20, seed=2))
    elements, styles = draw_comparison(comparison), comparison_stylesheet()
    found = artists(draw_sheet(elements, styles))
    for element in elements:
        if element["data"]["kind"] == "edge":
            line = found[f"edge:{element['data']['id']}"]
            assert to_hex(line.get_color()) == style_of(element, styles)["line-color"]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("case", ["heads", "cut", "denoised", "none"])
def test_the_legend_below_has_the_pages_signs_and_texts(case, theme):
    circuit, view = CASES[case]
    items = legend(circuit, theme, view=view)
    axes = draw_sheet(draw_circuit(circuit), stylesheet(theme), theme, items=items).axes[0]
    written = [text.get_text() for text in axes.texts if text.get_ha() == "left"]
    assert " ".join(written) == " ".join(item["text"] for item in items)
    signs = signs_of(axes)
    drawn = [item for item in items if item["mark"] != "note"]
    assert [to_hex(sign.get_facecolor()) if isinstance(sign, Patch) else sign.get_color()
            for sign in signs] == [item["colour"] for item in drawn]  # fmt: skip
    for sign, item in zip(signs, drawn, strict=True):
        is_line = item["mark"] in ("solid", "dotted", "dashed")
        assert isinstance(sign, Line2D) == is_line
        if is_line:  # solid, or drawn for about as long as an edge of the same kind
            share = {"solid": None, "dotted": 1 / 3, "dashed": 6 / 10}[item["mark"]]
            pattern = dashes(sign)
            found = pattern and pattern[0] / sum(pattern)
            assert found == (share and pytest.approx(share, abs=0.15))


def signs_of(axes):
    """Artists left of a text of the legend, in its order."""
    middles = []
    for artist in (*axes.lines, *axes.patches):
        if artist.get_gid() is None:
            path = artist.get_path()
            moved = artist.get_patch_transform() if isinstance(artist, Patch) else None
            box = path.get_extents(moved)
            middles.append(((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2, artist))
    found = []
    for text in axes.texts:
        if text.get_ha() == "left":
            x, y = text.get_position()
            found += [a for ax, ay, a in middles if 0 < x - ax < 27 and abs(ay - y) < 3]
    return found
