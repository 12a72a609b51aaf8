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
from attention_viz.records.errors import BadInput
from attention_viz.records.ids import HeadId
from attention_viz.records.metrics import Metric
from attention_viz.records.model import EMBEDDED
from attention_viz.records.question import Question
from attention_viz.records.search import Objective, Strategy

VERSION = 1
_MAX_BYTES = 100_000  # of the unpacked JSON; a link is not a file
LOOKS = ("cost", "dose", "redundancy", "positions", "control", "agreement")
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
        for name in ("heads", "focus"):
            if isinstance(values.get(name), list):
                values[name] = tuple(values[name])
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
        if self.focus is not None:
            is_pair = isinstance(self.focus, tuple) and len(self.focus) == 2
            _need(is_pair and all(_is_int(p) and p >= 0 for p in self.focus), "focus", self.focus)


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _need(is_right: bool, name: str, value: Any) -> None:
    if not is_right:
        raise BadInput(f"The page can't show {name} = {_short(value)}.", "Open the page anew.")


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "…"
