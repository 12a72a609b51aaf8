"""Prose: single sentences and short stories from a small grammar.

A story keeps its people, its thing and its place, so that names, pronouns and nouns come back where
a reader expects them; the text reads like sentences, not like the world.
"""

from __future__ import annotations

from random import Random

from attention_viz.models.training import words as w
from attention_viz.models.training.pronouns import FEMALE, FEMALE_PEOPLE, MALE, MALE_PEOPLE

OPENINGS = """\
One {time}, {n} went to the {place}.
It was a {adj} {time}, and {n} was at the {place}.
There was a {human} whose name was {n}. {She} lived near the {place}.
{n} was a {adj} {human}.
{n} had a {adj} {thing}.
Once there was a {adj} {animal} in the {place}. {n} saw the {animal} every day.
On {day}, {n} and {m} went to the {place}.
{n} and {m} were friends. They often played at the {place}.
Last {season}, {n} lived in a {adj} house near the {place}.""".splitlines()

WANTS = """\
{n} wanted to find a {adj} {thing}.
{She} liked the {thing} very much.
{n} was looking for a {thing}.
{She} had a {thing} in {her} bag.
{n} needed a {thing} for {her} {person}.
{She} wanted to {base} with {m}.
{n} wanted a {adj} {thing} more than anything.
{She} saw a {adj} {thing} on the table.""".splitlines()

TROUBLES = """\
But the {thing} was not there.
But the {thing} was too {adj}.
Suddenly, the {thing} fell to the ground.
Then a {adj} {animal} came and took the {thing}.
But {she} could not find the {thing}.
{m} came to the {place} and saw the {thing}.
Then it started to rain.
The {thing} was broken, and {n} was {mood}.
The door of the {place} was closed.""".splitlines()

TURNS = """\
"Can you help me?" {n} asked.
"I am {mood}," said {n}.
"This is my {thing}," said {m}.
"Do not be {mood}," said {m}. "We can find it together."
{m} said to {n}, "I have a {adj} {thing} for you."
{n} asked {m} for help, and {m} said yes.
{m} gave the {thing} to {n}.
{n} told {m} about the {thing}.
{m} looked for the {thing} in the {place} and found it.
{n} and {m} looked for it together.
{She} thought about {her} {person}, and then {she} smiled.
{n} ran to the {place} with {m}.""".splitlines()

ENDINGS = """\
{n} was very happy.
{n} and {m} went home together.
"Thank you," said {n}.
From that day, {n} and {m} were good friends.
{She} took the {thing} home and was happy.
After that, {n} never lost {her} {thing} again.
In the evening they all had dinner at the {place}.
{n} smiled and went to sleep.
It was the best day of the {season}.""".splitlines()

SENTENCES = """\
The {adj} {person} {past} the {thing} in the {place}.
{n} {past} a {adj} {thing}.
There is a {adj} {thing} in the {place}.
There are {num} {things} on the table.
The {animal} is {adj} and {adj2}.
It was a {adj} {time} in {month}.
{n} has a {adj} {animal}.
{n} and {m} are {mood}.
The {person} said that the {thing} was {adj}.
What did {n} find at the {place}? {She} found a {thing}.
My {person} has {num} {things} and a {adj} {thing}.
The {animals} near the {place} are {adj}.
{n} went to the {place} to {base} with {her} {person}.
Every {day}, the {person} {past} at the {place}.
If it rains, {n} stays at the {place}.
The {things} are {adj}, but the {animal} is {adj2}.
{n} {past} because {she} was {mood}.
When the {person} came, {n} {past}.
Nobody saw the {adj} {thing} behind the {place}.
{n} is older than {m}.
Please give the {thing} to the {person}.
I think that {n} is {mood}.
The {person} of the {place} {past} {adv}.
{She} and I {past} {adv} in the {place}.
We {past} the {adj} {thing} and went home.
The {thing} in the {place} belongs to {n}.
A {person} and a {animal} {past} near the {place}.
In {month}, the {place} was {adj}.""".splitlines()

NEUTRAL_PEOPLE = [one for one in w.PEOPLE if one not in FEMALE_PEOPLE + MALE_PEOPLE]


def cast_story(rng: Random) -> dict[str, str]:
    """The people, things and places that one story keeps."""
    female = rng.random() < 0.5
    forms = FEMALE if female else MALE
    name = rng.choice(w.WOMEN if female else w.MEN)
    thing = rng.choice(w.THINGS)
    animal = rng.choice(w.ANIMALS)
    return {
        "n": name, "m": rng.choice([other for other in w.NAMES if other != name]),
        "she": forms["she"], "She": forms["she"].capitalize(), "her": forms["hers"],
        "thing": thing, "things": w.pluralize(rng.choice(w.THINGS)), "animal": animal,
        "animals": w.pluralize(animal), "place": rng.choice(w.PLACES),
        "human": rng.choice(NEUTRAL_PEOPLE + (FEMALE_PEOPLE if female else MALE_PEOPLE)),
        "person": rng.choice(w.PEOPLE), "adv": rng.choice(w.ADVERBS),
        "season": rng.choice(w.SEASONS), "num": rng.choice(w.NUMBER_WORDS[1:10]),
    }  # fmt: skip


def write_line(rng: Random, template: str, cast: dict[str, str]) -> str:
    """One sentence of a story; what the cast does not fix is drawn anew."""
    text = template.format(
        **cast, adj=rng.choice(w.ADJECTIVES), adj2=rng.choice(w.ADJECTIVES),
        mood=rng.choice(w.MOODS), base=rng.choice(w.BASE), past=rng.choice(w.PAST),
        day=rng.choice(w.DAYS), month=rng.choice(w.MONTHS),
        time=rng.choice(["day", "morning", "evening", "night", "afternoon"]),
    )  # fmt: skip
    return correct_articles(text)


def correct_articles(text: str) -> str:
    """ "a old hat" becomes "an old hat"."""
    for vowel in "aeiou":
        text = text.replace(f" a {vowel}", f" an {vowel}").replace(f"A {vowel}", f"An {vowel}")
    return text


def write_sentence(rng: Random) -> str:
    """One or two sentences about anything."""
    lines = [
        write_line(rng, rng.choice(SENTENCES), cast_story(rng)) for _ in range(rng.randint(1, 2))
    ]
    return " ".join(lines)


def write_story(rng: Random) -> str:
    """Four to seven sentences about the same people, thing and place."""
    cast = cast_story(rng)
    stages = [OPENINGS, WANTS, TROUBLES, TURNS, ENDINGS]
    if rng.random() < 0.5:
        stages.insert(4, TURNS)
    if rng.random() < 0.3:
        stages.insert(1, SENTENCES)
    return " ".join(write_line(rng, rng.choice(stage), cast) for stage in stages)
