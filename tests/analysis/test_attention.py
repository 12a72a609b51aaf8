"""Maps are the model's own patterns."""

import numpy as np
import pytest
import torch

from attention_viz.analysis.attention import attention_maps, token_facts
from attention_viz.analysis.question import ask
from attention_viz.records.ablation import Ablation
from attention_viz.records.attention import AttentionRequest, TokenRequest
from attention_viz.records.ids import HeadId
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
