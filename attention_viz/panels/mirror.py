"""Controls that stand for one field of the page: both follow each other, in the browser.

The page owns the value. A control that a person moves changes the page; a page changed by a
link, an example or another control for the same field moves the control.
"""

from dash import Dash, Input, Output, State

from attention_viz.panels.ids import PAGE

_TELL = """(value, page) => {
  const isNothing = value === undefined || value === null || Number.isNaN(value);
  if (isNothing) return dash_clientside.no_update;  // NaN: a number out of range
  if (JSON.stringify(value) === JSON.stringify(page[%(field)r])) return dash_clientside.no_update;
  return new dash_clientside.Patch().assign([%(field)r], value).build();
}"""

# set_props rather than an Output: the page would otherwise depend on itself.
_FOLLOW = """(page, value) => {
  const wanted = page[%(field)r];
  if (JSON.stringify(value) !== JSON.stringify(wanted))
    dash_clientside.set_props(%(control)r, {value: wanted});
}"""

# set_props here too: Dash drops a callback that comes round to itself.
_WATCH = """(page, seen) => {
  if (page.prompt === "") return;
  const part = Object.fromEntries(%(fields)s.map(name => [name, page[name]]));
  if (JSON.stringify(part) !== JSON.stringify(seen))
    dash_clientside.set_props(%(store)r, {data: part});
}"""


def mirror(app: Dash, control: str, field: str) -> None:
    """Tie the `value` of a control (any but a server-side list of options) to a page field."""
    names = {"field": field, "control": control}
    app.clientside_callback(
        _TELL % names,
        Output(PAGE, "data", allow_duplicate=True),
        Input(control, "value"),
        State(PAGE, "data"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        _FOLLOW % names,
        Input(PAGE, "data"),
        State(control, "value"),
    )


def watch(app: Dash, store: str, *fields: str) -> None:
    """Keep `store` equal to these fields of the page; it changes only when one of them does."""
    app.clientside_callback(
        _WATCH % {"fields": list(fields), "store": store},
        Input(PAGE, "data"),
        State(store, "data"),
    )
