"""The main journey on a real language model, on the command line."""

import io
import json
import sys
import xml.etree.ElementTree as ElementTree

import pytest

from attention_viz.cli import main
from attention_viz.workbench import Workbench

MARY = "When Mary and John went to the store, John gave a drink to"
SWAPPED = "When Mary and John went to the store, Mary gave a drink to"


@pytest.fixture
def ask(smollm2, monkeypatch):
    """ask(*words) → the JSON of `main.py COMMAND … --model smollm2 --json`."""
    benches = []

    def make(catalogue, device, threads, **more):
        assert catalogue.entry("smollm2").is_gguf
        benches.append(Workbench(catalogue, device, loader=lambda *_a, **_b: smollm2))
        return benches[0]

    def run(command, *options, code=0):
        out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
        monkeypatch.setattr(sys, "stdout", out)
        words = [command, "--model", "smollm2", "--device", "cpu", *map(str, options), "--json"]
        assert main(words, make) == code
        out.seek(0)
        return json.loads(out.read(), parse_constant=pytest.fail)

    yield run
    for bench in benches:
        bench.close()


def test_from_the_prompt_to_a_circuit_in_files(ask, tmp_path):
    swept = ask("sweep", "--prompt", MARY)
    assert swept["answer"]["token"] == " Mary" and len(swept["tokens"]) == 15
    assert [len(layer) for layer in swept["effect"]] == [9] * 30
    tops = [token["token"] for layer in swept["top"] for token in layer]
    assert " John" not in tops, "no single head flips it"

    flip = ask("search", "--prompt", MARY, "--flip-to", " John", "--strategy", "greedy")
    assert flip["flipped"] and 2 <= len(flip["heads"]) <= 4
    ablated = ask("ablate", "--prompt", MARY, "--heads", ",".join(flip["heads"]))
    assert ablated["ablated"]["top"][0]["token"] == " John"

    files = [tmp_path / name for name in ("circuit.svg", "circuit.json")]
    pair = ("--prompt", MARY, "--counterfactual", SWAPPED)
    circuit = ask("circuit", *pair, "--edges", 40, "--out", *files)
    assert circuit["edges"] and circuit["faithfulness"] > 0.3
    assert ElementTree.parse(files[0]).getroot().tag.endswith("svg")
    saved = json.loads(files[1].read_text(encoding="utf-8"))
    assert ends(circuit) <= ends(saved)


def test_a_question_to_the_assistant(ask):
    capital = ("--prompt", "What is the capital of France?", "--chat")
    read = ask("tokens", *capital)
    assert read["chat"] is True and read["tokens"][0] == "<|im_start|>"
    assert read["position"] == len(read["tokens"]) - 1
    answered = ask("lens", *capital)
    assert answered["chat"] is True


def ends(circuit):
    return {(edge["source"], edge["target"], edge["via"]) for edge in circuit["edges"]}
