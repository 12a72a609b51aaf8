"""What the page offers with one click works on a real language model as on the embedded one."""

import pytest

from attention_viz.analysis.circuits.counterfactual import build_counterfactual
from attention_viz.analysis.circuits.pairs import read_pairs
from attention_viz.panels.frame.examples import EXAMPLES
from attention_viz.records.circuits.counterfactual import CounterfactualRequest, Way
from attention_viz.records.circuits.families import FAMILIES
from attention_viz.records.circuits.pairs import PairsRequest
from attention_viz.records.question import Question

PLAIN = Question("smollm2", "")


@pytest.mark.parametrize("family", [family.name for family in FAMILIES])
def test_every_family_has_pairs_for_it(smollm2, family):
    found = read_pairs(smollm2, PairsRequest(PLAIN, family, 12))
    assert len(found.pairs) == 12 and not found.refused
    for pair in found.pairs:
        assert len(pair.clean) == len(pair.counterfactual)
        assert pair.differs and min(pair.differs) <= pair.position == len(pair.clean) - 1
        assert pair.answer.id != pair.distractor.id
        for token, text in (
            (pair.answer, pair.text.answer),
            (pair.distractor, pair.text.distractor),
        ):
            assert smollm2.vocabulary.find(text) == token.id


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.title)
def test_every_example_can_be_asked(smollm2, example):
    read = smollm2.vocabulary.read(
        Question("smollm2", example.prompt, counterfactual=example.counterfactual or None)
    )
    assert read.position == len(read.tokens) - 1
    if example.flip_to:
        assert smollm2.vocabulary.token(smollm2.vocabulary.find(example.flip_to)).text


@pytest.mark.parametrize(
    ("way", "text"),
    [
        (Way.NAMES, "When Mary and John went to the store, Mary gave a drink to"),
        (Way.REPEATED, None),
        (Way.RANDOM, None),
    ],
)
def test_counterfactuals_are_built_for_it(smollm2, way, text):
    asked = Question("smollm2", EXAMPLES[0].prompt)
    made = build_counterfactual(smollm2, CounterfactualRequest(asked, way))
    assert text in (None, made.text) and len(made.tokens) == len(made.prompt)
    assert made.differs
