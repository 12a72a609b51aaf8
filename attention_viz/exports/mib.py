"""MIB's circuits as a table: both rankings at the benchmark's sizes."""

from attention_viz.exports.tables import Table
from attention_viz.records.circuits.mib import MibCurve


def mib_table(mib: MibCurve) -> Table:
    """A row per ranking and share. `top n` is what is taken, `edges` what pruning leaves."""
    headers = ["ranking", "share", "top n", "edges", "faithfulness", "logit difference (logits)"]
    rows = [
        [areas.ranking.value, p.share, p.wanted, p.size, p.faithfulness, p.metric]
        for areas in mib.rankings
        for p in areas.points
    ]
    return headers, rows
