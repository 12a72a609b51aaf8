"""The page's one callback: everything the browser asks crosses a bridge, and comes back drawn.

A question is `{n, page, local, …}` with the page's sparse state, and one of
- `parts`: names to draw;
- `act`, `payload`: something a person asks for;
- `watch`, `followed`, `wanted`: how jobs and models stand; parts whose jobs moved are drawn.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from dash import MATCH, Dash, Input, Output

from attention_viz.panels.frame import counterfactual, examples, link, model, prompt
from attention_viz.panels.kit.acts import Act, Outcome, outcome_json, perform
from attention_viz.panels.kit.bridge import bridge_id
from attention_viz.panels.kit.common import toast
from attention_viz.panels.kit.parts import Part, draw_part, mark_now
from attention_viz.panels.kit.results import CANCEL, cancel
from attention_viz.panels.rail import heads, intervention, prediction, search, targets
from attention_viz.panels.views import room
from attention_viz.records.bench import Bench
from attention_viz.records.errors import AttentionVizError, BadInput
from attention_viz.records.page import VIEWS, PageState, View
from attention_viz.records.page.checks import is_whole

FRAME = (model, examples, link, prompt, counterfactual)
RAIL = (prediction, heads, intervention, targets, search)


def parts_of(views: Iterable[View] = VIEWS) -> dict[str, Part]:
    """Every part of the page, by name."""
    return {part.name: part for module in _modules(views) for part in _of(module, "PARTS")}


def acts_of(views: Iterable[View] = VIEWS) -> dict[str, Act]:
    """Everything a person can ask of the server, by name."""
    acts: dict[str, Act] = {CANCEL: cancel}
    for module in _modules(views):
        acts |= dict(_of(module, "ACTS"))
    return acts


def _modules(views: Iterable[View]) -> list[Any]:
    return [*FRAME, *RAIL, *(room(view) for view in views)]


def _of(module: Any, name: str) -> Any:
    return getattr(module, name, ())


def answer(
    bench: Bench, parts: Mapping[str, Part], acts: Mapping[str, Act], asked: Any
) -> dict[str, Any]:
    """What the browser is told; see the module's head for what it asks."""
    asked = asked if isinstance(asked, dict) else {}
    number = asked.get("n")
    told: dict[str, Any] = {"n": number if is_whole(number) else None}
    try:
        state = PageState.from_json(asked.get("page") or {})
    except AttentionVizError as error:
        return told | {"outcome": {"says": toast(error)}}
    local = asked.get("local")
    local = local if isinstance(local, dict) else {}
    if "act" in asked:
        told["outcome"] = perform(bench, acts, state, asked["act"], asked.get("payload"))
    elif "watch" in asked:
        told |= _tick(bench, parts, state, local, asked)
    else:
        names = [name for name in _texts(asked.get("parts")) if name in parts]
        told["parts"] = {n: draw_part(bench, parts[n], state, local) for n in names}
    return told | {"model": model.news(bench, state.model)}


def _texts(given: Any) -> list[str]:
    return [each for each in given if isinstance(each, str)] if isinstance(given, list) else []


def _tick(
    bench: Bench, parts: Mapping[str, Part], state: PageState, local: dict, asked: dict
) -> dict[str, Any]:
    """How what is under way stands: parts whose jobs moved, what ended, a model that came.

    While a model is loaded, so is how far that is.
    """
    watched = asked["watch"] if isinstance(asked["watch"], dict) else {}
    moved = [name for name, marks in watched.items() if name in parts and _moved(bench, marks)]
    wanted = asked.get("wanted")
    if isinstance(wanted, str) or model.news(bench, state.model)["state"] == "loading":
        moved += [name for name in model.NAMES if name in parts]
    came = _settled(bench, state, wanted)
    ended = search.adopt(bench, came.page or state, _texts(asked.get("followed")))
    both = replace(
        came, page=ended.page or came.page, says=came.says + ended.says, followed=ended.followed
    )
    return {
        "parts": {n: draw_part(bench, parts[n], state, local) for n in moved},
        "outcome": outcome_json(both, state),
    }


def _settled(bench: Bench, state: PageState, wanted: Any) -> Outcome:
    try:
        return model.settle(bench, state, wanted) if isinstance(wanted, str) else Outcome()
    except BadInput as error:  # no such model
        return Outcome(says=toast(error), wanted="")


def _moved(bench: Bench, marks: Any) -> bool:
    """Whether one of these jobs, each as it was last seen, stands otherwise now."""
    marks = list(marks.values()) if isinstance(marks, dict) else []
    return any(_mark_now(bench, mark) != mark for mark in marks if isinstance(mark, str) and mark)


def _mark_now(bench: Bench, mark: str) -> str:
    return mark_now(bench.jobs.status(mark.partition(" ")[0]), mark)


def register(app: Dash, bench: Bench) -> None:
    parts, acts = parts_of(), acts_of()

    @app.callback(
        Output(bridge_id(MATCH), "told"),
        Input(bridge_id(MATCH), "asked"),
        prevent_initial_call=True,
    )
    def tell(asked: Any) -> dict[str, Any]:
        return answer(bench, parts, acts, asked)
