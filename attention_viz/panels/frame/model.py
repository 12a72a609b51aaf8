"""The menu of models: choosing one loads it; the page stays with the old one until it is there."""

from typing import Any

from attention_viz.panels.frame.examples import suggested_flip
from attention_viz.panels.kit import html
from attention_viz.panels.kit.acts import Act, Outcome, act_button
from attention_viz.panels.kit.common import loading_text, toast
from attention_viz.panels.kit.parts import Part, place
from attention_viz.records.bench import Bench
from attention_viz.records.errors import BadInput
from attention_viz.records.model import ModelEntry, ModelInfo, ModelStatus
from attention_viz.records.page import PageState


def layout() -> html.Node:
    return html.Div(
        [
            html.Label("Model", htmlFor="model-menu", className="visually-hidden"),
            place("model-box", className="model-box"),
            place("model-chip", className="model-chip"),
        ],
        className="model",
    )


def sizes(info: ModelInfo) -> str:
    """ "4 layers × 8 heads · 2.4 M"."""
    millions = info.parameters / 1e6
    count = f"{millions:.1f} M" if millions < 10 else f"{millions:.0f} M"
    if millions >= 1000:
        count = f"{millions / 1000:.1f} B"
    return f"{info.layers} layers × {info.heads} heads · {count}"


def draw_menu(bench: Bench, state: PageState) -> html.Node:
    """All models, with their sizes where they are known; choosing one loads it."""
    wanted = state.local("model.wanted")
    is_coming = wanted and bench.status(wanted).state != "failed"
    shown = wanted if is_coming else state.model
    options = [_option(entry, bench, shown) for entry in bench.catalogue.entries]
    return html.Select(
        options, id="model-menu", className="form-select", **{"data-act-value": "model"}
    )


def _option(entry: ModelEntry, bench: Bench, chosen: str) -> html.Node:
    info = bench.status(entry.name).info
    told = (entry.name, sizes(info) if info else entry.about, entry.licence)
    text = " · ".join(part for part in told if part)
    return html.Option(text, value=entry.name, selected=entry.name == chosen)


def draw_chip(bench: Bench, state: PageState) -> Any:
    """The device, or what is being loaded, or that it failed."""
    name = state.local("model.wanted")
    status = bench.status(state.model)
    other = bench.status(name) if name else None
    return chip(other if other is not None and other.state != "ready" else status)


def chip(shown: ModelStatus) -> Any:
    name = shown.entry.name
    if shown.state == "ready":
        device = html.Span(shown.info.device, className="chip", title=facts(shown.info))
        return html.Div([device, draw_badge(shown.info)], className="chips")
    if shown.state == "failed":
        again = act_button("Try again", "model", {"value": name}, className="btn btn-sm")
        failed = html.Span(f"{name} failed", className="chip bad", title=shown.message)
        return html.Div([failed, again], className="chips")
    text = loading_text(name, shown.message)
    return html.Span(
        [html.Span(className="spinner"), html.Span(text)], className="chip busy", role="status"
    )


def draw_badge(info: ModelInfo) -> Any:
    """What was tested of the intervention when the model was loaded; those who fail are refused."""
    if not info.checks:
        return None
    told = "\n".join(f"{check.claim}: off by {check.error:.1g}" for check in info.checks)
    title = f"Tested when the model was loaded (relative differences):\n{told}"
    lacking = [each for each in info.capabilities if each.reason]
    if lacking:
        reasons = "\n".join(f"{each.name}: {each.reason}" for each in lacking)
        title = f"{title}\n\nNot measured in this model:\n{reasons}"
    without = f" (no {', '.join(each.name for each in lacking)})" if lacking else ""
    return html.Span(f"✓ self-test{without}", className="chip ok", title=title, id="self-test")


def facts(info: ModelInfo) -> str:
    """What is known of a model, for those who hover."""
    bos = "prepended" if info.prepends_bos else "not prepended"
    return (
        f"{info.architecture}, {info.dtype} on {info.device}; d_model {info.d_model}, "
        f"d_head {info.d_head}, {info.key_value_heads} key/value heads, vocabulary "
        f"{info.vocabulary}, context {info.context} tokens, beginning of text {bos}; "
        f"loaded in {info.seconds:.1f} s" + "".join(f"; {note}" for note in info.notes)
    )


def _choose(bench: Bench, state: PageState, payload: dict[str, Any]) -> Outcome:
    name = str(payload.get("value"))
    bench.load(name)
    return settle(bench, state, name)


def settle(bench: Bench, state: PageState, wanted: str) -> Outcome:
    """What becomes of the page: another model once it is there, a message where it failed."""
    status = bench.status(wanted)
    if status.state in ("loading", "not loaded"):
        return Outcome(wanted=wanted)
    if status.state == "failed":
        stays = "" if wanted == state.model else f"; the page stays with {state.model}"
        says = toast(f"{wanted} could not be loaded{stays}.", status.message)
        return Outcome(says=says, told={"failed": wanted})
    if wanted == state.model:
        return Outcome(wanted="")
    return Outcome(page=suggested_flip(bench, state.with_model(wanted)), wanted="")


def news(bench: Bench, name: str) -> dict[str, Any]:
    """Where a model stands, as plain JSON for the browser's scripts."""
    try:
        status = bench.status(name)
    except BadInput as error:
        return {"name": name, "state": "failed", "message": str(error)}
    told = {"name": name, "state": status.state, "message": status.message}
    if status.info is not None:
        told |= {"layers": status.info.layers, "heads": status.info.heads}
    return told


PARTS = (Part("model-box", draw_menu), Part("model-chip", draw_chip))
NAMES = tuple(part.name for part in PARTS)
ACTS: dict[str, Act] = {"model": _choose}
