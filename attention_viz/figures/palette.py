"""The colours of page, figures, graph and exported pictures, in light and dark.

Safe for colour-blind readers: the diverging scale goes from blue over the card's neutral to
orange, centred on 0; the sequential scale is one teal growing stronger. Clean is slate, ablated
orange. Ink is chosen by contrast (WCAG relative luminance), so every value can be read.
"""

import math
from dataclasses import dataclass
from typing import Any

from attention_viz.records.circuits.edge import Via
from attention_viz.records.circuits.roles import Role

SANS = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif'
MONO = 'ui-monospace, "DejaVu Sans Mono", monospace'
MONO_EM = 0.605  # width of a character of the fixed-width font, in font sizes

_DARK_INK = "#0b1220"
_LIGHT_INK = "#ffffff"


@dataclass(frozen=True)
class Theme:
    """One set of colours; the page's CSS uses the same."""

    name: str
    page: str
    card: str
    ink: str
    ink2: str  # second to the ink
    muted: str
    line: str
    accent: str
    soft: str  # background of what is picked
    clean: str
    ablated: str
    negative: str  # end of the diverging scale
    neutral: str  # its middle, 0
    positive: str  # its other end
    faint: str  # 0 of the sequential scale
    strong: str  # its 1
    missing: str  # not measured
    mlp: str
    via: dict[Via, str]  # of arrow heads: not the colours of the signs
    roles: dict[str, str]  # by name; see role_colour


_UNCLEAR = "#5b6b82"


# Dark enough for white ink on both themes.
_ROLES = {
    "previous token": "#2563eb",
    "duplicate token": "#7a57d1",
    "induction": "#b8560b",
    "attends to the answer": "#0b7d6e",
    "name mover": "#0c5132",
    "negative name mover": "#9c0451",
    "S-inhibition": "#641188",
    "backup": "#312a9e",
    "unclear": _UNCLEAR,
}

LIGHT = Theme(
    name="light",
    page="#f4f5f7",
    card="#ffffff",
    ink="#1f2937",
    ink2="#4b5563",
    muted="#6b7280",
    line="#e3e6eb",
    accent="#4f46e5",
    soft="#eef0fb",
    clean="#64748b",
    ablated="#d97706",
    negative="#2166ac",
    neutral="#f3f4f6",
    positive="#d97706",
    faint="#f1f5f6",
    strong="#0f766e",
    missing="#ffffff",
    mlp="#6b5300",
    via={
        Via.Q: "#c026a8",
        Via.K: "#12805c",
        Via.V: "#5a2a06",
        Via.MLP: "#7c6fd6",
        Via.LOGITS: "#111827",
        Via.ATTENTION: "#8b93a1",
    },
    roles=_ROLES,
)

DARK = Theme(
    name="dark",
    page="#0f131a",
    card="#171c26",
    ink="#e6e9ef",
    ink2="#c3cad6",
    muted="#8b95a7",
    line="#262d3a",
    accent="#7c83ff",
    soft="#20263a",
    clean="#8fa0b8",
    ablated="#f2a65a",
    negative="#4a93e6",
    neutral="#252c38",
    positive="#f59a3c",
    faint="#202834",
    strong="#4fc3b2",
    missing="#171c26",
    mlp="#6b5300",
    via={
        Via.Q: "#f472d0",
        Via.K: "#34d399",
        Via.V: "#f7ee6b",
        Via.MLP: "#b2a5f5",
        Via.LOGITS: "#f1f5f9",
        Via.ATTENTION: "#76829a",
    },
    roles=_ROLES,
)


def theme_of(name: str) -> Theme:
    """The theme called "light" or "dark"."""
    return {"light": LIGHT, "dark": DARK}[name]


def diverging(value: float | None, limit: float, theme: str = "light") -> tuple[str, str]:
    """Background and ink for a signed value; white at 0, full colour at ±limit."""
    colours = theme_of(theme)
    if value is None or math.isnan(value):
        return colours.missing, colours.muted
    share = 0.0 if limit <= 0 else max(-1.0, min(1.0, value / limit))
    end = colours.positive if share > 0 else colours.negative
    background = _mix(colours.neutral, end, abs(share))
    return background, ink_on(background)


def sequential(value: float | None, theme: str = "light") -> tuple[str, str]:
    """Background and ink for a value from 0 to 1 (a probability, an attention weight)."""
    colours = theme_of(theme)
    if value is None or math.isnan(value):
        return colours.missing, colours.muted
    background = _mix(colours.faint, colours.strong, max(0.0, min(1.0, value)))
    return background, ink_on(background)


def diverging_scale(theme: str = "light") -> list[list[Any]]:
    """The diverging colours as a plotly colour scale; use with zmid=0."""
    colours = theme_of(theme)
    return [[0.0, colours.negative], [0.5, colours.neutral], [1.0, colours.positive]]


def sequential_scale(theme: str = "light") -> list[list[Any]]:
    """The sequential colours as a plotly colour scale."""
    colours = theme_of(theme)
    return [[0.0, colours.faint], [1.0, colours.strong]]


def gradient(scale: list[list[Any]]) -> str:
    """A colour scale as a CSS background, left to right: a colour bar in HTML."""
    stops = ", ".join(f"{colour} {share:.0%}" for share, colour in scale)
    return f"linear-gradient(90deg, {stops})"


def sign_colour(value: float, theme: str = "light") -> str:
    """The diverging scale's end on the value's side."""
    colours = theme_of(theme)
    return colours.positive if value > 0 else colours.negative


def see_through(colour: str, share: float) -> str:
    """ "#rrggbb" as CSS with an opacity from 0 to 1."""
    return f"rgba({', '.join(str(channel) for channel in _channels(colour))}, {share:g})"


def role_colour(role: Role, theme: str = "light") -> str:
    """A node's colour; that of "unclear" for a role without its own."""
    return theme_of(theme).roles.get(role.value, _UNCLEAR)


def ink_on(background: str) -> str:
    """Dark or light ink, whichever can be read better on "#rrggbb"."""
    light = _luminance(background)
    on_light = (light + 0.05) / (_luminance(_DARK_INK) + 0.05)
    on_dark = (_luminance(_LIGHT_INK) + 0.05) / (light + 0.05)
    # White at equal contrast looks better than black does; the eye agrees up to a point.
    return _DARK_INK if on_light > 1.15 * on_dark else _LIGHT_INK


def contrast(one: str, other: str) -> float:
    """WCAG contrast ratio of two "#rrggbb" colours, 1 to 21."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def layout(theme: str = "light", **changes: Any) -> dict[str, Any]:
    """What all plotly figures share; `changes` are laid over it."""
    colours = theme_of(theme)
    common = {
        "template": None,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": SANS, "size": 12, "color": colours.ink2},
        "margin": {"l": 40, "r": 16, "t": 24, "b": 36},
        "showlegend": False,
        "dragmode": False,
        "hoverlabel": {
            "bgcolor": colours.card,
            "bordercolor": colours.muted,
            "font": {"family": SANS, "size": 12, "color": colours.ink},
            "align": "left",
        },
    }
    return common | changes


def axis(theme: str = "light", **changes: Any) -> dict[str, Any]:
    """A quiet axis: no grid, no zero line, muted ticks, no zooming by drag."""
    colours = theme_of(theme)
    quiet = {
        "showgrid": False,
        "zeroline": False,
        "showline": False,
        "ticks": "",
        "fixedrange": True,
        "tickfont": {"size": 11, "color": colours.muted},
    }
    return quiet | changes


def colour_bar(title: str, theme: str = "light", **changes: Any) -> dict[str, Any]:
    """A slim colour bar that names its unit."""
    colours = theme_of(theme)
    slim = {
        "title": {"text": title, "side": "right", "font": {"size": 11, "color": colours.muted}},
        "thickness": 8,
        "outlinewidth": 0,
        "tickfont": {"size": 10, "color": colours.muted},
        "xpad": 6,
        "ypad": 0,
    }
    return slim | changes


def empty_figure(message: str, theme: str = "light", height: int = 160) -> dict[str, Any]:
    """Layout of a figure with nothing to draw: says why, in place."""
    note = {
        "text": message,
        "x": 0.5,
        "y": 0.5,
        "xref": "paper",
        "yref": "paper",
        "showarrow": False,
        "font": {"size": 12, "color": theme_of(theme).muted},
    }
    hidden = {"visible": False, "fixedrange": True}
    return layout(theme, height=height, annotations=[note], xaxis=hidden, yaxis=hidden)


def _mix(start: str, end: str, share: float) -> str:
    pairs = zip(_channels(start), _channels(end), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def _channels(colour: str) -> tuple[int, int, int]:
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


def _luminance(colour: str) -> float:
    linear = [_linear(channel / 255) for channel in _channels(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
