"""The lens view: which run is shown, what is said of it, and clicks on columns."""

import json
from dataclasses import replace

import numpy as np
import pytest

from attention_viz.figures.lens_answer import draw_answer
from attention_viz.panels.kit.lens import observe, part_at, since
from attention_viz.panels.views import lens
from attention_viz.panels.views.lens.lens import tabulate
from attention_viz.records.ablation import Ablation
from attention_viz.records.errors import BadInput
from attention_viz.records.ids import parse_heads
from attention_viz.records.lens import LogitLens
from tests.builders import lens_of
from tests.panels.fakes import FakeWorkbench
from tests.panels.views import MARY, answer, draw, find_all, text_of

ABLATED = MARY.put("lens", show="ablated")


@pytest.fixture(scope="module")
def ready(workbench):
    workbench.wait("embedded")
    return workbench


def with_top(lens_: LogitLens, *ids: int) -> LogitLens:
    """The lens with these tokens of its prompt top-1 at the read-out, row by row."""
    top = [list(row) for row in lens_.top]
    for row, index in enumerate(ids):
        first = lens_.tokens.items[index]
        top[row][lens_.position] = (first, *top[row][lens_.position][1:])
    return replace(lens_, top=tuple(tuple(row) for row in top))


def ablated_of(clean: LogitLens) -> LogitLens:
    request = replace(clean.request, heads=parse_heads("L2H3, L3H1"), ablation=Ablation())
    return replace(clean, request=request)


@pytest.mark.parametrize(
    ("settles", "told"),
    [
        (0, "from the embedding on"),
        (3, "for good from L2 on"),
        (4, "only after the last layer, L3"),
    ],
)
def test_since_when_the_prediction_leads(settles, told):
    assert since(replace(lens_of(), settles=settles)) == told


def test_the_sentence_holds_the_records_numbers():
    record = lens_of()
    at = record.position
    probability = np.array([0.01, 0.02, 0.05, 0.85, 0.9])
    record.answer_probability[:, at] = probability
    record.answer_rank[:, at] = [230, 40, 3, 1, 1]
    text = text_of(observe(record))
    assert f"probability {record.probability[-1, at, 0]:.3f}: top-1 for good from L2 on." in text
    assert "from 0.010 (rank 230) at the embedding to 0.900 (rank 1) at the end" in text
    assert "greatest step up is L2, +0.800" in text


def test_an_answer_no_layer_raises_is_said_so():
    record = lens_of()
    record.answer_probability[:, record.position] = [0.5, 0.4, 0.3, 0.2, 0.1]
    assert "no layer raises it" in text_of(observe(record))


def test_where_the_runs_part():
    clean = with_top(lens_of(), 6, 6, 2, 2, 2)
    ablated = ablated_of(with_top(clean, 6, 6, 6, 4, 4))
    assert part_at(clean, ablated) == 2
    text = text_of(observe(clean, ablated))
    assert "With L2H3, L3H1 ablated (zero), the two runs part at L1: ␣ Mary becomes ␣ to" in text
    assert "The final prediction is then ␣ John ." in text


def test_runs_that_do_not_part_are_said_to_agree():
    clean = lens_of()
    assert part_at(clean, ablated_of(clean)) is None
    assert "the same in every row" in text_of(observe(clean, ablated_of(clean)))


def test_a_click_reads_out_there(ready):
    spec = json.loads(draw(lens, "lens-figure", ready, MARY).props["data-matrix"])
    assert spec["click"] == {"position": "col"}
    assert spec["columns"]["at"] == list(range(15))


def test_the_table_has_the_last_layer_first():
    record = lens_of()
    rows = [text_of(row) for row in find_all(tabulate(record), "Tr")]
    assert rows[0] == "row top tokens, probability entropy (nats) p(␣Mary) rank(␣Mary)"
    assert [row.split()[0] for row in rows[1:]] == ["L3", "L2", "L1", "L0", "embed"]
    at = record.position
    assert rows[1].endswith(f"{record.answer_probability[-1, at]:.3f} {record.answer_rank[-1, at]}")


def test_the_ablated_run_needs_heads(ready):
    state = ABLATED.change(heads=())
    with pytest.raises(BadInput, match="No heads are selected"):
        draw(lens, "lens-figure", ready, state)
    assert draw(lens, "lens-run", ready, state) is None  # the map says why
    assert draw(lens, "lens-table", ready, state) is None
    with pytest.raises(BadInput, match="No heads are selected"):
        lens.ACTS["lens-csv"](ready, state, {})


def test_the_ablated_run_is_shown_with_its_heads(ready):
    assert draw(lens, "lens-run", ready, ABLATED) == "L2H3, L3H1, L0H5 ablated together (zero)"
    assert draw(lens, "lens-run", ready, MARY) == "the run as it is"
    clean, ablated = (
        json.loads(draw(lens, "lens-figure", ready, state).props["data-matrix"])
        for state in (MARY, ABLATED)
    )
    assert clean["values"] != ablated["values"]
    csv = [lens.ACTS["lens-csv"](ready, state, {}).file[1] for state in (MARY, ABLATED)]
    assert csv[0] != csv[1]


def test_the_read_out_compares_the_same_token_in_both_runs(ready):
    everything = tuple(f"L{layer}H{head}" for layer in range(4) for head in range(8))
    state = MARY.change(heads=everything)
    assert "position 14" in text_of(draw(lens, "lens-at", ready, state))
    assert "Final prediction ␣ Mary" in text_of(draw(lens, "lens-sentence", ready, state))
    figure = json.loads(draw(lens, "lens-answer", ready, state).props["data-plot"])
    assert [line["name"] for line in figure["data"]] == ["clean", "ablated"]
    assert "␣Mary" in figure["layout"]["yaxis"]["title"]["text"]
    # Nothing is ablated below the first layer; without any head the answer is not known.
    clean, ablated = (line["y"] for line in figure["data"])
    assert clean[0] == pytest.approx(ablated[0], abs=1e-6)
    assert clean[-1] > 0.5 > ablated[-1]


def test_what_does_not_need_the_heads_is_not_asked_again_for_them(ready):
    reads = {part.name: set(answer(lens, part.name, ready, MARY)["reads"]) for part in lens.PARTS}
    assert all("shared.theme" not in names for names in reads.values())
    assert not {"shared.heads", "shared.kind"} & (reads["lens-figure"] | reads["lens-table"])
    assert "lens.show" not in reads["lens-sentence"] | reads["lens-answer"] | reads["lens-at"]
    assert "shared.heads" in reads["lens-sentence"] & reads["lens-answer"]


def test_while_the_model_loads_only_the_map_says_so():
    bench = FakeWorkbench(embedded=("loading", "reading weights"))
    for part in lens.PARTS:
        told = answer(lens, part.name, bench, MARY)
        assert told["waits"]
        assert ("reading weights" in told["html"]) == (part.name == "lens-figure")


def test_one_run_needs_no_legend():
    record = lens_of()
    assert draw_answer(record).layout.showlegend is False
    assert len(draw_answer(record, ablated_of(record)).data) == 2
