"""Any record as JSON."""

import json
from dataclasses import dataclass, fields, replace

import numpy as np
import pytest

from attention_viz.exports.records import pick, record_json
from attention_viz.records.ablation import Ablation, AblationKind
from attention_viz.records.circuits.edge import EdgeId, Via
from attention_viz.records.circuits.roles import Role
from attention_viz.records.errors import BadInput
from attention_viz.records.ids import HeadId
from attention_viz.records.metrics import Metric
from attention_viz.records.question import Question
from attention_viz.records.search import Objective
from attention_viz.records.sweep import SweepRequest
from attention_viz.records.tokens import Token, Tokens, read_together
from tests.builders import (
    NASTY,
    ablation_of,
    agreement_of,
    circuit_of,
    control_of,
    cost_of,
    curve_of,
    cut_of,
    dose_of,
    family_of,
    family_search_of,
    lens_of,
    maps_of,
    positions_of,
    proof_of,
    redundancy_of,
    roles_of,
    search_of,
    sweep_of,
    tokens_of,
)

RECORDS = [
    ablation_of,
    agreement_of,
    circuit_of,
    control_of,
    cost_of,
    curve_of,
    cut_of,
    dose_of,
    family_of,
    family_search_of,
    lens_of,
    maps_of,
    positions_of,
    proof_of,
    redundancy_of,
    roles_of,
    search_of,
    sweep_of,
]


@pytest.mark.parametrize("make", RECORDS)
def test_every_record_is_json_with_all_its_fields(make):
    record = make()
    written = record_json(record)
    assert json.loads(json.dumps(written, allow_nan=False)) == written
    own = {field.name for field in fields(record)} - {"request"}
    asked = {field.name for field in fields(record.request)}
    asked -= {"question", "ablation"} if hasattr(record.request, "ablation") else {"question"}
    assert set(written) >= own | asked


def test_words_of_the_house():
    assert record_json(HeadId(2, 3)) == "L2H3"
    assert record_json(EdgeId("L0H1", "L2H3", Via.K)) == "L0H1->L2H3.K"
    assert record_json(Token(7, " Mary")) == {"token": " Mary", "id": 7}
    assert record_json(Metric.KL) == "kl"
    assert record_json((Role.INDUCTION, None)) == ["induction", None]
    assert record_json({HeadId(0, 1): np.float32(0.5)}) == {"L0H1": 0.5}


def test_what_was_asked_stands_beside_what_was_found():
    """A sweep of one layer of one head, word for word."""
    question = Question("gpt2", " a b", position=-1, counterfactual=" a c", answer=2)
    sweep = replace(
        sweep_of(1, 1),
        request=SweepRequest(question, Ablation(AblationKind.PERMUTE, seed=3), Metric.LOGIT_DIFF),
        tokens=Tokens((Token(0, " a"), Token(1, " b")), bos=False),
        position=1,
        answer=Token(2, " x"),
        distractor=Token(3, " y"),
        baseline=0.5,
        effect=np.array([[-0.25]]),
        top=((None,),),
        seconds=0.125,
    )
    assert record_json(sweep) == {
        "model": "gpt2",
        "prompt": " a b",
        "counterfactual": " a c",
        "kind": "permute",
        "seed": 3,
        "metric": "logit_diff",
        "unit": "logits",
        "tokens": [" a", " b"],
        "ids": [0, 1],
        "bos": False,
        "position": 1,
        "answer": {"token": " x", "id": 2},
        "distractor": {"token": " y", "id": 3},
        "baseline": 0.5,
        "effect": [[-0.25]],
        "top": [[None]],
        "evaluations": 1,
        "seconds": 0.125,
    }


def test_of_two_things_called_alike_the_answer_is_told():
    found = replace(search_of(Objective.KL), alternatives=((HeadId(0, 1),),))
    assert found.request.alternatives == 5 and record_json(found)["alternatives"] == [["L0H1"]]
    assert record_json(found)["unit"] == "nats"


def test_a_question_tells_the_tokens_that_were_chosen():
    question = Question("gpt2", "a", answer=5)
    assert record_json(question)["answer"] == {"id": 5}
    assert "distractor" not in record_json(question)


def test_an_ablation_has_its_own_settings_and_no_other():
    other = Ablation(AblationKind.SPARSIFY, scale=3.0, threshold=0.25, seed=7, positions=(3, -1))
    assert record_json(other) == {"kind": "sparsify", "threshold": 0.25, "at": [3, -1]}
    mean = Ablation(AblationKind.MEAN, references=("a", "b"))
    assert record_json(mean) == {"kind": "mean", "references": ["a", "b"]}


def test_some_of_a_record():
    found = redundancy_of()
    assert pick(found, "heads", "single") == {
        "heads": ["L0H1", "L2H2", "L3H0"],
        "single": [-0.5, 0.25, -1.0],
    }
    assert pick(found, "excess")["excess"] == [
        [None, -0.25, 0.5],
        [-0.25, None, 0.0],
        [0.5, 0, None],
    ]


def test_what_is_not_measured_is_null():
    sweep = sweep_of(1, 3)
    sweep.effect[0, 1] = np.nan
    effect = record_json(sweep)["effect"]
    assert effect[0][1] is None and effect[0][0] == sweep.effect[0, 0]
    assert record_json([np.float64("nan"), np.int64(3), np.True_]) == [None, 3, True]


@pytest.mark.parametrize("value", [float("inf"), -float("inf"), np.float32("inf")])
def test_what_is_infinite_is_no_result(value):
    """Null would say that it was not measured."""
    sweep = sweep_of(1, 3)
    sweep.effect[0, 1] = value
    for record in (sweep, value, {"found": [value]}, np.array([[value]])):
        with pytest.raises(BadInput, match="infinite"):
            record_json(record)


def test_texts_are_exact():
    data = json.loads(json.dumps(record_json(tokens_of(NASTY))))
    assert tuple(data["tokens"]) == NASTY


def test_what_is_no_record_is_refused():
    @dataclass
    class Odd:
        thing: object

    with pytest.raises(TypeError, match="object"):
        record_json(Odd(object()))


def test_a_token_with_part_of_a_character_has_its_bytes():
    alone = Token(7, "⟨æ⟩", raw=b"\xe6")
    assert record_json(alone) == {"token": "⟨æ⟩", "id": 7, "bytes": "E6", "shown": "⟨E6⟩"}
    first, last = read_together([alone, Token(8, "⟨Ĺ¥⟩", raw=b"\x97\xa5")])
    assert record_json(first) == record_json(alone) | {"shown": "日 1/3"}
    assert record_json(last)["shown"] == "日 2-3/3"
