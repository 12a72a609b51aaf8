"""The prompt pairs of the circuit view: what a file gives, and what is said of the pairs."""

import base64
import json

import pytest
from dash import Dash

from attention_viz.panels import pairs as panel
from attention_viz.panels.common import NotReady
from attention_viz.panels.pairs import (
    ask_pairs,
    draw_file,
    draw_line,
    draw_pairs,
    draw_refused,
    keep_pairs,
    read_upload,
)
from attention_viz.records.circuits.pairs import BadPair, Pair
from attention_viz.records.errors import BadInput
from attention_viz.records.page import MOST_GIVEN, PageState
from tests.panels.fakes import FakeWorkbench, said
from tests.panels.views import MARY, callback_named, find_all

GOOD = (MARY.prompt, MARY.counterfactual, " Mary", " John")
SHORT = (MARY.prompt, "Two words", " Mary", " John")
CSV = (
    "clean,counterfactual,answer,distractor\n"
    f'"{GOOD[0]}","{GOOD[1]}", Mary, John\n'
    '"<b>only this</b>"\n'
)


@pytest.fixture
def bench(workbench):
    workbench.wait("embedded")
    return workbench


def sent(text: str | bytes) -> str:
    """As a browser sends a file."""
    data = text.encode() if isinstance(text, str) else text
    return "data:text/csv;base64," + base64.b64encode(data).decode()


# Files


def take(contents: str | None, name: str = "mine.csv") -> tuple:
    """Page, what is said of the file, toasts and the upload, after a file was chosen."""
    app = Dash()
    panel.register(app, None)
    return callback_named(app, "take")(contents, name)


def changed(patch) -> dict:
    return {op["location"][0]: op["params"]["value"] for op in patch.to_plotly_json()["operations"]}


def test_a_file_becomes_the_pages_pairs_and_bad_lines_are_numbered():
    patch, about, _, contents = take(sent(CSV))
    assert changed(patch) == {"pairs": "given", "given_pairs": [list(GOOD)]}
    assert "mine.csv : 1 pair read" in said(about)
    assert "1 line left out line 3 : no counterfactual" in said(about)
    assert contents is None, "so that the same file can be chosen again"
    PageState.from_json(MARY.to_json() | changed(patch))


def test_the_suffix_says_the_format():
    line = json.dumps(
        dict(zip(("clean", "counterfactual", "answer", "distractor"), GOOD, strict=True))
    )
    assert changed(take(sent(line), "mine.jsonl")[0])["given_pairs"] == [list(GOOD)]


@pytest.mark.parametrize(
    ("contents", "reason"),
    [
        (sent("a,b\n1,2\n"), "does not name clean"),
        (sent(b"\xff\xfe\x00"), "UTF-8"),
        (sent("x" * 1_000_001), "1.0 MB"),
        ("data:text/csv;base64,?", "did not arrive whole"),
        ("nothing at all", "has no pairs|does not name"),
        ("data:text/csv;base64,é", "did not arrive whole"),
    ],
)
def test_a_file_that_cannot_be_read_changes_nothing(contents, reason):
    with pytest.raises(BadInput, match=reason):
        read_upload(contents, "mine.csv")
    patch, about, says, _ = take(contents)
    assert type(patch).__name__ == type(about).__name__ == "NoUpdate"
    assert says[0]["message"] and says[0]["remedy"]


def test_no_file_is_no_news():
    assert {type(each).__name__ for each in take(None)} == {"NoUpdate"}


def test_the_page_keeps_as_many_pairs_as_a_link_holds():
    few = keep_pairs(tuple(Pair(*GOOD) for _ in range(MOST_GIVEN + 12)))
    assert few == (GOOD,) * MOST_GIVEN
    assert "the last 12 of them are left out" in said(draw_file("a.csv", 212, len(few), ()))

    long = keep_pairs(tuple(Pair("é" * 400, *GOOD[1:]) for _ in range(MOST_GIVEN)))
    assert 0 < len(long) < MOST_GIVEN
    state = MARY.change(pairs="given", given_pairs=long)
    assert PageState.from_fragment(state.to_fragment()) == state


def test_a_file_with_many_bad_lines_is_not_a_wall():
    bad = tuple(BadPair(number, "no answer") for number in range(2, 80))
    text = said(draw_file("x" * 300, 1, 1, bad))
    assert "78 lines left out" in text and "and 28 more" in text
    assert "line 51 :" in text and "line 52" not in text
    assert "x" * 61 not in text


# The pairs


def test_the_pages_own_pair_is_described(bench):
    found = ask_pairs(bench, MARY)
    assert said(draw_line(found)) == (
        "1 usable pair , 15 tokens, 1 differing token; answer ␣Mary , distractor ␣John "
        "at position 14"
    )
    assert draw_refused(found) is None


def test_a_family_is_counted_and_explained(bench):
    found = ask_pairs(bench, MARY.change(pairs="facts", pair_count=7))
    assert said(draw_line(found)) == "7 usable pairs , 9 tokens each, 1 to 3 differing tokens"
    assert "Meng et al. 2022" in said(draw_pairs(found))
    assert len(find_all(draw_pairs(found), "Tr")) == 7 + 1


def test_at_most_ten_pairs_are_written_out(bench):
    found = ask_pairs(bench, MARY.change(pairs="induction", pair_count=30))
    assert len(found.pairs) == 30
    assert len(find_all(draw_pairs(found), "Tr")) == 10 + 1


def test_a_family_does_not_depend_on_the_prompt(bench):
    family = MARY.change(pairs="agreement")
    assert ask_pairs(bench, family) is ask_pairs(bench, family.change(counterfactual="", prompt=""))


def test_differing_tokens_are_marked_in_both_prompts(bench):
    shown = draw_pairs(ask_pairs(bench, MARY))
    marks = [(mark.children, mark.title) for mark in find_all(shown, "Mark")]
    assert marks == [("John", "␣John at 10"), ("Mary", "␣Mary at 10")]
    cells = ["".join(plain(cell)) for cell in find_all(shown, "Td")[:2]]
    assert cells == [MARY.prompt, MARY.counterfactual]


def plain(part) -> list[str]:
    """The text as it stands, blanks included."""
    if isinstance(part, str):
        return [part]
    children = part if isinstance(part, list) else part.children
    children = children if isinstance(children, list) else [children]
    return [text for child in children if child is not None for text in plain(child)]


def test_given_pairs_the_model_cannot_be_asked_are_told(bench):
    state = MARY.change(pairs="given", given_pairs=(GOOD, SHORT))
    found = ask_pairs(bench, state)
    assert said(draw_line(found)).startswith("1 usable pair , 15 tokens each")
    refused = said(draw_refused(found))
    assert "1 pair this model can't be asked" in refused
    assert "pair 2 : “When Mary and John" in refused
    assert "has 3 tokens, the prompt 15" in refused


@pytest.mark.parametrize(
    ("state", "reason", "remedy"),
    [
        (MARY.change(counterfactual=""), "No pair yet", "Type a counterfactual, press Build"),
        (MARY.change(pairs="given"), "No pairs of your own", "CSV or JSONL"),
        (MARY.change(pairs="given", given_pairs=(SHORT,)), "None of the 1 pairs", "same number"),
        (MARY.change(counterfactual=MARY.prompt), "are the same up to", "Change a word"),
    ],
)
def test_without_pairs_the_line_says_what_to_do(bench, state, reason, remedy):
    with pytest.raises(BadInput, match=reason) as caught:
        ask_pairs(bench, state)
    assert remedy in caught.value.remedy
    line, refused, shown, is_hidden = describe(bench, state)
    assert reason in said(line) and remedy in said(line)
    assert (refused, shown, is_hidden) == (None, None, True)


def test_pairs_are_described_only_where_they_are_seen(bench):
    assert {type(each).__name__ for each in describe(bench, MARY, "lens")} == {"NoUpdate"}
    line, refused, shown, is_hidden = describe(bench, MARY)
    assert said(line).startswith("1 usable pair") and shown is not None and not is_hidden


def test_while_the_model_is_loaded_the_line_says_so():
    bench = FakeWorkbench(embedded=("loading", ""))
    with pytest.raises(NotReady):
        ask_pairs(bench, MARY.change(pairs="facts"))
    line, *_, is_hidden = describe(bench, MARY.change(pairs="facts"))
    assert "loading the embedded model" in said(line) and is_hidden


def describe(bench, state: PageState, view: str = "circuit") -> tuple:
    app = Dash()
    panel.register(app, bench)
    return callback_named(app, "describe")(view, {}, {}, state.to_json())


def test_every_choice_is_one_the_page_can_hold():
    (menu,) = find_all(panel.layout(), "Dropdown")
    values = [option["value"] for option in menu.options]
    assert values[0] == PageState().pairs and values[-1] == "given"
    for value in values:
        PageState.from_json(MARY.to_json() | {"pairs": value})
    (count,) = [each for each in find_all(panel.layout(), "Input") if each.id == "pair-count"]
    for number in (count.min, count.max, count.value):
        PageState.from_json(MARY.to_json() | {"pair_count": number})
