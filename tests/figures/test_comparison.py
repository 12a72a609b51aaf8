"""The union of two circuits, drawn."""

from dataclasses import replace

import pytest

from attention_viz.figures import palette
from attention_viz.figures.circuits.comparison import (
    comparison_legend,
    comparison_stylesheet,
    draw_comparison,
    side_colours,
    union_of,
)
from attention_viz.records.circuits.comparison import SIDES, compare_circuits
from attention_viz.records.circuits.edge import Via
from tests.builders import circuit_of, cut_of
from tests.records.test_comparison import LEFT, RIGHT, made


@pytest.fixture
def comparison():
    return compare_circuits(made(LEFT), made(RIGHT))


def test_every_part_is_there_once_with_its_side(comparison):
    elements = draw_comparison(comparison)
    sides = {e["data"]["id"]: e["data"]["side"] for e in elements if e["data"].get("side")}
    nodes = {name: side for name, side in sides.items() if "→" not in name}
    assert nodes == comparison.nodes.sides
    edges = {
        (e["data"]["source"], e["data"]["target"], e["data"]["via"]): e["data"]["side"]
        for e in elements
        if e["data"]["kind"] == "edge"
    }
    assert edges == {
        (edge.writer, edge.reader, edge.via.value): side
        for edge, side in comparison.edges.sides.items()
    }
    assert all(e["data"]["side"] in e["classes"].split() for e in elements if e["data"].get("side"))


def test_shared_edges_have_both_scores(comparison):
    shared = {
        e["data"]["source"]: e["data"]
        for e in draw_comparison(comparison)
        if e["data"].get("left") is not None
    }
    assert {name: (data["left"], data["right"]) for name, data in shared.items()} == {
        "L0H1": (-1.0, -2.0),
        "L2H3": (2.0, 4.0),
        "L0MLP": (1.0, 2.0),
    }
    assert shared["L0H1"]["label"] == "−1.00 | −2.00"


def test_tokens_are_left_out_and_the_output_stays():
    circuit = circuit_of()
    union = union_of(compare_circuits(circuit, circuit))
    kinds = {node.kind for node in union.nodes}
    assert kinds == {"head", "output"}
    assert all(edge.via is not Via.ATTENTION for edge in union.edges)
    same = next(node for node in circuit.nodes if node.kind == "output")
    assert next(node for node in union.nodes if node.kind == "output").label == same.label


def test_outputs_that_differ_are_not_called_like_one_of_them():
    circuit = circuit_of()
    nodes = tuple(
        replace(node, label="␣x − ␣y") if node.kind == "output" else node for node in circuit.nodes
    )
    union = union_of(compare_circuits(circuit, replace(circuit, nodes=nodes)))
    assert next(node for node in union.nodes if node.kind == "output").label == "difference"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_sides_have_three_colours_with_readable_ink(theme):
    colours = side_colours(theme)
    named = palette.theme_of(theme)
    assert colours == dict(zip(SIDES, (named.ink, named.left, named.right), strict=True))
    rules = {rule["selector"]: rule["style"] for rule in comparison_stylesheet(theme)}
    for side, colour in colours.items():
        assert rules[f"node.{side}"]["background-color"] == colour
        assert rules[f"edge.{side}"]["line-color"] == colour
        assert palette.contrast(rules[f"node.{side}"]["color"], colour) > 3


def test_the_sides_rules_come_last_so_that_they_win(comparison):
    selectors = [rule["selector"] for rule in comparison_stylesheet()]
    assert set(selectors[-6:]) == {f"{kind}.{side}" for kind in ("node", "edge") for side in SIDES}


def test_the_legend_counts_and_names_both(comparison):
    texts = [item["text"] for item in comparison_legend(comparison)]
    assert texts[:3] == [
        "both: 2 heads, 1 MLP, 3 edges",
        "only left: 1 head, 2 edges",
        "only right: 1 head, 1 edge",
    ]
    words = " ".join(texts)
    assert "of heads 0.50, of edges 0.50" in words and "scores 1.00" in words


def test_the_legend_names_each_circuit_and_tells_heads_from_edges():
    left, right = made(LEFT), made(RIGHT, extra=("L1H1",))
    question = replace(right.request.question, model="other")
    right = replace(right, request=replace(right.request, question=question))
    texts = [item["text"] for item in comparison_legend(compare_circuits(left, right))]
    assert any(text.startswith("Left: embedded · ") and "mean" in text for text in texts)
    assert any(text.startswith("Right: other · ") for text in texts)
    assert "of heads 0.75, of edges 0.50" in " ".join(texts)


def test_shared_edges_are_as_wide_as_in_the_left_circuit(comparison):
    values = {edge.id: edge.value for edge in union_of(comparison).edges}
    left = {edge.id: edge.value for edge in comparison.left.causal_edges}
    assert {edge: values[edge] for edge in left} == left
    assert len(values) == len(comparison.edges.sides)


def test_the_legend_says_what_is_not_defined():
    comparison = compare_circuits(made(()), made(()))
    words = " ".join(item["text"] for item in comparison_legend(comparison))
    assert "of heads not defined" in words and "scores not defined" in words


def test_edges_that_are_too_many_to_draw_are_counted():
    comparison = compare_circuits(cut_of(400, 12, 12, seed=0), cut_of(400, 12, 12, seed=1))
    drawn = [e for e in draw_comparison(comparison) if e["data"].get("kind") == "edge"]
    missing = len(comparison.edges.sides) - len(drawn)
    words = " ".join(item["text"] for item in comparison_legend(comparison))
    assert missing > 0 and f"{missing} weaker edges not drawn" in words
