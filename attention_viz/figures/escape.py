"""Users' text made safe to draw.

Plotly renders a subset of HTML in labels and hovers (`<b>`, `<br>`, `&lt;`), fills in `%{x}` in
hover templates, and hands `$…$` to MathJax where that is loaded. Tokens may hold all of it, and
control characters besides, which XML forbids and no font can show.
"""

_PLOTLY = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "{": "&#123;", "$": "&#36;"}


def visible(text: str) -> str:
    """The text with everything undrawable replaced by a sign that can be drawn.

    Control characters become their pictures (U+0007 → ␇), characters that turn the direction of
    the line or belong to no text at all become U+FFFD. The result is valid in XML 1.0.
    """
    return "".join(_sign(character) for character in text)


def safe(text: str) -> str:
    """The text as a plotly label or hover shows it literally."""
    return "".join(_PLOTLY.get(character, character) for character in visible(text))


def shorten(text: str, most: int) -> str:
    """At most `most` characters, some of the end kept: a repeated token's "_2" is there."""
    if len(text) <= most:
        return text
    tail = (most - 1) // 3
    return text[: most - 1 - tail] + "…" + text[len(text) - tail :]


def signed(value: float, digits: int = 2) -> str:
    """A signed number with a proper minus sign: "+2.29", "−0.31"; never "−0.00"."""
    text = f"{value:+.{digits}f}"
    is_zero = not text.strip("+-0.")
    return (text[1:] if is_zero else text).replace("-", "−")


def _sign(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    is_c1 = 0x80 <= code <= 0x9F
    is_surrogate = 0xD800 <= code <= 0xDFFF
    is_noncharacter = (code & 0xFFFE) == 0xFFFE or 0xFDD0 <= code <= 0xFDEF
    turns_the_line = (
        0x202A <= code <= 0x202E or 0x2066 <= code <= 0x2069 or code in (0x2028, 0x2029)
    )
    if is_c1 or is_surrogate or is_noncharacter or turns_the_line:
        return "\ufffd"
    return character
