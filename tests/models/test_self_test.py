"""Wrong models fail the self-test, each at the equality that is broken."""

import pytest
import torch

from attention_viz.models.loading import load_model
from attention_viz.models.self_test import TOLERANCE, run_self_test
from attention_viz.records.errors import ModelUnavailable
from attention_viz.records.model import ModelEntry
from tests.models_for_tests import ARCHITECTURES, save_random_model


@pytest.fixture
def load(tmp_path):
    def load(architecture="gpt2"):
        folder = save_random_model(architecture, tmp_path)
        return load_model(ModelEntry("mine", str(folder), True), device="cpu")

    return load


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_right_models_pass_by_a_wide_margin(load, architecture):
    checks = load(architecture).info.checks
    assert len(checks) == 6
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
    decoder.blocks[-1].mlp.register_forward_hook(lambda _, args, out: out + args[0].mean(1, True))
    run_self_test(decoder)
    assert decoder.calls_blocks and not decoder.reads_one_position


def test_a_corrupted_slice_of_one_head_is_refused(load, monkeypatch):
    decoder = load().decoder
    right = decoder.output_weights

    def corrupted(layer):
        weights = right(layer).clone()
        if layer == 2:
            weights[1] = weights[1].roll(1, 0)
        return weights

    monkeypatch.setattr(decoder, "output_weights", corrupted)
    with pytest.raises(ModelUnavailable, match="sum to the attention output"):
        run_self_test(decoder)


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
