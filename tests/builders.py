"""Small example records for tests: numbers made up, shapes and types as measured ones."""

from dataclasses import replace

import numpy as np

from attention_viz.records.ablation import (
    Ablation,
    AblationKind,
    AblationRequest,
    AblationResult,
    Prediction,
    RankedToken,
    Setting,
    TokenChange,
)
from attention_viz.records.attention import AttentionMaps, AttentionRequest
from attention_viz.records.circuits.attribution import AttributionRequest
from attention_viz.records.circuits.circuit import (
    Circuit,
    CircuitEdge,
    CircuitNode,
    CircuitRequest,
    Contribution,
    CutRequest,
)
from attention_viz.records.circuits.edge import INPUT, OUTPUT, EdgeId, Via
from attention_viz.records.circuits.faithfulness import (
    Curve,
    CurveRequest,
    Faithfulness,
    FaithfulnessRequest,
    FaithfulnessResult,
    Interval,
    Minimality,
    RandomCircuits,
)
from attention_viz.records.circuits.graph import Graph
from attention_viz.records.circuits.mib import SHARES as MIB_SHARES
from attention_viz.records.circuits.mib import (
    MibAreas,
    MibCurve,
    MibPoint,
    MibRequest,
    Ranking,
)
from attention_viz.records.circuits.pairs import BadPair, Pair, PairsRequest, TokenPair
from attention_viz.records.circuits.roles import HeadRole, HeadRoles, Role, RolesRequest
from attention_viz.records.family_search import (
    FamilySearchRequest,
    FamilySearchResult,
    FamilyStep,
)
from attention_viz.records.ids import HeadId, parse_heads
from attention_viz.records.lens import LensRequest, LogitLens
from attention_viz.records.looks.agreement import Agreement, AgreementRequest
from attention_viz.records.looks.control import Control, ControlRequest
from attention_viz.records.looks.cost import Cost, CostRequest, CostTable
from attention_viz.records.looks.dose import Dose, DoseRequest, Flip
from attention_viz.records.looks.family import FamilyEffect, FamilyRequest, PairEffect
from attention_viz.records.looks.positions import PositionMap, PositionsRequest
from attention_viz.records.looks.redundancy import Redundancy, RedundancyRequest
from attention_viz.records.metrics import Metric
from attention_viz.records.question import Question
from attention_viz.records.search import Objective, SearchRequest, SearchResult, SearchStep
from attention_viz.records.statistics import Rate
from attention_viz.records.sweep import HeadSweep, SweepRequest
from attention_viz.records.tokens import Token, Tokens

WORDS = "⟨bos⟩|When| Mary| and| John| went| to| the| store|,| John| gave| a| drink| to"
# What prompts may hold and formats may choke on.
NASTY = (
    "<b>bold</b>",
    " %{x}",
    "$\\alpha$",
    '"quoted\\"',
    "a&amp;b",
    " 🤖",
    "\x07\x00",
    "\n",
    "\ufffe",
    " ]]>",
    "'--",
    " \\N",
)


def settings_of(setting: Setting) -> list:
    """Values that a setting may have: both ends, the default, and the next one to it."""
    near = setting.default + (1 if setting.is_whole else setting.step)
    return sorted({setting.least, setting.default, near, setting.most})


def ablations_of(kind: AblationKind) -> list[Ablation]:
    """One ablation for each value of each of the kind's settings, or one if it takes none."""
    pairs = [(s.name, value) for s in kind.settings for value in settings_of(s)]
    found = [Ablation.of(kind, {name: value}) for name, value in pairs] or [Ablation(kind)]
    return list(dict.fromkeys(found))


ALL_ABLATIONS = [ablation for kind in AblationKind for ablation in ablations_of(kind)]


def tokens_of(words: str | tuple[str, ...] = WORDS, bos: bool = True) -> Tokens:
    """Tokens with ids by first appearance; a text is cut at "|"."""
    texts = words.split("|") if isinstance(words, str) else words
    ids = {text: number for number, text in enumerate(dict.fromkeys(texts))}
    return Tokens(tuple(Token(ids[text], text) for text in texts), bos)


def question_of(tokens: Tokens, model: str = "embedded") -> Question:
    return Question(model=model, prompt="".join(tokens.texts[int(tokens.bos) :]))


def maps_of(
    heads: str = "L2H3, L3H1", tokens: Tokens | None = None, ablated: bool = True, seed: int = 0
) -> AttentionMaps:
    """Random causal attention, each row summing to 1."""
    tokens = tokens or tokens_of()
    ids = parse_heads(heads)
    request = AttentionRequest(question_of(tokens), ids, Ablation() if ablated else None)
    random = np.random.default_rng(seed)
    shape = (len(ids), len(tokens), len(tokens))
    clean, other = (_causal(random.exponential(size=shape) ** 3) for _ in range(2))
    return AttentionMaps(request, tokens, clean, other if ablated else None)


def sweep_of(
    layers: int = 4, heads: int = 8, metric: Metric = Metric.LOGIT_DIFF, seed: int = 0
) -> HeadSweep:
    tokens = tokens_of()
    effect = np.random.default_rng(seed).normal(size=(layers, heads)) ** 3
    if not metric.is_signed:
        effect = np.abs(effect)
    row = tuple(tokens.items[(3 * head) % len(tokens)] for head in range(heads))
    return HeadSweep(
        request=SweepRequest(question_of(tokens), Ablation(), metric),
        tokens=tokens,
        position=len(tokens) - 1,
        answer=tokens.items[2],
        distractor=tokens.items[4],
        baseline=2.5,
        effect=effect,
        top=(row,) * layers,
        evaluations=effect.size,
        seconds=0.02,
    )


def lens_of(
    layers: int = 4, tokens: Tokens | None = None, top: int = 5, seed: int = 0
) -> LogitLens:
    tokens = tokens or tokens_of()
    random = np.random.default_rng(seed)
    rows, count = layers + 1, len(tokens)
    probability = random.dirichlet(np.full(top + 3, 0.4), size=(rows, count))
    probability = -np.sort(-probability, axis=-1)[:, :, :top]
    picks = random.integers(0, count, size=(rows, count, top))
    return LogitLens(
        request=LensRequest(question_of(tokens), top),
        tokens=tokens,
        position=count - 1,
        rows=("embed", *(f"L{layer}" for layer in range(layers))),
        top=tuple(
            tuple(tuple(tokens.items[k] for k in cell) for cell in row) for row in picks.tolist()
        ),
        probability=probability,
        entropy=random.random((rows, count)),
        answer=tokens.items[min(2, count - 1)],
        distractor=tokens.items[min(4, count - 1)],
        answer_probability=random.random((rows, count)),
        answer_rank=random.integers(1, 50, size=(rows, count)),
        settles=3,
    )


def role_of(head: HeadId, role: Role = Role.UNCLEAR, score: float = 0.2) -> HeadRole:
    scores = tuple((r, score if r is role else 0.1) for r in Role if r is not Role.UNCLEAR)
    return HeadRole(head, role, score, scores)


def roles_of(layers: int = 2, heads: int = 3) -> HeadRoles:
    ids = [HeadId(layer, head) for layer in range(layers) for head in range(heads)]
    return HeadRoles(
        RolesRequest(question_of(tokens_of())),
        tuple(role_of(head, Role.INDUCTION, 0.9) for head in ids),
    )


def circuit_of(tokens: Tokens | None = None) -> Circuit:
    """Four heads in three layers, four tokens, Q, K and V edges between one pair of heads."""
    tokens = tokens or tokens_of()
    last = len(tokens) - 1
    heads = parse_heads("L0H6, L2H3, L3H1, L3H6")
    roles = (Role.PREVIOUS_TOKEN, Role.DUPLICATE_TOKEN, Role.ANSWER, Role.INDUCTION)
    direct = (-0.03, 0.12, 2.29, 2.24)
    answer, distractor = tokens.items[2], tokens.items[4]
    at = (2, 4, min(10, last - 1), last)
    labels = tokens.labels
    nodes = (
        *(
            CircuitNode(f"token:{position}", "token", labels[position], position=position)
            for position in at
        ),
        *(
            CircuitNode(str(h), "head", str(h), h, None, value, role_of(h, role, 0.7))
            for h, value, role in zip(heads, direct, roles, strict=True)
        ),
        CircuitNode("logits", "output", f"{answer.shown} − {distractor.shown}"),
    )
    measured = (
        ("L3H1", "logits", Via.LOGITS, -2.29),
        ("L3H6", "logits", Via.LOGITS, -2.24),
        ("L2H3", "logits", Via.LOGITS, 0.11),
        ("L0H6", "logits", Via.LOGITS, 0.034),
        ("L2H3", "L3H1", Via.Q, -1.41),
        ("L2H3", "L3H1", Via.K, 0.21),
        ("L2H3", "L3H1", Via.V, -0.17),
        ("L2H3", "L3H6", Via.Q, -0.38),
        ("L0H6", "L3H1", Via.K, -0.92),
        ("L0H6", "L3H6", Via.V, -0.31),
        ("L0H6", "L2H3", Via.K, 0.002),
    )
    seen = (
        (at[0], "L3H1", 0.83, last),
        (at[0], "L3H6", 0.71, last),
        (at[1], "L2H3", 0.4, at[2]),
        (at[2], "L2H3", 0.52, at[2]),
        (at[2], "L0H6", 0.6, at[2]),
        (at[3], "L0H6", 0.3, last),
    )
    edges = (
        *(CircuitEdge(*edge) for edge in measured),
        *(CircuitEdge(f"token:{t}", h, Via.ATTENTION, w, row) for t, h, w, row in seen),
    )
    written = (("embed", 0.2), ("L2 MLP", -0.8), ("L0 attention bias", 0.01), ("L1 MLP", 0.3))
    return Circuit(
        request=CircuitRequest(question_of(tokens), heads, Ablation(AblationKind.MEAN)),
        tokens=tokens,
        position=last,
        answer=answer,
        distractor=distractor,
        baseline=4.13,
        ablated=-1.2,
        nodes=nodes,
        edges=edges,
        contributions=(
            *(Contribution(str(h), value) for h, value in zip(heads, direct, strict=True)),
            *(Contribution(name, value) for name, value in written),
            Contribution("unembedding bias", -0.2),
        ),
        patched_with="the heads' mean over the prompt",
        evaluations=28,
        seconds=0.4,
    )


def search_of(objective: Objective = Objective.FLIP) -> SearchResult:
    """Two heads taken, a third taken and dropped again."""
    tokens = tokens_of()
    one, two, three = parse_heads("L2H3, L3H1, L0H6")
    mary, john = tokens.items[2], tokens.items[4]
    steps = (
        SearchStep("add", one, (one,), -1.5, two, -1.9, mary),
        SearchStep("add", three, (one, three), -0.4, two, -0.6, mary),
        SearchStep("add", two, (one, three, two), 1.2, None, None, john),
        SearchStep("drop", three, (one, two), 0.7, one, -0.2, john),
    )
    flip_to = john.id if objective is Objective.FLIP else None
    return SearchResult(
        request=SearchRequest(question_of(tokens), objective, flip_to),
        tokens=tokens,
        position=len(tokens) - 1,
        heads=(one, two),
        steps=steps,
        score=0.7,
        top=john,
        flipped=True,
        minimal=True,
        smallest=None,
        alternatives=(),
        evaluations=120,
        seconds=0.3,
        stopped="flipped",
    )


def ablation_of() -> AblationResult:
    tokens = tokens_of()
    heads = parse_heads("L2H3, L3H1")
    mary, john = tokens.items[2], tokens.items[4]
    clean = (RankedToken(mary, 0.9, 5.0, 1), RankedToken(john, 0.05, 2.0, 2))
    ablated = (RankedToken(john, 0.8, 4.0, 1), RankedToken(mary, 0.1, 2.0, 2))
    question = question_of(tokens)

    def prediction(top: tuple[RankedToken, ...], diff: float) -> Prediction:
        return Prediction(question, tokens, len(tokens) - 1, mary, john, top, 0.4, diff)

    return AblationResult(
        request=AblationRequest(question, heads),
        clean=prediction(clean, 3.0),
        ablated=prediction(ablated, -2.0),
        kl=1.9,
        changes=(
            TokenChange(mary, clean[0], ablated[1]),
            TokenChange(john, clean[1], ablated[0]),
        ),
    )


def _causal(weights: np.ndarray) -> np.ndarray:
    lower = np.tril(weights)
    return lower / lower.sum(axis=-1, keepdims=True)


LOOKED_AT = (HeadId(0, 1), HeadId(2, 2), HeadId(3, 0))


def _looked(tokens: Tokens) -> dict:
    return {
        "tokens": tokens,
        "position": len(tokens) - 1,
        "evaluations": 12,
        "seconds": 0.5,
    }


def redundancy_of(tokens: Tokens | None = None) -> Redundancy:
    tokens = tokens or tokens_of()
    single = np.array([-0.5, 0.25, -1.0])
    pair = np.array([[np.nan, -0.5, -1.0], [-0.5, np.nan, -0.75], [-1.0, -0.75, np.nan]])
    request = RedundancyRequest(question_of(tokens), LOOKED_AT)
    return Redundancy(request=request, heads=LOOKED_AT, single=single, pair=pair, **_looked(tokens))


def positions_of(tokens: Tokens | None = None) -> PositionMap:
    tokens = tokens or tokens_of()
    effect = np.random.default_rng(0).normal(size=(3, len(tokens)))
    request = PositionsRequest(question_of(tokens), LOOKED_AT)
    whole = effect.sum(1)
    return PositionMap(
        request=request, heads=LOOKED_AT, effect=effect, whole=whole, **_looked(tokens)
    )


def control_of(tokens: Tokens | None = None) -> Control:
    tokens = tokens or tokens_of()
    random = np.linspace(-1, 1, 201)
    request = ControlRequest(question_of(tokens), LOOKED_AT)
    return Control(request=request, effect=-0.5, random=random, possible=511, **_looked(tokens))


def dose_of(tokens: Tokens | None = None) -> Dose:
    tokens = tokens or tokens_of()
    scale = np.linspace(-1, 2, 7)
    one, other = tokens.items[2], tokens.items[4]
    return Dose(
        request=DoseRequest(question_of(tokens), LOOKED_AT, steps=7),
        answer=one,
        distractor=other,
        scale=scale,
        logit_diff=2 * scale,
        answer_probability=1 / (1 + np.exp(-2 * scale)),
        distractor_probability=1 / (1 + np.exp(2 * scale)),
        kl=(scale - 1) ** 2,
        flips=(Flip(0.25, other, one),),
        **_looked(tokens),
    )


def agreement_of(tokens: Tokens | None = None) -> Agreement:
    tokens = tokens or tokens_of()
    effect = np.random.default_rng(1).normal(size=(2, 4, 8))
    return Agreement(
        request=AgreementRequest(question_of(tokens)),
        ablations=(Ablation(), Ablation(AblationKind.MEAN)),
        effect=effect,
        correlation=np.array([[1.0, 0.6], [0.6, 1.0]]),
        **_looked(tokens),
    )


def family_of(tokens: Tokens | None = None) -> FamilyEffect:
    """Three pairs: one flips, one stays, one the clean model gets wrong."""
    tokens = tokens or tokens_of()
    answer, distractor, other = tokens.items[2], tokens.items[4], tokens.items[8]
    plain = "".join(tokens.texts[int(tokens.bos) :])
    text = Pair(plain, plain + "!", answer.text, distractor.text)
    pair = TokenPair(tokens, tokens, answer, distractor, len(tokens) - 1, text)
    return FamilyEffect(
        request=FamilyRequest(pairs_of("induction", 4), LOOKED_AT),
        pairs=(
            PairEffect(pair, 3.0, -1.0, answer, distractor),
            PairEffect(pair, 2.0, 1.0, answer, answer),
            PairEffect(pair, -0.5, -0.75, other, other),
        ),
        refused=(BadPair(4, "too long"),),
        evaluations=3,
        seconds=0.5,
    )


def family_search_of(**changes) -> FamilySearchResult:
    """A set of two heads, found in two steps."""
    one, other = LOOKED_AT[:2]
    request = FamilySearchRequest(pairs_of("induction", 20))
    found = FamilySearchResult(
        request=request,
        heads=(one, other),
        steps=(
            FamilyStep("add", (one,), (one,), -0.5, Rate(2, 9)),
            FamilyStep("add", (other,), (one, other), -0.1, Rate(8, 9)),
        ),
        score=-0.1,
        train=Rate(8, 9),
        held_out=Rate(6, 9),
        random=(Rate(0, 9), Rate(6, 9), Rate(7, 9), Rate(1, 9)),
        minimal=True,
        smallest=True,
        usable=18,
        apart=2,
        refused=(),
        evaluations=345,
        seconds=1.5,
        stopped="reached",
    )
    return replace(found, **changes)


def cost_of(tokens: Tokens | None = None) -> CostTable:
    tokens = tokens or tokens_of()
    rows = (
        Cost(RankedToken(tokens.items[4], 0.1, 2.0, 2), LOOKED_AT[:2], 0.5, True, None),
        Cost(RankedToken(tokens.items[8], 0.01, 1.0, 3), LOOKED_AT, -1.5, False, None),
    )
    request = CostRequest(question_of(tokens))
    return CostTable(request=request, rows=rows, **_looked(tokens))


def pairs_of(family: str = "indirect object", count: int = 20) -> PairsRequest:
    """A family's pairs, or with "" the question's own."""
    question = question_of(tokens_of())
    if not family:
        return PairsRequest(replace(question, counterfactual="When Mary and John went, Mary"))
    return PairsRequest(Question(question.model, ""), family, count)


def attribution_request_of(**changes) -> AttributionRequest:
    return AttributionRequest(pairs_of(), **changes)


def cut_of(
    edges: int = 24, layers: int = 4, heads: int = 4, seed: int = 0, exact: int = 3
) -> Circuit:
    """A circuit as cut from scores: input, heads, MLPs, logits; the strongest edges measured."""
    graph = Graph(layers, heads, heads, is_parallel=False)
    random = np.random.default_rng(seed)
    # A few nodes are in most of the strong edges, as in measured scores.
    weight = [random.gamma(0.4, size=(len(ends), 1)) for ends in (graph.writers, graph.readers)]
    weight[1][-1] = 6 * weight[1].max()  # much goes directly to the logits
    scores = (weight[0] * weight[1].T * random.normal(size=graph.edges.shape))[graph.edges]
    strongest = np.argsort(-abs(scores))[:edges]
    ids = [graph.edge(*place) for place in np.argwhere(graph.edges)[strongest]]
    values = 3 * scores[strongest] / abs(scores).max()
    drawn = tuple(
        CircuitEdge(
            id.writer,
            id.reader,
            id.via,
            float(value),
            is_exact=number < exact,
            estimate=0.8 * float(value) if number < exact else None,
        )
        for number, (id, value) in enumerate(zip(ids, values, strict=True))
    )
    tokens = tokens_of()
    answer, distractor = tokens.items[2], tokens.items[4]
    used = {end for edge in drawn for end in (edge.source, edge.target)}
    nodes = [node_of(name) for name in graph.writers if name in used]
    nodes.append(CircuitNode(OUTPUT, "output", f"{answer.shown} − {distractor.shown}"))
    return Circuit(
        request=CutRequest(attribution_request_of(), edges=edges, exact_top=exact),
        tokens=tokens,
        position=len(tokens) - 1,
        answer=answer,
        distractor=distractor,
        baseline=3.2,
        ablated=None,
        nodes=tuple(nodes),
        edges=drawn,
        contributions=(),
        patched_with="the counterfactual's",
        evaluations=12,
        seconds=0.6,
        pairs=20,
    )


def node_of(name: str) -> CircuitNode:
    if name == INPUT:
        return CircuitNode(INPUT, "input", "input")
    if name.endswith("MLP"):
        return CircuitNode(name, "mlp", f"{name.removesuffix('MLP')} MLP")
    head = HeadId.parse(name)
    role = (Role.PREVIOUS_TOKEN, Role.INDUCTION, Role.UNCLEAR)[head.head % 3]
    return CircuitNode(name, "head", name, head, None, None, role_of(head, role, 0.6))


def faithfulness_of(size: int, faithfulness: float, total: int = 1000) -> Faithfulness:
    """An interval of ±0.1 around it; m(circuit) as if m(full) were 4 logits and m(empty) 1."""
    interval = Interval(faithfulness - 0.1, faithfulness + 0.1)
    metric = 1 + 3 * faithfulness
    return Faithfulness(size, size / total, metric, faithfulness, interval, 1 - faithfulness)


def curve_of(total: int = 1000) -> Curve:
    """Faithfulness at six sizes, from the empty to the full circuit, with random circuits."""
    sizes, values = (0, 10, 50, 100, 500, total), (0.0, 0.31, 0.74, 0.92, 1.04, 1.0)
    controls = (0.0, -0.02, 0.03, 0.07, 0.4, 1.0)
    return Curve(
        request=CurveRequest(CutRequest(attribution_request_of())),
        points=tuple(
            faithfulness_of(size, value, total) for size, value in zip(sizes, values, strict=True)
        ),
        random=tuple(
            RandomCircuits(size, (mean - 0.05, mean, mean + 0.05))
            for size, mean in zip(sizes, controls, strict=True)
        ),
        cpr=0.97,
        cmd=0.06,
        random_cpr=0.52,
        random_cmd=0.48,
        full=4.0,
        empty=1.0,
        pairs=20,
        total=total,
        seconds=3.1,
    )


def mib_of(total: int = 2000) -> MibCurve:
    """Both rankings; the smallest circuits are empty."""
    values = {
        Ranking.SIGNED: (0.0, 0.0, 0.1, 0.4, 0.7, 1.0, 1.1, 1.2, 1.1, 1.0),
        Ranking.ABSOLUTE: (0.0, 0.0, 0.1, 0.3, 0.5, 0.8, 0.9, 0.9, 1.0, 1.0),
    }
    signed, absolute = (
        MibAreas(
            ranking,
            tuple(
                MibPoint(share, int(share * total), int(share * total * (value > 0)), value, value)
                for share, value in zip(MIB_SHARES, values[ranking], strict=True)
            ),
            cpr,
            0.08,
        )
        for ranking, cpr in ((Ranking.SIGNED, 1.06), (Ranking.ABSOLUTE, 0.25))
    )
    request = MibRequest(attribution_request_of())
    return MibCurve(request, signed, absolute, 4.0, 1.0, 20, total, "resample", 2.5)


def proof_of() -> FaithfulnessResult:
    """One circuit of three edges, measured without each."""
    edges = tuple(EdgeId.parse(text) for text in ("L0H1->L2H3.K", "L2H3->logits", "input->L0MLP"))
    request = FaithfulnessRequest(pairs_of(), edges, leave_out=True, random_circuits=5)
    return FaithfulnessResult(
        request=request,
        measured=faithfulness_of(3, 0.87),
        full=4.0,
        empty=1.0,
        pairs=20,
        random=RandomCircuits(3, (0.0, 0.02, -0.01, 0.05, 0.04)),
        minimality=tuple(
            Minimality(edge, loss) for edge, loss in zip(edges, (0.21, 0.66, -0.03), strict=True)
        ),
        seconds=0.8,
    )
