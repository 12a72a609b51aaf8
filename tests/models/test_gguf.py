"""A model out of a GGUF file is the model that was written, or it is refused."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from attention_viz.models import cache, gguf
from attention_viz.models.catalogue import Catalogue
from attention_viz.models.gguf import read_gguf
from attention_viz.models.loading import load_model
from attention_viz.records.errors import BadInput, ModelUnavailable
from attention_viz.records.model import ModelEntry
from tests.gguf_for_tests import by_hand, gguf_tensors, pair_rows, random_llama, write_gguf

IDS = torch.tensor([[1, 40, 90, 41, 200, 60, 61]])


@pytest.fixture(scope="module")
def hf():
    return random_llama()


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """A cache that nobody else has."""
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def file(tmp_path, hf):
    return write_gguf(tmp_path / "small.gguf", hf)


def load(file, **more):
    return load_model(ModelEntry("small", str(file), True, is_gguf=True, **more), device="cpu")


def test_the_weights_are_those_written(file, hf):
    read = read_gguf(file)
    wanted = dict(hf.named_parameters())
    assert read.weights.keys() == wanted.keys()
    assert all(torch.equal(read.weights[name], wanted[name]) for name in wanted)


def test_the_loaded_model_gives_the_same_logits(file, hf, own_cache):
    model = load(file)
    with torch.no_grad():
        assert torch.equal(model.decoder.hf(input_ids=IDS).logits, hf(input_ids=IDS).logits)
    assert (model.info.layers, model.info.heads, model.info.key_value_heads) == (2, 4, 2)
    assert model.info.context == 64 and model.info.checks


def test_four_bits_are_unpacked_as_they_were_written(tmp_path, hf):
    read = read_gguf(write_gguf(tmp_path / "q4_1.gguf", hf, quantized=True))
    for name, weight in hf.named_parameters():
        plain = weight.detach().numpy()
        if plain.ndim == 2:  # what shares a step lies in one row, so rows may be in any order
            np.testing.assert_array_equal(read.weights[name].numpy(), by_hand(plain), name)
        else:
            np.testing.assert_array_equal(read.weights[name].numpy(), plain, name)


def test_rows_of_queries_are_put_back_in_order():
    """By hand: two halves of three become three pairs."""
    rows = np.arange(6.0)[:, None]
    assert pair_rows(rows, 1)[:, 0].tolist() == [0, 3, 1, 4, 2, 5]


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"metadata": {"tokenizer.ggml.pre": "tekken"}}, "'tekken'"),
        ({"metadata": {"llama.rope.scaling.type": "yarn"}}, "scaled by 'yarn'"),
        ({"architecture": "qwen2"}, "architecture 'qwen2'"),
        ({"changes": {"blk.1.ffn_up.weight": None}}, "model.layers.1.mlp.up_proj.weight"),
        ({"changes": {"rope_freqs.weight": np.ones(8, np.float32)}}, "1 without a place"),
        ({"changes": {"blk.0.attn_norm.weight": np.ones(32, np.float32)}}, "input_layernorm"),
    ],
)
def test_what_would_be_left_out_or_guessed_is_refused(tmp_path, hf, how, reason):
    with pytest.raises(ModelUnavailable, match=reason) as caught:
        read_gguf(write_gguf(tmp_path / "odd.gguf", hf, **how))
    assert caught.value.remedy


def test_a_file_that_is_none_or_another_is_refused(tmp_path, file, own_cache):
    nonsense = tmp_path / "nonsense.gguf"
    nonsense.write_bytes(b"GGUF" + b"\0" * 99)
    with pytest.raises(ModelUnavailable, match="can't be read as GGUF"):
        load(nonsense)
    with pytest.raises(ModelUnavailable, match="damaged") as caught:
        load(file, sha256="0" * 64)
    assert "requirements-smollm2.txt" in caught.value.remedy
    with pytest.raises(ModelUnavailable, match="can't be read"):
        load(tmp_path / "gone.gguf")
    assert not list(own_cache.glob("*"))


def test_a_file_can_be_named_on_the_command_line(file, tmp_path):
    entry = Catalogue.standard([str(file)]).entry("small")
    assert (entry.is_gguf, entry.place, entry.source) == (True, "GGUF file", str(file))
    with pytest.raises(BadInput, match="no folder or GGUF file"):
        Catalogue.standard([str(tmp_path / "missing.gguf")])
    with pytest.raises(BadInput, match="no folder or GGUF file"):
        Catalogue.standard(["missing.gguf"])


# The cache


def test_the_second_start_reads_what_the_first_has_kept(file, own_cache, monkeypatch):
    first = load(file)
    monkeypatch.setattr(gguf, "read_gguf", None)
    second = load(file)
    assert all(
        torch.equal(one, other)
        for one, other in zip(
            first.decoder.hf.parameters(), second.decoder.hf.parameters(), strict=True
        )
    )
    assert first.vocabulary.tokenize("hi 12") == second.vocabulary.tokenize("hi 12")


@pytest.mark.parametrize("part", ["model.safetensors", "tokenizer.json", "config.json"])
def test_what_was_changed_since_is_made_again(file, own_cache, hf, part):
    load(file)
    (folder,) = own_cache.iterdir()
    whole = (folder / part).read_bytes()
    spoiled = bytearray(whole)
    spoiled[len(spoiled) // 2] ^= 1
    for damage in (bytes(spoiled), whole[: len(whole) // 2], None):
        (folder / part).unlink()
        if damage is not None:
            (folder / part).write_bytes(damage)
        model = load(file)
        with torch.no_grad():
            assert torch.equal(model.decoder.hf(input_ids=IDS).logits, hf(input_ids=IDS).logits)
        assert (folder / part).read_bytes() == whole
        assert list(own_cache.iterdir()) == [folder], "nothing is left behind"


def test_another_file_of_the_same_name_is_another_model(file, own_cache, hf):
    load(file)
    changed = gguf_tensors(hf)["output_norm.weight"] * 2
    write_gguf(file, hf, changes={"output_norm.weight": changed})
    assert torch.equal(load(file).decoder.hf.model.norm.weight, torch.from_numpy(changed))
    assert len(list(own_cache.iterdir())) == 2


def test_a_cache_that_cannot_be_written_is_done_without(file, tmp_path, monkeypatch, hf):
    (tmp_path / "taken").write_text("a file, where a folder should be")
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "taken"))
    told = []
    entry = ModelEntry("small", str(file), True, is_gguf=True)
    model = load_model(entry, device="cpu", report=told.append)
    with torch.no_grad():
        assert torch.equal(model.decoder.hf(input_ids=IDS).logits, hf(input_ids=IDS).logits)
    assert any("can't keep" in text for text in told)


def test_people_see_how_far_it_is(file, own_cache):
    told = []
    entry = ModelEntry("small", str(file), True, is_gguf=True)
    load_model(entry, device="cpu", report=told.append)
    assert "unpacking 3 of 20 tensors" in told


def test_models_unpacked_at_once_do_not_spoil_each_other(file, own_cache, hf):
    with ThreadPoolExecutor(4) as pool:
        models = list(pool.map(load, [file] * 4))
    with torch.no_grad():
        for model in models:
            assert torch.equal(model.decoder.hf(input_ids=IDS).logits, hf(input_ids=IDS).logits)
    assert len(list(own_cache.iterdir())) == 1
