"""Pronoun documents: who was named decides between he and she, his and her, him and her."""

from __future__ import annotations

from random import Random

from attention_viz.models.training import phrases as p
from attention_viz.models.training import words as w

# subject, object, possessive, reflexive
FEMALE = {"she": "she", "her": "her", "hers": "her", "self": "herself"}
MALE = {"she": "he", "her": "him", "hers": "his", "self": "himself"}
PLURAL = {"she": "they", "her": "them", "hers": "their", "self": "themselves"}

FEMALE_PEOPLE = "woman girl mother sister aunt queen princess".split()
MALE_PEOPLE = "man boy father brother uncle king prince".split()

LINKS = """because so and but when while after before since until although if as that, though where
once whenever or""".replace(",", "").split()  # fmt: skip

FIXED = """\
{n} {c} because<she> {v}.
{n} {c}, so<she> {v}.
{n} {c}. Then<she> {v}.
{n} {c}.<She> {v}.
{n} said that<she> {v}.
{n} thought<she> {v}.
When {n} {c},<she> {v}.
After {n} {c},<she> {v}.
{n} lost<hers> {t}.
{n} opened<hers> {t}.
{n} took<hers> {t} and<hers> {u}.
{n} put on<hers> {t}.
{n} went home to<hers> {o}.
{n} called<hers> {o}.
{n} looked at<self> in the mirror.
{n} hurt<self>.
{n} was proud of<self>.
{n} made<self> {t2}.
{n} {c}, and the {o} saw<her>.
{n} asked the {o} to help<her>.
{n} {c} with<hers> {o}.
I know {n}.<She> is {a}.
{n} is {a} because<she> is {b}.
{n} was {a} and<she> was {b}.
This is {n}, and this is<hers> {t}.
I saw {n} and gave<her> {t2}.
We like {n} because<she> is {a}.
{n} {c}. I helped<her>.
The {t} belongs to {n}. It is<hers> {u}.
{n} told the {t} that<she> {v}.
If {n} {c},<she> {v}.
Where is {n}? I saw<her> at {pl}.
{n} could not sleep, so<she> {v}.
{n} wants to {base} because<she> is {a}.""".splitlines()


def cast_person(rng: Random) -> tuple[str, dict[str, str]]:
    """Who is spoken of, and the pronouns that go with them."""
    draw = rng.random()
    if draw < 0.38:
        return rng.choice(w.WOMEN), FEMALE
    if draw < 0.76:
        return rng.choice(w.MEN), MALE
    if draw < 0.83:
        return "the " + rng.choice(FEMALE_PEOPLE), FEMALE
    if draw < 0.9:
        return "the " + rng.choice(MALE_PEOPLE), MALE
    return " and ".join(p.pick_names(rng, 2)), PLURAL


def compose(rng: Random) -> str:
    """Any clause, any link, and a pronoun in one of its four places."""
    opening = f"{p.capitalize(p.adjunct(rng))}, " if rng.random() < 0.2 else ""
    lead = rng.choice(
        ["", "", "", "When ", "After ", "Because ", "While ", p.loose(rng, 1, 4) + " "]
    )
    clause = f"{opening}{lead}{{n}} {p.free_phrase(rng)}"
    draw = rng.random()
    if draw < 0.45:
        end = (
            rng.choice([", ", " ", " ", ". "]) + rng.choice(LINKS) + f"<she> {p.free_phrase(rng)}."
        )
    elif draw < 0.55:
        end = f",<she> {p.free_phrase(rng)}."
    elif draw < 0.75:
        end = f" {rng.choice(['with', 'and', 'in', 'for', 'near'])}<hers> {rng.choice(w.THINGS)}."
    elif draw < 0.83:
        end = f" {rng.choice(['by', 'for', 'to', 'with'])}<self>."
    elif draw < 0.92:
        end = f". {p.capitalize(p.someone(rng))} {rng.choice(w.PAST)}<her>."
    else:
        end = f".<She> {p.free_phrase(rng)}. Then<she> {p.free_phrase(rng)}."
    return clause + end


def write_pronoun(rng: Random) -> str:
    """One document whose answers are pronouns of the person named."""
    person, forms = cast_person(rng)
    text = rng.choice(FIXED) if rng.random() < 0.4 else compose(rng)
    for key, form in forms.items():
        text = text.replace(f"<{key}>", f"< {form}>")
    text = text.replace("<She>", f"< {forms['she'].capitalize()}>")
    if forms is PLURAL:
        text = text.replace(" is {", " are {").replace(" was {", " were {")
    text = text.format(
        n=person, c=p.free_phrase(rng), v=p.verb_group(rng), t=rng.choice(w.THINGS),
        u=rng.choice(w.THINGS), t2=p.thing(rng), o=rng.choice(w.PEOPLE), a=rng.choice(w.ADJECTIVES),
        b=rng.choice(w.ADJECTIVES), pl=p.place(rng), base=rng.choice(w.BASE),
    )  # fmt: skip
    return p.capitalize(text)
