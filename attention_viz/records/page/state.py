"""The choices on the page: those all views share, and one record per view."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from attention_viz.records.ablation import SETTINGS, Ablation, AblationKind
from attention_viz.records.circuits.pairs import Pair, PairsRequest
from attention_viz.records.errors import BadInput
from attention_viz.records.ids import HeadId
from attention_viz.records.metrics import Metric
from attention_viz.records.model import EMBEDDED
from attention_viz.records.page import link
from attention_viz.records.page.checks import check, checked, choice, flag, text, texts, whole
from attention_viz.records.page.link import OWN_SETTINGS, SHARED
from attention_viz.records.page.view import ViewState
from attention_viz.records.page.views import VIEWS
from attention_viz.records.question import Question
from attention_viz.records.search import Objective, Strategy

MOST_HEADS = 4096
_FAR = 10**9


def _all_defaults() -> tuple[tuple[str, Any], ...]:
    return tuple((name, setting.default) for name, setting in SETTINGS.items())


def _are_settings(given: Any) -> bool:
    named = dict(given)
    return len(named) == len(given) and all(SETTINGS[n].holds(v) for n, v in named.items())


@dataclass(frozen=True)
class PageState:
    """Every choice on the page. `state.circuit` is the circuit view's record, and so on.

    The fields here are what all views share. `change` changes them, `put` one view's record.
    """

    model: str = text(EMBEDDED)
    prompt: str = text()  # as last run; "" = nothing was run yet
    counterfactual: str = text()
    bos: bool | None = checked(None, lambda given: given is None or isinstance(given, bool))
    chat: bool = flag(False)  # prompts are messages in the model's chat template
    position: int = whole(-1, -_FAR, _FAR)
    answer: int | None = whole(None, 0, _FAR, or_none=True)
    distractor: int | None = whole(None, 0, _FAR, or_none=True)
    flip_to: int | None = whole(None, 0, _FAR, or_none=True)
    heads: tuple[str, ...] = texts(HeadId.parse, MOST_HEADS)
    kind: str = choice(AblationKind, AblationKind.ZERO)
    metric: str = choice(Metric, Metric.KL)
    objective: str = choice(Objective, Objective.FLIP)
    max_heads: int = whole(5, 1, 64)
    strategy: str = choice(Strategy, Strategy.GUIDED)
    view: str = choice((view.name for view in VIEWS), VIEWS[0].name)
    theme: str = choice(("light", "dark"), "light")
    # A value for every setting that some kind of ablation takes
    settings: tuple[tuple[str, Any], ...] = field(
        default_factory=_all_defaults, metadata={"claim": _are_settings}
    )
    views: tuple[ViewState, ...] = field(
        default_factory=lambda: tuple(view.state() for view in VIEWS)
    )

    def __getattr__(self, name: str) -> Any:
        # Only for what is no field: the record of a view, by the view's name.
        for view, record in zip(VIEWS, self.__dict__.get("views", ()), strict=False):
            if view.name == name:
                return record
        raise AttributeError(name)

    def change(self, **values: Any) -> "PageState":
        """Other shared choices; settings of ablation kinds by their names."""
        own = {name: values.pop(name) for name in tuple(values) if name in SETTINGS}
        if own:
            values["settings"] = tuple((dict(self.settings) | own).items())
        return replace(self, **values)

    def put(self, view: str, **values: Any) -> "PageState":
        """Other choices in one view's record."""
        return self._with_views({view: getattr(self, view).change(**values)})

    def _with_views(self, records: Mapping[str, ViewState]) -> "PageState":
        pairs = zip(VIEWS, self.views, strict=True)
        return replace(self, views=tuple(records.get(view.name, old) for view, old in pairs))

    def with_prompt(self, prompt: str, counterfactual: str) -> "PageState":
        """The page for another prompt: what was about the old one is let go, in every view."""
        changed = self.change(prompt=prompt, counterfactual=counterfactual)
        if (prompt, counterfactual) == (self.prompt, self.counterfactual):
            return self
        views = {v.name: getattr(self, v.name).when_prompt_changes() for v in VIEWS}
        position = self.position if prompt == self.prompt else -1
        return changed.change(position=position)._with_views(views)

    def with_chat(self, chat: bool) -> "PageState":
        """The page with its prompts in the chat template, or plain: positions count otherwise."""
        views = {v.name: getattr(self, v.name).when_prompt_changes() for v in VIEWS}
        return self.change(chat=chat, position=-1)._with_views(views)

    def with_model(self, model: str) -> "PageState":
        """The page for another model: heads and token ids of the old one mean nothing there."""
        views = {v.name: getattr(self, v.name).when_model_changes() for v in VIEWS}
        plain = {"answer": None, "distractor": None, "flip_to": None, "heads": (), "position": -1}
        return self.change(model=model, chat=False, **plain)._with_views(views)

    # What is asked

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
            chat=self.chat,
        )

    @property
    def pairs_request(self) -> PairsRequest:
        """The pairs a circuit is asked of; what doesn't count for them is left out."""
        if not self.circuit.pairs:
            return PairsRequest(self.question)
        plain = Question(self.model, "", bos=self.bos, chat=self.chat)
        if self.circuit.pairs == "given":
            given = tuple(Pair(*pair) for pair in self.circuit.given_pairs)
            return PairsRequest(plain, given=given)
        return PairsRequest(plain, family=self.circuit.pairs, count=self.circuit.pair_count)

    @property
    def head_ids(self) -> tuple[HeadId, ...]:
        return tuple(HeadId.parse(name) for name in self.heads)

    @property
    def intervention(self) -> Ablation:
        """The intervention; settings its kind does not use are left at their defaults."""
        kind = AblationKind(self.kind)
        return Ablation.of(kind, {each.name: self.setting(each.name) for each in kind.settings})

    def setting(self, name: str) -> Any:
        """The value of one setting of ablation kinds."""
        return dict(self.settings)[name]

    # As JSON, by section: {"shared": {…}, "settings": {…}, "circuit": {…}, …}

    def to_json(self) -> dict[str, dict[str, Any]]:
        """For a browser: lists instead of tuples."""
        shared = {each.name: getattr(self, each.name) for each in _SHARED_FIELDS}
        views = {v.name: asdict(record) for v, record in zip(VIEWS, self.views, strict=True)}
        sections = {SHARED: shared, OWN_SETTINGS: dict(self.settings), **views}
        return json.loads(json.dumps(sections))

    @classmethod
    def from_json(cls, data: Any) -> "PageState":
        """Read what a browser sent; what is not there has its default, names unknown are dropped.

        Raises BadInput for anything a page can't show.
        """
        if not isinstance(data, dict) or not all(isinstance(d, dict) for d in data.values()):
            raise BadInput("The page state is not an object.", "Open the page anew.")
        try:
            return cls._read(data)
        except RecursionError as error:
            raise BadInput("The page state is nested too deep.", "Open it anew.") from error

    @classmethod
    def _read(cls, data: dict[str, dict[str, Any]]) -> "PageState":
        shared = _known(_SHARED_FIELDS, data.get(SHARED, {}))
        given = data.get(OWN_SETTINGS, {})
        settings = tuple((n, given.get(n, s.default)) for n, s in SETTINGS.items())
        views = tuple(v.state(**_known(fields(v.state), data.get(v.name, {}))) for v in VIEWS)
        state = cls(**shared, settings=settings, views=views)
        for record in (state, *views):
            check(record)
        return state

    def to_sparse(self) -> dict[str, dict[str, Any]]:
        """Its JSON without what equals the default."""
        default = PageState().to_json()
        chosen = {
            section: {k: v for k, v in values.items() if v != default[section][k]}
            for section, values in self.to_json().items()
        }
        return {section: values for section, values in chosen.items() if values}

    def to_fragment(self) -> str:
        """The state as a link, "#v2.…"."""
        return link.pack(self.to_sparse())

    @classmethod
    def from_fragment(cls, fragment: str) -> "PageState":
        """Read a link of any version. Raises BadInput where it is broken."""
        sections = link.unpack(fragment)
        try:
            return cls.from_json(sections)
        except (BadInput, TypeError, ValueError) as error:
            raise link.broken(error) from error


_SHARED_FIELDS = tuple(each for each in fields(PageState) if each.name not in ("settings", "views"))


def _known(known: Any, data: dict[str, Any]) -> dict[str, Any]:
    names = {each.name for each in known}
    return {name: as_tuple(value) for name, value in data.items() if name in names}


def as_tuple(value: Any) -> Any:
    return tuple(map(as_tuple, value)) if isinstance(value, list) else value
