"""Text to tokens and back; every question that can't be asked is refused with a reason."""

import pytest

from attention_viz.models.catalogue import Catalogue
from attention_viz.models.loading import load_model
from attention_viz.records.errors import BadInput
from attention_viz.records.model import EMBEDDED
from attention_viz.records.question import Question

MARY = "When Mary and John went to the store, John gave a drink to"


@pytest.fixture(scope="module")
def vocabulary():
    return load_model(Catalogue.standard().entry(EMBEDDED), device="cpu").vocabulary


def test_beginning_of_text_is_prepended_once(vocabulary):
    read = vocabulary.read(Question(EMBEDDED, MARY))
    assert read.tokens.bos and read.tokens.items[0].text == "⟨bos⟩"
    assert read.position == len(read.tokens) - 1 == 14
    assert not vocabulary.tokenize(MARY, bos=False).bos
    assert len(vocabulary.tokenize(MARY, bos=False)) == 14
    special = vocabulary._tokenizer.bos_token
    again = vocabulary.tokenize(special + MARY)
    assert again == vocabulary.tokenize(MARY)  # typed by hand, it is not doubled


def test_repeated_tokens_are_told_apart_and_spaces_are_readable(vocabulary):
    labels = vocabulary.tokenize(MARY).labels
    assert len(set(labels)) == len(labels)
    assert labels[4] == "␣John" and labels[10] == "␣John_2" and labels[14] == "␣to_2"


def test_positions_count_from_either_end(vocabulary):
    assert vocabulary.read(Question(EMBEDDED, MARY, position=-15)).position == 0
    assert vocabulary.read(Question(EMBEDDED, MARY, position=4)).position == 4
    for position in (15, -16):
        with pytest.raises(BadInput, match="out of range"):
            vocabulary.read(Question(EMBEDDED, MARY, position=position))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prompt": ""}, "prompt is empty"),
        ({"counterfactual": ""}, "counterfactual is empty"),
        ({"prompt": "to " * 200}, "at most 128"),
        ({"counterfactual": "When Mary left"}, "4 tokens, the prompt 15"),
        ({"counterfactual": "to " * 200}, "counterfactual is"),
        ({"answer": 10**6}, "answer has token id"),
        ({"distractor": -1}, "distractor has token id"),
    ],
)
def test_questions_that_cannot_be_asked(vocabulary, changes, message):
    with pytest.raises(BadInput, match=message) as caught:
        vocabulary.read(Question(EMBEDDED, **({"prompt": MARY} | changes)))
    assert caught.value.remedy


def test_a_token_is_found_by_its_exact_text(vocabulary):
    with_space, without = vocabulary.find(" John"), vocabulary.find("John")
    assert with_space != without == vocabulary.find("John")
    assert vocabulary.find("␣John") == with_space
    assert vocabulary.token(with_space).text == " John"
    with pytest.raises(BadInput, match="3 tokens|2 tokens|4 tokens|5 tokens|6 tokens"):
        vocabulary.find(" John and Mary")
    with pytest.raises(BadInput, match="empty"):
        vocabulary.find("")


def test_matching_puts_the_token_itself_first(vocabulary):
    texts = [token.text for token in vocabulary.matching("Joh")]
    assert " John" in texts[:4]
    assert vocabulary.matching(" John")[0].text == " John"
    assert vocabulary.matching("john", limit=3)
    assert vocabulary.matching("zzzzzzqq") == []


def test_every_id_has_a_text_that_can_be_shown(vocabulary):
    texts = [vocabulary.token(id).text for id in range(vocabulary.size)]
    assert all(texts) and not any("\ufffd" in text for text in texts)
