"""While tests run, the shapes that signatures promise are checked (see pyproject.toml)."""

import pytest
import torch
from jaxtyping import TypeCheckError

from attention_viz.analysis.one_pass import climb
from attention_viz.analysis.question import entropy_of


def test_a_tensor_of_the_wrong_shape_is_refused():
    with pytest.raises(TypeCheckError, match="residual"):
        climb(None, torch.zeros(2, 3), layer=0)


def test_a_tensor_of_the_wrong_type_is_refused():
    assert entropy_of(torch.zeros(2, 8)).shape == (2,)
    with pytest.raises(TypeCheckError, match="logits"):
        entropy_of(torch.zeros(2, 8, dtype=torch.long))
