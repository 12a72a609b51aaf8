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
from attention_viz.analysis.roles.role_scores import (
    Clean,
    PerHead,
    RoleScores,
    strongest_weights,
)
from attention_viz.records.circuits.roles import (
    GeneralRequest,
    GeneralScores,
    Role,
    RoleEvidence,
)
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
    """Mean attention weight on each detection pattern, over the rows that have one.

    They are about the model, so every prompt after the first one finds them measured.
    """
    asked = clean.asked
    if not asked.decoder.hears_attention:
        return [RoleScores(role, clean.unmeasured, _no_row(role)) for role in _DETECTION]
    request = GeneralRequest(asked.read.question.model, asked.tokens.bos)
    found = asked.pace.recall(request, lambda: measure_general(asked, request))
    tokens = _tokens_of(asked, found.tokens)
    return [_role_scores(found, index, tokens) for index in range(len(found.roles))]


def measure_general(asked: Asked, request: GeneralRequest) -> GeneralScores:
    """Scores and typical rows of every head, on repeated random tokens."""
    ids = repeated_tokens(asked)
    patterns = [_pattern_of(asked, row) for row in ids]
    measured = [_score_role(asked, role, ids, patterns) for role in _DETECTION]
    scores, query, row = (torch.stack(each).numpy() for each in zip(*measured, strict=True))
    return GeneralScores(request, tuple(_DETECTION), scores, tuple(ids[0].tolist()), query, row)


def _role_scores(found: GeneralScores, index: int, tokens: tuple[Token, ...]) -> RoleScores:
    role = found.roles[index]

    def show(head: HeadId) -> RoleEvidence:
        query = int(found.query[index, head.layer, head.head])
        row = torch.from_numpy(found.row[index, head.layer, head.head, : query + 1])
        return RoleEvidence(role, TYPICAL_ROW, strongest_weights(row, tokens, query))

    return RoleScores(role, torch.from_numpy(found.scores[index]), show)


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


def _score_role(
    asked: Asked, role: Role, ids: Tensor, patterns: Patterns
) -> tuple[PerHead, Int[Tensor, "layer head"], Float[Tensor, "layer head key"]]:
    """Each head's score, and the query and weights of a row whose weight is like it."""
    found = [
        _weights_on(asked, role, row, pattern) for row, pattern in zip(ids, patterns, strict=True)
    ]
    scores = torch.stack([weights.mean(-1) for _, weights in found]).mean(0)
    queries, weights = found[0]
    typical = queries[(weights - scores[..., None]).abs().argmin(-1)]
    at = typical[..., None, None].expand(*typical.shape, 1, patterns[0].shape[-1])
    return scores, typical, patterns[0].gather(2, at)[:, :, 0]


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


def _tokens_of(asked: Asked, ids: tuple[int, ...]) -> tuple[Token, ...]:
    first = asked.tokens.items[:1] if asked.tokens.bos else ()
    return (*first, *(asked.token(id) for id in ids[len(first) :]))


def _no_row(role: Role):
    return lambda head: RoleEvidence(role, TYPICAL_ROW, ())
