"""MIB's areas as the `circuit` command prints them, beside those of our own cut."""

from typing import Any

from attention_viz.commands.command import table
from attention_viz.exports.mib import mib_table
from attention_viz.exports.records import pick, record_json
from attention_viz.records.circuits.mib import MibAreas, MibCurve


def mib_json(mib: MibCurve | None) -> dict[str, Any] | None:
    """Null where it was not asked for."""
    if mib is None:
        return None
    areas = {each.ranking.value: _areas_json(each) for each in mib.rankings}
    return areas | pick(mib, "full", "empty", "total", "replaced")


def _areas_json(areas: MibAreas) -> dict[str, Any]:
    return {**pick(areas, "cpr", "cmd"), "points": record_json(areas.points)}


def mib_lines(mib: MibCurve) -> list[str]:
    told = ", ".join(
        f"{each.ranking.value} CPR {each.cpr:.4f} and CMD {each.cmd:.4f}" for each in mib.rankings
    )
    return [
        f"MIB (top n of {mib.total} edges, pruned, not refilled; {mib.replaced}): {told}",
        table(*mib_table(mib)),
    ]
