"""Name movers: heads that carry the answer from the prompt to the read-out.

Score = attention from the read-out to the answer × copying by OV. A mover also writes towards the
answer by itself (direct contribution to answer − distractor), a negative one against it.

Copying, as Wang et al. 2023 ("Interpretability in the Wild") measure it: the residual stream of a
token after the first block goes through the head's values and output weights, as if the head
attended to it alone, and on through the final norm and the unembedding; the score is the share of
tokens that come out in the top 5. For negative movers the head's output is negated. The tokens are
those of the prompt and random ones that look like the answer: a capitalised word, a number ….

Attention to an answer that follows an earlier occurrence of the read-out's token is what induction
would do, so it does not count here.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from attention_viz.analysis.question import Asked
from attention_viz.analysis.roles.role_scores import Clean, PerHead, RoleScores
from attention_viz.models.attention import Listener, listening
from attention_viz.models.decoder import Run
from attention_viz.records.circuits.roles import Role, RoleEvidence, RoleNumber
from attention_viz.records.ids import HeadId

COPIED = 40  # tokens
TOP = 5
SEED = 0
# Less attention than this can't make a mover: the score counts as 0, and copying is not measured.
LEAST_ATTENTION = 0.1


def score_movers(clean: Clean) -> list[RoleScores]:
    """Scores of name movers and negative name movers, 0 to 1.

    0 where the head writes the other way, or less than the mean head does (in size), or hardly
    attends to the answer; nan where the answer is not in the prompt, or can't be told from
    induction's, or where attention, blocks or direct contributions are out of reach.
    """
    roles = (Role.NAME_MOVER, Role.NEGATIVE_NAME_MOVER)
    places = mover_places(clean)
    reachable = clean.rows is not None and clean.direct is not None
    if not (places and reachable and clean.asked.decoder.calls_blocks):
        empty = clean.unmeasured
        return [RoleScores(role, empty, lambda head, r=role: clean.show(r, head)) for role in roles]
    attention = clean.rows[..., places].sum(-1)
    signs = clean.direct.sign() * (clean.direct.abs() >= clean.direct.abs().mean())
    signs = signs * (attention >= LEAST_ATTENTION)
    copied = measure_copying(clean.asked, signs)
    product = attention * copied.nan_to_num(0).to(attention)

    def score(role: Role, sign: int) -> RoleScores:
        own = copied.where(signs == sign, torch.nan)
        show = _shower(clean, role, attention, own)
        return RoleScores(role, product.where(signs == sign, 0), show)

    return [score(role, sign) for role, sign in zip(roles, (1, -1), strict=True)]


def mover_places(clean: Clean) -> list[int]:
    """Positions of the answer that induction from the read-out's token would not point to."""
    tokens = clean.asked.tokens.items
    last = tokens[clean.asked.position].id
    places = clean.places(clean.asked.answer)
    return [place for place in places if place == 0 or tokens[place - 1].id != last]


@torch.no_grad()
def measure_copying(asked: Asked, signs: PerHead) -> PerHead:
    """Share of tokens that a head's output, times its sign, puts in the top 5.

    nan where the sign is 0. Raises BadInput where attention or blocks are out of reach.
    """
    decoder = asked.decoder
    decoder.need_attention("Copying by OV")
    decoder.need_blocks("Copying by OV")
    writes = decoder.need_writes()
    shares = torch.full_like(signs, torch.nan)
    if not signs.any():
        return shares
    ids = tokens_to_copy(asked)
    # Never at the first position, which models use as a resting place.
    first = torch.full_like(ids, asked.tokens.items[0].id)
    with asked.turn():
        run = decoder.run(torch.stack([first, ids], 1))
    for layer in signs.any(1).nonzero()[:, 0].tolist():
        with asked.turn():
            values = _values_of(asked, layer, run)
            z = run.z[layer][:, 1:]
            written = writes.head_results(layer, values[:, None], at=z)[:, :, 0]
        for head in signs[layer].nonzero()[:, 0].tolist():
            with asked.turn():
                own = signs[layer, head] * written[:, head]
                shares[layer, head] = _share_on_top(asked, own, ids)
    return shares


def tokens_to_copy(asked: Asked) -> Int[Tensor, " token"]:
    """The answer and the prompt's tokens that look like it, then random ones that do."""
    vocabulary = asked.vocabulary
    wanted = _looks(asked.answer_token.text)
    alike = [id for id in range(vocabulary.size) if _looks(vocabulary.token(id).text) == wanted]
    alike = [id for id in alike if id != vocabulary.bos_id]
    generator = torch.Generator().manual_seed(SEED)
    order = torch.randperm(len(alike), generator=generator).tolist()
    known = set(alike)
    own = [token.id for token in asked.tokens.items if token.id in known]
    chosen = dict.fromkeys([asked.answer, *own, *(alike[i] for i in order)])
    return torch.tensor(list(chosen)[:COPIED])


def _looks(text: str) -> tuple[bool, ...]:
    """Whether a token begins with a space and a capital, and whether it is a word or a number."""
    bare = text.strip()
    return (text[:1].isspace(), bare[:1].isupper(), bare.isalpha(), bare.isdigit())


def _values_of(asked: Asked, layer: int, run: Run) -> Float[Tensor, "token head d_head"]:
    """Values of the second position's token, from the stream after the first block."""
    heard = []

    def keep(_: int, query: Tensor, key: Tensor, value: Tensor):
        heard.append(value)
        return query, key, value

    with listening(Listener(inputs=keep)):
        asked.decoder.call_block(layer, run.residual[min(layer, 1)], run)
    shared = asked.decoder.heads // asked.decoder.key_value_heads
    return heard[0][:, :, 1].repeat_interleave(shared, 1)


def _share_on_top(
    asked: Asked, written: Float[Tensor, "token d_model"], ids: Int[Tensor, " token"]
) -> float:
    logits = asked.decoder.read_out(written)[:, : asked.vocabulary.size]
    own = logits.gather(1, ids[:, None].to(logits.device))
    return ((logits > own).sum(-1) < TOP).double().mean().item()


def _shower(clean: Clean, role: Role, attention: PerHead, copied: PerHead):
    def show(head: HeadId) -> RoleEvidence:
        at = (head.layer, head.head)
        share = copied[at].item()
        return clean.show(
            role,
            head,
            RoleNumber("attention to the answer", attention[at].item(), "attention weight"),
            RoleNumber("copying by OV", None if share != share else share, "share of tokens"),
            RoleNumber("direct contribution", clean.direct[at].item(), "logits"),
        )

    return show
