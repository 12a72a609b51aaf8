"""The prompt pairs of the circuit view: what a file gives, and what is said of the pairs."""

import base64
import json

import pytest

from attention_viz.panels.kit.acts import perform
from attention_viz.panels.kit.common import NotReady
from attention_viz.panels.views.circuit import pairs as panel
from attention_viz.panels.views.circuit.pair_file import draw_file, keep_pairs, read_upload
from attention_viz.panels.views.circuit.pairs import (
    ask_pairs,
    draw_line,
    draw_pairs,
    draw_refused,
)
from attention_viz.records.circuits.pairs import BadPair, Pair
from attention_viz.records.errors import BadInput
from attention_viz.records.page import PageState
from attention_viz.records.page.checks import MOST_GIVEN
from tests.panels.fakes import FakeWorkbench, said
from tests.panels.views import MARY, answer, by_id, find_all

GOOD = (MARY.prompt, MARY.counterfactual, " Mary", " John")
SHORT = (MARY.prompt, "Two words", " Mary", " John")
ONLY_SHORT = MARY.put("circuit", pairs="given", given_pairs=(SHORT,))
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


def take(contents: str | None, name: str = "mine.csv") -> dict:
    """What came of choosing a file."""
    return perform(None, panel.ACTS, MARY, "pairs-file", {"contents": contents, "name": name})


def test_a_file_becomes_the_pages_pairs_and_bad_lines_are_numbered():
    told = take(sent(CSV))
    assert told["changes"] == {"circuit.pairs": "given", "circuit.given_pairs": [list(GOOD)]}
    place = told["place"]
    assert place["id"] == "pairs-file" and by_id(panel.layout(), place["id"])
    assert "<b>mine.csv</b>: 1 pair read" in place["html"]
    assert "1 line left out" in place["html"]
    assert "<b>line 3</b>: no counterfactual" in place["html"]


def test_the_suffix_says_the_format():
    line = json.dumps(
        dict(zip(("clean", "counterfactual", "answer", "distractor"), GOOD, strict=True))
    )
    assert take(sent(line), "mine.jsonl")["changes"]["circuit.given_pairs"] == [list(GOOD)]


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
    told = take(contents)
    assert told.keys() == {"says"}
    assert told["says"][0]["message"] and told["says"][0]["remedy"]


def test_the_page_keeps_as_many_pairs_as_a_link_holds():
    few = keep_pairs(tuple(Pair(*GOOD) for _ in range(MOST_GIVEN + 12)))
    assert few == (GOOD,) * MOST_GIVEN
    assert "the last 12 of them are left out" in said(draw_file("a.csv", 212, len(few), ()))

    long = keep_pairs(tuple(Pair("é" * 400, *GOOD[1:]) for _ in range(MOST_GIVEN)))
    assert 0 < len(long) < MOST_GIVEN
    state = MARY.put("circuit", pairs="given", given_pairs=long)
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
    found = ask_pairs(bench, MARY.put("circuit", pairs="facts", pair_count=7))
    assert said(draw_line(found)) == "7 usable pairs , 9 tokens each, 1 to 3 differing tokens"
    assert "Meng et al. 2022" in said(draw_pairs(found))
    assert len(find_all(draw_pairs(found), "Tr")) == 7 + 1


def test_at_most_ten_pairs_are_written_out(bench):
    found = ask_pairs(bench, MARY.put("circuit", pairs="induction", pair_count=30))
    assert len(found.pairs) == 30
    assert len(find_all(draw_pairs(found), "Tr")) == 10 + 1


def test_a_family_does_not_depend_on_the_prompt(bench):
    family = MARY.put("circuit", pairs="agreement")
    assert ask_pairs(bench, family) is ask_pairs(bench, family.change(counterfactual="", prompt=""))


def test_differing_tokens_are_marked_in_both_prompts(bench):
    shown = draw_pairs(ask_pairs(bench, MARY))
    marks = [(mark.children, mark.props["title"]) for mark in find_all(shown, "Mark")]
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
    state = MARY.put("circuit", pairs="given", given_pairs=(GOOD, SHORT))
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
        (MARY.put("circuit", pairs="given"), "No pairs of your own", "CSV or JSONL"),
        (
            MARY.put("circuit", pairs="given", given_pairs=(SHORT,)),
            "None of the 1 pairs",
            "same number",
        ),
        (MARY.change(counterfactual=MARY.prompt), "are the same up to", "Change a word"),
    ],
)
def test_without_pairs_the_line_says_what_to_do(bench, state, reason, remedy):
    with pytest.raises(BadInput, match=reason) as caught:
        ask_pairs(bench, state)
    assert remedy in caught.value.remedy
    line = answer(panel, "pairs-line", bench, state)["html"]
    assert reason in line and remedy in line
    assert answer(panel, "pairs-refused", bench, state)["html"] == ""


def test_pairs_do_not_depend_on_what_is_made_of_them(bench):
    for part in panel.PARTS:
        reads = answer(panel, part.name, bench, MARY)["reads"]
        assert not {"circuit.edges", "circuit.method", "circuit.edge_kind"} & set(reads)


def test_while_the_model_is_loaded_the_line_says_so():
    bench = FakeWorkbench(embedded=("loading", ""))
    with pytest.raises(NotReady):
        ask_pairs(bench, MARY.put("circuit", pairs="facts"))
    told = answer(panel, "pairs-line", bench, MARY.put("circuit", pairs="facts"))
    assert "loading the embedded model" in told["html"] and told["waits"]


def test_every_choice_is_one_the_page_can_hold():
    menu = by_id(panel.layout(), "pairs")
    values = [option.props["value"] for option in find_all(menu, "Option")]
    assert values[0] == PageState().circuit.pairs and values[-1] == "given"
    count = by_id(panel.layout(), "pair-count")
    for field, options in (
        ("pairs", values),
        ("pair_count", (count.props["min"], count.props["max"])),
    ):
        for value in options:
            PageState.from_json(MARY.put("circuit", **{field: value}).to_json())
    assert count.props["data-late"]  # each number on the way would be measured
