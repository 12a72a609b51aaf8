"""Pairs of a request: read as the model reads them, or refused one by one with the reason."""

from dataclasses import replace

import pytest

from attention_viz.analysis.ablation import predict
from attention_viz.analysis.circuits.families import make_family
from attention_viz.analysis.circuits.pairs import read_pairs
from attention_viz.records.ablation import PredictionRequest
from attention_viz.records.circuits.pairs import Pair, PairsRequest
from attention_viz.records.errors import BadInput
from attention_viz.records.model import EMBEDDED
from attention_viz.records.question import Question
from attention_viz.workbench import REGISTRY
from tests.analysis.conftest import MARY, MARY_COUNTERFACTUAL

GOOD = Pair(MARY, MARY_COUNTERFACTUAL, " Mary", " John")
EMPTY = Question(EMBEDDED, "")


def test_it_is_what_the_workbench_asks():
    assert REGISTRY[PairsRequest] == "attention_viz.analysis.circuits.pairs:read_pairs"


@pytest.mark.parametrize("name", [EMBEDDED, "gpt2", "llama", "neox"])
def test_the_questions_own_pair_has_the_clean_prediction(load, ask_about, name):
    model, question = load(name), ask_about(name, position=-2)
    (pair,) = read_pairs(model, PairsRequest(question)).pairs
    first, second = predict(model, PredictionRequest(question)).top[:2]
    assert (pair.answer, pair.distractor) == (first.token, second.token)
    assert pair.clean == model.vocabulary.tokenize(question.prompt)
    assert pair.counterfactual == model.vocabulary.tokenize(question.counterfactual)
    assert pair.position == len(pair.clean) - 2


def test_the_questions_own_answer_and_distractor_are_kept(load, ask_about):
    model = load(EMBEDDED)
    given = {name: model.vocabulary.find(f" {name}") for name in ("store", "drink")}
    question = ask_about(EMBEDDED, answer=given["store"], distractor=given["drink"])
    (pair,) = read_pairs(model, PairsRequest(question)).pairs
    assert (pair.answer.text, pair.distractor.text) == (" store", " drink")
    assert pair.differs == (10,)


def test_a_question_without_a_counterfactual_is_refused(load):
    with pytest.raises(BadInput, match="needs a counterfactual"):
        read_pairs(load(EMBEDDED), PairsRequest(Question(EMBEDDED, MARY)))


def test_a_counterfactual_that_differs_after_the_read_out_is_refused(load, ask_about):
    assert read_pairs(load(EMBEDDED), PairsRequest(ask_about(EMBEDDED, position=10))).pairs
    with pytest.raises(BadInput, match="the same up to"):
        read_pairs(load(EMBEDDED), PairsRequest(ask_about(EMBEDDED, position=9)))


def test_a_family_is_read_whole(load):
    model = load(EMBEDDED)
    request = PairsRequest(EMPTY, family="agreement", count=7, seed=5)
    read = read_pairs(model, request)
    made = make_family(model.vocabulary, "agreement", 7, 5)
    assert read.refused == () and read.request == request
    for pair, written in zip(read.pairs, made, strict=True):
        assert pair.clean == model.vocabulary.tokenize(written.clean)
        assert (pair.answer.text, pair.distractor.text) == (written.answer, written.distractor)
        assert pair.position == len(pair.clean) - 1
        assert pair.differs == (2,)


@pytest.mark.parametrize("bos", [True, False])
def test_beginning_of_text_is_as_the_question_says(load, bos):
    request = PairsRequest(replace(EMPTY, bos=bos), given=(GOOD,))
    (pair,) = read_pairs(load(EMBEDDED), request).pairs
    assert pair.clean.bos is pair.counterfactual.bos is bos
    assert pair.differs == (9 + bos,) and pair.position == 13 + bos


BAD = {
    "longer": (replace(GOOD, counterfactual=MARY + " the"), "16 tokens, the prompt 15"),
    "empty": (replace(GOOD, clean=""), "prompt is empty"),
    "empty counterfactual": (replace(GOOD, counterfactual=""), "counterfactual is empty"),
    "over the context": (replace(GOOD, clean="the " * 200), "at most 128"),
    "two tokens": (replace(GOOD, answer=" Mary John"), "2 tokens"),
    "no token": (replace(GOOD, distractor=""), "not a token"),
    "same token": (replace(GOOD, answer="␣John"), "same token"),
    "same prompt": (replace(GOOD, counterfactual=MARY), "the same up to"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_pair_is_reported_by_number_and_the_others_are_kept(load, name):
    bad, said = BAD[name]
    read = read_pairs(load(EMBEDDED), PairsRequest(EMPTY, given=(GOOD, bad, GOOD, bad)))
    assert len(read.pairs) == 2 and read.pairs[0].answer.text == " Mary"
    assert [refused.number for refused in read.refused] == [2, 4]
    assert said in read.refused[0].reason


@pytest.mark.parametrize("name", BAD)
def test_where_no_pair_is_good_the_first_says_why(load, name):
    bad, said = BAD[name]
    with pytest.raises(BadInput, match="None of the 2 pairs") as error:
        read_pairs(load(EMBEDDED), PairsRequest(EMPTY, given=(bad, replace(bad))))
    assert said in error.value.message
