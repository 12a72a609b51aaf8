"""The colours of page, figures, graph and exported pictures, and what each of them means.

Two themes, "light" and "dark", and a third for the page, "both": its colours are
`var(--x,light-dark(#light,#dark))`, which CSS, plotly's validator and the browser's drawers take
alike, so one drawing serves both themes. Every function here takes and gives all three.

One colour has one meaning (MEANINGS). Which side of 0 helps the answer differs from number to
number, so a caller says what its sign means (`Sense`) and never picks a side's colour itself.
Safe for colour-blind readers: what stands together differs under simulated deuteranopia and
protanopia too (Machado et al. 2009). Ink is chosen by contrast (WCAG relative luminance).
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

from attention_viz.records.circuits.edge import Via
from attention_viz.records.circuits.roles import Role
from attention_viz.records.metrics import Sense

SANS = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif'
MONO = 'ui-monospace, "DejaVu Sans Mono", monospace'
MONO_EM = 0.605  # width of a character of the fixed-width font, in font sizes

_DARK_INK = "#0b1220"
_LIGHT_INK = "#ffffff"
_HEX = r"#(?:[0-9a-f]{6}|[0-9a-f]{8})"
_PAIR = re.compile(rf"var\(--x,light-dark\(({_HEX}),({_HEX})\)\)")


@dataclass(frozen=True)
class Theme:
    """One set of colours; `css_variables` gives the same to the page's style sheets."""

    name: str
    # The page
    page: str
    card: str
    ink: str
    ink2: str  # second to the ink
    muted: str
    line: str
    edge: str  # of what can be pressed or is pointed at
    soft: str  # background of what is picked
    on_accent: str  # ink
    ok: str
    bad: str
    warn: str
    # What was measured
    helps: str
    against: str
    raised: str
    lowered: str
    neutral: str  # 0 of the scales that have two sides
    strength: str  # 1 of the sequential scale
    faint: str  # its 0
    missing: str  # not measured
    clean: str
    ablated: str
    accent: str  # what a person chose
    left: str  # of two circuits
    right: str
    mlp: str
    via: dict[Via, str]  # of arrow heads
    roles: dict[str, str]  # by name; see role_colour


_UNCLEAR = "#6a706a"


# Dark enough for white ink on both themes.
_ROLES = {
    "previous token": "#6a4260",
    "duplicate token": "#104c38",
    "induction": "#7e1a74",
    "attends to the answer": "#4c74a6",
    "name mover": "#107438",
    "negative name mover": "#881a10",
    "S-inhibition": "#244cb0",
    "backup": "#925610",
    "unclear": _UNCLEAR,
}

LIGHT = Theme(
    name="light",
    page="#f4f5f7",
    card="#ffffff",
    ink="#1f2937",
    ink2="#4b5563",
    muted="#626b79",
    line="#e3e6eb",
    edge="#c9ced7",
    soft="#eef0fb",
    on_accent="#ffffff",
    ok="#0f766e",
    bad="#b42318",
    warn="#a15c07",
    helps="#1d63b0",
    against="#c8321f",
    raised="#7b2d9b",
    lowered="#4d7c0f",
    neutral="#f3f4f6",
    strength="#0f766e",
    faint="#f1f5f6",
    missing="#ffffff",
    clean="#64748b",
    ablated="#d97706",
    accent="#4f46e5",
    left="#0284ad",
    right="#be185d",
    mlp="#6b5300",
    via={
        Via.Q: "#b0108c",
        Via.K: "#12805c",
        Via.V: "#5a2a06",
        Via.MLP: "#8b7fe8",
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
    edge="#3a4354",
    soft="#20263a",
    on_accent="#0f131a",
    ok="#4fbfae",
    bad="#ff8f84",
    warn="#f0b75e",
    helps="#45a6f5",
    against="#ff6f5c",
    raised="#e08ff0",
    lowered="#8cc63f",
    neutral="#252c38",
    strength="#4fc3b2",
    faint="#202834",
    missing="#171c26",
    clean="#8fa0b8",
    ablated="#f2a65a",
    accent="#8c84ff",
    left="#38c6ee",
    right="#ff5fa2",
    mlp="#8a6d12",
    via={
        Via.Q: "#f05cc8",
        Via.K: "#34d399",
        Via.V: "#f7ee6b",
        Via.MLP: "#cbc2ff",
        Via.LOGITS: "#f1f5f9",
        Via.ATTENTION: "#76829a",
    },
    roles=_ROLES,
)


def _pair(light: str, dark: str) -> str:
    """A colour of the theme "both"; one that is the same in both stays as it is."""
    return light if light == dark else f"var(--x,light-dark({light},{dark}))"


def _of_both(light: Any, dark: Any) -> Any:
    if isinstance(light, dict):
        return {name: _pair(colour, dark[name]) for name, colour in light.items()}
    return _pair(light, dark)


BOTH = Theme(
    **{
        field.name: _of_both(getattr(LIGHT, field.name), getattr(DARK, field.name))
        for field in fields(Theme)
        if field.name != "name"
    },
    name="both",
)


@dataclass(frozen=True)
class Meaning:
    """A colour and what it says, wherever it stands."""

    name: str  # its CSS variable without the dashes
    title: str
    says: str
    light: str
    dark: str

    def colour(self, theme: str = "light") -> str:
        """Its colour in a theme."""
        return {"light": self.light, "dark": self.dark}.get(theme) or _pair(self.light, self.dark)


_FIELDS = {
    "helps": (
        "helps the answer",
        "the answer has more of a lead with it: ablated or patched away, the answer loses",
    ),
    "against": (
        "works against the answer",
        "the answer has less of a lead with it: ablated or patched away, the answer gains",
    ),
    "raised": ("raised", "above 0 in a difference that takes no side for or against the answer"),
    "lowered": ("lowered", "below 0 in such a difference"),
    "strength": (
        "strength",
        "from 0 upward, the stronger the more: an attention weight, a probability, a divergence",
    ),
    "clean": ("clean run", "of the run in which nothing is changed"),
    "ablated": ("ablated run", "of the run with the chosen heads ablated"),
    "accent": ("chosen", "what you picked: heads, a cell, the read-out, the size that is shown"),
    "left": ("only left", "in the left one of two circuits only"),
    "right": ("only right", "in the right one of two circuits only"),
    "mlp": ("MLP", "a node that is an MLP"),
}
_ARROWS = {
    Via.Q: ("into Q", "arrow head: changes where the reader looks from"),
    Via.K: ("into K", "arrow head: changes what the reader finds"),
    Via.V: ("into V", "arrow head: changes what the reader copies"),
    Via.MLP: ("into an MLP", "arrow head: read by an MLP"),
    Via.LOGITS: ("into the logits", "arrow head: written directly to the output"),
    Via.ATTENTION: ("attention", "dashed line: an attention weight, no intervention"),
}

MEANINGS = (
    *(
        Meaning(name, title, says, getattr(LIGHT, name), getattr(DARK, name))
        for name, (title, says) in _FIELDS.items()
    ),
    *(
        Meaning(f"via-{via.value.lower()}", title, says, LIGHT.via[via], DARK.via[via])
        for via, (title, says) in _ARROWS.items()
    ),
    *(
        Meaning(
            f"role-{role.value.lower().replace(' ', '-')}",
            role.value,
            f"a head's role, {role.about}",
            LIGHT.roles[role.value],
            DARK.roles[role.value],
        )
        for role in Role
    ),
)


def theme_of(name: str) -> Theme:
    """The theme called "light", "dark" or "both"."""
    return {"light": LIGHT, "dark": DARK, "both": BOTH}[name]


def resolve(text: str, theme: str) -> str:
    """Text with the colours of "both" as they are in "light" or "dark"; the browser does it too."""
    return _PAIR.sub(r"\1" if theme == "light" else r"\2", text)


def css_variables(theme: str = "both", selector: str = ":root") -> str:
    """The page's colours and all meanings as one CSS rule of variables: `:root{--helps:#1d63b0;…}`.

    Those of "both" follow the element's `color-scheme`.
    """
    colours = theme_of(theme)
    named = {f.name: getattr(colours, f.name) for f in fields(Theme) if f.type is str}
    named |= {meaning.name: meaning.colour(theme) for meaning in MEANINGS}
    del named["name"]
    rules = (f"--{name.replace('_', '-')}:{colour}" for name, colour in named.items())
    return f"{selector}{{{';'.join(rules)}}}"


def sign_colour(value: float, theme: str = "light", sense: Sense = Sense.CHANGE) -> str:
    """Of a bar or a line that shows this number; muted at 0."""
    colours = theme_of(theme)
    if sense is Sense.SIZE:
        return colours.strength
    below, above = _ends(colours, sense)
    return above if value > 0 else below if value < 0 else colours.muted


def sign_meaning(value: float, sense: Sense) -> str:
    """The name of the meaning of this number's side: "helps", "against", …; "nil" at 0."""
    if sense is Sense.SIZE:
        return "strength"
    below, above = _SIDES[sense]
    return above if value > 0 else below if value < 0 else "nil"


def diverging(
    value: float | None, limit: float, theme: str = "light", sense: Sense = Sense.CHANGE
) -> tuple[str, str]:
    """Background and ink of a cell: neutral at 0, the side's full colour at ±limit."""
    colours = theme_of(theme)
    if value is None or math.isnan(value):
        return colours.missing, colours.muted
    share = 0.0 if limit <= 0 else max(-1.0, min(1.0, value / limit))
    below, above = _ends(colours, sense)
    background = _mix(colours.neutral, above if share > 0 else below, abs(share))
    return background, ink_on(background)


def sequential(value: float | None, theme: str = "light") -> tuple[str, str]:
    """Background and ink for a value from 0 to 1 (a probability, an attention weight)."""
    colours = theme_of(theme)
    if value is None or math.isnan(value):
        return colours.missing, colours.muted
    background = _mix(colours.faint, colours.strength, max(0.0, min(1.0, value)))
    return background, ink_on(background)


def cell(value: float | None, limit: float, sense: Sense, theme: str = "light") -> tuple[str, str]:
    """Background and ink of a cell with a number of this sense; full colour at `limit`."""
    if sense is not Sense.SIZE:
        return diverging(value, limit, theme, sense)
    share = value / limit if value is not None and limit > 0 else value
    return sequential(share, theme)


def diverging_scale(theme: str = "light", sense: Sense = Sense.CHANGE) -> list[list[Any]]:
    """From −limit over 0 to the limit, as (share, colour)."""
    colours = theme_of(theme)
    below, above = _ends(colours, sense)
    return [[0.0, below], [0.5, colours.neutral], [1.0, above]]


def sequential_scale(theme: str = "light") -> list[list[Any]]:
    """From 0 to 1, as (share, colour)."""
    colours = theme_of(theme)
    return [[0.0, colours.faint], [1.0, colours.strength]]


def scale_of(sense: Sense, theme: str = "light") -> list[list[Any]]:
    """The scale of numbers of this sense."""
    return sequential_scale(theme) if sense is Sense.SIZE else diverging_scale(theme, sense)


def gradient(scale: list[list[Any]]) -> str:
    """A colour scale as a CSS background, left to right: a colour bar in HTML."""
    stops = ", ".join(f"{colour} {share:.0%}" for share, colour in scale)
    return f"linear-gradient(90deg, {stops})"


def see_through(colour: str, share: float) -> str:
    """The colour with an opacity from 0 to 1, as "#rrggbbaa"."""
    return _each(lambda hue: f"{hue}{round(255 * share):02x}", colour)


def role_colour(role: Role, theme: str = "light") -> str:
    """A node's colour; that of "unclear" for a role without its own."""
    return theme_of(theme).roles.get(role.value, _UNCLEAR)


def ink_on(background: str) -> str:
    """Dark or light ink, whichever can be read better on a colour."""
    return _each(_ink_on, background)


def contrast(one: str, other: str) -> float:
    """WCAG contrast ratio of two colours, 1 to 21; of "both", in the theme where it is less."""
    return min(_contrast(resolve(one, theme), resolve(other, theme)) for theme in ("light", "dark"))


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


# What is below and above 0, by names of colours
_SIDES = {
    Sense.HELPS_BELOW: ("helps", "against"),
    Sense.HELPS_ABOVE: ("against", "helps"),
    Sense.CHANGE: ("lowered", "raised"),
}


def _ends(colours: Theme, sense: Sense) -> tuple[str, str]:
    below, above = _SIDES[sense]
    return getattr(colours, below), getattr(colours, above)


def _each(function: Callable[..., str], *colours: str) -> str:
    """The function of these colours; where one is of "both", in each theme."""
    light, dark = zip(*map(_in_each, colours), strict=True)
    found = function(*light)
    return found if light == dark else _pair(found, function(*dark))


@lru_cache(4096)
def _in_each(colour: str) -> tuple[str, str]:
    """As it is in the light theme and in the dark one."""
    return resolve(colour, "light"), resolve(colour, "dark")


def _mix(start: str, end: str, share: float) -> str:
    return _each(lambda one, other: _mixed(one, other, share), start, end)


def _mixed(start: str, end: str, share: float) -> str:
    pairs = zip(_channels(start), _channels(end), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


@lru_cache(4096)
def _ink_on(background: str) -> str:
    light = _luminance(background)
    on_light = (light + 0.05) / (_luminance(_DARK_INK) + 0.05)
    on_dark = (_luminance(_LIGHT_INK) + 0.05) / (light + 0.05)
    # White at equal contrast looks better than black does; the eye agrees up to a point.
    return _DARK_INK if on_light > 1.15 * on_dark else _LIGHT_INK


def _contrast(one: str, other: str) -> float:
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _channels(colour: str) -> tuple[int, int, int]:
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


def _luminance(colour: str) -> float:
    linear = [_linear(channel / 255) for channel in _channels(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@lru_cache(4096)
def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
