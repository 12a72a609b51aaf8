"""Tables say what the records say, value for value, and CSV gives it back."""

import csv
import io
from dataclasses import replace

import numpy as np
import pytest

from attention_viz.exports import tables
from attention_viz.records.ablation import Ablation, AblationKind
from attention_viz.records.attention import AttentionMaps, AttentionRequest
from attention_viz.records.circuits.circuit import CircuitEdge, CircuitNode, Contribution
from attention_viz.records.circuits.comparison import compare_circuits
from attention_viz.records.circuits.edge import EdgeId, Via
from attention_viz.records.circuits.faithfulness import (
    Faithfulness,
    Interval,
    Minimality,
    RandomCircuits,
)
from attention_viz.records.circuits.roles import Role
from attention_viz.records.ids import HeadId
from attention_viz.records.looks.redundancy import Redundancy, RedundancyRequest
from attention_viz.records.metrics import Metric
from attention_viz.records.search import Objective
from attention_viz.records.tokens import Token, Tokens
from tests.builders import (
    NASTY,
    ablation_of,
    agreement_of,
    circuit_of,
    control_of,
    cost_of,
    curve_of,
    dose_of,
    family_of,
    lens_of,
    positions_of,
    proof_of,
    question_of,
    role_of,
    search_of,
    sweep_of,
    tokens_of,
)
from tests.records.test_comparison import LEFT, RIGHT, made

BOS, A, B = Token(0, "⟨bos⟩"), Token(1, " a"), Token(2, "b\n")
MARY, JOHN, STORE = Token(2, " Mary"), Token(4, " John"), Token(8, " store")  # the builders'
TOKENS_OF_MARY = tokens_of("⟨bos⟩|When| Mary| and| John| went| to| the| store")
SAID = "When Mary and John went to the store"
TOKENS = Tokens((BOS, A, B), bos=True)
NAN = np.nan

# For every table: small records, and the headers and rows worked out by hand. Numbers are exact in
# binary and all different, so that no column can stand in for another.


def _sweep():
    sweep = replace(sweep_of(1, 2, Metric.KL), top=((A, None),))
    sweep.effect[:] = [[0.25, NAN]]
    return tables.sweep_table(sweep)


def _attention(with_ablated: bool):
    request = AttentionRequest(question_of(TOKENS), (HeadId(2, 3),))
    clean = np.array([[[1.0, 0, 0], [0.25, 0.75, 0], [0.5, 0.125, 0.375]]])
    other = np.array([[[1.0, 0, 0], [0.5, 0.5, 0], [0.25, 0.625, 0.125]]])
    return tables.attention_table(
        AttentionMaps(request, TOKENS, clean, other if with_ablated else None)
    )


def _lens():
    lens = replace(
        lens_of(1, Tokens((A,), bos=False)),
        top=(((A, B),), ((B, A),)),
        probability=np.array([[[0.5, 0.25]], [[0.75, 0.125]]]),
        entropy=np.array([[1.5], [0.5]]),
        answer_probability=np.array([[0.0625], [0.375]]),
        answer_rank=np.array([[7], [3]]),
    )
    return tables.lens_table(lens)


def _circuit():
    head = HeadId(0, 1)
    nodes = (
        CircuitNode("token:2", "token", "␣b", position=2),
        CircuitNode("L0H1", "head", "L0H1", head, 1, -0.5, role_of(head, Role.INDUCTION, 0.75)),
        CircuitNode("logits", "output", "␣Mary − ␣John"),
    )
    edges = (
        CircuitEdge("L0H1", "L2H3", Via.K, 0.5, is_exact=False),
        CircuitEdge("L0H1", "L2H3", Via.Q, 0.75, is_exact=True, estimate=0.625),
        CircuitEdge("L0H1", "logits", Via.LOGITS, 0.25),
        CircuitEdge("token:2", "L0H1", Via.ATTENTION, 0.875, position=4),
    )
    written = (Contribution("embed", 0.25), Contribution("L0H1", -0.5))
    return replace(circuit_of(), nodes=nodes, edges=edges, contributions=written)


def _curve():
    points = (
        Faithfulness(0, 0.0, 1.0, 0.0625, None, 1.125),
        Faithfulness(8, 0.25, 2.5, 0.5, Interval(0.375, 0.625), 0.75),
    )
    return replace(curve_of(), points=points, random=(RandomCircuits(8, (0.125, 0.375)),))


def _proof():
    edges = [EdgeId.parse(text) for text in ("L0H1->L2H3.K", "L2H3->logits", "input->L0MLP")]
    losses = zip(edges, (0.25, 0.5, -0.125), strict=True)
    return replace(proof_of(), minimality=tuple(Minimality(*each) for each in losses))


def _redundancy():
    """Of the third head only what it does alone was measured."""
    pair = np.array([[NAN, -0.5, NAN], [-0.5, NAN, 0.125], [NAN, 0.125, NAN]])
    heads = (HeadId(0, 1), HeadId(2, 2), HeadId(3, 0))
    request = RedundancyRequest(question_of(TOKENS), heads)
    single = np.array([-1.0, 0.25, 2.0])
    return tables.redundancy_table(Redundancy(request, TOKENS, 2, heads, single, pair, 6, 0.5))


def _agreement():
    """Two kinds, one of them with a setting, two layers of one head."""
    ablations = (Ablation(), Ablation(AblationKind.PERMUTE, seed=3))
    effect = np.array([[[0.25], [-0.5]], [[0.75], [NAN]]])
    return tables.agreement_table(replace(agreement_of(), ablations=ablations, effect=effect))


def _dose():
    return replace(
        dose_of(),
        scale=np.array([-1.0, 2.0]),
        logit_diff=np.array([-3.5, 4.5]),
        answer_probability=np.array([0.125, 0.75]),
        distractor_probability=np.array([0.625, NAN]),
        kl=np.array([1.5, 0.25]),
    )


def _positions():
    return replace(
        positions_of(TOKENS),
        heads=(HeadId(0, 1), HeadId(2, 2)),
        effect=np.array([[0.25, -0.5], [NAN, 0.75]]),  # up to the read-out
        whole=np.array([1.5, -2.5]),
    )


_CURVE_HEADERS = [
    "edges",
    "share of edges",
    "logit difference (logits)",
    "faithfulness",
    "95 % low",
    "95 % high",
    "faithfulness of the rest",
    "random, mean",
]

# table: (what it gives, headers, rows)
EXPECTED = {
    "family_table": (
        tables.family_table(family_of(TOKENS_OF_MARY)),
        [
            "pair",
            "prompt",
            "answer",
            "distractor",
            "logit difference, clean (logits)",
            "logit difference, ablated (logits)",
            "top-1, clean",
            "top-1, ablated",
            "flips: the pair's distractor becomes the top-1",
            "flips: the answer is no longer the top-1",
            "flips: the logit difference answer − distractor falls below 0",
        ],
        [
            [1, SAID, MARY, JOHN, 3.0, -1.0, MARY, JOHN, "yes", "yes", "yes"],
            [2, SAID, MARY, JOHN, 2.0, 1.0, MARY, MARY, "no", "no", "no"],
            [3, SAID, MARY, JOHN, -0.5, -0.75, STORE, STORE, None, None, None],
        ],
    ),
    "ablation_table": (
        tables.ablation_table(ablation_of()),
        [
            "token",
            "id",
            "clean probability",
            "ablated probability",
            "clean logit",
            "ablated logit",
            "clean rank",
            "ablated rank",
        ],
        [[MARY, 2, 0.9, 0.1, 5.0, 2.0, 1, 2], [JOHN, 4, 0.05, 0.8, 2.0, 4.0, 2, 1]],
    ),
    "sweep_table": (
        _sweep(),
        ["head", "layer", "index", "effect on KL divergence (nats)", "top-1 then"],
        [["L0H0", 0, 0, 0.25, A], ["L0H1", 0, 1, None, None]],
    ),
    "search_table": (
        tables.search_table(search_of()),
        [
            "step",
            "action",
            "head",
            "heads",
            "margin of the flip-to token (logits)",
            "top-1 then",
            "next best",
            "its score",
        ],
        [
            [1, "add", "L2H3", "L2H3", -1.5, MARY, "L3H1", -1.9],
            [2, "add", "L0H6", "L2H3 L0H6", -0.4, MARY, "L3H1", -0.6],
            [3, "add", "L3H1", "L2H3 L0H6 L3H1", 1.2, JOHN, None, None],
            [4, "drop", "L0H6", "L2H3 L3H1", 0.7, JOHN, "L2H3", -0.2],
        ],
    ),
    "attention_table": (
        _attention(True),
        [
            "head",
            "from position",
            "from",
            "to position",
            "to",
            "clean weight",
            "ablated weight",
            "difference",
        ],
        [
            ["L2H3", 0, BOS, 0, BOS, 1.0, 1.0, 0.0],
            ["L2H3", 1, A, 0, BOS, 0.25, 0.5, 0.25],
            ["L2H3", 1, A, 1, A, 0.75, 0.5, -0.25],
            ["L2H3", 2, B, 0, BOS, 0.5, 0.25, -0.25],
            ["L2H3", 2, B, 1, A, 0.125, 0.625, 0.5],
            ["L2H3", 2, B, 2, B, 0.375, 0.125, -0.25],
        ],
    ),
    "lens_table": (
        _lens(),
        [
            "row",
            "position",
            "at token",
            "rank",
            "token",
            "id",
            "probability",
            "entropy (nats)",
            "answer probability",
            "answer rank",
        ],
        [
            ["embed", 0, A, 1, A, 1, 0.5, 1.5, 0.0625, 7],
            ["embed", 0, A, 2, B, 2, 0.25, 1.5, 0.0625, 7],
            ["L0", 0, A, 1, B, 2, 0.75, 0.5, 0.375, 3],
            ["L0", 0, A, 2, A, 1, 0.125, 0.5, 0.375, 3],
        ],
    ),
    "contributions_table": (
        tables.contributions_table(_circuit()),
        ["component", "direct contribution (logits)"],
        [["embed", 0.25], ["L0H1", -0.5]],
    ),
    "nodes_table": (
        tables.nodes_table(_circuit()),
        ["id", "kind", "label", "position", "direct contribution (logits)", "role", "score"],
        [
            ["token:2", "token", "␣b", 2, None, None, None],
            ["L0H1", "head", "L0H1", 1, -0.5, "induction", 0.75],
            ["logits", "output", "␣Mary − ␣John", None, None, None, None],
        ],
    ),
    "edges_table": (
        tables.edges_table(_circuit()),
        ["source", "target", "via", "value", "unit", "exact", "estimate", "row position"],
        [
            ["L0H1", "L2H3", "K", 0.5, "logits", False, 0.5, None],
            ["L0H1", "L2H3", "Q", 0.75, "logits", True, 0.625, None],
            ["L0H1", "logits", "logits", 0.25, "logits", True, None, None],
            ["token:2", "L0H1", "attention", 0.875, "attention weight", None, None, 4],
        ],
    ),
    "curve_table": (
        tables.curve_table(_curve()),
        _CURVE_HEADERS,
        [
            [0, 0.0, 1.0, 0.0625, None, None, 1.125, None],
            [8, 0.25, 2.5, 0.5, 0.375, 0.625, 0.75, 0.25],
        ],
    ),
    "minimality_table": (
        tables.minimality_table(_proof()),
        ["edge", "loss of faithfulness without it"],
        [["L2H3->logits", 0.5], ["L0H1->L2H3.K", 0.25], ["input->L0MLP", -0.125]],
    ),
    "comparison_table": (
        tables.comparison_table(compare_circuits(made(LEFT), made(RIGHT))),
        ["name", "kind", "in", "left (logits)", "right (logits)"],
        [
            ["L0H1", "node", "shared", None, None],
            ["L2H3", "node", "shared", None, None],
            ["L0MLP", "node", "shared", None, None],
            ["L1H1", "node", "only-left", None, None],
            ["L3H0", "node", "only-right", None, None],
            ["L0H1->L2H3.K", "edge", "shared", -1.0, -2.0],
            ["L2H3->logits", "edge", "shared", 2.0, 4.0],
            ["L0MLP->logits", "edge", "shared", 1.0, 2.0],
            ["L0H1->L2H3.Q", "edge", "only-left", 0.25, None],
            ["L1H1->logits", "edge", "only-left", 3.0, None],
            ["L3H0->logits", "edge", "only-right", None, 5.0],
        ],
    ),
    "cost_table": (
        tables.cost_table(cost_of()),
        ["token", "id", "probability, clean", "heads", "set", "margin (logits)", "flips"],
        [
            [JOHN, 4, 0.1, 2, "L0H1 L2H2", 0.5, "yes"],
            [STORE, 8, 0.01, 3, "L0H1 L2H2 L3H0", -1.5, "no"],
        ],
    ),
    "redundancy_table": (
        _redundancy(),
        [
            "head",
            "other head",
            "together (logits)",
            "sum of each alone (logits)",
            "difference (logits)",
        ],
        [
            ["L0H1", "L2H2", -0.5, -0.75, 0.25],
            ["L0H1", "L3H0", None, 1.0, None],
            ["L2H2", "L3H0", 0.125, 2.25, -2.125],
        ],
    ),
    "agreement_table": (
        _agreement(),
        ["head", "zero (logits)", "permute seed 3 (logits)"],
        [["L0H0", 0.25, 0.75], ["L1H0", -0.5, None]],
    ),
    "control_table": (
        tables.control_table(replace(control_of(), random=np.array([0.25, NAN]))),
        ["set", "effect on logit difference (logits)"],
        [["chosen", -0.5], ["random 1", 0.25], ["random 2", None]],
    ),
    "dose_table": (
        tables.dose_table(_dose()),
        [
            "factor on z",
            "logit difference (logits)",
            "probability of ␣Mary",
            "probability of ␣John",
            "KL (nats)",
        ],
        [[-1.0, -3.5, 0.125, 0.625, 1.5], [2.0, 4.5, 0.75, None, 0.25]],
    ),
    "positions_table": (
        tables.positions_table(_positions()),
        ["head", "all positions", "0 ⟨bos⟩", "1 ␣a"],
        [["L0H1", 1.5, 0.25, -0.5], ["L2H2", -2.5, None, 0.75]],
    ),
}


def read(headers, rows):
    text = tables.to_csv(headers, rows).decode("utf-8")
    return list(csv.reader(io.StringIO(text, newline="")))


def test_every_table_is_held_to_its_values():
    made_here = {name for name in vars(tables) if name.endswith("_table")}
    assert set(EXPECTED) == made_here


@pytest.mark.parametrize("name", EXPECTED)
def test_every_column_is_what_was_worked_out_by_hand(name):
    (headers, rows), expected_headers, expected = EXPECTED[name]
    assert list(headers) == expected_headers
    assert rows == expected
    for row, known in zip(rows, expected, strict=True):  # 1 and 1.0 and True are equal
        assert [type(value) for value in row] == [type(value) for value in known]


@pytest.mark.parametrize("name", EXPECTED)
def test_every_row_survives_csv(name):
    headers, rows = EXPECTED[name][0]
    assert len(set(headers)) == len(headers)
    lines = read(headers, rows)
    assert lines[0] == headers and len(lines) == len(rows) + 1
    for line, row in zip(lines[1:], rows, strict=True):
        assert len(line) == len(headers)
        for text, value in zip(line, row, strict=True):
            if isinstance(value, Token):
                assert text == value.text  # with its blank
            elif isinstance(value, float):
                assert float(text) == value
            elif isinstance(value, str):
                assert text == value


def test_tokens_keep_their_blanks_in_csv_and_are_records_in_the_table():
    headers, rows = tables.cost_table(cost_of())
    assert [row[0].shown for row in rows] == ["␣John", "␣store"]
    assert [line[0] for line in read(headers, rows)] == ["token", " John", " store"]


def test_the_attention_table_of_the_clean_run_has_no_other_columns():
    headers, rows = _attention(False)
    assert headers == EXPECTED["attention_table"][1][:6]
    assert rows == [row[:6] for row in EXPECTED["attention_table"][2]]


def test_the_search_table_names_its_score():
    assert tables.search_table(search_of(Objective.KL))[0][4] == "KL (nats)"


def test_csv_keeps_awkward_texts_exactly():
    texts = [*NASTY, "=1+1", 'a,"b"\r\nc', " lead", ""]
    assert [line[0] for line in read(["t"], [[text, 1] for text in texts])[1:]] == texts
    tokens = [[Token(0, text), 1] for text in texts]
    assert [line[0] for line in read(["t"], tokens)[1:]] == texts


def test_csv_of_what_is_not_there():
    line = read(["a", "b", "c", "d"], [[None, float("nan"), True, 0]])[1]
    assert line == ["", "", "true", "0"]
    assert tables.to_csv(["a"], [["\ud800"]])  # half a surrogate pair can't be written, nor crash


def test_contributions_sum_to_the_baseline():
    circuit = circuit_of()
    rows = tables.contributions_table(circuit)[1]
    assert sum(value for _, value in rows) == pytest.approx(circuit.baseline)
