"""The committed table of smallest flips (`tests.benchmarks.flips` makes it) still holds."""

import json

import pytest

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


@pytest.mark.parametrize("row", ROWS[:: len(ROWS) // 5][:5], ids=lambda row: row["prompt"])
def test_the_table_is_what_is_measured(model, row):
    request = request_of(row["prompt"], row["id"])
    assert smallest_size(model, request) == row["smallest"]
    for strategy, size in row["found"].items():
        assert size_by(model, request, Strategy(strategy)) == size
