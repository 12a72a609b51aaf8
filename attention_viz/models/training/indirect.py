"""Indirect-object documents: two names, one of them again, and the question who is the other.

"When Mary and John went to the store, John gave a drink to" -> " Mary", after Wang et al. 2022
("Interpretability in the wild"). Half of the openings and clauses come from fixed templates, half
are composed freely, so that the model learns the rule rather than the templates. Some documents go
on with the subject instead (", and then John"), or have a third person act, so both names count.

Mark-up of all documents: ``<...>`` holds an answer (greater loss weight), ``~...~`` text without
loss.
"""

from __future__ import annotations

from random import Random

from attention_viz.models.training import phrases as p
from attention_viz.models.training import words as w

FIXED_OPENINGS = """\
When {a} and {b} went to {place},
Then, {a} and {b} went to {place}.
After {a} and {b} went to {place},
While {a} and {b} were working at {place},
{a} and {b} were at {place}.
As {a} and {b} left {place},
Then {a} and {b} had a long argument.
Once {a} and {b} came back from {place},
When {a} and {b} got {thing} at {place},
Yesterday {a} and {b} were walking to {place}.
{a} met {b} at {place}.
{a} sat with {b} in {place}.
Friends {a} and {b} found {thing} at {place}.
The two friends {a} and {b} saw {thing}.
At {place}, {a} and {b} talked about {thing}.
Because {a} and {b} liked {place},
One day {a} and {b} visited {place}.
{a} came to {place} with {b}.
On {day}, {a} and {b} had lunch at {place}.
After the lunch, {a} and {b} went to {place}, and
Then, {a} and {b} were thinking about going to {place}, and
{a} saw {b} near {place}.
There were two people at {place}: {a} and {b}.
In {place}, {a} was next to {b}.""".splitlines()

CONNECTIVES = """When After While As Because Since Once Before Then Yesterday Today Later Soon If
Although Finally Last Next Until Suddenly""".split()

FIXED_CLAUSES = """\
{s} gave {thing} to
{s} decided to give {thing} to
{s} wanted to give {thing} to
{s} handed {thing} to
{s} passed {thing} to
{s} offered {thing} to
{s} showed {thing} to
{s} was happy to give {thing} to
{s} said hello to
{s} sent {thing} to
{s} gave it to
{s} took {thing} and gave it to
{s} bought {thing} and handed it to
{s} found {thing} for
{s} lent {thing} to
{s} sold {thing} to
{s} threw {thing} to
{s} brought {thing} to
{s} promised to send {thing} to
{s} went {adverb} and gave {thing} to""".splitlines()

JOINTS = [", ", ", ", ", ", ". ", ". ", ". ", ", and ", " and ", ", so ", ". Then ", "; ",
          " until ", ", but ", ", where ", " when ", " because ", ": "]  # fmt: skip

SUBJECT_ENDINGS = """\
, and then< {s}>
. Then< {s}>
. Later< {s}>
 because< {s}>
 before< {s}>
. After that< {s}>
. So< {s}>
, but< {s}>
 and< {s}>
. In the evening< {s}>
 while< {s}>""".splitlines()


def cast_pair(rng: Random) -> list[str]:
    """Two people: known names, or random words and made-up names in their place.

    ``corpus.disguise`` then puts any token at all in the place of many of the known names.
    """
    draw = rng.random()
    if draw < 0.76:
        return p.pick_pair(rng)
    if draw < 0.9:
        return rng.sample(p.FILLERS, 2)
    return [p.invent_name(rng), p.invent_name(rng) if rng.random() < 0.5 else rng.choice(w.NAMES)]


def fill(rng: Random, template: str, **given: str) -> str:
    """The template with its people and random places, things, days and adverbs."""
    return template.format(
        place=p.place(rng),
        thing=p.thing(rng),
        day=rng.choice(w.DAYS),
        adverb=rng.choice(w.ADVERBS),
        **given,
    )


def join_pair(rng: Random, a: str, b: str) -> str:
    """The two names as one subject, as subject and companion, or with anything between them."""
    draw = rng.random()
    if draw < 0.55:
        return f"{a} and {b}"
    if draw < 0.62:
        return f"{rng.choice(['both', 'then', 'friends'])} {a} and {b}"
    if draw < 0.72:
        companion = ["with", "met", "saw", "found", "joined", "called", "helped"]
        return f"{a} {rng.choice(companion)} {b}"
    if draw < 0.82:
        before = rng.choice(["", "had ", "was ", "had been ", "often ", "never "])
        link = rng.choice(["", "", "with ", "to ", "for ", "by "])
        return f"{a} {before}{rng.choice(w.PAST + w.ING)} {link}{b}"
    if draw < 0.92:
        return f"{a} {p.loose(rng, 1, 4)} {b}"
    return f"{a} {p.verb_group(rng)} {rng.choice(['and', 'while', 'because', 'until'])} {b}"


def compose_opening(rng: Random, a: str, b: str) -> str:
    """An opening that names both people among free phrases."""
    pair = join_pair(rng, a, b)
    draw = rng.random()
    if draw < 0.5:
        opening = f"{rng.choice(CONNECTIVES)} {pair} {p.free_phrase(rng)}"
    elif draw < 0.65:
        opening = f"{p.capitalize(p.adjunct(rng))}, {pair} {p.free_phrase(rng)}"
    elif draw < 0.75:
        opening = f"{p.capitalize(p.loose(rng, 1, 5))} {pair} {p.free_phrase(rng)}"
    else:
        opening = f"{pair} {p.free_phrase(rng)}"
    return opening + join_clauses(rng)


def join_clauses(rng: Random) -> str:
    """What stands between the opening and the act, with a lead-in or a side clause at times."""
    draw = rng.random()
    if draw < 0.45:
        return rng.choice(JOINTS)
    if draw < 0.72:
        joint = rng.choice(JOINTS)
        return joint + cased(joint, p.lead_in(rng))
    if draw < 0.9:
        joint = rng.choice([". ", ". ", ", ", "; ", ", and "])
        end = rng.choice(JOINTS)
        return joint + cased(joint, p.side_clause(rng)) + end
    joint, end = rng.choice([". ", ", ", "; "]), rng.choice(JOINTS)
    clause = cased(joint, p.side_clause(rng))
    return joint + clause + end + cased(end, p.lead_in(rng))


def cased(joint: str, text: str) -> str:
    """The text, with a capital where the joint ends a sentence."""
    return p.capitalize(text) if joint == ". " else text


def open_scene(rng: Random, a: str, b: str) -> str:
    """A fixed or a composed opening."""
    before = f"{p.capitalize(p.side_clause(rng))}. " if rng.random() < 0.1 else ""
    if rng.random() < 0.35:
        return before + fill(rng, rng.choice(FIXED_OPENINGS), a=a, b=b) + " "
    return before + compose_opening(rng, a, b)


def act_freely(rng: Random, subject: str) -> str:
    """A composed clause that ends just before the recipient."""
    draw = rng.random()
    if draw < 0.4:
        given = p.thing(rng)
        if rng.random() < 0.25:
            given += " " + rng.choice(["back", "over", "again", "slowly", p.adjunct(rng)])
        return f"{subject} {giving_group(rng)} {given} to"
    if draw < 0.52:
        action, preposition = rng.choice(w.ADDRESSING)
        return f"{subject} {action} {preposition}"
    if draw < 0.65:
        return f"{subject} {p.free_phrase(rng)} and {rng.choice(w.GIVING)[1]} {p.thing(rng)} to"
    if draw < 0.8:
        return f"{subject} {rng.choice(w.PAST)} {p.thing(rng)} {choose_preposition(rng)}"
    return f"{subject} {rng.choice(w.PAST)} {p.loose(rng, 1, 5)} {choose_preposition(rng)}"


def giving_group(rng: Random) -> str:
    """ "gave", "wanted to give", "kept giving"."""
    base, past, ing = rng.choice(w.GIVING)
    draw = rng.random()
    if draw < 0.6:
        return past
    if draw < 0.85:
        wish = rng.choice(["wanted", "decided", "tried", "had", "was ready"])
        return f"{wish} to {base}"
    return f"{rng.choice(['was', 'kept', 'started'])} {ing}"


def choose_preposition(rng: Random) -> str:
    """What introduces the recipient; mostly "to"."""
    return rng.choice(["to", "to", "to", "for", "with", "from", "at"])


def act(rng: Random, subject: str) -> str:
    """A fixed or a composed clause that ends just before the recipient."""
    if rng.random() < 0.4:
        return fill(rng, rng.choice(FIXED_CLAUSES), s=subject)
    return act_freely(rng, subject)


def continue_scene(rng: Random, subject: str, other: str) -> str:
    """What follows the recipient: an end, a place, or a second exchange."""
    draw = rng.random()
    if draw < 0.55:
        return "."
    if draw < 0.75:
        return f" {p.adjunct(rng)}."
    if draw < 0.87:
        return rng.choice(SUBJECT_ENDINGS).format(s=subject) + f" {p.verb_group(rng)}."
    return f". Then {act(rng, other)}< {subject}>."


def write_indirect(rng: Random) -> str:
    """One indirect-object document: mostly the other name, some with the subject lifted."""
    a, b = cast_pair(rng)
    subject, other = (a, b) if rng.random() < 0.5 else (b, a)
    opening = open_scene(rng, a, b)
    draw = rng.random()
    if draw < 0.76:
        ending = continue_scene(rng, subject, other)
        return f"{opening}{act(rng, subject)}< {other}>{ending}"
    if draw < 0.86:
        ending = rng.choice(SUBJECT_ENDINGS).format(s=subject)
        return f"{opening}{subject} {p.free_phrase(rng)}{ending} {p.verb_group(rng)}."
    if draw < 0.91:
        return f"{opening}{act(rng, subject)}< {subject}>'s {rng.choice(w.PEOPLE + w.THINGS)}."
    if draw < 0.96:
        return write_third(rng, a, b, opening)
    return write_trio(rng)


def write_third(rng: Random, a: str, b: str, opening: str) -> str:
    """A third person acts: either of the two may receive."""
    third = rng.choice([name for name in w.NAMES if name not in (a, b)])
    return f"{opening}{act(rng, third)}< {rng.choice([a, b])}>."


def write_trio(rng: Random) -> str:
    """Three people, two of them act: the third receives."""
    trio = p.pick_names(rng, 3)
    text = f"{trio[0]}, {trio[1]} and {trio[2]} {p.free_phrase(rng)}. "
    first, second, third = rng.sample(trio, 3)
    return f"{text}{act(rng, first + ' and ' + second)}< {third}>."
