"""What each part of the page does, what the words and colours mean, and the keys."""

from typing import Any

from attention_viz.figures import palette
from attention_viz.panels.kit import html
from attention_viz.records.ablation import AblationKind
from attention_viz.records.metrics import Metric
from attention_viz.records.page import VIEWS

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
        "Search",
        "Find heads looks for a small set, by the strategy chosen in the Ablation view. It can be "
        "cancelled; what it found so far is kept.",
    ),
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
        "replaced; CPR and CMD are areas over circuit size, of circuits with as many edges as fit; "
        "MIB's are of its own cut: the top edges, pruned, not refilled",
    ),
    ("found, minimal", "a set is minimal when each of its heads was tried and none can be dropped"),
)
_KEYS = (
    ("Enter", "run the prompt (Shift+Enter: a new line)"),
    ("Ctrl+Z", "undo; also the browser's Back. Ctrl+Shift+Z or Ctrl+Y: redo"),
    ("← ↑ → ↓", "move in the head grid, among tokens, tabs, and in maps"),
    ("Enter, Space", "select or deselect the head; in a map: click the cell"),
    ("Home, End", "first and last head of the layer"),
    ("drag", "select many heads"),
    ("← ↑ → ↓", "in the circuit's graph: move between nodes; with Shift, select several"),
    ("Enter", "show what is known of the node"),
    ("H, P", "hide the selected nodes; pin them where they are, or let go of them"),
    ("Escape", "clear the graph's selection; leave the full screen; close a menu or this sheet"),
    ("?", "this sheet"),
)


def layout() -> html.Node:
    """The sheet's content."""
    return html.Div(
        [
            _section("The page", [*_PARTS, *((view.title, view.help) for view in VIEWS)]),
            _section("Colours", [_colour(meaning) for meaning in palette.MEANINGS]),
            _section("Keys", [(html.Kbd(key), what) for key, what in _KEYS]),
            _section("Words", _WORDS),
            _section("Ablation kinds", [(kind.value, kind.about) for kind in AblationKind]),
            _section("Metrics", [(f"{m.title} ({m.unit})", m.about) for m in Metric]),
        ],
        className="help-text",
        tabIndex=0,  # so that keys scroll it
    )


def _colour(meaning: palette.Meaning) -> tuple[Any, str]:
    """A colour and what it says, wherever it stands on the page and in exported pictures."""
    swatch = html.I(className="swatch", style={"background": meaning.colour("both")})
    return html.Span([swatch, meaning.title]), meaning.says


def _section(title: str, lines: Any) -> html.Node:
    items: list[Any] = []
    for word, meaning in lines:
        items += [html.Dt(word), html.Dd(meaning)]
    return html.Section([html.H3(title), html.Dl(items)])
