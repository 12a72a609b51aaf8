"""Rows of the one-pass engine: every candidate's heads are ablated on its own way up."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from attention_viz.analysis.staircase import CLEAN, build, costs_of, in_order
from attention_viz.records.ids import HeadId

LAYERS, HEADS = 4, 3
ALL = [HeadId(layer, head) for layer in range(LAYERS) for head in range(HEADS)]
candidates = st.lists(
    st.tuples(st.sampled_from(["zero", "mean"]), st.lists(st.sampled_from(ALL), unique=True)),
    max_size=20,
)


def climb(given_) -> list[set]:
    """What was done on each candidate's row at the top, by copying rows as the plan says."""
    stairs = build(given_)
    rows: list[set] = []
    for layer in range(LAYERS):
        new = stairs.joins.get(layer, [])
        rows += [set() if source == CLEAN else set(rows[source]) for source in new]
        for row, head, index in stairs.edited.get(layer, []):
            rows[row].add((given_[index][0], HeadId(layer, head)))
    assert len(rows) == stairs.rows
    return [set() if row == CLEAN else rows[row] for row in stairs.ends]


@given(candidates)
def test_every_candidate_has_its_own_heads_ablated_and_no_others(given_):
    assert climb(given_) == [{(done, head) for head in heads} for done, heads in given_]


@given(candidates)
def test_what_is_the_same_is_run_once(given_):
    stairs = build(given_)
    different = {(done, frozenset(heads)) for done, heads in given_ if heads}
    assert stairs.rows == len(different)
    for layer in range(LAYERS):  # a row for every different beginning
        beginnings = {(d, frozenset(h for h in hs if h.layer <= layer)) for d, hs in given_}
        rows = sum(len(new) for at, new in stairs.joins.items() if at <= layer)
        assert rows == len({each for each in beginnings if each[1]})


@given(candidates)
def test_side_by_side_costs_are_those_of_the_rows(given_):
    order = in_order(given_, range(len(given_)), LAYERS)
    assert sorted(order) == list(range(len(given_)))
    costs = costs_of(given_, order, LAYERS)
    assert all(1 <= cost <= LAYERS + 1 for cost in costs)
    lowest = [min((h.layer for h in given_[i][1]), default=LAYERS) for i in order]
    assert lowest == sorted(lowest)


def test_pairs_of_a_head_share_it_up_to_the_other():
    """A pair costs what its upper head costs; before, it cost what its lower one does."""
    pairs = [("zero", pair) for pair in combinations(ALL, 2)]
    order = in_order(pairs, range(len(pairs)), LAYERS)
    blocks = sum(cost - 1 for cost in costs_of(pairs, order, LAYERS))
    stairs = build(pairs)
    passed = sum(len(new) * (LAYERS - layer) for layer, new in stairs.joins.items())
    assert passed == blocks
    apart = sum(LAYERS - min(h.layer for h in pair) for _, pair in pairs)
    assert blocks < 0.75 * apart
