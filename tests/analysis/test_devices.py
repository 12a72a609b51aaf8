"""Every analysis on another device: nothing mixed with the CPU, nothing read without a copy."""

import numpy as np
import pytest
import torch

from attention_viz.exports.records import record_json
from attention_viz.models.catalogue import Catalogue
from attention_viz.models.loading import load_model
from attention_viz.records.model import EMBEDDED
from attention_viz.workbench import Workbench
from tests.gpu.equality import REQUESTS, compare
from tests.pretended_device import pretending


@pytest.fixture(scope="module")
def elsewhere():
    """A workbench whose model lies on a pretended CUDA device."""
    with pretending() as device:
        model = load_model(Catalogue.standard().entry(EMBEDDED), device=device)
    bench = Workbench(Catalogue.standard(), loader=lambda entry, **settings: model)
    bench.wait(EMBEDDED)
    yield bench
    bench.close()


@pytest.mark.parametrize("name", REQUESTS)
def test_gives_the_numbers_of_the_cpu(name, elsewhere, workbench):
    expected = record_json(workbench.measure(REQUESTS[name]))
    with pretending():
        found = record_json(elsewhere.measure(REQUESTS[name]))
    assert compare(expected, found) < 1e-5


def test_the_pretended_device_refuses_what_cuda_refuses():
    with pretending() as device:
        there = torch.ones(3, device=device)
        with pytest.raises(RuntimeError, match="same device"):
            there + torch.ones(3)
        with pytest.raises(RuntimeError, match="same device"):
            torch.cat([there, torch.ones(3)])
        with pytest.raises(TypeError, match="numpy"):
            np.asarray(there)
        assert (there + torch.tensor(1.0)).cpu().tolist() == [2.0, 2.0, 2.0]
        assert there[torch.tensor([0, 2])].device.type == "cuda"


def test_gradients_come_back_from_the_pretended_device():
    with pretending() as device:
        here = torch.ones(3, requires_grad=True)
        (here.to(device) * torch.arange(3.0, device=device)).sum().backward()
    assert here.grad.tolist() == [0.0, 1.0, 2.0]
