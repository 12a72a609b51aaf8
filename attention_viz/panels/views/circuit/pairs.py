"""The prompt pairs a circuit is asked of: the page's own, a built-in family's, or a file's.

What is chosen is a PairsRequest; a line says how many of its pairs the model can be asked.
"""

from typing import Any

from attention_viz.panels.kit import html
from attention_viz.panels.kit.common import NotReady, ask, token_text
from attention_viz.panels.kit.controls import menu, number_box, shown_if
from attention_viz.panels.kit.parts import Part, place
from attention_viz.panels.kit.tables import fold, table
from attention_viz.panels.views.circuit import pair_file
from attention_viz.panels.views.circuit.numbers import count_of
from attention_viz.records.bench import Bench
from attention_viz.records.circuits.families import FAMILIES
from attention_viz.records.circuits.pairs import MOST_PAIRS, PairSet, TokenPair
from attention_viz.records.errors import AttentionVizError, BadInput
from attention_viz.records.page import PageState
from attention_viz.records.tokens import Tokens, show

_MOST_SHOWN = 10  # pairs in the table
_OWN = "this prompt and its counterfactual"
_FROM_FILE = "my own pairs (file)…"


def layout() -> html.Node:
    """The controls, the line below them, and what unfolds: for a card's controls."""
    return html.Div(
        [
            html.Div([_choice(), _count(), pair_file.layout()], className="controls"),
            pair_file.told(),
            place("pairs-line", className="pairs-line", role="status"),
            place("pairs-refused"),
            fold("See the pairs", place("pairs-table"), name="pairs-fold"),
        ],
        className="pairs",
    )


def _choice() -> html.Node:
    families = [html.Option(each.name, value=each.name, title=each.about) for each in FAMILIES]
    options = [
        html.Option(_OWN, value=""),
        *families,
        html.Option(_FROM_FILE, value=pair_file.GIVEN),
    ]
    chosen = menu("circuit.pairs", options, id="pairs", className="pairs-menu")
    return html.Label(["pairs", chosen], className="control")


def _count() -> html.Node:
    # Taken when the typing is over: every number on the way would be measured too.
    late = {"data-late": True}
    box = number_box("circuit.pair_count", 1, MOST_PAIRS, id="pair-count", **late)
    return html.Div(
        html.Label(["how many", box], className="control", title=f"1 to {MOST_PAIRS}"),
        **shown_if("circuit.pairs", *(family.name for family in FAMILIES)),
    )


# Asking


def ask_pairs(bench: Bench, state: PageState) -> PairSet:
    """The pairs that the page's model can be asked.

    Raises NotReady while the model is loaded, and BadInput where there are no pairs.
    """
    if not state.circuit.pairs and not state.counterfactual:
        raise BadInput(
            "No pair yet.", "Type a counterfactual, press Build, or choose a family of pairs."
        )
    if state.circuit.pairs == pair_file.GIVEN and not state.circuit.given_pairs:
        raise BadInput("No pairs of your own yet.", f"Choose a file: {pair_file.COLUMNS}.")
    return ask(bench, state.pairs_request)


def _found(bench: Bench, state: PageState) -> PairSet | None:
    try:
        return ask_pairs(bench, state)
    except AttentionVizError:
        return None  # the line says why


# Drawing


def show_line(bench: Bench, state: PageState) -> Any:
    """How many pairs there are, or why there are none."""
    try:
        return draw_line(ask_pairs(bench, state))
    except NotReady as wait:
        return html.Span(wait.message, className="muted")
    except AttentionVizError as error:
        return [html.B(error.message), " ", error.remedy]


def show_refused(bench: Bench, state: PageState) -> Any:
    found = _found(bench, state)
    return None if found is None else draw_refused(found)


def show_table(bench: Bench, state: PageState) -> Any:
    return draw_pairs(ask_pairs(bench, state))


def draw_line(found: PairSet) -> Any:
    """How many pairs there are, how long, and how they differ."""
    pairs = found.pairs
    lengths = _range([len(pair.clean) for pair in pairs], "token")
    if not found.request.family and not found.request.given:
        return _draw_own(pairs[0], lengths)
    differ = _range([len(pair.differs) for pair in pairs], "differing token")
    return [html.B(count_of(len(pairs), "usable pair")), f", {lengths} each, {differ}"]


def _draw_own(pair: TokenPair, lengths: str) -> list[Any]:
    answers = ["; answer ", token_text(pair.answer), ", distractor ", token_text(pair.distractor)]
    differ = count_of(len(pair.differs), "differing token")
    read = f" at position {pair.position}"
    return [html.B("1 usable pair"), f", {lengths}, {differ}", *answers, read]


def draw_refused(found: PairSet) -> Any:
    """Pairs that this model can't be asked, and why."""
    given = found.request.given
    named = tuple(
        pair_file.name_pair(bad, given[bad.number - 1]) if given else bad for bad in found.refused
    )
    title = f"{count_of(len(named), 'pair')} this model can't be asked"
    return pair_file.draw_reasons(title, "pair", named)


def draw_pairs(found: PairSet) -> list[Any]:
    """What a family is about, and the first pairs with their differing tokens marked."""
    about = next((f.about for f in FAMILIES if f.name == found.request.family), None)
    rows = [
        (
            _mark(pair.clean, pair.differs),
            _mark(pair.counterfactual, pair.differs),
            pair.answer,
            pair.distractor,
        )
        for pair in found.pairs[:_MOST_SHOWN]
    ]
    pairs = table(("clean", "counterfactual", "answer", "distractor"), rows, "The first pairs")
    return [html.P(about, className="note") if about else None, pairs]


def _mark(tokens: Tokens, differs: tuple[int, ...]) -> html.Node:
    """A prompt to read; its differing tokens stand out."""
    parts: list[Any] = []
    for position, token in enumerate(tokens.items):
        if tokens.bos and position == 0:
            continue
        text: Any = show(token.text).replace("␣", " ")
        if position in differs:
            bare = text.lstrip(" ")  # a mark that begins with a blank may break after it
            text = html.Mark(bare or text, title=f"{token.shown} at {position}")
            parts.append(" " if bare and token.text.startswith(" ") else "")
        parts.append(text)
    return html.Span(parts, className="pair-text")


def _range(values: list[int], what: str) -> str:
    least, most = min(values), max(values)
    return count_of(least, what) if least == most else f"{least} to {count_of(most, what)}"


PARTS = (
    Part("pairs-line", show_line),
    Part("pairs-refused", show_refused),
    Part("pairs-table", show_table),
)
ACTS = pair_file.ACTS
