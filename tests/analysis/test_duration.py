"""How long a sweep or a circuit takes is told before; counted in rows and blocks, not in time."""

import pytest

from attention_viz.analysis.circuits.circuit import measure_circuit
from attention_viz.analysis.duration import estimate_duration
from attention_viz.analysis.sweep import sweep_heads
from attention_viz.records.ablation import Ablation, AblationKind
from attention_viz.records.circuits.circuit import CircuitRequest
from attention_viz.records.duration import BY_ITSELF, Duration, DurationRequest
from attention_viz.records.errors import BadInput
from attention_viz.records.ids import parse_heads
from attention_viz.records.sweep import SweepRequest

BLOCK = 0.01  # seconds of one token's row in one block
HEADS = parse_heads("L0H1,L1H2,L2H0")


def told(model, request, speed: float | None = BLOCK):
    model.decoder.row_seconds = speed
    return estimate_duration(model, DurationRequest(request))


@pytest.mark.parametrize("name", ["gpt2", "llama", "neox"])
def test_a_sweep_takes_its_rows_through_the_blocks_above(load, ask_about, name):
    model, question = load(name), ask_about(name)
    found = told(model, SweepRequest(question))
    assert found.evaluations == sweep_heads(model, SweepRequest(question)).evaluations == 12
    tokens = len(model.vocabulary.read(question).tokens)
    assert found.seconds == pytest.approx(BLOCK * tokens * 4 * (4 + 3 + 2))


def test_rows_that_carry_fewer_positions_take_less(load, ask_about):
    model, question = load("gpt2"), ask_about("gpt2")
    whole = told(model, SweepRequest(question)).seconds
    late = Ablation(positions=(len(model.vocabulary.read(question).tokens) - 1,))
    assert told(model, SweepRequest(question, late)).seconds < 0.3 * whole
    assert told(model, SweepRequest(question, Ablation(AblationKind.RESAMPLE))).seconds < whole


@pytest.mark.parametrize("name", ["gpt2", "llama", "neox"])
def test_a_circuit_of_heads_is_told_by_the_runs_it_takes(load, ask_about, name):
    """All but the direct edges into the logits, which take no block."""
    model, question = load(name), ask_about(name)
    request = CircuitRequest(question, HEADS)
    found = told(model, request)
    circuit = measure_circuit(model, request)
    drawn_once = circuit.evaluations - len(HEADS)
    assert abs(found.evaluations - drawn_once) <= 2  # shared keys are drawn to several heads
    assert told(model, CircuitRequest(question, HEADS[:2])).seconds < found.seconds


def test_a_device_whose_speed_is_not_known_is_tried_once(load, ask_about):
    model, question = load("llama"), ask_about("llama")
    assert told(model, SweepRequest(question), None).seconds > 0
    speed = model.decoder.row_seconds
    assert speed > 0
    estimate_duration(model, DurationRequest(CircuitRequest(question, HEADS)))
    assert model.decoder.row_seconds == speed


def test_short_is_what_the_page_starts_by_itself():
    assert Duration(1, BY_ITSELF).is_short and not Duration(1, BY_ITSELF + 0.1).is_short


def test_what_cannot_be_measured_is_said(load, ask_about):
    with pytest.raises(BadInput):
        told(load("gpt2"), CircuitRequest(ask_about("gpt2"), ()))
