"""Fixtures all tests share. Those of the browser live in tests/browser/conftest.py."""

import pytest

from attention_viz.models.catalogue import Catalogue
from attention_viz.workbench import Workbench


@pytest.fixture(scope="session")
def workbench():
    """One workbench for the whole run: the embedded model is loaded when first asked for."""
    bench = Workbench(Catalogue.standard(), device="cpu")
    yield bench
    bench.close()
