"""Sweeps and plain forwards from several threads give the serial numbers."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from attention_viz.models.catalogue import Catalogue
from attention_viz.records.ablation import (
    Ablation,
    AblationKind,
    AblationRequest,
    PredictionRequest,
)
from attention_viz.records.attention import AttentionRequest
from attention_viz.records.ids import HeadId
from attention_viz.records.model import EMBEDDED
from attention_viz.records.question import Question
from attention_viz.records.sweep import SweepRequest
from attention_viz.workbench import Workbench
from tests.threads_for_tests import until

PROMPTS = (
    "When Mary and John went to the store, John gave a drink to",
    "The key to the cabinets",
    "The Eiffel Tower is in",
)


def requests():
    """Kinds of work that share the model: sweeps, forwards, edited runs, patterns."""
    for prompt in PROMPTS:
        question = Question(EMBEDDED, prompt)
        yield SweepRequest(question)
        yield SweepRequest(question, Ablation(AblationKind.MEAN))
        yield PredictionRequest(question)
        yield AblationRequest(question, (HeadId(0, 1), HeadId(2, 3)))
        yield AttentionRequest(question, (HeadId(1, 1), HeadId(3, 0)), Ablation())


def numbers(record) -> np.ndarray:
    """What was measured, as one array."""
    match type(record).__name__:
        case "HeadSweep":
            return record.effect
        case "Prediction":
            return np.array([each.logit for each in record.top])
        case "AblationResult":
            return np.array([record.kl, *(change.ablated.logit for change in record.changes)])
        case "AttentionMaps":
            return np.concatenate([record.clean, record.ablated])
    raise AssertionError(f"no numbers known for {record}")


@pytest.fixture(scope="module")
def serial():
    workbench = Workbench(Catalogue.standard(), device="cpu")
    return [numbers(workbench.measure(request)) for request in requests()]


def test_many_threads_give_the_serial_numbers(serial):
    workbench = Workbench(Catalogue.standard(), device="cpu", cache_bytes=0)
    workbench.wait(EMBEDDED)
    asked = [request for _ in range(4) for request in requests()]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(workbench.measure, asked))
    for record, expected in zip(found, serial * 4, strict=True):
        assert np.allclose(numbers(record), expected, atol=1e-5, rtol=1e-5)


def test_clicks_during_background_sweeps_give_the_serial_numbers(serial):
    workbench = Workbench(Catalogue.standard(), device="cpu", cache_bytes=0)
    workbench.wait(EMBEDDED)
    asked = list(requests())
    jobs = [workbench.submit(request) for request in asked if isinstance(request, SweepRequest)]
    for request, expected in zip(asked, serial, strict=True):
        if not isinstance(request, SweepRequest):
            assert np.allclose(numbers(workbench.measure(request)), expected, atol=1e-5, rtol=1e-5)
    sweeps = [e for r, e in zip(asked, serial, strict=True) if isinstance(r, SweepRequest)]
    for job, expected in zip(jobs, sweeps, strict=True):
        until(lambda job=job: workbench.jobs.status(job.id).is_over, seconds=600)
        result = workbench.jobs.status(job.id).result
        assert np.allclose(numbers(result), expected, atol=1e-5, rtol=1e-5)
    workbench.close()
