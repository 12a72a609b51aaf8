"""Between text and tokens: what the model reads, and single tokens by their text."""

import re
from functools import cached_property

from attention_viz.records.errors import BadInput
from attention_viz.records.question import PromptTokens, Question
from attention_viz.records.tokens import Token, Tokens, show

BOS_TEXT = "⟨bos⟩"
_BYTE = re.compile(r"<0x[0-9A-Fa-f]{2}>")


class Vocabulary:
    """A tokenizer, with the model's limits and its habit of prepending beginning of text."""

    def __init__(self, tokenizer, *, size: int, context: int, prepends_bos: bool):
        self._tokenizer = tokenizer
        self.size = min(size, len(tokenizer))  # rows beyond the tokenizer are padding
        self.context = context
        bos = tokenizer.bos_token_id
        self.bos_id: int | None = tokenizer.eos_token_id if bos is None else bos
        self.prepends_bos = prepends_bos and self.bos_id is not None

    def read(self, question: Question) -> PromptTokens:
        """How the model reads the question.

        Raises BadInput: empty prompt, prompt over the context, position out of range,
        counterfactual of another length, an answer or distractor outside the vocabulary.
        """
        tokens = self.tokenize(question.prompt, question.bos)
        counterfactual = None
        if question.counterfactual is not None:
            counterfactual = self.tokenize(question.counterfactual, question.bos, "counterfactual")
            self._need_same_length(tokens, counterfactual)
        for name in ("answer", "distractor"):
            if getattr(question, name) is not None:
                self.need_id(getattr(question, name), name)
        position = _resolve_position(question.position, len(tokens))
        return PromptTokens(question, tokens, position, counterfactual)

    def tokenize(self, text: str, bos: bool | None = None, name: str = "prompt") -> Tokens:
        """The tokens of a text. Raises BadInput where it is empty or longer than the context."""
        if not text.strip():
            raise BadInput(f"The {name} is empty.", "Type a sentence to be continued.")
        ids = self._tokenizer.encode(text, add_special_tokens=False)
        wants_bos = self.prepends_bos if bos is None else bos
        if wants_bos and self.bos_id is None:
            raise BadInput("This model has no beginning-of-text token.", "Leave out --bos.")
        if wants_bos and (not ids or ids[0] != self.bos_id):
            ids = [self.bos_id, *ids]
        if len(ids) > self.context:
            raise BadInput(
                f"The {name} is {len(ids)} tokens long; this model reads at most {self.context}.",
                "Shorten it.",
            )
        items = [self.token(id) for id in ids]
        has_bos = bool(ids) and ids[0] == self.bos_id
        if has_bos:
            items[0] = Token(ids[0], BOS_TEXT)
        return Tokens(tuple(items), has_bos)

    def token(self, id: int) -> Token:
        """The token of that id; ids beyond the tokenizer (padding rows) are named by number."""
        return Token(id, self._texts[id] if 0 <= id < len(self._texts) else f"⟨{id}⟩")

    def find(self, text: str) -> int:
        """The id of the one token that reads exactly like this; "␣John" is " John".

        Raises BadInput where the text is no token or several.
        """
        plain = text.replace("␣", " ")
        if plain in self._ids:
            return self._ids[plain]
        ids = self._tokenizer.encode(plain, add_special_tokens=False) if plain else []
        if not ids:
            raise BadInput("An empty text is not a token.", "Name one token, like ' John'.")
        pieces = " + ".join(f"'{self.token(id).shown}'" for id in ids[:8])
        raise BadInput(
            f"'{show(plain)}' is {len(ids)} tokens for this model: {pieces}.",
            "Name a single token (most words start with a space, ' John').",
        )

    def matching(self, text: str, limit: int = 50) -> list[Token]:
        """Tokens that read like the text, best first: itself, with a space, beginning, within."""
        plain = text.replace("␣", " ")
        wanted = plain.strip().lower()
        if not wanted:
            return [self.token(id) for id in range(min(limit, self.size))]

        def order(id: int) -> tuple:
            own = self._texts[id]
            bare = own.strip().lower()
            return (own != plain, own != f" {plain}", bare != wanted, not bare.startswith(wanted))

        hits = [id for id, own in enumerate(self._texts) if wanted in own.lower()]
        best = sorted(hits, key=lambda id: (*order(id), len(self._texts[id]), id))
        return [self.token(id) for id in best[:limit]]

    def need_id(self, id: int, name: str) -> None:
        """Raises BadInput where a token id is outside the vocabulary."""
        if not 0 <= id < self.size:
            raise BadInput(
                f"The {name} has token id {id}; this model has ids 0 to {self.size - 1}.",
                "Choose the token again.",
            )

    def _need_same_length(self, tokens: Tokens, counterfactual: Tokens) -> None:
        if len(tokens) != len(counterfactual):
            raise BadInput(
                f"The counterfactual has {len(counterfactual)} tokens, the prompt {len(tokens)}.",
                "Change words so that both have the same number of tokens, or leave it empty.",
            )

    @cached_property
    def _texts(self) -> list[str]:
        """Text of every id. Pieces that are not whole characters are shown as ⟨piece⟩."""
        texts = self._tokenizer.batch_decode(
            [[id] for id in range(self.size)], clean_up_tokenization_spaces=False
        )
        return [_readable(text, piece) for text, piece in zip(texts, self._pieces, strict=True)]

    @cached_property
    def _pieces(self) -> list[str | None]:
        """What the tokenizer itself calls every id."""
        return self._tokenizer.convert_ids_to_tokens(list(range(self.size)))

    @cached_property
    def _ids(self) -> dict[str, int]:
        ids: dict[str, int] = {}
        # A raw byte ("<0x34>") reads like the character ("4"), but is never how text is tokenized.
        is_byte = [bool(_BYTE.fullmatch(piece or "")) for piece in self._pieces]
        for id in sorted(range(self.size), key=lambda id: (is_byte[id], id)):
            ids.setdefault(self._texts[id], id)
        return ids


def _readable(text: str, piece: str | None) -> str:
    if piece and piece.startswith("▁") and not text.startswith(" "):
        return " " + text  # SentencePiece drops the space when one piece is decoded alone
    return f"⟨{piece}⟩" if "�" in text or not text else text


def _resolve_position(position: int, length: int) -> int:
    if not -length <= position < length:
        raise BadInput(
            f"Position {position} is out of range: the prompt has {length} tokens.",
            f"Choose 0 to {length - 1}, or {-length} to -1 counting from the end.",
        )
    return position % length
