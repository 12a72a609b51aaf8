"""What each part of the page does, what the words mean, and the keys."""

from typing import Any

import dash_bootstrap_components as dbc
from dash import Dash, Input, Output, State, html

from attention_viz.records.ablation import AblationKind
from attention_viz.records.circuits.roles import Role
from attention_viz.records.metrics import Metric

_PARTS = (
    (
        "Prompt",
        "What the model continues. The counterfactual, where there is one, has as many "
        "tokens and another answer; resample ablation and path patching take values from it. "
        "Build makes one; dashed tokens are those that differ.",
    ),
    (
        "Tokens",
        "The prompt as the model reads it; ␣ is a leading space. A click chooses where the "
        "next token is read.",
    ),
    ("Next token", "The most probable next tokens, clean and with the selected heads ablated."),
    (
        "Heads",
        "Every head of the model, coloured by what ablating it alone does. A click selects; "
        "what is selected is ablated together, and drawn in the views.",
    ),
    (
        "Tokens and search",
        "Find heads looks for a small set: sweep, best fifth, all their pairs, "
        "then head by head. It can be cancelled; what it found so far is kept.",
    ),
    ("Attention", "Where the selected heads look: rows are queries, columns are keys."),
    ("Ablation", "Numbers before and after, all heads ranked, and the steps of the search."),
    (
        "Circuit",
        "What the selected heads write to the logits and to each other, measured by path "
        "patching. Edges from tokens are attention weights. Edge scores draws the strongest of all "
        "edges of the model, and says how much of the answer they explain.",
    ),
    ("Lens", "What the model would say if it stopped after each layer."),
)
_WORDS = (
    ("head output z", "the attention-weighted sum of values, before W_O: what an ablation changes"),
    ("effect", "metric of the ablated run minus metric of the clean run"),
    (
        "answer, distractor",
        "the two tokens of a logit difference; top-1 and runner-up unless chosen",
    ),
    ("pair", "a clean prompt and a counterfactual of as many tokens, answer and distractor"),
    (
        "edge",
        "from what a head, an MLP or the input writes to one input of a reader: Q, K or V of a "
        "head, an MLP, the logits",
    ),
    (
        "faithfulness",
        "the share of the logit difference that is left when every edge outside the circuit is "
        "replaced; CPR and CMD are areas over circuit size",
    ),
    ("found, minimal", "a set is minimal when each of its heads was tried and none can be dropped"),
)
_KEYS = (
    ("Enter", "run the prompt (Shift+Enter: a new line)"),
    ("← ↑ → ↓", "move in the head grid"),
    ("Enter, Space", "select or deselect the head"),
    ("Home, End", "first and last head of the layer"),
    ("drag", "select many heads"),
    ("← ↑ → ↓", "in the circuit's graph: move between nodes; with Shift, select several"),
    ("Enter", "show what is known of the node"),
    ("H, P", "hide the selected nodes; pin them where they are, or let go of them"),
    ("Escape", "clear the graph's selection"),
    ("Escape", "close a menu or this sheet"),
    ("?", "this sheet"),
)


def layout() -> dbc.Offcanvas:
    return dbc.Offcanvas(
        [
            _section("The page", _PARTS),
            _section("Keys", [(html.Kbd(key), what) for key, what in _KEYS]),
            _section("Words", _WORDS),
            _section("Ablation kinds", [(kind.value, kind.about) for kind in AblationKind]),
            _section("Metrics", [(f"{m.title} ({m.unit})", m.about) for m in Metric]),
            _section("Roles", [(role.value, role.about) for role in Role]),
        ],
        id="help",
        title="Help",
        placement="end",
        is_open=False,
        className="help",
    )


def _section(title: str, lines: Any) -> html.Section:
    items: list[Any] = []
    for word, meaning in lines:
        items += [html.Dt(word), html.Dd(meaning)]
    return html.Section([html.H4(title), html.Dl(items)])


def register(app: Dash, workbench: object) -> None:
    app.clientside_callback(
        "(clicks, isOpen) => clicks ? !isOpen : isOpen",
        Output("help", "is_open"),
        Input("help-open", "n_clicks"),
        State("help", "is_open"),
        prevent_initial_call=True,
    )
