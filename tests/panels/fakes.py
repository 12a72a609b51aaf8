"""A workbench for the page's frame: models that stand anywhere, jobs that are anywhere."""

from typing import Any

from attention_viz.models.catalogue import Catalogue
from attention_viz.records.errors import BadInput
from attention_viz.records.model import ModelEntry, ModelInfo, ModelStatus
from tests.panels.views import StubWorkbench, text_of

ENTRIES = (
    ModelEntry("embedded", "here", True, "small"),
    ModelEntry("other", "there", False, "from the hub"),
)


def info_of(name: str = "embedded", layers: int = 2, heads: int = 3) -> ModelInfo:
    return ModelInfo(
        name=name,
        architecture="GPT2LMHeadModel",
        layers=layers,
        heads=heads,
        key_value_heads=heads,
        d_model=12,
        d_head=4,
        vocabulary=100,
        context=16,
        parameters=2_400_000,
        device="cpu",
        dtype="float32",
        prepends_bos=True,
        seconds=1.0,
        folder="here",
    )


class FakeWorkbench(StubWorkbench):
    """Models in the states given: {"other": ("failed", "no connection")}; "embedded" is ready."""

    def __init__(self, *jobs: Any, known: Any = None, **states: tuple[str, str]):
        super().__init__(*jobs, known=known)
        self.catalogue = Catalogue(ENTRIES)
        self.states = {"embedded": ("ready", ""), "other": ("not loaded", "")} | states
        self.loaded: list[str] = []

    def load(self, name: str) -> ModelStatus:
        self.catalogue.entry(name)
        self.loaded.append(name)
        return self.status(name)

    def status(self, name: str) -> ModelStatus:
        entry = self.catalogue.entry(name)
        state, message = self.states[name]
        return ModelStatus(entry, state, info_of(name) if state == "ready" else None, message)

    def token_id(self, model: str, text: str) -> int:
        raise BadInput(f"{model} has no token {text}.", "Choose another.")

    def measure(self, request: Any) -> Any:
        answer = self.known[request]
        if isinstance(answer, Exception):
            raise answer
        return answer


def said(part: Any) -> str:
    """All the text in an element, tokens with their leading blank as they are read."""
    return text_of(part).replace("␣ ", "␣")
