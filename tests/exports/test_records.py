"""Any record as JSON."""

import json
from dataclasses import dataclass

import numpy as np
import pytest

from attention_viz.exports.records import to_json
from attention_viz.records.circuits.roles import Role
from attention_viz.records.ids import HeadId
from attention_viz.records.metrics import Metric
from attention_viz.records.tokens import Token, read_together
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

RECORDS = [ablation_of, circuit_of, lens_of, maps_of, roles_of, search_of, sweep_of]


@pytest.mark.parametrize("make", RECORDS)
def test_every_record_is_json(make):
    record = make()
    again = json.loads(json.dumps(to_json(record), allow_nan=False))
    assert again == to_json(record)
    assert set(again) == set(vars(record))


def test_words_of_the_house():
    assert to_json(HeadId(2, 3)) == "L2H3"
    assert to_json(Token(7, " Mary")) == {"token": " Mary", "id": 7}
    assert to_json(Metric.KL) == "kl"
    assert to_json((Role.INDUCTION, None)) == ["induction", None]
    assert to_json({HeadId(0, 1): np.float32(0.5)}) == {"L0H1": 0.5}


def test_a_token_with_part_of_a_character_has_its_bytes():
    alone = Token(7, "⟨æ⟩", raw=b"\xe6")
    assert to_json(alone) == {"token": "⟨æ⟩", "id": 7, "bytes": "E6", "shown": "⟨E6⟩"}
    first, last = read_together([alone, Token(8, "⟨Ĺ¥⟩", raw=b"\x97\xa5")])
    assert to_json(first) == to_json(alone) | {"shown": "日 1/3"}
    assert to_json(last)["shown"] == "日 2-3/3"


def test_what_is_not_measured_is_null():
    sweep = sweep_of(1, 3)
    sweep.effect[0, 1] = np.nan
    effect = to_json(sweep)["effect"]
    assert effect[0][1] is None and effect[0][0] == sweep.effect[0, 0]
    assert to_json([float("inf"), np.float64("nan"), np.int64(3), np.True_]) == [
        None,
        None,
        3,
        True,
    ]


def test_texts_are_exact():
    data = json.loads(json.dumps(to_json(tokens_of(NASTY))))
    assert tuple(item["token"] for item in data["items"]) == NASTY


def test_what_is_no_record_is_refused():
    @dataclass
    class Odd:
        thing: object

    with pytest.raises(TypeError, match="object"):
        to_json(Odd(object()))
