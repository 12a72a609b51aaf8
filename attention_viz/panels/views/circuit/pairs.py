"""The prompt pairs a circuit is asked of: the page's own, a built-in family's, or a file's.

The circuit view holds the controls; what was chosen is a PairsRequest, and a line says how many of
its pairs the model can be asked. A file is read in memory, and its good pairs live in the page.
"""

import base64
import json
from dataclasses import astuple
from typing import Any

from attention_viz.panels.frame.mirror import mirror, watch

from attention_viz.figures.escape import shorten
from attention_viz.panels import ids
from attention_viz.panels.kit import html
from attention_viz.panels.kit.common import NotReady, ask, state_of, toast, token_text
from attention_viz.panels.kit.tables import fold, table
from attention_viz.records.circuits.families import FAMILIES
from attention_viz.records.circuits.pair_file import parse_pairs
from attention_viz.records.circuits.pairs import MOST_PAIRS, BadPair, Pair, PairSet, TokenPair
from attention_viz.records.errors import AttentionVizError, BadInput
from attention_viz.records.page import MOST_GIVEN, PageState
from attention_viz.records.tokens import Tokens, show

CHOICE = "pairs"
COUNT = "pair-count"
UPLOAD = "pairs-upload"
GIVEN = "given"

_MOST_BYTES = 1_000_000  # of a file
# What a browser sends at all; above it the upload says nothing, so it is far above the limit.
_MOST_SENT = 20 * _MOST_BYTES
_MOST_KEPT = 60_000  # characters of the pairs as JSON; a link holds 100,000 in all
_MOST_LISTED = 50  # reasons
_MOST_SHOWN = 10  # pairs in the table
_MOST_NAME = 60  # characters of a file's name
_WATCHED = "pairs-watched"
_OWN = "this prompt and its counterfactual"
_FROM_FILE = "my own pairs (file)…"
_COLUMNS = "CSV or JSONL with clean, counterfactual, answer, distractor; at most 1 MB"

_SHOW_CONTROLS = """page => [
  page.pairs === "" || page.pairs === "given", page.pairs !== "given", page.pairs !== "given"]"""


def layout() -> html.Div:
    """The controls, the line below them, and what unfolds: for a card's controls."""
    return html.Div(
        [
            html.Div([_choice(), _count(), _upload()], className="controls"),
            html.Div(id="pairs-file", className="pairs-file", hidden=True),
            html.Div(id="pairs-line", className="pairs-line", role="status"),
            html.Div(id="pairs-refused"),
            html.Div(
                fold("See the pairs", html.Div(id="pairs-table"), name="pairs-fold"),
                id="pairs-shown",
                hidden=True,
            ),
            dcc.Store(id=_WATCHED),
        ],
        className="pairs",
    )


def _choice() -> html.Label:
    families = [
        {"label": family.name, "value": family.name, "title": family.about} for family in FAMILIES
    ]
    menu = dcc.Dropdown(
        [{"label": _OWN, "value": ""}, *families, {"label": _FROM_FILE, "value": GIVEN}],
        id=CHOICE,
        value="",
        clearable=False,
        searchable=False,
        className="pairs-dropdown",
    )
    return html.Label(["pairs", menu], className="control")


def _count() -> html.Div:
    first = PageState().pair_count
    # A number is taken when the typing pauses: every one on the way would be measured too.
    number = dcc.Input(
        id=COUNT, type="number", min=1, max=MOST_PAIRS, step=1, value=first, debounce=0.6
    )
    label = html.Label(["how many", number], className="control", title=f"1 to {MOST_PAIRS}")
    return html.Div(label, id="pair-count-box", hidden=True)


def _upload() -> html.Div:
    button = html.Button("Choose a file…", type="button", className="btn btn-sm", title=_COLUMNS)
    upload = dcc.Upload(
        button, id=UPLOAD, accept=".csv,.jsonl,.ndjson,.json", max_size=_MOST_SENT, multiple=False
    )
    return html.Div(upload, id="pairs-upload-box", hidden=True)


# Asking


def ask_pairs(workbench: Any, state: PageState) -> PairSet:
    """The pairs that the page's model can be asked.

    Raises NotReady while the model is loaded, and BadInput where there are no pairs.
    """
    if not state.pairs and not state.counterfactual:
        raise BadInput(
            "No pair yet.", "Type a counterfactual, press Build, or choose a family of pairs."
        )
    if state.pairs == GIVEN and not state.given_pairs:
        raise BadInput("No pairs of your own yet.", f"Choose a file: {_COLUMNS}.")
    return ask(workbench, state.pairs_request)


def read_upload(contents: Any, name: Any) -> tuple[tuple[Pair, ...], tuple[BadPair, ...]]:
    """The pairs of a file as a browser sends it, and its bad lines.

    Raises BadInput for more than 1 MB, for what is no text in UTF-8, and see `parse_pairs`.
    """
    try:
        data = base64.b64decode(str(contents).partition(",")[2], validate=True)
    except ValueError as error:
        raise BadInput("The file did not arrive whole.", "Choose it again.") from error
    if len(data) > _MOST_BYTES:
        size = f"{len(data) / 1e6:.1f} MB"
        raise BadInput(f"The file has {size}; at most 1 MB is read.", "Leave pairs out.")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput("The file is not text in UTF-8.", "Save it as CSV or JSONL in UTF-8.") from (
            error
        )
    return parse_pairs(text, shorten(str(name or ""), _MOST_NAME))


def keep_pairs(pairs: tuple[Pair, ...]) -> tuple[tuple[str, str, str, str], ...]:
    """As many as the page, which is its link, can hold; the first ones."""
    kept, room = [], _MOST_KEPT
    for pair in pairs[:MOST_GIVEN]:
        room -= len(json.dumps(astuple(pair)))
        if room < 0:
            break
        kept.append(astuple(pair))
    return tuple(kept)


# Drawing


def draw_file(name: Any, read: int, kept: int, bad: tuple[BadPair, ...]) -> html.Div:
    """What was taken from a file, and which of its lines were not."""
    said = shorten(str(name or "The file"), _MOST_NAME)
    line = [html.B(said), f": {_count_of(read, 'pair')} read"]
    if kept < read:
        line.append(f"; the last {read - kept} of them are left out: a page holds {kept}")
    listed = _reasons(f"{_count_of(len(bad), 'line')} left out", "line", bad)
    return html.Div([html.P(line, className="note"), listed])


def draw_line(found: PairSet) -> Any:
    """How many pairs there are, how long, and how they differ."""
    pairs = found.pairs
    lengths = _range([len(pair.clean) for pair in pairs], "token")
    if not found.request.family and not found.request.given:
        return _draw_own(pairs[0], lengths)
    differ = _range([len(pair.differs) for pair in pairs], "differing token")
    return html.Div([html.B(_count_of(len(pairs), "usable pair")), f", {lengths} each, {differ}"])


def _draw_own(pair: TokenPair, lengths: str) -> html.Div:
    answers = ["; answer ", token_text(pair.answer), ", distractor ", token_text(pair.distractor)]
    differ = _count_of(len(pair.differs), "differing token")
    read = f" at position {pair.position}"
    return html.Div([html.B("1 usable pair"), f", {lengths}, {differ}", *answers, read])


def draw_refused(found: PairSet) -> Any:
    """Pairs that this model can't be asked, and why."""
    given = found.request.given
    named = tuple(
        BadPair(bad.number, f"“{shorten(given[bad.number - 1].clean, 40)}”: {bad.reason}")
        if given
        else bad
        for bad in found.refused
    )
    return _reasons(f"{_count_of(len(named), 'pair')} this model can't be asked", "pair", named)


def draw_pairs(found: PairSet) -> html.Div:
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
    return html.Div([html.P(about, className="note") if about else None, pairs])


def _mark(tokens: Tokens, differs: tuple[int, ...]) -> html.Span:
    """A prompt to read; its differing tokens stand out."""
    parts = []
    for position, token in enumerate(tokens.items):
        if tokens.bos and position == 0:
            continue
        text = show(token.text).replace("␣", " ")
        if position in differs:
            bare = text.lstrip(" ")  # a mark that begins with a blank may break after it
            text = html.Mark(bare or text, title=f"{token.shown} at {position}")
            parts.append(" " if bare and token.text.startswith(" ") else "")
        parts.append(text)
    return html.Span(parts, className="pair-text")


def _reasons(title: str, what: str, bad: tuple[BadPair, ...]) -> Any:
    if not bad:
        return None
    lines = [html.Li([html.B(f"{what} {each.number}"), f": {each.reason}"]) for each in bad]
    more = len(lines) - _MOST_LISTED
    rest = [html.Li(f"and {more} more")] if more > 0 else []
    return fold(title, html.Ul([*lines[:_MOST_LISTED], *rest], className="reasons"))


def _count_of(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _range(values: list[int], what: str) -> str:
    least, most = min(values), max(values)
    return _count_of(least, what) if least == most else f"{least} to {_count_of(most, what)}"


# Callbacks


def register(app: Dash, workbench: Any) -> None:
    mirror(app, CHOICE, "pairs")
    watch(app, _WATCHED, "pairs", "pair_count", "given_pairs")
    app.clientside_callback(
        _SHOW_CONTROLS,
        Output("pair-count-box", "hidden"),
        Output("pairs-upload-box", "hidden"),
        Output("pairs-file", "hidden"),
        Input(_WATCHED, "data"),
        prevent_initial_call=True,
    )
    mirror(app, COUNT, "pair_count")
    _register_upload(app)

    @app.callback(
        Output("pairs-line", "children"),
        Output("pairs-refused", "children"),
        Output("pairs-table", "children"),
        Output("pairs-shown", "hidden"),
        Input(ids.VIEW, "data"),
        Input(ids.QUESTION, "data"),
        Input(_WATCHED, "data"),
        State(ids.PAGE, "data"),
        prevent_initial_call=True,
    )
    def describe(view: str, _question: dict, _watched: dict, page: dict) -> tuple:
        if view != "circuit":
            return (no_update,) * 4
        try:
            found = ask_pairs(workbench, state_of(page))
        except NotReady as wait:
            return html.Span(wait.message, className="muted"), None, None, True
        except AttentionVizError as error:
            return [html.B(error.message), " ", error.remedy], None, None, True
        return draw_line(found), draw_refused(found), draw_pairs(found), False


def _register_upload(app: Dash) -> None:
    # A link brings pairs of its own: what was said of a file is not about them.
    app.clientside_callback(
        "() => null",
        Output("pairs-file", "children", allow_duplicate=True),
        Input(ids.RESTORED, "data"),
        prevent_initial_call=True,
    )

    @app.callback(
        Output(ids.PAGE, "data", allow_duplicate=True),
        Output("pairs-file", "children"),
        Output(ids.TOAST, "data", allow_duplicate=True),
        Output(UPLOAD, "contents"),  # forgotten, so that the same file can be chosen again
        Input(UPLOAD, "contents"),
        State(UPLOAD, "filename"),
        prevent_initial_call=True,
    )
    def take(contents: str | None, name: str | None) -> tuple:
        if not contents:
            return (no_update,) * 4
        try:
            pairs, bad = read_upload(contents, name)
        except BadInput as error:
            return no_update, no_update, toast(error), None
        kept = keep_pairs(pairs)
        patch = Patch()
        patch["pairs"], patch["given_pairs"] = GIVEN, [list(pair) for pair in kept]
        return patch, draw_file(name, len(pairs), len(kept), bad), no_update, None
