"""The committed model: it loads, answers the named sentences and reaches the required numbers."""

from __future__ import annotations

import json
from functools import cache

import pytest
import torch

from attention_viz.models.evaluate import EMBEDDED
from attention_viz.models.evaluation import behaviour, head_sets
from attention_viz.models.evaluation.scoring import Subject

SAMPLE = 96  # questions per behaviour


@cache
def get_subject() -> Subject:
    return Subject(EMBEDDED)


@cache
def get_scores() -> dict[str, behaviour.Score]:
    return {one.name: one for one in behaviour.measure_behaviour(get_subject(), count=SAMPLE)}


REQUIRED = [
    "indirect object, A B … B → A",
    "indirect object, A B … A → B",
    "repeated random words",
    "landmarks",
    "agreement across an attractor",
    "greater-than: P(later) − P(not later)",
    "days, months, numbers",
]


def read_card() -> dict[str, float]:
    """Behaviour → measured number, from the table of the model card."""
    card = (EMBEDDED / "README.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1:-1] for line in card.splitlines() if line.startswith("|")]
    return {row[0].strip(): float(row[1]) for row in rows if row[1].strip()[:2] in ("0.", "1.")}


def test_folder_is_small_and_half_precision_on_disk():
    assert sum(path.stat().st_size for path in EMBEDDED.iterdir()) < 8_000_000
    config = json.loads((EMBEDDED / "config.json").read_text())
    assert config["dtype"] == "float32"
    assert get_subject().model.dtype == torch.float32
    shape = [config[key] for key in ("n_layer", "n_head", "n_embd", "n_positions")]
    assert shape == [4, 8, 192, 128]


def test_beginning_of_text_is_gpt2s():
    tokenizer = get_subject().tokenizer
    assert tokenizer.bos_token == tokenizer.eos_token == "<|endoftext|>"
    assert tokenizer.bos_token_id not in tokenizer.encode("Mary")


def test_named_sentences_are_answered():
    answers = behaviour.answer_exactly(get_subject())
    assert [one["prompt"] for one in answers if not one["is_right"]] == []
    assert " John" in [one["token"] for one in answers[0]["top"]]


@pytest.mark.parametrize(
    "name",
    REQUIRED,
)
def test_required_numbers_are_reached(name):
    assert get_scores()[name].value >= get_scores()[name].needed


def test_the_card_tells_the_truth():
    """Every number of the card is measured again, on a sample."""
    card, scores = read_card(), get_scores()
    assert set(REQUIRED) <= set(card) & set(scores)
    for name in set(card) & set(scores):
        # Twice the standard error of a share in samples of this size, and rounding.
        slack = 0.01 + 2 * (0.25 / min(SAMPLE, scores[name].count)) ** 0.5
        assert scores[name].value == pytest.approx(card[name], abs=slack), name


def test_the_card_marks_what_is_not_reached():
    card = (EMBEDDED / "README.md").read_text(encoding="utf-8")
    lines = {line.split("|")[1].strip(): line for line in card.splitlines() if "| " in line}
    for name, measured in read_card().items():
        if name in get_scores() and get_scores()[name].needed is not None:
            is_marked = "not reached" in lines[name]
            assert is_marked == (measured < get_scores()[name].needed), name


def test_some_set_of_up_to_three_heads_flips_the_first_sentence():
    assert any(head_sets.find_flips(get_subject(), size)[0] for size in (2, 3))


def test_no_single_head_flips_the_first_sentence():
    assert head_sets.find_flips(get_subject(), 1)[0] == []


def test_silencing_nothing_changes_nothing_and_leaves_no_hooks():
    subject = get_subject()
    clean = subject.read_next([head_sets.PROMPT])
    silenced = head_sets.read_ablated(subject, head_sets.PROMPT, [(), ((0, 0),)])
    torch.testing.assert_close(silenced[0], clean[0], atol=1e-4, rtol=1e-4)
    assert not torch.allclose(silenced[1], clean[0])
    assert not subject.model.transformer.h[0].attn.c_proj._forward_pre_hooks


def test_card_says_what_the_model_is_not():
    card = (EMBEDDED / "README.md").read_text(encoding="utf-8")
    assert "not: a language model of the world" in card
