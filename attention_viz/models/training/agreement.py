"""Agreement documents ("The key to the cabinets" -> " is") and the "too big" ones.

The number of the verb is that of the subject, whatever nouns stand between (after Linzen et al.
2016). Some nouns are made up, so that the model also learns to see the number from the spelling.
"""

from __future__ import annotations

from random import Random

from attention_viz.models.training import phrases as p
from attention_viz.models.training import words as w

PREPOSITIONS = "of to near behind with on by beside under from for in at above below".split()
PREPOSITIONS += ["in front of", "close to", "far from", "together with", "on top of", "and not"]
RELATIVES = ["that", "which", "that always", "which never", "that also"]
VERB_PAIRS = [("is", "are")] * 5 + [("was", "were")] * 2 + [("has", "have")]
AHEAD = "Because When If Today After Now Here Since".split()
STARTS = ["I", "You", "They", "Everyone", "Yesterday I", "Nobody", "It was clear and she"]
SAYING = ["know", "saw", "said", "thought", "heard", "felt", "found", "think", "remembered"]
AFTER_HAVE = ["a name", "a color", "no end", "a history", "a smell", "been lost", "been found"]


def choose_noun(rng: Random) -> tuple[str, str]:
    """A noun's singular and plural; sometimes made up."""
    if rng.random() < 0.33:
        stem = p.invent_word(rng).rstrip("sxyhz") + rng.choice("rntlkdpm")
        return stem, stem + "s"
    noun = rng.choice(w.NOUNS + w.PLACES)
    return noun, w.pluralize(noun)


def attach(rng: Random) -> str:
    """What stands between the subject and its verb: nothing, phrases or a relative clause."""
    draw = rng.random()
    noun = choose_noun(rng)[rng.random() < 0.55]
    adjective = rng.choice(w.ADJECTIVES) + " " if rng.random() < 0.15 else ""
    article = rng.choice(["the", "the", "the", "my", "her", "those", "some"])
    phrase = f" {rng.choice(PREPOSITIONS)} {article} {adjective}{noun}"
    if draw < 0.25:
        return ""
    if draw < 0.62:
        return phrase
    if draw < 0.74:
        other = choose_noun(rng)[rng.random() < 0.5]
        return f"{phrase} {rng.choice(PREPOSITIONS)} the {other}"
    if draw < 0.8:
        return f" that the {noun} {rng.choice(w.PAST)}"
    if draw < 0.86:
        link = rng.choice(["", "", *PREPOSITIONS])
        return f" {rng.choice(RELATIVES)} {rng.choice(w.PAST)} {link} the {noun}".replace("  ", " ")
    if draw < 0.9:
        return f" that {rng.choice(w.NAMES)} {rng.choice(w.PAST)}{rng.choice(['', phrase])}"
    return f" {p.loose(rng, 1, 3)} the {noun}"


def start_clause(rng: Random) -> str:
    """Anything that may come before the subject, with the subject's article."""
    makers = (
        lambda: "My",
        lambda: f"{rng.choice(STARTS)} {rng.choice(SAYING)} that the",
        lambda: f"{rng.choice(w.NAMES)} {rng.choice(SAYING)} that the",
        lambda: f"{p.capitalize(p.adjunct(rng))}, the",
        lambda: f"{rng.choice(AHEAD)} {p.loose(rng, 1, 5)}, the",
        lambda: f"{rng.choice(AHEAD)} {p.loose(rng, 1, 4)} that the",
    )
    return rng.choice(makers)()


def write_agreement(rng: Random) -> str:
    """A subject, something between, and the verb of the right number."""
    plural = rng.random() < 0.5
    noun = choose_noun(rng)[plural]
    if noun in ("sheep", "fish", "deer"):
        return write_agreement(rng)
    verb = rng.choice(VERB_PAIRS)[plural]
    adjective = rng.choice(w.ADJECTIVES) + " " if rng.random() < 0.2 else ""
    start = "The" if rng.random() < 0.5 else start_clause(rng)
    rest = rng.choice(AFTER_HAVE) if verb in ("has", "have") else rng.choice(w.ADJECTIVES)
    tail = f" {p.adjunct(rng)}" if rng.random() < 0.2 else ""
    return f"{start} {adjective}{noun}{attach(rng)}< {verb}> {rest}{tail}."


CONTAINERS = """suitcase box bag basket drawer car cabinet crate chest barrel purse wallet envelope
bottle jar bucket truck pot boat cup bowl room tent hat shelf door""".split()

# template, what "it" is too ...; {i} is the item, {c} the container
SIZE_TEMPLATES = [
    ("The {i} doesn't fit in the {c} because it's too", "big"),
    ("The {i} doesn't fit into the {c} because it's too", "big"),
    ("The {i} didn't fit in the {c} because it was too", "big"),
    ("The {i} won't fit inside the {c} because it is too", "big"),
    ("The {i} doesn't fit in the {c} because the {i} is too", "big"),
    ("The {i} doesn't go into the {c} since it's too", "big"),
    ("{n} couldn't put the {i} in the {c} because it was too", "big"),
    ("{n} can't fit the {i} in the {c}. The {i} is too", "big"),
    ("The {i} can't be put in the {c}, it's too", "big"),
    ("The {c} doesn't hold the {i} because it's too", "small"),
    ("The {c} can't hold the {i} because it is too", "small"),
    ("The {c} couldn't hold the {i} because it was too", "small"),
    ("The {i} doesn't fit in the {c} because the {c} is too", "small"),
    ("The {i} didn't fit in the {c} because the {c} was too", "small"),
    ("{n} can't fit the {i} in the {c}. The {c} is too", "small"),
    ("The {c} has no space for the {i} because it's too", "small"),
    ("The {c} won't take the {i} because it is too", "small"),
    ("{n} couldn't lift the {i} because it was too", "heavy"),
    ("{n} can't carry the {i} because it's too", "heavy"),
    ("The {i} didn't reach the {c} because it was too", "short"),
    ("{n} didn't buy the {i} because it was too", "expensive"),
    ("{n} couldn't hear the {i} because it was too", "quiet"),
]


def write_size(rng: Random) -> str:
    """Something does not fit: which of the two is too big or too small?"""
    template, answer = rng.choice(SIZE_TEMPLATES[:17] * 4 + SIZE_TEMPLATES[17:])
    item, container = rng.choice(w.THINGS + w.ANIMALS), rng.choice(CONTAINERS)
    if rng.random() < 0.15:
        item = p.invent_word(rng)
    item, container = (describe(rng, item), describe(rng, container))
    text = template.format(i=item, c=container, n=rng.choice(w.NAMES))
    if rng.random() < 0.04 and answer in ("big", "small"):
        answer = {"big": "large", "small": "little"}[answer]
    return f"{text}< {answer}>{rng.choice(['.', '.', '.', ' for it.', ' for that.'])}"


def describe(rng: Random, noun: str) -> str:
    """The noun, sometimes with an adjective."""
    return f"{rng.choice(w.ADJECTIVES)} {noun}" if rng.random() < 0.35 else noun
