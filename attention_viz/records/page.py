"""What the page shows. The same record is the link: it lives in the URL's fragment.

A fragment never reaches a server's log; it is versioned, compressed and checked when read.
"""

import base64
import binascii
import json
import zlib
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from attention_viz.records.ablation import Ablation, AblationKind
from attention_viz.records.circuits.attribution import EDGE_ABLATIONS, Method
from attention_viz.records.circuits.circuit import Cut
from attention_viz.records.circuits.circuit_view import LAYOUTS, CircuitView
from attention_viz.records.circuits.edge import EdgeId
from attention_viz.records.circuits.families import FAMILIES
from attention_viz.records.circuits.pairs import MOST_PAIRS, Pair, PairsRequest
from attention_viz.records.errors import BadInput
from attention_viz.records.ids import HeadId
from attention_viz.records.metrics import Metric
from attention_viz.records.model import EMBEDDED
from attention_viz.records.question import Question
from attention_viz.records.search import Objective, Strategy

VERSION = 1
_MAX_BYTES = 100_000  # of the unpacked JSON; a link is not a file
LOOKS = ("cost", "dose", "redundancy", "positions", "control", "agreement")
SOURCES = ("heads", "scores", "given")  # chosen heads, cut from edge scores, imported edges
SIDE_LENSES = ("clean", "ablated", "circuit")
MOST_GIVEN = 200  # pairs or edges that a link holds
VIEWS = ("attention", "ablation", "circuit", "lens")


@dataclass(frozen=True)
class PageState:
    """Every choice on the page; all fields are plain JSON values."""

    model: str = EMBEDDED
    prompt: str = ""  # as last run; "" = nothing was run yet
    counterfactual: str = ""
    bos: bool | None = None
    position: int = -1
    answer: int | None = None
    distractor: int | None = None
    flip_to: int | None = None
    heads: tuple[str, ...] = ()
    kind: str = AblationKind.ZERO.value
    scale: float = 0.0
    threshold: float = 0.5
    seed: int = 0
    metric: str = Metric.KL.value
    objective: str = Objective.FLIP.value
    max_heads: int = 5
    strategy: str = Strategy.PAIRS.value
    look: str = LOOKS[0]  # which closer look the ablation view shows
    view: str = "attention"
    maps: str = "clean"  # "clean", "ablated", "difference"
    maps_page: int = 0
    maps_threshold: float = 0.0
    focus: tuple[int, int] | None = None  # highlighted (query, key) positions
    lens_show: str = "clean"  # "clean" or "ablated"
    # The circuit view
    source: str = SOURCES[0]  # what the circuit is made of
    pairs: str = ""  # "" = the prompt and its counterfactual, a family's name, or "given"
    pair_count: int = 20  # of a family
    given_pairs: tuple[tuple[str, str, str, str], ...] = ()  # clean, counterfactual, answer, …
    method: str = Method.EAP_IG.value
    edge_kind: str = AblationKind.RESAMPLE.value
    cut: str = Cut.GREEDY.value
    edges: int = 20
    mlps: bool = True
    exact: tuple[str, ...] = ()  # edges to measure exactly
    given_edges: tuple[str, ...] = ()  # of an imported circuit
    side_lens: str = "clean"  # of which run the lens beside the circuit is
    kept: str = ""  # the link of a page whose circuit is compared with this one's
    arranged: str = "layers"  # one of circuit_view.LAYOUTS
    pinned: tuple[tuple[str, float, float], ...] = ()  # node, x, y
    hidden: tuple[str, ...] = ()  # nodes
    names: tuple[tuple[str, str], ...] = ()  # node, what it is called instead
    groups: tuple[tuple[str, tuple[str, ...]], ...] = ()  # name, nodes
    theme: str = "light"

    @property
    def question(self) -> Question:
        """What is asked; the token to flip to is the distractor where none was chosen."""
        return Question(
            model=self.model,
            prompt=self.prompt,
            position=self.position,
            bos=self.bos,
            counterfactual=self.counterfactual or None,
            answer=self.answer,
            distractor=self.flip_to if self.distractor is None else self.distractor,
        )

    @property
    def pairs_request(self) -> PairsRequest:
        """The pairs a circuit is asked of; what doesn't count for them is left out."""
        if not self.pairs:
            return PairsRequest(self.question)
        plain = Question(self.model, "", bos=self.bos)
        if self.pairs == "given":
            return PairsRequest(plain, given=tuple(Pair(*pair) for pair in self.given_pairs))
        return PairsRequest(plain, family=self.pairs, count=self.pair_count)

    @property
    def circuit_view(self) -> CircuitView:
        """What was done to the drawing."""
        return CircuitView(self.arranged, self.pinned, self.hidden, self.names, self.groups)

    @property
    def head_ids(self) -> tuple[HeadId, ...]:
        return tuple(HeadId.parse(name) for name in self.heads)

    @property
    def ablation(self) -> Ablation:
        """The intervention; settings its kind does not use are left at their defaults."""
        kind = AblationKind(self.kind)
        used = {
            AblationKind.SCALE: {"scale": self.scale},
            AblationKind.SPARSIFY: {"threshold": self.threshold},
            AblationKind.PERMUTE: {"seed": self.seed},
        }.get(kind, {})
        return Ablation(kind=kind, **used)

    def to_json(self) -> dict[str, Any]:
        """For a dcc.Store: lists instead of tuples."""
        return json.loads(json.dumps(asdict(self)))

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "PageState":
        """Read what a browser sent. Raises BadInput for anything a page can't show."""
        if not isinstance(data, dict):
            raise BadInput("The page state is not an object.", "Open the page anew.")
        known = {field.name: field.type for field in fields(cls)}
        values = {name: value for name, value in data.items() if name in known}
        for name, value in values.items():
            if isinstance(value, list):
                values[name] = _as_tuple(value)
        state = cls(**values)
        state._check()
        return state

    def change(self, **values: Any) -> "PageState":
        return replace(self, **values)

    def to_fragment(self) -> str:
        """The state as a URL fragment, "#v1.…", without what equals the default."""
        default = PageState().to_json()
        chosen = {k: v for k, v in self.to_json().items() if v != default[k]}
        packed = zlib.compress(json.dumps(chosen, separators=(",", ":")).encode(), 9)
        return f"#v{VERSION}." + base64.urlsafe_b64encode(packed).decode().rstrip("=")

    @classmethod
    def from_fragment(cls, fragment: str) -> "PageState":
        """Read a link. Raises BadInput where it is broken or of another version."""
        version, _, body = fragment.removeprefix("#").partition(".")
        remedy = "Ask for the link again, or start from the page as it is."
        if version != f"v{VERSION}":
            raise BadInput("This link was not made by this version of the page.", remedy)
        try:
            packed = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
            unpacker = zlib.decompressobj()
            text = unpacker.decompress(packed, _MAX_BYTES)
            if not unpacker.eof:
                raise ValueError("cut off or too long")
            return cls.from_json(json.loads(text))
        except (binascii.Error, zlib.error, ValueError, TypeError, BadInput) as error:
            raise BadInput(f"This link is broken ({_short(error)}).", remedy) from error

    def _check(self) -> None:
        """Types and ranges; whether they fit the model is checked where it is asked."""
        _need(isinstance(self.model, str), "model", self.model)
        for name in ("prompt", "counterfactual"):
            _need(isinstance(getattr(self, name), str), name, getattr(self, name))
        _need(self.bos in (None, True, False), "bos", self.bos)
        for name in ("position", "seed", "max_heads", "maps_page"):
            _need(_is_int(getattr(self, name)), name, getattr(self, name))
        _need(0 <= self.seed < 2**32, "seed", self.seed)
        _need(1 <= self.max_heads <= 64, "max_heads", self.max_heads)
        _need(0 <= self.maps_page <= 10_000, "maps_page", self.maps_page)
        for name in ("answer", "distractor", "flip_to"):
            value = getattr(self, name)
            _need(value is None or (_is_int(value) and value >= 0), name, value)
        for name, least, most in (
            ("scale", -10, 10),
            ("threshold", 0, 1000),
            ("maps_threshold", 0, 1),
        ):
            value = getattr(self, name)
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            _need(is_number and least <= value <= most, name, value)
        _need(self.kind in {kind.value for kind in AblationKind}, "kind", self.kind)
        _need(self.metric in {metric.value for metric in Metric}, "metric", self.metric)
        _need(self.objective in {o.value for o in Objective}, "objective", self.objective)
        _need(self.strategy in {s.value for s in Strategy}, "strategy", self.strategy)
        _need(self.look in LOOKS, "look", self.look)
        _need(self.view in VIEWS, "view", self.view)
        _need(self.maps in ("clean", "ablated", "difference"), "maps", self.maps)
        _need(self.lens_show in ("clean", "ablated"), "lens_show", self.lens_show)
        _need(self.theme in ("light", "dark"), "theme", self.theme)
        _need(isinstance(self.heads, tuple) and len(self.heads) <= 4096, "heads", self.heads)
        for name in self.heads:
            _need(isinstance(name, str), "heads", name)
            HeadId.parse(name)
        self._check_circuit()
        if self.focus is not None:
            is_pair = isinstance(self.focus, tuple) and len(self.focus) == 2
            _need(is_pair and all(_is_int(p) and p >= 0 for p in self.focus), "focus", self.focus)

    def _check_circuit(self) -> None:
        _need(self.source in SOURCES, "source", self.source)
        families = {family.name for family in FAMILIES}
        _need(self.pairs in {"", "given", *families}, "pairs", self.pairs)
        _need(_is_int(self.pair_count), "pair_count", self.pair_count)
        _need(1 <= self.pair_count <= MOST_PAIRS, "pair_count", self.pair_count)
        _need(self.method in {method.value for method in Method}, "method", self.method)
        _need(self.edge_kind in {k.value for k in EDGE_ABLATIONS}, "edge_kind", self.edge_kind)
        _need(self.cut in {cut.value for cut in Cut}, "cut", self.cut)
        _need(_is_int(self.edges) and 1 <= self.edges <= 100_000, "edges", self.edges)
        _need(isinstance(self.mlps, bool), "mlps", self.mlps)
        _need(isinstance(self.kept, str) and len(self.kept) <= _MAX_BYTES // 4, "kept", self.kept)
        _need(self.side_lens in SIDE_LENSES, "side_lens", self.side_lens)
        _need(self.arranged in LAYOUTS, "arranged", self.arranged)
        for name in ("exact", "given_edges", "hidden"):
            _need(_are(getattr(self, name), str), name, getattr(self, name))
        for name in (*self.exact, *self.given_edges):
            EdgeId.parse(name)
        for name in ("given_pairs", "names"):
            value = getattr(self, name)
            width = 4 if name == "given_pairs" else 2
            is_right = _are(value, tuple) and all(_are(v, str) and len(v) == width for v in value)
            _need(is_right, name, value)
        for name in ("given_pairs", "given_edges", "names", "hidden", "groups", "pinned"):
            _need(len(getattr(self, name)) <= MOST_GIVEN, name, f"{len(getattr(self, name))} items")
        _need(_are(self.pinned, tuple), "pinned", self.pinned)
        for place in self.pinned:
            is_place = len(place) == 3 and isinstance(place[0], str)
            is_near = is_place and all(_is_number(at) and abs(at) < 1e5 for at in place[1:])
            _need(is_near, "pinned", place)
        _need(_are(self.groups, tuple), "groups", self.groups)
        for group in self.groups:
            _need(
                len(group) == 2 and isinstance(group[0], str) and _are(group[1], str),
                "groups",
                group,
            )


def _as_tuple(value: Any) -> Any:
    return tuple(map(_as_tuple, value)) if isinstance(value, list) else value


def _are(values: Any, kind: type) -> bool:
    return isinstance(values, tuple) and all(isinstance(value, kind) for value in values)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _need(is_right: bool, name: str, value: Any) -> None:
    if not is_right:
        raise BadInput(f"The page can't show {name} = {_short(value)}.", "Open the page anew.")


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "…"
