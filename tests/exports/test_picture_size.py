"""Pictures of the size that was asked for, with letters that can be read."""

import io
import json
import re
import xml.etree.ElementTree as ElementTree

import pytest
from PIL import Image

from attention_viz.exports.circuit import export_circuit
from attention_viz.exports.picture import draw_picture
from attention_viz.exports.picture_size import LETTERS, PictureSize
from attention_viz.records.circuits.circuit_view import CircuitView
from attention_viz.records.errors import BadInput
from tests.builders import circuit_of, cut_of
from tests.deep import deep_cut_of

SEEDS = range(2)
SHEET = PictureSize(960, 720)  # 10 × 7.5 inches


def points(svg: bytes) -> list[float]:
    """The height of every text's letters; a picture's user unit is a point."""
    return [float(size) for size in re.findall(rb"font(?:-size)?: (?:\w+ )*([\d.]+)px", svg)]


def size_of(data: bytes) -> tuple[int, int]:
    return Image.open(io.BytesIO(data)).size


@pytest.mark.parametrize("layout", ["layers", "tokens"])
@pytest.mark.parametrize("seed", SEEDS)
def test_100_edges_of_30_layers_fit_a_page_of_4_to_3_with_letters_of_6_points(seed, layout):
    view = CircuitView(layout=layout)
    svg = draw_picture(deep_cut_of(seed=seed), "svg", view=view, size=SHEET)
    root = ElementTree.fromstring(svg)
    assert (root.get("width"), root.get("height")) == ("720pt", "540pt")
    assert min(points(svg)) >= 6


@pytest.mark.parametrize("seed", SEEDS)
def test_of_its_own_size_it_fits_such_a_page_too(seed):
    width, height = size_of(draw_picture(deep_cut_of(seed=seed), "png"))
    scale = min(960 / width, 720 / height) * 2  # a PNG has two pixels to a px
    assert LETTERS * scale >= 8 and 1 <= width / height <= 1.6


@pytest.mark.parametrize("size", [(960, 720), (1600, 900), (500, 1100), (3000, 400)])
def test_a_picture_has_the_size_asked_for(size):
    assert size_of(draw_picture(cut_of(), "png", size=PictureSize(*size))) == size


@pytest.mark.parametrize("circuit", [circuit_of(), deep_cut_of(60)], ids=["shallow", "deep"])
def test_one_side_gives_the_other(circuit):
    wide, _ = size_of(draw_picture(circuit, "png", size=PictureSize(width=800)))
    _, high = size_of(draw_picture(circuit, "png", size=PictureSize(height=700)))
    assert (wide, high) == (800, 700)


def test_a_narrow_page_gets_a_narrow_drawing():
    """Letters that can be read come before the ratio."""
    svg = draw_picture(deep_cut_of(), "svg", size=PictureSize(width=600))
    assert min(points(svg)) >= 6


def test_a_shallow_circuit_keeps_the_page_s_shape():
    from attention_viz.exports.picture import draw_sheet
    from attention_viz.figures.circuits.circuit import draw_circuit, legend, stylesheet

    circuit = cut_of(30, 4, 8)
    drawn = draw_sheet(
        draw_circuit(circuit, view=CircuitView(shape="page")),
        stylesheet(),
        items=legend(circuit),
    )
    wide, _ = size_of(draw_picture(circuit, "png"))
    assert wide == round(192 * drawn.get_size_inches()[0])


def test_unfolded_it_has_every_mlp():
    circuit = deep_cut_of()
    texts = [
        draw_picture(circuit, "svg", view=CircuitView(folds=folds)).decode()
        for folds in (True, False)
    ]
    mlps = [node.label for node in circuit.nodes if node.kind == "mlp"]
    has = [[f">{label}<" in text for label in mlps] for text in texts]
    assert all(has[1]) and not all(has[0])
    assert ">MLP 1" in texts[0] or "MLPs" in texts[0]


@pytest.mark.parametrize("suffix", ["json", "csv", "nodes.csv", "graphml", "dot"])
def test_data_have_every_node_and_edge_whatever_is_folded(suffix):
    circuit = deep_cut_of()
    folded = export_circuit(circuit, suffix, view=CircuitView())
    assert folded == export_circuit(circuit, suffix, view=CircuitView(folds=False))
    if suffix == "json":
        data = json.loads(folded)
        assert {node["id"] for node in data["nodes"]} == {node.id for node in circuit.nodes}
        assert len(data["edges"]) == len(circuit.edges)


@pytest.mark.parametrize("side", [0, -5, 99, 10_001])
def test_sizes_no_picture_can_have_are_refused(side):
    for size in ({"width": side}, {"height": side}):
        with pytest.raises(BadInput, match=str(side)):
            PictureSize(**size)


def test_the_same_size_gives_the_same_bytes():
    circuit = deep_cut_of(40)
    one, other = (draw_picture(circuit, "svg", size=SHEET) for _ in range(2))
    assert one == other
