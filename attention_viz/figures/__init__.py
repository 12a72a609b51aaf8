"""Records in, drawings out: plotly figures and cytoscape elements. Pure functions.

Every drawing takes its colours from `palette` and puts users' text through `escape`.
"""
