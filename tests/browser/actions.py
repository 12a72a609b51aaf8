"""What a person does at the page that must be quick: one table for the benchmark and the budgets.

All that these know of the page's elements stands in this module, as CSS and JavaScript: a page
that is built otherwise needs changes here only. In JavaScript `facts` is the case as JSON.
"""

import base64
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from attention_viz.records.ablation import (
    Ablation,
    AblationKind,
    AblationRequest,
    PredictionRequest,
)
from attention_viz.records.attention import AttentionRequest
from attention_viz.records.circuits.attribution import AttributionRequest
from attention_viz.records.circuits.circuit import CutRequest
from attention_viz.records.circuits.faithfulness import FaithfulnessRequest
from attention_viz.records.circuits.node import NodeRequest
from attention_viz.records.circuits.pairs import PairsRequest, TokenPair
from attention_viz.records.lens import LensRequest
from attention_viz.records.model import EMBEDDED
from attention_viz.records.question import Question
from attention_viz.records.search import Objective, SearchRequest
from attention_viz.records.sweep import SweepRequest
from tests.browser.probe import Click, Drag, Gesture, Press, Probe, Visit, Watch

Ask = Callable[[Any], Any]  # a request → its record

# Elements, as CSS. Where a comma separates two, either page has one of them.

PREDICTION, GRID, PILLS, TOKENS = "#prediction", "#head-grid", "#head-pills", "#tokens"
MAPS, ATTENTION, LENS = "#view-attention .maps", "#view-attention", "#view-lens"
VIEW = "#view"  # holds only the open view, where it is there
GRAPH, DETAIL, PROOF = "#circuit-graph", "#circuit-detail", "#proof-now"
PROMPT, COUNTERFACTUAL = "#prompt", "#counterfactual"
RAIL = f"{PREDICTION}, {GRID}, {PILLS}"
KIND = "#kind input[value=mean] + *"
SCALE = "#scale [role=slider], input#scale"
SIZE = "#circuit-size [role=slider], input#circuit-size, input[data-field='circuit.edges']"

# Places: facts → element, or [x, y] in the window.


def _element(selector: str) -> str:
    return f"() => document.querySelector({json.dumps(selector)})"


HEAD = "facts => document.querySelector(`.head-grid .cell[data-head=${facts.head}]`)"


def _in_graph(finds: str) -> str:
    """`finds`: JavaScript that sets `at` from `cy`."""
    return f"""facts => {{
        const box = document.querySelector("{GRAPH}"), cy = pageProbe.cy("{GRAPH}");
        box.scrollIntoView({{block: "center"}});
        const {{left, top}} = cy.container().getBoundingClientRect();
        const one = (all) => all[facts.number % all.length];
        {finds}
        return [left + at.x, top + at.y];
    }}"""


NODE = _in_graph("""
    const heads = cy.nodes().filter((node) => /^L\\d+H\\d+$/.test(node.id()));
    const at = one(heads.sort((a, b) => a.id().localeCompare(b.id()))).renderedPosition();""")
# A point of an edge that no other part of the graph covers
EDGE = _in_graph("""
    const free = cy.edges().filter((edge) => {
        const {x, y} = edge.midpoint();
        return cy.renderer().findNearestElement(x, y, true, false) === edge;
    });
    const at = one(free).renderedMidpoint();""")

# Claims: facts → truth. They say that the page shows the case at all, not that it rests.

HAS_BARS = f"() => Boolean(pageProbe.one('{PREDICTION} .bar-row .bar.clean'))"
HAS_BOTH = f"() => Boolean(pageProbe.one('{PREDICTION} .bar-row .bar.ablated'))"
IS_SWEPT = f"""() => pageProbe.all('{GRID} .cell').length > 0
    && !pageProbe.one('{GRID} .cell.unmeasured')"""
IS_HERE = f"() => ({HAS_BARS})() && ({IS_SWEPT})()"
HAS_HEADS = f"() => ({HAS_BOTH})() && ({IS_SWEPT})()"
FACTS = f"pageProbe.one('{PREDICTION} .facts').textContent"
SAYS_KIND = f"""() => /mean/.test({FACTS})
    && ({IS_SWEPT})()"""
SAYS_SCALE = f"""() => /scale 0\\.\\d/.test({FACTS})
    && ({IS_SWEPT})()"""
HAS_GRAPH = f"""() => pageProbe.cy('{GRAPH}').edges().length > 3
    && /\\d/.test(pageProbe.one('{PROOF}').textContent)"""
SAYS_DETAIL = f"() => pageProbe.one('{DETAIL}').textContent.length > 0"
HAS_LENS = f"""() => !pageProbe.one('{LENS}').closest('[hidden]')
    && pageProbe.one('{LENS} .js-plotly-plot, {LENS} [data-drawn]')"""
SHOWS_MAPS = f"() => !pageProbe.one('{ATTENTION}').closest('[hidden]') && ({HAS_HEADS})()"
IS_THERE = "() => true"

SIZES = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100)  # the slider's places
_LARGEST = SIZES.index(60)
HEADS = tuple(f"L{layer}H{head}" for layer in range(4) for head in range(8))


@dataclass(frozen=True)
class Case:
    """A question nobody has asked before, and the heads, place, … of this run.

    `circuits` is one question for all runs: a circuit's scores are known when it is looked at.
    """

    number: int
    pair: TokenPair
    circuits: TokenPair
    model: str = EMBEDDED

    @property
    def heads(self) -> tuple[str, str]:
        """Two that are selected before the action."""
        return HEADS[self.number % 16], HEADS[31 - (3 * self.number) % 16]

    @property
    def facts(self) -> dict[str, Any]:
        """For JavaScript; `head` is not selected before, and another one in each run."""
        return {"number": self.number, "head": HEADS[(5 * self.number + 2) % len(HEADS)]}

    def question(self, pair: TokenPair | None = None) -> Question:
        pair = pair or self.pair
        return Question(
            self.model,
            pair.text.clean,
            counterfactual=pair.text.counterfactual,
            distractor=pair.distractor.id,
        )

    def link(self, pair: TokenPair | None = None, **more: Any) -> str:
        """Of version 1: every version of the page reads it, so that they can be compared."""
        pair = pair or self.pair
        values = {
            "prompt": pair.text.clean,
            "counterfactual": pair.text.counterfactual,
            "flip_to": pair.distractor.id,
            **({} if self.model == EMBEDDED else {"model": self.model}),
            **more,
        }
        packed = zlib.compress(json.dumps(values).encode(), 9)
        return "#v1." + base64.urlsafe_b64encode(packed).decode().rstrip("=")

    @property
    def cut(self) -> CutRequest:
        pairs = PairsRequest(self.question(self.circuits))
        return CutRequest(AttributionRequest(pairs), SIZES[self.place - 1])

    @property
    def place(self) -> int:
        """The slider's before the action, which goes one to the left."""
        return _LARGEST - self.number % (_LARGEST - 3)


@dataclass(frozen=True)
class Action:
    """`before` brings the page to where `gesture` starts; `results`: what is timed of it.

    `engine`: asks the analysis alone what the page asks, by result; `known` before that is not
    timed.
    """

    before: Callable[[Probe, Case], None]
    gesture: Gesture
    results: dict[str, Watch]
    done: str
    engine: dict[str, Callable[[Ask, Case], None]]
    known: Callable[[Ask, Case], None] = lambda ask, case: None
    link: Callable[[Case], str] = lambda case: ""


# Before


def _shows(probe: Probe, case: Case, pair: TokenPair, done: str, **more: Any) -> None:
    """The page on a pair, whatever it showed before."""
    is_here = f"facts => pageProbe.one('{PROMPT}').value === facts.prompt && ({done})(facts)"
    facts = {**case.facts, "prompt": pair.text.clean}
    probe.shows(case.link(pair, **more), is_here, facts)


def _view(view: str, done: str, **more: Any) -> Callable[[Probe, Case], None]:
    def go(probe: Probe, case: Case) -> None:
        _shows(probe, case, case.pair, done, view=view, heads=case.heads, **more)

    return go


def _circuit(probe: Probe, case: Case) -> None:
    more = {"view": "circuit", "source": "scores", "edges": SIZES[case.place]}
    _shows(probe, case, case.circuits, HAS_GRAPH, **more)


def _no_heads(probe: Probe, case: Case) -> None:
    _shows(probe, case, case.pair, IS_HERE, view="attention")


def _typed(probe: Probe, case: Case) -> None:
    """The page on the run's circuit question, another one than what is typed."""
    _shows(probe, case, case.circuits, HAS_HEADS, heads=case.heads)
    probe.writes(PROMPT, case.pair.text.clean)
    probe.writes(COUNTERFACTUAL, case.pair.text.counterfactual)
    probe.rests()


def _opened_lens(probe: Probe, case: Case) -> None:
    _view("attention", HAS_HEADS)(probe, case)
    probe.call(f"() => ({_element('#tab-lens')})().click()")
    probe.rests(HAS_LENS)


def _nothing(probe: Probe, case: Case) -> None:
    pass


def _with_heads(case: Case) -> str:
    return case.link(view="attention", heads=case.heads)


# What the engine is asked


def _ids(*names: str) -> tuple[Any, ...]:
    from attention_viz.records.ids import HeadId

    return tuple(HeadId.parse(name) for name in names)


def _ask_heads(ask: Ask, case: Case, *names: str, kind: Ablation | None = None) -> None:
    ablation = kind or Ablation()
    ask(PredictionRequest(case.question()))
    ask(AblationRequest(case.question(), _ids(*names), ablation))
    ask(AttentionRequest(Question(case.model, case.pair.text.clean), _ids(*names)))


def _ask_head(ask: Ask, case: Case) -> None:
    _ask_heads(ask, case, case.facts["head"])


def _ask_kind(ask: Ask, case: Case) -> None:
    _ask_other(ask, case, Ablation(AblationKind.MEAN))


def _ask_scale(ask: Ask, case: Case) -> None:
    _ask_other(ask, case, Ablation(AblationKind.SCALE, scale=0.05))


def _ask_other(ask: Ask, case: Case, ablation: Ablation) -> None:
    ask(AblationRequest(case.question(), _ids(*case.heads), ablation))
    ask(SweepRequest(case.question(), ablation))


def _ask_run(ask: Ask, case: Case) -> None:
    _ask_heads(ask, case, *case.heads)
    ask(SweepRequest(case.question()))


def _ask_find(ask: Ask, case: Case) -> None:
    flip_to = case.pair.distractor.id
    found = ask(SearchRequest(case.question(), Objective.FLIP, flip_to))
    if found.heads:
        ask(AblationRequest(case.question(), found.heads, Ablation()))


def _ask_bars(ask: Ask, case: Case) -> None:
    ask(PredictionRequest(case.question()))
    ask(AblationRequest(case.question(), _ids(*case.heads), Ablation()))


def _ask_lens(ask: Ask, case: Case) -> None:
    plain = Question(case.model, case.pair.text.clean, distractor=case.pair.distractor.id)
    ask(LensRequest(plain))


def _ask_cut(ask: Ask, case: Case) -> None:
    ask(case.cut)


def _ask_proof(ask: Ask, case: Case) -> None:
    circuit = ask(case.cut)
    ask(FaithfulnessRequest(case.cut.pairs, circuit.edge_ids))


def _ask_scores(ask: Ask, case: Case) -> None:
    ask(case.cut.attribution)


def _ask_node(ask: Ask, case: Case) -> None:
    ablation = Ablation(AblationKind.RESAMPLE)
    ask(NodeRequest(case.cut.pairs, case.facts["head"], ablation))


def _ask_nothing(ask: Ask, case: Case) -> None:
    pass


ACTIONS: tuple[Action, ...] = (
    Action(
        _no_heads,
        Click(HEAD),
        {"select_head": Watch(f"{RAIL}, {MAPS}")},
        HAS_BOTH,
        {"select_head": _ask_head},
    ),
    Action(
        _view("attention", HAS_HEADS),
        Click(_element(KIND)),
        {"kind": Watch(f"{RAIL}, {MAPS}")},
        SAYS_KIND,
        {"kind": _ask_kind},
    ),
    Action(
        _view("attention", HAS_HEADS, kind="scale", scale=0.0),
        Press(_element(SCALE), "ArrowRight"),
        {"scale_step": Watch(f"{RAIL}, {MAPS}")},
        SAYS_SCALE,
        {"scale_step": _ask_scale},
    ),
    Action(
        _typed,
        Click(_element("#run")),
        {"run": Watch(f"{TOKENS}, {RAIL}, {MAPS}")},
        HAS_HEADS,
        {"run": _ask_run},
    ),
    Action(
        _no_heads,
        Click(_element("#find")),
        {"find": Watch(RAIL)},
        HAS_BOTH,
        {"find": _ask_find},
    ),
    Action(
        _view("attention", HAS_HEADS),
        Click(_element("#tab-lens")),
        {"open_lens": Watch(f"{LENS}, {VIEW}")},
        HAS_LENS,
        {"open_lens": _ask_lens},
    ),
    Action(
        _opened_lens,
        Click(_element("#tab-attention")),
        {"back": Watch(f"{ATTENTION}, {VIEW}")},
        SHOWS_MAPS,
        {"back": _ask_nothing},
    ),
    Action(
        _circuit,
        Press(_element(SIZE), "ArrowLeft"),
        {
            "circuit_slider_graph": Watch(GRAPH),
            "circuit_slider_faithfulness": Watch(PROOF),
        },
        HAS_GRAPH,
        {"circuit_slider_graph": _ask_cut, "circuit_slider_faithfulness": _ask_proof},
        known=_ask_scores,
    ),
    Action(
        _circuit,
        Click(NODE),
        {"node": Watch(DETAIL)},
        SAYS_DETAIL,
        {"node": _ask_node},
        known=_ask_scores,
    ),
    Action(_circuit, Click(EDGE), {"edge": Watch(DETAIL)}, SAYS_DETAIL, {"edge": _ask_nothing}),
    Action(
        _view("attention", HAS_HEADS),
        Click(_element("#theme-switch")),
        {"theme": Watch(inside=MAPS, itself="html")},
        IS_THERE,
        {"theme": _ask_nothing},
    ),
    Action(
        _circuit,
        Drag(NODE, (40, 15)),
        {"drag_node": Watch(GRAPH)},
        IS_THERE,
        {"drag_node": _ask_nothing},
    ),
    Action(
        _nothing,
        Visit(is_first=True),
        {
            "open_link": Watch(PREDICTION, until=HAS_BARS),
            "open_link_heads": Watch(GRID, until=IS_SWEPT),
        },
        HAS_HEADS,
        {"open_link": _ask_bars, "open_link_heads": _ask_run},
        link=_with_heads,
    ),
    Action(
        _nothing,
        Visit(is_first=False),
        {"second_visit": Watch(PREDICTION, until=HAS_BARS)},
        HAS_HEADS,
        {"second_visit": _ask_nothing},
        link=_with_heads,
    ),
)
VIEWS = ("attention", "ablation", "circuit", "lens")


@dataclass(frozen=True)
class Goal:
    """What a result may take at most."""

    ms: float | None = None
    requests: int | None = None
    kb: float | None = None  # sent and received, 1,000 bytes


GOALS = {
    "select_head": Goal(250, 3, 25),
    "kind": Goal(250, 3, 25),
    "scale_step": Goal(250, 3, 25),
    "run": Goal(600, 5),
    "find": Goal(2200, 12),
    "open_lens": Goal(500, 3),
    "back": Goal(250, 3),
    "circuit_slider_graph": Goal(250, 3),
    "circuit_slider_faithfulness": Goal(600, 3),
    "node": Goal(400),
    "theme": Goal(100, 0),
    "drag_node": Goal(requests=1),
    "open_link": Goal(2000, 45, 1900),
    "open_link_heads": Goal(3000, 45, 1900),
    "second_visit": Goal(kb=100),
}
MOST_COMPONENTS = 350
