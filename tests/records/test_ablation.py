"""What the kinds of ablation say of themselves: one record each, and nothing left unsaid."""

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attention_viz.records.ablation import KINDS, SETTINGS, Ablation, AblationKind
from attention_viz.records.circuits.attribution import EDGE_ABLATIONS
from attention_viz.records.page import PageState
from tests.builders import ALL_ABLATIONS, settings_of

KIND = pytest.mark.parametrize("kind", list(AblationKind))
SETTING = pytest.mark.parametrize("setting", SETTINGS.values(), ids=lambda each: each.name)
ABLATION = pytest.mark.parametrize("ablation", ALL_ABLATIONS, ids=lambda each: each.label)


def test_every_kind_has_its_record():
    assert set(KINDS) == set(AblationKind)


@KIND
def test_a_kind_says_what_it_does(kind):
    assert kind.about.strip() and kind.short.strip().endswith(".")
    assert kind.about != kind.short


@KIND
def test_every_setting_is_a_field_of_the_ablation_with_the_same_default(kind):
    known = {field.name: field.default for field in fields(Ablation)}
    for setting in kind.settings:
        assert known[setting.name] == setting.default
        assert SETTINGS[setting.name] == setting, "two kinds call different settings alike"


def test_every_field_of_the_ablation_is_declared():
    declared = {"kind", "positions", "references", *SETTINGS}
    assert {field.name for field in fields(Ablation)} == declared


@SETTING
def test_a_setting_holds_its_range_and_nothing_else(setting):
    assert all(setting.holds(value) for value in settings_of(setting))
    below, above = setting.least - setting.step, setting.most + setting.step
    for wrong in (below, above, float("nan"), float("inf"), True, None, str(setting.default)):
        assert not setting.holds(wrong)
    assert setting.holds(setting.default + 0.5) is not setting.is_whole
    assert setting.step > 0 and setting.label.strip() and setting.about.strip()
    if setting.slider is not None:
        left, right = setting.slider
        assert setting.least <= left < right <= setting.most and left <= setting.default <= right


def test_no_two_ablations_are_labelled_alike():
    labels = [ablation.label for ablation in ALL_ABLATIONS]
    assert len(set(labels)) == len(labels)
    assert all(each.label.startswith(each.kind.value) for each in ALL_ABLATIONS)


@SETTING
@given(data=st.data())
def test_no_two_values_are_told_alike(setting, data):
    values = st.integers if setting.is_whole else st.floats
    one, other = (data.draw(values(setting.least, setting.most)) for _ in range(2))
    assert (setting.tell(one) == setting.tell(other)) == (one == other)


@pytest.mark.parametrize(
    ("ablation", "label"),
    [
        (Ablation(), "zero"),
        (Ablation(AblationKind.SCALE, scale=0.5), "scale 0.5"),
        (Ablation(AblationKind.SPARSIFY, threshold=0.1234567), "sparsify |z| < 0.1234567"),
        (Ablation(AblationKind.PERMUTE, seed=4294967295), "permute seed 4294967295"),
    ],
)
def test_labels_are_short(ablation, label):
    assert ablation.label == label


@KIND
def test_what_does_the_same_is_equal(kind):
    """Whatever the settings of other kinds are."""
    others = {name: s.most for name, s in SETTINGS.items() if s not in kind.settings}
    assert Ablation.of(kind, others) == Ablation(kind)
    assert set(Ablation.of(kind, others).settings) == {setting.name for setting in kind.settings}


def test_one_of_each_kind_is_compared_with_its_settings():
    most = {name: setting.most for name, setting in SETTINGS.items()}
    found = Ablation.of_each_kind(most, positions=(3,))
    assert {each.kind for each in found} == set(AblationKind) - {AblationKind.SCALE}
    for each in found:
        assert each == Ablation.of(each.kind, most, positions=(3,))


def test_kinds_of_edges_take_no_setting():
    """An edge's replacement is named by its kind alone."""
    assert not any(kind.settings for kind in EDGE_ABLATIONS)


@ABLATION
def test_a_link_keeps_the_ablation(ablation):
    state = PageState().change(kind=ablation.kind.value, **ablation.settings)
    assert state.intervention == ablation
    assert PageState.from_fragment(state.to_fragment()).intervention == ablation
    assert PageState.from_json(state.to_json()).intervention == ablation
