"""What a language model makes of the embedded model's held-out templates.

The templates, names and words were written for the embedded model, whose training never saw them;
of a language model nobody knows what it has read. So each score says what is asked of it here, and
words that its tokenizer does not have as one token are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import torch

from attention_viz.models.evaluation import held_out
from attention_viz.models.evaluation.behaviour import ask_agreement, ask_indirect
from attention_viz.models.evaluation.scoring import Subject
from attention_viz.models.training import words as w
from attention_viz.models.training.landmarks import LANDMARKS
from attention_viz.models.training.phrases import capitalize
from attention_viz.records.statistics import Rate

Questions = list[tuple[str, str]]


@dataclass(frozen=True)
class Solved:
    """How often one kind of question is answered right."""

    name: str
    asked: str  # what counts as right
    rate: Rate


def measure_language(subject: Subject, *, count: int = 200, seed: int = 7) -> list[Solved]:
    """All kinds of questions, about `count` of each."""
    solved = []
    for name, (asked, make) in _TOP_1.items():
        questions = make(subject, Random(seed), count)
        right = int(subject.are_right(questions).sum()) if questions else 0
        solved.append(Solved(name, asked, Rate(right, len(questions))))
    for name, (asked, make) in _COMPARED.items():
        right = make(subject, Random(seed), count)
        solved.append(Solved(name, asked, Rate(int(right.sum()), len(right))))
    return solved


def _names(subject: Subject) -> list[str]:
    return [name for name in held_out.NAMES if subject.is_one(f" {name}")]


def _indirect(subject_first: bool, templates: list[str]) -> Callable[..., Questions]:
    def make(subject: Subject, rng: Random, count: int) -> Questions:
        names = _names(subject)
        return ask_indirect(rng, names, count, subject_first=subject_first, templates=templates)

    return make


def _repeated_words(subject: Subject, rng: Random, count: int) -> Questions:
    known = [word for word in held_out.WORDS if subject.is_one(f" {word}")]
    questions: Questions = []
    while len(questions) < count:
        words = rng.sample(known, rng.randint(6, 12))
        said = [" ".join(words + words[:step]) for step in range(1, len(words))]
        questions += [(f" {text}", f" {words[at]}") for at, text in enumerate(said, 1)]
    return questions[:count]


def _name_lists(subject: Subject, rng: Random, count: int) -> Questions:
    questions: Questions = []
    names = _names(subject)
    while len(questions) < count:
        intro, separator, between = rng.choice(held_out.NAME_LISTS)
        chosen = rng.sample(names, rng.randint(4, 9))
        first = intro + separator.join(chosen) + between
        for step in range(1, len(chosen)):
            asked = first + separator.join(chosen[:step]) + separator
            questions.append((asked.rstrip(), f" {chosen[step]}"))
    return questions[:count]


def _cities(subject: Subject, rng: Random, count: int) -> Questions:
    return _facts(held_out.FACTS_CITY, 1, rng, count)


def _countries(subject: Subject, rng: Random, count: int) -> Questions:
    return _facts(held_out.FACTS_COUNTRY, 2, rng, count)


def _facts(templates: list[str], which: int, rng: Random, count: int) -> Questions:
    questions = [
        (each.format(l=known[0], L=capitalize(known[0])), f" {known[which]}")
        for known in LANDMARKS
        for each in templates
    ]
    return rng.sample(questions, min(count, len(questions)))


def _successors(subject: Subject, rng: Random, count: int) -> Questions:
    kinds = [(w.DAYS, True), (w.MONTHS, True), (w.NUMBER_WORDS, False)]
    questions: Questions = []
    for number in range(count):
        items, cycles = kinds[number % len(kinds)]
        start = rng.randrange(len(items) if cycles else len(items) - 3)
        a, b, c, d = (items[(start + step) % len(items)] for step in range(4))
        template = held_out.SUCCESSORS[number % len(held_out.SUCCESSORS)]
        questions.append((template.format(a=a, b=b, c=c), f" {d}"))
    return questions


def _agreement(subject: Subject, rng: Random, count: int) -> torch.Tensor:
    questions = ask_agreement(rng, held_out.NOUNS, count)
    is_plural = torch.tensor([plural for _, plural in questions])
    texts = [text for text, _ in questions]
    more = _compare(subject, texts, (" are", " were", " have"), (" is", " was", " has"))
    return more == is_plural


def _pronouns(subject: Subject, rng: Random, count: int) -> torch.Tensor:
    texts, is_woman = [], []
    for number in range(count):
        template = held_out.PRONOUNS[number % len(held_out.PRONOUNS)]
        is_woman.append(bool(rng.getrandbits(1)))
        texts.append(template.format(n=rng.choice(w.WOMEN if is_woman[-1] else w.MEN)))
    return _compare(subject, texts, (" she",), (" he",)) == torch.tensor(is_woman)


def _sizes(subject: Subject, rng: Random, count: int) -> torch.Tensor:
    texts, is_big = [], []
    for number in range(count):
        template, answer = held_out.SIZES[number % len(held_out.SIZES)]
        item, container = rng.choice(held_out.SIZE_THINGS), rng.choice(held_out.SIZE_CONTAINERS)
        texts.append(template.format(i=item, c=container))
        is_big.append(answer == " big")
    big = (" big", " large", " heavy", " tall", " wide")
    return _compare(subject, texts, big, (" small", " little", " short", " narrow")) == (
        torch.tensor(is_big)
    )


def _years(subject: Subject, rng: Random, count: int) -> torch.Tensor:
    """By the next token alone, which is the decade where digits are tokens of their own."""
    texts, decade = [], []
    for number in range(count):
        century, digits = rng.randint(11, 19), rng.randint(10, 89)
        template = held_out.YEARS[number % len(held_out.YEARS)]
        event = rng.choice(held_out.EVENTS)
        texts.append(template.format(e=event, y=f"{century}{digits:02d}", z=str(century)))
        decade.append(digits // 10)
    tokens = [subject.token(str(digit)) for digit in range(10)]
    chances = subject.read_next(texts).softmax(-1)[:, tokens]
    digits, own = torch.arange(10)[None], torch.tensor(decade)[:, None]
    return (chances * (digits > own)).sum(-1) > (chances * (digits < own)).sum(-1)


def _compare(
    subject: Subject, texts: list[str], one: tuple[str, ...], other: tuple[str, ...]
) -> torch.Tensor:
    """[text] whether the first group of words has more probability than the second."""
    chances = subject.read_next(texts).softmax(-1)
    sums = [chances[:, [subject.token(word) for word in group]].sum(-1) for group in (one, other)]
    return sums[0] > sums[1]


_OTHER_NAME = "the name that was not said again is the likeliest next token"
_TOP_1: dict[str, tuple[str, Callable[..., Questions]]] = {
    "indirect object, A B … B → A": (_OTHER_NAME, _indirect(False, held_out.INDIRECT)),
    "indirect object, A B … A → B": (_OTHER_NAME, _indirect(True, held_out.INDIRECT)),
    "indirect object, blind templates, A B … B → A": (
        _OTHER_NAME,
        _indirect(False, held_out.INDIRECT_BLIND),
    ),
    "indirect object, blind templates, A B … A → B": (
        _OTHER_NAME,
        _indirect(True, held_out.INDIRECT_BLIND),
    ),
    "repeated random words": ("the word that followed before", _repeated_words),
    "repeated lists of names": ("the name that followed before", _name_lists),
    "landmarks: city": ("the first token of the city's name", _cities),
    "landmarks: country": ("the first token of the country's name", _countries),
    "successors: days, months, number words": ("the next one", _successors),
}
_COMPARED: dict[str, tuple[str, Callable[..., torch.Tensor]]] = {
    "agreement across an attractor": (
        "is, was, has against are, were, have: the right number has more probability",
        _agreement,
    ),
    "greater-than": ("later decades have more probability than earlier ones", _years),
    "pronouns": ("she against he, after common first names", _pronouns),
    "too big, too small": ("words for big against words for small", _sizes),
}
