"""How much faster it is to compute only the positions that change: the second staircase.

The same measurement twice, in turns, in one run: as it is, and with every row carrying all
positions (as for a model that fails the self-test's check of stretches). The prompts of a pair
differ at one token, at position 10 of 15 or at 120 of 128.
"""

import statistics
import time
from collections.abc import Callable

import torch

from attention_viz.analysis.sweep import sweep_heads
from attention_viz.models.decoder import Decoder
from attention_viz.models.loading import LoadedModel
from attention_viz.records.ablation import Ablation, AblationKind
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
        times = compare(model.decoder, lambda: sweep_heads(model, request), rounds)  # noqa: B023
        report |= {
            f"suffix_{tokens}_s": times[0],
            f"all_positions_{tokens}_s": times[1],
            f"suffix_speedup_{tokens}": times[1] / times[0],
        }
    return report
