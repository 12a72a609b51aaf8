"""The corpus: an endless, seeded stream of encoded documents in given proportions.

A document is its token ids and one loss weight per token: 4 on answers, 1 elsewhere, 0 where
nothing
can be predicted (first halves of repetitions). Writers return text with the mark-up
``<answer>`` and ``~no loss~``; random-token repetitions are made here, from ids.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from statistics import mean

from attention_viz.models.evaluation import held_out
from attention_viz.models.training.agreement import write_agreement, write_size
from attention_viz.models.training.facts import write_fact
from attention_viz.models.training.indirect import write_indirect
from attention_viz.models.training.order import write_successor, write_years
from attention_viz.models.training.pronouns import write_pronoun
from attention_viz.models.training.repeats import write_repeat
from attention_viz.models.training.stories import write_sentence, write_story
from attention_viz.models.training.words import NAMES

ANSWER_WEIGHT = 4.0
BOS_SHARE = 0.85
LONGEST = 127  # tokens; a row holds 128

# kind -> (share of the tokens early in training, share later, writer)
# "tokens" documents have no writer: they are made of ids.
# Early on, half of the tokens are repetitions, or induction heads form too late for a short run.
MIX: dict[str, tuple[float, float, Callable[[Random], str] | None]] = {
    "indirect object": (0.22, 0.40, write_indirect),
    "repeats": (0.24, 0.10, write_repeat),
    "tokens": (0.24, 0.06, None),
    "facts": (0.05, 0.07, write_fact),
    "agreement": (0.06, 0.11, write_agreement),
    "too big": (0.02, 0.02, write_size),
    "years": (0.05, 0.06, write_years),
    "successors": (0.04, 0.08, write_successor),
    "pronouns": (0.04, 0.04, write_pronoun),
    "stories": (0.03, 0.04, write_story),
    "sentences": (0.01, 0.02, write_sentence),
}
EARLY = 0.35  # of a run
# Kinds in which any name may stand for any other: many of their names become random tokens.
DISGUISED = ("indirect object", "repeats")
DISGUISED_SHARE = 0.45
CLOSED = ("stories", "sentences", "facts")  # kinds whose end of text is learnt
MARKS = re.compile(r"[<>~]")


@dataclass(frozen=True)
class Document:
    """Token ids and the loss weight of predicting each of them."""

    ids: tuple[int, ...]
    weights: tuple[float, ...]


def split_marks(text: str) -> list[tuple[str, float]]:
    """The marked-up text as (piece, loss weight) in order."""
    pieces, start, weight = [], 0, 1.0
    for mark in MARKS.finditer(text):
        pieces.append((text[start : mark.start()], weight))
        symbol, start = mark.group(), mark.end()
        weight = ANSWER_WEIGHT if symbol == "<" else 1.0 if symbol == ">" or weight == 0.0 else 0.0
    pieces.append((text[start:], weight))
    return [(piece, value) for piece, value in pieces if piece]


def remove_marks(text: str) -> str:
    """The text as the model reads it."""
    return MARKS.sub("", text)


def write_document(rng: Random, kind: str) -> str:
    """The marked-up text of one document of this kind."""
    writer = MIX[kind][2]
    if writer is None:
        raise ValueError(f"{kind!r} documents are made of ids, see Corpus.repeat_tokens")
    return writer(rng)


class Corpus:
    """Encodes documents with ``encode(text) -> ids`` and draws them from one seeded generator."""

    def __init__(self, encode: Callable[[str], list[int]], *, vocabulary: int, bos: int, seed: int):
        self.encode, self.vocabulary, self.bos = encode, vocabulary, bos
        kept = {token for word in held_out.NAMES + held_out.WORDS for token in encode(" " + word)}
        self.stand_ins = [token for token in range(vocabulary) if token not in kept | {bos}]
        self.names = self._list_name_tokens()
        self.rng = Random(seed)
        self.is_early = True
        lengths = self._measure_lengths()
        # Chances of each kind so that its share of the tokens comes out as in the mix.
        self.early, self.later = (
            [row[stage] / lengths[kind] for kind, row in MIX.items()] for stage in (0, 1)
        )

    def _measure_lengths(self) -> dict[str, float]:
        rng = Random(0)
        return {kind: mean(len(self._make(rng, kind).ids) for _ in range(200)) for kind in MIX}

    def _list_name_tokens(self) -> dict[int, str]:
        """The one-token names by their ids, with and without a space before them."""
        encoded = {spelling: name for name in NAMES for spelling in (name, " " + name)}
        ids = {spelling: self.encode(spelling) for spelling in encoded}
        return {found[0]: encoded[text] for text, found in ids.items() if len(found) == 1}

    def disguise(self, rng: Random, document: Document) -> Document:
        """The document with a random token in the place of each name, the same one throughout.

        It teaches that a name is whatever stands in a name's place, so that names (and the held-out
        tokens, which are never drawn here) need not be known to be copied.
        """
        people = {self.names[token] for token in document.ids if token in self.names}
        stand_in = {name: rng.choice(self.stand_ins) for name in sorted(people)}
        ids = (stand_in[self.names[i]] if i in self.names else i for i in document.ids)
        return Document(tuple(ids), document.weights)

    def _make(self, rng: Random, kind: str) -> Document:
        if kind == "tokens":
            document = self.repeat_tokens(rng)
        else:
            document = self.encode_marked(write_document(rng, kind))
        if kind in DISGUISED and rng.random() < DISGUISED_SHARE:
            document = self.disguise(rng, document)
        ids, weights = document.ids, document.weights
        if kind in CLOSED:
            ids, weights = (*ids, self.bos), (*weights, 1.0)
        if rng.random() < BOS_SHARE:
            ids, weights = (self.bos, *ids), (0.0, *weights)
        return Document(ids[:LONGEST], weights[:LONGEST])

    def encode_marked(self, text: str) -> Document:
        """The document of a marked-up text."""
        ids: list[int] = []
        weights: list[float] = []
        for piece, weight in split_marks(text):
            part = self.encode(piece)
            ids += part
            weights += [weight] * len(part)
        return Document(tuple(ids), tuple(weights))

    def repeat_tokens(self, rng: Random) -> Document:
        """Random tokens said twice or more; beginning-of-text is not among them."""
        period = 2 + int(39 * rng.random() ** 2)  # mostly short ones: they teach the circuit sooner
        rounds = rng.randint(2, max(2, min(5, LONGEST // period)))
        first = [rng.randrange(1, self.vocabulary) for _ in range(period)]
        ids = (first * rounds)[: LONGEST - 1]
        return Document(tuple(ids), tuple([0.0] * period + [ANSWER_WEIGHT] * (len(ids) - period)))

    def __iter__(self) -> Iterator[Document]:
        kinds = list(MIX)
        while True:
            chances = self.early if self.is_early else self.later
            yield self._make(self.rng, self.rng.choices(kinds, chances)[0])
