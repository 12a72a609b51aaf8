"""The logit lens: its last row is the model itself, and it agrees with TransformerLens."""

import numpy as np
import pytest
import torch
from transformer_lens.model_bridge import TransformerBridge
from transformer_lens.tools.analysis import logit_lens as their_lens

from attention_viz.analysis.ablation import ablate
from attention_viz.analysis.lens import logit_lens
from attention_viz.analysis.question import ask
from attention_viz.records.ablation import Ablation, AblationRequest
from attention_viz.records.errors import BadInput
from attention_viz.records.ids import HeadId
from attention_viz.records.lens import LensRequest

HEADS = (HeadId(0, 1), HeadId(1, 2))


@pytest.mark.parametrize("name", ["embedded", "gpt2", "llama", "neox"])
def test_the_last_row_is_the_model(load, ask_about, name):
    model, question = load(name), ask_about(name)
    lens = logit_lens(model, LensRequest(question, top=3))
    asked = ask(model, question)
    logits = model.decoder.hf(input_ids=asked.ids, use_cache=False).logits[0]
    expected = logits[:, : asked.vocabulary.size].softmax(-1)
    best = expected.topk(3)
    assert np.allclose(lens.probability[-1], best.values, atol=1e-9)
    ids = [[token.id for token in cell] for cell in lens.top[-1]]
    assert ids == best.indices.tolist()
    assert np.allclose(lens.answer_probability[-1], expected[:, asked.answer], atol=1e-9)
    entropy = -(expected * expected.log()).sum(-1)
    assert np.allclose(lens.entropy[-1], entropy, atol=1e-9)
    assert lens.rows[0] == "embed" and len(lens.rows) == asked.decoder.layers + 1


def test_the_ablated_lens_ends_in_the_ablated_prediction(load, ask_about):
    model, question = load("gpt2"), ask_about("gpt2")
    lens = logit_lens(model, LensRequest(question, heads=HEADS, ablation=Ablation()))
    ablated = ablate(model, AblationRequest(question, HEADS)).ablated
    at = lens.position
    assert lens.top[-1][at][0] == ablated.top[0].token
    assert lens.probability[-1, at, 0] == pytest.approx(ablated.top[0].probability, abs=1e-9)
    clean = logit_lens(model, LensRequest(question))
    assert np.allclose(lens.probability[0], clean.probability[0])  # nothing changes before layer 0


@pytest.mark.parametrize("name", ["gpt2", "neox"])
def test_agrees_with_transformer_lens(load, ask_about, name):
    model, question = load(name, torch.float32), ask_about(name)
    lens = logit_lens(model, LensRequest(question, top=4))
    asked = ask(model, question)
    bridge = TransformerBridge.boot_transformers(
        model.decoder.hf.config._name_or_path, device="cpu", dtype=torch.float32
    )
    theirs = their_lens(bridge, asked.ids, positions=None).values
    expected = theirs.reshape(-1, len(asked.tokens), theirs.shape[-1]).softmax(-1).topk(4).values
    assert expected.shape == lens.probability.shape
    assert np.allclose(lens.probability, expected.numpy(), atol=1e-4)


def test_where_the_prediction_settles(load, ask_about):
    lens = logit_lens(load("gpt2"), LensRequest(ask_about("gpt2")))
    tops = [row[lens.position][0].id for row in lens.top]
    assert all(top == tops[-1] for top in tops[lens.settles :])
    assert lens.settles == 0 or tops[lens.settles - 1] != tops[-1]


def test_bad_requests_are_refused(load, ask_about):
    with pytest.raises(BadInput, match="No heads"):
        logit_lens(load("gpt2"), LensRequest(ask_about("gpt2"), ablation=Ablation()))
    with pytest.raises(BadInput, match="1 or more"):
        logit_lens(load("gpt2"), LensRequest(ask_about("gpt2"), top=0))
