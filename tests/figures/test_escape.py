"""Users' text is shown literally, whatever it holds."""

import html
import xml.etree.ElementTree as ET

import pytest

from attention_viz.figures.escape import safe, shorten, signed, visible
from tests.builders import NASTY


@pytest.mark.parametrize("text", ["<b>x</b>", " %{x}", "$a$ $b$", "a&amp;b", "&lt;", "{}"])
def test_safe_text_decodes_to_itself_and_holds_no_markup(text):
    assert html.unescape(safe(text)) == text
    assert not set(safe(text)) & set("<>{$")


@pytest.mark.parametrize("text", NASTY)
def test_visible_text_is_valid_xml(text):
    root = ET.fromstring(f"<t>{html.escape(visible(text))}</t>")
    assert root.text == visible(text)


def test_control_characters_become_pictures():
    assert visible("a\x00\x07\x7f\x9f\u202e\ud800") == "a␀␇␡\ufffd\ufffd\ufffd"
    assert visible("␣Mary é 🤖") == "␣Mary é 🤖"


def test_shorten_keeps_the_end():
    assert shorten("␣antidisestablishmentarianism_2", 12).endswith("m_2")
    assert len(shorten("␣antidisestablishmentarianism_2", 12)) == 12
    assert shorten("␣Mary", 5) == "␣Mary"
    assert shorten("abc", 1) == "…"


@pytest.mark.parametrize(
    "value, text", [(2.294, "+2.29"), (-0.306, "−0.31"), (-0.001, "0.00"), (0.0, "0.00")]
)
def test_signed_uses_a_minus_sign_and_no_negative_zero(value, text):
    assert signed(value) == text
