"""Scripts are run: what TransformerLens recomputes is what was measured."""

import ast
import subprocess
import sys
from dataclasses import replace
from functools import cache

import pytest

from attention_viz.analysis.circuits.circuit import measure_circuit
from attention_viz.analysis.circuits.cut import measure_cut, measure_edges
from attention_viz.analysis.circuits.faithfulness import measure_faithfulness
from attention_viz.analysis.circuits.pairs import read_pairs
from attention_viz.exports import script_parts
from attention_viz.exports.script import script_of
from attention_viz.models.cache import VARIABLE
from attention_viz.models.catalogue import Catalogue
from attention_viz.models.loading import load_model
from attention_viz.records.ablation import Ablation, AblationKind
from attention_viz.records.circuits.attribution import (
    EDGE_ABLATIONS,
    AttributionRequest,
    Direction,
    Method,
    Points,
)
from attention_viz.records.circuits.circuit import CircuitRequest, CutRequest, EdgesRequest
from attention_viz.records.circuits.faithfulness import FaithfulnessRequest
from attention_viz.records.circuits.fit import fit_edges
from attention_viz.records.circuits.pairs import Pair, PairsRequest
from attention_viz.records.circuits.replacing import InputPart, MeanOver, Replacing
from attention_viz.records.errors import BadInput
from attention_viz.records.ids import parse_heads
from attention_viz.records.model import EMBEDDED, ModelEntry
from attention_viz.records.question import Question
from tests.builders import ALL_ABLATIONS, NASTY, circuit_of, tokens_of
from tests.gguf_for_tests import TEMPLATE, random_llama, write_gguf
from tests.models_for_tests import COUNTERFACTUAL, PROMPT, save_random_model

HEADS = parse_heads("L0H1, L0H3, L1H2, L2H0")
MARY = "When Mary and John went to the store, John gave a drink to"
MARY_COUNTERFACTUAL = "When Mary and John went to the store, Mary gave a drink to"
CLOSE = 1e-6  # logits; fp32 on both sides


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    """load(name) → (model, folder), each once."""
    root = tmp_path_factory.mktemp("models")

    @cache
    def load_once(name):
        entry = Catalogue.standard().entry(EMBEDDED)
        if name != EMBEDDED:
            entry = ModelEntry(name, str(save_random_model(name, root)), True)
        return load_model(entry, device="cpu"), entry.source

    return load_once


def run(script, capsys):
    """The script's names after it ran, in this process: booting is quick once torch is there."""
    names = {"__name__": "__main__"}
    exec(compile(script, "script", "exec"), names)  # noqa: S102
    assert "largest difference" in capsys.readouterr().out
    return names


def assert_recomputed(script, capsys, circuit, *, others, close=CLOSE):
    """Every edge and `others` were compared, nothing is off, and there was something to see."""
    names = run(script, capsys)
    assert len(names["differences"]) == len(circuit.causal_edges) + others
    assert max(names["differences"]) < close
    assert max(abs(edge.value) for edge in circuit.causal_edges) > 20 * close


ABLATIONS = [
    Ablation(),
    Ablation(AblationKind.SCALE, scale=-0.5),
    Ablation(AblationKind.MEAN),
    Ablation(AblationKind.MEAN, references=("w3 w4 w5", "w6 w7 w8 w9")),
    Ablation(AblationKind.MEAN, references=("w3 w4 w5 w6 w7 w8 w9 w1", COUNTERFACTUAL)),
    Ablation(AblationKind.PERMUTE, seed=3),
    Ablation(AblationKind.PERMUTE, seed=3, positions=(2, -1, 5)),
    Ablation(AblationKind.SPARSIFY, threshold=0.1),
    Ablation(AblationKind.UNIFORM),
    Ablation(AblationKind.UNIFORM, positions=(3, 8)),
]


WITH_COUNTERFACTUAL = [Ablation(AblationKind.RESAMPLE, positions=(5, 7)), Ablation()]


def test_every_kind_has_its_pieces_and_is_run():
    assert set(script_parts.EDITS) == set(AblationKind)
    assert set(script_parts.EDITS_BY_REFERENCES) == {k for k in AblationKind if k.takes_references}
    assert set(script_parts.REPLACED) == set(EDGE_ABLATIONS)
    run_here = {ablation.kind for ablation in (*ABLATIONS, *WITH_COUNTERFACTUAL)}
    assert run_here == set(AblationKind)


@pytest.mark.parametrize("ablation", ALL_ABLATIONS, ids=lambda each: each.label)
def test_a_script_of_every_kind_and_setting_compiles(ablation):
    circuit = circuit_of()
    question = replace(circuit.request.question, counterfactual="x")
    request = replace(circuit.request, ablation=ablation, question=question)
    script = script_of(replace(circuit, request=request), "gpt2")
    compile(script, "script", "exec")
    edit = script.partition("POSITIONS = ")[2].partition("def at_positions")[0]
    for value in ablation.settings.values():
        assert repr(value) in edit


@pytest.mark.parametrize("ablation", ABLATIONS, ids=lambda each: each.label)
def test_chosen_heads_without_counterfactual(load, capsys, ablation):
    model, folder = load("gpt2")
    circuit = measure_circuit(model, CircuitRequest(Question("gpt2", PROMPT), HEADS, ablation))
    assert_recomputed(script_of(circuit, folder), capsys, circuit, others=2)


@pytest.mark.parametrize("ablation", WITH_COUNTERFACTUAL, ids=lambda each: each.label)
@pytest.mark.parametrize("name", ["gpt2", "llama", "neox"])
def test_chosen_heads_with_counterfactual(load, capsys, name, ablation):
    model, folder = load(name)
    question = Question(name, PROMPT, counterfactual=COUNTERFACTUAL)
    circuit = measure_circuit(model, CircuitRequest(question, HEADS, ablation))
    assert_recomputed(script_of(circuit, folder), capsys, circuit, others=2)


SCORES = [
    AttributionRequest(PairsRequest(Question("", "")), Method.EAP_IG, steps=3),
    AttributionRequest(PairsRequest(Question("", "")), Method.EAP_IG, 3, points=Points.LEFT),
    AttributionRequest(PairsRequest(Question("", "")), Method.EAP_IG, 3, points=Points.MID),
    AttributionRequest(PairsRequest(Question("", "")), Method.EAP),
    AttributionRequest(PairsRequest(Question("", "")), Method.EAP, direction=Direction.DENOISE),
    AttributionRequest(PairsRequest(Question("", "")), Method.EAP, ablation=AblationKind.ZERO),
    AttributionRequest(PairsRequest(Question("", "")), Method.EAP, ablation=AblationKind.MEAN),
    *(
        AttributionRequest(
            PairsRequest(Question("", "")),
            Method.EAP,
            ablation=kind,
            replacing=Replacing(InputPart.TOKEN),
        )
        for kind in (AblationKind.ZERO, AblationKind.MEAN)
    ),
]


def pair_request(name):
    return PairsRequest(Question(name, PROMPT, counterfactual=COUNTERFACTUAL))


@pytest.mark.parametrize("scores", SCORES, ids=lambda each: each.label)
def test_cut_circuits(load, capsys, scores):
    model, folder = load("gpt2")
    patched = 0 if scores.direction is Direction.DENOISE else 3  # patching is not denoising
    request = CutRequest(replace(scores, pairs=pair_request("gpt2")), edges=20, exact_top=patched)
    circuit = measure_cut(model, request)
    assert_recomputed(script_of(circuit, folder), capsys, circuit, others=1)


@pytest.mark.parametrize("name", ["llama", "neox"])
def test_cut_circuits_of_other_architectures(load, capsys, name):
    model, folder = load(name)
    pairs = pair_request(name)
    circuit = measure_cut(model, CutRequest(AttributionRequest(pairs), edges=30, exact_top=10))
    kept = measure_faithfulness(model, faithfulness_request(model, circuit, pairs))
    script = script_of(circuit, folder, faithfulness=kept)
    names = run(script, capsys)
    assert len(names["differences"]) == len(circuit.edges) + 4
    gap = abs(kept.full - kept.empty)
    assert max(names["differences"]) < CLOSE / min(gap, 1)


def test_a_chat_is_wrapped_by_the_script_too(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    file = write_gguf(
        tmp_path / "chat.gguf", random_llama(), metadata={"tokenizer.chat_template": TEMPLATE}
    )
    model = load_model(ModelEntry("chat", str(file), True, is_gguf=True), device="cpu")
    question = Question("chat", "hi 12", counterfactual="hi 34", chat=True)
    mean = Ablation(AblationKind.MEAN, references=("hi 1", "hi 3"))
    request = CircuitRequest(question, parse_heads("L0H1, L1H2"), mean)
    circuit = measure_circuit(model, request)
    names = run(script_of(circuit, model.info.folder), capsys)
    assert max(names["differences"]) < CLOSE
    typed = replace(request, question=replace(question, prompt="<|end|> 12", counterfactual=None))
    circuit = measure_circuit(model, typed)
    with pytest.raises(SystemExit, match="other tokens"):
        run(script_of(circuit, model.info.folder), capsys)
    with pytest.raises(BadInput, match="could not be kept"):
        script_of(circuit, "")


def faithfulness_request(model, circuit, pairs, **changes):
    edges = fit_edges((edge.id for edge in circuit.edges), model.streams.graph)
    return FaithfulnessRequest(pairs, edges, circuit.request.ablation.kind, **changes)


@pytest.mark.parametrize("kind", [AblationKind.RESAMPLE, AblationKind.MEAN, AblationKind.ZERO])
@pytest.mark.parametrize("with_mlps", [True, False], ids=["with MLPs", "heads only"])
def test_faithfulness(load, capsys, kind, with_mlps):
    model, folder = load(EMBEDDED)
    pairs = PairsRequest(Question(EMBEDDED, MARY, counterfactual=MARY_COUNTERFACTUAL))
    scores = AttributionRequest(pairs, Method.EAP, ablation=kind)
    circuit = measure_cut(model, CutRequest(scores, edges=80, with_mlps=with_mlps))
    asked = faithfulness_request(model, circuit, pairs, keeps_mlps=not with_mlps)
    found = measure_faithfulness(model, asked)
    script = script_of(circuit, folder, faithfulness=found)
    assert_recomputed(script, capsys, circuit, others=4, close=1e-3)
    assert abs(found.measured.metric - found.empty) > 0.02  # the circuit does something


@pytest.mark.parametrize(
    "replacing",
    [
        Replacing(InputPart.TOKEN),
        Replacing(mean=MeanOver.POSITION),
        Replacing(InputPart.TOKEN, MeanOver.POSITION),
    ],
    ids=lambda each: each.label(AblationKind.MEAN),
)
def test_what_is_replaced_is_in_the_script(load, capsys, replacing):
    model, folder = load(EMBEDDED)
    given = (Pair(MARY, MARY_COUNTERFACTUAL, " Mary", " John"),)
    given += (Pair(MARY_COUNTERFACTUAL, MARY, " John", " Mary"),)
    pairs = PairsRequest(Question(EMBEDDED, ""), given=given)
    scores = AttributionRequest(pairs, Method.EAP, ablation=AblationKind.MEAN, replacing=replacing)
    circuit = measure_cut(model, CutRequest(scores, edges=60, exact_top=3))
    asked = faithfulness_request(model, circuit, pairs, replacing=replacing)
    found = measure_faithfulness(model, asked)
    script = script_of(circuit, folder, pairs=read_pairs(model, pairs), faithfulness=found)
    assert_recomputed(script, capsys, circuit, others=4, close=1e-3)


def test_pairs_of_several_lengths(load, capsys):
    model, folder = load(EMBEDDED)
    short, other = (
        "Mary and John met. John gave a drink to",
        "Mary and John met. Mary gave a drink to",
    )
    given = (
        Pair(MARY, MARY_COUNTERFACTUAL, " Mary", " John"),
        Pair(short, other, " Mary", " John"),
        Pair(other, short, " John", " Mary"),
    )
    pairs = PairsRequest(Question(EMBEDDED, ""), given=given)
    scores = AttributionRequest(pairs, Method.EAP_IG, steps=2)
    circuit = measure_cut(model, CutRequest(scores, edges=12, exact_top=4))
    found = read_pairs(model, pairs)
    script = script_of(circuit, folder, pairs=found)
    assert_recomputed(script, capsys, circuit, others=1, close=1e-4)
    with pytest.raises(BadInput, match="3 prompt pairs"):
        script_of(circuit, folder)


def test_given_edges(load, capsys):
    model, folder = load("gpt2")
    pairs = pair_request("gpt2")
    cut = measure_cut(model, CutRequest(AttributionRequest(pairs), edges=15))
    edges = tuple(edge.id for edge in cut.edges)
    circuit = measure_edges(model, EdgesRequest(pairs, edges, AblationKind.MEAN))
    assert_recomputed(script_of(circuit, folder), capsys, circuit, others=1)


def test_a_script_stands_alone(load, tmp_path):
    """In a fresh process, on the embedded model, as somebody who saved it would run it."""
    model, folder = load(EMBEDDED)
    question = Question(EMBEDDED, MARY, counterfactual=MARY_COUNTERFACTUAL)
    heads = parse_heads("L0H0, L1H3, L2H5, L3H1")
    circuit = measure_circuit(model, CircuitRequest(question, heads, Ablation(AblationKind.MEAN)))
    file = tmp_path / "circuit.py"
    file.write_text(script_of(circuit, folder), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(file)], capture_output=True, text=True, cwd=tmp_path, timeout=600
    )
    assert done.returncode == 0, done.stderr
    *rows, last = done.stdout.strip().splitlines()
    shown = [float(line.split()[1]) for line in rows]
    assert shown[0] == pytest.approx(circuit.baseline, abs=1e-6)
    assert shown[2:] == [pytest.approx(edge.value, abs=1e-6) for edge in circuit.causal_edges]
    assert float(last.removeprefix("largest difference: ")) < 1e-3
    assert "attention_viz" not in file.read_text(encoding="utf-8").replace(ascii(folder), "")


def nasty_circuit():
    circuit = circuit_of(tokens_of(("x", "y", *NASTY)))
    text = "".join(NASTY) + "'''\"\"\"\\\n{model}\u202e\u2028\r\ud800'); import os #"
    question = replace(circuit.request.question, prompt=text, counterfactual=text[::-1])
    return replace(circuit, request=replace(circuit.request, question=question)), text


def test_texts_of_users_stay_literals():
    circuit, text = nasty_circuit()
    folder = "a'\"\n{folder}\\"
    script = script_of(circuit, folder)
    assert script.isascii()
    tree = ast.parse(script)
    values = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id in ("PROMPT", "COUNTERFACTUAL", "HEADS")
    }
    assert (values["PROMPT"], values["COUNTERFACTUAL"]) == (text, text[::-1])
    assert values["HEADS"] == [(head.layer, head.head) for head in circuit.heads]
    imported = [n for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom)]
    assert [ast.unparse(node) for node in imported] == [
        "import torch",
        "from transformer_lens.model_bridge import TransformerBridge",
    ]
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    booted = next(node for node in calls if "boot_transformers" in ast.unparse(node.func))
    assert booted.args[0].value == folder


def test_tokens_of_users_do_not_leave_their_comments():
    for token in NASTY:
        tokens = tokens_of((" a", " b", token, " c", token + "\nimport os", " d"))
        script = script_of(circuit_of(tokens), "gpt2")
        tree = ast.parse(script)
        assert len([n for n in ast.walk(tree) if isinstance(n, ast.Import)]) == 1


def test_resample_without_a_counterfactual_is_refused():
    circuit = circuit_of()
    request = replace(circuit.request, ablation=Ablation(AblationKind.RESAMPLE))
    with pytest.raises(BadInput, match="counterfactual"):
        script_of(replace(circuit, request=request), "gpt2")
