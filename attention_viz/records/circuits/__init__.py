"""Circuits: pairs, edges, scores, faithfulness, roles; requests and results."""
