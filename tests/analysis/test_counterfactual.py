"""Built counterfactuals: what is changed, that it is aligned, and what is refused."""

import pytest

from attention_viz.analysis.circuits.counterfactual import build_counterfactual
from attention_viz.records.circuits.counterfactual import CounterfactualRequest, Way
from attention_viz.records.errors import BadInput
from attention_viz.records.model import EMBEDDED
from attention_viz.records.question import Question
from attention_viz.workbench import REGISTRY
from tests.analysis.conftest import MARY, MARY_COUNTERFACTUAL
from tests.models_for_tests import PROMPT


@pytest.fixture
def build(load):
    """build(prompt, way, …) → Counterfactual, on the embedded model."""

    def build_on(prompt, way, *, name=EMBEDDED, position=None, seed=0, read_out=-1, **question):
        asked = Question(name, prompt, read_out, **question)
        made = build_counterfactual(load(name), CounterfactualRequest(asked, way, position, seed))
        vocabulary = load(name).vocabulary
        # What holds of every one.
        assert made.prompt == vocabulary.tokenize(prompt, asked.bos)
        assert made.tokens == vocabulary.tokenize(made.text, asked.bos)
        assert len(made.tokens) == len(made.prompt)
        assert made.differs == tuple(
            at
            for at in range(len(made.tokens))
            if made.tokens.items[at].id != made.prompt.items[at].id
        )
        return made

    return build_on


def test_it_is_what_the_workbench_asks():
    path = REGISTRY[CounterfactualRequest]
    assert path == f"{build_counterfactual.__module__}:{build_counterfactual.__name__}"


# Swap names


def test_the_repeated_name_becomes_the_other(build):
    made = build(MARY, Way.NAMES)
    assert made.text == MARY_COUNTERFACTUAL
    assert made.differs == (10,)
    assert made.change == "␣John at 10 became ␣Mary."


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        (
            "Mary and John went to the store. John gave a drink to",
            "Mary and John went to the store. Mary gave a drink to",
        ),
        (
            "Then Mary and John met Tom. Mary gave a drink to",
            "Then Mary and John met Tom. John gave a drink to",
        ),
        # No name comes again: two change places.
        ("When Mary met John at the store, she said", "When John met Mary at the store, she said"),
    ],
)
def test_names_are_told_from_words_that_begin_sentences(build, prompt, expected):
    assert build(prompt, Way.NAMES).text == expected


def test_a_name_of_another_length_is_passed_over(build):
    prompt = "When Zyxwvut and Mary met John, John gave a drink to"
    assert build(prompt, Way.NAMES).text == "When Zyxwvut and Mary met John, Mary gave a drink to"


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("The war lasted from the year 1741 to the year 17", "0 of the two names"),
        ("When Mary went to the store, Mary gave a drink to", "1 of the two names"),
        ("When Zyxwvut and John went to the store, John gave a drink to", "number of tokens"),
    ],
)
def test_names_that_cannot_be_swapped_are_refused(build, prompt, said):
    with pytest.raises(BadInput, match=said) as error:
        build(prompt, Way.NAMES)
    assert error.value.remedy


def test_a_change_after_the_read_out_is_refused(build):
    assert build(MARY, Way.NAMES, read_out=10).differs == (10,)
    with pytest.raises(BadInput, match="after the read-out"):
        build(MARY, Way.NAMES, read_out=9)


# Swap repeated word


def test_the_repeated_word_becomes_another_of_the_prompt(build):
    made = build("the cat saw the dog near a river and the cat", Way.REPEATED)
    assert made.text == "the cat saw the dog near a river and the dog"
    assert made.change.startswith("␣cat at ")


def test_names_come_before_other_words_for_a_name(build):
    made = build("In the store, John met Mary and John", Way.REPEATED)
    assert made.text == "In the store, John met Mary and Mary"


def test_without_another_word_a_random_one_is_taken(build):
    made = build("the cat and the cat", Way.REPEATED)
    assert made.text.startswith("the cat and the ") and len(made.differs) == 1
    assert build("the cat and the cat", Way.REPEATED, seed=0).text == made.text
    assert build("the cat and the cat", Way.REPEATED, seed=1).text != made.text


def test_without_a_repeated_word_it_is_refused(build):
    with pytest.raises(BadInput, match="comes twice"):
        build("the cat and the dog", Way.REPEATED)


# Random token


@pytest.mark.parametrize(
    ("prompt", "position"),
    [(MARY, 10), ("The cat near the dog", 5), ("A dog and the dog to the", 5)],
)
def test_the_last_repeated_word_or_else_the_last_word_is_drawn_anew(build, prompt, position):
    made = build(prompt, Way.RANDOM)
    assert made.differs == (position,)
    assert made.tokens.items[position].text.strip() not in prompt


@pytest.mark.parametrize("position", [2, 4, 13, -2])
def test_the_position_is_as_asked(build, position):
    made = build(MARY, Way.RANDOM, position=position)
    assert made.differs == (position % 15,)
    name = made.prompt.texts[position].strip()
    assert made.tokens.texts[position].strip()[0].isupper() is name[0].isupper()


def test_a_number_becomes_a_number(build):
    made = build("The war lasted from the year 1741 to the year 17", Way.RANDOM)
    assert made.differs == (12,)
    assert made.tokens.texts[12].strip().isdigit()


def test_the_seed_decides(build):
    texts = {build(MARY, Way.RANDOM, seed=seed).text for seed in (0, 0, 1, 2)}
    assert len(texts) == 3


@pytest.mark.parametrize("bos", [True, False])
def test_positions_count_the_beginning_of_text(build, bos):
    assert build(MARY, Way.RANDOM, bos=bos).differs == (9 + bos,)


@pytest.mark.parametrize("way", [Way.REPEATED, Way.RANDOM])
@pytest.mark.parametrize("name", ["gpt2", "llama", "neox"])
def test_tokenizers_without_spaces_in_their_tokens(build, name, way):
    made = build(f"{PROMPT} w14 w5", way, name=name)
    assert len(made.differs) == 1
    assert made.tokens.texts[made.differs[0]].startswith("w")


@pytest.mark.parametrize(("position", "said"), [(0, "no word"), (15, "0 to 14"), (-16, "range")])
def test_positions_without_a_word_are_refused(build, position, said):
    with pytest.raises(BadInput, match=said):
        build(MARY, Way.RANDOM, position=position)


def test_the_random_token_stands_before_the_read_out(build):
    assert build(MARY, Way.RANDOM, read_out=8).differs == (8,)  # "store", as John came once yet
    with pytest.raises(BadInput, match="at most 5"):
        build(MARY, Way.RANDOM, read_out=5, position=10)


@pytest.mark.parametrize("way", list(Way))
def test_an_empty_prompt_is_refused(build, way):
    with pytest.raises(BadInput, match="empty"):
        build("", way)


def test_the_old_counterfactual_does_not_matter(build):
    assert build(MARY, Way.NAMES, counterfactual="Hello").text == MARY_COUNTERFACTUAL


def test_emoji_and_markup_are_text_like_any_other(build):
    made = build("😀 <b>Mary</b> met John, and John", Way.NAMES)
    assert made.text == "😀 <b>Mary</b> met John, and Mary"
