"""Roles of heads from measured attention; a role is given only where its score is high.

Previous-token, duplicate-token and induction scores are read on repeated random tokens (Olsson et
al. 2022, "In-context Learning and Induction Heads"), with the detection patterns of
TransformerLens' head detector. "Attends to the answer" is read on the prompt itself.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens.head_detector import (
    get_duplicate_token_head_detection_pattern,
    get_induction_head_detection_pattern,
    get_previous_token_head_detection_pattern,
)

from attention_viz.analysis.attention import run_clean
from attention_viz.analysis.question import Asked, ask
from attention_viz.analysis.sweep import all_heads
from attention_viz.models.loading import LoadedModel
from attention_viz.records.pace import Pace
from attention_viz.records.roles import HeadRole, HeadRoles, Role, RolesRequest

REPEATED = 25  # random tokens, shown twice
SEQUENCES = 4
SEED = 0

_DETECTION = {
    Role.PREVIOUS_TOKEN: get_previous_token_head_detection_pattern,
    Role.DUPLICATE_TOKEN: get_duplicate_token_head_detection_pattern,
    Role.INDUCTION: get_induction_head_detection_pattern,
}


def head_roles(model: LoadedModel, request: RolesRequest, pace: Pace | None = None) -> HeadRoles:
    """Scores and role of every head. Raises BadInput where the question can't be asked."""
    asked = ask(model, request.question, pace)
    general = _general_scores(asked)
    answer = _answer_scores(asked)
    roles = []
    for head in all_heads(asked):
        scores = {role: values[head.layer, head.head].item() for role, values in general.items()}
        scores[Role.ANSWER] = None if answer is None else answer[head.layer, head.head].item()
        best = max((r for r in scores if scores[r] is not None), key=lambda role: scores[role])
        role = best if scores[best] >= request.threshold else Role.UNCLEAR
        roles.append(HeadRole(head, role, scores[best], tuple(scores.items())))
    return HeadRoles(request, tuple(roles))


def _general_scores(asked: Asked) -> dict[Role, Float[Tensor, "layer head"]]:
    """Mean attention weight on the detection pattern, over the rows that have one."""
    ids = _repeated_tokens(asked)
    with asked.turn():
        runs = [asked.decoder.run(row[None], patterns=True) for row in ids]
    scores = {}
    for role, detect in _DETECTION.items():
        per_sequence = []
        for row, run in zip(ids, runs, strict=True):
            pattern = torch.stack([layer[0] for layer in run.pattern]).cpu()
            wanted = _without_bos(asked, detect(row[None]))
            rows = wanted.sum(-1) > 0
            on_pattern = (pattern * wanted.to(pattern)).sum(-1)
            per_sequence.append(on_pattern[..., rows].mean(-1))
        scores[role] = torch.stack(per_sequence).mean(0)
    return scores


def _without_bos(asked: Asked, wanted: Tensor) -> Tensor:
    """Attention to or from beginning of text is a resting place, not a role."""
    wanted = wanted.clone()
    if asked.tokens.bos:
        wanted[0, :] = 0
        wanted[:, 0] = 0
    return wanted


def _repeated_tokens(asked: Asked) -> Int[Tensor, "sequence pos"]:
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


def _answer_scores(asked: Asked) -> Float[Tensor, "layer head"] | None:
    """Attention from the read-out to the answer; None where the prompt does not hold it."""
    positions = [
        position
        for position, token in enumerate(asked.tokens.items[: asked.position + 1])
        if token.id == asked.answer
    ]
    if not positions:
        return None
    run = run_clean(asked)
    rows = torch.stack([layer[0, :, asked.position] for layer in run.pattern]).cpu()
    return rows[..., positions].sum(-1)
