"""Pairs that fit the models of the tests."""

from attention_viz.records.circuits.pairs import Pair, PairsRequest
from attention_viz.records.model import EMBEDDED
from attention_viz.records.question import Question
from tests.models_for_tests import COUNTERFACTUAL, PROMPT

RANDOM_PAIRS = (
    Pair(PROMPT, COUNTERFACTUAL, "w4", "w7"),
    Pair("w8 w1 w1 w33 w2 w40 w12 w9", "w8 w1 w5 w33 w2 w41 w12 w9", "w30", "w11"),
    Pair("w50 w2 w9 w2 w6", "w50 w2 w9 w3 w6", "w9", "w10"),  # of another length
)


def random_pairs(name: str, count: int = len(RANDOM_PAIRS)) -> PairsRequest:
    """Pairs for the small random models."""
    return PairsRequest(Question(name, ""), given=RANDOM_PAIRS[:count])


def indirect_objects(count: int = 8) -> PairsRequest:
    """The embedded model's family."""
    return PairsRequest(Question(EMBEDDED, ""), family="indirect object ABBA", count=count)
