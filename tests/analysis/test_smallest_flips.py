"""The committed table of smallest flips (`tests.benchmarks.flips` makes it) still holds."""

import json
from dataclasses import replace

import pytest

from attention_viz.analysis.search import search_heads
from attention_viz.models.catalogue import Catalogue
from attention_viz.models.loading import load_model
from attention_viz.records.model import EMBEDDED
from attention_viz.records.search import Strategy
from tests.benchmarks.flips import TABLE, count_right, request_of, size_by, smallest_size

ROWS = json.loads(TABLE.read_text())["rows"]


@pytest.fixture(scope="module")
def model():
    return load_model(Catalogue.standard().entry(EMBEDDED), device="cpu")


def test_beam_found_the_smallest_everywhere():
    assert len(ROWS) >= 50 and len({row["prompt"] for row in ROWS}) == len(ROWS)
    assert count_right({"rows": ROWS})["beam"] == len(ROWS)


def test_the_guided_search_is_as_small_and_sooner_than_greedy(model):
    """On every prompt of the table: the smallest size, and no later first flip."""
    first = {Strategy.GUIDED: 0, Strategy.GREEDY: 0}
    for row in ROWS:
        request = replace(request_of(row["prompt"], row["id"]), max_heads=6)
        found = {each: search_heads(model, replace(request, strategy=each)) for each in first}
        guided, greedy = found.values()
        assert len(guided.heads) == row["smallest"] <= len(greedy.heads), row
        assert guided.first_flip <= greedy.first_flip, row
        for strategy, each in found.items():
            first[strategy] += each.first_flip
    assert first[Strategy.GUIDED] < first[Strategy.GREEDY] / 3


@pytest.mark.parametrize("row", ROWS[:: len(ROWS) // 5][:5], ids=lambda row: row["prompt"])
def test_the_table_is_what_is_measured(model, row):
    request = request_of(row["prompt"], row["id"])
    assert smallest_size(model, request) == row["smallest"]
    for strategy, size in row["found"].items():
        assert size_by(model, request, Strategy(strategy)) == size
