"""The words everybody uses: frozen requests and results, without torch, Dash or Plotly.

A *request* says what to measure and is hashable, so it is the key under which its result is
kept. A *result* holds numpy arrays and labels, and never changes once made.
"""
