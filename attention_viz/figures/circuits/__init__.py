"""Circuits drawn: graph, legend, comparison, proof."""
