"""Roles: a model set by hand, and every score worked out again from the plain model."""

from contextlib import ExitStack

import numpy as np
import pytest
import torch

from attention_viz.analysis.attention import attention_maps
from attention_viz.analysis.contributions import direct_contributions
from attention_viz.analysis.question import ask, ids_of
from attention_viz.analysis.roles.role_attention import repeated_tokens
from attention_viz.analysis.roles.role_effects import score_backup, score_inhibition
from attention_viz.analysis.roles.role_movers import measure_copying, tokens_to_copy
from attention_viz.analysis.roles.role_scores import Clean
from attention_viz.analysis.roles.roles import head_roles
from attention_viz.analysis.sweep import all_heads
from attention_viz.models.loading import load_model
from attention_viz.records.attention import AttentionRequest
from attention_viz.records.circuits.roles import GeneralRequest, HeadRole, Role, RolesRequest
from attention_viz.records.errors import BadInput
from attention_viz.records.ids import HeadId, parse_heads
from attention_viz.records.model import EMBEDDED, ModelEntry
from attention_viz.records.pace import Pace
from attention_viz.records.question import Question
from tests.analysis import oracle, role_model
from tests.analysis.test_one_pass import plain_model

PRESENT = {"answer": 14, "distractor": 9}  # both in the prompt of the random models
GENERAL = (Role.PREVIOUS_TOKEN, Role.DUPLICATE_TOKEN, Role.INDUCTION)


@pytest.fixture(scope="module")
def by_hand(tmp_path_factory):
    folder = role_model.save_role_model(tmp_path_factory.mktemp("roles"))
    return load_model(ModelEntry("hand", str(folder), True), device="cpu", dtype=torch.float64)


def ask_by_hand(prompt: str = role_model.PROMPT, **changes) -> Question:
    return Question("hand", prompt, **{**PRESENT, **changes})


@pytest.fixture(scope="module")
def found_by_hand(by_hand):
    return head_roles(by_hand, RolesRequest(ask_by_hand()))


@pytest.fixture(scope="module")
def found_in_embedded(load, ask_about):
    return head_roles(load(EMBEDDED), RolesRequest(ask_about(EMBEDDED)))


def score(head: HeadRole, role: Role) -> float | None:
    return dict(head.scores)[role]


def test_the_roles_set_by_hand_are_found(found_by_hand):
    found = {str(each.head): each.role for each in found_by_hand.roles}
    assert {head: role for head, role in found.items() if role is not Role.UNCLEAR} == (
        role_model.ROLES
    )


def test_the_scores_of_the_model_set_by_hand(found_by_hand):
    expected = {
        "L0H0": 1.0,  # without the flag the mover looks at both names alike
        "L0H1": 1.0,
        "L0H2": 0.5,  # the other half of its attention is on the token itself
        "L1H0": 1.0,
        "L1H1": 1.0,
        "L1H3": 1.0,
    }
    for head, value in expected.items():
        assert found_by_hand.of(HeadId.parse(head)).score == pytest.approx(value, abs=0.01), head


def test_evidence_of_the_model_set_by_hand(found_by_hand):
    [mover] = found_by_hand.of(HeadId(1, 0)).evidence
    best = mover.weights[0]
    assert mover.role is Role.NAME_MOVER
    assert (best.query, best.key, best.key_token.text) == (8, 2, "w14")
    attention, copying, direct = (number.value for number in mover.numbers)
    assert (attention, copying) == (pytest.approx(1, abs=1e-3), 1.0) and direct > 0
    *_, against = found_by_hand.of(HeadId(1, 1)).evidence[0].numbers
    assert against.unit == "logits" and against.value < 0
    before, after = found_by_hand.of(HeadId(0, 0)).evidence[0].numbers
    assert before.label == "L1H0's attention to w14 − w9, clean"
    assert (before.value, after.value) == (pytest.approx(1, abs=0.01), pytest.approx(0, abs=0.01))
    alone, beside = found_by_hand.of(HeadId(2, 0)).evidence[0].numbers
    assert "L1H0" in beside.label and "zero" in beside.label
    assert abs(alone.value) < 0.1 and beside.value < -1


def test_without_the_distractor_in_the_prompt_inhibition_is_not_measured(by_hand):
    found = head_roles(by_hand, RolesRequest(ask_by_hand(distractor=30)))
    assert score(found.of(HeadId(0, 0)), Role.S_INHIBITION) is None
    assert found.of(HeadId(1, 0)).role is Role.NAME_MOVER


def test_a_mover_is_measured_only_where_induction_would_look_elsewhere(by_hand):
    """w8 w14 … w8 → w14: attention to w14 may be induction's."""
    prompt = role_model.PROMPT.replace("w3", "w8")
    found = head_roles(by_hand, RolesRequest(ask_by_hand(prompt)))
    for role in (Role.NAME_MOVER, Role.NEGATIVE_NAME_MOVER, Role.S_INHIBITION):
        assert all(score(head, role) is None for head in found.roles)
    copying = found.of(HeadId(1, 3))
    assert copying.role is Role.INDUCTION
    assert score(copying, Role.ANSWER) == pytest.approx(1, abs=1e-3)


class Remembering(Pace):
    """What was recalled, as the workbench remembers it."""

    def __init__(self):
        self.known, self.computed = {}, []

    def recall(self, request, compute):
        if request not in self.known:
            self.computed.append(request)
            self.known[request] = compute()
        return self.known[request]


def same_but_for_rounding(found, expected):
    """Batches are cut by time, so sums may round in another way."""
    for one, other in zip(found, expected, strict=True):
        assert (one.head, one.role) == (other.head, other.role)
        for (role, score), (same, again) in zip(one.scores, other.scores, strict=True):
            assert role == same and score == pytest.approx(again, abs=1e-9)
        for ours, theirs in zip(one.evidence, other.evidence, strict=True):
            assert (ours.role, ours.label) == (theirs.role, theirs.label)
            for shown in zip(ours.weights, theirs.weights, strict=True):
                assert shown[0].weight == pytest.approx(shown[1].weight, abs=1e-9)
            for told in zip(ours.numbers, theirs.numbers, strict=True):
                assert told[0].label == told[1].label
                assert told[0].value == pytest.approx(told[1].value, abs=1e-9)


def test_scores_of_the_model_itself_are_measured_once(load, ask_about):
    """Another prompt finds them there, and with them the same roles, scores and evidence."""
    model, pace = load("llama"), Remembering()
    for question in (ask_about("llama"), ask_about("llama", answer=7, distractor=9)):
        found = head_roles(model, RolesRequest(question), pace)
        alone = head_roles(model, RolesRequest(question))
        same_but_for_rounding(found.roles, alone.roles)
    bos = ask(model, question).tokens.bos
    assert pace.computed == [GeneralRequest("llama", bos)]


def test_without_the_answer_in_the_prompt_only_general_roles_and_backup(load, ask_about):
    question = ask_about("gpt2", answer=50, distractor=9)
    asked = ask(load("gpt2"), question)
    if asked.logits[50] < asked.logits[9]:
        question = ask_about("gpt2", answer=50, distractor=int(asked.logits.argmin()))
    found = head_roles(load("gpt2"), RolesRequest(question))
    for role in set(Role) - {*GENERAL, Role.BACKUP, Role.UNCLEAR}:
        assert all(score(head, role) is None for head in found.roles)
    unknown = [head for head in found.roles if score(head, Role.BACKUP) is None]
    assert 0 < len(unknown) <= 3  # the strongest, which were ablated


def test_general_scores_are_mean_attention_weights(load, ask_about):
    """Worked out again from the patterns of the repeated random tokens."""
    model, question = load("gpt2"), ask_about("gpt2")
    asked = ask(model, question)
    found = head_roles(model, RolesRequest(question))
    ids = repeated_tokens(asked)
    count, first = (ids.shape[1] - 1) // 2, 1
    assert (ids[:, first : first + count] == ids[:, first + count :]).all()
    hf = plain_model(model, torch.float64, "eager")
    weights = hf(input_ids=ids, use_cache=False, output_attentions=True).attentions
    pattern = torch.stack(weights).mean(1)  # [layer, head, query, key]
    second = range(first + count, first + 2 * count)
    for head in (HeadId(0, 0), HeadId(2, 3)):
        own = pattern[head.layer, head.head].detach()
        expected = {
            Role.PREVIOUS_TOKEN: np.mean([own[i, i - 1] for i in range(2, ids.shape[1])]),
            Role.DUPLICATE_TOKEN: np.mean([own[i, i - count] for i in second]),
            Role.INDUCTION: np.mean([own[i, i - count + 1] for i in second]),
        }
        for role, value in expected.items():
            assert score(found.of(head), role) == pytest.approx(value, abs=1e-9)
    assert len(found.roles) == 12


def test_evidence_of_a_general_role_is_a_row_of_the_random_tokens(load, found_in_embedded):
    head = found_in_embedded.of(HeadId(2, 3))
    evidence = head.evidence[0]
    assert evidence.role is head.role is Role.DUPLICATE_TOKEN
    weights = [seen.weight for seen in evidence.weights]
    assert len(weights) == 3 and weights == sorted(weights, reverse=True)
    best = evidence.weights[0]
    assert best.query_token == best.key_token and best.query - best.key == 25
    hf = plain_model(load(EMBEDDED), torch.float64, "eager")
    ids = repeated_tokens(ask(load(EMBEDDED), found_in_embedded.request.question))[:1]
    assert best.query_token.id == ids[0, best.query] and best.key_token.id == ids[0, best.key]
    rows = hf(input_ids=ids, use_cache=False, output_attentions=True).attentions[2][0, 3]
    assert best.weight == pytest.approx(rows[best.query, best.key].item(), abs=1e-6)


def _written_alone(hf, ids, start):
    """[layer][head] → what the head writes for each token if it attends to that alone."""
    both = torch.tensor([[start, id] for id in ids.tolist()])
    streams = hf(both, output_hidden_states=True, use_cache=False).hidden_states
    count, width = hf.config.num_attention_heads, hf.config.hidden_size // 4
    for layer in range(hf.config.num_hidden_layers):
        stream = streams[min(layer, 1)][:, 1]
        if hf.config.model_type == "gpt2":
            block, width = hf.transformer.h[layer], hf.config.n_embd // count
            c_attn, output = block.attn.c_attn, block.attn.c_proj.weight
            made = (block.ln_1(stream) @ c_attn.weight + c_attn.bias).chunk(3, -1)[2]
            shared = 1
        else:
            block = hf.model.layers[layer]
            made = block.self_attn.v_proj(block.input_layernorm(stream))
            output = block.self_attn.o_proj.weight.T
            shared = count // hf.config.num_key_value_heads
        values = made.unflatten(-1, (-1, width))
        own = output.unflatten(0, (count, width))
        yield [values[:, head // shared] @ own[head] for head in range(count)]


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("name", [EMBEDDED, "gpt2", "llama"])
@torch.no_grad()
def test_copying_equals_explicit_matrices(load, ask_about, name, sign):
    model = load(name)
    asked = ask(model, ask_about(name))
    layers, heads = asked.decoder.layers, asked.decoder.heads
    measured = measure_copying(asked, torch.full((layers, heads), float(sign)))
    hf, ids = plain_model(model, torch.float64, "sdpa"), tokens_to_copy(asked)
    norm = hf.model.norm if name == "llama" else hf.transformer.ln_f
    for layer, written in enumerate(_written_alone(hf, ids, asked.tokens.items[0].id)):
        for head, each in enumerate(written):
            top = hf.lm_head(norm(sign * each)).topk(5).indices
            share = (top == ids[:, None]).any(-1).double().mean().item()
            assert measured[layer, head].item() == pytest.approx(share, abs=1e-6)
    assert measured.unique().numel() > 2


def test_tokens_to_copy_look_like_the_answer(load, ask_about):
    asked = ask(load(EMBEDDED), ask_about(EMBEDDED))
    texts = [asked.token(id).text for id in tokens_to_copy(asked).tolist()]
    assert texts[:2] == [" Mary", " John"] and len(set(texts)) == len(texts) == 40
    assert all(text[0] == " " and text[1:].isalpha() and text[1].isupper() for text in texts)


def test_a_movers_score_is_attention_times_copying(load, found_in_embedded):
    model, question = load(EMBEDDED), found_in_embedded.request.question
    asked = ask(model, question)
    heads = tuple(each.head for each in found_in_embedded.roles)
    maps = attention_maps(model, AttentionRequest(question, heads)).clean
    copied = measure_copying(asked, torch.ones(4, 8))
    direct = [part for part in direct_contributions(asked) if "H" in part.component]
    mean = np.mean([abs(part.value) for part in direct])
    assert asked.tokens.items[2].text == " Mary" == asked.answer_token.text
    for head, own, part in zip(found_in_embedded.roles, maps, direct, strict=True):
        attention = own[asked.position, 2]
        assert part.component == str(head.head)
        expected = attention * copied[head.head.layer, head.head.head].item()
        if part.value < mean or attention < 0.1:
            expected = 0
        assert score(head, Role.NAME_MOVER) == pytest.approx(expected, abs=1e-6)


def _change(hf, ids, other, writer):
    """What patching changes of what a head writes, from the plain model's own weights."""
    d_head = hf.config.hidden_size // hf.config.num_attention_heads
    own = slice(writer.head * d_head, (writer.head + 1) * d_head)
    new = 0 if other is None else oracle.kept_z(hf, other)[writer.layer][:, own]
    module = oracle.projections(hf)[writer.layer]
    weight = module.weight if type(module).__name__ == "Conv1D" else module.weight.T
    return (new - oracle.kept_z(hf, ids)[writer.layer][:, own]) @ weight[own]


@torch.no_grad()
def _patched_pattern(hf, ids, change, layer):
    """[head, query, key] of a layer whose queries alone see the changed stream: two forwards."""
    if hf.config.model_type == "gpt2":
        block, width = hf.transformer.h[layer], hf.config.n_embd
        module = block.attn.c_attn
    else:
        block, width = hf.model.layers[layer], None
        module = block.self_attn.q_proj
    kept = {}
    with ExitStack() as stack:
        hook = block.register_forward_pre_hook(
            lambda _, args, kwargs: ((args[0] + change, *args[1:]), kwargs), with_kwargs=True
        )
        stack.callback(hook.remove)
        look = module.register_forward_hook(lambda _, args, out: kept.update(out=out.clone()))
        stack.callback(look.remove)
        hf(input_ids=ids, use_cache=False)

    def put_in(_, args, out):
        out = out.clone()
        out[..., :width] = kept["out"][..., :width]
        return out

    with ExitStack() as stack:
        stack.callback(module.register_forward_hook(put_in).remove)
        return hf(input_ids=ids, use_cache=False, output_attentions=True).attentions[layer][0]


@pytest.mark.parametrize("patch", ["resample", "zero"])
@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_inhibition_equals_hooked_forwards(load, ask_about, name, patch):
    model, question = load(name), ask_about(name, **PRESENT)
    if patch == "zero":
        question = Question(question.model, question.prompt, **PRESENT)
    asked = ask(model, question)
    movers = parse_heads("L1H2, L2H0")
    measured = score_inhibition(Clean(asked), movers)
    hf = plain_model(model, torch.float64, "eager")
    other = ids_of(asked.read.counterfactual) if patch == "resample" else None
    texts = asked.tokens.texts
    answer, distractor = texts.index("w14"), texts.index("w9")

    def gap(mover, change):
        row = _patched_pattern(hf, asked.ids, change, mover.layer)[mover.head, asked.position]
        return (row[answer] - row[distractor]).item()

    for writer, above in ((HeadId(0, 3), movers), (HeadId(1, 1), movers[1:])):
        change = _change(hf, asked.ids, other, writer)
        expected = np.mean([gap(mover, 0 * change) - gap(mover, change) for mover in above])
        found = measured.scores[writer.layer, writer.head].item()
        # Llama's eager attention takes its softmax in single precision.
        assert found == pytest.approx(expected, abs=1e-7) and abs(found) > 1e-5
        assert len(measured.evidence(writer).numbers) == 2 * len(above)
    assert measured.scores[2].isnan().all()  # nothing is above the last layer


@pytest.mark.parametrize("patch", ["resample", "zero"])
def test_backup_equals_hooked_forwards(load, ask_about, patch):
    model = load("gpt2")
    question = ask_about("gpt2")
    if patch == "zero":
        question = Question(question.model, question.prompt)
    asked = ask(model, question)
    gone = parse_heads("L1H2, L2H0")
    measured = score_backup(Clean(asked), gone)
    hf = plain_model(model, torch.float64, "sdpa")
    d_head = hf.config.n_embd // hf.config.n_head
    other = None
    if patch == "resample":
        kept = oracle.kept_z(hf, ids_of(asked.read.counterfactual))
        other = [z.unflatten(-1, (-1, d_head)) for z in kept]

    def change(layer, columns, z, _):
        return 0 * z if other is None else other[layer][:, columns.start // d_head]

    def lead(heads):
        chosen = [(head.layer, head.head) for head in heads]
        row = oracle.ablated_logits(hf, asked.ids, chosen, change)[asked.position]
        return (row[asked.answer] - row[asked.distractor]).item()

    def help_of(head, others):
        return max(0, lead(others) - lead((*others, head)))

    for head in {*all_heads(asked)} - {*gone}:
        expected = (help_of(head, gone) - help_of(head, ())) / lead(())
        found = measured.scores[head.layer, head.head].item()
        assert found == pytest.approx(expected, abs=1e-9)
    assert measured.scores.nan_to_num(0).abs().max() > 1e-6
    assert all(measured.scores[head.layer, head.head].isnan() for head in gone)


def test_roles_of_the_indirect_object_in_the_embedded_model(found_in_embedded):
    found = {}
    for each in found_in_embedded.roles:
        found.setdefault(each.role, set()).add(str(each.head))
    assert found[Role.NAME_MOVER] == {"L3H0", "L3H2", "L3H5", "L3H6"}
    assert found[Role.S_INHIBITION] == {"L2H2", "L2H4"}
    assert found[Role.DUPLICATE_TOKEN] == {"L2H3"}
    assert found[Role.INDUCTION] == {"L3H3", "L3H4", "L3H7"}
    for name in found[Role.S_INHIBITION]:  # they look at the repeated subject, the second John
        seen = found_in_embedded.of(HeadId.parse(name)).evidence[0].weights[0]
        assert (seen.key, seen.key_token.text) == (10, " John") and seen.weight > 0.9


def test_what_an_architecture_does_not_give_is_not_measured(load, ask_about, monkeypatch):
    deaf = ask(load("gptj"), ask_about("gptj"))
    found = head_roles(load("gptj"), RolesRequest(ask_about("gptj")))
    assert not deaf.decoder.hears_attention
    for role in set(Role) - {Role.BACKUP, Role.UNCLEAR}:
        assert all(score(head, role) is None for head in found.roles)
    measured = [score(head, Role.BACKUP) is not None for head in found.roles]
    assert sum(measured) == len(measured) - 3  # the strongest were ablated
    monkeypatch.setattr(load("llama").decoder, "_writes", BadInput("No sums.", "Choose another."))
    normed = head_roles(load("llama"), RolesRequest(ask_about("llama", **PRESENT)))
    for role in (Role.NAME_MOVER, Role.S_INHIBITION, Role.BACKUP):
        assert all(score(head, role) is None for head in normed.roles)
    assert all(score(head, Role.ANSWER) is not None for head in normed.roles)


def test_a_role_is_given_at_its_threshold(load, ask_about):
    question = ask_about("gpt2", **PRESENT)
    strict = head_roles(load("gpt2"), RolesRequest(question, threshold=1.01))
    assert not {each.role for each in strict.roles} & {*GENERAL, Role.ANSWER}
    loose = head_roles(load("gpt2"), RolesRequest(question, threshold=0.0))
    assert all(each.role is not Role.UNCLEAR for each in loose.roles)
    unclear = next(each for each in strict.roles if each.role is Role.UNCLEAR)
    assert [each.role for each in unclear.evidence] == [Role.ANSWER]  # its best
    assert unclear.score == score(unclear, Role.ANSWER)


def test_every_role_says_what_it_is_about():
    for role in set(Role) - {Role.UNCLEAR}:
        start = "about the model: " if role in GENERAL else "about this prompt: "
        assert role.about.startswith(start)
