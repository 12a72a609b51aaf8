"""Controls that look the same in every view."""

from collections.abc import Mapping

import dash_bootstrap_components as dbc


def segments(name: str, options: Mapping[str, str], value: str) -> dbc.RadioItems:
    """A few choices beside each other, one of them taken; arrow keys move between them."""
    return dbc.RadioItems(
        id=name,
        options=[{"label": label, "value": key} for key, label in options.items()],
        value=value,
        className="segments",
        inputClassName="btn-check",
        labelClassName="segment",
        labelCheckedClassName="active",
    )
