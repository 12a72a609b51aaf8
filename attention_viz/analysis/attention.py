"""Attention patterns as the model computes them, clean and under an ablation; facts of a token."""

import numpy as np
import torch

from attention_viz.analysis.edits import edit_of
from attention_viz.analysis.one_pass import run_ablated
from attention_viz.analysis.question import Asked, ask, entropy_of, rank_tokens
from attention_viz.models.decoder import Run
from attention_viz.models.loading import LoadedModel
from attention_viz.records.attention import (
    AttentionMaps,
    AttentionRequest,
    TokenFacts,
    TokenRequest,
)
from attention_viz.records.ids import HeadId
from attention_viz.records.pace import Pace


def attention_maps(
    model: LoadedModel, request: AttentionRequest, pace: Pace | None = None
) -> AttentionMaps:
    """Maps `[head, query, key]` of the chosen heads. Raises BadInput where it can't be asked."""
    asked = ask(model, request.question, pace)
    heads = asked.need_heads(request.heads)
    ablated = None
    if request.ablation is not None:
        edit = edit_of(asked, request.ablation)
        ablated = _pick(run_ablated(asked, heads, edit, patterns=True), heads)
    return AttentionMaps(request, asked.tokens, _pick(run_clean(asked), heads), ablated)


def run_clean(asked: Asked) -> Run:
    """The clean run again, with its patterns."""
    with asked.turn():
        return asked.decoder.run(asked.ids, patterns=True)


def _pick(run: Run, heads: tuple[HeadId, ...]) -> np.ndarray:
    return torch.stack([run.pattern[h.layer][0, h.head] for h in heads]).double().cpu().numpy()


@torch.no_grad()
def token_facts(model: LoadedModel, request: TokenRequest, pace: Pace | None = None) -> TokenFacts:
    """A token of the prompt and the next-token distribution at its position."""
    asked = ask(model, request.question, pace)
    token = asked.tokens.items[asked.position]
    listed = asked.logits.topk(min(request.top, len(asked.logits))).indices.tolist()
    with asked.turn():
        ranked = rank_tokens(asked.vocabulary, asked.logits, tuple(listed))
        norm = asked.decoder.embedding.weight[token.id].norm().item()
        entropy = entropy_of(asked.logits).item()
    return TokenFacts(
        request=request,
        token=token,
        position=asked.position,
        embedding_norm=norm,
        top=tuple(ranked[id] for id in listed),
        entropy=entropy,
    )
