"""Builds a counterfactual by changing words of the prompt, and checks how the model reads it.

Candidates are written as text, the likeliest first, and tokenized again: the first one that has as
many tokens as the prompt, and differs no later than where the next token is read, is taken.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from random import Random

from attention_viz.analysis.circuits.families import plain_words
from attention_viz.models.loading import LoadedModel
from attention_viz.models.training import words as w
from attention_viz.models.vocabulary import Vocabulary
from attention_viz.records.circuits.counterfactual import Counterfactual, CounterfactualRequest, Way
from attention_viz.records.errors import BadInput
from attention_viz.records.pace import Pace
from attention_viz.records.question import PromptTokens
from attention_viz.records.tokens import Tokens

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_SENTENCE_START = re.compile(r"(?:^|[.!?:;\n])[\s\"'“‘(]*$")
_FUNCTION_WORDS = frozenset(word.lower() for word in (*w.LITTLE, *w.CAPITALIZED))
_RANDOM_WORDS = 200  # tried at most

Edit = tuple[int, int, str]  # start, end, and what is to stand there


def build_counterfactual(
    model: LoadedModel, request: CounterfactualRequest, pace: Pace | None = None
) -> Counterfactual:
    """The prompt with one thing changed.

    Raises BadInput: a prompt that can't be asked (see Vocabulary.read), nothing of that kind in
    it, no change that keeps the number of tokens, a position out of range or without a word.
    """
    question = replace(request.question, counterfactual=None)
    if question.chat:
        return _build_in_chat(model, request)
    read = model.vocabulary.read(question)
    return _BUILDERS[request.way](_Prompt(model.vocabulary, request, read))


def _build_in_chat(model: LoadedModel, request: CounterfactualRequest) -> Counterfactual:
    """Built from the text alone, so that no word of the chat template is changed."""
    if request.position is not None:
        raise BadInput(
            "A position counts the chat template's tokens, which are not to be changed.",
            "Leave the position out, or write the counterfactual yourself.",
        )
    alone = replace(request.question, chat=False, position=-1, counterfactual=None)
    text = build_counterfactual(model, replace(request, question=alone)).text
    read = model.vocabulary.read(replace(request.question, counterfactual=text))
    both = zip(read.tokens.items, read.counterfactual.items, strict=True)
    differs = tuple(at for at, (one, other) in enumerate(both) if one.id != other.id)
    if differs[0] > read.position:
        raise BadInput(
            "The word that can be changed stands after the read-out.",
            "Choose a later read-out, or write the counterfactual yourself.",
        )
    change = _describe(read.tokens, read.counterfactual, differs)
    return Counterfactual(request, text, read.tokens, read.counterfactual, differs, change)


@dataclass(frozen=True)
class _Prompt:
    """The prompt as the model reads it, and what is to be done to it."""

    vocabulary: Vocabulary
    request: CounterfactualRequest
    read: PromptTokens

    @property
    def text(self) -> str:
        return self.request.question.prompt

    @property
    def tokens(self) -> Tokens:
        return self.read.tokens

    def first_aligned(
        self, candidates: Iterable[list[Edit]], only_at: int | None = None
    ) -> Counterfactual | None:
        """The first candidate that is a counterfactual; `only_at`: and differs there alone."""
        for edits in candidates:
            made = self._make(edits)
            if made is not None and (only_at is None or made.differs == (only_at,)):
                return made
        return None

    def random_words(self, word: str) -> Iterator[str]:
        """Words of the vocabulary that are not in the prompt: names for a name, numbers for one."""
        rng = Random(f"{self.request.seed}, {self.request.way.value}")
        texts = (token.text.strip() for token in plain_words(self.vocabulary))
        pool = [text for text in texts if text not in self.text]
        alike = [text for text in pool if _kind(text) == _kind(word)] or pool
        return iter(rng.sample(alike, min(_RANDOM_WORDS, len(alike))))

    def _make(self, edits: list[Edit]) -> Counterfactual | None:
        """None where the text has another length, or is the same up to the read-out."""
        text = _edit(self.text, edits)
        try:
            tokens = self.vocabulary.tokenize(text, self.request.question.bos)
        except BadInput:  # longer than the context
            return None
        if len(tokens) != len(self.tokens):
            return None
        both = zip(self.tokens.items, tokens.items, strict=True)
        differs = tuple(at for at, (one, other) in enumerate(both) if one.id != other.id)
        if not differs or differs[0] > self.read.position:
            return None
        change = _describe(self.tokens, tokens, differs)
        return Counterfactual(self.request, text, self.tokens, tokens, differs, change)


def _edit(text: str, edits: list[Edit]) -> str:
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _kind(word: str) -> tuple[bool, bool]:
    """Whether it has a capital, and whether it is a number."""
    return word[0].isupper(), word.isdigit()


def _describe(before: Tokens, after: Tokens, differs: tuple[int, ...]) -> str:
    changes = (f"{before.items[at].shown} at {at} became {after.items[at].shown}" for at in differs)
    return f"{', '.join(changes)}."


# Names


def _swap_names(prompt: _Prompt) -> Counterfactual:
    names = _find_names(prompt.text)
    if len(names) < 2:
        raise BadInput(
            f"The prompt has {len(names)} of the two names that are needed to swap.",
            "Names are words with a capital. Or choose another way to change the prompt.",
        )
    found = prompt.first_aligned(_name_edits(names))
    if found is None:
        raise BadInput(
            f"None of the names {', '.join(names)} can take the place of another: they differ in "
            "their number of tokens, or stand after the read-out.",
            "Use names that are single tokens for this model.",
        )
    return found


def _find_names(text: str) -> dict[str, list[re.Match]]:
    """Words with a capital by where they stand; those that only begin sentences come last."""
    names: dict[str, list[re.Match]] = {}
    for match in _WORD.finditer(text):
        if match[0][0].isupper() and match[0].lower() not in _FUNCTION_WORDS:
            names.setdefault(match[0], []).append(match)

    def only_begins(name: str) -> bool:
        return all(_SENTENCE_START.search(text[: match.start()]) for match in names[name])

    return {name: names[name] for name in sorted(names, key=only_begins)}


def _name_edits(names: dict[str, list[re.Match]]) -> Iterator[list[Edit]]:
    """A repeated name's last occurrence becomes another name; else two names change places."""
    repeated = [name for name, matches in names.items() if len(matches) > 1]
    for name in sorted(repeated, key=lambda name: -names[name][-1].start()):
        for other in names:
            if other != name:
                yield [(*names[name][-1].span(), other)]
    for one, other in combinations([name for name in names if name not in repeated], 2):
        yield [(*names[one][0].span(), other), (*names[other][0].span(), one)]


# Repeated words


def _swap_repeated(prompt: _Prompt) -> Counterfactual:
    words = [match for match in _WORD.finditer(prompt.text) if not _is_function(match[0])]
    count = Counter(match[0] for match in words)
    last = {match[0]: match for match in words if count[match[0]] > 1}
    if not last:
        raise BadInput(
            "No word of the prompt comes twice (words like 'the' don't count).",
            "Repeat one, or choose another way to change the prompt.",
        )
    found = prompt.first_aligned(
        [(*match.span(), other)]
        for match in sorted(last.values(), key=lambda match: -match.start())
        for other in _other_words(prompt, match, words)
    )
    if found is None:
        raise BadInput(
            f"No word with the same number of tokens was found to replace {', '.join(last)} before "
            "the read-out.",
            "Choose another way to change the prompt, or write the counterfactual yourself.",
        )
    return found


def _is_function(word: str) -> bool:
    return word.lower() in _FUNCTION_WORDS


def _other_words(prompt: _Prompt, word: re.Match, own: list[re.Match]) -> Iterator[str]:
    """The prompt's own words, those in a like place first; then random ones."""

    def place(match: re.Match) -> tuple[tuple[bool, bool], list[str]]:
        """Its kind, and the word before."""
        return _kind(match[0]), _WORD.findall(prompt.text[: match.start()])[-1:]

    def is_unlike(match: re.Match) -> list[bool]:
        return [one != other for one, other in zip(place(match), place(word), strict=True)]

    others = sorted((match for match in own if match[0] != word[0]), key=is_unlike)
    yield from dict.fromkeys(match[0] for match in others)
    yield from prompt.random_words(word[0])


# One token


def _replace_token(prompt: _Prompt) -> Counterfactual:
    position = _choose_position(prompt)
    token = prompt.tokens.items[position]
    span = _find_tokens(prompt.text, prompt.tokens).get(position)
    if span is None:
        raise BadInput(
            f"There is no word to replace at position {position} ('{token.shown}').",
            "Choose a position with a word.",
        )
    words = prompt.random_words(token.text.strip())
    found = prompt.first_aligned(([(*span, word)] for word in words), only_at=position)
    if found is None:
        raise BadInput(
            f"No token was found that can replace '{token.shown}' at position {position} alone.",
            f"Choose a position with a whole word, at most {prompt.read.position}, where the next "
            "token is read.",
        )
    return found


def _find_tokens(text: str, tokens: Tokens) -> dict[int, tuple[int, int]]:
    """Start and end of the tokens in the text, without blanks around; blank ones are left out."""
    spans, cursor = {}, 0
    for position, token in enumerate(tokens.items):
        bare = token.text.strip()
        start = text.find(bare, cursor) if bare else -1
        if start >= 0 and not (tokens.bos and position == 0):
            cursor = start + len(bare)
            spans[position] = (start, cursor)
    return spans


def _choose_position(prompt: _Prompt) -> int:
    """The position asked for; else the last repeated word's, else the last word's."""
    length, chosen = len(prompt.tokens), prompt.request.position
    if chosen is None:
        return _last_word(prompt.tokens, prompt.read.position)
    if not -length <= chosen < length:
        raise BadInput(
            f"Position {chosen} is out of range: the prompt has {length} tokens.",
            f"Choose 0 to {length - 1}, or {-length} to -1 counting from the end.",
        )
    return chosen % length


def _last_word(tokens: Tokens, read_out: int) -> int:
    texts = [text.strip() for text in tokens.texts[: read_out + 1]]
    words = [at for at, text in enumerate(texts) if text.isalnum() and not _is_function(text)]
    if not words:
        raise BadInput(
            "The prompt has no word before the read-out that could be replaced.",
            "Choose a position, or write the counterfactual yourself.",
        )
    count = Counter(texts[at] for at in words)
    return max((at for at in words if count[texts[at]] > 1), default=words[-1])


_BUILDERS: dict[Way, Callable[[_Prompt], Counterfactual]] = {
    Way.NAMES: _swap_names,
    Way.REPEATED: _swap_repeated,
    Way.RANDOM: _replace_token,
}
