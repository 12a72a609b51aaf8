"""A button that sends a file of one's own to an act, as {contents, name}."""

from typing import Any

from attention_viz.panels.kit import html


def file_button(name: str, act: str, *, accept: str, **props: Any) -> html.Node:
    """The contents come as a data URL in base64. The input is there for keys, unseen."""
    chooser = html.Input(
        id=name,
        type="file",
        accept=accept,
        className="visually-hidden",
        **{"data-act-file": act},
    )
    return html.Label([chooser, "Choose a file…"], className="btn btn-sm file-button", **props)
