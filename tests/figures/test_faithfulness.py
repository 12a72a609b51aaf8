"""The curve of faithfulness, minimality, and their captions."""

from dataclasses import replace

import pytest

from attention_viz.figures import palette
from attention_viz.figures.circuits.faithfulness import (
    describe_curve,
    describe_proof,
    draw_curve,
    draw_minimality,
)
from attention_viz.figures.circuits.mib import describe_mib
from attention_viz.records.ablation import AblationKind
from attention_viz.records.circuits.faithfulness import Minimality
from tests.builders import curve_of, mib_of, proof_of

MIB = {"MIB, signed", "MIB, absolute"}


def traces_of(figure):
    return {trace.name: trace for trace in figure.data}


def test_the_curve_has_every_point_and_a_click_knows_its_size():
    curve = curve_of()
    line = traces_of(draw_curve(curve))["circuit"]
    assert list(line.y) == [point.faithfulness for point in curve.points]
    assert [data[0] for data in line.customdata] == [point.size for point in curve.points]
    assert list(line.x)[1:] == [point.size for point in curve.points[1:]]
    assert 0 < line.x[0] < 1, "a logarithmic axis has no 0"


def test_the_empty_circuit_is_called_0_on_the_axis():
    axis = draw_curve(curve_of()).layout.xaxis
    assert axis.type == "log"
    assert dict(zip(axis.ticktext, axis.tickvals, strict=True))["0"] == 0.5
    assert "1,000" in axis.ticktext and axis.title.text == "edges kept, of 1,000"


def test_the_bands_are_the_interval_and_the_random_circuits_range():
    curve = curve_of()
    traces = traces_of(draw_curve(curve))
    count = len(curve.points)
    low, high = traces["95 % interval"].y[:count], traces["95 % interval"].y[count:][::-1]
    assert list(low) == [point.interval.low for point in curve.points]
    assert list(high) == [point.interval.high for point in curve.points]
    low, high = traces["their range"].y[:count], traces["their range"].y[count:][::-1]
    assert list(low) == [min(each.values) for each in curve.random]
    assert list(high) == [max(each.values) for each in curve.random]
    assert list(traces["random circuits"].y) == pytest.approx([r.mean for r in curve.random])


def test_a_bands_outline_goes_there_and_back_in_its_lines_colour():
    traces = traces_of(draw_curve(curve_of()))
    count = len(curve_of().points)
    for band, line in (("95 % interval", "circuit"), ("their range", "random circuits")):
        x = traces[band].x
        assert x[:count] == x[count:][::-1] == traces[line].x
        colour = traces[line].line.color
        assert traces[band].fillcolor == palette.see_through(colour, 0.16)
    assert traces["circuit"].line.color != traces["random circuits"].line.color


def test_the_hovers_tell_every_number():
    traces = traces_of(draw_curve(curve_of()))
    interval = "0.310 (95 % interval 0.210 to 0.410)"
    assert list(traces["circuit"].customdata[1]) == [10, "1.00%", interval, "+1.930", "0.690"]
    assert list(traces["random circuits"].customdata[1]) == [10, "−0.020", "−0.070 to 0.030", 3]


def test_mib_stands_beside_ours():
    """At the shares of edges that are taken; the axis counts edges that heads share once."""
    traces = traces_of(draw_curve(curve_of(1000), mib=mib_of(2000)))
    assert set(traces_of(draw_curve(curve_of(1000)))) == set(traces) - MIB
    signed, absolute = (traces[name] for name in sorted(MIB, reverse=True))
    assert list(signed.y)[:4] == [0.0, 0.0, 0.1, 0.4]
    assert list(signed.x) == [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000] == list(absolute.x)
    wanted, share, left, faithfulness, metric = signed.customdata[4]
    assert (wanted, share, left) == (40, "2.0%", "40")
    assert (faithfulness, metric) == ("0.700", "+0.700")
    assert signed.line.dash != absolute.line.dash
    assert signed.marker.symbol != absolute.marker.symbol


def test_the_caption_of_mib_names_both_areas_and_empty_circuits():
    text = describe_mib(mib_of())
    for part in (
        "top n of 2,000 edges",
        "not refilled",
        "resample",
        "signed scores CPR 1.06",
        "absolute scores CPR 0.25",
        "CMD 0.08",
        "4 of its circuits are empty",
    ):
        assert part in text
    assert "from the logits, as many as fit. CPR 0.97" in describe_curve(curve_of())


def test_what_was_replaced_is_told_in_full():
    whole = "zero, position embeddings too"
    assert whole in describe_curve(replace(curve_of(), replaced=whole))
    assert whole in describe_proof(replace(proof_of(), replaced=whole))


def test_what_was_not_measured_is_not_drawn():
    points = tuple(replace(point, interval=None) for point in curve_of().points)
    assert set(traces_of(draw_curve(replace(curve_of(), points=points, random=())))) == {"circuit"}
    assert not draw_curve(replace(curve_of(), points=())).data
    assert not draw_minimality(replace(proof_of(), minimality=())).data


def test_the_current_size_is_marked():
    figure = draw_curve(curve_of(), "dark", at=100)
    mark = traces_of(figure)["shown"]
    assert (list(mark.x), list(mark.y)) == ([100], [0.92])
    assert [shape.x0 for shape in figure.layout.shapes if shape.yref == "paper"] == [100]
    unmeasured = draw_curve(curve_of(), "dark", at=77)
    assert "shown" not in traces_of(unmeasured)
    assert [shape.x0 for shape in unmeasured.layout.shapes if shape.yref == "paper"] == [77]
    assert "shown" not in traces_of(draw_curve(curve_of()))


def test_a_line_stands_at_1():
    shape = draw_curve(curve_of()).layout.shapes[0]
    assert (shape.y0, shape.y1, shape.xref) == (1, 1, "paper")


def test_minimality_is_ranked_and_a_click_knows_its_edge():
    figure = draw_minimality(proof_of())
    bars, axis = figure.data[0], figure.layout.yaxis
    assert list(bars.x) == [0.66, 0.21, -0.03]
    edges = ["L2H3->logits", "L0H1->L2H3.K", "input->L0MLP"]
    assert [data[0] for data in bars.customdata] == edges
    assert [data[1] for data in bars.customdata] == ["+0.660", "+0.210", "−0.030"]
    assert list(bars.text) == ["+0.66", "+0.21", "−0.03"]
    assert list(axis.ticktext) == [edge.replace(">", "&gt;") for edge in edges]
    assert axis.range[0] > axis.range[1], "the most needed is on top"
    assert bars.marker.color[-1] == palette.LIGHT.against != bars.marker.color[0]
    assert bars.marker.color[0] == palette.LIGHT.helps
    other_way = replace(proof_of(), full=-4.0)
    assert draw_minimality(other_way).data[0].marker.color[0] == palette.LIGHT.against


def test_one_edge_without_loss_can_be_drawn():
    proof = proof_of()
    lone = replace(proof, minimality=(Minimality(proof.request.edges[0], 0.0),))
    low, high = draw_minimality(lone).layout.xaxis.range
    assert low < 0 < high


def test_the_caption_names_kind_pairs_and_areas():
    text = describe_curve(curve_of())
    for part in (
        "resample",
        "20 pairs",
        "EAP-IG, 5 steps",
        "CPR 0.97",
        "CMD 0.06",
        "0.52 and 0.48",
    ):
        assert part in text
    alone = describe_curve(replace(curve_of(), random_cpr=None, random_cmd=None, pairs=1))
    assert "random circuits not measured" in alone and "1 pair;" in alone


def test_the_proof_names_kind_interval_and_controls():
    result = replace(proof_of(), request=replace(proof_of().request, ablation=AblationKind.MEAN))
    text = describe_proof(result)
    for part in ("3 edges", "by mean", "+3.61 of +4.00", "0.770 to 0.970", "0.02", "20 pairs"):
        assert part in text
    assert "random" not in describe_proof(replace(result, random=None))


def test_nothing_is_called_minus_0():
    points = tuple(replace(point, without=-0.0001) for point in curve_of().points)
    line = traces_of(draw_curve(replace(curve_of(), points=points)))["circuit"]
    assert {data[-1] for data in line.customdata} == {"0.000"}
