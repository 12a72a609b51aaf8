"""Roles that are mean attention weights.

Previous-token, duplicate-token and induction scores are read on repeated random tokens (Olsson et
al. 2022, "In-context Learning and Induction Heads"), with the detection patterns of
TransformerLens' head detector. "Attends to the answer" is read on the prompt itself.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens.head_detector import (
    get_duplicate_token_head_detection_pattern,
    get_induction_head_detection_pattern,
    get_previous_token_head_detection_pattern,
)

from attention_viz.analysis.question import Asked
from attention_viz.analysis.roles.role_scores import Clean, RoleScores, strongest_weights
from attention_viz.records.circuits.roles import Role, RoleEvidence
from attention_viz.records.ids import HeadId
from attention_viz.records.tokens import Token

REPEATED = 25  # random tokens, shown twice
SEQUENCES = 4
SEED = 0
TYPICAL_ROW = "a typical row of the repeated random tokens"

_DETECTION = {
    Role.PREVIOUS_TOKEN: get_previous_token_head_detection_pattern,
    Role.DUPLICATE_TOKEN: get_duplicate_token_head_detection_pattern,
    Role.INDUCTION: get_induction_head_detection_pattern,
}

Patterns = Sequence[Float[Tensor, "layer head query key"]]


def score_general(clean: Clean) -> list[RoleScores]:
    """Mean attention weight on each detection pattern, over the rows that have one."""
    asked = clean.asked
    if not asked.decoder.hears_attention:
        return [RoleScores(role, clean.unmeasured, _no_row(role)) for role in _DETECTION]
    ids = repeated_tokens(asked)
    patterns = [_pattern_of(asked, row) for row in ids]
    return [_score_role(asked, role, ids, patterns) for role in _DETECTION]


def score_answer(clean: Clean) -> RoleScores:
    """Attention from the read-out to the answer; nan where the prompt does not hold it."""
    places = clean.places(clean.asked.answer)
    scores = clean.unmeasured
    if places and clean.rows is not None:
        scores = clean.rows[..., places].sum(-1)
    return RoleScores(Role.ANSWER, scores, lambda head: clean.show(Role.ANSWER, head))


def repeated_tokens(asked: Asked) -> Int[Tensor, "sequence pos"]:
    """Random tokens shown twice, beginning of text before them where the prompt has it."""
    generator = torch.Generator().manual_seed(SEED)
    vocabulary = asked.vocabulary
    count = min(REPEATED, (vocabulary.context - 1) // 2)
    usable = torch.tensor([id for id in range(vocabulary.size) if id != vocabulary.bos_id])
    rows = []
    for _ in range(SEQUENCES):
        drawn = usable[torch.randperm(len(usable), generator=generator)[:count]]
        start = [vocabulary.bos_id] if asked.tokens.bos else []
        rows.append(torch.cat([torch.tensor(start, dtype=torch.long), drawn, drawn]))
    return torch.stack(rows)


def _pattern_of(asked: Asked, row: Int[Tensor, " pos"]) -> Float[Tensor, "layer head query key"]:
    with asked.turn():
        run = asked.decoder.run(row[None], patterns=True)
        return torch.stack([layer[0] for layer in run.pattern]).cpu()


def _score_role(asked: Asked, role: Role, ids: Tensor, patterns: Patterns) -> RoleScores:
    found = [
        _weights_on(asked, role, row, pattern) for row, pattern in zip(ids, patterns, strict=True)
    ]
    scores = torch.stack([weights.mean(-1) for _, weights in found]).mean(0)
    queries, weights = found[0]
    typical = queries[(weights - scores[..., None]).abs().argmin(-1)]
    tokens = _tokens_of(asked, ids[0])

    def show(head: HeadId) -> RoleEvidence:
        query = int(typical[head.layer, head.head])
        row = patterns[0][head.layer, head.head, query, : query + 1]
        return RoleEvidence(role, TYPICAL_ROW, strongest_weights(row, tokens, query))

    return RoleScores(role, scores, show)


def _weights_on(
    asked: Asked, role: Role, ids: Int[Tensor, " pos"], pattern: Tensor
) -> tuple[Int[Tensor, " row"], Float[Tensor, "layer head row"]]:
    """The queries that have something to look at, and the weight they give it."""
    wanted = _without_bos(asked, _DETECTION[role](ids[None]))
    queries = (wanted.sum(-1) > 0).nonzero()[:, 0]
    return queries, (pattern * wanted.to(pattern)).sum(-1)[..., queries]


def _without_bos(asked: Asked, wanted: Tensor) -> Tensor:
    """Attention to or from beginning of text is a resting place, not a role."""
    wanted = wanted.clone()
    if asked.tokens.bos:
        wanted[0, :] = 0
        wanted[:, 0] = 0
    return wanted


def _tokens_of(asked: Asked, ids: Int[Tensor, " pos"]) -> tuple[Token, ...]:
    first = asked.tokens.items[:1] if asked.tokens.bos else ()
    return (*first, *(asked.token(id) for id in ids[len(first) :].tolist()))


def _no_row(role: Role):
    return lambda head: RoleEvidence(role, TYPICAL_ROW, ())
