"""The page's state: what it holds survives the browser and back, and nothing else gets in."""

import json
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attention_viz.panels.frame.examples import EXAMPLES, example_state
from attention_viz.records.ablation import SETTINGS, AblationKind
from attention_viz.records.errors import BadInput
from attention_viz.records.ids import HeadId, parse_heads
from attention_viz.records.page import VIEWS, PageState
from attention_viz.records.tokens import Token, Tokens, show, unshow
from tests.records.states import HEADS, MARY, STATES, WORKED_ON


@given(STATES)
def test_a_browser_holds_the_whole_state(state):
    assert PageState.from_json(json.loads(json.dumps(state.to_json()))) == state


@given(STATES)
def test_what_equals_the_default_is_left_out_and_comes_back(state):
    sparse = state.to_sparse()
    assert PageState.from_json(sparse) == state
    default = PageState().to_json()
    assert all(v != default[s][k] for s, values in sparse.items() for k, v in values.items())
    assert PageState().to_sparse() == {}


@given(STATES)
def test_a_state_asks_with_records_that_can_be_kept(state):
    asked = (state.question, state.intervention, state.head_ids, state.pairs_request)
    assert hash(asked) is not None


def test_every_field_has_a_section_and_every_view_one_of_its_own():
    sections = PageState().to_json()
    assert list(sections) == ["shared", "settings", *(view.name for view in VIEWS)]
    assert set(sections["settings"]) == set(SETTINGS)
    for view in VIEWS:
        assert set(sections[view.name]) == set(view.state.__dataclass_fields__)
        assert getattr(PageState(), view.name) == view.state()
    with pytest.raises(AttributeError):
        _ = PageState().nothing


def test_every_field_is_held_against_a_check():
    for record in (PageState, *(view.state for view in VIEWS)):
        unchecked = [each.name for each in fields(record) if "claim" not in each.metadata]
        assert unchecked == (["views"] if record is PageState else [])


WRONG = [
    ("shared", {"kind": "noise"}),
    ("shared", {"view": "settings"}),
    ("shared", {"heads": ["9-6"]}),
    ("shared", {"heads": "L0H0"}),
    ("shared", {"heads": [3]}),
    ("shared", {"heads": [["L0H0"]]}),
    ("shared", {"prompt": 3}),
    ("shared", {"prompt": "\ud800"}),  # half a character
    ("shared", {"prompt": "a" * 100_001}),
    ("shared", {"position": 1.5}),
    ("shared", {"position": True}),
    ("shared", {"position": None}),
    ("shared", {"position": 10**12}),
    ("shared", {"answer": -1}),
    ("shared", {"max_heads": 0}),
    ("shared", {"bos": "yes"}),
    ("shared", {"strategy": "luck"}),
    ("shared", {"theme": None}),
    ("settings", {"seed": -1}),
    ("settings", {"seed": 1.5}),
    ("settings", {"scale": "1"}),
    ("settings", {"scale": True}),
    ("settings", {"scale": float("nan")}),
    ("settings", {"threshold": -1}),
    ("attention", {"focus": [1]}),
    ("attention", {"focus": [1, -1]}),
    ("attention", {"focus": [1, True]}),
    ("attention", {"threshold": 2}),
    ("attention", {"threshold": float("nan")}),
    ("attention", {"show": "both"}),
    ("ablation", {"look": "away"}),
    ("lens", {"show": "difference"}),
    ("circuit", {"source": "guess"}),
    ("circuit", {"pairs": "no family"}),
    ("circuit", {"edges": 0}),
    ("circuit", {"mlps": 1}),
    ("circuit", {"exact": ["L0H1"]}),
    ("circuit", {"given_edges": ["L9H9->L0H1.Q.Q"]}),
    ("circuit", {"given_pairs": [["a", "b", "c"]]}),
    ("circuit", {"pinned": [["L0H1", 1, float("inf")]]}),
    ("circuit", {"pinned": [["L0H1", 1, 1e9]]}),
    ("circuit", {"names": [["L0H1"]]}),
    ("circuit", {"groups": [["a", "b"]]}),
    ("circuit", {"hidden": [str(n) for n in range(201)]}),
    ("circuit", {"edge_kind": "permute"}),
    ("circuit", {"points": "middle"}),
    ("circuit", {"input_part": "position"}),
    ("circuit", {"mean_over": "token"}),
    ("circuit", {"cut": "MIB"}),
]


@pytest.mark.parametrize(("section", "wrong"), WRONG, ids=lambda each: str(each)[:40])
def test_a_wrong_value_is_refused(section, wrong):
    with pytest.raises(BadInput):
        PageState.from_json({section: wrong})


@pytest.mark.parametrize("value", [[], 3, None, "text", True])
def test_a_state_that_is_no_object_is_refused(value):
    for given_ in (value, {"shared": value}, {"from_the_future": value}):
        with pytest.raises(BadInput, match="not an object"):
            PageState.from_json(given_)


def test_lists_nested_too_deep_are_refused():
    deep = []
    for _ in range(5000):
        deep = [deep]
    for section, name in (("shared", "heads"), ("circuit", "groups"), ("attention", "focus")):
        with pytest.raises(BadInput):
            PageState.from_json({section: {name: deep}})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
ADDRESSES = [(s, name) for s, values in PageState().to_json().items() for name in values]


@given(st.sampled_from(ADDRESSES), JSON)
def test_any_value_of_any_field_is_taken_whole_or_refused(address, value):
    section, name = address
    try:
        state = PageState.from_json({section: {name: value}})
    except BadInput as error:
        assert error.message and error.remedy
        return
    assert PageState.from_json(state.to_json()) == state
    assert hash(state) is not None


def test_fields_and_views_of_a_later_page_are_left_out():
    later = {"shared": {"view": "lens", "from_the_future": 1}, "dreams": {"a": 1}}
    assert PageState.from_json(later) == PageState(view="lens")


def test_settings_are_changed_by_their_names_and_used_by_their_kind_only():
    state = PageState().change(scale=0.5, threshold=2.0, kind="scale")
    assert (state.setting("scale"), state.setting("threshold")) == (0.5, 2.0)
    assert state.intervention.settings == {"scale": 0.5}
    assert state.intervention.threshold == SETTINGS["threshold"].default
    assert state.change(kind="sparsify").intervention.label == "sparsify |z| < 2"
    assert state.change(kind="zero").intervention == PageState().intervention
    for kind in AblationKind:
        assert state.change(kind=kind.value).intervention.kind is kind


def test_one_view_is_changed_and_no_other():
    state = MARY.put("attention", threshold=0.5)
    assert state.attention.threshold == 0.5
    assert (state.circuit, state.lens, state.prompt) == (MARY.circuit, MARY.lens, MARY.prompt)


def test_the_token_to_flip_to_stands_in_for_a_distractor():
    assert MARY.change(flip_to=3).question.distractor == 3
    assert MARY.change(flip_to=3, distractor=4).question.distractor == 4
    assert MARY.question.distractor is None
    assert MARY.change(counterfactual="").question.counterfactual is None


# What is let go with the prompt or the model it was about

ONE_CIRCUITS = ("names", "hidden", "pinned", "groups", "exact", "given_edges", "shape")


def left(state: PageState) -> dict:
    return {name: getattr(state.circuit, name) for name in ONE_CIRCUITS}


NOTHING = left(PageState())
ALL = left(WORKED_ON)


def test_the_page_worked_on_has_something_of_everything():
    assert all(ALL[name] != NOTHING[name] for name in ONE_CIRCUITS)


def test_another_prompt_lets_go_of_what_was_about_the_old_one():
    for other in (
        WORKED_ON.with_prompt("Another prompt", WORKED_ON.counterfactual),
        WORKED_ON.with_prompt("Another prompt", ""),
        example_state(EXAMPLES[1], WORKED_ON),
    ):
        assert left(other) == NOTHING
        assert (other.position, other.attention.focus, other.attention.page) == (-1, None, 0)
        # What was chosen rather than found out stays.
        assert other.circuit.edges == 30 and other.circuit.arranged == "tokens"
        assert other.attention.show == "difference" and other.lens.show == "ablated"
        assert (other.kind, other.setting("scale"), other.theme) == ("scale", 0.5, "dark")
        assert other.circuit.kept == WORKED_ON.circuit.kept


def test_heads_stay_with_another_prompt_but_not_with_an_example():
    assert WORKED_ON.with_prompt("Another prompt", "").heads == WORKED_ON.heads
    fresh = example_state(EXAMPLES[1], WORKED_ON)
    assert fresh.heads == () and (fresh.answer, fresh.distractor, fresh.flip_to) == (None,) * 3


def test_another_counterfactual_keeps_the_read_out_and_lets_go_of_the_nodes():
    other = WORKED_ON.with_prompt(WORKED_ON.prompt, "Another counterfactual")
    assert other.position == WORKED_ON.position and left(other) == NOTHING


def test_the_same_prompt_again_changes_nothing():
    assert WORKED_ON.with_prompt(WORKED_ON.prompt, WORKED_ON.counterfactual) == WORKED_ON


@pytest.mark.parametrize("pairs", ["given", "indirect object"])
@pytest.mark.parametrize("source", ["scores", "given"])
def test_a_circuit_of_pairs_of_its_own_stays_when_the_prompt_changes(pairs, source):
    own = WORKED_ON.put("circuit", pairs=pairs, source=source)
    assert left(own.with_prompt("Another prompt", "")) == ALL
    assert left(example_state(EXAMPLES[1], own)) == ALL
    assert own.with_prompt("Another prompt", "").attention.focus is None
    assert left(own.with_model("other")) == NOTHING


def test_heads_chosen_are_of_the_prompt_whatever_pairs_are_named():
    unused = WORKED_ON.put("circuit", pairs="given", source="heads")
    assert left(unused.with_prompt("Another prompt", "")) == NOTHING


def test_another_model_lets_go_of_heads_tokens_and_nodes_and_keeps_the_prompt():
    other = WORKED_ON.with_model("other")
    assert (other.model, other.prompt) == ("other", WORKED_ON.prompt)
    assert other.counterfactual == WORKED_ON.counterfactual
    assert (other.heads, other.answer, other.distractor, other.flip_to) == ((), None, None, None)
    assert (other.position, other.attention.focus, other.attention.page) == (-1, None, 0)
    assert left(other) == NOTHING
    assert (other.kind, other.circuit.edges, other.view) == ("scale", 30, WORKED_ON.view)


def test_views_say_themselves_what_they_let_go_of():
    circuit, attention = WORKED_ON.circuit, WORKED_ON.attention
    assert circuit.when_prompt_changes() == WORKED_ON.with_prompt("x", "").circuit
    assert circuit.when_model_changes() == WORKED_ON.with_model("x").circuit
    assert attention.when_prompt_changes() == WORKED_ON.with_prompt("x", "").attention
    for record in (WORKED_ON.lens, WORKED_ON.ablation):
        assert record.when_prompt_changes() == record.when_model_changes() == record
    drawn = circuit.without_drawing()
    assert drawn.exact == circuit.exact and not (drawn.pinned or drawn.names or drawn.groups)


# Ids and tokens


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
