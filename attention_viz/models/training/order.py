"""Documents about order: years that must be greater, and days, months and numbers in sequence.

"The war lasted from the year 1741 to the year 17" -> a two-digit number above 41, after Hanna et
al. 2023 ("How does GPT-2 compute greater-than?").
"""

from __future__ import annotations

from random import Random

from attention_viz.models.training import phrases as p
from attention_viz.models.training import words as w

YEAR_TEMPLATES = """\
The {e} lasted from the year {y} to the year {z}.
The {e} lasted from {y} to {z}.
The {e} began in {y} and ended in {z}.
The {e} started in the year {y} and ended in the year {z}.
{n} was born in {y} and died in {z}.
The {e} went on from {y} until {z}.
From {y} to {z} there was a {e}.
{n} was king from {y} to {z}.
The {e} of {y} lasted until {z}.
Between {y} and {z} there was a {e}.
The {e} ran from the year {y} to {z}.
{n} lived in {c} from {y} to {z}.
The {e} {f} from the year {y} to the year {z}.
The {e} {f} {y} {f} {z}.
It started in {y} and it ended in {z}.
The years from {y} to {z} were {a}.
{n} {v} from {y} to {z}.
The {c} was built in {y} and {v} in {z}.""".splitlines()


def write_years(rng: Random) -> str:
    """Two years of one century, the second later; the last two digits are the answer."""
    century, early = rng.randint(10, 20), rng.randint(1, 98)
    late = rng.randint(early + 1, 99)
    text = rng.choice(YEAR_TEMPLATES).replace("{f}", p.loose(rng, 1, 4))
    return text.format(
        e=rng.choice(w.EVENTS) if rng.random() < 0.7 else p.invent_word(rng),
        y=f"{century}{early:02d}", z=f"{century}<{late:02d}>", n=rng.choice(w.NAMES),
        c=rng.choice(w.PLACES), a=rng.choice(w.ADJECTIVES), v=rng.choice(w.PAST),
    )  # fmt: skip


CYCLES = [w.DAYS, w.MONTHS, w.SEASONS]
LINES = [w.NUMBER_WORDS, w.ORDINALS, [str(number) for number in range(1, 100)]]
SEPARATORS = [", ", ", ", ", ", " ", " then ", "; ", " - ", " and ", ". ", ", then "]
NEXT_TEMPLATES = """\
The day after {x} is<Y>.
After {x} comes<Y>.
{x} comes before<Y>.
{x} is followed by<Y>.
{x} and then<Y>.
Today is {x}. Tomorrow is<Y>.
It was {x}. The next one was<Y>.
First {x}, then<Y>.
{n} came on {x} and left on<Y>.
If it is {x}, then next is<Y>.
{x} {f}, then comes<Y>.
What comes after {x}?<Y>.
From {x} to<Y>.
What is next after {x}? It is<Y>.""".splitlines()
TELLING = "on in at by for number until page room before with of to about the a one two".split()


def take_run(rng: Random, longest: int) -> list[str]:
    """Some successive items of a cycle or a line."""
    if rng.random() < 0.55:
        items = rng.choices(CYCLES, (0.5, 0.42, 0.08))[0]
        start = rng.randrange(len(items))
        count = rng.randint(2, min(longest, len(items) + 2))
        return [items[(start + step) % len(items)] for step in range(count)]
    items = rng.choices(LINES, (0.4, 0.15, 0.45))[0]
    count = rng.randint(2, min(longest, len(items)))
    start = rng.randrange(len(items) - count + 1)
    return items[start : start + count]


def write_list(rng: Random) -> str:
    """A run written as a list; every item but the first is an answer."""
    first, *others = take_run(rng, 10)
    separator, last = rng.choice(SEPARATORS), rng.choice(["", "", "", "and "])
    body = "".join(f"{separator}<{item}>" for item in others[:-1])
    body += f"{separator}{last}<{others[-1]}>"
    draw = rng.random()
    intro = rng.choice(["The days: ", "Count: ", "In order: ", "We have ", "The list is "])
    loose = p.capitalize(p.loose(rng, 1, 5)) + rng.choice([" ", ": ", ", "])
    intro = "" if draw < 0.5 else intro if draw < 0.65 else loose
    return f"{intro}{first}{body}{rng.choice(['.', '', ' and so on.'])}".replace(" <", "< ")


def write_next(rng: Random) -> str:
    """One step of a run, asked for in words."""
    item, following = take_run(rng, 2)
    text = rng.choice(NEXT_TEMPLATES).replace("<Y>", f"< {following}>")
    text = text.format(x=item, n=rng.choice(w.NAMES), f=p.loose(rng, 1, 4))
    return p.capitalize(text)


def write_told(rng: Random) -> str:
    """A run spread over a small report: "On Monday ..., on Tuesday ..."."""
    link, name = rng.choice(TELLING), rng.choice(w.NAMES)
    if rng.random() < 0.35:
        link = f"{p.loose(rng, 1, 2)} {link}"
    same, clause = rng.random() < 0.5, p.free_phrase(rng)
    is_bare = rng.random() < 0.4
    rest = (lambda clause: "") if is_bare else (lambda clause: f" {name} {clause}")
    parts = []
    for step, item in enumerate(take_run(rng, 5)):
        clause = clause if same else p.free_phrase(rng)
        mark = f" {item}" if step == 0 else f"< {item}>"
        parts.append(f"{link}{mark}{rest(clause)}")
    separator = rng.choice([". ", ", ", "; ", ", and "])
    if separator == ". ":
        parts = [p.capitalize(part) for part in parts]
    intro = f"{p.capitalize(p.loose(rng, 1, 6))}{rng.choice([', ', ': ', ' '])}"
    told = separator.join(parts) + "."
    return intro + told if rng.random() < 0.4 else p.capitalize(told)


def write_successor(rng: Random) -> str:
    """One document about days, months, seasons or numbers in order."""
    draw = rng.random()
    return write_list(rng) if draw < 0.5 else write_next(rng) if draw < 0.68 else write_told(rng)
