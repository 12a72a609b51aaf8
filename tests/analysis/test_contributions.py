"""Direct contributions: they sum to the logit difference, and agree with TransformerLens."""

import pytest
import torch
from transformer_lens.model_bridge import TransformerBridge
from transformer_lens.tools.analysis import direct_logit_attribution

from attention_viz.analysis.contributions import direct_contributions
from attention_viz.analysis.question import ask


@pytest.mark.parametrize("name", ["embedded", "gpt2", "llama", "neox"])
@pytest.mark.parametrize("position", [-1, 3])
def test_they_sum_to_the_logit_difference(load, ask_about, name, position):
    asked = ask(load(name), ask_about(name, position=position))
    found = direct_contributions(asked)
    difference = (asked.logits[asked.answer] - asked.logits[asked.distractor]).item()
    # Llama's RMSNorm computes in fp32 whatever the weights are, so its sum is exact to fp32 only.
    exact = 1e-6 if name == "llama" else 1e-9
    assert sum(each.value for each in found) == pytest.approx(difference, abs=exact)
    decoder = asked.decoder
    assert len(found) == 2 + decoder.layers * (decoder.heads + 2)
    assert found[-1].component == "unembedding bias"


@pytest.mark.parametrize("name", ["embedded", "gpt2", "neox"])
def test_heads_agree_with_transformer_lens(load, ask_about, name):
    asked = ask(load(name, torch.float32), ask_about(name))
    bridge = TransformerBridge.boot_transformers(
        asked.decoder.hf.config._name_or_path, device="cpu", dtype=torch.float32
    )
    bridge.enable_compatibility_mode(fold_value_biases=False, center_unembed=False)
    _, cache = bridge.run_with_cache(asked.ids)
    theirs = direct_logit_attribution(
        bridge,
        answer_tokens=asked.answer,
        incorrect_tokens=asked.distractor,
        unit="head",
        pos=asked.position,
        cache=cache,
    )
    expected = dict(zip(theirs.labels, theirs.attribution.flatten().tolist(), strict=True))
    ours = {each.component: each.value for each in direct_contributions(asked)}
    heads = [f"L{i}H{j}" for i in range(asked.decoder.layers) for j in range(asked.decoder.heads)]
    assert max(abs(expected[head]) for head in heads) > 1e-2
    for head in heads:
        assert ours[head] == pytest.approx(expected[head], abs=2e-4)
