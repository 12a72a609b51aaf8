"""Direct path patching against hooks on the plain model's own projections."""

from contextlib import ExitStack

import pytest
import torch

from attention_viz.analysis.circuits.circuit import measure_circuit
from attention_viz.analysis.question import ask, ids_of
from attention_viz.records.ablation import Ablation, AblationKind
from attention_viz.records.circuits.circuit import CircuitRequest
from attention_viz.records.circuits.edge import Via
from attention_viz.records.errors import BadInput
from attention_viz.records.ids import HeadId
from attention_viz.records.question import Question
from tests.analysis import oracle
from tests.analysis.test_one_pass import plain_model

HEADS = (HeadId(0, 1), HeadId(0, 3), HeadId(1, 2), HeadId(2, 0))


def _gpt2_slots(hf, layer, d_head):
    """(module whose output holds it, first column) of Q, K, V of head or key/value head h."""
    module, width = hf.transformer.h[layer].attn.c_attn, hf.config.n_embd
    return {Via.Q: (module, 0), Via.K: (module, width), Via.V: (module, 2 * width)}, 1


def _llama_slots(hf, layer, d_head):
    attention = hf.model.layers[layer].self_attn
    group = hf.config.num_attention_heads // hf.config.num_key_value_heads
    slots = {Via.Q: attention.q_proj, Via.K: attention.k_proj, Via.V: attention.v_proj}
    return {via: (module, 0) for via, module in slots.items()}, group


_SLOTS = {"gpt2": _gpt2_slots, "llama": _llama_slots}
_BLOCKS = {"gpt2": lambda hf: hf.transformer.h, "llama": lambda hf: hf.model.layers}


def _result_change(hf, ids, other, writer):
    """(z' − z) W_O of a head, computed from the plain model's own weights."""
    d_head = hf.config.hidden_size // hf.config.num_attention_heads
    columns = slice(writer.head * d_head, (writer.head + 1) * d_head)
    own, new = oracle.kept_z(hf, ids)[writer.layer], oracle.kept_z(hf, other)[writer.layer]
    module = oracle.projections(hf)[writer.layer]
    weight = module.weight if type(module).__name__ == "Conv1D" else module.weight.T
    return (new - own)[:, columns] @ weight[columns]


@torch.no_grad()
def _patched_logits(name, hf, ids, change, reader, via):
    """Two forwards: the reader's slot with the changed stream, then the clean run with it in."""
    d_head = hf.config.hidden_size // hf.config.num_attention_heads
    slots, group = _SLOTS[name](hf, reader.layer, d_head)
    module, start = slots[via]
    head = reader.head if via is Via.Q else reader.head // group
    columns = slice(start + head * d_head, start + (head + 1) * d_head)
    kept = {}
    with ExitStack() as stack:
        block = _BLOCKS[name](hf)[reader.layer]
        hook = block.register_forward_pre_hook(
            lambda _, args, kwargs: ((args[0] + change, *args[1:]), kwargs), with_kwargs=True
        )
        stack.callback(hook.remove)
        look = module.register_forward_hook(lambda _, args, out: kept.update(slot=out.clone()))
        stack.callback(look.remove)
        hf(input_ids=ids, use_cache=False)

    def put_in(_, args, out):
        out = out.clone()
        out[..., columns] = kept["slot"][..., columns]
        return out

    with ExitStack() as stack:
        stack.callback(module.register_forward_hook(put_in).remove)
        return hf(input_ids=ids, use_cache=False).logits[0]


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_edges_equal_hooked_forwards(load, ask_about, name):
    model, question = load(name), ask_about(name)
    circuit = measure_circuit(model, CircuitRequest(question, HEADS))
    hf = plain_model(model, torch.float64, "sdpa")
    asked = ask(model, question)
    ids, other = asked.ids, ids_of(asked.read.counterfactual)

    def difference(logits):
        row = logits[asked.position]
        return (row[asked.answer] - row[asked.distractor]).item()

    clean = difference(hf(input_ids=ids, use_cache=False).logits[0])
    measured = [edge for edge in circuit.edges if edge.via in (Via.Q, Via.K, Via.V)]
    assert len(measured) == 3 * 5  # two writers → L1H2, three → L2H0
    for edge in measured:
        writer, reader = HeadId.parse(edge.source), HeadId.parse(edge.target)
        change = _result_change(hf, ids, other, writer)
        expected = difference(_patched_logits(name, hf, ids, change, reader, edge.via)) - clean
        assert edge.value == pytest.approx(expected, abs=1e-9), edge
    assert max(abs(edge.value) for edge in measured) > 1e-6  # far above the tolerance


@pytest.mark.parametrize("name", ["gpt2", "llama", "neox"])
def test_the_edge_into_the_logits_replaces_the_result_in_the_final_stream(load, ask_about, name):
    model, question = load(name), ask_about(name)
    circuit = measure_circuit(model, CircuitRequest(question, HEADS))
    asked = ask(model, question)
    hf = plain_model(model, torch.float64, "sdpa")
    for edge in (edge for edge in circuit.edges if edge.via is Via.LOGITS):
        writer = HeadId.parse(edge.source)
        change = _result_change(hf, asked.ids, ids_of(asked.read.counterfactual), writer)
        blocks = {"neox": lambda: hf.gpt_neox.layers} | {
            each: lambda each=each: _BLOCKS[each](hf) for each in _BLOCKS
        }
        last = blocks[name]()[-1]
        hook = last.register_forward_hook(
            lambda _, args, out, change=change: (
                (out[0] + change, *out[1:]) if isinstance(out, tuple) else out + change
            )
        )
        logits = hf(input_ids=asked.ids, use_cache=False).logits[0, asked.position]
        hook.remove()
        expected = (logits[asked.answer] - logits[asked.distractor]).item() - circuit.baseline
        assert edge.value == pytest.approx(expected, abs=1e-9)


def test_without_a_counterfactual_the_intervention_is_patched_in(load, ask_about):
    model, plain = load("gpt2"), ask_about("gpt2")
    question = Question(plain.model, plain.prompt)
    same = Ablation(AblationKind.SCALE, scale=1.0)
    circuit = measure_circuit(model, CircuitRequest(question, HEADS, same))
    assert all(abs(e.value) < 1e-12 for e in circuit.edges if e.via.is_causal)
    assert "scale 1" in circuit.patched_with
    zero = measure_circuit(model, CircuitRequest(question, HEADS))
    assert all(abs(e.value) > 0 for e in zero.edges if e.via.is_causal)


def test_the_graph_holds_what_was_measured(load, ask_about):
    model, question = load("gpt2"), ask_about("gpt2")
    circuit = measure_circuit(model, CircuitRequest(question, HEADS, tokens_per_head=3))
    ids = {node.id for node in circuit.nodes}
    assert all(edge.source in ids and edge.target in ids for edge in circuit.edges)
    assert {str(head) for head in HEADS} < ids and "logits" in ids
    asked = ask(model, question)
    run = asked.decoder.run(asked.ids, patterns=True)
    for edge in (edge for edge in circuit.edges if edge.via is Via.ATTENTION):
        head, key = HeadId.parse(edge.target), int(edge.source.split(":")[1])
        weight = run.pattern[head.layer][0, head.head, edge.position, key].item()
        assert edge.value == pytest.approx(weight, abs=1e-12)
    assert circuit.evaluations > 0 and circuit.seconds > 0


def test_no_heads_is_refused(load, ask_about):
    with pytest.raises(BadInput, match="No heads"):
        measure_circuit(load("gpt2"), CircuitRequest(ask_about("gpt2"), ()))
