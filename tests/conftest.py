"""Fixtures all tests share. Those of the browser live in tests/browser/conftest.py."""

from collections.abc import Iterator
from contextlib import nullcontext

import pytest

from attention_viz.models.catalogue import Catalogue
from attention_viz.models.loading import LoadedModel, load_model
from attention_viz.records.model import EMBEDDED
from attention_viz.workbench import Workbench
from tests.pretended_device import pretending


def pytest_addoption(parser) -> None:
    parser.addoption(
        "--device",
        default="cpu",
        help="where the analyses' models lie: cpu, cuda …, or pretended, a CUDA without a GPU",
    )


@pytest.fixture(scope="session")
def device(request) -> Iterator[str]:
    """The device that was asked for on the command line."""
    name = request.config.getoption("--device")
    with pretending() if name == "pretended" else nullcontext(name) as device:
        yield device


@pytest.fixture(scope="session")
def embedded_model(device) -> LoadedModel:
    """The embedded model, loaded once; every workbench gets it without waiting."""
    return load_model(Catalogue.standard().entry(EMBEDDED), device=device)


@pytest.fixture
def bench(embedded_model) -> Iterator[Workbench]:
    """A workbench that has measured nothing yet; its model is there."""
    with_model = _around(embedded_model)
    yield with_model
    with_model.close()


@pytest.fixture(scope="module")
def workbench(embedded_model) -> Iterator[Workbench]:
    """One workbench for the tests of a module that only ask: it may know the answer already."""
    shared = _around(embedded_model)
    yield shared
    shared.close()


def _around(model: LoadedModel) -> Workbench:
    def load(entry, **settings):
        return model if entry.name == EMBEDDED else load_model(entry, **settings)

    bench = Workbench(Catalogue.standard(), device="cpu", loader=load)
    bench.wait(EMBEDDED)
    return bench
