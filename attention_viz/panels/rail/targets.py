"""Pickers of tokens: the answer, the distractor, and the token a search is to make win.

Any token of the vocabulary, found by typing; chosen by id, because two tokens can read alike.
The box and its list live in the browser (assets/30_combobox.js).
"""

from collections import Counter
from typing import Any

from attention_viz.panels.kit import html
from attention_viz.panels.kit.acts import Act, Outcome
from attention_viz.panels.kit.common import ask, number
from attention_viz.panels.kit.parts import Part, place
from attention_viz.panels.kit.requests import prediction_request
from attention_viz.records.bench import Bench
from attention_viz.records.errors import AttentionVizError, BadInput
from attention_viz.records.page import PageState
from attention_viz.records.tokens import Token, unshow

# The page's fields
PICKERS = ("answer", "distractor", "flip_to")
_DEFAULTS = {"answer": "top-1", "distractor": "runner-up"}
_MOST = 40

Option = dict[str, Any]  # {value: token id or None, label, note}


def picker(field: str) -> html.Node:
    """The place of a picker."""
    return place(name_of(field), className="token-menu")


def name_of(field: str) -> str:
    return f"pick-{field.replace('_', '-')}"


def layout() -> html.Node:
    return html.Div(
        [
            html.Label("answer", htmlFor=f"{name_of('answer')}-box"),
            picker("answer"),
            html.Label("vs", htmlFor=f"{name_of('distractor')}-box", title="distractor"),
            picker("distractor"),
        ],
        className="token-row",
        title="The two tokens of the logit difference: answer − distractor",
    )


def draw_picker(bench: Bench, state: PageState, field: str) -> html.Node:
    """The box with the token chosen, and what is offered before anything is typed."""
    try:
        options = usual_options(bench, state, field)
        chosen = chosen_label(bench, state, field, options)
        problem = {}
    except AttentionVizError as error:
        options, chosen, problem = [], "", {"disabled": True, "title": str(error)}
    name = f"{name_of(field)}-box"
    return html.Input(
        id=name,
        type="text",
        value=chosen,
        role="combobox",
        placeholder="type a token",
        autoComplete="off",
        spellCheck="false",
        className="form-control combo",
        **{
            "aria-expanded": "false",
            "aria-label": f"{field.replace('_', ' ')}: token",
            "data-combo": f"shared.{field}",
            "data-act-typed": "tokens",
            "data-shown": chosen,
            "data-options": html.to_json(options),
        },
        **problem,
    )


def token_option(token: Token, note: str = "") -> Option:
    return {"value": token.id, "label": token.shown, "note": note or f"id {token.id}"}


def usual_options(bench: Bench, state: PageState, field: str) -> list[Option]:
    """The default, and the most probable next tokens."""
    top = ask(bench, prediction_request(state)).top
    options = [token_option(each.token, f"p {number(each.probability)}") for each in top]
    return default_option([each.token for each in top], state, field) + unique(options)


def default_option(tokens: list[Token], state: PageState, field: str) -> list[Option]:
    """The option that chooses nothing, with the token that is taken then."""
    if field not in _DEFAULTS:
        return []
    if field == "distractor":  # never the answer
        answer = tokens[0].id if state.answer is None else state.answer
        tokens = [token for token in tokens if token.id != answer]
    return [{"value": None, "label": f"{_DEFAULTS[field]} {tokens[0].shown}", "note": "default"}]


def chosen_label(bench: Bench, state: PageState, field: str, options: list[Option]) -> str:
    """What the box shows."""
    chosen = getattr(state, field)
    if chosen is None:
        return options[0]["label"] if field in _DEFAULTS else ""
    return bench.token(state.model, chosen).shown


def found_options(bench: Bench, model: str, typed: str) -> list[Option]:
    """The tokens that match, best first. Raises BadInput that says why there is none."""
    tokens = sorted(bench.find_tokens(model, typed, _MOST), key=lambda t: _distance(t, typed))
    if not tokens:
        tokens = [bench.token(model, bench.token_id(model, typed))]
    return unique([token_option(token) for token in tokens])


def _distance(token: Token, typed: str) -> int:
    """The word typed comes first, with its leading space before without: that is what follows
    a prompt. The rest keeps its order.
    """
    word = unshow(typed)
    return [" " + word, word].index(token.text) if token.text in (" " + word, word) else 2


def unique(options: list[Option]) -> list[Option]:
    """Each token once, the first of each kept; tokens that read alike are told apart by id."""
    kept = list({option["value"]: option for option in reversed(options)}.values())[::-1]
    count = Counter(option["label"] for option in kept)
    return [
        option | {"label": f"{option['label']} (id {option['value']})"}
        if count[option["label"]] > 1
        else option
        for option in kept
    ]


def _offer(bench: Bench, state: PageState, payload: dict[str, Any]) -> Outcome:
    """Tokens that match what is typed; where none does, why, for the list to say."""
    typed = str(payload.get("typed"))[:200].strip("\n")
    if bench.status(state.model).state != "ready":
        raise BadInput("The model is still loading.", "Type again when it is there.")
    try:
        return Outcome(told={"options": found_options(bench, state.model, typed)})
    except AttentionVizError as error:
        return Outcome(told={"options": [], "why": str(error)})


def _part(field: str) -> Part:
    return Part(name_of(field), lambda bench, state: draw_picker(bench, state, field))


PARTS = tuple(map(_part, PICKERS))
ACTS: dict[str, Act] = {"tokens": _offer}
