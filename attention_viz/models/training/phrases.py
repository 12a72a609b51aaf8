"""Small phrases that the documents are built from, all drawn from one ``random.Random``.

Two styles: grammatical phrases, and loose strings of random words. The loose ones teach the model
to find the names in a sentence whatever stands between them.
"""

from __future__ import annotations

from random import Random

from attention_viz.models.training import words as w

FILLERS = w.list_fillers()


def pick_names(rng: Random, count: int) -> list[str]:
    """Different names, women and men alike."""
    return rng.sample(w.NAMES, count)


def pick_pair(rng: Random) -> list[str]:
    """Two names; in half of the cases one woman and one man."""
    if rng.random() < 0.5:
        pair = [rng.choice(w.WOMEN), rng.choice(w.MEN)]
        rng.shuffle(pair)
        return pair
    return pick_names(rng, 2)


def loose(rng: Random, low: int, high: int) -> str:
    """Between ``low`` and ``high`` random words; now and then one of them is made up."""
    words = rng.choices(FILLERS, k=rng.randint(low, high))
    if rng.random() < 0.1:
        words[rng.randrange(len(words))] = invent_word(rng)
    return " ".join(words)


def thing(rng: Random) -> str:
    """A thing with its article: "a red book", "the old keys", "a bag of pears"."""
    noun = rng.choice(w.THINGS) if rng.random() < 0.93 else invent_word(rng)
    if rng.random() < 0.08:
        noun = f"{noun} of {w.pluralize(rng.choice(w.THINGS))}"
        return w.add_article(noun) if rng.random() < 0.6 else f"the {noun}"
    adjective = rng.choice(w.ADJECTIVES) + " " if rng.random() < 0.3 else ""
    draw = rng.random()
    if draw < 0.45:
        return w.add_article(adjective + noun)
    if draw < 0.75:
        return f"the {adjective}{noun}"
    return f"{rng.choice(['some', 'two', 'the', 'three'])} {adjective}{w.pluralize(noun)}"


def place(rng: Random) -> str:
    """ "the park", "a small garden"."""
    adjective = rng.choice(w.ADJECTIVES) + " " if rng.random() < 0.15 else ""
    if rng.random() < 0.8:
        return f"the {adjective}{rng.choice(w.PLACES)}"
    return w.add_article(adjective + rng.choice(w.PLACES))


def someone(rng: Random) -> str:
    """ "the teacher", "an old friend"."""
    adjective = rng.choice(w.ADJECTIVES) + " " if rng.random() < 0.25 else ""
    noun = rng.choice(w.PEOPLE)
    return f"the {adjective}{noun}" if rng.random() < 0.7 else w.add_article(adjective + noun)


def adjunct(rng: Random) -> str:
    """Where, when, with what: a phrase that can follow a verb."""
    makers = (
        lambda: f"{rng.choice(['at', 'in', 'near', 'behind', 'outside', 'by'])} {place(rng)}",
        lambda: f"{rng.choice(['to', 'from', 'through', 'around'])} {place(rng)}",
        lambda: f"{rng.choice(['with', 'without', 'about', 'for', 'of'])} {thing(rng)}",
        lambda: f"{rng.choice(['with', 'near', 'for', 'behind', 'from'])} {someone(rng)}",
        lambda: f"on {rng.choice(w.DAYS)}",
        lambda: f"in {rng.choice(w.MONTHS + w.SEASONS)}",
        lambda: f"in the {rng.choice(['morning', 'evening', 'afternoon', 'rain', 'snow', 'sun'])}",
        lambda: rng.choice(w.ADVERBS),
        lambda: f"for {rng.choice(w.NUMBER_WORDS)} {rng.choice(['hours', 'days', 'years'])}",
        lambda: f"to {rng.choice(w.BASE)} {thing(rng)}",
    )
    return rng.choice(makers)()


def verb_group(rng: Random) -> str:
    """A past verb, sometimes with an object or in the progressive."""
    draw = rng.random()
    if draw < 0.45:
        return rng.choice(w.PAST)
    if draw < 0.65:
        return (
            f"{rng.choice(['were', 'had been', 'kept', 'started', 'enjoyed'])} {rng.choice(w.ING)}"
        )
    if draw < 0.9:
        return f"{rng.choice(w.PAST)} {thing(rng)}"
    return f"{rng.choice(['wanted', 'decided', 'tried', 'had', 'planned'])} to {rng.choice(w.BASE)}"


def free_phrase(rng: Random) -> str:
    """A verb with anything after it: grammatical, loose, or both."""
    draw = rng.random()
    if draw < 0.3:
        return f"{verb_group(rng)} {adjunct(rng)}"
    if draw < 0.5:
        return f"{verb_group(rng)} {adjunct(rng)} {adjunct(rng)}"
    if draw < 0.6:
        return verb_group(rng)
    if draw < 0.8:
        return f"{rng.choice(w.PAST)} {loose(rng, 1, 5)}"
    return loose(rng, 1, 7)


def lead_in(rng: Random) -> str:
    """What may stand before the subject of a clause: "smiling, ", "in the rain ", "that time "."""
    makers = (
        lambda: f"{rng.choice(w.ING)}, ",
        lambda: (
            f"{rng.choice(['before', 'after', 'while', 'without'])} {rng.choice(w.ING)} "
            f"{adjunct(rng)}, "
        ),
        lambda: f"{rng.choice(w.ADJECTIVES)} and {rng.choice(w.ADJECTIVES)}, ",
        lambda: (
            f"{rng.choice(w.ADJECTIVES)} {rng.choice(['with', 'of', 'from'])} "
            f"{rng.choice(w.MORE)}, "
        ),
        lambda: f"{adjunct(rng)}{rng.choice([', ', ' '])}",
        lambda: (
            f"{rng.choice(['that', 'one', 'every', 'each', 'the next', 'the last'])} "
            f"{rng.choice(['time', 'day', 'week', 'year', 'morning', 'night', 'month', 'hour'])} "
        ),
        lambda: f"{rng.choice(w.ADVERBS)}{rng.choice([', ', ' '])}",
        lambda: f"{loose(rng, 1, 5)}{rng.choice([', ', ' '])}",
    )
    return rng.choice(makers)()


def side_clause(rng: Random) -> str:
    """A short clause about a thing, a place or somebody without a name, or about nothing."""
    draw = rng.random()
    if draw < 0.3:
        return f"{thing(rng)} {verb_group(rng)}"
    if draw < 0.5:
        return f"{someone(rng)} {free_phrase(rng)}"
    if draw < 0.7:
        subject = rng.choice(["it", "there", "they", "everyone", "nobody", "the weather"])
        return f"{subject} {rng.choice(['was', 'were', 'had', 'seemed'])} {loose(rng, 1, 4)}"
    return loose(rng, 2, 7)


def capitalize(text: str) -> str:
    """The text with its first letter in upper case, the rest untouched."""
    return text[:1].upper() + text[1:]


def invent_word(rng: Random) -> str:
    """A word that does not exist: the head of one word and the tail of another."""
    head, tail = rng.choices(FILLERS, k=2)
    return head[: rng.randint(1, 4)] + tail[-rng.randint(2, 4) :]


def invent_name(rng: Random) -> str:
    """A capitalised made-up name, usually several tokens long."""
    return invent_word(rng).capitalize()
