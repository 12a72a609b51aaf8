"""The study: search for heads that matter together, and tell how they were found."""

from typing import Any

from attention_viz.exports.tables import search_table
from attention_viz.figures.search import draw_steps
from attention_viz.panels import ids
from attention_viz.panels.frame.mirror import mirror
from attention_viz.panels.kit import html
from attention_viz.panels.kit.common import (
    ask,
    card,
    empty,
    head_chip,
    number,
    stale,
    state_of,
    token_text,
)
from attention_viz.panels.kit.controls import segments
from attention_viz.panels.kit.files import csv_button, offer_csv
from attention_viz.panels.kit.requests import prediction_request, search_request
from attention_viz.panels.kit.results import (
    Found,
    ending,
    event_button,
    find,
    progress,
    recall,
)
from attention_viz.panels.kit.tables import figure, fold, table
from attention_viz.records.errors import AttentionVizError, BadInput
from attention_viz.records.page import PageState
from attention_viz.records.search import (
    EstimateRequest,
    Objective,
    SearchResult,
    SearchStep,
    Strategy,
)
from attention_viz.records.tokens import Token

_OBJECTIVES = {Objective.FLIP.value: "flip the top token", Objective.KL.value: "greatest change"}
_STRATEGIES = {
    Strategy.GREEDY: "greedy",
    Strategy.PAIRS: "pairs, then greedy",
    Strategy.BEAM: "beam",
    Strategy.EXHAUSTIVE: "exhaustive",
}
_MOST_HEADS = 16
_TARGETS = 5  # of the next tokens, offered in one click
_TARGET = "study-target"
_STALE = "Of an older prompt, objective or intervention. Search again to bring it up to date."
_STOPPED = {
    "flipped": "the token is top-1",
    "max heads": "the greatest number of heads allowed was reached",
    "no gain": "no other head improves the score",
    "budget": "the next size has more sets than the budget allows",
    "cancelled": "it was cancelled",
    "running": "it is still running",
}


def layout() -> html.Div:
    objective = segments("study-objective", _OBJECTIVES, Objective.FLIP.value)
    most = dcc.Dropdown(
        list(range(1, _MOST_HEADS + 1)),
        id="study-most",
        clearable=False,
        searchable=False,
        className="number-dropdown",
    )
    strategy = dcc.Dropdown(
        [
            {"label": label, "value": strategy.value, "title": strategy.about}
            for strategy, label in _STRATEGIES.items()
        ],
        id="study-strategy",
        clearable=False,
        searchable=False,
        className="strategy-dropdown",
    )
    find_heads = event_button("Find heads", ids.SEARCH_ASKED, className="btn primary small")
    choices = [
        objective,
        html.Label(["at most", most, "heads"], className="control"),
        html.Label(["by", strategy], className="control"),
        find_heads,
    ]
    return card(
        "Study",
        html.Div(choices, className="controls"),
        html.Div(id="study-targets"),
        html.P(id="study-estimate", className="note"),
        html.Div(id="study-status"),
        html.Div(id="study-result"),
        html.Div(figure("study-steps", 220), id="study-figure", hidden=True),
        html.Div(
            fold("Table: step by step", html.Div(id="study-table"), is_open=True),
            id="study-fold",
            hidden=True,
        ),
        dcc.Store(id="study-shown"),
        note="which heads matter together?",
        tools=csv_button("search"),
    )


def register(app: Dash, workbench: Any) -> None:
    mirror(app, "study-objective", "objective")
    mirror(app, "study-most", "max_heads")
    mirror(app, "study-strategy", "strategy")
    offer_csv(app, "search", lambda state: search_table(_known(workbench, state)))
    _register_targets(app, workbench)
    _register_result(app, workbench)


def _register_targets(app: Dash, workbench: Any) -> None:
    @app.callback(
        Output("study-targets", "children"),
        *[Input(name, "data") for name in (ids.VIEW, ids.QUESTION, ids.STUDY)],
        State(ids.PAGE, "data"),
        prevent_initial_call=True,
    )
    def offer(view, _question, _study, page):
        return no_update if view != "ablation" else show_targets(workbench, state_of(page))

    @app.callback(
        Output(ids.PAGE, "data", allow_duplicate=True),
        Input({"type": _TARGET, "token": ALL}, "n_clicks"),
        prevent_initial_call=True,
    )
    def aim(clicks):
        if not any(clicks) or not ctx.triggered_id:
            return no_update
        patch = Patch()
        patch["flip_to"] = int(ctx.triggered_id["token"])
        return patch

    @app.callback(
        Output("study-estimate", "children"),
        *[Input(name, "data") for name in (ids.VIEW, ids.QUESTION, ids.ABLATION, ids.STUDY)],
        State(ids.PAGE, "data"),
        prevent_initial_call=True,
    )
    def estimate(view, _question, _ablation, _study, page):
        return no_update if view != "ablation" else show_estimate(workbench, state_of(page))


def _register_result(app: Dash, workbench: Any) -> None:
    @app.callback(
        Output("study-status", "children"),
        Output("study-result", "children"),
        Output("study-steps", "figure"),
        Output("study-figure", "hidden"),
        Output("study-table", "children"),
        Output("study-fold", "hidden"),
        Output("study-shown", "data"),
        *[Input(name, "data") for name in _CALLED_BY],
        State("study-shown", "data"),
        State(ids.PAGE, "data"),
        prevent_initial_call=True,
    )
    def draw(view, _question, _ablation, _study, _theme, _mark, shown, page):
        if view != "ablation":
            return (no_update,) * 7
        state = state_of(page)
        found, is_stale = find_study(workbench, state, shown)
        return show_study(workbench, found, is_stale, state)


_CALLED_BY = (ids.VIEW, ids.QUESTION, ids.ABLATION, ids.STUDY, ids.THEME, ids.SEARCH_MARK)


def find_study(workbench: Any, state: PageState, shown: str | None) -> tuple[Found, bool]:
    try:
        return recall(workbench, search_request(state), shown)
    except BadInput:  # no token to flip to yet: the targets say so
        return Found(), False


def show_targets(workbench: Any, state: PageState) -> Any:
    """The token that is to win: what was chosen, and the next tokens to choose from."""
    if Objective(state.objective) is not Objective.FLIP:
        return html.P("Finds heads whose ablation moves the next token the most.", className="note")
    try:
        prediction = ask(workbench, prediction_request(state))
        chosen = None if state.flip_to is None else workbench.token(state.model, state.flip_to)
    except AttentionVizError:
        return None
    offered = [ranked.token for ranked in prediction.top[1 : _TARGETS + 1]]
    if chosen is not None and chosen not in offered:
        offered = [chosen, *offered]
    chips = [_target(token, token == chosen) for token in offered]
    hint = "or any other token: type it at the left, beside Find heads"
    return html.Div(
        ["make ", *chips, " win ", html.Span(hint, className="mut")], className="chip-line"
    )


def show_estimate(workbench: Any, state: PageState) -> str:
    """What the strategy does, and what it would take."""
    about = f"{Strategy(state.strategy).about[0].upper()}{Strategy(state.strategy).about[1:]}."
    try:
        estimate = ask(workbench, EstimateRequest(search_request(state)))
    except AttentionVizError:  # no target yet, or one that can't be flipped to: others say so
        return about
    runs = "1 run" if estimate.evaluations == 1 else f"{estimate.evaluations:,} runs"
    return f"{about} At most {runs}, {duration(estimate.seconds)}; then what was found is checked."


def duration(seconds: float) -> str:
    if seconds < 1:
        return "under a second"
    return f"about {seconds:.0f} s" if seconds < 90 else f"about {seconds / 60:.0f} min"


def _target(token: Token, is_chosen: bool) -> html.Button:
    return html.Button(
        token.shown,
        id={"type": _TARGET, "token": token.id},
        type="button",
        className="token-chip chosen" if is_chosen else "token-chip",
        title=f"Search for heads that make {token.shown} the top token",
        **{"aria-pressed": "true" if is_chosen else "false"},
    )


def show_study(workbench: Any, found: Found, is_stale: bool, state: PageState) -> tuple:
    """Status, story, figure, whether it is hidden, table, whether that is hidden, job shown."""
    job = found.job
    shown = no_update if job is None else job.id
    status = progress(job) if found.is_active else ending(job)
    result: SearchResult | None = found.record
    if result is None:
        return status or _teach(), None, no_update, True, None, True, shown
    if is_stale:
        status = stale(None, _STALE)
    has_steps = bool(result.steps)
    steps = draw_steps(result, state.theme) if has_steps else no_update
    story = tell(result, _flip_token(workbench, result), found.is_active)
    return status, story, steps, not has_steps, tabulate(result), not has_steps, shown


def _teach() -> html.Div:
    hint = "Press Find heads: the search tries every head, pairs of the best, and grows the set."
    return empty("These settings were not searched yet.", hint)


def _flip_token(workbench: Any, result: SearchResult) -> Token | None:
    request = result.request
    if request.flip_to is None:
        return None
    return workbench.token(request.question.model, request.flip_to)


def tell(result: SearchResult, flip_to: Token | None, is_running: bool = False) -> html.Div:
    """What was found, why the search stopped there, and what it took."""
    chips = [head_chip(head) for head in result.heads]
    names = [str(head) for head in result.heads]
    cost = f"{result.evaluations:,} runs in {number(result.seconds, 2)} s"
    parts = [html.P([*verdict(result, flip_to)], className="verdict")]
    if result.heads:
        parts.append(
            html.Div(
                [*chips, _take("Select these", names, "set")]
                + [_take("Add to the selection", names, "add")],
                className="chip-line",
            )
        )
    if result.alternatives:
        parts.append(_others(result))
    if not is_running:
        parts.append(
            html.P(
                f"Stopped because {_STOPPED.get(result.stopped, result.stopped)}. "
                f"{minimality(result)} {cost}, {result.request.ablation.label} ablation.",
                className="note",
            )
        )
    return html.Div(parts, className="study-story")


def verdict(result: SearchResult, flip_to: Token | None) -> list[Any]:
    """One sentence: what ablating the set found does."""
    if not result.heads or result.score is None:
        return ["Nothing found yet."]
    count = "this head" if len(result.heads) == 1 else f"these {len(result.heads)} heads"
    unit = result.request.objective.unit
    score = number(result.score, 2, sign=flip_to is not None)
    if flip_to is None:
        told = [f"Ablating {count} moves the next token by ", html.B(f"{score} {unit}"), " KL"]
        return [*told, "; top-1 is then ", token_text(result.top), "."] if result.top else told
    if result.flipped:
        return [
            f"Ablating {count} makes ",
            token_text(flip_to),
            " the top token, ",
            html.B(f"{score} {unit}"),
            " ahead of the next.",
        ]
    return [
        "No set found makes ",
        token_text(flip_to),
        f" the top token; with {count} ablated it is ",
        html.B(f"{number(abs(result.score), 2)} {unit}"),
        " behind.",
    ]


def minimality(result: SearchResult) -> str:
    if result.minimal is None:
        return "Whether a head can be dropped was not tried."
    if result.minimal:
        told = "Minimal: each head was dropped in turn, and none can be spared."
        smaller = {True: " Smallest: every smaller set was tried.", False: " Not the smallest."}
        return told + smaller.get(result.smallest, "")
    return "Not minimal: a head can be dropped."


def _others(result: SearchResult) -> html.Div:
    """Other minimal sets, each with what it shares with the set found."""
    own = set(result.heads)
    rows = [
        html.Div(
            [
                *[head_chip(head) for head in heads],
                html.Span(f"shares {len(own & set(heads))} of {len(own)}", className="mut"),
                _take("Select", [str(head) for head in heads], "set"),
            ],
            className="chip-line",
        )
        for heads in result.alternatives
    ]
    title = "Other minimal sets that do it: other heads can do the same work"
    return html.Div([html.P(title, className="note"), *rows], className="alternatives")


def _take(text: str, names: list[str], mode: str) -> html.Button:
    payload = {"heads": names, "mode": mode}
    return event_button(text, ids.HEADS_PICKED, payload, className="btn btn-sm")


def tabulate(result: SearchResult) -> html.Div:
    headers = ["step", "head", "set then", f"score ({result.request.objective.unit})"]
    headers += ["runner-up", "its score", "top-1"]
    rows = [_row(number_, step) for number_, step in enumerate(result.steps, start=1)]
    return table(headers, rows, result.request.objective.score_title)


def _row(place: int, step: SearchStep) -> list[Any]:
    return [
        f"{place} {step.action}",
        step.head,
        " ".join(str(head) for head in step.heads),
        number(step.score, sign=True),
        step.runner_up if step.runner_up is not None else "none",
        "" if step.runner_up_score is None else number(step.runner_up_score, sign=True),
        step.top,
    ]


def _known(workbench: Any, state: PageState) -> SearchResult:
    result = find(workbench, search_request(state)).record
    if result is None:
        raise BadInput("These settings were not searched yet.", "Press Find heads first.")
    return result
