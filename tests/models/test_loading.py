"""Only what the catalogue lists is loaded, only from safetensors, and what fails says why."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from attention_viz.models.catalogue import Catalogue
from attention_viz.models.loading import choose_device, load_model
from attention_viz.records.errors import BadInput, ModelUnavailable
from attention_viz.records.model import ModelEntry
from attention_viz.records.pace import Pace
from tests.models_for_tests import ARCHITECTURES, save_random_model


@pytest.fixture
def folder(tmp_path):
    """A copy of a random GPT-2 that a test may spoil."""
    source = save_random_model("gpt2", tmp_path / "saved")
    return shutil.copytree(source, tmp_path / "copy")


def load(folder):
    return load_model(ModelEntry("mine", str(folder), True), device="cpu")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_local_folders_of_three_architectures(tmp_path, architecture):
    model = load(save_random_model(architecture, tmp_path))
    info = model.info
    assert (info.layers, info.heads, info.d_head, info.vocabulary) == (3, 4, 8, 61)
    assert info.key_value_heads == (2 if architecture == "llama" else 4)
    assert info.dtype == "float32" and info.device == "cpu"
    assert info.prepends_bos == (architecture != "neox")  # as TransformerLens does


def test_a_folder_given_on_the_command_line_is_named_after_itself(folder):
    catalogue = Catalogue.standard([str(folder)])
    names = [entry.name for entry in catalogue.entries]
    assert names == [*(entry.name for entry in Catalogue.standard().entries), "copy"]
    assert catalogue.entry("copy").is_local
    twice = Catalogue.standard([str(folder), str(save_random_model("gpt2", folder / "copy"))])
    assert len({entry.name for entry in twice.entries}) == len(catalogue.entries) + 1


def test_only_names_on_the_list_are_served(folder):
    for name in (str(folder), "../x", "EleutherAI/pythia-70m", ""):
        with pytest.raises(BadInput, match="not on this server's list"):
            Catalogue.standard().entry(name)


def test_folders_without_a_model_are_refused(tmp_path):
    with pytest.raises(BadInput, match="no config.json"):
        Catalogue.standard([str(tmp_path)])
    with pytest.raises(BadInput, match="no folder"):
        Catalogue.standard([str(tmp_path / "missing")])


def test_pickles_are_not_read(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelUnavailable, match="no safetensors"):
        load(folder)


def test_a_missing_tokenizer_is_said(folder):
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").unlink()
    with pytest.raises(ModelUnavailable, match="tokenizer"):
        load(folder)


def test_broken_weights_and_strange_architectures_are_said(folder):
    (folder / "model.safetensors").write_bytes(b"nonsense")
    with pytest.raises(ModelUnavailable, match="'model.safetensors' of 'mine' can't be read"):
        load(folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "nothing-known", "auto_map": {"AutoModelForCausalLM": "evil.Model"}}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelUnavailable) as caught:
        load(folder)
    assert caught.value.remedy


def test_a_hub_that_cannot_be_reached_is_said(monkeypatch):
    import huggingface_hub

    def refuse(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    told = []
    with pytest.raises(ModelUnavailable, match="could not be fetched") as caught:
        load_model(ModelEntry("far/away", "far/away", False), report=told.append)
    assert "--model FOLDER" in caught.value.remedy and "far/away" in str(caught.value)
    assert any("far/away" in text for text in told)


def test_models_loaded_at_once_do_not_spoil_each_other(tmp_path):
    folders = [save_random_model(each, tmp_path) for each in ARCHITECTURES] * 3
    with ThreadPoolExecutor(len(folders)) as pool:
        models = list(pool.map(load, folders))
    assert [m.info.architecture for m in models[:3]] == [m.info.architecture for m in models[3:6]]


def test_devices():
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device("auto").type in ("cpu", "cuda", "mps")
    with pytest.raises(BadInput, match="no device"):
        choose_device("tpu")


def test_readers_are_told_apart_while_nobody_else_runs_the_model(workbench, monkeypatch):
    """Later it would be beside other people's runs: the hooks of one would change the other."""
    workbench.wait("embedded")
    model = workbench._ready("embedded", Pace()).model
    monkeypatch.setattr(model.decoder, "run", None)
    monkeypatch.setattr(model.decoder, "run_blocks", None)
    assert model.streams.graph.layers == model.info.layers
