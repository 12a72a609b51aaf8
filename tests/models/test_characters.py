"""Characters of several tokens: each token says which bytes it holds of which character."""

import re
import unicodedata

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from attention_viz.models.catalogue import Catalogue
from attention_viz.models.loading import load_model
from attention_viz.records.errors import BadInput
from attention_viz.records.model import EMBEDDED
from attention_viz.records.tokens import Token, Tokens, join, read_together, unshow
from tests.analysis.tokenizers_for_tests import byte_fallback, of_bytes

SAMPLES = ("日本", "🙂", "é", "e\u0301", "سلام", "a日b", "👩‍👧❤️ 🇩🇪", "x\ufffd\u202e\x85\x00y")
# "␣" + 2 bytes of 日; its last with the first of 本; the rest of 本; 2 middle bytes of 🙂
ODD = (b" \xe6", b" \xe6\x97", b"\xa5\xe6", b"\x9c\xac", b"\x9f\x99", b"ab", b"ab\xe6")
LEFT_TO_RIGHT = "\u200e"


@pytest.fixture(scope="module", params=["embedded", "odd", "fallback"])
def vocabulary(request):
    if request.param == "embedded":
        return load_model(Catalogue.standard().entry(EMBEDDED), device="cpu").vocabulary
    made = of_bytes(*ODD) if request.param == "odd" else byte_fallback()
    made.context = 1000
    return made


@pytest.fixture(scope="module")
def odd():
    return of_bytes(*ODD)


@pytest.fixture(scope="module")
def embedded():
    return load_model(Catalogue.standard().entry(EMBEDDED), device="cpu").vocabulary


def shown(vocabulary, text):
    tokens = vocabulary.tokenize(text, bos=False)
    return [token.shown.replace(LEFT_TO_RIGHT, "") for token in tokens.items]


def reread(labels):
    """The text that labels show: of a counted character its bytes must follow in order."""
    text, held = "", 0
    for label in labels:
        words = label.split(" ")  # text, count, text, count, …
        for word, count in zip(words[::2], [*words[1::2], None], strict=False):
            if count is None:
                text += unshow(word)
                continue
            whole = unshow(word.removesuffix(LEFT_TO_RIGHT))
            character = whole[-1]
            *before, of = re.fullmatch(r"(\d)(?:-(\d))?/(\d)", count).groups()
            first, last = int(before[0]), int(before[1] or before[0])
            assert int(of) == len(character.encode()) and last - first + 1 < int(of)
            assert first == held + 1
            text += whole[:-1].removesuffix("◌") + (character if last == int(of) else "")
            held = last % int(of)
    assert held == 0
    return text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("日本", ["日 1/3", "日 2/3", "日 3/3", "本 1/3", "本 2/3", "本 3/3"]),
        ("🙂", ["🙂 1/4", "🙂 2/4", "🙂 3/4", "🙂 4/4"]),
        ("é", ["é 1/2", "é 2/2"]),
        ("e\u0301", ["e", "◌\u0301 1/2", "◌\u0301 2/2"]),
        ("سل", ["س 1/2", "س 2/2", "ل 1/2", "ل 2/2"]),
        ("a日b", ["a", "日 1/3", "日 2/3", "日 3/3", "b"]),
        ("\u200d", [f"⟨U+200D⟩ {k}/3" for k in (1, 2, 3)]),
        ("\ufffd", [f"⟨U+FFFD⟩ {k}/3" for k in (1, 2, 3)]),
        ("\x00\n", ["␀", "⏎"]),
    ],
)
def test_characters_of_single_bytes(embedded, text, expected):
    assert shown(embedded, text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" 日本", ["␣日 1-2/3", "日 3/3 本 1/3", "本 2-3/3"]),
        ("ab日x", ["ab日 1/3", "日 2/3", "日 3/3", "x"]),
        ("🙂", ["🙂 1/4", "🙂 2-3/4", "🙂 4/4"]),
        ("日本 日", ["日 1/3", "日 2/3", "日 3/3 本 1/3", "本 2-3/3", "␣日 1-2/3", "日 3/3"]),
    ],
)
def test_characters_cut_at_odd_places(odd, text, expected):
    assert shown(odd, text) == expected


def test_a_right_to_left_character_keeps_its_count_to_the_right(embedded):
    assert embedded.tokenize("س", bos=False).labels[0] == f"س{LEFT_TO_RIGHT} 1/2"


def test_repeated_bytes_are_told_apart(embedded):
    labels = embedded.tokenize("日日").labels
    assert labels[1] == "日 1/3" and labels[4] == "日 1/3_2"
    alike = Tokens((Token(1, "a"), Token(1, "a"), Token(2, "a_2")), bos=False)
    assert alike.labels == ("a", "a_2", "a_2_2")


@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
@settings(deadline=None, max_examples=150)
@example(text="".join(SAMPLES))
@example(text="".join(SAMPLES[::-1]) + "日")
def test_labels_of_any_text(vocabulary, text):
    assume(text.strip() and "\u2581" not in text)
    tokens = vocabulary.tokenize(text)
    labels = tokens.labels
    assert tokens.text == text
    assert len(set(labels)) == len(labels) == len(tokens)
    for label in labels:
        assert label and "\ufffd" not in label
        assert not any(unicodedata.category(sign) == "Cc" for sign in label)


AMBIGUOUS = set("⟨⟩◌\u200e␣⏎⇥␍␡") | set(map(chr, range(0x2400, 0x2420)))


@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
@settings(deadline=None, max_examples=150)
@example(text="".join(SAMPLES))
def test_what_is_shown_gives_the_text_back(vocabulary, text):
    assume(text.strip() and "\u2581" not in text and not AMBIGUOUS & set(text))
    assert reread(token.shown for token in vocabulary.tokenize(text, bos=False).items) == text


@given(pieces=st.lists(st.binary(min_size=1, max_size=6), max_size=6))
def test_any_bytes_can_be_shown(pieces):
    tokens = read_together(Token(id, "?", raw) for id, raw in enumerate(pieces))
    for token in tokens:
        assert token.shown and token.alone and "\ufffd" not in token.shown + token.alone
    try:
        assert join(tokens) == b"".join(pieces).decode()
    except UnicodeDecodeError:
        assert "⟨" in join(tokens)


def test_alone_a_token_is_its_bytes(odd, embedded):
    assert embedded.token(embedded.tokenize("日", bos=False).items[0].id).shown == "⟨E6⟩"
    by_text = {odd.token(id).shown for id in range(odd.size)}
    assert {"␣⟨E697⟩", "⟨A5E6⟩", "⟨9CAC⟩", "ab⟨E6⟩", "⟨FF⟩"} <= by_text
    assert byte_fallback().token(byte_fallback().find("⟨E6⟩")).shown == "⟨E6⟩"


def test_what_a_menu_shows_is_found_and_distinct(vocabulary):
    tokens = [vocabulary.token(id) for id in range(vocabulary.size)]
    cut = [token for token in tokens if token.raw is not None]
    assert cut and len({token.shown for token in cut}) == len(cut)
    for token in [*cut, *tokens[:: max(1, len(tokens) // 100)]]:
        typed = unshow(token.shown)
        assert vocabulary.matching(typed, 5)[0].shown == token.shown
        assert vocabulary.token(vocabulary.find(typed)).shown == token.shown


def test_what_a_prompt_shows_is_found(vocabulary):
    for token in vocabulary.tokenize("x日y س 🙂", bos=False).items:
        assert vocabulary.find(unshow(token.shown)) == token.id


@pytest.mark.parametrize(("text", "count"), [("日", 3), ("🙂", 4), ("é", 2)])
def test_a_character_of_several_tokens_says_so(embedded, text, count):
    assert embedded.matching(text) == []  # a menu then asks for the reason
    with pytest.raises(BadInput, match=f"is {count} tokens.*'{text} 1/{count}' ") as caught:
        embedded.find(text)
    assert f"'⟨{text.encode()[:1].hex().upper()}⟩'" in caught.value.remedy


@pytest.mark.parametrize("text", ["日 4/3", "日 1/2", "日 2-1/3", "zq 1/3", "\ud800 1/3", "⟨E6"])
def test_what_is_no_token_is_refused(embedded, text):
    with pytest.raises(BadInput):
        embedded.find(text)


def test_half_a_surrogate_pair_is_refused(embedded):
    for ask in (embedded.tokenize, embedded.find):
        with pytest.raises(BadInput, match="half a character"):
            ask("a\ud800")
