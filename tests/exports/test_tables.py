"""Tables say what the records say, and CSV gives it back."""

import csv
import io
from dataclasses import replace

import numpy as np
import pytest

from attention_viz.exports import tables
from attention_viz.records.metrics import Metric
from tests.builders import (
    NASTY,
    ablation_of,
    circuit_of,
    lens_of,
    maps_of,
    roles_of,
    search_of,
    sweep_of,
    tokens_of,
)


def read(headers, rows):
    text = tables.to_csv(headers, rows).decode("utf-8")
    return list(csv.reader(io.StringIO(text, newline="")))


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
