"""What lies in a model's folder, looked at before anything is built from it.

Weights come from safetensors files of the folder itself and from nowhere else: their tensors are
handed to transformers, never the folder, so that no index, config or adapter in it can send a
reader to a pickle or to another file. Headers are cheap to read and tell every name and shape: what
the config claims beyond them is refused before memory is taken.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from attention_viz.records.errors import ModelUnavailable

_WEIGHTS, _INDEX, _CONFIG, _ADAPTER = (
    "model.safetensors",
    "model.safetensors.index.json",
    "config.json",
    "adapter_config.json",
)
_SAVE_AGAIN = "Save it again with model.save_pretrained(FOLDER)."
_MERGE = (
    "Merge it into its model, model.merge_and_unload().save_pretrained(FOLDER), "
    "and give that folder."
)
# Sizes that have to be positive, by all the names that families give them.
_COUNTS = frozenset(
    "num_hidden_layers num_layers n_layer n_layers num_attention_heads num_heads n_head n_heads "
    "num_key_value_heads num_kv_heads hidden_size n_embd d_model head_dim vocab_size "
    "intermediate_size ffn_dim max_position_embeddings n_positions n_ctx max_seq_len".split()
)
_MOST = 10**8  # of any such count; the greatest contexts are of 10⁷
_FIRST_NUMBER = re.compile(r"(?:^|\.)(\d+)\.")


@dataclass(frozen=True)
class Stored:
    """A tensor, as a file's header tells it."""

    file: Path
    shape: tuple[int, ...]
    dtype: str  # "F32", "BF16", …


@dataclass(frozen=True)
class ModelFolder:
    """A folder whose files are safe to read, its config and the headers of its weights."""

    name: str
    path: Path
    config: dict[str, Any]
    tensors: dict[str, Stored]

    @cached_property
    def numbers(self) -> int:
        """How many numbers the files hold."""
        return sum(prod(tensor.shape) for tensor in self.tensors.values())

    @cached_property
    def layers(self) -> int:
        """How many layers the tensors' names count: "model.layers.3.…" makes four."""
        found = (_FIRST_NUMBER.search(name) for name in self.tensors)
        return max((int(match[1]) + 1 for match in found if match), default=0)

    @property
    def dtypes(self) -> tuple[str, ...]:
        """In what the numbers are stored, the most of them first."""
        sizes: dict[str, int] = {}
        for tensor in self.tensors.values():
            sizes[tensor.dtype] = sizes.get(tensor.dtype, 0) + prod(tensor.shape)
        return tuple(sorted(sizes, key=lambda dtype: -sizes[dtype]))

    def read(self) -> dict[str, Tensor]:
        """The tensors by name; they stay in their files until they are looked at."""
        files = sorted({tensor.file for tensor in self.tensors.values()})
        return {name: tensor for file in files for name, tensor in load_file(file).items()}


def read_folder(name: str, path: Path) -> ModelFolder:
    """Look at a folder. Raises ModelUnavailable where it holds no model that is safe to read."""
    for file in path.iterdir():
        _need_inside(name, path, file)
    if (path / _ADAPTER).is_file():
        raise ModelUnavailable(
            f"The folder of {name!r} holds an adapter ({_ADAPTER}), which changes a model's "
            "weights and is not one.",
            _MERGE,
        )
    config = _read_json(name, path / _CONFIG)
    for each in (config, *(part for part in config.values() if isinstance(part, dict))):
        _need_counts(name, each)
    _need_own_files(name, path)
    return ModelFolder(name, path, config, _read_headers(name, path))


def _need_inside(name: str, folder: Path, file: Path) -> None:
    """Raises ModelUnavailable for a link that leads out of the folder.

    The hub's cache keeps files beside the folder of each snapshot: snapshots/ID/file → blobs/HASH.
    """
    home = folder.resolve()
    homes = [home]
    if home.parent.name == "snapshots":
        homes.append(home.parent.parent / "blobs")
    if not any(file.resolve().is_relative_to(each) for each in homes):
        raise ModelUnavailable(
            f"The file {file.name!r} of {name!r} leads out of its folder.",
            "Put the file itself there.",
        )


def _need_counts(name: str, config: dict[str, Any]) -> None:
    for key in sorted(_COUNTS & config.keys()):
        value = config[key]
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if is_number and not (1 <= value <= _MOST and value == int(value)):
            raise ModelUnavailable(
                f"The config of {name!r} says {key} = {value:g}, which no model has.",
                f"Correct its {_CONFIG}.",
            )


def _need_own_files(name: str, path: Path) -> None:
    """Raises ModelUnavailable where the tokenizer's config names files that are elsewhere."""
    file = path / "tokenizer_config.json"
    named = _read_json(name, file) if file.is_file() else {}
    for key, value in named.items():
        if key.endswith("_file") and isinstance(value, str):
            if not (path / value).resolve().is_relative_to(path.resolve()):
                raise ModelUnavailable(
                    f"The tokenizer of {name!r} names a file outside its folder ({key} in "
                    f"{file.name}).",
                    "Take that line out; a file of the folder is found without it.",
                )


def _read_headers(name: str, path: Path) -> dict[str, Stored]:
    tensors: dict[str, Stored] = {}
    for file in _weight_files(name, path):
        for key, stored in _read_header(name, file):
            if key in tensors:
                raise ModelUnavailable(
                    f"Two files of {name!r} hold {key!r}: {tensors[key].file.name} and "
                    f"{file.name}.",
                    _SAVE_AGAIN,
                )
            tensors[key] = stored
    return tensors


def _weight_files(name: str, path: Path) -> list[Path]:
    if (path / _WEIGHTS).is_file():
        return [path / _WEIGHTS]
    if (path / _INDEX).is_file():
        return _files_of_index(name, path)
    others = sorted(file.name for file in path.glob("*.safetensors"))
    if others:
        raise ModelUnavailable(
            f"The model {name!r} has neither {_WEIGHTS} nor {_INDEX}, only {', '.join(others[:3])}"
            f"{' …' * (len(others) > 3)}.",
            _SAVE_AGAIN,
        )
    raise ModelUnavailable(
        f"The model {name!r} has no safetensors file.",
        f"Only safetensors are read, no pickles. {_SAVE_AGAIN}",
    )


def _files_of_index(name: str, path: Path) -> list[Path]:
    """The files an index lists: safetensors of the folder itself, all of them there."""
    index = _read_json(name, path / _INDEX).get("weight_map")
    listed = sorted({str(file) for file in index.values()}) if isinstance(index, dict) else []
    if not listed:
        raise ModelUnavailable(f"The {_INDEX} of {name!r} lists no file.", _SAVE_AGAIN)
    for file in listed:
        if "/" in file or "\\" in file or not file.endswith(".safetensors"):
            raise ModelUnavailable(
                f"The {_INDEX} of {name!r} names {file[:80]!r}, which is no safetensors file of "
                "its folder.",
                f"Only those are read, no pickles. {_SAVE_AGAIN}",
            )
        if not (path / file).is_file():
            raise ModelUnavailable(
                f"The file {file!r} of {name!r} is missing; {_INDEX} lists it.",
                "Download or copy it again.",
            )
    return [path / file for file in listed]


def _read_header(name: str, file: Path) -> Iterator[tuple[str, Stored]]:
    try:
        with safe_open(file, framework="pt") as opened:
            for key in opened.keys():  # noqa: SIM118  not a mapping
                part = opened.get_slice(key)
                yield key, Stored(file, tuple(part.get_shape()), part.get_dtype())
    except (SafetensorError, OSError, ValueError) as error:
        with file.open("rb") as raw:
            is_pointer = raw.read(12) == b"version http"
        reason = "a pointer of Git LFS, not the file" if is_pointer else in_a_line(error)
        raise ModelUnavailable(
            f"The file {file.name!r} of {name!r} can't be read ({reason}).",
            "Fetch it: git lfs pull." if is_pointer else "Download or copy it again.",
        ) from error


def _read_json(name: str, file: Path) -> dict[str, Any]:
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(values, dict):
            raise ValueError("it is no JSON object")
        return values
    except (OSError, ValueError, RecursionError) as error:
        raise ModelUnavailable(
            f"The file {file.name!r} of {name!r} can't be read ({in_a_line(error)}).",
            "Download or copy it again.",
        ) from error


def in_a_line(error: Exception) -> str:
    """What an error says, in a line."""
    return " ".join(str(error).split())[:200].rstrip(" .") or type(error).__name__
