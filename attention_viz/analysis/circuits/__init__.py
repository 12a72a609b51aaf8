"""Circuits: pairs, edge scores, cuts, path patching, faithfulness."""
