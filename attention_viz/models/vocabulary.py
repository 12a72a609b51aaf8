"""Between text and tokens: what the model reads, and single tokens by their text."""

import re
from functools import cached_property

from attention_viz.models.chat import Chat
from attention_viz.models.pieces import bytes_of, is_byte, readable
from attention_viz.records.errors import BadInput
from attention_viz.records.question import PromptTokens, Question
from attention_viz.records.tokens import Token, Tokens, read_together, show, unshow

BOS_TEXT = "⟨bos⟩"
# As `Tokens` shows a token that ends within a character
_COUNTED = re.compile(r"(.*?)(◌?)(.)\u200e? ([1-4])(?:-([1-4]))?/([2-4])", re.DOTALL)


class Vocabulary:
    """A tokenizer, with the model's limits and its habit of prepending beginning of text.

    `size`: rows of the model's embedding. Rows beyond the tokenizer's last token are padding; they
    count as tokens only where `keeps_padding`. Ids before it that the tokenizer leaves out are
    rows like any other, named by number.
    """

    def __init__(
        self,
        tokenizer,
        *,
        size: int,
        context: int,
        prepends_bos: bool,
        keeps_padding: bool = False,
    ):
        self._tokenizer = tokenizer
        self._rows = size
        self._known = sorted(set(tokenizer.get_vocab().values()))
        self._end = min(size, max(self._known, default=-1) + 1)  # of the ids that have a token
        self._keeps_padding = keeps_padding
        self.size = size if keeps_padding else self._end
        self.context = context
        self.chat = Chat.of(tokenizer)
        bos = tokenizer.bos_token_id
        self.bos_id: int | None = bos if bos is not None and bos < size else None
        self.prepends_bos = prepends_bos and self.bos_id is not None

    @property
    def notes(self) -> tuple[str, ...]:
        """What is particular about it, for people to know."""
        padding, known = self._rows - self._end, len(self._known)
        within = sum(id < self._end for id in self._known)
        fate = "counted in" if self._keeps_padding else "left out of"
        other = "drop leaves them out" if self._keeps_padding else "keep counts them"
        told = {
            f"{padding} rows of the unembedding have no token and are {fate} the softmax "
            f"(--padding {other})": padding,
            f"{self._end - within} ids have no token and are named by number": self._end - within,
            f"{known - within} tokens have no row in the embedding and can't be read": known
            - within,
            "no beginning-of-text token": self.bos_id is None,
        }
        return tuple(note for note, applies in told.items() if applies)

    def read(self, question: Question) -> PromptTokens:
        """How the model reads the question.

        Raises BadInput: empty prompt, prompt over the context, position out of range,
        counterfactual of another length, an answer or distractor outside the vocabulary.
        """
        tokens = self.tokenize(question.prompt, question.bos, chat=question.chat)
        counterfactual = None
        if question.counterfactual is not None:
            counterfactual = self.tokenize(
                question.counterfactual, question.bos, "counterfactual", chat=question.chat
            )
            self._need_same_length(tokens, counterfactual)
        for name in ("answer", "distractor"):
            if getattr(question, name) is not None:
                self.need_id(getattr(question, name), name)
        position = _resolve_position(question.position, len(tokens))
        return PromptTokens(question, tokens, position, counterfactual)

    def tokenize(
        self, text: str, bos: bool | None = None, name: str = "prompt", *, chat: bool = False
    ) -> Tokens:
        """The tokens of a text, or of the chat it opens: then the template says how that begins.

        Raises BadInput where it is empty or longer than the context, where it has a token the
        model has no row for, where beginning of text or a chat template is asked for and there is
        none.
        """
        ids = self._encode(text)
        if not ids:
            how = "is empty" if not text else "has nothing that this tokenizer reads"
            raise BadInput(f"The {name} {how}.", "Type a sentence to be continued.")
        if chat:
            ids = self._encode_chat(text)
        wants_bos = (self.prepends_bos and not chat) if bos is None else bos
        if wants_bos and self.bos_id is None:
            raise BadInput(
                "This model's tokenizer has no beginning-of-text token.", "Ask without (--no-bos)."
            )
        if wants_bos and ids[0] != self.bos_id:
            ids = [self.bos_id, *ids]
        if len(ids) > self.context:
            raise BadInput(
                f"The {name} is {len(ids)} tokens long; this model reads at most {self.context}.",
                "Shorten it.",
            )
        items = [self.token(id) for id in ids]
        has_bos = ids[0] == self.bos_id
        if has_bos and not chat:
            items[0] = Token(ids[0], BOS_TEXT)
        return Tokens(read_together(items), has_bos)

    def token(self, id: int) -> Token:
        """The token of that id; ids that have none (padding rows, gaps) are named by number."""
        if not 0 <= id < len(self._texts):
            return Token(id, f"⟨{id}⟩")
        return Token(id, self._texts[id], self._raws.get(id))

    def find(self, text: str) -> int:
        """The id of the one token that reads exactly like this; "␣John" is " John".

        A token with part of a character is found by its bytes, "⟨E6⟩", or as a prompt shows it,
        "日 1/3". Raises BadInput where the text is no token or several.
        """
        plain = text.replace("␣", " ")
        known = self._id_of(plain)
        if known is not None:
            return known
        ids = self._encode(plain) if plain else []
        if not ids:
            raise BadInput("An empty text is not a token.", "Name one token, like ' John'.")
        tokens = read_together(map(self.token, ids))
        pieces = " + ".join(f"'{token.shown}'" for token in tokens[:8])
        part = next((token for token in tokens if token.raw is not None), None)
        by_bytes = "" if part is None else f", or by its bytes, '{part.alone}'"
        raise BadInput(
            f"'{show(plain)}' is {len(ids)} tokens for this model: {pieces}.",
            f"Name a single token (most words start with a space, ' John'{by_bytes}).",
        )

    def matching(self, text: str, limit: int = 50) -> list[Token]:
        """Tokens that read like the text, best first: itself, with a space, beginning, within."""
        plain = text.replace("␣", " ")
        wanted, known = plain.strip().lower(), self._id_of(plain)

        def order(id: int) -> tuple:
            own = self._reads[id]
            bare = own.strip().lower()
            return (own != plain, own != f" {plain}", bare != wanted, not bare.startswith(wanted))

        if wanted:
            hits = [id for id, own in enumerate(self._reads) if wanted in own.lower()]
            best = sorted(hits, key=lambda id: (*order(id), len(self._reads[id]), id))
        else:
            best = list(range(min(limit, self.size)))
        if known is not None:
            best = list(dict.fromkeys([known, *best]))
        return [self.token(id) for id in best[:limit]]

    def _id_of(self, plain: str) -> int | None:
        """The id of what is a token's text, its bytes, or its part of a character, as shown."""
        if plain in self._ids:
            return self._ids[plain]
        counted = _COUNTED.fullmatch(plain)
        if counted is None:
            return None
        before, _, character, first, last, of = counted.groups()
        data = character.encode(errors="replace")
        part = data[int(first) - 1 : int(last or first)]
        return (
            self._ids_of_raw.get(before.encode(errors="replace") + part)
            if len(data) == int(of)
            else None
        )

    def _encode(self, text: str) -> list[int]:
        """Raises BadInput for half a surrogate pair, which no tokenizer reads, and for tokens
        that were added to the tokenizer without a row in the model.
        """
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise BadInput(
                f"'{show(text[error.start])}' is half a character.", "Remove it."
            ) from error
        return self._need_rows(self._tokenizer.encode(text, add_special_tokens=False))

    def _need_rows(self, ids: list[int]) -> list[int]:
        for id in ids:
            if id >= self._rows:
                piece = self._tokenizer.convert_ids_to_tokens(id)
                raise BadInput(
                    f"'{show(str(piece))}' has token id {id}; this model's embedding has "
                    f"{self._rows} rows.",
                    "Leave it out.",
                )
        return ids

    def _encode_chat(self, text: str) -> list[int]:
        if self.chat is None:
            raise BadInput("This model has no chat template.", "Ask without one.")
        return self._need_rows(self.chat.encode(text))

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
        """Text of every id; of pieces that are not whole characters ⟨piece⟩, of no piece ⟨id⟩."""
        both = enumerate(zip(self._decoded, self._pieces, strict=True))
        return [f"⟨{id}⟩" if piece is None else readable(text, piece) for id, (text, piece) in both]

    @cached_property
    def _decoded(self) -> list[str]:
        known = [id for id in self._known if id < self._end]
        texts = self._tokenizer.batch_decode(
            [[id] for id in known], clean_up_tokenization_spaces=False
        )
        decoded = [""] * self.size
        for id, text in zip(known, texts, strict=True):
            decoded[id] = text
        return decoded

    @cached_property
    def _pieces(self) -> list[str | None]:
        """What the tokenizer itself calls every id."""
        known = [id for id in self._known if id < self._end]
        pieces: list[str | None] = [None] * self.size
        for id, piece in zip(known, self._tokenizer.convert_ids_to_tokens(known), strict=True):
            pieces[id] = piece
        return pieces

    @cached_property
    def _raws(self) -> dict[int, bytes]:
        """Bytes of the ids whose text is their piece, as they are not whole characters."""
        decoded, pieces = self._decoded, self._pieces
        cut = (id for id, text in enumerate(decoded) if "�" in text and pieces[id])
        raws = ((id, bytes_of(decoded[id], pieces[id])) for id in cut)
        return {id: raw for id, raw in raws if raw}

    @cached_property
    def _ids_of_raw(self) -> dict[bytes, int]:
        return {raw: id for id, raw in reversed(self._raws.items())}

    @cached_property
    def _reads(self) -> list[str]:
        """What every id is found by: its text, with bytes of characters as they are shown."""
        reads = list(self._texts)
        for id in self._raws:
            reads[id] = unshow(self.token(id).alone)
        return reads

    @cached_property
    def _ids(self) -> dict[str, int]:
        ids: dict[str, int] = {}
        # A raw byte ("<0x34>") reads like the character ("4"), but is never how text is tokenized.
        for id in sorted(range(self.size), key=lambda id: (is_byte(self._pieces[id]), id)):
            ids.setdefault(self._reads[id], id)
        for id in self._raws:
            ids.setdefault(self._texts[id], id)
        return ids


def _resolve_position(position: int, length: int) -> int:
    if not -length <= position < length:
        raise BadInput(
            f"Position {position} is out of range: the prompt has {length} tokens.",
            f"Choose 0 to {length - 1}, or {-length} to -1 counting from the end.",
        )
    return position % length
