"""A node's direct write, effect and pattern, against plain matrices and whole forwards."""

from dataclasses import replace

import pytest
import torch

from attention_viz.analysis.attention import attention_maps
from attention_viz.analysis.circuits.node import node_detail
from attention_viz.analysis.contributions import direct_contributions
from attention_viz.analysis.question import ask
from attention_viz.records.ablation import Ablation, AblationKind
from attention_viz.records.attention import AttentionRequest
from attention_viz.records.circuits.node import NodeRequest
from attention_viz.records.circuits.pairs import Pair, PairsRequest
from attention_viz.records.errors import BadInput
from attention_viz.records.ids import HeadId
from attention_viz.records.question import Question
from tests.analysis import oracle
from tests.analysis.conftest import MARY, MARY_COUNTERFACTUAL

EVERY = 10**6  # tokens: all of them are promoted, and all suppressed


def detail_of(model, question, node, kind=AblationKind.ZERO, top=8):
    return node_detail(model, NodeRequest(PairsRequest(question), node, Ablation(kind), top))


def written(detail) -> torch.Tensor:
    """What was written to every token, by id."""
    by_id = sorted((each.token.id, each.logits) for each in detail.promoted)
    return torch.tensor([logits for _, logits in by_id], dtype=torch.float64)


@torch.no_grad()
def logits_of(hf, ids):
    return hf(input_ids=ids, use_cache=False).logits[0]


@torch.no_grad()
def test_all_direct_writes_sum_to_the_logits(load, ask_about):
    """GPT-2 by its own matrices: biases and the constant are what no node writes."""
    model, question = load("gpt2"), ask_about("gpt2")
    asked = ask(model, question)
    hf, decoder = asked.decoder.hf, asked.decoder
    names = ["input"]
    for layer in range(decoder.layers):
        names += [*(f"L{layer}H{head}" for head in range(decoder.heads)), f"L{layer}MLP"]
    total = sum(written(detail_of(model, question, name, top=EVERY)) for name in names)

    norm = hf.transformer.ln_f
    stream = asked.run.residual[-1][0, -1]
    scale = (stream.var(unbiased=False) + norm.eps).sqrt()
    biases = sum(block.attn.c_proj.bias for block in hf.transformer.h)
    nobodys = hf.lm_head.weight @ ((biases - biases.mean()) / scale * norm.weight + norm.bias)
    logits = logits_of(hf, asked.ids)[-1]
    expected = logits - logits.mean() - (nobodys - nobodys.mean())
    torch.testing.assert_close(total, expected, atol=1e-9, rtol=0)
    assert expected.abs().max() > 0.1


@pytest.mark.parametrize("name", ["embedded", "gpt2", "llama", "neox"])
@pytest.mark.parametrize("node", ["input", "L1H2", "L1MLP"])
def test_it_agrees_with_the_direct_contribution(load, ask_about, name, node):
    model, question = load(name), ask_about(name)
    named = {each.component: each.value for each in direct_contributions(ask(model, question))}
    component = {"input": "embed", "L1H2": "L1H2", "L1MLP": "L1 MLP"}[node]
    found = detail_of(model, question, node)
    assert found.contribution == pytest.approx(named[component], abs=1e-9)


def test_tokens_are_listed_from_both_ends(load, ask_about):
    model, question = load("embedded"), ask_about("embedded")
    every = detail_of(model, question, "L3H1", top=EVERY)
    few = detail_of(model, question, "L3H1", top=5)
    values = written(every)
    assert len(values) == model.vocabulary.size
    assert values.mean().item() == pytest.approx(0, abs=1e-9)
    assert [each.token.id for each in few.promoted] == values.topk(5).indices.tolist()
    assert [each.token.id for each in few.suppressed] == (-values).topk(5).indices.tolist()
    assert few.promoted == every.promoted[:5]
    assert few.suppressed[0].logits == values.min().item() < 0


def test_a_heads_effect_is_that_of_a_hooked_forward(load, ask_about):
    model, question = load("gpt2"), ask_about("gpt2")
    asked = ask(model, question)
    ablated = oracle.ablated_logits(
        asked.decoder.hf, asked.ids, [(1, 2)], lambda layer, columns, z, v: 0 * z
    )[-1]
    expected = difference(asked, ablated) - difference(asked, asked.logits)
    assert detail_of(model, question, "L1H2").effect == pytest.approx(expected, abs=1e-9)
    assert abs(expected) > 1e-4


@pytest.mark.parametrize("kind", [AblationKind.ZERO, AblationKind.MEAN, AblationKind.RESAMPLE])
@pytest.mark.parametrize("name", ["gpt2", "neox"])
@torch.no_grad()
def test_an_mlps_effect_is_that_of_a_hooked_forward(load, ask_about, name, kind):
    model, question = load(name), ask_about(name)
    asked = ask(model, question)
    hf = asked.decoder.hf
    block = (hf.transformer.h if name == "gpt2" else hf.gpt_neox.layers)[1]

    kept = []
    with_hook(block.mlp, lambda out: kept.append(out) or out, hf, asked.ids)
    counterfactual = model.vocabulary.read(question).counterfactual
    other = torch.tensor([[token.id for token in counterfactual.items]])
    with_hook(block.mlp, lambda out: kept.append(out) or out, hf, other)
    own, theirs = kept
    first = 1 if asked.tokens.bos else 0
    new = {
        AblationKind.ZERO: torch.zeros_like(own),
        AblationKind.MEAN: own[:, first:].mean(1, keepdim=True).expand_as(own),
        AblationKind.RESAMPLE: theirs,
    }[kind]
    ablated = with_hook(block.mlp, lambda out: new, hf, asked.ids)
    expected = difference(asked, ablated) - difference(asked, asked.logits)
    assert detail_of(model, question, "L1MLP", kind).effect == pytest.approx(expected, abs=1e-9)
    assert abs(expected) > 1e-5


def with_hook(module, change, hf, ids):
    """Logits at the last position with what the module gives changed."""
    hook = module.register_forward_hook(lambda _, args, out: change(out))
    try:
        return logits_of(hf, ids)[-1]
    finally:
        hook.remove()


def difference(asked, logits) -> float:
    return (logits[asked.answer] - logits[asked.distractor]).item()


def test_the_input_resampled_is_the_counterfactual(load, ask_about):
    model, question = load("embedded"), ask_about("embedded")
    asked = ask(model, question)
    other = ask(model, replace(question, prompt=MARY_COUNTERFACTUAL, counterfactual=None))
    expected = difference(asked, other.logits) - difference(asked, asked.logits)
    found = detail_of(model, question, "input", AblationKind.RESAMPLE)
    assert found.effect == pytest.approx(expected, abs=1e-9)
    assert found.pattern is None


def test_an_ablation_of_z_has_no_meaning_for_an_mlp(load, ask_about):
    model, question = load("gpt2"), ask_about("gpt2")
    assert detail_of(model, question, "L1MLP", AblationKind.UNIFORM).effect is None
    assert detail_of(model, question, "L1H2", AblationKind.UNIFORM).effect is not None


def test_the_pattern_is_that_of_the_maps(load, ask_about):
    model, question = load("embedded"), ask_about("embedded")
    maps = attention_maps(model, AttentionRequest(question, (HeadId(3, 1),)))
    found = detail_of(model, question, "L3H1")
    assert (found.pattern == maps.clean[0]).all()
    assert found.tokens == maps.tokens
    assert found.position == len(maps.tokens) - 1


def test_of_given_pairs_the_first_is_measured(load):
    model = load("embedded")
    pair = Pair(MARY, MARY_COUNTERFACTUAL, " Mary", " John")
    other = Pair(MARY_COUNTERFACTUAL, MARY, " John", " Mary")
    plain = Question("embedded", "")
    found = node_detail(model, NodeRequest(PairsRequest(plain, given=(pair, other)), "L3H1"))
    ids = [model.vocabulary.find(text) for text in (" Mary", " John")]
    own = Question("embedded", MARY, answer=ids[0], distractor=ids[1])
    expected = detail_of(model, own, "L3H1")
    assert found.promoted == expected.promoted
    assert (found.effect, found.contribution) == (expected.effect, expected.contribution)


@pytest.mark.parametrize("node", ["L9H0", "L0H99", "L4MLP", "token:3", "logits", "MLP", ""])
def test_a_node_there_is_not_is_refused(load, ask_about, node):
    with pytest.raises(BadInput):
        detail_of(load("embedded"), ask_about("embedded"), node)


def test_no_tokens_are_refused(load, ask_about):
    with pytest.raises(BadInput, match="top 0"):
        detail_of(load("embedded"), ask_about("embedded"), "L1H1", top=0)
