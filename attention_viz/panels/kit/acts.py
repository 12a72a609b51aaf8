"""What a person asks the server to do, and what comes of it."""

import base64
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from attention_viz.panels.kit import html
from attention_viz.panels.kit.common import toast
from attention_viz.panels.kit.parts import key_of, mark_of
from attention_viz.records.bench import Bench
from attention_viz.records.errors import AttentionVizError
from attention_viz.records.job import JobStatus
from attention_viz.records.page import PageState

Act = Callable[[Bench, PageState, dict[str, Any]], "Outcome | None"]
Says = tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Outcome:
    """What came of an act; the browser does the rest."""

    page: PageState | None = None  # the page then; None: as it is
    says: Says = ()  # toasts, see common.toast
    submitted: tuple[JobStatus, ...] = ()  # jobs that parts may wait for
    followed: tuple[str, ...] | None = None  # ids of searches whose heads this tab takes over
    file: tuple[str, bytes] | None = None  # name and content of a download
    values: Mapping[str, str] = field(default_factory=dict)  # texts of boxes, by element id
    wanted: str | None = None  # a model that is to come on the page; "" for none any more
    told: Mapping[str, Any] = field(default_factory=dict)  # for the script that asked
    place: tuple[str, Any] | None = None  # id of an element, and what stands in it now


def outcome_json(outcome: Outcome, before: PageState) -> dict[str, Any]:
    """As JSON, without what says nothing; of the page only the fields that changed."""
    told: dict[str, Any] = {}
    if outcome.page is not None:
        told["changes"] = changes_between(before, outcome.page)
    if outcome.says:
        told["says"] = list(outcome.says)
    if outcome.submitted:
        told["marks"] = {key_of(job.request): mark_of(job) for job in outcome.submitted}
    if outcome.followed is not None:
        told["followed"] = list(outcome.followed)
    if outcome.file is not None:
        name, data = outcome.file
        told["file"] = {"name": name, "data": base64.b64encode(data).decode()}
    if outcome.values:
        told["values"] = dict(outcome.values)
    if outcome.wanted is not None:
        told["wanted"] = outcome.wanted
    if outcome.told:
        told["told"] = dict(outcome.told)
    if outcome.place is not None:
        name, content = outcome.place
        told["place"] = {"id": name, "html": html.to_html(content)}
    return told


def changes_between(before: PageState, after: PageState) -> dict[str, Any]:
    """The fields that differ, by address."""
    old, new = before.to_json(), after.to_json()
    return {
        f"{section}.{name}": value
        for section, values in new.items()
        for name, value in values.items()
        if old[section][name] != value
    }


def perform(
    bench: Bench, acts: Mapping[str, Act], state: PageState, name: Any, payload: Any
) -> dict[str, Any]:
    """Do it, and say what came of it; what a person can put right is said in a toast."""
    act = acts.get(name) if isinstance(name, str) else None
    if act is None:
        return {"says": toast("The page asked for something unknown.", "Reload the page.")}
    try:
        outcome = act(bench, state, payload if isinstance(payload, dict) else {})
        return outcome_json(outcome or Outcome(), state)
    except AttentionVizError as error:
        return {"says": toast(error)}
    except Exception:
        traceback.print_exc(file=sys.stderr)
        return {"says": toast("The server made a mistake.", "Its log says which.")}


def act_button(
    text: Any, act: str, payload: dict[str, Any] | None = None, **props: Any
) -> html.Node:
    """A button that asks the server to do it."""
    data = {"data-act": act} | ({"data-payload": html.to_json(payload)} if payload else {})
    return html.Button(text, type="button", **data, **props)


def change_button(text: Any, changes: dict[str, Any], **props: Any) -> html.Node:
    """A button that sets fields of the page, in the browser."""
    return html.Button(text, type="button", **{"data-change": html.to_json(changes)}, **props)


def pick_button(text: Any, heads: list[str], mode: str = "set", **props: Any) -> html.Node:
    """A button that selects heads ("set", "add", "remove", "toggle"), in the browser."""
    data = {"data-heads": html.to_json(heads), "data-mode": mode}
    return html.Button(text, type="button", **data, **props)
