"""Models for the analyses: the embedded one and small random ones, in two precisions."""

from functools import cache

import pytest
import torch

from attention_viz.models.catalogue import Catalogue
from attention_viz.models.loading import LoadedModel, load_model
from attention_viz.records.model import EMBEDDED, ModelEntry
from attention_viz.records.question import Question
from tests.models_for_tests import COUNTERFACTUAL, PROMPT, save_random_model

MARY = "When Mary and John went to the store, John gave a drink to"
MARY_COUNTERFACTUAL = "When Mary and John went to the store, Mary gave a drink to"


@pytest.fixture(scope="session")
def load(tmp_path_factory, device):
    """load(name, dtype, implementation) → LoadedModel, each once."""
    folder = tmp_path_factory.mktemp("models")

    @cache
    def load_once(
        name: str, dtype: torch.dtype = torch.float64, implementation: str = "sdpa"
    ) -> LoadedModel:
        if name == EMBEDDED:
            entry = Catalogue.standard().entry(EMBEDDED)
        else:
            entry = ModelEntry(name, str(save_random_model(name, folder)), True)
        return load_model(entry, device=device, dtype=dtype, implementation=implementation)

    return load_once


@pytest.fixture(scope="session")
def ask_about():
    """ask_about(name, **changes) → a question that fits the model."""

    def question(name: str, **changes) -> Question:
        if name == EMBEDDED:
            return Question(name, MARY, counterfactual=MARY_COUNTERFACTUAL, **changes)
        return Question(name, PROMPT, counterfactual=COUNTERFACTUAL, **changes)

    return question
