"""What the circuit view shows: what the circuit is made of, and what was done to its drawing."""

from dataclasses import dataclass
from typing import Any

from attention_viz.records.ablation import AblationKind
from attention_viz.records.circuits.attribution import EDGE_ABLATIONS, Method, Points
from attention_viz.records.circuits.circuit import Cut
from attention_viz.records.circuits.circuit_view import (
    LAYOUTS,
    PICTURE_SIDE,
    SHAPES,
    CircuitView,
)
from attention_viz.records.circuits.edge import EdgeId
from attention_viz.records.circuits.families import FAMILIES
from attention_viz.records.circuits.pairs import MOST_PAIRS
from attention_viz.records.circuits.replacing import InputPart, MeanOver, Replacing
from attention_viz.records.page.checks import (
    LONGEST_TEXT,
    are,
    choice,
    flag,
    is_number,
    number,
    rows,
    text,
    texts,
    whole,
)
from attention_viz.records.page.view import ViewState

SOURCES = ("heads", "scores", "given")  # chosen heads, cut from edge scores, imported edges
SIDE_LENSES = ("clean", "ablated", "circuit")
SMALLEST = 0.02  # edges weaker than this share of the strongest are not drawn at first


def _is_place(given: Any) -> bool:
    is_named = isinstance(given, tuple) and len(given) == 3 and isinstance(given[0], str)
    return is_named and all(is_number(at) and abs(at) < 1e5 for at in given[1:])


def _is_group(given: Any) -> bool:
    is_named = isinstance(given, tuple) and len(given) == 2 and isinstance(given[0], str)
    return is_named and are(given[1], str)


@dataclass(frozen=True)
class CircuitState(ViewState):
    source: str = choice(SOURCES, SOURCES[0])
    # "" = the prompt and its counterfactual, a family's name, or "given"
    pairs: str = choice(("", "given", *(family.name for family in FAMILIES)), "")
    pair_count: int = whole(20, 1, MOST_PAIRS)  # of a family
    # (clean, counterfactual, answer, distractor)
    given_pairs: tuple[tuple[str, str, str, str], ...] = rows(lambda pair: are(pair, str, 4))
    method: str = choice(Method, Method.EAP_IG)
    edge_kind: str = choice(EDGE_ABLATIONS, AblationKind.RESAMPLE)
    points: str = choice(Points, Points.RIGHT)  # of EAP-IG
    input_part: str = choice(InputPart, InputPart.BOTH)  # of mean and zero
    mean_over: str = choice(MeanOver, MeanOver.ALL)
    cut: str = choice(Cut, Cut.GREEDY)
    edges: int = whole(20, 1, 100_000)
    mlps: bool = flag(True)
    exact: tuple[str, ...] = texts(EdgeId.parse)  # edges to measure exactly
    given_edges: tuple[str, ...] = texts(EdgeId.parse)  # of an imported circuit
    smallest: float = number(SMALLEST, 0, 1)  # share of the strongest edge; weaker: not drawn
    side_lens: str = choice(SIDE_LENSES, SIDE_LENSES[0])  # of which run the lens beside it is
    # the link of a page whose circuit is compared with this one's
    kept: str = text(most=LONGEST_TEXT // 4)
    # What was done to the drawing
    arranged: str = choice(LAYOUTS, "layers")
    pinned: tuple[tuple[str, float, float], ...] = rows(_is_place)  # node, x, y
    shape: str = choice(("", *SHAPES), "")  # that the pinned places belong to; "": as fits
    hidden: tuple[str, ...] = texts()  # nodes
    names: tuple[tuple[str, str], ...] = rows(lambda pair: are(pair, str, 2))  # node, its new name
    groups: tuple[tuple[str, tuple[str, ...]], ...] = rows(_is_group)  # name, nodes
    folds: bool = flag(True)  # chains of MLPs of a deep circuit, to stacks
    opened: tuple[str, ...] = texts()  # MLPs taken out of their stacks
    # px of an exported picture; None: as it comes
    width: int | None = whole(None, *PICTURE_SIDE, or_none=True)
    height: int | None = whole(None, *PICTURE_SIDE, or_none=True)

    @property
    def drawing(self) -> CircuitView:
        """What was done to the drawing."""
        done = (self.arranged, self.pinned, self.hidden, self.names, self.groups)
        return CircuitView(*done, self.shape, self.folds, self.opened)

    @property
    def replacing(self) -> Replacing:
        """What of its choices says something about the kind chosen."""
        return Replacing.of(AblationKind(self.edge_kind), self.input_part, self.mean_over)

    @property
    def asks_own_pairs(self) -> bool:
        """Whether the circuit is of pairs of its own, whatever prompt the page shows."""
        return self.source != "heads" and self.pairs != ""

    def without_drawing(self) -> "CircuitState":
        """Nothing pinned, hidden, named, grouped or opened."""
        return self.change(pinned=(), shape="", hidden=(), names=(), groups=(), opened=())

    def when_prompt_changes(self) -> "CircuitState":
        """Nodes and edges of one prompt's circuit mean nothing in another's."""
        return self if self.asks_own_pairs else self._without_nodes()

    def when_model_changes(self) -> "CircuitState":
        """Another model may add no position embeddings that could be kept."""
        return self._without_nodes().change(input_part=InputPart.BOTH.value)

    def _without_nodes(self) -> "CircuitState":
        return self.without_drawing().change(exact=(), given_edges=())
