"""How much faster it is to compute only the positions that change: the second staircase.

The same measurement twice, in turns, in one run: as it is, and with every row carrying all
positions (as for a model that fails the self-test's check of stretches). The prompts of a pair
differ at one token, at position 10 of 15 or at 120 of 128.
"""

import statistics
import time
from collections.abc import Callable

import torch

from attention_viz.analysis.circuits.attribution import attribute_edges
from attention_viz.analysis.circuits.cut import cut_scores, edges_of
from attention_viz.analysis.circuits.faithfulness import measure_faithfulness
from attention_viz.analysis.sweep import sweep_heads
from attention_viz.models.decoder import Decoder
from attention_viz.models.loading import LoadedModel
from attention_viz.records.ablation import Ablation, AblationKind
from attention_viz.records.circuits.attribution import AttributionRequest, Method
from attention_viz.records.circuits.circuit import Cut
from attention_viz.records.circuits.faithfulness import FaithfulnessRequest
from attention_viz.records.circuits.pairs import Pair, PairsRequest
from attention_viz.records.question import Question
from attention_viz.records.sweep import SweepRequest
from tests.benchmarks.models import prompt_of

SIZES = {15: 10, 128: 120}  # tokens, and the position of the difference


def pair_of(tokens: int, position: int) -> tuple[str, str]:
    """Two prompts that differ at one position, beginning of text counted."""
    words = prompt_of(tokens).split()
    other = [*words]
    other[position - 1] = "w5000"
    return " ".join(words), " ".join(other)


def compare(decoder: Decoder, work: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Median seconds of `work` as it is, and with all positions."""
    assert decoder.runs_stretches
    seconds: dict[bool, list[float]] = {True: [], False: []}
    try:
        for _ in range(rounds + 1):  # the first warms up
            for way in (True, False):
                decoder.runs_stretches, decoder.row_seconds = way, None
                began = time.perf_counter()
                work()
                if decoder.device.type == "cuda":
                    torch.cuda.synchronize(decoder.device)
                seconds[way].append(time.perf_counter() - began)
    finally:
        decoder.runs_stretches, decoder.row_seconds = True, None
    return tuple(statistics.median(seconds[way][1:]) for way in (True, False))


def measure_sweeps(model: LoadedModel, rounds: int) -> dict:
    """Resample ablation of all heads, one by one, both clean runs included."""
    report = {}
    for tokens, position in SIZES.items():
        clean, other = pair_of(tokens, position)
        question = Question("bench", clean, counterfactual=other)
        request = SweepRequest(question, ablation=Ablation(AblationKind.RESAMPLE))
        report |= _compared(model, tokens, "", lambda: sweep_heads(model, request), rounds)  # noqa: B023
    return report


def measure_circuits(model: LoadedModel, rounds: int, edges: int = 200) -> dict:
    """EAP, and one faithfulness check of its top edges."""
    report = {}
    for tokens, position in SIZES.items():
        clean, other = pair_of(tokens, position)
        pairs = PairsRequest(Question("bench", ""), given=(Pair(clean, other, "w7", "w9"),))
        request = AttributionRequest(pairs, Method.EAP)
        found = attribute_edges(model, request)
        top = cut_scores(found.graph, found.scores, edges, Cut.TOP)
        check = FaithfulnessRequest(pairs, tuple(edges_of(found.graph, top)))
        for name, work in (
            ("eap_", lambda: attribute_edges(model, request)),  # noqa: B023
            ("faithfulness_", lambda: measure_faithfulness(model, check)),  # noqa: B023
        ):
            report |= _compared(model, tokens, name, work, rounds)
    return report


def _compared(
    model: LoadedModel, tokens: int, name: str, work: Callable[[], object], rounds: int
) -> dict:
    short, whole = compare(model.decoder, work, rounds)
    return {
        f"{name}suffix_{tokens}_s": short,
        f"{name}all_positions_{tokens}_s": whole,
        f"{name}suffix_speedup_{tokens}": whole / short,
    }
