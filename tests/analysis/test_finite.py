"""A run with NaN or inf is refused, and it is said where that begins."""

import pytest
import torch

from attention_viz.analysis.ablation import ablate, predict
from attention_viz.analysis.attention import attention_maps
from attention_viz.analysis.circuits.attribution import attribute_edges
from attention_viz.analysis.circuits.circuit import measure_circuit
from attention_viz.analysis.circuits.faithfulness import measure_faithfulness
from attention_viz.analysis.lens import logit_lens
from attention_viz.analysis.sweep import sweep_heads
from attention_viz.models.finite import is_finite, need_finite
from attention_viz.models.loading import load_model
from attention_viz.records.ablation import (
    Ablation,
    AblationKind,
    AblationRequest,
    PredictionRequest,
)
from attention_viz.records.attention import AttentionRequest
from attention_viz.records.circuits.attribution import AttributionRequest
from attention_viz.records.circuits.circuit import CircuitRequest
from attention_viz.records.circuits.edge import EdgeId
from attention_viz.records.circuits.faithfulness import FaithfulnessRequest
from attention_viz.records.circuits.pairs import PairsRequest
from attention_viz.records.errors import BadInput
from attention_viz.records.ids import HeadId
from attention_viz.records.lens import LensRequest
from attention_viz.records.model import ModelEntry
from attention_viz.records.question import Question
from attention_viz.records.sweep import SweepRequest
from tests.models_for_tests import COUNTERFACTUAL, PROMPT, save_random_model

QUESTION = Question("mine", PROMPT, counterfactual=COUNTERFACTUAL)
HEADS = (HeadId(0, 1), HeadId(1, 2))
SCALED = Ablation(AblationKind.SCALE, scale=10.0)


@pytest.fixture
def model(tmp_path):
    folder = save_random_model("llama", tmp_path)
    return load_model(ModelEntry("mine", str(folder), True), device="cpu")


def break_block(model, layer: int, position: int, value: float):
    """What the block writes at a position is not finite, whatever it reads."""

    def spoil(block, args, output):
        output[:, position] = value
        return output

    model.decoder.blocks[layer].register_forward_hook(spoil)


MEASUREMENTS = {
    "prediction": (predict, PredictionRequest(QUESTION)),
    "sweep": (sweep_heads, SweepRequest(QUESTION)),
    "ablation": (ablate, AblationRequest(QUESTION, HEADS, Ablation())),
    "lens": (logit_lens, LensRequest(QUESTION)),
    "attention": (attention_maps, AttentionRequest(QUESTION, HEADS)),
    "circuit": (measure_circuit, CircuitRequest(QUESTION, HEADS)),
    "edge scores": (attribute_edges, AttributionRequest(PairsRequest(QUESTION))),
    "faithfulness": (
        measure_faithfulness,
        FaithfulnessRequest(PairsRequest(QUESTION), (EdgeId.parse("input->logits"),)),
    ),
}


@pytest.mark.parametrize("name", MEASUREMENTS)
@pytest.mark.parametrize(("value", "kind"), [(torch.nan, "NaN"), (torch.inf, "inf")])
def test_every_measurement_says_where_it_begins(model, name, value, kind):
    measure, request = MEASUREMENTS[name]
    measure(model, request)  # as long as all is well
    break_block(model, 1, 3, value)
    with pytest.raises(BadInput, match=f"has {kind}, first after layer 1 at position 3") as caught:
        measure(model, request)
    assert caught.value.remedy


def test_what_enters_the_first_layer_is_looked_at(model):
    id = model.vocabulary.find("w26")
    model.decoder.embedding.weight.data[id] = torch.nan
    with pytest.raises(BadInput, match="NaN, first in the embedding, before layer 0 at position 5"):
        predict(model, PredictionRequest(QUESTION))
    without = Question("mine", PROMPT.replace("w26", "w27"))
    assert predict(model, PredictionRequest(without)).top[0].probability > 0


def test_what_reads_the_last_layer_is_looked_at(model):
    model.decoder.unembedding.weight.data[7] = torch.inf
    with pytest.raises(BadInput, match="logits at position 8"):
        predict(model, PredictionRequest(QUESTION))


def overflowing(model):
    """What layer 1's attention writes in the clean run, and no more, is within range."""
    most = []
    projection = model.decoder.projections[1]
    listening = projection.register_forward_hook(lambda _, args, out: most.append(out.abs().max()))
    predict(model, PredictionRequest(QUESTION))
    listening.remove()
    limit = 1.2 * max(most)
    projection.register_forward_hook(lambda _, args, out: out / (out.abs() < limit))


@pytest.mark.parametrize("name", ["sweep", "ablation", "lens", "attention"])
def test_an_ablation_that_overflows_says_whose_it_is(model, name):
    heads = (HeadId(1, 2),)
    overflowing(model)
    requests = {
        "sweep": (sweep_heads, SweepRequest(QUESTION, SCALED)),
        "ablation": (ablate, AblationRequest(QUESTION, heads, SCALED)),
        "lens": (logit_lens, LensRequest(QUESTION, 5, heads, SCALED)),
        "attention": (attention_maps, AttentionRequest(QUESTION, heads, SCALED)),
    }
    measure, request = requests[name]
    assert predict(model, PredictionRequest(QUESTION)).top
    with pytest.raises(BadInput, match="this ablated run has NaN, first after layer 1") as e:
        measure(model, request)
    if name in ("sweep", "ablation"):
        assert e.value.message.startswith("With L1H")


def test_a_sum_that_overflows_is_no_reason():
    assert is_finite(torch.full((4,), 3e38))
    need_finite(torch.full((4,), 3e38), "This")
    assert not is_finite(torch.tensor([1.0, torch.nan])) and not is_finite(torch.tensor(torch.inf))
    assert is_finite(torch.ones(0))
