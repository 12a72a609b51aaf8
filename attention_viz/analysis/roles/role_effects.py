"""Roles that show in what happens to other heads: S-inhibition and backup.

A head's output is replaced by its value in the counterfactual prompt where there is one, else by 0.
(Wang et al. 2023, "Interpretability in the Wild")
"""

import torch
from jaxtyping import Float
from torch import Tensor

from attention_viz.analysis.edits import edit_of
from attention_viz.analysis.metrics import read_metric
from attention_viz.analysis.one_pass import Candidate, evaluate, in_chunks
from attention_viz.analysis.question import Asked
from attention_viz.analysis.roles.role_movers import mover_places
from attention_viz.analysis.roles.role_scores import Clean, PerHead, RoleScores
from attention_viz.analysis.sweep import all_heads
from attention_viz.models.attention import Listener, listening
from attention_viz.records.ablation import Ablation, AblationKind
from attention_viz.records.circuits.roles import Role, RoleEvidence, RoleNumber
from attention_viz.records.ids import HeadId
from attention_viz.records.metrics import Metric

STRONGEST = 3  # heads by direct contribution, ablated where there are no name movers

Gaps = dict[HeadId, Float[Tensor, "layer head"]]  # by mover, each writer patched


def score_inhibition(clean: Clean, movers: tuple[HeadId, ...]) -> RoleScores:
    """How much patching a head into the movers' queries turns their attention to the distractor.

    Score: attention to the answer − to the distractor, clean − patched, mean over the movers in
    layers above; the query alone is patched, and directly (Goldowsky-Dill et al. 2023). nan where
    there is no mover above, or the distractor is not in the prompt.
    """
    before: dict[HeadId, float] = {}
    after: Gaps = {}
    if clean.places(clean.asked.distractor):
        before = {
            mover: _gap(clean, clean.rows[mover.layer, mover.head]).item() for mover in movers
        }
        after = _patched_gaps(clean, movers)
    losses = [before[mover] - after[mover] for mover in after]
    scores = torch.stack(losses).nanmean(0) if losses else clean.unmeasured

    def show(head: HeadId) -> RoleEvidence:
        numbers = []
        for mover, gaps in after.items():
            if mover.layer > head.layer:
                patched = gaps[head.layer, head.head].item()
                numbers += _attention_numbers(clean.asked, mover, before[mover], patched)
        return clean.show(Role.S_INHIBITION, head, *numbers)

    return RoleScores(Role.S_INHIBITION, scores, show)


def score_backup(clean: Clean, movers: tuple[HeadId, ...]) -> RoleScores:
    """How much more a head is missed once the movers are gone.

    Score: (help beside the ablated movers − help alone) ÷ clean logit difference; a head's help is
    what its ablation takes from the logit difference, at least 0. Without name movers, the
    strongest heads by direct contribution are ablated. nan for the ablated heads, and for all where
    the answer has no lead or direct contributions are not defined.
    """
    asked = clean.asked
    lead = read_metric(asked, Metric.LOGIT_DIFF, asked.logits[None]).item()
    gone = movers or _strongest(clean)
    if lead <= 0 or not gone:
        return RoleScores(Role.BACKUP, clean.unmeasured, lambda head: clean.show(Role.BACKUP, head))
    alone, beside = _effects(asked, gone, lead)
    scores = ((-beside).clamp(min=0) - (-alone).clamp(min=0)) / lead
    for head in gone:
        scores[head.layer, head.head] = torch.nan
    names, kind = ", ".join(str(head) for head in gone), _patch_kind(asked).value

    def show(head: HeadId) -> RoleEvidence:
        at = (head.layer, head.head)
        return clean.show(
            Role.BACKUP,
            head,
            RoleNumber(f"effect of ablating it alone, {kind}", alone[at].item(), "logits"),
            RoleNumber(f"effect once {names} are ablated, {kind}", beside[at].item(), "logits"),
        )

    return RoleScores(Role.BACKUP, scores, show)


def _strongest(clean: Clean) -> tuple[HeadId, ...]:
    """The heads that write most towards the answer."""
    if clean.direct is None:
        return ()
    heads = [h for h in all_heads(clean.asked) if clean.direct[h.layer, h.head] > 0]
    heads.sort(key=lambda head: -clean.direct[head.layer, head.head])
    return tuple(sorted(heads[:STRONGEST]))


def _effects(asked: Asked, gone: tuple[HeadId, ...], lead: float) -> tuple[PerHead, PerHead]:
    """Effects on the logit difference of ablating each head, alone and once others are gone."""
    edit = edit_of(asked, Ablation(_patch_kind(asked)))
    heads = all_heads(asked)
    candidates = [Candidate((head,), edit) for head in heads]
    candidates += [Candidate(tuple({*gone, head}), edit) for head in heads]
    candidates.append(Candidate(gone, edit))
    measured = torch.empty(len(candidates), dtype=asked.logits.dtype)
    done = 0
    for indices, values in evaluate(
        asked, candidates, lambda logits: read_metric(asked, Metric.LOGIT_DIFF, logits).cpu()
    ):
        measured[indices] = values
        done += len(indices)
        asked.pace.report(done, len(candidates))
    alone, beside = measured[:-1].reshape(2, asked.decoder.layers, asked.decoder.heads)
    return alone - lead, beside - measured[-1]


def _patch_kind(asked: Asked) -> AblationKind:
    return AblationKind.ZERO if asked.read.counterfactual is None else AblationKind.RESAMPLE


def _patched_gaps(clean: Clean, movers: tuple[HeadId, ...]) -> Gaps:
    """By mover with heads below it: attention to answer − distractor, each writer patched.

    nan for writers that are not below the mover.
    """
    asked, found = clean.asked, {}
    for layer in sorted({mover.layer for mover in movers} - {0}):
        changes = torch.cat([_change_at_read_out(asked, below) for below in range(layer)])
        gaps = _gap(clean, patch_queries(asked, layer, changes))  # [writer, head]
        for mover in (mover for mover in movers if mover.layer == layer):
            found[mover] = clean.unmeasured.to(gaps)
            found[mover][:layer] = gaps[:, mover.head].reshape(layer, -1)
    return found


def _gap(clean: Clean, rows: Float[Tensor, "*heads key"]) -> Float[Tensor, "*heads"]:
    """Attention to the answer minus attention to the distractor."""
    distractor = rows[..., clean.places(clean.asked.distractor)].sum(-1)
    return rows[..., mover_places(clean)].sum(-1) - distractor


@torch.no_grad()
def _change_at_read_out(asked: Asked, layer: int) -> Float[Tensor, "head d_model"]:
    """How the patch changes what each head of a layer writes at the read-out."""
    read = slice(asked.position, asked.position + 1)
    z = asked.run.z[layer][:, read]
    writes = asked.decoder.need_writes()
    with asked.turn():
        change = -writes.head_results(layer, z)
        if _patch_kind(asked) is AblationKind.RESAMPLE:
            change = change + writes.head_results(layer, asked.counterfactual.z[layer][:, read])
        return change[0, :, 0]


@torch.no_grad()
def patch_queries(
    asked: Asked, layer: int, changes: Float[Tensor, "writer d_model"]
) -> Float[Tensor, "writer head key"]:
    """Attention of the read-out in a layer whose queries alone see the changed residual stream.

    `changes[writer]` is added to the stream at the read-out; keys are the clean ones. On the CPU.
    """
    clean, position = asked.run.residual[layer], asked.position
    found = []

    def keep_keys(_: int, query: Tensor, key: Tensor, value: Tensor):
        return query, key[:1].expand_as(key), value  # row 0 is the clean stream

    def work(start: int, stop: int) -> Tensor:
        rows = clean.repeat(1 + stop - start, 1, 1)
        rows[1:, position] += changes[start:stop]
        heard: list[Tensor] = []

        def hear(_: int, weights: Tensor) -> None:
            heard.append(weights[1:, :, position, : position + 1].cpu())

        with asked.turn(), listening(Listener(inputs=keep_keys, pattern=hear)):
            asked.decoder.call_block(layer, rows, asked.run)
        return heard[0]

    for _, _, rows in in_chunks(asked, [1] * len(changes), work):
        found.append(rows)
    return torch.cat(found)


def _attention_numbers(
    asked: Asked, mover: HeadId, before: float, after: float
) -> list[RoleNumber]:
    pair = f"{asked.answer_token.shown} − {asked.distractor_token.shown}"
    label = f"{mover}'s attention to {pair}"
    return [
        RoleNumber(f"{label}, clean", before, "attention weight"),
        RoleNumber(f"{label}, patched ({_patch_kind(asked).value})", after, "attention weight"),
    ]
