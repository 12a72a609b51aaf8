"""Fixtures all tests share. Those of the browser live in tests/browser/conftest.py."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import nullcontext

import pytest

from attention_viz.models.cache import VARIABLE
from attention_viz.models.catalogue import Catalogue
from attention_viz.models.loading import LoadedModel, load_model
from attention_viz.models.packaged import SMOLLM2
from attention_viz.records.model import EMBEDDED, ModelEntry
from attention_viz.workbench import Workbench
from tests.pretended_device import pretending


def pytest_addoption(parser) -> None:
    parser.addoption(
        "--device",
        default="cpu",
        help="where the analyses' models lie: cpu, cuda …, or pretended, a CUDA without a GPU",
    )


_OWN_CACHE = pytest.StashKey[str]()


def pytest_configure(config):
    """What is unpacked is kept for this run only, and shared by its processes."""
    if not hasattr(config, "workerinput"):  # they inherit it
        config.stash[_OWN_CACHE] = os.environ[VARIABLE] = tempfile.mkdtemp(prefix="attention-viz-")


def pytest_unconfigure(config):
    if _OWN_CACHE in config.stash:
        shutil.rmtree(config.stash[_OWN_CACHE], ignore_errors=True)


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


@pytest.fixture(scope="session")
def smollm2() -> LoadedModel:
    """SmolLM2, unpacked once by all processes of a run and loaded once in each."""
    return load_model(need_smollm2(), device="cpu")


def need_smollm2() -> ModelEntry:
    """Its line of the catalogue. Skips where it is not installed, and fails where it has to be."""
    entry = SMOLLM2.entry()
    if entry is None:
        note = f"SmolLM2 is not installed: {SMOLLM2.remedy}"
        if os.environ.get("ATTENTION_VIZ_REQUIRE_BROWSER") == "1":
            pytest.fail(note, pytrace=False)
        pytest.skip(note)
    return entry


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
