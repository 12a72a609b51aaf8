"""What every panel needs: the state, asking the workbench, and saying what went wrong."""

from typing import Any

from attention_viz.panels.kit import html
from attention_viz.records.bench import Bench
from attention_viz.records.circuits.pairs import PairsRequest
from attention_viz.records.errors import AttentionVizError, BadInput
from attention_viz.records.ids import HeadId
from attention_viz.records.tokens import Token


class NotReady(AttentionVizError):
    """The model is still being loaded; the panel is asked again when it is there."""


def ask(bench: Bench, request: Any) -> Any:
    """The record for a request, measured if need be.

    Never waits for a model: raises NotReady while it is loaded (the panel is called again when
    it is there), and AttentionVizError for what a person can put right.
    """
    question = request.question
    if not question.prompt and not _names_pairs(request):
        raise BadInput("Nothing was run yet.", "Type a prompt and press Run.")
    status = bench.status(question.model)
    if status.state == "failed":
        raise BadInput(f"{question.model} could not be loaded.", status.message)
    if status.state != "ready":
        raise NotReady(loading_text(status.entry.name, status.message))
    return bench.measure(request)


def _names_pairs(request: Any) -> bool:
    """Whether a request brings prompts of its own: a family's, or given ones."""
    pairs = request if isinstance(request, PairsRequest) else getattr(request, "pairs", None)
    return isinstance(pairs, PairsRequest) and bool(pairs.family or pairs.given)


def explain(error: AttentionVizError) -> html.Node:
    """An error where the result would be: loading, or what is wrong and what to do."""
    if isinstance(error, NotReady):
        return loading(error.message)
    return empty(error.message, error.remedy)


def empty(message: str, hint: str = "") -> html.Node:
    """The place of a result that isn't there, and how to get it."""
    return html.Div(
        [html.Div(message, className="empty-message"), html.Div(hint, className="empty-hint")],
        className="empty",
    )


def loading(message: str) -> html.Node:
    """The place of a result that comes by itself."""
    return html.Div(
        [html.Span(className="spinner"), html.Span(message)],
        className="empty loading",
        role="status",
    )


def loading_text(name: str, message: str = "") -> str:
    """ "loading the embedded model… reading weights"."""
    which = "the embedded model" if name == "embedded" else name
    return f"loading {which}… {message}".strip()


def toast(
    problem: AttentionVizError | str, remedy: str = "", kind: str = "danger", title: str = ""
) -> tuple[dict[str, Any], ...]:
    """A message in the corner. Kinds: danger, warning, success, info."""
    if isinstance(problem, AttentionVizError):
        problem, remedy = problem.message, problem.remedy
    titles = {"danger": "That didn't work", "warning": "Note", "success": "Done", "info": "Note"}
    told = {"title": title or titles[kind], "message": problem, "remedy": remedy, "kind": kind}
    return (told,)


def card(
    title: Any, *children: Any, note: Any = None, tools: Any = None, **props: Any
) -> html.Node:
    """A titled box; `note` is small beside the title, `tools` stand at its right end."""
    heading = html.H2(
        [
            html.Span(title),
            html.Small(note, **_full(note)) if note is not None else None,
            html.Span(tools, className="card-tools") if tools is not None else None,
        ]
    )
    name = f"card {props.pop('className', '')}".strip()
    return html.Div([heading, *children], className=name, **props)


def _full(note: Any) -> dict[str, str]:
    """A note that is cut where its card is narrow can be read whole by hovering."""
    return {"title": note} if isinstance(note, str) else {}


def head_chip(head: HeadId | str, note: str = "") -> html.Node:
    """A head's name; a click puts it into the selection or takes it out."""
    name = str(head)
    return html.Button(
        [name, html.Small(note) if note else None],
        type="button",
        className="head-chip",
        title=f"{name}: click to select or deselect",
        **{"data-head": name},
    )


def token_text(token: Token, label: str | None = None, **props: Any) -> html.Node:
    """A token with its blanks visible but faint; `label` tells repeated ones apart."""
    text = token.shown if label is None else label
    body = text[1:] if text.startswith("␣") and len(text) > 1 else text
    blank = html.Span("␣", className="blank") if body != text else None
    title = props.pop("title", f"{text} (id {token.id})")
    return html.Code([blank, body], className="token-text", title=title, **props)


def about_seconds(seconds: float) -> str:
    """An estimate in words."""
    if seconds < 1:
        return "under a second"
    return f"about {seconds:.0f} s" if seconds < 90 else f"about {seconds / 60:.0f} min"


def number(value: float | None, digits: int = 3, sign: bool = False) -> str:
    """A number with a real minus sign; None and nan are "not measured"."""
    if value is None or value != value:
        return "not measured"
    text = f"{value:+.{digits}f}" if sign else f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("+-")
    return text.replace("-", "−")
