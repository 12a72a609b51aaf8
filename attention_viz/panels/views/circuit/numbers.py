"""Small things that the parts of the circuit view share."""

from attention_viz.panels.kit import html


def draw_legend(line: list[dict[str, str]], items: list[dict[str, str]]) -> html.Node:
    """A line of signs; unfolded, all items and then the notes among them."""
    signs = [_draw_sign(item) for item in items if item["mark"] != "note"]
    notes = [html.P(item["text"], className="note") for item in items if item["mark"] == "note"]
    whole = html.Div(signs, className="legend-signs") if signs else None
    summary = html.Summary([_draw_sign(item) for item in line])
    return html.Details([summary, whole, *notes], className="graph-legend")


def _draw_sign(item: dict[str, str]) -> html.Node:
    mark = html.I(className=f"sign {item['mark']}", style={"color": item["colour"]})
    return html.Span([mark, item["text"]], className="legend-item")


def count_of(count: int, what: str) -> str:
    """ "1 pair", "1,200 pairs"."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"
