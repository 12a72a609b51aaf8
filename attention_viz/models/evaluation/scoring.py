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

    def __init__(self, folder: Path):
        self.model = AutoModelForCausalLM.from_pretrained(
            folder, local_files_only=True, attn_implementation="eager"
        ).eval()
        self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)

    def encode(self, text: str) -> list[int]:
        """Token ids, beginning of text first."""
        return [self.tokenizer.bos_token_id, *self.tokenizer.encode(text)]

    def token(self, text: str) -> int:
        """The first token of the text."""
        return self.tokenizer.encode(text)[0]

    @torch.inference_mode()
    def read_next(self, texts: list[str]) -> Tensor:
        """[text, token] logits after each text."""
        return torch.cat([
            self._read_batch([self.encode(text) for text in texts[start : start + BATCH]])
            for start in range(0, len(texts), BATCH)
        ])  # fmt: skip

    def _read_batch(self, rows: list[list[int]]) -> Tensor:
        longest = max(map(len, rows))
        ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
        hidden = self.model.transformer(ids, use_cache=False).last_hidden_state
        last = hidden[torch.arange(len(rows)), torch.tensor([len(row) - 1 for row in rows])]
        return self.model.lm_head(last)

    def share_right(self, questions: list[tuple[str, str]]) -> float:
        """The share of (text, answer) whose answer is the likeliest next token."""
        logits = self.read_next([text for text, _ in questions])
        answers = torch.tensor([self.token(answer) for _, answer in questions])
        return float((logits.argmax(-1) == answers).float().mean())
