"""The lens view: what the model would say after each layer."""

from attention_viz.panels.views.lens.lens import ACTS, PARTS, layout

__all__ = ["ACTS", "PARTS", "layout"]
