"""Prompts as chat models are used to them: wrapped in the tokenizer's own chat template.

A template is text that comes with the model. transformers renders it in Jinja's immutable sandbox,
where it reaches the messages and nothing else. What a person typed stays text: "<|im_end|>" in a
prompt is not the token that ends a message.
"""

from functools import cached_property

from tokenizers import Tokenizer

from attention_viz.records.errors import BadInput

_STANDS_FOR_TEXT = "\ue000the prompt\ue001"  # private characters: in no template
_HARMLESS = "a word"


class Chat:
    """One tokenizer's chat template."""

    def __init__(self, tokenizer):
        self._tokenizer = tokenizer

    @classmethod
    def of(cls, tokenizer) -> "Chat | None":
        """None for a tokenizer without one template."""
        return cls(tokenizer) if isinstance(tokenizer.chat_template, str) else None

    def encode(self, text: str) -> list[int]:
        """Ids of the text as a message of the user, up to where the assistant's answer begins.

        Raises BadInput for a template that can't be rendered or changes the text, and for a text
        with special tokens where this tokenizer can't read them as text.
        """
        before, own, after = self._around(text)
        whole = self._encode(before + own + after)
        if self._specials_in(whole) == self._specials_in(self._encode(self._frame)):
            return whole
        if self._apart(*self._around(_HARMLESS)) != self._encode(self._render(_HARMLESS)):
            raise BadInput(
                "The prompt has special tokens of the model, which would change the chat.",
                "Leave them out, or ask without the chat template.",
            )
        return self._apart(before, own, after)

    def _around(self, text: str) -> tuple[str, str, str]:
        """What the template writes before the text, the text as it writes it, and what follows."""
        before, found, after = self._frame.partition(_STANDS_FOR_TEXT)
        rendered = self._render(text)
        own = rendered[len(before) : len(rendered) - len(after)]
        is_framed = rendered == before + own + after and own in (text, text.strip())
        if not found or _STANDS_FOR_TEXT in after or not is_framed:
            raise BadInput(
                "The model's chat template does not take a prompt as it is.",
                "Ask without the chat template.",
            )
        return before, own, after

    @cached_property
    def _frame(self) -> str:
        return self._render(_STANDS_FOR_TEXT)

    def _render(self, text: str) -> str:
        messages = [{"role": "user", "content": text}]
        try:
            return self._tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=True
            )
        except Exception as error:  # the template's own code, or what it may not do
            raise BadInput(
                f"The model's chat template can't be used ({type(error).__name__}: {error}).",
                "Ask without the chat template.",
            ) from error

    def _encode(self, text: str) -> list[int]:
        return self._tokenizer.encode(text, add_special_tokens=False)

    def _apart(self, before: str, own: str, after: str) -> list[int]:
        """As `_encode` of all three, but special tokens are read in `before` and `after` only."""
        head = max((end for _, end in self._special_spans(before)), default=0)
        tail = min((start for start, _ in self._special_spans(after)), default=len(after))
        return [
            *self._encode(before[:head]),
            *self._plain.encode(before[head:] + own + after[:tail], add_special_tokens=False).ids,
            *self._encode(after[tail:]),
        ]

    def _special_spans(self, text: str) -> list[tuple[int, int]]:
        encoded = self._tokenizer.backend_tokenizer.encode(text, add_special_tokens=False)
        both = zip(encoded.ids, encoded.offsets, strict=True)
        return [span for id, span in both if id in self._specials]

    def _specials_in(self, ids: list[int]) -> list[int]:
        return [id for id in ids if id in self._specials]

    @cached_property
    def _specials(self) -> frozenset[int]:
        added = self._tokenizer.added_tokens_decoder.items()
        return frozenset(id for id, token in added if token.special)

    @cached_property
    def _plain(self) -> Tokenizer:
        """The same tokenizer, to which special tokens are text as any other."""
        plain = Tokenizer.from_str(self._tokenizer.backend_tokenizer.to_str())
        plain.encode_special_tokens = True
        return plain
