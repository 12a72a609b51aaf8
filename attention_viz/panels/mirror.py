"""Controls that stand for one field of the page: both follow each other, in the browser.

The page owns the value. A control that a person moves changes the page; a page changed by a
link, an example or another control for the same field moves the control.
"""

import json

from dash import Dash, Input, Output, State

from attention_viz.panels.ids import PAGE

_TELL = """(value, page) => {
  const isNothing = value === undefined || value === null || Number.isNaN(value);
  if (isNothing) return dash_clientside.no_update;  // NaN: a number out of range
  if (JSON.stringify(value) === JSON.stringify(page[%(field)r])) return dash_clientside.no_update;
  return new dash_clientside.Patch().assign([%(field)r], value).build();
}"""

# One callback for all of them: each callback on the page costs the browser milliseconds at every
# change. set_props rather than Outputs: the page would otherwise depend on itself, and Dash drops
# a callback that comes round to itself.
_FOLLOW = """(page, ...seen) => {
  const differs = (one, other) => JSON.stringify(one) !== JSON.stringify(other);
  const controls = %(controls)s, stores = %(stores)s;
  controls.forEach(([control, field], i) => {
    if (differs(seen[i], page[field])) dash_clientside.set_props(control, {value: page[field]});
  });
  if (page.prompt === "") return;
  stores.forEach(([store, fields], i) => {
    const data = Object.fromEntries(fields.map(name => [name, page[name]]));
    if (differs(seen[controls.length + i], data)) dash_clientside.set_props(store, {data});
  });
}"""
_MIRRORED, _WATCHED = "MIRRORED_CONTROLS", "WATCHED_FIELDS"  # what each app has of them


def mirror(app: Dash, control: str, field: str) -> None:
    """Tie the `value` of a control (any but a server-side list of options) to a page field."""
    app.server.config.setdefault(_MIRRORED, []).append((control, field))
    app.clientside_callback(
        _TELL % {"field": field},
        Output(PAGE, "data", allow_duplicate=True),
        Input(control, "value"),
        State(PAGE, "data"),
        prevent_initial_call=True,
    )


def watch(app: Dash, store: str, *fields: str) -> None:
    """Keep `store` equal to these fields of the page; it changes only when one of them does."""
    app.server.config.setdefault(_WATCHED, []).append((store, fields))


def follow(app: Dash) -> None:
    """Let all mirrored controls and watched stores follow the page; call it once, at the end."""
    controls = app.server.config.get(_MIRRORED, [])
    stores = app.server.config.get(_WATCHED, [])
    app.clientside_callback(
        _FOLLOW % {"controls": json.dumps(controls), "stores": json.dumps(stores)},
        Input(PAGE, "data"),
        *(State(control, "value") for control, _ in controls),
        *(State(store, "data") for store, _ in stores),
    )
