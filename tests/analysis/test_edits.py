"""Every kind of ablation is an edit, and its settings do what the oracle says."""

import pytest
import torch

from attention_viz.analysis import edits
from attention_viz.analysis.circuits import cut
from attention_viz.analysis.edits import edit_of
from attention_viz.analysis.one_pass import Candidate
from attention_viz.analysis.question import ask, ids_of
from attention_viz.records.ablation import SETTINGS, Ablation, AblationKind
from attention_viz.records.circuits.attribution import EDGE_ABLATIONS
from attention_viz.records.errors import BadInput
from attention_viz.records.ids import HeadId
from tests.analysis import oracle
from tests.analysis.test_one_pass import expect, one_pass, plain_model

HEADS = (HeadId(0, 1), HeadId(1, 2), HeadId(2, 0))
KIND = pytest.mark.parametrize("kind", list(AblationKind))


def test_every_kind_has_an_edit():
    assert set(edits._MAKERS) == set(AblationKind)


def test_every_kind_of_edges_says_what_is_patched():
    assert set(cut.PATCHED_WITH) == set(EDGE_ABLATIONS)


@pytest.fixture(scope="module")
def gpt2(load, ask_about):
    """(asked, an untouched copy of the model)."""
    model = load("gpt2")
    return ask(model, ask_about("gpt2")), plain_model(model, torch.float64, "sdpa")


def logprobs(asked, ablation):
    return one_pass(asked, [Candidate(HEADS, edit_of(asked, ablation))])[0]


def expected(asked, hf, ablation):
    """As the oracle has it, which knows nothing of the product's records but their names."""
    other = ids_of(asked.read.counterfactual)
    values = {name: getattr(ablation, name) for name in SETTINGS}
    meanings = oracle.changes(hf, asked.ids, other, bos=asked.tokens.bos, **values)
    return expect(asked, hf, meanings[ablation.kind.value], HEADS)


@KIND
def test_every_kind_changes_the_result_as_the_oracle_does(gpt2, kind):
    asked, hf = gpt2
    ablation = Ablation(kind, **{name: setting.most for name, setting in SETTINGS.items()})
    found = logprobs(asked, ablation)
    assert (found - expected(asked, hf, ablation)).abs().max() < 1e-9
    assert (found - asked.logits.log_softmax(-1)).abs().max() > 1e-6


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_changes_the_result_as_the_oracle_does(gpt2, name):
    asked, hf = gpt2
    setting = SETTINGS[name]
    for kind in (kind for kind in AblationKind if setting in kind.settings):
        found = []
        for value in sorted({setting.least, setting.default, setting.most}):
            ablation = Ablation.of(kind, {name: value})
            found.append(logprobs(asked, ablation))
            assert (found[-1] - expected(asked, hf, ablation)).abs().max() < 1e-9, ablation.label
        for one, other in zip(found, found[1:], strict=False):
            assert (one - other).abs().max() > 1e-6, f"{name} changes nothing"


@KIND
def test_settings_of_other_kinds_change_nothing(gpt2, kind):
    asked, _ = gpt2
    others = {name: s.most for name, s in SETTINGS.items() if s not in kind.settings}
    assert logprobs(asked, Ablation(kind, **others)).equal(logprobs(asked, Ablation(kind)))


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_out_of_range_is_refused(gpt2, name):
    setting = SETTINGS[name]
    for kind in (kind for kind in AblationKind if setting in kind.settings):
        for wrong in (setting.least - setting.step, setting.most + setting.step, float("nan")):
            with pytest.raises(BadInput, match=f"{name} of .* out of range"):
                edit_of(gpt2[0], Ablation(kind, **{name: wrong}))


@KIND
def test_what_a_kind_needs_is_what_it_says(load, ask_about, gpt2, kind):
    """A counterfactual, or attention that GPT-J keeps to itself."""
    question = ask_about("gpt2")
    alone = ask(load("gpt2"), type(question)(question.model, question.prompt))
    deaf = ask(load("gptj"), ask_about("gptj"))
    for asked, needs in ((alone, kind.needs_counterfactual), (deaf, kind.needs_attention)):
        if needs:
            with pytest.raises(BadInput):
                edit_of(asked, Ablation(kind))
        else:
            edit_of(asked, Ablation(kind))


@KIND
def test_references_are_taken_by_the_kinds_that_say_so(gpt2, kind):
    asked, _ = gpt2
    own, other = Ablation(kind), Ablation(kind, references=("w3 w4 w5",))
    assert logprobs(asked, own).equal(logprobs(asked, other)) is not kind.takes_references
