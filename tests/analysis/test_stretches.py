"""Rows that carry only some positions give what rows with all positions give, in every family."""

import copy
import random
from contextlib import contextmanager

import pytest
import torch

from attention_viz.analysis.edits import edit_of
from attention_viz.analysis.one_pass import Candidate, _row_bytes, evaluate
from attention_viz.analysis.question import ask, ids_of
from attention_viz.models import stretch
from attention_viz.models.loading import load_model
from attention_viz.models.self_test import run_self_test
from attention_viz.models.stretch import cut_run, run_from
from attention_viz.records.ablation import Ablation, AblationKind
from attention_viz.records.ids import HeadId
from attention_viz.records.model import ModelEntry
from attention_viz.records.question import Question
from tests import random_families

PROMPT = "w3 w14 w15 w9 w26 w5 w35 w8 w9 w7"
LATER = "w3 w14 w15 w9 w26 w5 w35 w2 w9 w4"  # differs at positions 8 and 10
SETTINGS = {"scale": 0.4, "threshold": 0.05, "seed": 3}
AT_PROJECTIONS = {  # their attention function is out of reach: no keys to put in front
    *("bloom", "codegen", "falcon", "falcon_alibi", "falcon_mqa", "gpt_neo", "gptj", "mpt"),
}
EXPERTS = {  # torch multiplies experts' matrices in single precision only
    *("deepseek_v2", "deepseek_v3", "gpt_oss", "granite_moe", "mixtral"),
    *("olmoe", "qwen2_moe", "qwen3_moe"),
}
WHOLE = {"gemma4_text"}  # its blocks are given more of the tokens than the stream
FAMILIES = sorted(set(random_families.FAMILIES) - AT_PROJECTIONS)


@pytest.fixture(scope="module")
def families(tmp_path_factory):
    """families(name, dtype, implementation) → LoadedModel of a random family."""
    folder, kept = tmp_path_factory.mktemp("families"), {}

    def load(name, dtype=None, implementation=None):
        dtype = dtype or precision_of(name)
        if implementation is None:  # soft caps and sinks exist in eager attention only
            implementation = "eager" if name in ("gemma2", "gpt_oss") else "sdpa"
        known = (name, dtype, implementation)
        if known not in kept:
            entry = ModelEntry(name, str(random_families.save(name, folder)), True)
            kept[known] = load_model(
                entry, device="cpu", dtype=dtype, implementation=implementation
            )
        return kept[known]

    return load


def precision_of(name):
    return torch.float32 if name in EXPERTS else torch.float64


def tolerance_of(name):
    """Many families compute norms, rotary positions or weights in fp32 whatever theirs is."""
    doubles = ("gpt2", "gpt_bigcode", "opt", "phi", "nemotron", "olmo", "starcoder2")
    return 1e-9 if name in doubles else 1e-4 if name in EXPERTS else 1e-5


@contextmanager
def all_positions(decoder):
    runs_stretches, decoder.runs_stretches = decoder.runs_stretches, False
    try:
        yield
    finally:
        decoder.runs_stretches = runs_stretches


def question_of(name, **changes):
    return Question(name, PROMPT, counterfactual=LATER, **changes)


def candidates_of(asked, kinds=tuple(AblationKind), seed=0):
    """Every kind, everywhere, at chosen positions and moved to one, on several sets of heads."""
    draw, decoder, length = random.Random(seed), asked.decoder, len(asked.tokens)
    pool = [HeadId(i, j) for i in range(decoder.layers) for j in range(decoder.heads)]
    found = []
    for kind in kinds:
        if kind is AblationKind.UNIFORM and not decoder.hears_attention:
            continue
        everywhere = edit_of(asked, Ablation(kind, **SETTINGS))
        chosen = Ablation(kind, positions=(4, 6, length - 1), **SETTINGS)
        for edit in (everywhere, everywhere.at((6,)), edit_of(asked, chosen)):
            found.append(Candidate(tuple(draw.sample(pool, draw.randint(1, 4))), edit))
    return found


def one_pass(asked, candidates):
    found = torch.full((len(candidates), asked.vocabulary.size), torch.nan).to(asked.logits)
    for indices, logits in evaluate(asked, candidates, lambda logits: logits):
        found[indices] = logits
    return found.log_softmax(-1)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_kind_as_with_all_positions(families, name):
    model = families(name)
    assert model.decoder.runs_stretches is (name not in WHOLE)
    for position in (-1, 6) if name in ("gpt2", "llama") else (-1,):
        asked = ask(model, question_of(name, position=position))
        candidates = candidates_of(asked)
        found = one_pass(asked, candidates)
        with all_positions(model.decoder):
            whole = ask(model, question_of(name, position=position))
            expected = one_pass(whole, candidates_of(whole))
        assert (found - expected).abs().max() < tolerance_of(name)


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
@pytest.mark.parametrize("name", ["gpt2", "gpt_neox", "llama", "mistral", "gemma2", "gpt_oss"])
def test_equals_hooked_forwards_of_the_plain_model(families, name, implementation):
    if name in ("gemma2", "gpt_oss") and implementation == "sdpa":
        implementation = "eager"
    model = families(name, None, implementation)
    asked = ask(model, question_of(name))
    plain = copy.deepcopy(random_families.build(name)).to(precision_of(name))
    plain.set_attn_implementation(implementation)
    ours = dict(model.decoder.hf.named_modules())
    names = {id(module): path for path, module in ours.items()}
    projections = [plain.get_submodule(names[id(each)]) for each in model.decoder.projections]
    other = kept_inputs(plain, projections, ids_of(asked.read.counterfactual))
    last = len(asked.tokens) - 1
    for positions in (None, (last - 2, last), (last - 1,)):
        edit = edit_of(asked, Ablation(AblationKind.RESAMPLE, positions=positions))
        sets = [(HeadId(0, 1), HeadId(2, 3)), (HeadId(1, 0),), (HeadId(3, 2), HeadId(3, 1))]
        found = one_pass(asked, [Candidate(heads, edit) for heads in sets])
        for heads, row in zip(sets, found, strict=True):
            logits = resampled(plain, projections, asked.ids, other, heads, positions)
            expected = logits[: asked.vocabulary.size].log_softmax(-1)
            assert (row - expected).abs().max() < tolerance_of(name)


@torch.no_grad()
def kept_inputs(hf, projections, ids):
    """z of a plain forward, by layer."""
    kept = []
    hooks = [
        module.register_forward_pre_hook(lambda _, args: kept.append(args[0].clone()))
        for module in projections
    ]
    hf(input_ids=ids, use_cache=False)
    for hook in hooks:
        hook.remove()
    return kept


@torch.no_grad()
def resampled(hf, projections, ids, other, heads, positions):
    """Logits at the last token, some heads' z taken from the other prompt."""
    hooks = []
    for head in heads:

        def change(_, args, head=head):
            z, width = args[0].clone(), args[0].shape[-1] // random_families.HEADS
            at = list(range(z.shape[1]) if positions is None else positions)
            columns = slice(head.head * width, (head.head + 1) * width)
            z[0, at, columns] = other[head.layer][0, at, columns]
            return (z,)

        hooks.append(projections[head.layer].register_forward_pre_hook(change))
    logits = hf(input_ids=ids, use_cache=False).logits[0, -1]
    for hook in hooks:
        hook.remove()
    return logits


@pytest.mark.parametrize("name", ["gpt2", "llama", "mistral", "gemma2"])
def test_a_counterfactual_run_goes_on_from_the_clean_one(families, name):
    model = families(name)
    asked = ask(model, question_of(name))
    ids = ids_of(asked.read.counterfactual)
    assert asked.first_difference == 8
    found, expected = run_from(model.decoder, asked.run, ids, 8), model.decoder.run(ids)
    for ours, theirs in (
        *zip(found.residual, expected.residual, strict=True),
        *zip(found.z, expected.z, strict=True),
        *((a.key, b.key) for a, b in zip(found.attended, expected.attended, strict=True)),
        *((a.value, b.value) for a, b in zip(found.attended, expected.attended, strict=True)),
        *((a.visible, b.visible) for a, b in zip(found.attended, expected.attended, strict=True)),
    ):
        assert (ours.double() - theirs.double()).abs().max() < tolerance_of(name)
    again = cut_run(found, 4, 11)  # a full run itself
    rows = found.residual[0][:, 4:]
    for layer in range(model.decoder.layers):
        rows = model.decoder.call_block(layer, rows, again)
    assert (rows - expected.residual[-1][:, 4:]).abs().max() < 1e-5


def positions_computed(decoder, work):
    """How many positions of how many rows went into each block."""
    seen = [set() for _ in decoder.blocks]

    def count(layer):
        return lambda _, args, kwargs: seen[layer].add(
            (args[0] if args else kwargs["hidden_states"]).shape[1]
        )

    hooks = [
        block.register_forward_pre_hook(count(layer), with_kwargs=True)
        for layer, block in enumerate(decoder.blocks)
    ]
    try:
        work()
    finally:
        for hook in hooks:
            hook.remove()
    return set().union(*seen)


def test_rows_carry_nothing_that_is_clean_or_never_read(families):
    model = families("llama")
    length = 11
    expected = {
        (AblationKind.RESAMPLE, None, -1): 3,  # from 8, the first difference
        (AblationKind.RESAMPLE, None, 9): 2,
        (AblationKind.RESAMPLE, None, 4): 1,  # nothing changes before the read-out
        (AblationKind.RESAMPLE, (2, 9), -1): 3,
        (AblationKind.ZERO, (7,), -1): 4,
        (AblationKind.ZERO, (2, 9), 5): 4,
        (AblationKind.ZERO, None, 5): 6,
        (AblationKind.ZERO, None, -1): length,
        (AblationKind.UNIFORM, (5,), 6): 2,
        (AblationKind.PERMUTE, (6, 7, 9), 8): 4,  # position 9 comes from before the read-out
        (AblationKind.PERMUTE, None, 3): length - 1,  # all but beginning of text are shuffled
    }
    for (kind, positions, position), carried in expected.items():
        asked = ask(model, question_of("llama", position=position))
        candidate = Candidate(
            (HeadId(1, 1),), edit_of(asked, Ablation(kind, positions=positions, seed=1))
        )
        seen = positions_computed(model.decoder, lambda: one_pass(asked, [candidate]))  # noqa: B023
        assert seen == {carried}, (kind, positions, position)


def test_wrongly_cut_arguments_are_noticed_and_done_without(families, monkeypatch):
    """Rotary positions cut at the wrong place: rows carry all positions, and are right."""
    model = families("llama")
    asked = ask(model, question_of("llama"))
    expected = one_pass(asked, candidates_of(asked))
    right = stretch._cut

    def late(value, length, span):
        if isinstance(value, torch.Tensor) and value.ndim == 3:  # the first positions instead
            span = slice(0, span.stop - span.start)
        elif isinstance(value, tuple | list):
            return type(value)(late(each, length, span) for each in value)
        elif isinstance(value, dict):
            return {name: late(each, length, span) for name, each in value.items()}
        return right(value, length, span)

    monkeypatch.setattr(stretch, "_cut", late)
    try:
        checks = run_self_test(model.decoder)
        assert not model.decoder.runs_stretches
        assert not any("called alone" in check.claim for check in checks)
        asked = ask(model, question_of("llama"))
        assert (one_pass(asked, candidates_of(asked)) - expected).abs().max() < 1e-5
    finally:
        model.decoder.runs_stretches = True


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_a_short_row_takes_no_more_than_is_estimated(families, name):
    """Rows of 3 of 60 positions."""
    from tests.analysis.test_one_pass import peak_bytes

    model = families(name, torch.float32)
    asked = ask(model, Question(name, " ".join(f"w{number % 40}" for number in range(59))))
    length = len(asked.tokens)
    edit = edit_of(asked, Ablation(positions=(length - 3,)))

    def work(rows):
        asked.decoder.row_seconds = 1e-9
        [_] = evaluate(
            # An edit of its own each: the same ones would share a row.
            asked,
            [Candidate((HeadId(0, 0),), edit.at(edit.positions)) for _ in range(rows)],
            lambda logits: logits[:, 0],
        )

    work(2)
    taken = (peak_bytes(lambda: work(40)) - peak_bytes(lambda: work(8))) / 32
    asked.decoder.row_seconds = None
    assert taken <= _row_bytes(asked, 3) <= 5 * taken
