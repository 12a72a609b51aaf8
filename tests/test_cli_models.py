"""The command line on models that are not as they should be: one line, exit code 2, no numbers."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer

from attention_viz.cli import main
from attention_viz.models.loading import load_model
from attention_viz.workbench import Workbench
from tests.models_for_tests import PROMPT, WORDS, save_random_model
from tests.test_cli import MARY, SWAPPED, ask, run  # noqa: F401  fixtures


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return save_random_model("gpt2", tmp_path_factory.mktemp("cli"))


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "mine")


@pytest.fixture
def answer(capsys):
    """answer("sweep", …) → (exit code, stdout, stderr), with models of its own."""

    def call(*argv, make_workbench=Workbench):
        code = main([str(word) for word in argv], make_workbench)
        return code, *capsys.readouterr()

    return call


def lose_a_tensor(folder):
    tensors = load_file(folder / "model.safetensors")
    del tensors["transformer.h.1.mlp.c_fc.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return "missing: transformer.h.1.mlp.c_fc.weight"


def name_a_pickle(folder):
    (folder / "model.safetensors").rename(folder / "x.bin")
    index = {"weight_map": {"transformer.wte.weight": "x.bin"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return "'x.bin', which is no safetensors file"


def claim_a_million_layers(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"n_layer": 1_000_000}))
    return "says 1000000 layers, its files hold 3"


def claim_minus_one_head(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"n_head": -1}))
    return "n_head = -1"


def make_an_adapter(folder):
    (folder / "config.json").rename(folder / "adapter_config.json")
    return "an adapter without its model"


SPOIL = [
    lose_a_tensor,
    name_a_pickle,
    claim_a_million_layers,
    claim_minus_one_head,
    make_an_adapter,
]


@pytest.mark.parametrize("spoil", SPOIL)
def test_a_folder_that_is_refused_is_one_line(answer, folder, spoil):
    said = spoil(folder)
    code, out, err = answer("sweep", "--prompt", PROMPT, "--model", folder, "--json")
    assert (code, out) == (2, "")
    assert err.startswith("error: ") and err.count("\n") == 1 and said in err


def test_models_that_are_refused_say_why_in_the_list(answer, folder):
    said = lose_a_tensor(folder)
    code, out, err = answer("models", "--model", folder, "--test", "--json")
    [found] = [each for each in json.loads(out)["models"] if each["name"] == "mine"]
    assert code == 2 and err == "" and found["passed"] is False and said in found["reason"]


def test_beginning_of_text_where_there_is_none(answer, folder):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.bos_token = None
    tokenizer.save_pretrained(folder)
    code, out, err = answer("tokens", "--prompt", PROMPT, "--model", folder, "--bos")
    assert (code, out) == (2, "") and "no beginning-of-text token" in err and err.count("\n") == 1
    code, out, err = answer("tokens", "--prompt", PROMPT, "--model", folder, "--json")
    read = json.loads(out)
    assert (code, err) == (0, "") and read["bos"] is False and "⟨bos⟩" not in read["tokens"]


def test_padding_is_kept_where_that_is_asked(answer, folder):
    """GPT-2's unembedding with a row more, whose token nothing makes."""
    tensors = load_file(folder / "model.safetensors")
    name = "transformer.wte.weight"
    tensors[name] = torch.cat([tensors[name], 5 * tensors[name].mean(0, keepdim=True)])
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"vocab_size": WORDS + 2}))
    sizes = {}
    for padding in ("drop", "keep"):
        code, out, err = answer(
            *("ablate", "--prompt", PROMPT, "--model", folder, "--heads", "L0H0"),
            *("--top", 500, "--json", "--padding", padding),
        )
        assert (code, err) == (0, "")
        sizes[padding] = len(json.loads(out)["clean"]["top"])
    assert sizes == {"drop": WORDS + 1, "keep": WORDS + 2}


def overflow(entry, **options):
    """The model of that entry, whose second layer writes infinity at the sixth position."""
    model = load_model(entry, **options)

    def spoil(block, args, output):
        if args[0].shape[1] == len(PROMPT.split()) + 1:  # this prompt's runs only
            output[:, 5] = torch.inf
        return output

    model.decoder.blocks[1].register_forward_hook(spoil)
    return model


COMMANDS = {
    "sweep": [],
    "ablate": ["--heads", "L0H0"],
    "search": [],
    "lens": [],
    "circuit": ["--heads", "L0H0,L2H1"],
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("json_too", [[], ["--json"]], ids=["text", "json"])
def test_numbers_that_are_not_finite_are_refused(answer, folder, command, json_too):
    def make(catalogue, *args, **options):
        return Workbench(catalogue, *args, loader=overflow, **options)

    argv = (command, "--prompt", PROMPT, "--model", folder, *COMMANDS[command], *json_too)
    code, out, err = answer(*argv, make_workbench=make)
    assert (code, out) == (2, "") and err.count("\n") == 1
    assert "has inf, first after layer 1 at position 5" in err


MEASURED = {
    "sweep": [],
    "ablate": ["--heads", "L2H3,L3H1"],
    "search": ["--max-heads", "2"],
    "lens": [],
    "circuit": ["--heads", "L2H3,L3H1", "--counterfactual", SWAPPED],
    "look": ["dose", "--heads", "L2H3,L3H1"],
}


@pytest.mark.parametrize("command", MEASURED)
def test_no_list_of_numbers_has_a_null(run, command):  # noqa: F811
    argv, rest = MEASURED[command], []
    if command == "look":
        argv, rest = argv[1:], argv[:1]
    code, out, err = run(command, *rest, "--prompt", MARY, *argv, "--json")
    assert (code, err) == (0, ""), err
    holes = [path for path, values in number_lists(json.loads(out)) if None in values]
    assert holes == []


def number_lists(value, path=""):
    """Every list with a number in it, and where it stands."""
    inner = value.items() if isinstance(value, dict) else ()
    if isinstance(value, list):
        inner = enumerate(value)
        if any(isinstance(each, float) for each in value):
            yield path, value
    for key, each in inner:
        yield from number_lists(each, f"{path}/{key}")
