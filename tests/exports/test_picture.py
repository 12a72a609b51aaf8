"""Pictures of every kind of circuit, as a person arranged them; read back from the SVG."""

import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from attention_viz.exports.picture import draw_picture
from attention_viz.figures.circuits.circuit_layout import edge_label
from attention_viz.records.ablation import AblationKind
from attention_viz.records.circuits.circuit_view import CircuitView
from attention_viz.records.errors import BadInput
from tests.builders import circuit_of, cut_of, faithfulness_of, pairs_of, proof_of

SVG = "{http://www.w3.org/2000/svg}"


def texts_of(svg):
    return ["".join(e.itertext()) for e in ET.fromstring(svg).iter(f"{SVG}text")]


def ids_of(svg):
    return {e.get("id") for e in ET.fromstring(svg).iter() if e.get("id")}


def draw(circuit, **options):
    return draw_picture(circuit, "svg", **options)


def test_a_cut_circuit_has_all_its_nodes_and_edges():
    circuit = cut_of()
    svg = draw(circuit)
    assert {f"node:{node.id}" for node in circuit.nodes} <= ids_of(svg)
    names = {f"edge:{e.source}→{e.target}:{e.via.value}" for e in circuit.edges}
    assert names == {id for id in ids_of(svg) if id.startswith("edge:")}
    assert {edge_label(edge) for edge in circuit.edges} <= set(texts_of(svg))


def test_the_caption_names_family_making_and_kind():
    text = " ".join(texts_of(draw(cut_of())))
    for part in (
        "Circuit of embedded · 12 heads, 2 MLPs, 24 edges",
        "24 edges, greedy; scores: EAP-IG, 5 steps, resample · resample ablation",
        "20 pairs of indirect object (seed 0)",
        "mean of 20 pairs",
        "answer − distractor: +3.20 clean (logits",
    ):
        assert part in text
    assert "heads ablated" not in text, "it was not measured"


def test_the_caption_of_chosen_heads_has_both_differences():
    text = " ".join(texts_of(draw(circuit_of())))
    assert "␣Mary − ␣John: +4.13 clean, −1.20 with all these heads ablated (logits)" in text


def test_the_caption_of_one_pair_has_both_prompts():
    circuit = cut_of()
    attribution = replace(circuit.request.attribution, pairs=pairs_of(""))
    request = replace(circuit.request, attribution=attribution)
    text = " ".join(texts_of(draw(replace(circuit, request=request, pairs=1))))
    assert "Prompt: When Mary and John went to the store" in text
    assert "Counterfactual: When Mary and John went, Mary" in text


def test_faithfulness_is_named_with_its_ablation_kind():
    text = " ".join(texts_of(draw(cut_of(), faithfulness=faithfulness_of(24, 0.87))))
    assert "Faithfulness 0.87 (95 % interval 0.77 to 0.97) of 24 edges" in text
    assert "ablated by resample; everything but the circuit 0.13" in text
    proof = replace(proof_of(), request=replace(proof_of().request, ablation=AblationKind.ZERO))
    text = " ".join(texts_of(draw(cut_of(), faithfulness=proof)))
    assert "ablated by zero" in text and "random circuits of this size 0.02" in text
    assert "Faithfulness" not in " ".join(texts_of(draw(cut_of())))


def test_names_groups_and_hidden_nodes_are_as_on_the_page():
    view = CircuitView(
        names=(("L2H3", "a <b> & c"),),
        hidden=("L3H6",),
        groups=(("early heads", ("L0H6", "L2H3")),),
    )
    svg = draw(circuit_of(), view=view)
    texts = texts_of(svg)
    assert {"a <b> & c", "L2H3  +0.12", "early heads"} <= set(texts)
    assert "node:L3H6" not in ids_of(svg) and "group:0" in ids_of(svg)
    assert not any("L3H6" in text for text in texts)
    assert not any("L3H6" in id for id in ids_of(svg))


def test_pins_and_the_pages_places_give_the_same_picture():
    view = CircuitView(positions=(("L2H3", 120.0, -230.0),))
    pinned = draw(circuit_of(), view=view)
    assert pinned == draw(circuit_of(), positions={"L2H3": (120.0, -230.0)}) != draw(circuit_of())


def test_by_tokens_the_columns_are_named():
    circuit = cut_of()
    nodes = tuple(replace(n, position=4) if n.head else n for n in circuit.nodes)
    texts = texts_of(draw(replace(circuit, nodes=nodes), view=CircuitView(layout="tokens")))
    assert {"␣John", "␣to_2"} <= set(texts)
    with pytest.raises(BadInput):
        draw(circuit, view=CircuitView(layout="spiral"))


@pytest.mark.parametrize("suffix, magic", [("png", b"\x89PNG\r\n"), ("pdf", b"%PDF-")])
def test_many_edges_fit_into_every_format(suffix, magic):
    assert draw_picture(cut_of(200, 12, 12), suffix, theme="dark").startswith(magic)


def test_many_edges_have_no_numbers_and_lie_in_the_page():
    circuit = cut_of(200, 12, 12)
    svg = draw(circuit)
    assert len([id for id in ids_of(svg) if id.startswith("edge:")]) == 200
    assert edge_label(circuit.edges[0]) not in texts_of(svg)


def test_everything_hidden_is_a_picture_still():
    view = CircuitView(hidden=tuple(node.id for node in circuit_of().nodes))
    assert any("Hidden by hand" in text for text in texts_of(draw(circuit_of(), view=view)))
