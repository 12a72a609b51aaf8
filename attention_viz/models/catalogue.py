"""The list of models a server offers, fixed when it starts: nothing a browser sends adds to it."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from attention_viz.models.packaged import PACKAGED
from attention_viz.records.errors import BadInput
from attention_viz.records.model import EMBEDDED, ModelEntry

_EMBEDDED_FOLDER = Path(__file__).parent / "embedded"


@dataclass(frozen=True)
class Catalogue:
    """Models by name, the default first."""

    entries: tuple[ModelEntry, ...]

    @classmethod
    def standard(cls, extra: Iterable[str] = ()) -> "Catalogue":
        """The embedded model, those in installed packages, GPT-2, and those named on the command
        line.

        `extra` holds hub names, local folders or GGUF files. Raises BadInput for a folder without
        a model, and for a packaged model that is not installed.
        """
        packaged = [entry for entry in (each.entry() for each in PACKAGED) if entry is not None]
        entries = [
            ModelEntry(EMBEDDED, str(_EMBEDDED_FOLDER), True, "small, trained by this project"),
            *packaged,
            ModelEntry("gpt2", "gpt2", False, "GPT-2 small, from the hub when first chosen"),
        ]
        for text in extra:
            if all(text != entry.name for entry in entries):
                entries.append(_read_entry(text, {entry.name for entry in entries}))
        return cls(tuple(entries))

    def entry(self, name: str) -> ModelEntry:
        """The model of that name. Raises BadInput for a name that is not on the list."""
        for entry in self.entries:
            if entry.name == name:
                return entry
        names = ", ".join(entry.name for entry in self.entries)
        raise BadInput(
            f"The model {_short(name)!r} is not on this server's list.",
            f"Choose one of: {names}; or start the server with --model.",
        )


def _read_entry(text: str, taken: set[str]) -> ModelEntry:
    """A folder or GGUF file where there is one of that path, else a hub name."""
    for packaged in PACKAGED:
        if text == packaged.name:
            raise packaged.missing()
    folder = Path(text).expanduser()
    if folder.suffix == ".gguf" and folder.is_file():
        name = _free_name(folder.stem, taken)
        return ModelEntry(name, str(folder.resolve()), True, is_gguf=True)
    looks_like_path = text.startswith((".", "/", "~")) or "\\" in text or text.count("/") > 1
    if not folder.is_dir():
        if looks_like_path or folder.suffix == ".gguf" or not text.strip():
            raise BadInput(
                f"There is no folder or GGUF file {text!r}.",
                "Give a folder that holds a Hugging Face model, a GGUF file, or a name on the hub "
                "like gpt2.",
            )
        return ModelEntry(text, text, False, "from the hub when first chosen")
    if not (folder / "config.json").is_file() and (folder / "adapter_config.json").is_file():
        raise BadInput(
            f"The folder {text!r} holds an adapter without its model (adapter_config.json).",
            "Merge it into its model, model.merge_and_unload().save_pretrained(FOLDER), and give "
            "that folder.",
        )
    if not (folder / "config.json").is_file():
        raise BadInput(
            f"The folder {text!r} holds no model (no config.json).",
            "Give a folder written by save_pretrained, with its tokenizer.",
        )
    return ModelEntry(_free_name(folder.resolve().name, taken), str(folder.resolve()), True)


def _free_name(name: str, taken: set[str]) -> str:
    """Two folders of the same name stay apart: "model", "model-2"."""
    free, count = name, 1
    while free in taken:
        count += 1
        free = f"{name}-{count}"
    return free


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "…"
