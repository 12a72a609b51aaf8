"""The skeletons: every control stands for a field, every act and part has its other end."""

import json
from html.parser import HTMLParser

import pytest

from attention_viz.panels.frame import help, shell, traffic
from attention_viz.panels.kit import html
from attention_viz.panels.kit.controls import (
    menu,
    number_box,
    segments,
    shown_if,
    slider,
    steps,
    switch,
    told,
)
from attention_viz.panels.kit.html import to_html
from attention_viz.panels.views import room
from attention_viz.records.page import VIEWS, PageState
from tests.panels.views import find_all


class Elements(HTMLParser):
    """All elements of some markup: (tag, attributes)."""

    def __init__(self, markup: str):
        super().__init__()
        self.found: list[tuple[str, dict]] = []
        self.feed(markup)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def having(self, name: str) -> list[str]:
        return [attributes[name] for _, attributes in self.found if name in attributes]


FIELDS = {f"{s}.{name}" for s, fields in PageState().to_json().items() for name in fields}
NAMES = ["frame", *(view.name for view in VIEWS)]


@pytest.fixture(scope="module")
def skeletons() -> dict[str, Elements]:
    views = {view.name: Elements(to_html(room(view).layout())) for view in VIEWS}
    return {"frame": Elements(to_html(shell._frame("logo.svg")))} | views


@pytest.mark.parametrize("name", NAMES)
def test_every_address_is_a_field_of_the_page(skeletons, name):
    skeleton = skeletons[name]
    used = set(skeleton.having("data-field")) | set(skeleton.having("data-told"))
    used |= {json.loads(text)[0] for text in skeleton.having("data-shown-if")}
    used |= {address for text in skeleton.having("data-change") for address in json.loads(text)}
    assert used <= FIELDS
    combos = {a for a in skeleton.having("data-combo") if not a.startswith("local.")}
    assert combos <= FIELDS


@pytest.mark.parametrize("name", NAMES)
def test_what_a_control_offers_is_what_its_field_takes(skeletons, name):
    """Radio buttons, conditions and buttons name values that the page's own checks pass."""
    offered = []
    for tag, attributes in skeletons[name].found:
        if tag == "input" and attributes.get("type") == "radio":
            offered.append((attributes["data-field"], attributes["value"]))
        if "data-shown-if" in attributes:
            address, values = json.loads(attributes["data-shown-if"])
            assert isinstance(values, list) and values
            offered += [(address, value) for value in values]
        if "data-change" in attributes:
            offered += json.loads(attributes["data-change"]).items()
        if attributes.get("type") in ("range", "number") and "data-values" not in attributes:
            number = {"1": int}.get(attributes["step"], float)
            ends = (attributes["min"], attributes["max"])
            offered += [(attributes["data-field"], number(float(end))) for end in ends]
        if "data-values" in attributes:
            values = json.loads(attributes["data-values"])
            assert len(values) == int(attributes["max"]) + 1
            offered += [(attributes["data-field"], value) for value in values]
    for address, value in offered:
        section, _, field = address.partition(".")
        PageState.from_json({section: {field: value}})


@pytest.mark.parametrize("name", NAMES)
def test_the_lines_of_a_menu_are_what_its_field_takes(skeletons, name):
    address, is_number = None, False
    for tag, attributes in skeletons[name].found:
        if tag == "select":
            address, is_number = attributes.get("data-field"), "data-number" in attributes
        elif tag == "option" and address:
            section, _, field = address.partition(".")
            value = attributes["value"]
            PageState.from_json({section: {field: int(value) if is_number else value}})


def test_every_part_has_one_place_and_every_place_a_part(skeletons):
    places = [name for skeleton in skeletons.values() for name in skeleton.having("data-part")]
    assert sorted(places) == sorted(set(places))
    assert set(places) == set(traffic.parts_of())


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_the_parts_of_a_view_are_in_its_own_skeleton(skeletons, view):
    own = {part.name for part in room(view).PARTS}
    assert set(skeletons[view.name].having("data-part")) == own
    frame = set(traffic.parts_of([]))
    assert set(skeletons["frame"].having("data-part")) == frame and not frame & own


def test_no_two_parts_or_acts_share_a_name():
    modules = [*traffic.FRAME, *traffic.RAIL, *map(room, VIEWS)]
    for what in ("PARTS", "ACTS"):
        named = [n for m in modules for n in getattr(m, what, ())]
        names = [getattr(each, "name", each) for each in named]
        assert sorted(names) == sorted(set(names))


def test_places_are_named_by_their_ids(skeletons):
    for skeleton in skeletons.values():
        for _, attributes in skeleton.found:
            if "data-part" in attributes:
                assert attributes["data-part"] == attributes["id"]


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_no_two_elements_share_an_id(skeletons, view):
    both = skeletons["frame"].having("id") + skeletons[view.name].having("id")
    both += Elements(to_html(help.layout())).having("id")
    # What is drawn into them later brings names of its own; parts are tested for that on a page.
    assert sorted(both) == sorted(set(both))


@pytest.mark.parametrize("name", NAMES)
def test_every_act_asked_for_is_there(skeletons, name):
    skeleton, acts = skeletons[name], traffic.acts_of()
    asked = [
        *skeleton.having("data-act"),
        *skeleton.having("data-act-value"),
        *skeleton.having("data-act-typed"),
        *skeleton.having("data-act-file"),
    ]
    assert set(asked) <= set(acts)
    for text in skeleton.having("data-payload"):
        assert isinstance(json.loads(text), dict)


@pytest.mark.parametrize("name", NAMES)
def test_labels_point_at_something_on_the_page(skeletons, name):
    """At an element of the skeleton, or at one that a part draws: named with its place's name."""
    ids = set(skeletons[name].having("id")) | set(skeletons["frame"].having("id"))
    drawn = set(traffic.parts_of())
    for target in skeletons[name].having("for"):
        assert target in ids or any(target.startswith(p.removesuffix("-box")) for p in drawn), (
            target
        )


@pytest.mark.parametrize("name", NAMES)
def test_boxes_that_are_sent_along_are_there(skeletons, name):
    ids = set(skeletons["frame"].having("id")) | set(skeletons[name].having("id"))
    boxes = {box for text in skeletons[name].having("data-with") for box in text.split()}
    assert boxes <= ids


@pytest.mark.parametrize("name", NAMES)
def test_every_button_of_a_skeleton_has_a_name_and_is_no_submit(skeletons, name):
    for tag, attributes in skeletons[name].found:
        if tag == "button":
            assert attributes.get("type") == "button"
        if tag == "img":
            assert "alt" in attributes


# The controls themselves


def test_segments_are_one_group_of_radio_buttons():
    choices = segments("lens.show", {"clean": "clean", "ablated": "with <heads>"}, "Which run")
    radios = find_all(choices, "input")
    assert [radio.props["value"] for radio in radios] == ["clean", "ablated"]
    assert {radio.props["name"] for radio in radios} == {"lens-show"}
    assert {radio.props["data-field"] for radio in radios} == {"lens.show"}
    assert choices.props["role"] == "radiogroup" and choices.props["aria-label"] == "Which run"
    assert "with &lt;heads&gt;" in to_html(choices)


def test_menus_of_numbers_say_so():
    numbers = menu("circuit.edges", {10: "ten", 20: "twenty"})
    assert numbers.props["data-number"] is True
    words = menu("shared.metric", {"kl": "KL"}, className="small", id="metric")
    assert "data-number" not in words.props and words.props["className"] == "form-select small"
    own = menu("shared.strategy", [html.Option("x", value="greedy", title="about")])
    assert 'title="about"' in to_html(own)


def test_numbers_have_their_ends_and_their_steps():
    for make in (slider, number_box):
        props = make("settings.scale", -1, 2, 0.05).props
        assert (props["min"], props["max"], props["step"]) == (-1, 2, 0.05)
        assert props["data-field"] == "settings.scale" and props["data-number"] is True
        assert props["id"] == "settings-scale"
    assert slider("a.b", 0, 1, 1, live=False).props["data-late"] is True
    assert "data-late" not in slider("a.b", 0, 1, 1).props


def test_a_slider_over_a_list_knows_the_list():
    props = steps("circuit.edges", [5, 10, 50], id="few").props
    assert (props["min"], props["max"], props["step"], props["id"]) == (0, 2, 1, "few")
    assert json.loads(props["data-values"]) == [5, 10, 50]


def test_a_switch_and_what_depends_on_it():
    (box,) = find_all(switch("circuit.mlps", "MLPs"), "input")
    assert box.props["type"] == "checkbox" and box.props["data-field"] == "circuit.mlps"
    shown = html.P("x", **shown_if("circuit.mlps", True))
    ((_, attributes),) = Elements(to_html(shown)).found
    assert json.loads(attributes["data-shown-if"]) == ["circuit.mlps", [True]]
    assert "hidden" in attributes  # until the browser says otherwise


def test_a_value_told_says_how():
    assert told("settings.scale", 2).props["data-digits"] == "2"
    assert told("circuit.smallest", percent=True).props["data-digits"] == "percent"
    assert told("circuit.edges").props["data-digits"] == ""
