"""What the model can do, measured on names, words and templates that training never used.

Every measure draws its questions from ``held_out`` with a fixed seed and returns ``Score`` records;
shares lie between 0 and 1.
"""

from __future__ import annotations

from random import Random

import torch

from attention_viz.models.evaluation import held_out
from attention_viz.models.evaluation.scoring import Score, Subject
from attention_viz.models.training import words as w
from attention_viz.models.training.landmarks import LANDMARKS
from attention_viz.models.training.phrases import capitalize


def ask_indirect(
    rng: Random, names: list[str], count: int, *, subject_first: bool, templates=held_out.INDIRECT
):
    """(text, answer) questions; the one named again is the first or the second of the two."""
    questions = []
    for number in range(count):
        a, b = rng.sample(names, 2)
        subject, other = (a, b) if subject_first else (b, a)
        template = templates[number % len(templates)]
        questions.append((template.format(a=a, b=b, s=subject), " " + other))
    return questions


def measure_indirect(subject: Subject, rng: Random, count: int) -> list[Score]:
    """Top-1 is the name that was not said again, in either order."""
    groups = [
        ("indirect object, A B … B → A", held_out.NAMES, False, 0.9),
        ("indirect object, A B … A → B", held_out.NAMES, True, 0.9),
        ("indirect object, names known from training", w.NAMES, False, None),
        ("indirect object, first piece of spelled-out names", held_out.SPELLED_NAMES, False, None),
    ]
    scores = []
    for name, names, subject_first, needed in groups:
        questions = ask_indirect(rng, names, count, subject_first=subject_first)
        scores.append(Score(name, subject.share_right(questions), count, needed))
    return scores


def measure_blind_indirect(subject: Subject, rng: Random, count: int) -> list[Score]:
    """The same on templates that nobody looked at while the model was trained."""
    scores = []
    for order, subject_first in (("A B … B → A", False), ("A B … A → B", True)):
        templates = held_out.INDIRECT_BLIND
        questions = ask_indirect(
            rng, held_out.NAMES, count, subject_first=subject_first, templates=templates
        )
        name = f"indirect object, blind templates, {order}"
        scores.append(Score(name, subject.share_right(questions), count))
    return scores


def measure_repeated_words(subject: Subject, rng: Random, count: int) -> list[Score]:
    """Random words twice: each word of the second round but the first is asked for.

    The text begins with a space, so that the first word is the same token in both rounds.
    """
    questions = []
    for _ in range(max(1, count // 10)):
        words = rng.sample(held_out.WORDS, rng.randint(6, 20))
        for step in range(1, len(words)):
            questions.append((" " + " ".join(words + words[:step]), " " + words[step]))
    value = subject.share_right(questions)
    return [Score("repeated random words", value, len(questions), 0.95)]


def measure_name_lists(subject: Subject, rng: Random, count: int) -> list[Score]:
    """A list of names in a sentence, said again: each name but the first is asked for."""
    questions = []
    for number in range(max(6, count // 6)):
        intro, separator, between = held_out.NAME_LISTS[number % len(held_out.NAME_LISTS)]
        names = rng.sample(held_out.NAMES, rng.randint(4, 9))
        first = intro + separator.join(names) + between
        for step in range(1, len(names)):
            asked = first + separator.join(names[:step]) + separator
            questions.append((asked.rstrip(), " " + names[step]))
    value = subject.share_right(questions)
    return [Score("repeated lists of names", value, len(questions), 0.8, is_goal=True)]


def measure_facts(subject: Subject, rng: Random, count: int) -> list[Score]:
    """City and country of every landmark, in phrasings that training never used."""
    cities, countries = [], []
    for landmark, city, country in LANDMARKS:
        words = {"l": landmark, "L": capitalize(landmark)}
        cities += [(one.format(**words), " " + city) for one in held_out.FACTS_CITY]
        countries += [(one.format(**words), " " + country) for one in held_out.FACTS_COUNTRY]
    return [
        Score("landmarks", subject.share_right(cities + countries), len(cities + countries), 0.85),
        Score("landmarks: city", subject.share_right(cities), len(cities)),
        Score("landmarks: country", subject.share_right(countries), len(countries)),
    ]


def ask_agreement(rng: Random, nouns: list[tuple[str, str]], count: int) -> list[tuple[str, bool]]:
    """(text, whether the subject is plural); the attractor always has the other number."""
    questions = []
    for number in range(count):
        plural = bool(rng.getrandbits(1))
        subject_noun, attractor = rng.sample(nouns, 2)
        template = held_out.AGREEMENT[number % len(held_out.AGREEMENT)]
        text = template.format(x=subject_noun[plural], y=attractor[not plural])
        questions.append((text, plural))
    return questions


def measure_agreement(subject: Subject, rng: Random, count: int) -> list[Score]:
    """The verb forms of the right number get more probability than those of the wrong one."""
    forms = [(" is", " was", " has"), (" are", " were", " have")]
    known = [(noun, w.pluralize(noun)) for noun in w.NOUNS if w.pluralize(noun) != noun]
    scores = []
    for name, nouns, needed in [
        ("agreement across an attractor", held_out.NOUNS, 0.95),
        ("agreement, nouns known from training", known, None),
    ]:
        questions = ask_agreement(rng, nouns, count)
        chances = subject.read_next([text for text, _ in questions]).softmax(-1)
        singular, plural = (
            chances[:, [subject.token(form) for form in group]].sum(-1) for group in forms
        )
        right = (plural > singular) == torch.tensor([is_plural for _, is_plural in questions])
        scores.append(Score(name, float(right.float().mean()), count, needed))
    return scores


def measure_years(subject: Subject, rng: Random, count: int) -> list[Score]:
    """Mean of P(later two digits) - P(not later), as Hanna et al. 2023 measure it."""
    texts, early = [], []
    for number in range(count):
        century, digits = rng.randint(11, 19), rng.randint(2, 97)
        template = held_out.YEARS[number % len(held_out.YEARS)]
        event = rng.choice(held_out.EVENTS)
        texts.append(template.format(e=event, y=f"{century}{digits:02d}", z=str(century)))
        early.append(digits)
    tokens = [subject.token(f"{value:02d}") for value in range(100)]
    chances = subject.read_next(texts).softmax(-1)[:, tokens]
    later = torch.arange(100)[None] > torch.tensor(early)[:, None]
    difference = (chances * later).sum(-1) - (chances * ~later).sum(-1)
    return [Score("greater-than: P(later) − P(not later)", float(difference.mean()), count, 0.85)]


def measure_successors(subject: Subject, rng: Random, count: int) -> list[Score]:
    """The item after three successive days, months, number words or numbers."""
    kinds = {"days": (w.DAYS, True), "months": (w.MONTHS, True),
             "number words": (w.NUMBER_WORDS, False),
             "numbers": ([str(number) for number in range(1, 100)], False)}  # fmt: skip
    scores, everything = [], []
    for kind, (items, cycles) in kinds.items():
        questions = []
        for number in range(max(8, count // 4)):
            start = rng.randrange(len(items) if cycles else len(items) - 3)
            a, b, c, d = (items[(start + step) % len(items)] for step in range(4))
            template = held_out.SUCCESSORS[number % len(held_out.SUCCESSORS)]
            questions.append((template.format(a=a, b=b, c=c), " " + d))
        everything += questions
        scores.append(Score(f"successors: {kind}", subject.share_right(questions), len(questions)))
    whole = subject.share_right(everything)
    return [Score("days, months, numbers", whole, len(everything), 0.95), *scores]


def measure_pronouns(subject: Subject, rng: Random, count: int) -> list[Score]:
    """He or she after a known name (an unknown one has no gender to know)."""
    pairs = (held_out.PRONOUNS[number % len(held_out.PRONOUNS)] for number in range(count))
    questions = []
    for template in pairs:
        is_woman = bool(rng.getrandbits(1))
        name = rng.choice(w.WOMEN if is_woman else w.MEN)
        questions.append((template.format(n=name), " she" if is_woman else " he"))
    logits = subject.read_next([text for text, _ in questions])
    is_woman = torch.tensor([answer == " she" for _, answer in questions])
    chosen = logits[:, subject.token(" she")] > logits[:, subject.token(" he")]
    return [
        Score("pronouns in new templates: he or she", float((chosen == is_woman).float().mean()),
              count, 0.9, is_goal=True),
        Score("pronouns: right one is top-1", subject.share_right(questions), count),
    ]  # fmt: skip


def measure_sizes(subject: Subject, rng: Random, count: int) -> list[Score]:
    """ "Too big" and "too small", with things and containers training never named."""
    questions: dict[str, list] = {" big": [], " small": []}
    for number in range(count):
        template, answer = held_out.SIZES[number % len(held_out.SIZES)]
        item, container = rng.choice(held_out.SIZE_THINGS), rng.choice(held_out.SIZE_CONTAINERS)
        questions[answer].append((template.format(i=item, c=container), answer))
    return [Score(f"too{answer}", subject.share_right(asked), len(asked))
            for answer, asked in questions.items()]  # fmt: skip


MEASURES = (
    measure_indirect,
    measure_blind_indirect,
    measure_repeated_words,
    measure_facts,
    measure_agreement,
    measure_years,
    measure_successors,
    measure_name_lists,
    measure_pronouns,
    measure_sizes,
)


def measure_behaviour(subject: Subject, *, count: int = 600, seed: int = 7) -> list[Score]:
    """All scores, with ``count`` questions each (fewer or more where the kind says so)."""
    return [score for measure in MEASURES for score in measure(subject, Random(seed), count)]


def answer_exactly(subject: Subject) -> list[dict]:
    """The sentences named in the project's aims, with the five likeliest next tokens."""
    answers = []
    for text, wanted in held_out.EXACT.items():
        chances = subject.read_next([text])[0].softmax(-1).topk(5)
        top = [
            {"token": subject.tokenizer.decode([token]), "probability": round(chance, 4)}
            for token, chance in zip(chances.indices.tolist(), chances.values.tolist(), strict=True)
        ]
        answers.append({"prompt": text, "wanted": wanted, "top": top,
                        "is_right": top[0]["token"] == wanted})  # fmt: skip
    return answers


@torch.inference_mode()
def write_samples(subject: Subject, *, seed: int = 3) -> list[str]:
    """Prose drawn from the model at temperature 0.7, to show how it reads."""
    starts = ["One day,", "Lucy had a", "The old king"]
    samples = []
    for number, start in enumerate(starts):
        torch.manual_seed(seed + number)
        ids = torch.tensor([subject.encode(start)])
        out = subject.model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=70, do_sample=True,
            temperature=0.7, top_k=0, pad_token_id=0,
        )  # fmt: skip
        samples.append(subject.tokenizer.decode(out[0], skip_special_tokens=True))
    return samples
