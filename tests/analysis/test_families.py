"""Families: what holds for every tokenizer, and that the embedded model does what they ask."""

import re

import pytest

from attention_viz.analysis.circuits.families import WRITERS, Words, make_family
from attention_viz.analysis.circuits.pairs import read_pairs
from attention_viz.analysis.question import ask
from attention_viz.models.training import words as w
from attention_viz.models.training.landmarks import LANDMARKS
from attention_viz.models.vocabulary import Vocabulary
from attention_viz.records.circuits.families import FAMILIES
from attention_viz.records.circuits.pairs import PairsRequest
from attention_viz.records.errors import BadInput
from attention_viz.records.model import EMBEDDED
from attention_viz.records.question import Question
from tests.analysis.tokenizers_for_tests import gpt2_style, sentencepiece_style

NAMES = [family.name for family in FAMILIES]


@pytest.fixture(scope="module")
def vocabularies(load):
    return {
        EMBEDDED: load(EMBEDDED).vocabulary,
        "gpt2 style": gpt2_style(),
        "sentencepiece style": sentencepiece_style(),
    }


def test_every_family_on_the_list_is_made():
    assert list(WRITERS) == NAMES


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("style", [EMBEDDED, "gpt2 style", "sentencepiece style"])
def test_pairs_are_distinct_aligned_and_of_one_length(vocabularies, style, name):
    vocabulary = vocabularies[style]
    pairs = make_family(vocabulary, name, 30, seed=1)
    assert len(set(pairs)) == len(pairs) == 30
    lengths = set()
    for pair in pairs:
        clean, other = map(vocabulary.tokenize, (pair.clean, pair.counterfactual))
        lengths |= {len(clean), len(other)}
        assert clean.items != other.items
        assert vocabulary.find(pair.answer) != vocabulary.find(pair.distractor)
    assert len(lengths) == 1


@pytest.mark.parametrize("name", NAMES)
def test_the_seed_decides(vocabularies, name):
    def make(seed):
        return make_family(vocabularies[EMBEDDED], name, 20, seed)

    assert make(3) == make(3)
    assert make(3) != make(4)


@pytest.mark.parametrize("name", NAMES)
def test_the_embedded_model_does_what_is_asked_and_not_of_the_counterfactual(load, name):
    model = load(EMBEDDED)
    pairs = make_family(model.vocabulary, name, 20)
    find = model.vocabulary.find

    def difference(text, pair):
        question = Question(
            EMBEDDED, text, answer=find(pair.answer), distractor=find(pair.distractor)
        )
        asked = ask(model, question)
        return (asked.logits[asked.answer] - asked.logits[asked.distractor]).item()

    clean = [difference(pair.clean, pair) for pair in pairs]
    counterfactual = [difference(pair.counterfactual, pair) for pair in pairs]
    assert min(clean) > 0
    assert sum(clean) / 20 > 2 + sum(counterfactual) / 20
    # 01 says nothing about which of two later years is likelier; the others turn around.
    if name != "greater than":
        assert sum(counterfactual) / 20 < -2


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_the_example_can_be_asked(load, family):
    request = PairsRequest(Question(EMBEDDED, ""), given=(family.example,))
    (pair,) = read_pairs(load(EMBEDDED), request).pairs
    made = PairsRequest(Question(EMBEDDED, ""), family=family.name, count=1)
    (other,) = read_pairs(load(EMBEDDED), made).pairs
    assert len(pair.clean) == len(other.clean)


@pytest.mark.parametrize(("order", "repeated"), [("ABBA", 2), ("BABA", 1)])
def test_indirect_object_swaps_the_giver(vocabularies, order, repeated):
    for pair in make_family(vocabularies[EMBEDDED], f"indirect object {order}", 20):
        names = [word for word in re.findall(r"\w+", pair.clean) if word in w.NAMES]
        assert len(names) == 3 and names[2] == names[repeated - 1] == pair.distractor.strip()
        assert pair.answer.strip() in names
        before, _, after = pair.clean.rpartition(pair.distractor)
        assert pair.counterfactual == f"{before}{pair.answer}{after}"


@pytest.mark.parametrize("style", [EMBEDDED, "gpt2 style", "sentencepiece style"])
def test_induction_copies_what_followed(vocabularies, style):
    vocabulary = vocabularies[style]
    for pair in make_family(vocabulary, "induction", 20):
        for text, expected in ((pair.clean, pair.answer), (pair.counterfactual, pair.distractor)):
            ids = [token.id for token in vocabulary.tokenize(text).items]
            assert ids.count(ids[-1]) == 2
            assert ids[ids.index(ids[-1]) + 1] == vocabulary.find(expected)


@pytest.mark.parametrize("style", [EMBEDDED, "gpt2 style", "sentencepiece style"])
def test_greater_than_is_greater_and_its_answers_continue_the_year(vocabularies, style):
    vocabulary = vocabularies[style]
    for pair in make_family(vocabulary, "greater than", 20):
        century, early = re.search(r"year (\d\d)(\d\d) ", pair.clean).groups()
        size = len(pair.answer)
        assert pair.counterfactual == pair.clean.replace(century + early, f"{century}01")
        assert "01"[:size] < pair.distractor < early[:size] < pair.answer
        clean = vocabulary.tokenize(pair.clean).items
        for text in (pair.answer, pair.distractor):
            longer = vocabulary.tokenize(pair.clean + text).items
            assert longer == (*clean, vocabulary.token(vocabulary.find(text)))


def test_single_digits_ask_for_the_decade(vocabularies):
    pairs = make_family(vocabularies["sentencepiece style"], "greater than", 20)
    assert {len(pair.answer) for pair in pairs} == {1}
    pairs = make_family(vocabularies[EMBEDDED], "greater than", 20)
    assert {len(pair.answer) for pair in pairs} == {2}


def test_agreement_has_the_number_of_the_subject_against_the_noun_between(vocabularies):
    is_plural = {w.pluralize(noun): True for noun in w.NOUNS} | {noun: False for noun in w.NOUNS}
    for pair in make_family(vocabularies[EMBEDDED], "agreement", 20):
        _, subject, _, _, other = pair.clean.split()
        _, swapped, *rest = pair.counterfactual.split()
        assert rest == pair.clean.split()[2:]
        assert is_plural[subject] is not is_plural[other]
        assert is_plural[subject] is not is_plural[swapped]
        assert (pair.answer in (" are", " were")) is is_plural[subject]


def test_successor_is_the_next_in_order(vocabularies):
    orders = [w.DAYS * 2, w.MONTHS * 2, w.NUMBER_WORDS, [str(number) for number in range(1, 100)]]
    said = ["|".join(order) for order in orders]
    for pair in make_family(vocabularies[EMBEDDED], "successor", 40):
        for text, end in ((pair.clean, pair.answer), (pair.counterfactual, pair.distractor)):
            items = re.sub(r"^The \w+ are", "", text).strip(" ,").split(", ")
            run = "|".join([*items, end.strip()])
            assert any(f"|{run}|" in f"|{order}|" for order in said), run


def test_facts_are_true_and_cannot_be_copied(vocabularies):
    for pair in make_family(vocabularies[EMBEDDED], "facts", 40):
        for text, end in ((pair.clean, pair.answer), (pair.counterfactual, pair.distractor)):
            (places,) = [row[1:] for row in LANDMARKS if text.lower().startswith(row[0].lower())]
            assert end.strip() == places["country" in text]
            assert end.strip() not in text


# What can't be made


def test_only_induction_can_be_made_of_random_words(load):
    vocabulary = load("gpt2").vocabulary
    assert len(make_family(vocabulary, "induction", 20)) == 20
    for name in NAMES:
        if name != "induction":
            with pytest.raises(BadInput, match=f"{name} can't be made.* single tokens"):
                make_family(vocabulary, name, 20)


def test_an_unknown_family_is_told_all_there_are(vocabularies):
    with pytest.raises(BadInput, match="no family 'ioi'") as error:
        make_family(vocabularies[EMBEDDED], "ioi", 20)
    assert all(name in error.value.remedy for name in NAMES)


@pytest.mark.parametrize("count", [0, -1, 1001])
def test_a_count_out_of_range_is_refused(vocabularies, count):
    with pytest.raises(BadInput, match="between 1 and 1000"):
        make_family(vocabularies[EMBEDDED], "facts", count)


def test_fewer_pairs_than_asked_for_are_refused_with_their_number(vocabularies, monkeypatch):
    days = {"days": (w.DAYS, True)}
    monkeypatch.setattr("attention_viz.analysis.circuits.families.SEQUENCES", days)
    with pytest.raises(BadInput, match="Ask for at most 42") as error:
        make_family(vocabularies[EMBEDDED], "successor", 43)  # 7 runs × 6 others
    assert len(make_family(vocabularies[EMBEDDED], "successor", 42)) == 42
    assert "successor" in error.value.message


def test_pairs_of_several_lengths_are_taken_where_one_is_not_enough(vocabularies, monkeypatch):
    monkeypatch.setattr(
        "attention_viz.analysis.circuits.families.SEQUENCES",
        {"days": (w.DAYS, True), "days of the week": (w.DAYS, True)},
    )
    vocabulary = vocabularies[EMBEDDED]
    pairs = make_family(vocabulary, "successor", 60)
    lengths = [len(vocabulary.tokenize(pair.clean)) for pair in pairs]
    assert len(set(pairs)) == 60 and sorted(map(lengths.count, set(lengths))) == [18, 42]


def test_years_that_are_split_elsewhere_are_left_out(vocabularies):
    class Joined(Vocabulary):
        """Reads 1741 as one token, and other years as century and rest."""

        def __init__(self, vocabulary):
            self.__dict__.update(vars(vocabulary))

        def tokenize(self, text):
            return super().tokenize(text.replace("1741", "seventeen"))

    years = Words(Joined(vocabularies[EMBEDDED]), "greater than").years(17)
    assert set(years) == {f"{number:02d}" for number in range(1, 100)} - {"41"}
    assert all(year == piece for year, piece in years.items())
