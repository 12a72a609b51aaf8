"""Repetition documents: lists that come again, which is what induction heads live on.

Random words, names and pairs in many kinds of punctuation; the first round carries no loss because
nothing in it can be predicted (after Olsson et al. 2022, "In-context learning and induction
heads"). Strings of random tokens are made in ``corpus.py``, where the vocabulary is known.
"""

from __future__ import annotations

from random import Random

from attention_viz.models.training import phrases as p
from attention_viz.models.training import words as w

SEPARATORS = [
    ", ",
    " ",
    " and ",
    "; ",
    ". ",
    " - ",
    " then ",
    " or ",
    ": ",
    ", then ",
    ", and ",
    " / ",
]
BETWEEN = [". ", ", ", " ", ". Again: ", "; ", "! ", ". Then ", ". And again: ", "\n", ". Repeat: ",
           " - ", ". Once more ", ". The same list: "]  # fmt: skip
INTROS = ["", "", "", "", "The list: ", "Names: ", "Here are the names: ", "Words: ",
          "The order is ",
          "We saw ", "They are ", "In the room: ", "Count: "]  # fmt: skip
VALUES = [w.COLORS, w.ADJECTIVES, w.THINGS, w.ANIMALS, w.NUMBER_WORDS, w.PLACES, w.DAYS]
LINKS = [
    " has ",
    " is ",
    ": ",
    " likes ",
    " saw ",
    " - ",
    " wants ",
    " took ",
    " = ",
    " gave ",
    " went ",
]


def pick_items(rng: Random, count: int, kind: str) -> list[str]:
    """Different items: names, words, or both mixed."""
    if kind == "names":
        return p.pick_names(rng, count)
    if kind == "words":
        return rng.sample(p.FILLERS, count)
    pool = [rng.choice(w.NAMES), *rng.sample(p.FILLERS, count)]
    pool += [rng.choice(w.DAYS + w.MONTHS), p.invent_word(rng), str(rng.randint(0, 99))]
    return list(dict.fromkeys(rng.sample(pool, count)))


def write_words(rng: Random) -> str:
    """Random words said twice or more, mostly without punctuation."""
    items = pick_items(rng, rng.randint(2, 30), "words" if rng.random() < 0.75 else "mixed")
    separator = " " if rng.random() < 0.7 else rng.choice(SEPARATORS)
    rounds = 2 if len(items) > 12 else rng.randint(2, 4)
    first = separator.join(items)
    between = separator if rng.random() < 0.7 else rng.choice(BETWEEN)
    return f"~{first}~<{(between + first) * (rounds - 1)}>"


def write_names(rng: Random) -> str:
    """A list of names said again, whole or from the middle, in many layouts."""
    items = pick_items(rng, rng.randint(2, 14), "names" if rng.random() < 0.85 else "mixed")
    separator = rng.choice([", ", ", ", " ", " and ", rng.choice(SEPARATORS)])
    last = rng.choice([separator, separator, ", and ", " and "])
    start = 0 if rng.random() < 0.6 else rng.randrange(len(items))
    intro, between = rng.choice(INTROS), rng.choice([separator, rng.choice(BETWEEN)])
    if rng.random() < 0.15:
        between = f". {p.capitalize(p.free_phrase(rng))}. "
    first = list_names(items, separator, last)
    again = list_names(
        [items[start], *[f"<{item}>" for item in items[start + 1 :]]], separator, last
    )
    text = f"~{intro}{first}{between}~{again}"
    if rng.random() < 0.4 and len(items) < 10:
        text += between + again
    return mark_spaces(text)


def list_names(items: list[str], separator: str, last: str) -> str:
    """The items with the separator between them and another before the last one."""
    return last.join([separator.join(items[:-1]), items[-1]]) if len(items) > 1 else items[0]


def mark_spaces(text: str) -> str:
    """Moves the space before an answer into it, as it belongs to the answer's token."""
    return text.replace(" <", "< ")


def write_pairs(rng: Random) -> str:
    """Names with a property each; some of them are asked for again in any order."""
    count = rng.randint(2, 7)
    values = rng.choice(VALUES)
    pairs = list(zip(p.pick_names(rng, count), rng.choices(values, k=count), strict=True))
    link, separator = rng.choice(LINKS), rng.choice([", ", ". ", "; ", " and "])
    link += rng.choice(["", "the "]) if link[1].isalpha() else ""
    first = separator.join(name + link + value for name, value in pairs)
    asked = rng.sample(pairs, rng.randint(1, count)) if rng.random() < 0.5 else pairs
    again = separator.join(f"{name}{link}<{value}>" for name, value in asked)
    return mark_spaces(f"~{first}{rng.choice(['. ', separator])}~{again}.")


def write_sentences_again(rng: Random) -> str:
    """A loose clause with names in it, said again word for word."""
    parts = [p.loose(rng, 1, 4), rng.choice(w.NAMES), p.free_phrase(rng), rng.choice(w.NAMES)]
    if rng.random() < 0.5:
        rng.shuffle(parts)
    first = " ".join(parts) + rng.choice([".", ",", "!", ""])
    return f"~{first}~< {first}>"


def write_repeat(rng: Random) -> str:
    """One repetition document other than random tokens."""
    draw = rng.random()
    if draw < 0.38:
        return write_words(rng)
    if draw < 0.8:
        return write_names(rng)
    if draw < 0.9:
        return write_pairs(rng)
    return write_sentences_again(rng)
