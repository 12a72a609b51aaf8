"""Families of prompt pairs, written from templates for the tokenizer at hand.

Only words that are single tokens in it are used, with their leading space, and only pairs whose
prompts have the same number of tokens are kept. The behaviours and their counterfactuals are those
of the literature: indirect object (Wang et al. 2022), induction (Olsson et al. 2022), greater than
(Hanna et al. 2023), agreement (Linzen et al. 2016), successor (Gould et al. 2023) and facts (Meng
et al. 2022).
"""

from collections.abc import Callable
from functools import cached_property
from random import Random

from attention_viz.models.training import words as w
from attention_viz.models.training.landmarks import LANDMARKS
from attention_viz.models.vocabulary import Vocabulary
from attention_viz.records.circuits.pairs import MOST_PAIRS, Pair
from attention_viz.records.errors import BadInput
from attention_viz.records.tokens import Token

KINDS = {"names": w.NAMES, "places": w.PLACES, "things": w.THINGS, "events": w.EVENTS}
# Each as long as the others where every word is one token.
INDIRECT_OBJECT = """\
When {a} and {b} went to the {place}, {giver} gave {thing} to
After {a} and {b} met at the {place}, {giver} handed {thing} to
While {a} and {b} walked to the {place}, {giver} showed {thing} to
Once {a} and {b} came to the {place}, {giver} sold {thing} to
Then {a} and {b} sat in the {place}. {giver} offered {thing} to
As {a} and {b} stood near the {place}, {giver} brought {thing} to""".splitlines()
AGREEMENT = "The {subject} {where} the {other}"
PREPOSITIONS = "near behind beside by with from under above".split()
VERBS = [("is", "are"), ("was", "were")]
GREATER_THAN = "The {event} lasted from the year {century}{year} to the year {century}"
CENTURIES = range(11, 20)
SEQUENCES = {  # what they are called, the items, whether they go round
    "days": (w.DAYS, True),
    "months": (w.MONTHS, True),
    "numbers": (w.NUMBER_WORDS, False),
    "counts": ([str(number) for number in range(1, 100)], False),
}
SUCCESSOR = "The {kind} are {0}, {1}, {2},"
FACTS = {
    "city": [
        "{landmark} is in the city of",
        "{landmark} stands in the city of",
        "{landmark} lies in the city of",
    ],
    "country": ["{landmark} is in the country of", "{landmark} stands in the country of"],
}

_LEAST = 4  # words of a kind, for a family worth the name
_DRAWS = (1000, 20)  # at most, plus so many per pair asked for


def make_family(vocabulary: Vocabulary, name: str, count: int, seed: int = 0) -> tuple[Pair, ...]:
    """`count` different pairs of a family, the same for the same seed.

    All have the same number of tokens where as many can be found. Raises BadInput for an unknown
    family, a count out of range, a tokenizer in which too few words are single tokens, and where
    fewer pairs are found.
    """
    if name not in WRITERS:
        raise BadInput(f"There is no family {name!r}.", f"The families are: {', '.join(WRITERS)}.")
    if not 1 <= count <= MOST_PAIRS:
        raise BadInput(
            f"{count} pairs were asked for.", f"A family has between 1 and {MOST_PAIRS} pairs."
        )
    words = Words(vocabulary, name)
    rng = Random(f"{name}, {seed}")
    by_length: dict[int, dict[Pair, None]] = {}
    for _ in range(_DRAWS[0] + _DRAWS[1] * count):
        pair = WRITERS[name](words, rng)
        length = None if pair is None else _aligned_length(vocabulary, pair)
        if length is not None:
            same = by_length.setdefault(length, {})
            same[pair] = None
            if len(same) == count:
                return tuple(same)
    return _mixed(by_length, name, count)


def _mixed(by_length: dict[int, dict[Pair, None]], name: str, count: int) -> tuple[Pair, ...]:
    """Pairs of several lengths, the most frequent length first."""
    most_first = sorted(by_length.values(), key=len, reverse=True)
    pairs = tuple(pair for same in most_first for pair in same)
    if len(pairs) < count:
        remedy = f"Ask for at most {len(pairs)}." if pairs else "Choose another family."
        raise BadInput(
            f"Only {len(pairs)} pairs of {name} were found for this model's tokenizer.", remedy
        )
    return pairs[:count]


def _aligned_length(vocabulary: Vocabulary, pair: Pair) -> int | None:
    """Tokens of both prompts; None where they differ in number."""
    clean, other = (vocabulary.tokenize(text) for text in (pair.clean, pair.counterfactual))
    return len(clean) if len(clean) == len(other) else None


class Words:
    """The words that are single tokens of one tokenizer, for one family."""

    def __init__(self, vocabulary: Vocabulary, family: str):
        self.vocabulary = vocabulary
        self._family = family
        self._kinds: dict[str, list[str]] = {}
        self._years: dict[int, dict[str, str]] = {}

    def single(self, kind: str) -> list[str]:
        """The words of a kind from KINDS."""
        if kind not in self._kinds:
            found = [word for word in KINDS[kind] if self._is_one(word)]
            self._kinds[kind] = self._need(found, kind)
        return self._kinds[kind]

    @cached_property
    def nouns(self) -> list[tuple[str, str]]:
        """Singular and plural, both single tokens."""
        both = [(noun, w.pluralize(noun)) for noun in w.NOUNS]
        both = [(one, many) for one, many in both if one != many]
        return self._need([pair for pair in both if all(map(self._is_one, pair))], "nouns")

    @cached_property
    def verbs(self) -> list[tuple[str, str]]:
        return self._need([pair for pair in VERBS if all(map(self._is_one, pair))], "verbs", 1)

    @cached_property
    def runs(self) -> dict[str, list[tuple[str, ...]]]:
        """Four successive items each, by what they are called."""
        found = {}
        for kind, (items, goes_round) in SEQUENCES.items():
            starts = range(len(items) if goes_round else len(items) - 3)
            around = [*items, *items[:3]]
            runs = [tuple(around[start : start + 4]) for start in starts]
            runs = [run for run in runs if all(map(self._is_one, run))]
            if len(runs) >= _LEAST:
                found[kind] = runs
        self._need(list(found), "days, months or numbers", 1)
        return found

    @cached_property
    def landmarks(self) -> dict[str, list[tuple[str, str]]]:
        """Landmarks and their city, or country, where it is a single token.

        Those that name it are left out: that would be copying.
        """
        found = {"city": [], "country": []}
        for landmark, *places in LANDMARKS:
            for kind, place in zip(found, places, strict=True):
                if place not in landmark and self._is_one(place):
                    found[kind].append((landmark, place))
        return {kind: self._need(places, f"{kind} names") for kind, places in found.items()}

    @cached_property
    def tokens(self) -> list[Token]:
        """Any tokens that are whole words."""
        return self._need(plain_words(self.vocabulary), "words", 20)

    def years(self, century: int) -> dict[str, str]:
        """What follows the century as one token, by year ("41": "41"; "4" where digits are split).

        Years that the tokenizer splits elsewhere are left out (as Hanna et al. do).
        """
        if century not in self._years:
            pieces = {}
            for year in (f"{number:02d}" for number in range(1, 100)):
                piece = self._piece_after(f"the year {century}", year)
                # All of one length, "01" first, so that they compare as numbers do.
                if piece and len(piece) == len(pieces.get("01", piece)):
                    pieces[year] = piece
            self._years[century] = pieces if "01" in pieces else {}
        return self._years[century]

    def _piece_after(self, start: str, rest: str) -> str:
        """The token that follows a text and begins the rest; "" where the text is split anew."""
        before = self.vocabulary.tokenize(start).items
        items = self.vocabulary.tokenize(start + rest).items
        if items[: len(before)] != before:
            return ""
        token = items[len(before)]
        # A byte of the same text may be in the vocabulary too.
        is_known = rest.startswith(token.text) and self.vocabulary.find(token.text) == token.id
        return token.text if is_known else ""

    def _is_one(self, word: str) -> bool:
        try:
            self.vocabulary.find(f" {word}")
        except BadInput:
            return False
        return True

    def _need(self, found: list, what: str, least: int = _LEAST) -> list:
        if len(found) < least:
            raise BadInput(
                f"The family {self._family} can't be made for this model: {len(found)} of its "
                f"{what} are single tokens in its tokenizer, {least} are needed.",
                "Choose another family, such as induction, or give pairs of your own.",
            )
        return found


def plain_words(vocabulary: Vocabulary) -> list[Token]:
    """Tokens that are whole words: those that start with a space, where the tokenizer has any."""
    tokens = [vocabulary.token(id) for id in range(vocabulary.size)]
    words = [token for token in tokens if len(bare := token.text.strip(" ")) > 1 and bare.isalnum()]
    return [token for token in words if token.text.startswith(" ")] or words


# Writers: one pair, or None where the draw came to nothing.


def _write_abba(words: Words, rng: Random) -> Pair:
    receiver, giver = rng.sample(words.single("names"), 2)
    return _write_gift(words, rng, (receiver, giver), receiver, giver)


def _write_baba(words: Words, rng: Random) -> Pair:
    receiver, giver = rng.sample(words.single("names"), 2)
    return _write_gift(words, rng, (giver, receiver), receiver, giver)


def _write_gift(
    words: Words, rng: Random, order: tuple[str, str], receiver: str, giver: str
) -> Pair:
    template = rng.choice(INDIRECT_OBJECT)
    a, b = order
    given = {
        "place": rng.choice(words.single("places")),
        "thing": w.add_article(rng.choice(words.single("things"))),
    }
    return Pair(
        template.format(a=a, b=b, giver=giver, **given),
        template.format(a=a, b=b, giver=receiver, **given),
        f" {receiver}",
        f" {giver}",
    )


def _write_induction(words: Words, rng: Random) -> Pair | None:
    """… A B … D E … A → B; with A and D swapped in the first part, what followed A is E.

    The swap leaves B and E where they are, so that the circuit has to hold the previous-token
    heads too.
    """
    first, follower, second, other, *rest = rng.sample(words.tokens, 10)

    def write(one: Token, two: Token) -> str:
        return _join([*rest[:2], one, follower, *rest[2:4], two, other, *rest[4:], first])

    pair = Pair(write(first, second), write(second, first), follower.text, other.text)
    return pair if _is_copied(words.vocabulary, pair) else None


def _join(tokens: list[Token]) -> str:
    between = "" if tokens[0].text.startswith(" ") else " "
    return between.join(token.text for token in tokens)


def _is_copied(vocabulary: Vocabulary, pair: Pair) -> bool:
    """Whether the last token came before, followed by the answer, in the text as it is read."""
    ids = [token.id for token in vocabulary.tokenize(pair.clean).items]
    return ids[ids.index(ids[-1]) + 1 :][:1] == [vocabulary.find(pair.answer)]


def _write_greater_than(words: Words, rng: Random) -> Pair | None:
    century = rng.choice(CENTURIES)
    event = rng.choice(words.single("events"))
    pieces = words.years(century)
    if not pieces:
        return None
    year = rng.choice(list(pieces))
    possible = sorted(set(pieces.values()))
    later = [piece for piece in possible if piece > pieces[year]]
    # Later than 01 as well, so that the counterfactual has no opinion on either.
    earlier = [piece for piece in possible if pieces["01"] < piece < pieces[year]]
    if not later or not earlier:
        return None

    def write(year: str) -> str:
        return GREATER_THAN.format(event=event, century=century, year=year)

    return Pair(write(year), write("01"), rng.choice(later), rng.choice(earlier))


def _write_agreement(words: Words, rng: Random) -> Pair:
    subject, other = rng.sample(words.nouns, 2)
    is_plural = rng.random() < 0.5
    verb = rng.choice(words.verbs)
    where = rng.choice(PREPOSITIONS)

    def write(noun: str) -> str:
        return AGREEMENT.format(subject=noun, where=where, other=other[not is_plural])

    clean, counterfactual = write(subject[is_plural]), write(subject[not is_plural])
    return Pair(clean, counterfactual, f" {verb[is_plural]}", f" {verb[not is_plural]}")


def _write_successor(words: Words, rng: Random) -> Pair:
    kind = rng.choice(list(words.runs))
    run, other = rng.sample(words.runs[kind], 2)
    label = "numbers" if kind == "counts" else kind
    clean, counterfactual = (SUCCESSOR.format(*items, kind=label) for items in (run, other))
    return Pair(clean, counterfactual, f" {run[-1]}", f" {other[-1]}")


def _write_fact(words: Words, rng: Random) -> Pair | None:
    kind = rng.choice(list(FACTS))
    template = rng.choice(FACTS[kind])
    (landmark, place), (other, elsewhere) = rng.sample(words.landmarks[kind], 2)
    if place == elsewhere:
        return None
    clean, counterfactual = (
        template.format(landmark=name[0].upper() + name[1:]) for name in (landmark, other)
    )
    return Pair(clean, counterfactual, f" {place}", f" {elsewhere}")


WRITERS: dict[str, Callable[[Words, Random], Pair | None]] = {
    "indirect object ABBA": _write_abba,
    "indirect object BABA": _write_baba,
    "induction": _write_induction,
    "greater than": _write_greater_than,
    "agreement": _write_agreement,
    "successor": _write_successor,
    "facts": _write_fact,
}
