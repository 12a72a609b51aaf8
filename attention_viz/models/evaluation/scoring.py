"""Runs prompts through the model: beginning of text first, next-token logits out.

Prompts of any length go in one right-padded batch; causal attention keeps the padding from the
position that is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer

BATCH = 256


@dataclass(frozen=True)
class Score:
    """One measured number; ``needed`` is what the project asks for, ``goal`` if not a must."""

    name: str
    value: float
    count: int  # questions asked
    needed: float | None = None
    is_goal: bool = False

    @property
    def is_reached(self) -> bool | None:
        """Whether the number is enough; None where nothing was asked."""
        return None if self.needed is None else self.value >= self.needed


class Subject:
    """A model and its tokenizer, loaded from a folder without the network, in float32."""

    def __init__(self, folder: Path, *, bos: bool = True):
        self.model = AutoModelForCausalLM.from_pretrained(
            folder, local_files_only=True, attn_implementation="eager"
        ).eval()
        self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self.bos = bos
        # As many rows as keep what the widest layer holds small
        self.batch = BATCH if self.model.config.hidden_size < 512 else BATCH // 8

    def encode(self, text: str) -> list[int]:
        """Token ids, beginning of text first unless that is to be left out."""
        return [self.tokenizer.bos_token_id] * self.bos + self.pieces(text)

    def pieces(self, text: str) -> list[int]:
        """Token ids of the text alone."""
        return self.tokenizer.encode(text, add_special_tokens=False)

    def token(self, text: str) -> int:
        """The first token of the text."""
        return self.pieces(text)[0]

    def is_one(self, text: str) -> bool:
        """Whether the text is a single token."""
        return len(self.pieces(text)) == 1

    @torch.inference_mode()
    def read_next(self, texts: list[str]) -> Tensor:
        """[text, token] logits after each text."""
        return torch.cat([
            self._read_batch([self.encode(text) for text in texts[start : start + self.batch]])
            for start in range(0, len(texts), self.batch)
        ])  # fmt: skip

    def _read_batch(self, rows: list[list[int]]) -> Tensor:
        longest = max(map(len, rows))
        ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
        hidden = self.model.base_model(ids, use_cache=False).last_hidden_state
        last = hidden[torch.arange(len(rows)), torch.tensor([len(row) - 1 for row in rows])]
        return self.model.get_output_embeddings()(last)

    def share_right(self, questions: list[tuple[str, str]]) -> float:
        """The share of (text, answer) whose answer is the likeliest next token."""
        return float(self.are_right(questions).float().mean())

    def are_right(self, questions: list[tuple[str, str]]) -> Tensor:
        """[question] whether the answer's first token is the likeliest next one."""
        logits = self.read_next([text for text, _ in questions])
        answers = torch.tensor([self.token(answer) for _, answer in questions])
        return logits.argmax(-1) == answers
