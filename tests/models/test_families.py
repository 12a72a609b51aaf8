"""Every family: right to 1e-4 against hooks on the plain model, or refused with a reason."""

from functools import cache

import pytest
import torch

from attention_viz.analysis.circuits.circuit import measure_circuit
from attention_viz.exports.script import script_of
from attention_viz.models.norms import HeldNorm
from attention_viz.records.circuits.circuit import CircuitRequest
from attention_viz.records.circuits.graph import Graph
from attention_viz.records.errors import BadInput, ModelUnavailable
from attention_viz.records.ids import HeadId
from tests.models.family_checks import CHECKS, Family, load_family
from tests.models.family_table import DOCS, refusals, to_markdown
from tests.random_families import FAMILIES, REFUSED

TOLERANCE = 1e-4

NO_ATTENTION = "only what heads write is heard"
# All that is refused: by family, the parts and the cause each names. Whatever is not here is right.
REFUSED_PARTS = {
    **dict.fromkeys(
        ("bloom", "codegen", "falcon", "falcon_alibi", "falcon_mqa", "gpt_neo", "gptj", "mpt"),
        {"maps": NO_ATTENTION, "edges": NO_ATTENTION},
    ),
    "bitnet": dict.fromkeys(("contributions", "edges"), "changed before W_O"),
    "gemma4_text": dict.fromkeys(("contributions", "edges"), "not simply added"),
}


@cache
def family(name: str) -> Family:
    return Family(name, load_family(name))


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_is_right_or_refused(name):
    one = family(name)
    refused = REFUSED_PARTS.get(name, {})
    for part, reason in one.reasons().items():
        assert (part in refused) == bool(reason), (part, reason)
        assert refused.get(part, "") in reason
        if not reason:
            for check in CHECKS[part]:
                assert check(one) < TOLERANCE, check.__name__


@pytest.mark.parametrize("name", FAMILIES)
def test_the_one_pass_engine_runs_on_every_family(name):
    assert family(name).model.info.engine == "one pass"


@pytest.mark.parametrize("name", REFUSED)
def test_a_family_that_is_not_taken_names_the_cause(name):
    with pytest.raises(ModelUnavailable) as refused:
        load_family(name)
    assert REFUSED[name][1] in refused.value.message
    assert "\n" not in str(refused.value) and "Error" not in str(refused.value)


def test_what_is_refused_says_why_wherever_it_is_asked():
    bitnet, bloom = family("bitnet"), family("bloom")
    for check in CHECKS["edges"] + CHECKS["contributions"]:
        with pytest.raises(BadInput, match="changed before W_O"):
            check(bitnet)
    for check in CHECKS["edges"][:2] + CHECKS["maps"]:
        with pytest.raises(BadInput, match="out of reach"):
            check(bloom)


def test_a_norm_after_attention_is_named_as_the_convention():
    with_norm = {name for name in FAMILIES if family(name).model.info.convention}
    assert with_norm == {"exaone4", "gemma2", "gemma3_text", "glm4", "olmo2", "olmo3"}


def test_what_a_circuit_says_of_its_family():
    """How results count, what contributions sum to, and that no script can recompute it."""
    for name, plain, capped in (
        ("llama", True, False),
        ("granite", False, False),
        ("gemma2", False, True),
        ("olmoe", False, False),
    ):
        one = family(name)
        circuit = measure_circuit(one.model, CircuitRequest(one.question, (HeadId(0, 1),)))
        assert (circuit.is_plain, circuit.is_capped) == (plain, capped), name
        has_norm = "own run's scale of the norm after attention" in circuit.patched_with
        assert has_norm == (name == "gemma2")
        assert ("soft cap" in circuit.contributed_to) == capped
        if plain:
            assert "import" in script_of(circuit, name)
        else:
            with pytest.raises(BadInput, match="can't recompute"):
                script_of(circuit, name)


@pytest.mark.parametrize("name", ["gemma2", "olmo2", "olmo", "cohere", "nemotron", "gpt2"])
def test_parts_of_a_normed_sum_add_up(name):
    """Whatever the norm is called and keeps: parts and bias are what it gives for the sum."""
    norm = family(name).oracle.final_norm
    parts = torch.randn(5, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    held = HeldNorm.measure(norm, parts[0])
    total = parts.sum(0, keepdim=True)
    found = held.part(parts, held.scale(total)).sum(0) + held.bias
    torch.testing.assert_close(found, norm(total)[0], rtol=1e-6, atol=1e-6)


def test_what_is_no_norm_is_not_taken_apart():
    with pytest.raises(ValueError, match="neither"):
        HeldNorm.measure(torch.nn.Tanh(), torch.zeros(8))


def test_shared_heads_of_latent_attention_count_once_per_head():
    graph = family("deepseek_v3").model.streams.graph
    assert graph == Graph(4, 4, 4, False)


def test_the_table_in_the_docs_is_the_one_these_tests_make():
    """Right or refused, as above; errors are left to `python -m tests.models.family_table`."""
    rows = {name: family(name).reasons() for name in FAMILIES}
    assert to_markdown(rows, refusals()) == DOCS.read_text(encoding="utf-8")
