"""Attention Viz: find, ablate and draw the attention heads that cause a prediction."""

__version__ = "0.1.0"
