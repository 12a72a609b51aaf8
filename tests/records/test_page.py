"""The page's state: what it holds survives a link and a store, and nothing else gets in."""

import base64
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attention_viz.records.ablation import AblationKind
from attention_viz.records.errors import BadInput
from attention_viz.records.ids import HeadId, parse_heads
from attention_viz.records.metrics import Metric
from attention_viz.records.page import VIEWS, PageState
from attention_viz.records.search import Objective
from attention_viz.records.tokens import Token, Tokens, show, unshow

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)  # no half characters
IDS = st.none() | st.integers(0, 60_000)
HEADS = st.builds(HeadId, st.integers(0, 99), st.integers(0, 99))
NUMBERS = st.floats(-10, 10)

STATES = st.builds(
    PageState,
    model=TEXTS,
    prompt=TEXTS,
    counterfactual=TEXTS,
    bos=st.sampled_from([None, True, False]),
    position=st.integers(-500, 500),
    answer=IDS,
    distractor=IDS,
    flip_to=IDS,
    heads=st.lists(HEADS.map(str), max_size=10).map(tuple),
    kind=st.sampled_from([kind.value for kind in AblationKind]),
    scale=NUMBERS,
    threshold=NUMBERS.map(abs),
    seed=st.integers(0, 2**32 - 1),
    metric=st.sampled_from([metric.value for metric in Metric]),
    objective=st.sampled_from([objective.value for objective in Objective]),
    max_heads=st.integers(1, 64),
    view=st.sampled_from(VIEWS),
    maps=st.sampled_from(["clean", "ablated", "difference"]),
    maps_page=st.integers(0, 10_000),
    maps_threshold=st.floats(0, 1),
    focus=st.none() | st.tuples(st.integers(0, 500), st.integers(0, 500)),
    lens_show=st.sampled_from(["clean", "ablated"]),
    theme=st.sampled_from(["light", "dark"]),
)


def pack(value) -> str:
    packed = zlib.compress(json.dumps(value).encode())
    return "#v1." + base64.urlsafe_b64encode(packed).decode().rstrip("=")


@given(STATES)
def test_a_link_holds_the_whole_state(state):
    assert PageState.from_fragment(state.to_fragment()) == state


@given(STATES)
def test_a_store_holds_the_whole_state(state):
    assert PageState.from_json(json.loads(json.dumps(state.to_json()))) == state


@given(STATES)
def test_a_state_asks_with_records_that_can_be_kept(state):
    assert hash((state.question, state.ablation, state.head_ids)) is not None


@given(st.text(max_size=60))
def test_no_text_breaks_the_reader_of_links(text):
    for fragment in (text, f"#v1.{text}"):
        with pytest.raises(BadInput):
            PageState.from_fragment(fragment)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "noise"},
        {"view": "settings"},
        {"heads": ["9-6"]},
        {"heads": "L0H0"},
        {"heads": [3]},
        {"prompt": 3},
        {"position": 1.5},
        {"position": True},
        {"answer": -1},
        {"seed": -1},
        {"scale": "1"},
        {"threshold": -1},
        {"max_heads": 0},
        {"focus": [1]},
        {"focus": [1, -1]},
        {"bos": "yes"},
    ],
    ids=str,
)
def test_a_wrong_value_is_refused_in_a_link_and_in_a_store(wrong):
    with pytest.raises(BadInput):
        PageState.from_json(wrong)
    with pytest.raises(BadInput, match="broken"):
        PageState.from_fragment(pack(wrong))


@pytest.mark.parametrize("value", [[], 3, None, "text"])
def test_a_state_that_is_no_object_is_refused(value):
    with pytest.raises(BadInput):
        PageState.from_json(value)


def test_fields_of_a_later_page_are_left_out():
    assert PageState.from_json({"view": "lens", "from_the_future": 1}) == PageState(view="lens")


def test_a_link_of_another_version_says_so():
    with pytest.raises(BadInput, match="version"):
        PageState.from_fragment(PageState().to_fragment().replace("#v1.", "#v2."))


def test_a_link_cut_off_is_broken():
    fragment = PageState(prompt="When Mary and John went to the store").to_fragment()
    for end in range(4, len(fragment) - 1):
        with pytest.raises(BadInput):
            PageState.from_fragment(fragment[:end])


def test_a_link_that_unpacks_to_something_huge_is_refused():
    with pytest.raises(BadInput, match="broken"):
        PageState.from_fragment(pack({"prompt": "a" * 10_000_000}))


@given(HEADS)
def test_a_head_is_read_as_it_is_written(head):
    assert HeadId.parse(str(head)) == HeadId.parse(str(head).lower()) == head


@given(st.lists(HEADS, max_size=6))
def test_a_list_of_heads_is_read_in_order_each_once(heads):
    assert parse_heads(", ".join(map(str, heads))) == tuple(dict.fromkeys(heads))


@pytest.mark.parametrize("text", ["", "9-6", "L9", "H6", "L9H6H7", "L-1H0", "L9 H6"])
def test_what_is_no_head_is_refused(text):
    with pytest.raises(BadInput, match="L9H6"):
        HeadId.parse(text)


def test_blanks_are_made_visible_and_back():
    assert show(" a\n\tb") == "␣a⏎⇥b"
    assert unshow(show(" a\n\tb\r")) == " a\n\tb\r"


def test_labels_of_tokens_are_unique():
    tokens = Tokens((Token(1, " to"), Token(2, " the"), Token(1, " to")), bos=False)
    assert tokens.labels == ("␣to", "␣the", "␣to_2")
