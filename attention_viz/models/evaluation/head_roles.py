"""How heads behave: previous-token, duplicate-token, induction and name-mover scores per head.

Attention scores are mean attention weights (0 to 1) on strings of random tokens said twice
(Olsson et
al. 2022); a name mover attends from the end to the indirect object and copies what it attends to
(Wang et al. 2022): the score is that attention times the share of names which the head's output
circuit, alone, puts into the top 5.
"""

from __future__ import annotations

from random import Random

import torch
from torch import Tensor

from attention_viz.models.evaluation import held_out
from attention_viz.models.evaluation.behaviour import ask_indirect
from attention_viz.models.evaluation.scoring import Subject
from attention_viz.models.training import words as w

PERIOD = 25
ROWS = 32


def make_repeats(subject: Subject, *, seed: int) -> Tensor:
    """[row, position] ids: beginning of text, then random tokens twice."""
    generator = torch.Generator().manual_seed(seed)
    first = torch.randint(1, subject.model.config.vocab_size, (ROWS, PERIOD), generator=generator)
    start = torch.full((ROWS, 1), subject.tokenizer.bos_token_id)
    return torch.cat([start, first, first], dim=1)


@torch.inference_mode()
def read_patterns(subject: Subject, ids: Tensor) -> Tensor:
    """[layer, row, head, query, key] attention weights."""
    out = subject.model(ids, output_attentions=True, use_cache=False)
    return torch.stack(out.attentions)


def measure_shift(patterns: Tensor, back: int) -> Tensor:
    """[layer, head] mean weight on the key ``back`` before the query, over the second round."""
    diagonal = patterns.diagonal(offset=-back, dim1=-2, dim2=-1)
    first_query = PERIOD + 1 - back  # index on the diagonal of the second round's first query
    return diagonal[..., first_query:].mean(dim=(1, 3))


def measure_attention_to_answer(subject: Subject, rng: Random) -> Tensor:
    """[layer, head] mean weight from the end to the indirect object's first mention."""
    total, count = 0.0, 60
    for text, answer in ask_indirect(rng, w.NAMES, count, subject_first=False):
        ids = subject.encode(text)
        key = next(place for place, token in enumerate(ids)
                   if subject.tokenizer.decode([token]).strip() == answer.strip())  # fmt: skip
        total = total + read_patterns(subject, torch.tensor([ids]))[:, 0, :, -1, key]
    return total / count


@torch.inference_mode()
def measure_copying(subject: Subject) -> Tensor:
    """[layer, head] share of names whose token is in the top 5 of the head's own output for it."""
    model, config = subject.model, subject.model.config
    names = [" " + name for name in w.NAMES + held_out.NAMES]
    tokens = torch.tensor([subject.token(name) for name in names])
    texts = torch.tensor([subject.encode("When" + name) for name in names])
    streams = model(texts, output_hidden_states=True, use_cache=False).hidden_states
    size = config.n_embd // config.n_head
    shares = torch.zeros(config.n_layer, config.n_head)
    for layer, block in enumerate(model.transformer.h):
        values = block.attn.c_attn(block.ln_1(streams[layer][:, -1]))[:, 2 * config.n_embd :]
        for head in range(config.n_head):
            span = slice(head * size, (head + 1) * size)
            written = values[:, span] @ block.attn.c_proj.weight[span]
            top = model.lm_head(model.transformer.ln_f(written)).topk(5).indices
            shares[layer, head] = (top == tokens[:, None]).any(-1).float().mean()
    return shares


def measure_roles(subject: Subject, *, seed: int = 11) -> dict[str, Tensor]:
    """Role -> [layer, head] scores."""
    patterns = read_patterns(subject, make_repeats(subject, seed=seed))
    attention = measure_attention_to_answer(subject, Random(seed))
    copying = measure_copying(subject)
    return {
        "previous-token": measure_shift(patterns, 1),
        "duplicate-token": measure_shift(patterns, PERIOD),
        "induction": measure_shift(patterns, PERIOD - 1),
        "attention to the answer": attention,
        "copying": copying,
        "name mover": attention * copying,
    }


def list_strongest(roles: dict[str, Tensor], *, count: int = 3) -> dict[str, list[dict]]:
    """Role -> its strongest heads with their scores."""
    strongest = {}
    for role, scores in roles.items():
        best = scores.flatten().topk(count)
        heads = scores.shape[1]
        strongest[role] = [
            {"head": f"L{place // heads}H{place % heads}", "score": round(score, 3)}
            for place, score in zip(best.indices.tolist(), best.values.tolist(), strict=True)
        ]
    return strongest
