"""Tables say what the records say, and CSV gives it back."""

import csv
import io
from dataclasses import replace

import numpy as np
import pytest

from attention_viz.exports import tables
from attention_viz.records.circuits.circuit import CircuitEdge
from attention_viz.records.circuits.comparison import compare_circuits
from attention_viz.records.circuits.edge import Via
from attention_viz.records.circuits.pairs import BadPair, PairSet, TokenPair
from attention_viz.records.metrics import Metric
from attention_viz.records.tokens import Token, Tokens, read_together
from tests.builders import (
    NASTY,
    ablation_of,
    circuit_of,
    curve_of,
    lens_of,
    maps_of,
    pairs_of,
    proof_of,
    roles_of,
    search_of,
    sweep_of,
    tokens_of,
)
from tests.records.test_comparison import LEFT, RIGHT, made


def read(headers, rows):
    text = tables.to_csv(headers, rows).decode("utf-8")
    return list(csv.reader(io.StringIO(text, newline="")))


def pair_set():
    """One pair that differs in two places, and one that was refused."""
    clean, other = (
        Tokens(tuple(Token(ord(letter), f" {letter}") for letter in letters), bos=False)
        for letters in ("abcd", "axcy")
    )
    pair = TokenPair(clean, other, Token(7, " A"), Token(8, " B"), 3)
    return PairSet(pairs_of(), (pair,), (BadPair(2, "3 tokens and 4"),))


@pytest.mark.parametrize(
    "table",
    [
        tables.ablation_table(ablation_of()),
        tables.prediction_table(ablation_of().clean),
        tables.sweep_table(sweep_of()),
        tables.search_table(search_of()),
        tables.attention_table(maps_of()),
        tables.attention_table(maps_of(ablated=False)),
        tables.lens_table(lens_of()),
        tables.contributions_table(circuit_of()),
        tables.nodes_table(circuit_of()),
        tables.edges_table(circuit_of()),
        tables.curve_table(curve_of()),
        tables.faithfulness_table(proof_of()),
        tables.minimality_table(proof_of()),
        tables.pairs_table(pair_set()),
        tables.comparison_table(compare_circuits(made(LEFT), made(RIGHT))),
        tables.roles_table(roles_of()),
    ],
)
def test_every_row_is_as_long_as_the_headers_and_survives_csv(table):
    headers, rows = table
    assert rows and all(len(row) == len(headers) for row in rows)
    assert len(set(headers)) == len(headers)
    lines = read(headers, rows)
    assert lines[0] == headers and len(lines) == len(rows) + 1
    for line, row in zip(lines[1:], rows, strict=True):
        for text, value in zip(line, row, strict=True):
            if isinstance(value, float):
                assert float(text) == value
            elif isinstance(value, str):
                assert text == value


def test_csv_keeps_awkward_texts_exactly():
    texts = [*NASTY, "=1+1", 'a,"b"\r\nc', " lead", ""]
    assert [line[0] for line in read(["t"], [[text, 1] for text in texts])[1:]] == texts


def test_csv_of_what_is_not_there():
    line = read(["a", "b", "c", "d"], [[None, float("nan"), True, 0]])[1]
    assert line == ["", "", "true", "0"]
    assert tables.to_csv(["a"], [["\ud800"]])  # half a surrogate pair can't be written, nor crash


def test_sweep_table():
    sweep = sweep_of(metric=Metric.KL)
    sweep.effect[1, 2] = np.nan
    headers, rows = tables.sweep_table(sweep)
    assert headers[3] == "effect on KL divergence (nats)"
    assert len(rows) == 32
    assert rows[10] == ["L1H2", 1, 2, None, sweep.top[1][2].text]
    assert rows[9][3] == sweep.effect[1, 1]


def test_sweep_table_without_tops():
    sweep = replace(sweep_of(1, 2), top=((None, None),))
    assert [row[4] for row in tables.sweep_table(sweep)[1]] == [None, None]


def test_ablation_table():
    headers, rows = tables.ablation_table(ablation_of())
    row = dict(zip(headers, rows[0], strict=True))
    assert row["token"] == " Mary"
    assert (row["clean probability"], row["ablated probability"]) == (0.9, 0.1)
    assert (row["clean rank"], row["ablated rank"]) == (1, 2)


def test_attention_table_has_what_causality_allows():
    maps = maps_of(tokens=tokens_of(" a| b| c"))
    headers, rows = tables.attention_table(maps)
    assert len(rows) == 2 * 6
    row = dict(zip(headers, rows[4], strict=True))
    assert (row["from position"], row["to position"], row["to"]) == (2, 1, " b")
    assert row["clean weight"] == maps.clean[0, 2, 1]
    assert row["difference"] == maps.ablated[0, 2, 1] - maps.clean[0, 2, 1]


def test_lens_table_has_every_place_of_the_top_k():
    lens = lens_of(layers=2, top=3)
    headers, rows = tables.lens_table(lens)
    assert len(rows) == 3 * 15 * 3
    assert rows[0][:4] == ["embed", 0, "⟨bos⟩", 1]
    assert rows[-1][6] == lens.probability[2, 14, 2]


def test_search_table():
    headers, rows = tables.search_table(search_of())
    assert headers[4] == "margin of the flip-to token (logits)"
    assert rows[2] == [3, "add", "L3H1", "L2H3 L0H6 L3H1", 1.2, " John", None, None]


def test_contributions_sum_to_the_baseline():
    circuit = circuit_of()
    rows = tables.contributions_table(circuit)[1]
    assert sum(value for _, value in rows) == pytest.approx(circuit.baseline)


def test_edges_say_exact_or_estimated():
    edges = (
        CircuitEdge("L0H1", "L2H3", Via.K, 0.5, is_exact=False),
        CircuitEdge("L0H1", "L2H3", Via.Q, 0.75, is_exact=True, estimate=0.625),
        CircuitEdge("L0H1", "logits", Via.LOGITS, 0.25),
        CircuitEdge("token:2", "L0H1", Via.ATTENTION, 0.9, position=4),
    )
    headers, rows = tables.edges_table(replace(circuit_of(), edges=edges))
    column = headers.index("exact")
    assert [row[column] for row in rows] == [False, True, True, None]
    assert [row[headers.index("estimate")] for row in rows] == [0.5, 0.625, None, None]


def test_curve_table_has_each_size_and_its_random_circuits():
    curve = curve_of()
    headers, rows = tables.curve_table(curve)
    assert [row[0] for row in rows] == [point.size for point in curve.points]
    at = {row[0]: dict(zip(headers, row, strict=True)) for row in rows}
    for point in curve.points:
        assert at[point.size]["faithfulness"] == point.faithfulness
    for control in curve.random:
        assert at[control.size]["random, mean"] == control.mean
    bare = replace(curve, points=(replace(curve.points[0], interval=None),), random=())
    row = dict(zip(headers, tables.curve_table(bare)[1][0], strict=True))
    assert row["random, mean"] is None and row["95 % low"] is None


def test_minimality_table_starts_with_the_most_needed():
    rows = tables.minimality_table(proof_of())[1]
    losses = [row[1] for row in rows]
    assert losses == sorted(losses, reverse=True) and len(set(losses)) > 1
    assert {row[0] for row in rows} == {str(each.edge) for each in proof_of().minimality}


def test_pairs_table_says_what_differs_and_what_was_refused():
    rows = tables.pairs_table(pair_set())[1]
    assert rows == [
        [" a b c d", " a x c y", " A", " B", "1 3", None],
        [None, None, None, None, None, "pair 2: 3 tokens and 4"],
    ]


def test_prompts_of_pairs_are_whole_where_characters_are_of_several_tokens():
    halves = read_together([Token(1, "⟨Ã⟩", raw=b"\xc3"), Token(2, "⟨©⟩", raw=b"\xa9")])
    pairs = pair_set()
    cut = replace(pairs.pairs[0], clean=Tokens(halves, False), counterfactual=Tokens(halves, False))
    rows = tables.pairs_table(replace(pairs, pairs=(cut,)))[1]
    assert rows[0][0] == "é"


def test_comparison_table_has_both_scores():
    rows = tables.comparison_table(compare_circuits(made(LEFT), made(RIGHT)))[1]
    assert ["L0H1->L2H3.K", "edge", "shared", -1.0, -2.0] in rows
    assert ["L0H1->L2H3.Q", "edge", "only-left", 0.25, None] in rows
    assert ["L3H0->logits", "edge", "only-right", None, 5.0] in rows
    assert ["L0MLP", "node", "shared", None, None] in rows
