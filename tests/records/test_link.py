"""Links: what was ever copied from the page opens as it was, and nothing broken gets in.

`links/version_N.json` hold links that were made by the page when it wrote that version, each with
the state it was made from. They are never made anew: a change that breaks one breaks people's.
"""

import base64
import json
import re
import time
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attention_viz.records.errors import BadInput
from attention_viz.records.page import PageState
from attention_viz.records.page.checks import LONGEST_TEXT
from tests.records.states import MARY, STATES, WORKED_ON
from tests.records.test_page import WRONG

LINKS = Path(__file__).parent / "links"
VERSION_1 = json.loads((LINKS / "version_1.json").read_text(encoding="utf-8"))
VERSION_2 = json.loads((LINKS / "version_2.json").read_text(encoding="utf-8"))

# Where the fields of version 1, a flat list, are now; the others are shared.
SETTINGS = ("scale", "threshold", "seed")
ELSEWHERE = {
    "look": "ablation.look",
    "maps": "attention.show",
    "maps_page": "attention.page",
    "maps_threshold": "attention.threshold",
    "focus": "attention.focus",
    "lens_show": "lens.show",
    **{name: f"settings.{name}" for name in SETTINGS},
}
IN_CIRCUIT = (
    "source pairs pair_count given_pairs method edge_kind cut edges mlps exact given_edges "
    "side_lens kept arranged pinned hidden names groups"
).split()
ELSEWHERE |= {name: f"circuit.{name}" for name in IN_CIRCUIT}


def pack(value: object, version: str = "v2") -> str:
    packed = zlib.compress(json.dumps(value).encode())
    return f"#{version}." + base64.urlsafe_b64encode(packed).decode().rstrip("=")


def by_section(flat: dict) -> dict:
    sections: dict = {}
    for name, value in flat.items():
        section, _, field = ELSEWHERE.get(name, f"shared.{name}").partition(".")
        sections.setdefault(section, {})[field] = value
    return sections


def named(links: list) -> dict:
    return {"argvalues": links, "ids": [each["name"] for each in links]}


# Links that are out in the world


@pytest.mark.parametrize("link", **named(VERSION_1))
def test_links_of_version_1_open_as_they_were(link):
    state = PageState.from_fragment(link["fragment"])
    assert state.to_sparse() == by_section(link["state"])


@pytest.mark.parametrize("link", **named(VERSION_2))
def test_links_of_version_2_open_as_they_were(link):
    state = PageState.from_fragment(link["fragment"])
    assert state.to_sparse() == link["state"]
    assert state == PageState.from_json(link["state"])


@pytest.mark.parametrize("link", **named(VERSION_1 + VERSION_2))
def test_a_link_opened_and_copied_again_is_of_this_version_and_says_the_same(link):
    state = PageState.from_fragment(link["fragment"])
    again = state.to_fragment()
    assert again.startswith("#v2.") and PageState.from_fragment(again) == state
    assert PageState.from_fragment(link["fragment"].removeprefix("#")) == state


def test_ten_links_of_each_version_are_kept_and_between_them_use_every_field():
    assert len(VERSION_1) >= 10 and len(VERSION_2) >= 10
    used = {f"{s}.{k}" for link in VERSION_2 for s, values in link["state"].items() for k in values}
    every = {f"{s}.{k}" for s, values in PageState().to_json().items() for k in values}
    # Fields added since are in links made since.
    assert used <= every and len(used) >= 45


@pytest.mark.parametrize("name", sorted(ELSEWHERE))
def test_every_field_of_version_1_that_moved_is_found(name):
    """One by one, so that none is dropped as unknown."""
    section, _, field = ELSEWHERE[name].partition(".")
    value = WORKED_ON.put("circuit", **_not_worked_on()).to_json()[section][field]
    if name in SETTINGS:
        value = 2
    state = PageState.from_fragment(pack({name: value}, "v1"))
    assert state.to_sparse() == {section: {field: value}}


def _not_worked_on() -> dict:
    return {
        "source": "scores",
        "pairs": "given",
        "pair_count": 3,
        "given_pairs": (("a b", "a c", " x", " y"),),
        "method": "eap",
        "edge_kind": "mean",
        "cut": "top",
        "mlps": False,
        "side_lens": "circuit",
    }


def test_shared_fields_of_version_1_stay_shared():
    flat = {k: v for k, v in MARY.change(position=3, answer=5).to_sparse()["shared"].items()}
    assert PageState.from_fragment(pack(flat, "v1")) == MARY.change(position=3, answer=5)
    assert PageState.from_fragment(pack({"of_the_past": 1}, "v1")) == PageState()


# Any state


@given(STATES)
def test_a_link_holds_the_whole_state(state):
    fragment = state.to_fragment()
    assert PageState.from_fragment(fragment) == state
    assert re.fullmatch(r"#v2\.[A-Za-z0-9_-]*", fragment)


def test_a_link_of_a_page_fits_into_an_address():
    assert len(WORKED_ON.to_fragment()) < 2000
    assert len(PageState().to_fragment()) < 20


# What is no link


@given(st.text(max_size=60))
def test_no_text_breaks_the_reader_of_links(text):
    for fragment in (text, f"#v1.{text}", f"#v2.{text}"):
        with pytest.raises(BadInput) as caught:
            PageState.from_fragment(fragment)
        assert caught.value.remedy


@given(st.binary(max_size=60))
def test_no_bytes_break_the_reader_of_links(data):
    for inside in (data, zlib.compress(data)):
        body = base64.urlsafe_b64encode(inside).decode().rstrip("=")
        with pytest.raises(BadInput, match="broken"):
            PageState.from_fragment(f"#v2.{body}")


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["shared", "circuit", "settings", "heads", "pinned", "x"]), inner
        )
    ),
    max_leaves=8,
)


@given(JSON, st.sampled_from(["v1", "v2"]))
def test_any_json_is_a_state_or_a_broken_link(value, version):
    try:
        state = PageState.from_fragment(pack(value, version))
    except BadInput as error:
        assert "broken" in error.message and len(error.message) < 300
        return
    assert PageState.from_fragment(state.to_fragment()) == state


@pytest.mark.parametrize(("section", "wrong"), WRONG, ids=lambda each: str(each)[:40])
def test_a_wrong_value_makes_the_link_broken(section, wrong):
    with pytest.raises(BadInput, match="broken"):
        PageState.from_fragment(pack({section: wrong}))


def test_a_link_of_another_version_says_so():
    for version in ("v0", "v3", "v22", "V2", ""):
        with pytest.raises(BadInput, match="version"):
            PageState.from_fragment(PageState().to_fragment().replace("v2", version))


def test_a_link_cut_off_is_broken():
    fragment = WORKED_ON.to_fragment()
    for end in range(4, len(fragment) - 1, 3):
        with pytest.raises(BadInput):
            PageState.from_fragment(fragment[:end])


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_link_that_unpacks_to_something_huge_is_refused(version):
    bomb = pack({"shared": {"prompt": "a" * 30_000_000}}, version)
    assert len(bomb) < LONGEST_TEXT
    start = time.perf_counter()
    with pytest.raises(BadInput, match="broken"):
        PageState.from_fragment(bomb)
    assert time.perf_counter() - start < 1  # it isn't unpacked


@pytest.mark.parametrize("depth", [200, 900, 40_000])
def test_a_link_nested_too_deep_is_broken(depth):
    deep = "[" * depth + "]" * depth
    for text in (deep, '{"shared": {"heads": %s}}' % deep, '{"circuit": {"groups": %s}}' % deep):  # noqa: UP031
        packed = base64.urlsafe_b64encode(zlib.compress(text.encode())).decode().rstrip("=")
        with pytest.raises(BadInput, match="broken"):
            PageState.from_fragment(f"#v2.{packed}")


def test_numbers_that_are_none_are_broken():
    for text in ('{"settings": {"scale": NaN}}', '{"circuit": {"smallest": Infinity}}'):
        packed = base64.urlsafe_b64encode(zlib.compress(text.encode())).decode()
        with pytest.raises(BadInput, match="broken"):
            PageState.from_fragment(f"#v2.{packed}")
