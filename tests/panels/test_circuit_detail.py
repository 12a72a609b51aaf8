"""What a click on the circuit tells: of a head, an MLP, the input, a token, the output, an edge."""

import json
from dataclasses import replace

import numpy as np
import pytest

from attention_viz.panels.kit import html
from attention_viz.panels.kit.acts import perform
from attention_viz.panels.kit.parts import Reading
from attention_viz.panels.views import circuit as view
from attention_viz.panels.views.circuit.detail import find_part, show_part
from attention_viz.panels.views.circuit.lines import signed
from attention_viz.panels.views.circuit.node import node_request
from attention_viz.panels.views.circuit.requests import circuit_request
from attention_viz.records.ablation import AblationKind
from attention_viz.records.circuits.attribution import Direction
from attention_viz.records.circuits.circuit import Circuit, CircuitEdge, CircuitRequest, CutRequest
from attention_viz.records.circuits.edge import Via
from attention_viz.records.circuits.graph import Graph
from attention_viz.records.circuits.node import NodeDetail, WrittenToken
from attention_viz.records.circuits.pairs import PairsRequest
from attention_viz.records.circuits.roles import (
    Role,
    RoleEvidence,
    RoleNumber,
    RolesRequest,
    SeenWeight,
)
from attention_viz.records.errors import BadInput
from attention_viz.records.page.checks import MOST_GIVEN
from attention_viz.records.tokens import Token
from tests.builders import circuit_of, cut_of
from tests.panels.fakes import FakeWorkbench, said
from tests.panels.views import MARY, answer, find_all, text_of

CIRCUIT = circuit_of()
CUT = cut_of()


def node_of(circuit: Circuit, kind: str):
    return next(node for node in circuit.nodes if node.kind == kind)


def detail_of(circuit: Circuit, node, **changes) -> NodeDetail:
    count = len(circuit.tokens)
    pattern = np.tril(np.ones((count, count)))
    pattern[-1] = [0.0] * count
    pattern[-1, [2, 4]] = 0.75, 0.25
    mary, john = circuit.tokens.items[2], circuit.tokens.items[4]
    detail = NodeDetail(
        request=node_request(circuit, node),
        tokens=circuit.tokens,
        position=count - 1,
        contribution=1.5,
        promoted=(WrittenToken(mary, 2.0), WrittenToken(john, 0.5)),
        suppressed=(WrittenToken(Token(77, "<i>the</i>"), -1.0),),
        effect=-0.625,
        pattern=pattern if node.kind == "head" else None,
    )
    return replace(detail, **changes)


def show(circuit: Circuit, clicked, state=MARY, **changes):
    """The detail of a part; nodes are measured as `detail_of` says."""
    part = find_part(circuit, clicked)
    assert part is not None
    known = {}
    if getattr(part, "kind", "") in ("head", "mlp", "input"):
        detail = detail_of(circuit, part, **changes)
        known[detail.request] = detail
    return show_part(FakeWorkbench(known=known), state, circuit, part)


def matrices(shown) -> list[dict]:
    """The specs of the maps in it."""
    maps = [each for each in find_all(shown, "Div") if "data-matrix" in each.props]
    return [json.loads(each.props["data-matrix"]) for each in maps]


def opened_by(shown) -> list[dict]:
    """The parts that its buttons open."""
    buttons = [
        b.props["data-choose"] for b in find_all(shown, "Button") if "data-choose" in b.props
    ]
    return [json.loads(choice)["circuit"] for choice in buttons]


# Nodes


def test_a_head_tells_its_numbers_and_edges():
    text = said(show(CIRCUIT, {"id": "L3H1", "timeStamp": 1}))
    assert "direct contribution +2.29 logits" in text
    assert "effect when ablated (mean) −0.62 logits" in text
    assert "role attends to the answer 0.70" in text
    assert "the logits −2.29 logits" in text
    assert "L2H3 by its Q −1.41 logits" in text
    assert "␣Mary 0.83 attention weight, from ␣to_2" in text


def test_what_a_head_promotes_and_suppresses_is_listed_on_one_scale():
    shown = show(CIRCUIT, {"id": "L3H1"})
    text = said(shown)
    assert "promotes logits ␣Mary +2.00 ␣John +0.50" in text
    assert "suppresses logits <i>the</i> −1.00" in text
    bars = [bar.props["style"] for bar in find_all(shown, "B") if "style" in bar.props]
    widths = [style["width"] for style in bars]
    assert widths == ["100.0%", "25.0%", "50.0%"]


def test_a_heads_map_outlines_the_read_out_and_says_where_it_looks():
    shown = show(CIRCUIT, {"id": "L3H1"})
    assert "␣to_2 (outlined) looks at ␣Mary 0.75 ␣John 0.25" in said(shown)
    [spec] = matrices(shown)
    assert spec["values"][-1][2] == 0.75
    assert spec["focus"] == [14, None]


def test_evidence_and_all_scores_are_one_click_away():
    node = find_part(CIRCUIT, {"id": "L3H1"})
    mary, to = CIRCUIT.tokens.items[2], CIRCUIT.tokens.items[14]
    evidence = RoleEvidence(
        Role.NAME_MOVER,
        "attention of the read-out",
        (SeenWeight(14, to, 2, mary, 0.83),),
        (RoleNumber("copying by OV", 0.9, "share of tokens"),),
    )
    role = replace(node.role, evidence=(evidence,))
    nodes = tuple(replace(n, role=role) if n is node else n for n in CIRCUIT.nodes)
    shown = show(replace(CIRCUIT, nodes=nodes), {"id": "L3H1"})
    [fold] = find_all(shown, "Details")
    text = said(fold)
    assert "name mover: attention of the read-out copying by OV 0.900 share of tokens" in text
    assert "␣to at 14 looks at ␣Mary at 2: 0.83" in text
    assert "attends to the answer score 0.70" in text and "backup score 0.10" in text


@pytest.mark.parametrize("kind", ["mlp", "input"])
def test_mlps_and_the_input_have_no_map_and_no_role(kind):
    node = node_of(CUT, kind)
    shown = show(CUT, {"id": node.id}, effect=None)
    text = said(shown)
    assert "effect when ablated (resample) not measured" in text
    assert "direct contribution +1.50 logits" in text
    assert "promotes logits ␣Mary +2.00" in text
    assert "writes to" in text and ("reads from" in text) == (kind == "mlp")
    assert matrices(shown) == [] and "role" not in text


def test_of_a_family_the_first_pair_is_measured_and_said():
    text = said(show(CUT, {"id": node_of(CUT, "head").id}))
    assert "Measured on the first of 20 pairs: When Mary and John went" in text
    assert "bos" not in text.split("first of 20 pairs")[1].split("attention")[0]
    assert "first of" not in said(show(CIRCUIT, {"id": "L3H1"}))


def test_a_node_is_asked_in_the_circuits_own_words():
    chosen = node_request(CIRCUIT, node_of(CIRCUIT, "head"))
    assert chosen.pairs == PairsRequest(CIRCUIT.request.question)
    assert chosen.ablation.kind is AblationKind.MEAN
    cut = node_request(CUT, node_of(CUT, "mlp"))
    assert cut.pairs == CUT.request.pairs
    assert cut.ablation.kind is AblationKind.RESAMPLE


def test_what_cannot_be_measured_is_said_and_the_rest_shown():
    node = node_of(CIRCUIT, "head")
    workbench = FakeWorkbench(
        known={node_request(CIRCUIT, node): BadInput("No counterfactual.", "Give one.")}
    )
    text = said(show_part(workbench, MARY, CIRCUIT, node))
    assert "No counterfactual." in text and "Give one." in text
    assert "role previous token" in text and "by its K −0.92 logits" in text


def test_without_direct_writes_the_page_says_why():
    text = said(show(CIRCUIT, {"id": "L3H1"}, promoted=(), suppressed=(), contribution=None))
    assert "What it promotes is not measured" in text


def test_the_embedded_models_node_is_measured(workbench):
    workbench.wait("embedded")
    request = CircuitRequest(MARY.question, MARY.head_ids, MARY.intervention)
    circuit = workbench.measure(request)
    circuit = circuit.with_roles(workbench.measure(RolesRequest(circuit.about)))
    shown = show_part(workbench, MARY, circuit, find_part(circuit, {"id": "L3H1"}))
    assert len(matrices(shown)) == 1
    assert "not measured" not in text_of(find_all(shown, "Dl")[0])


def test_a_persons_name_stands_beside_the_own():
    state = MARY.put("circuit", names=(("L3H1", "<i>mover</i>\u202e"),))
    text = said(show(CIRCUIT, {"id": "L3H1"}, state))
    assert "Head L3H1 “<i>mover</i>\ufffd”" in text
    edge = {"source": "L2H3", "target": "L3H1", "via": "Q", "position": None}
    assert "L2H3 → L3H1 “<i>mover</i>\ufffd”" in said(show(CIRCUIT, edge, state))


@pytest.mark.parametrize("circuit", [CIRCUIT, CUT], ids=["chosen", "cut"])
def test_every_part_can_be_shown(circuit):
    state = MARY.put("circuit", names=tuple((node.id, "mine") for node in circuit.nodes))
    graph = Graph(4, 8, 8, is_parallel=False)
    for part in (*circuit.nodes, *circuit.edges):
        fields = {"id": part.id} if not isinstance(part, CircuitEdge) else vars(part)
        assert html.to_html(show(replace(circuit, graph=graph), fields, state))


def test_the_output_and_the_whole_tell_the_difference():
    assert "+4.13 logits" in text_of(show(CIRCUIT, {"id": "logits"}))
    whole = text_of(show_part(None, MARY, CIRCUIT, None))
    assert "all these heads ablated −1.20 logits" in whole
    assert "edges measured 11" in whole


def test_the_whole_of_a_cut_tells_what_was_estimated():
    whole = text_of(show_part(None, MARY, CUT, None))
    assert "logit answer − distractor, clean +3.20 logits" in whole
    assert (
        "edges measured 3 runs 12 edges estimated 21 estimates EAP-IG, 5 steps, resample" in whole
    )
    assert "backward passes 100" in whole
    assert "pairs 20, numbers are means" in whole


def test_a_token_offers_to_read_out_there():
    shown = show(CIRCUIT, {"id": "token:2"})
    assert "L3H1 0.83 attention weight, from ␣to_2" in said(shown)
    assert any(b.props.get("data-position") == "2" for b in find_all(shown, "Button"))


# Edges


def test_edges_of_a_list_open_and_can_be_found_again():
    shown = show(CIRCUIT, {"id": "L3H1"})
    found = [find_part(CIRCUIT, part) for part in opened_by(shown)]
    own = [e for e in CIRCUIT.edges if "L3H1" in (e.source, e.target)]
    assert sorted(map(str, found)) == sorted(map(str, own))


def test_next_to_nothing_is_folded():
    shown = show(CIRCUIT, {"id": "L0H6"})
    [edges] = [d for d in find_all(shown, "Div") if text_of(d).startswith("writes to")]
    [fold] = find_all(edges, "Details")
    assert text_of(fold) == "1 weaker one L2H3 by its K +0.002 logits"
    assert len(find_all(edges, "Li")) == 4


def test_long_lists_are_folded():
    last = CUT.nodes[-1]
    many = [
        CircuitEdge(f"L0H{i}", "logits", Via.LOGITS, float(i), is_exact=False) for i in range(14)
    ]
    nodes = (*(replace(CIRCUIT.nodes[4], id=f"L0H{i}") for i in range(14)), last)
    shown = show(replace(CUT, nodes=nodes, edges=tuple(many)), {"id": "logits"})
    [fold] = find_all(shown, "Details")
    assert len(find_all(fold, "Li")) == 4
    assert text_of(fold).startswith("4 weaker ones")
    assert len(find_all(shown, "Li")) == 14


def test_an_edge_tells_how_it_was_measured():
    clicked = {"source": "L2H3", "target": "L3H1", "via": "Q", "position": None}
    assert isinstance(find_part(CIRCUIT, clicked), CircuitEdge)
    shown = show(CIRCUIT, clicked)
    text = text_of(shown)
    assert "−1.41 logits is the change of the logit difference ␣Mary − ␣John" in text
    assert "replaced by the heads' mean over the prompt" in text
    assert "for its queries only" in text and "helps the answer" in text
    assert "Measure exactly" not in text
    assert [part["id"] for part in opened_by(shown)] == ["L2H3", "L3H1"]


def test_a_token_edge_is_no_intervention():
    clicked = {"source": "token:2", "target": "L3H1", "via": "attention", "position": 14}
    text = text_of(show(CIRCUIT, clicked))
    assert "Attention weight 0.830" in text
    assert "No intervention" in text


def edge_of(circuit: Circuit, **fields) -> CircuitEdge:
    return next(
        edge
        for edge in circuit.edges
        if all(getattr(edge, name) == value for name, value in fields.items())
    )


def test_an_estimate_is_named_one_and_can_be_measured():
    graph = Graph(4, 4, 4, is_parallel=False)
    edge = edge_of(CUT, is_exact=False)
    shown = show_part(None, MARY, replace(CUT, graph=graph), edge)
    text = text_of(shown)
    assert "is an estimate from gradients (EAP-IG, 5 steps, resample), not measured" in text
    assert "A mean over the pairs." in text
    [button] = [b for b in find_all(shown, "Button") if "data-act" in b.props]
    assert json.loads(button.props["data-payload"]) == {"edge": str(edge.id)}


def test_what_was_measured_stands_beside_the_estimate():
    edge = edge_of(CUT, is_exact=True)
    text = text_of(show_part(None, MARY, CUT, edge))
    assert f"measured {signed(edge.value)} logits" in text
    assert f"estimated (EAP-IG, 5 steps, resample) {signed(0.8 * edge.value)} logits" in text
    assert f"estimate − measured {signed(-0.2 * edge.value)} logits" in text
    assert "Measure exactly" not in text


def test_a_restored_edge_that_raises_the_difference_helps():
    attribution = replace(CUT.request.attribution, direction=Direction.DENOISE)
    circuit = replace(CUT, request=CutRequest(attribution), graph=Graph(4, 4, 4, False))
    edge = replace(edge_of(CUT, is_exact=False), value=0.5)
    assert "Positive: this path helps" in text_of(show_part(None, MARY, circuit, edge))
    patched = replace(edge, is_exact=True, estimate=0.4)
    assert "Positive: it works against" in text_of(show_part(None, MARY, circuit, patched))


def test_shared_keys_are_one_edge():
    graph = Graph(4, 4, 2, is_parallel=False)
    edge = CircuitEdge("L0H1", "L1H3", Via.K, 0.5, is_exact=False)
    shown = show_part(None, MARY, replace(CUT, graph=graph, nodes=nodes_for(edge)), edge)
    assert "L1H2, L1H3 share these keys: it is one edge for all of them" in text_of(shown)
    [button] = [b for b in find_all(shown, "Button") if "data-act" in b.props]
    assert json.loads(button.props["data-payload"]) == {"edge": "L0H1->L1KV1.K"}


def nodes_for(edge: CircuitEdge):
    head = CIRCUIT.nodes[4]
    return tuple(replace(head, id=name, label=name) for name in (edge.source, edge.target))


@pytest.mark.parametrize(
    "sent", [None, "L3H1", 7, {}, {"id": "L9H9"}, {"id": ["L3H1"]}, {"source": "x"}]
)
def test_what_is_not_in_the_circuit_is_nothing(sent):
    assert find_part(CIRCUIT, sent) is None


# Measure exactly


def test_an_edge_joins_those_to_measure_once():
    edge = {"edge": "L0H1->L2H3.K"}
    told = perform(None, view.ACTS, MARY, "circuit-exact", edge)
    assert told == {"changes": {"circuit.exact": ["L0H1->L2H3.K"]}}
    known = MARY.put("circuit", exact=("L0H1->L2H3.K",))
    assert perform(None, view.ACTS, known, "circuit-exact", edge) == {}


@pytest.mark.parametrize("sent", [None, {}, {"edge": 7}, {"edge": "L0H1"}, {"edge": "a->b.K.K"}])
def test_what_is_no_edge_is_refused(sent):
    told = perform(None, view.ACTS, MARY, "circuit-exact", sent)
    assert told.keys() == {"says"} and told["says"][0]["message"]


def test_a_page_measures_only_so_many_edges():
    full = MARY.put("circuit", exact=tuple(f"L0H1->L2H{n}.K" for n in range(MOST_GIVEN)))
    assert perform(None, view.ACTS, full, "circuit-exact", {"edge": "L0H1->L3H3.K"})["says"]


# The part of the page


def test_the_detail_is_of_what_was_clicked(workbench):
    workbench.wait("embedded")
    whole, head, gone = (
        answer(view, "circuit-detail", workbench, MARY, circuit=clicked)["html"]
        for clicked in (None, {"id": "L3H1"}, {"id": "L9H9"})
    )
    assert "edges measured" in whole and gone == whole
    assert 'id="circuit-map"' in head and "effect when ablated" in head


def test_names_matter_only_where_they_are_seen():
    bench = FakeWorkbench(known={circuit_request(MARY): CIRCUIT})
    for clicked, is_seen in ((None, False), ({"id": "logits"}, True)):
        reading = Reading(MARY, {"circuit": clicked})
        draw_detail(bench, reading)
        assert ("circuit.names" in reading.read) == is_seen


def draw_detail(bench, state):
    [part] = [part for part in view.PARTS if part.name == "circuit-detail"]
    return part.draw(bench, state)
