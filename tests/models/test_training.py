"""The training corpus, the tokenizer and the packing: claims that hold without a trained model."""

from __future__ import annotations

import re
from functools import cache
from itertools import islice
from random import Random

import numpy as np
import pytest
import torch

from attention_viz.models.evaluation import held_out
from attention_viz.models.training import words as w
from attention_viz.models.training.corpus import (
    ANSWER_WEIGHT,
    MIX,
    Corpus,
    Document,
    remove_marks,
    split_marks,
    write_document,
)
from attention_viz.models.training.landmarks import LANDMARKS
from attention_viz.models.training.packing import block_mask, fill_row, pack_batches, pack_row
from attention_viz.models.training.tokenizer import build_tokenizer, list_words, make_encoder
from attention_viz.models.training.train import build_model, run_packed

WRITTEN = [kind for kind, (*_, writer) in MIX.items() if writer]


@cache
def get_tokenizer():
    return build_tokenizer()


def make_corpus(seed: int) -> Corpus:
    tokenizer = get_tokenizer()
    return Corpus(make_encoder(tokenizer), vocabulary=len(tokenizer), bos=0, seed=seed)


def write_many(kind: str, count: int, seed: int = 5) -> list[str]:
    rng = Random(seed)
    return [write_document(rng, kind) for _ in range(count)]


def take_answer(text: str) -> tuple[str, str]:
    """(the text before the first answer, that answer) of a marked-up document."""
    before, rest = text.split("<", 1)
    return remove_marks(before), rest.split(">", 1)[0].strip()


def test_mix_is_whole():
    assert [sum(row[stage] for row in MIX.values()) for stage in (0, 1)] == pytest.approx([1, 1])


def test_same_seed_gives_the_same_corpus_and_another_seed_another():
    first, again, other = (list(islice(make_corpus(seed), 300)) for seed in (3, 3, 4))
    assert first == again
    assert first != other


def test_marks_give_weights_to_pieces():
    pieces = split_marks("~a b~ a<  b>. c")
    assert pieces == [("a b", 0.0), (" a", 1.0), ("  b", ANSWER_WEIGHT), (". c", 1.0)]


@pytest.mark.parametrize("kind", WRITTEN)
def test_documents_keep_out_what_is_held_out(kind):
    held = set(held_out.NAMES + held_out.WORDS + held_out.EVENTS + held_out.SPELLED_NAMES)
    held |= {form for pair in held_out.NOUNS for form in pair}
    held |= set(held_out.SIZE_THINGS + held_out.SIZE_CONTAINERS)
    seen = {word for text in write_many(kind, 1500) for word in re.findall(r"[A-Za-z]+", text)}
    assert not held & seen


def test_held_out_words_are_in_no_training_list():
    listed = set(w.list_fillers() + w.NAMES + w.CAPITALIZED)
    listed |= {word for row in LANDMARKS for part in row for word in part.split()}
    held = set(held_out.NAMES + held_out.WORDS + held_out.EVENTS)
    held |= {form for pair in held_out.NOUNS for form in pair}
    assert not held & listed


def test_held_out_templates_are_in_no_training_document():
    templates = [
        *held_out.INDIRECT, *held_out.FACTS_CITY, *held_out.FACTS_COUNTRY, *held_out.AGREEMENT,
        *held_out.YEARS, *held_out.SUCCESSORS, *held_out.PRONOUNS,
    ]  # fmt: skip
    fixed = [max(re.split(r"\{\w\}", template), key=len).strip() for template in templates]
    texts = "\n".join(remove_marks(text) for kind in WRITTEN for text in write_many(kind, 800))
    assert [part for part in fixed if len(part.split()) >= 3 and part in texts] == []


def test_indirect_object_answer_is_one_of_the_people_already_named():
    for text in write_many("indirect object", 800):
        before, answer = take_answer(text)
        assert re.search(rf"(?<![A-Za-z]){answer}(?![A-Za-z])", before)


def test_most_indirect_objects_are_the_name_that_was_said_once():
    counts = []
    for text in write_many("indirect object", 1500):
        before, answer = take_answer(text)
        if before.endswith(" to"):
            counts.append(len(re.findall(rf"(?<![A-Za-z]){answer}(?![A-Za-z])", before)))
    assert sum(count == 1 for count in counts) / len(counts) > 0.85


def test_facts_name_the_right_city_and_country():
    cities = {city: country for _, city, country in LANDMARKS}
    for text in write_many("facts", 500):
        plain = remove_marks(text)
        for answer in re.findall(r"< (\w+)>", text):
            rows = [row for row in LANDMARKS if answer in row[1:]]
            named = [row for row in rows if row[0].removeprefix("the ") in plain or row[1] in plain]
            assert named, text
    assert len(cities) > 40 and len(LANDMARKS) >= 50


def test_later_years_are_later():
    for text in write_many("years", 500):
        before, answer = take_answer(text)
        early = re.search(r"\b(\d\d)(\d\d)\b", before)
        assert before.endswith(early[1]) and int(answer) > int(early[2])


def test_successors_follow():
    following = {a: b for items in (w.DAYS, w.MONTHS, w.SEASONS)
                 for a, b in zip(items, items[1:] + items[:1], strict=True)}  # fmt: skip
    following |= dict(zip(w.NUMBER_WORDS, w.NUMBER_WORDS[1:], strict=False))
    ordinals = dict(zip(w.ORDINALS, w.ORDINALS[1:], strict=False))
    for text in write_many("successors", 500):
        before, answer = take_answer(text)
        if answer.isdigit():
            assert str(int(answer) - 1) in before
            continue
        known = [a.lower() for a, b in [*following.items(), *ordinals.items()] if b == answer]
        assert any(one in before.lower() for one in known), text


def test_verbs_agree_with_their_subject():
    plurals = {w.pluralize(noun) for noun in w.NOUNS + w.PLACES}
    singulars = set(w.NOUNS + w.PLACES) - plurals - set(w.ADJECTIVES)
    for text in write_many("agreement", 800):
        before, verb = take_answer(text)
        subject = next((one for one in before.split()[1:] if one in plurals | singulars), None)
        start = re.match(r"(The|My) (\w+)", before)
        if start and start[2] == subject and subject not in w.ADJECTIVES:
            assert (subject in plurals) == (verb in ("are", "were", "have")), text


def test_pronouns_fit_the_person():
    female = {"she", "She", "her", "herself"}
    for text in write_many("pronouns", 500):
        before, answer = take_answer(text)
        named = [one for one in re.findall(r"[A-Z][a-z]+", before) if one in w.NAMES]
        if len(named) == 1 and answer not in ("they", "They", "them", "their", "themselves"):
            assert (answer in female) == (named[0] in w.WOMEN), text


def test_names_and_common_words_are_single_tokens():
    tokenizer = get_tokenizer()
    assert [word for word in list_words() if len(tokenizer.encode(word)) != 1] == []
    assert len(tokenizer.encode(" Mary John Fiona store doesn")) == 5


def test_digits_come_in_groups_of_two():
    assert get_tokenizer().tokenize("in 1741 7") == ["in", "Ġ17", "41", "Ġ7"]


def test_tokenizer_adds_nothing_and_loses_nothing():
    tokenizer = get_tokenizer()
    assert tokenizer.bos_token_id == tokenizer.eos_token_id == 0
    text = "Zoë's 3,141 naïve — “quotes”\n\tand ☃!"
    assert 0 not in tokenizer.encode(text)
    assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.parametrize("kind", WRITTEN)
def test_fast_encoder_equals_the_tokenizer(kind):
    tokenizer, encode = get_tokenizer(), make_encoder(get_tokenizer())
    for text in map(remove_marks, write_many(kind, 60)):
        assert encode(text) == tokenizer.encode(text)


def test_random_tokens_come_again_and_their_first_round_has_no_weight():
    document = make_corpus(1).repeat_tokens(Random(2))
    period = document.weights.count(0.0)
    assert document.ids[period] == document.ids[0] and document.ids[-1] == document.ids[-1 - period]


def test_rows_hold_whole_documents():
    pool = [Document(tuple(range(size)), (1.0,) * size) for size in (60, 100, 50, 20, 8)]
    assert [len(one.ids) for one in fill_row(pool)] == [60, 50, 8]
    assert [len(one.ids) for one in pool] == [100, 20]


def test_packing_predicts_only_within_documents():
    batch = next(pack_batches(iter(make_corpus(2)), 4, seed=0))
    rows, places = np.nonzero(batch.weights)
    assert (batch.owner[rows, places] == batch.owner[rows, places + 1]).all()
    assert (batch.targets[rows, places] == batch.ids[rows, places + 1]).all()


def test_packed_row_equals_its_documents_alone():
    model = build_model(len(get_tokenizer()), seed=0).eval()
    documents = list(islice(make_corpus(6), 3))
    batch = pack_row(documents, [0, 0, 0])
    mask = torch.from_numpy(block_mask(batch.owner[None]))
    with torch.inference_mode():
        packed = run_packed(
            model, torch.from_numpy(batch.ids)[None], torch.from_numpy(batch.positions)[None], mask
        )[0]
        start = 0
        for document in documents:
            alone = model(torch.tensor([document.ids])).logits[0]
            torch.testing.assert_close(
                packed[start : start + len(document.ids)], alone, atol=1e-4, rtol=1e-4
            )
            start += len(document.ids)
