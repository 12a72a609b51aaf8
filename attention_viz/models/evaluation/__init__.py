"""Measures the embedded model on names, words and templates that its training never used."""
