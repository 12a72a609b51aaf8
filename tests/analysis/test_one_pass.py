"""One pass = one hooked forward per candidate, for every kind, architecture and precision."""

import random
from itertools import accumulate

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.profiler import ProfilerActivity, profile
from transformers import AutoModelForCausalLM

from attention_viz.analysis.edits import Scale, edit_of
from attention_viz.analysis.metrics import read_metric
from attention_viz.analysis.one_pass import Candidate, _row_bytes, evaluate, run_ablated
from attention_viz.analysis.question import ask, ids_of
from attention_viz.records.ablation import Ablation, AblationKind
from attention_viz.records.errors import AttentionVizError, BadInput
from attention_viz.records.ids import HeadId
from attention_viz.records.metrics import Metric
from attention_viz.records.question import Question
from tests.analysis import oracle

MODELS = ("embedded", "gpt2", "llama", "neox")
TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4}
SETTINGS = {"scale": 0.4, "threshold": 0.05, "seed": 3}


def random_sets(asked, count=6, seed=0):
    """Sets of one to four heads, several layers among them."""
    draw = random.Random(seed)
    decoder = asked.decoder
    pool = [HeadId(i, j) for i in range(decoder.layers) for j in range(decoder.heads)]
    return [tuple(draw.sample(pool, draw.randint(1, 4))) for _ in range(count)]


def expect(asked, hf, meaning, heads, positions=None):
    """Log-probabilities of one hooked forward of the plain model."""
    pairs = [(head.layer, head.head) for head in heads]
    logits = oracle.ablated_logits(hf, asked.ids, pairs, meaning(positions), positions)
    return logits[asked.position, : asked.vocabulary.size].log_softmax(-1)


def one_pass(asked, candidates, **options):
    """Log-probabilities of all candidates, in their order."""
    found = torch.full((len(candidates), asked.vocabulary.size), torch.nan).to(asked.logits)
    for indices, logits in evaluate(asked, candidates, lambda logits: logits, **options):
        found[indices] = logits
    return found.log_softmax(-1)


def plain_model(model, dtype, implementation):
    """A second, untouched copy of the weights, straight from Hugging Face."""
    folder = model.decoder.hf.config._name_or_path
    return AutoModelForCausalLM.from_pretrained(
        folder, dtype=dtype, attn_implementation=implementation
    ).eval()


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["fp64", "fp32"])
@pytest.mark.parametrize("name", MODELS)
def test_equals_one_hooked_forward_per_candidate(load, ask_about, name, dtype, implementation):
    model = load(name, dtype, implementation)
    asked = ask(model, ask_about(name))
    hf = plain_model(model, dtype, implementation)
    other = ids_of(asked.read.counterfactual)
    meanings = oracle.changes(hf, asked.ids, other, bos=asked.tokens.bos, **SETTINGS)
    for kind in AblationKind:
        for positions in (None, (2, 5, len(asked.tokens) - 1)):
            ablation = Ablation(kind, positions=positions, **SETTINGS)
            edit = edit_of(asked, ablation)
            sets = random_sets(asked)
            ours = one_pass(asked, [Candidate(heads, edit) for heads in sets])
            for heads, row in zip(sets, ours, strict=True):
                expected = expect(asked, hf, meanings[kind.value], heads, positions)
                assert (row - expected).abs().max() < TOLERANCE[dtype], (kind, positions, heads)


kinds = st.sampled_from(list(AblationKind))
head_sets = st.sets(
    st.builds(HeadId, st.integers(0, 2), st.integers(0, 3)), min_size=1, max_size=5
).map(lambda heads: tuple(sorted(heads)))
places = st.none() | st.sets(st.integers(0, 7), min_size=1).map(lambda at: tuple(sorted(at)))
ablations = st.builds(
    Ablation,
    kinds,
    scale=st.floats(-1, 2),
    threshold=st.floats(0, 0.2),
    seed=st.integers(0, 99),
    positions=places,
)


@pytest.mark.parametrize("name", ["gpt2", "llama", "neox"])
@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    batch=st.lists(st.tuples(head_sets, ablations), min_size=1, max_size=6),
    position=st.integers(0, 7),
)
def test_any_batch_of_candidates_equals_hooked_forwards(load, ask_about, name, batch, position):
    """Random sets, kinds, settings, positions and read-outs, all in one call; every metric too."""
    model = load(name)
    asked = ask(model, ask_about(name, position=position))
    hf = plain_model(model, torch.float64, "sdpa")
    other = ids_of(asked.read.counterfactual)
    candidates = [Candidate(heads, edit_of(asked, ablation)) for heads, ablation in batch]
    found = one_pass(asked, candidates)
    expected = []
    for heads, ablation in batch:
        detail = {name: getattr(ablation, name) for name in ("scale", "threshold", "seed")}
        meanings = oracle.changes(hf, asked.ids, other, bos=asked.tokens.bos, **detail)
        expected.append(expect(asked, hf, meanings[ablation.kind], heads, ablation.positions))
    expected = torch.stack(expected)
    assert (found - expected).abs().max() < 1e-9
    for metric in Metric:
        ours, theirs = (read_metric(asked, metric, rows) for rows in (found, expected))
        assert (ours - theirs).abs().max() < 1e-8


def test_a_family_whose_attention_is_out_of_reach(load, ask_about):
    """GPT-J: z is heard at the output projection; kinds of z are exact, others are refused.

    GPT-J computes its attention scores in fp32 whatever its weights are in, hence 1e-7.
    """
    model = load("gptj")
    assert not model.decoder.hears_attention and model.decoder.calls_blocks
    asked = ask(model, ask_about("gptj"))
    hf = plain_model(model, torch.float64, None)
    other = ids_of(asked.read.counterfactual)
    meanings = oracle.changes(hf, asked.ids, other, bos=asked.tokens.bos, **SETTINGS)
    for kind in set(AblationKind) - {AblationKind.UNIFORM}:
        edit = edit_of(asked, Ablation(kind, **SETTINGS))
        sets = random_sets(asked)
        for heads, row in zip(
            sets, one_pass(asked, [Candidate(h, edit) for h in sets]), strict=True
        ):
            assert (row - expect(asked, hf, meanings[kind.value], heads)).abs().max() < 1e-7
    with pytest.raises(BadInput, match="GPTJForCausalLM"):
        edit_of(asked, Ablation(AblationKind.UNIFORM))
    with pytest.raises(BadInput, match="Attention patterns"):
        model.decoder.run(asked.ids, patterns=True)


@pytest.mark.parametrize("switch", ["calls_blocks", "reads_one_position"])
@pytest.mark.parametrize("name", MODELS)
def test_short_cuts_change_nothing(load, ask_about, name, switch, monkeypatch):
    """Without single blocks, or with the last block whole, the numbers are the same."""
    asked = ask(load(name), ask_about(name))
    candidates = [
        Candidate(heads, edit_of(asked, Ablation(kind, **SETTINGS)))
        for kind in AblationKind
        for heads in random_sets(asked, 3)
    ]
    short = one_pass(asked, candidates)
    assert getattr(asked.decoder, switch)
    monkeypatch.setattr(asked.decoder, switch, False)
    assert (one_pass(asked, candidates) - short).abs().max() < 1e-9


def test_a_chunk_that_does_not_fit_is_halved(load, ask_about, monkeypatch):
    asked = ask(load("gpt2"), ask_about("gpt2"))
    edit = edit_of(asked, Ablation())
    candidates = [Candidate(heads, edit) for heads in random_sets(asked, 40)]
    expected = one_pass(asked, candidates)
    right, batches = asked.decoder.call_block, []

    def short_of_memory(layer, residual, run):
        if len(residual) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        batches.append(len(residual))
        return right(layer, residual, run)

    monkeypatch.setattr(asked.decoder, "call_block", short_of_memory)
    assert (one_pass(asked, candidates) - expected).abs().max() < 1e-9
    assert max(batches) in (2, 3)

    def without_memory(layer, residual, run):
        raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes.")

    monkeypatch.setattr(asked.decoder, "call_block", without_memory)
    with pytest.raises(AttentionVizError, match="ran out of memory"):
        one_pass(asked, candidates)


@pytest.mark.parametrize("name", MODELS)
def test_scale_one_is_the_clean_run_and_zero_is_not(load, ask_about, name):
    asked = ask(load(name), ask_about(name))
    clean = asked.logits.log_softmax(-1)
    sets = random_sets(asked)
    same = one_pass(asked, [Candidate(heads, Scale(None, 1.0)) for heads in sets])
    assert (same - clean).abs().max() < 1e-9
    zero = one_pass(asked, [Candidate(heads, Scale(None, 0.0)) for heads in sets])
    assert ((zero - clean).abs().max(-1).values > 1e-6).all()


@pytest.mark.parametrize("name", MODELS)
def test_different_kinds_share_a_batch(load, ask_about, name):
    """Candidates of all kinds in one call, each as when evaluated alone; none is the clean run."""
    asked = ask(load(name), ask_about(name))
    edits = [edit_of(asked, Ablation(kind, **SETTINGS)) for kind in AblationKind]
    candidates = [Candidate(heads, edit) for heads in random_sets(asked) for edit in edits]
    candidates.append(Candidate((), edits[0]))
    together = one_pass(asked, candidates)
    alone = torch.cat([one_pass(asked, [candidate]) for candidate in candidates])
    assert (together - alone).abs().max() < 1e-9
    assert (together[-1] - asked.logits.log_softmax(-1)).abs().max() < 1e-9


def test_a_small_memory_budget_gives_the_same_numbers(load, ask_about):
    asked = ask(load("gpt2"), ask_about("gpt2"))
    edit = edit_of(asked, Ablation())
    candidates = [Candidate(heads, edit) for heads in random_sets(asked, 20)]
    tight = one_pass(asked, candidates, budget=1)
    assert (tight - one_pass(asked, candidates)).abs().max() < 1e-9


def peak_bytes(work):
    """The most bytes of CPU memory that tensors take at the same time."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        work()
    events = profiled.profiler.kineto_results.events()
    changes = [event for event in events if event.name() == "[memory]"]
    changes.sort(key=lambda event: event.start_ns())
    return max(accumulate(event.nbytes() for event in changes))


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
@pytest.mark.parametrize(
    "name, prompt",
    [
        *((name, None) for name in MODELS),
        ("gpt2", " ".join(f"w{number % 40}" for number in range(60))),  # mostly patterns
        ("embedded", "Mary"),  # mostly unembedding
    ],
)
def test_a_row_takes_no_more_than_is_estimated(load, ask_about, name, prompt, implementation):
    """And not much less: a fifth at least, or devices would stay half empty."""
    model = load(name, torch.float32, implementation)
    asked = ask(model, ask_about(name) if prompt is None else Question(name, prompt))

    def work(rows):
        # Edits of their own: what is the same would share a row.
        candidates = [Candidate((HeadId(0, 0),), edit_of(asked, Ablation())) for _ in range(rows)]
        asked.decoder.row_seconds = 1e-9  # fast enough for all rows in one chunk
        [_] = evaluate(asked, candidates, lambda logits: logits.log_softmax(-1)[:, 0])

    work(2)  # what is made once is there now
    taken = (peak_bytes(lambda: work(40)) - peak_bytes(lambda: work(8))) / 32
    asked.decoder.row_seconds = None
    assert taken <= _row_bytes(asked, len(asked.tokens)) <= 5 * taken


@pytest.mark.parametrize("name", MODELS)
def test_the_whole_ablated_run_agrees_with_the_one_pass(load, ask_about, name):
    asked = ask(load(name), ask_about(name))
    heads = random_sets(asked)[0]
    edit = edit_of(asked, Ablation(AblationKind.MEAN))
    run = run_ablated(asked, heads, edit)
    logits = asked.decoder.read_out(run.residual[-1][0, asked.position])
    whole = logits[: asked.vocabulary.size].log_softmax(-1)
    assert (whole - one_pass(asked, [Candidate(heads, edit)])[0]).abs().max() < 1e-9


def test_mean_over_references_is_per_position_where_lengths_agree(load, ask_about):
    asked = ask(load("gpt2"), ask_about("gpt2"))
    same = ("w1 w2 w3 w4 w5 w6 w7 w8", "w9 w8 w7 w6 w5 w4 w3 w2")
    edit = edit_of(asked, Ablation(AblationKind.MEAN, references=same))
    hf = plain_model(asked.model, torch.float64, "sdpa")
    runs = [oracle.kept_z(hf, ids_of(asked.vocabulary.tokenize(text))) for text in same]
    for layer in range(asked.decoder.layers):
        expected = (runs[0][layer] + runs[1][layer]) / 2
        assert (edit.values[layer].flatten(1) - expected).abs().max() < 1e-9
    shorter = edit_of(asked, Ablation(AblationKind.MEAN, references=(same[0], "w1 w2")))
    assert shorter.values[0].shape[0] == 1  # one vector per head


def test_what_cannot_be_ablated_is_said(load, ask_about):
    model = load("gpt2")
    plain = ask_about("gpt2")
    no_other = ask(model, type(plain)(plain.model, plain.prompt))
    with pytest.raises(BadInput, match="counterfactual"):
        edit_of(no_other, Ablation(AblationKind.RESAMPLE))
    asked = ask(model, plain)
    with pytest.raises(BadInput, match="out of range"):
        edit_of(asked, Ablation(positions=(99,)))
    with pytest.raises(BadInput, match="layers 0 to 2"):
        asked.need_heads((HeadId(7, 0),))
    with pytest.raises(BadInput, match="No heads"):
        asked.need_heads(())
