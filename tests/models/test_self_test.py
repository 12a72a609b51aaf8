"""Wrong models fail the self-test, each at the equality that is broken."""

import copy

import pytest
import torch

from attention_viz.models import attention
from attention_viz.models.decoder import Decoder
from attention_viz.models.loading import load_model
from attention_viz.models.self_test import TOLERANCE, capabilities_of, run_self_test
from attention_viz.models.streams import Streams
from attention_viz.records.errors import BadInput, ModelUnavailable
from attention_viz.records.model import ModelEntry
from tests.models_for_tests import ARCHITECTURES, save_random_model
from tests.random_families import build


@pytest.fixture
def load(tmp_path):
    def load(architecture="gpt2"):
        folder = save_random_model(architecture, tmp_path)
        return load_model(ModelEntry("mine", str(folder), True), device="cpu")

    return load


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_right_models_pass_by_a_wide_margin(load, architecture):
    checks = load(architecture).info.checks
    assert len(checks) == 11
    assert all(check.error < TOLERANCE / 50 for check in checks)


def test_blocks_that_depend_on_more_than_their_arguments_are_not_called(load):
    decoder = load().decoder
    shared = []  # what the embedding hands to the second block behind the arguments' back
    decoder.embedding.register_forward_hook(lambda *_: shared.append(0.1))
    decoder.blocks[1].register_forward_hook(
        lambda _, args, out: out * (1 + (shared.pop() if shared else 0))
    )
    claims = [check.claim for check in run_self_test(decoder)]
    assert not decoder.calls_blocks and not decoder.reads_one_position
    assert not any("blocks" in claim for claim in claims)


def test_a_last_block_that_mixes_positions_after_attention_is_called_whole(load):
    decoder = load().decoder
    decoder.blocks[-1].mlp.register_forward_hook(lambda _, args, out: out + args[0].cumsum(1))
    run_self_test(decoder)
    assert decoder.calls_blocks and not decoder.reads_one_position


def lacking(decoder):
    """Why parts are refused, by name."""
    found = capabilities_of(decoder, BadInput("Not asked.", "Ask."))
    return {each.name: each.reason for each in found if each.reason and each.name != "edges"}


def test_a_corrupted_slice_of_one_head_is_no_sum(load, monkeypatch):
    decoder = load().decoder
    right = decoder.output_weights

    def corrupted(layer):
        weights = right(layer).clone()
        if layer == 2:
            weights[1] = weights[1].roll(1, 0)
        return weights

    monkeypatch.setattr(decoder, "output_weights", corrupted)
    claims = [check.claim for check in run_self_test(decoder)]
    assert not any("head results" in claim for claim in claims)
    assert "head results, bias and MLP output" in lacking(decoder)["contributions"]
    with pytest.raises(BadInput, match="head results, bias and MLP output"):
        Streams(decoder)


def test_an_mlp_that_reaches_the_stream_in_another_way_is_no_sum(load):
    """What the MLP writes is told by itself, not as what is left of the step."""
    hf = load().decoder.hf
    for block in hf.transformer.h:
        block.register_forward_hook(lambda module, args, out: 1.1 * out)
    assert "not simply added" in lacking(checked(hf))["contributions"]


def test_a_factor_is_measured(load):
    """Whatever the configuration says of it."""
    hf = load("llama").decoder.hf
    for layer, block in enumerate(hf.model.layers):
        block.self_attn.register_forward_hook(
            lambda module, args, out, layer=layer: ((2 + layer) * out[0], *out[1:])
        )
    decoder = checked(hf)
    assert decoder.need_writes().factors == pytest.approx([2, 3, 4], rel=1e-6)
    assert not lacking(decoder)
    Streams(decoder)


def test_maps_that_are_not_what_heads_use_are_refused(load, monkeypatch):
    decoder = load().decoder
    own = attention._own_eager

    def wrong(module):
        def eager(*args, **options):
            z, weights = own(module)(*args, **options)
            return z, weights.flip(-1)

        return eager

    monkeypatch.setattr(attention, "_own_eager", wrong)
    run_self_test(decoder)
    assert list(lacking(decoder)) == ["maps"]
    with pytest.raises(BadInput, match="not what its heads use"):
        decoder.need_attention("Maps")


def test_windows_are_tested_and_left_as_they_were():
    """A mask that is right for prompts shorter than the window only."""
    hf = copy.deepcopy(build("mistral"))
    hf.config.sliding_window = 50
    seen = []
    hf.model.layers[0].register_forward_pre_hook(
        lambda _, args, kwargs: seen.append(kwargs["attention_mask"]), with_kwargs=True
    )
    checked(hf)
    assert hf.config.sliding_window == 50
    assert any(mask is not None and not mask[0, 0, -1].all() for mask in seen)


def test_rows_of_one_call_may_differ(load):
    """One row per call would not see that they are mixed up."""
    decoder = load().decoder
    decoder.blocks[1].register_forward_hook(lambda _, args, out: out + 0.1 * out.mean(0))
    run_self_test(decoder)
    assert not decoder.calls_blocks


def test_what_a_configuration_asks_of_the_outputs_does_not_matter():
    hf = copy.deepcopy(build("llama"))
    hf.config.return_dict = False
    hf.config.use_cache = True
    hf.config.output_attentions = False
    assert not lacking(checked(hf))


def checked(hf):
    decoder = Decoder(hf)
    run_self_test(decoder)
    return decoder


def test_an_intervention_that_changes_the_clean_run_is_refused(load, monkeypatch):
    decoder = load().decoder
    right = decoder.run

    def wrong(ids, *, edit=None, **options):
        return right(ids, edit=edit and (lambda *z: edit(*z).flip(2)), **options)

    monkeypatch.setattr(decoder, "run", wrong)
    with pytest.raises(ModelUnavailable, match="self-test"):
        run_self_test(decoder)


def test_attention_that_is_not_heard_is_refused(load):
    decoder = load().decoder
    decoder.hf.set_attn_implementation("sdpa")
    with pytest.raises(ModelUnavailable, match="0 of 3 attention layers"):
        run_self_test(decoder)


def test_a_bias_that_is_not_the_models_own_is_refused(load, monkeypatch):
    decoder = load().decoder
    monkeypatch.setattr(decoder, "output_bias", lambda layer: torch.ones(decoder.d_model))
    with pytest.raises(ModelUnavailable, match="bias"):
        run_self_test(decoder)
