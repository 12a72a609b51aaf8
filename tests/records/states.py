"""States of the page for tests: any at all, and one with something of everything on it."""

from typing import Any

from hypothesis import strategies as st

from attention_viz.records.ablation import AblationKind
from attention_viz.records.circuits.attribution import EDGE_ABLATIONS, Method, Points
from attention_viz.records.circuits.circuit import Cut
from attention_viz.records.circuits.families import FAMILIES
from attention_viz.records.circuits.replacing import InputPart, MeanOver
from attention_viz.records.ids import HeadId
from attention_viz.records.looks.family import PairFlip
from attention_viz.records.metrics import Metric
from attention_viz.records.page import VIEWS, PageState
from attention_viz.records.page.ablation import LOOKS
from attention_viz.records.page.circuit import SIDE_LENSES, SOURCES
from attention_viz.records.search import Objective, Strategy

MARY = PageState(
    prompt="When Mary and John went to the store, John gave a drink to",
    counterfactual="When Mary and John went to the store, Mary gave a drink to",
    heads=("L2H3", "L3H1", "L0H5"),
)
WORKED_ON = (
    MARY.change(
        kind="scale",
        scale=0.5,
        theme="dark",
        position=4,
        answer=3,
        distractor=5,
        flip_to=7,
        view="circuit",
    )
    .put("attention", show="difference", page=1, threshold=0.1, focus=(3, 2))
    .put("lens", show="ablated")
    .put("ablation", look="family", family="induction", pair_count=9, flip="sign", share=0.6)
    .put(
        "circuit",
        edges=30,
        arranged="tokens",
        kept=MARY.to_fragment(),
        names=(("L2H3", "mover"),),
        hidden=("token:3",),
        pinned=(("L2H3", 1.0, 2.0),),
        shape="page",
        groups=(("readers", ("L2H3", "L3H1")),),
        folds=False,
        opened=("L1MLP", "L2MLP"),
        width=1200,
        height=900,
        exact=("L0H1->L2H3.K",),
        given_edges=("input->L0H1.V",),
    )
)

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)  # no half characters
IDS = st.none() | st.integers(0, 60_000)
HEADS = st.builds(HeadId, st.integers(0, 99), st.integers(0, 99))
_EDGES = st.sampled_from(["L0H1->L2H3.K", "input->L0H1.V", "L3H2->logits", "L0MLP->L1MLP"])
_PLACES = st.floats(-9999, 9999)


def _one_of(options: Any) -> Any:
    return st.sampled_from([getattr(option, "value", option) for option in options])


def _several(each: Any, most: int = 4) -> Any:
    return st.lists(each, max_size=most).map(tuple)


_SHARED = st.fixed_dictionaries(
    {
        "model": TEXTS,
        "prompt": TEXTS,
        "counterfactual": TEXTS,
        "bos": st.sampled_from([None, True, False]),
        "position": st.integers(-500, 500),
        "answer": IDS,
        "distractor": IDS,
        "flip_to": IDS,
        "heads": _several(HEADS.map(str), 10),
        "kind": _one_of(AblationKind),
        "metric": _one_of(Metric),
        "objective": _one_of(Objective),
        "max_heads": st.integers(1, 64),
        "strategy": _one_of(Strategy),
        "view": _one_of(view.name for view in VIEWS),
        "theme": st.sampled_from(["light", "dark"]),
        # Settings of the kinds
        "scale": st.floats(-10, 10),
        "threshold": st.floats(0, 10),
        "seed": st.integers(0, 2**32 - 1),
    }
)
_ATTENTION = st.fixed_dictionaries(
    {
        "show": st.sampled_from(["clean", "ablated", "difference"]),
        "page": st.integers(0, 10_000),
        "threshold": st.floats(0, 1),
        "focus": st.none() | st.tuples(st.integers(0, 500), st.integers(0, 500)),
    }
)
_CIRCUIT = st.fixed_dictionaries(
    {
        "source": _one_of(SOURCES),
        "pairs": _one_of(["", "given", *(family.name for family in FAMILIES)]),
        "pair_count": st.integers(1, 40),
        "given_pairs": _several(st.tuples(TEXTS, TEXTS, TEXTS, TEXTS)),
        "method": _one_of(Method),
        "edge_kind": _one_of(EDGE_ABLATIONS),
        "points": _one_of(Points),
        "input_part": _one_of(InputPart),
        "mean_over": _one_of(MeanOver),
        "cut": _one_of(Cut),
        "edges": st.integers(1, 100_000),
        "mlps": st.booleans(),
        "exact": _several(_EDGES),
        "given_edges": _several(_EDGES),
        "smallest": st.floats(0, 1),
        "side_lens": _one_of(SIDE_LENSES),
        "kept": TEXTS,
        "arranged": st.sampled_from(["layers", "tokens"]),
        "pinned": _several(st.tuples(TEXTS, _PLACES, _PLACES)),
        "shape": st.sampled_from(["", "page"]),
        "hidden": _several(TEXTS),
        "names": _several(st.tuples(TEXTS, TEXTS)),
        "groups": _several(st.tuples(TEXTS, _several(TEXTS))),
    }
)


_ABLATION = st.fixed_dictionaries(
    {
        "look": _one_of(LOOKS),
        "family": _one_of([*(family.name for family in FAMILIES), "given"]),
        "pair_count": st.integers(1, 1000),
        "flip": _one_of(PairFlip),
        "share": st.floats(0.01, 1),
    }
)


def _state(shared: dict, attention: dict, circuit: dict, ablation: dict, show: str) -> PageState:
    state = PageState().change(**shared).put("attention", **attention).put("circuit", **circuit)
    return state.put("ablation", **ablation).put("lens", show=show)


STATES = st.builds(
    _state, _SHARED, _ATTENTION, _CIRCUIT, _ABLATION, st.sampled_from(["clean", "ablated"])
)
