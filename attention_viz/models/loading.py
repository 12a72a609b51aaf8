"""Loading a model of the catalogue: safetensors only, no remote code, from a folder or the hub."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from transformers import AutoTokenizer, PreTrainedTokenizerFast
from transformers.utils import logging as transformers_logging

from attention_viz.models.building import BUILDING
from attention_viz.models.decoder import Decoder
from attention_viz.models.folder import ModelFolder, in_a_line, read_folder
from attention_viz.models.gguf import unpacked
from attention_viz.models.positions import position_embeddings
from attention_viz.models.self_test import capabilities_of, run_self_test
from attention_viz.models.streams import Streams
from attention_viz.models.vocabulary import Vocabulary
from attention_viz.models.weights import Plan, build, plan_for
from attention_viz.records.errors import BadInput, ModelUnavailable
from attention_viz.records.model import ModelEntry, ModelInfo, SelfCheck

Report = Callable[[str], None]


@dataclass(frozen=True)
class LoadedModel:
    """What analyses are given."""

    info: ModelInfo
    decoder: Decoder
    vocabulary: Vocabulary
    readers: Streams | BadInput  # or why they can't be told apart

    @classmethod
    def of(cls, info: ModelInfo, decoder: Decoder, vocabulary: Vocabulary) -> "LoadedModel":
        """Tells the readers apart now: it runs the model, which nobody else does yet."""
        try:
            readers: Streams | BadInput = Streams(decoder)
        except BadInput as error:
            readers = error
        writes = decoder.writes
        info = replace(
            info,
            capabilities=capabilities_of(decoder, readers),
            convention="" if isinstance(writes, BadInput) else writes.convention,
        )
        return cls(info, decoder, vocabulary, readers)

    @property
    def streams(self) -> Streams:
        """The decoder with its readers told apart. Raises BadInput where that can't be done."""
        if isinstance(self.readers, BadInput):
            raise self.readers.again()
        return self.readers


def load_model(
    entry: ModelEntry,
    *,
    device: str = "auto",
    threads: int | None = None,
    memory: int | None = None,
    dtype: torch.dtype = torch.float32,
    implementation: str = "sdpa",
    padding: str = "drop",
    report: Report = lambda text: None,
) -> LoadedModel:
    """Load, warm up and check a model. Raises ModelUnavailable with what was tried.

    `padding`: whether rows of the unembedding beyond the tokenizer count in the softmax ("keep").
    """
    started = time.perf_counter()
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    if threads is not None:
        torch.set_num_threads(threads)
    target = choose_device(device)
    with _folder_of(entry, report) as place, BUILDING:
        folder = read_folder(entry.name, place)
        plan = plan_for(folder)
        report("reading the tokenizer")
        tokenizer = _read_tokenizer(plan)
        report("reading the weights")
        hf = build(plan, dtype).to(target)
    report("warming up")
    decoder = Decoder(hf, implementation=_usable(hf, implementation))
    decoder.memory = memory
    vocabulary = _vocabulary(entry, tokenizer, decoder, padding)
    checks = run_self_test(decoder)
    notes = (*_told_of_numbers(folder), *vocabulary.notes)
    seconds = time.perf_counter() - started
    info = _describe(entry, place, decoder, vocabulary, checks, notes, seconds)
    return LoadedModel.of(info, decoder, vocabulary)


@contextmanager
def _folder_of(entry: ModelEntry, report: Report) -> Iterator[Path]:
    """The folder a model is read from; of a GGUF file it may be gone afterwards."""
    if entry.is_gguf:
        with unpacked(Path(entry.source), expected=entry.sha256, report=report) as folder:
            yield folder
    else:
        yield Path(entry.source) if entry.is_local else _download(entry, report)


def choose_device(name: str = "auto") -> torch.device:
    """ "auto": CUDA, else Apple's MPS, else the CPU. Raises BadInput for one that is not there."""
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        name = next(each for each, there in available.items() if there)
    if not available.get(name.partition(":")[0], False):
        usable = ", ".join(each for each, there in available.items() if there)
        raise BadInput(f"There is no device {name!r} here.", f"Choose one of: auto, {usable}.")
    return torch.device(name)


def _download(entry: ModelEntry, report: Report) -> Path:
    """Fetch a hub model into the hub's own cache; what is there already is not fetched again."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils import HfHubHTTPError

    files = ["*.json", "*.safetensors", "*.txt", "tokenizer.model"]
    wanted = {"allow_patterns": files, "ignore_patterns": ["*/*"]}
    try:
        return Path(snapshot_download(entry.source, local_files_only=True, **wanted))
    except Exception:  # noqa: BLE001  not in the cache, whatever the hub library calls that
        report(f"asking the hub for {entry.source}")
    try:
        bar = _reporting_bar(report)
        return Path(snapshot_download(entry.source, tqdm_class=bar, **wanted))
    except (OSError, ValueError, RuntimeError, HfHubHTTPError) as error:
        raise ModelUnavailable(
            f"The model {entry.source!r} could not be fetched from the Hugging Face hub "
            f"({type(error).__name__}).",
            "Check its name and the connection, or download it elsewhere and start the server "
            "with --model FOLDER.",
        ) from error


def _reporting_bar(report: Report) -> type:
    """A progress bar that writes to the page instead of the terminal."""
    from tqdm.auto import tqdm

    class Bar(tqdm):
        def __init__(self, *args, **kwargs):
            kwargs.pop("name", None)
            kwargs["file"] = open(os.devnull, "w")  # noqa: SIM115  lives as long as the bar
            super().__init__(*args, **kwargs)

        def update(self, n=1):
            super().update(n)
            if self.total and self.unit == "B":
                report(f"downloading: {self.n / 1e6:.0f} of {self.total / 1e6:.0f} MB")

    return Bar


def _read_tokenizer(plan: Plan):
    name, path = plan.folder.name, plan.folder.path
    try:
        tokenizer = AutoTokenizer.from_pretrained(path, config=plan.config, trust_remote_code=False)
        if not _reads(tokenizer) and (path / "tokenizer.json").is_file():
            # Built as the model's type is used to, not from the file (Qwen 2 with words for tokens)
            tokenizer = PreTrainedTokenizerFast.from_pretrained(path)
        if not _reads(tokenizer):
            raise ValueError("it reads every text as nothing")  # what missing files come to
        return tokenizer
    except Exception as error:
        raise ModelUnavailable(
            f"The model {name!r} has no tokenizer that can be read ({in_a_line(error)}).",
            "Save the tokenizer beside the weights with tokenizer.save_pretrained(FOLDER).",
        ) from error


def _reads(tokenizer) -> bool:
    return bool(tokenizer.encode("a word", add_special_tokens=False))


def _vocabulary(entry: ModelEntry, tokenizer, decoder: Decoder, padding: str) -> Vocabulary:
    """Raises ModelUnavailable for a tokenizer of another model: its own tokens have no row."""
    rows = decoder.settings.d_vocab
    if tokenizer.vocab_size > rows:
        raise ModelUnavailable(
            f"The tokenizer of {entry.name!r} has {tokenizer.vocab_size} tokens, its embedding "
            f"{rows} rows: they belong to different models.",
            "Save the model's own tokenizer beside the weights: tokenizer.save_pretrained(FOLDER).",
        )
    return Vocabulary(
        tokenizer,
        size=rows,
        context=decoder.settings.n_ctx,
        prepends_bos=bool(decoder.settings.default_prepend_bos),
        keeps_padding=padding == "keep",
    )


def _told_of_numbers(folder: ModelFolder) -> tuple[str, ...]:
    """In what the numbers were stored, where that is not what is computed with."""
    stored = [dtype for dtype in folder.dtypes if dtype != "F32"]
    return (f"weights stored as {', '.join(stored)}",) if stored else ()


def _usable(hf, implementation: str) -> str:
    """Families whose attention sdpa can't compute (soft caps, sinks) load as eager."""
    return "eager" if hf.config._attn_implementation == "eager" else implementation


def _kept(entry: ModelEntry, folder: Path) -> str:
    """Where other programs find the model; "" for a GGUF file whose weights could not be kept."""
    if not entry.is_gguf:
        return entry.source
    return str(folder) if folder.is_dir() else ""


def _describe(
    entry: ModelEntry,
    place: Path,
    decoder: Decoder,
    vocabulary: Vocabulary,
    checks: tuple[SelfCheck, ...],
    notes: tuple[str, ...],
    seconds: float,
) -> ModelInfo:
    return ModelInfo(
        name=entry.name,
        architecture=type(decoder.hf).__name__,
        layers=decoder.layers,
        heads=decoder.heads,
        key_value_heads=decoder.key_value_heads,
        d_model=decoder.d_model,
        d_head=decoder.d_head,
        vocabulary=vocabulary.size,
        context=vocabulary.context,
        parameters=sum(weight.numel() for weight in decoder.hf.parameters()),
        device=str(decoder.device),
        dtype=str(decoder.dtype).removeprefix("torch."),
        prepends_bos=vocabulary.prepends_bos,
        seconds=seconds,
        engine="one pass" if decoder.calls_blocks else "whole forwards",
        chats=vocabulary.chat is not None,
        folder=_kept(entry, place),
        adds_positions=position_embeddings(decoder, 2) is not None,
        checks=checks,
        notes=notes,
    )
