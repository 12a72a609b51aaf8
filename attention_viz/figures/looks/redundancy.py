"""Pairs of heads: the effect of both minus the sum of each alone, in the metric's unit."""

import plotly.graph_objects as go

from attention_viz.figures.escape import signed
from attention_viz.figures.matrix import draw_matrix
from attention_viz.records.looks.redundancy import Redundancy


def draw_redundancy(found: Redundancy, theme: str = "light") -> go.Figure:
    """A click's customdata[0] is the row's head. Works on partial records."""
    names = [str(head) for head in found.heads]
    unit = found.request.metric.unit
    excess = found.excess

    def hover(row: int, column: int) -> str:
        if row == column:
            return f"<b>{names[row]}</b> alone: {signed(float(found.single[row]), 3)} {unit}"
        alone = found.single[row] + found.single[column]
        return (
            f"<b>{names[row]} + {names[column]}</b>"
            f"<br>together {signed(float(found.pair[row, column]), 3)} {unit}"
            f"<br>sum of each alone {signed(float(alone), 3)}"
            f"<br>difference {signed(float(excess[row, column]), 3)}"
        )

    count = range(len(names))
    hovers = [[hover(row, column) for column in count] for row in count]
    return draw_matrix(excess, names, names, unit=unit, hovers=hovers, theme=theme)
