"""GPT-2 written out, every reader with an input of its own: EAP-IG by its definition.

Shares nothing with what it checks but the weights.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from attention_viz.records.circuits.edge import INPUT, OUTPUT, EdgeId, Via


@dataclass
class Pass:
    """What every writer wrote, what every reader read, and the logits; `[pos, d_model]` each."""

    written: dict[str, Tensor] = field(default_factory=dict)
    read: dict[tuple[str, Via], Tensor] = field(default_factory=dict)
    logits: Tensor | None = None


def embed(hf, ids: Tensor) -> tuple[Tensor, Tensor]:
    """The tokens' embeddings and the positions'."""
    return hf.transformer.wte.weight[ids], hf.transformer.wpe.weight[: len(ids)]


def run(hf, entering: Tensor) -> Pass:
    """A forward pass from what enters the first block."""
    found = Pass()

    def reads(name: str, via: Via, residual: Tensor) -> Tensor:
        own = residual.clone()
        own.retain_grad()
        found.read[name, via] = own
        return own

    heads, size = hf.config.n_head, hf.config.n_embd // hf.config.n_head
    residual = entering.detach().requires_grad_()
    found.written[INPUT] = residual
    hidden = torch.ones(len(entering), len(entering)).triu(1).bool()
    for layer, block in enumerate(hf.transformer.h):
        total = residual + block.attn.c_proj.bias
        for head in range(heads):
            name, made = f"L{layer}H{head}", []
            for slot, via in enumerate((Via.Q, Via.K, Via.V)):
                start = slot * hf.config.n_embd + head * size
                columns = slice(start, start + size)
                normed = block.ln_1(reads(name, via, residual))
                weight, bias = block.attn.c_attn.weight, block.attn.c_attn.bias
                made.append(normed @ weight[:, columns] + bias[columns])
            query, key, value = made
            weights = (query @ key.T / size**0.5).masked_fill(hidden, -torch.inf).softmax(-1)
            rows = slice(head * size, (head + 1) * size)
            found.written[name] = weights @ value @ block.attn.c_proj.weight[rows]
            total = total + found.written[name]
        residual = total
        name = f"L{layer}MLP"
        found.written[name] = block.mlp(block.ln_2(reads(name, Via.MLP, residual)))
        residual = residual + found.written[name]
    final = hf.transformer.ln_f(reads(OUTPUT, Via.LOGITS, residual))
    found.logits = final @ hf.lm_head.weight.T
    return found


def eap_ig(hf, pair, shares: Sequence[float], edges: Sequence[EdgeId]) -> list[float]:
    """Scores of edges: (counterfactual − clean) · the mean gradient at these shares of the way."""
    clean, other = (
        run(hf, sum(embed(hf, torch.tensor([token.id for token in tokens.items]))))
        for tokens in (pair.clean, pair.counterfactual)
    )
    start, stop = other.written[INPUT].detach(), clean.written[INPUT].detach()
    totals = [0.0] * len(edges)
    for share in shares:
        step = run(hf, start + share * (stop - start))
        row = step.logits[pair.position]
        (row[pair.answer.id] - row[pair.distractor.id]).backward()
        for number, edge in enumerate(edges):
            change = other.written[edge.writer] - clean.written[edge.writer]
            gradient = step.read[edge.reader, edge.via].grad
            totals[number] += (change * gradient).sum().item() / len(shares)
    return totals
