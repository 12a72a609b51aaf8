"""Clicks on figures: a mark that stands for a head puts it into the selection or takes it out."""

from dash import Dash, Input, Output

from attention_viz.panels.ids import HEADS_PICKED

# The click is forgotten at once, so that a second one on the same mark is heard.
_PICK = """(click) => {
  const nothing = dash_clientside.no_update;
  if (!click) return [nothing, nothing];
  const name = String(click.points[0].customdata?.[0]);
  const picked = { heads: [name], mode: "toggle", at: Date.now() };
  return [/^L\\d+H\\d+$/.test(name) ? picked : nothing, null];
}"""


def pick_heads(app: Dash, figure: str) -> None:
    """Let clicks on a figure pick heads; its customdata[0] is "L2H3"."""
    app.clientside_callback(
        _PICK,
        Output(HEADS_PICKED, "data", allow_duplicate=True),
        Output(figure, "clickData"),
        Input(figure, "clickData"),
        prevent_initial_call=True,
    )
