"""Maps are the model's own patterns; roles are read off them."""

import numpy as np
import pytest
import torch

from attention_viz.analysis.attention import attention_maps, token_facts
from attention_viz.analysis.question import ask
from attention_viz.analysis.roles import head_roles
from attention_viz.records.ablation import Ablation
from attention_viz.records.attention import AttentionRequest, TokenRequest
from attention_viz.records.ids import HeadId
from attention_viz.records.roles import Role, RolesRequest
from tests.analysis import oracle
from tests.analysis.test_one_pass import plain_model

HEADS = (HeadId(2, 1), HeadId(0, 3))


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
@pytest.mark.parametrize("name", ["gpt2", "llama", "neox"])
def test_maps_are_the_models_own_patterns(load, ask_about, name, implementation):
    model, question = load(name, torch.float64, implementation), ask_about(name)
    maps = attention_maps(model, AttentionRequest(question, HEADS))
    hf = plain_model(model, torch.float64, "eager")
    asked = ask(model, question)
    weights = hf(input_ids=asked.ids, use_cache=False, output_attentions=True).attentions
    for index, head in enumerate(HEADS):
        expected = weights[head.layer][0, head.head].detach().numpy()
        assert np.allclose(maps.clean[index], expected, atol=1e-6)
    assert np.allclose(maps.clean.sum(-1), 1, atol=1e-6)
    assert np.all(np.triu(maps.clean, 1) == 0)


def test_maps_of_the_ablated_run_change_above_the_ablated_layer_only(load, ask_about):
    model, question = load("gpt2"), ask_about("gpt2")
    shown = (HeadId(0, 1), HeadId(2, 1))
    maps = attention_maps(model, AttentionRequest(question, shown, Ablation()))
    assert np.allclose(maps.clean[0], maps.ablated[0])  # a head's own pattern is left alone
    assert np.abs(maps.clean[1] - maps.ablated[1]).max() > 1e-6
    hf = plain_model(model, torch.float64, "eager")
    hf.config.output_attentions = True
    kept = []
    for block in hf.transformer.h:
        block.attn.register_forward_hook(lambda _, args, out: kept.append(out[1]))
    ids = ask(model, question).ids
    oracle.ablated_logits(hf, ids, [(0, 1), (2, 1)], lambda i, c, z, v: 0 * z)
    assert np.allclose(maps.ablated[1], kept[2][0, 1].numpy(), atol=1e-9)


def test_token_facts(load, ask_about):
    model = load("llama")
    facts = token_facts(model, TokenRequest(ask_about("llama", position=3), top=4))
    asked = ask(model, ask_about("llama"))
    assert facts.position == 3 and facts.token == asked.tokens.items[3]
    embedding = model.decoder.hf.get_input_embeddings().weight[facts.token.id]
    assert facts.embedding_norm == pytest.approx(embedding.norm().item())
    logits = model.decoder.hf(input_ids=asked.ids, use_cache=False).logits[0, 3, :61]
    assert [each.token.id for each in facts.top] == logits.topk(4).indices.tolist()
    assert facts.top[0].probability == pytest.approx(logits.softmax(-1).max().item())


def test_role_scores_are_mean_attention_weights(load, ask_about):
    """Worked out again from the patterns of the repeated random tokens."""
    from attention_viz.analysis import roles

    model, question = load("gpt2"), ask_about("gpt2")
    asked = ask(model, question)
    found = head_roles(model, RolesRequest(question))
    ids = roles._repeated_tokens(asked)
    count, first = (ids.shape[1] - 1) // 2, 1
    assert (ids[:, first : first + count] == ids[:, first + count :]).all()
    patterns = [torch.stack(asked.decoder.run(row[None], patterns=True).pattern) for row in ids]
    pattern = torch.cat(patterns, dim=1).mean(1)  # [layer, head, query, key]
    second = range(first + count, first + 2 * count)
    for head in (HeadId(0, 0), HeadId(2, 3)):
        own = pattern[head.layer, head.head]
        scores = dict(found.of(head).scores)
        previous = np.mean([own[i, i - 1] for i in range(2, ids.shape[1])])
        assert scores[Role.PREVIOUS_TOKEN] == pytest.approx(previous, abs=1e-9)
        duplicate = np.mean([own[i, i - count] for i in second])
        assert scores[Role.DUPLICATE_TOKEN] == pytest.approx(duplicate, abs=1e-9)
        induction = np.mean([own[i, i - count + 1] for i in second])
        assert scores[Role.INDUCTION] == pytest.approx(induction, abs=1e-9)
    assert len(found.roles) == 12


def test_the_answer_score_needs_the_answer_in_the_prompt(load, ask_about):
    model = load("gpt2")
    present = ask(model, ask_about("gpt2")).tokens.items[2].id
    absent = next(id for id in range(60) if id not in {t.id for t in ask_tokens(model, ask_about)})
    there = head_roles(model, RolesRequest(ask_about("gpt2", answer=present)))
    weight = attention_maps(model, AttentionRequest(ask_about("gpt2"), (HeadId(1, 1),)))
    expected = weight.clean[0][-1][2]
    assert dict(there.of(HeadId(1, 1)).scores)[Role.ANSWER] == pytest.approx(expected, abs=1e-9)
    missing = head_roles(model, RolesRequest(ask_about("gpt2", answer=absent)))
    assert dict(missing.of(HeadId(1, 1)).scores)[Role.ANSWER] is None


def ask_tokens(model, ask_about):
    return ask(model, ask_about("gpt2")).tokens.items


def test_a_low_score_is_unclear(load, ask_about):
    found = head_roles(load("gpt2"), RolesRequest(ask_about("gpt2"), threshold=1.01))
    assert all(each.role is Role.UNCLEAR for each in found.roles)
    given = head_roles(load("gpt2"), RolesRequest(ask_about("gpt2"), threshold=0.0))
    assert all(each.role is not Role.UNCLEAR for each in given.roles)
