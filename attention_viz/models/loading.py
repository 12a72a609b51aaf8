"""Loading a model of the catalogue: safetensors only, no remote code, from a folder or the hub."""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging as transformers_logging

from attention_viz.models.decoder import Decoder
from attention_viz.models.positions import position_embeddings
from attention_viz.models.self_test import capabilities_of, run_self_test
from attention_viz.models.streams import Streams
from attention_viz.models.vocabulary import Vocabulary
from attention_viz.records.errors import BadInput, ModelUnavailable
from attention_viz.records.model import ModelEntry, ModelInfo, SelfCheck

Report = Callable[[str], None]

# transformers builds models under settings of the whole process: two built at once leave each
# other's weights empty ("Cannot copy out of meta tensor").
_building = threading.Lock()


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
    report: Report = lambda text: None,
) -> LoadedModel:
    """Load, warm up and check a model. Raises ModelUnavailable with what was tried."""
    started = time.perf_counter()
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    if threads is not None:
        torch.set_num_threads(threads)
    target = choose_device(device)
    folder = Path(entry.source) if entry.is_local else _download(entry, report)
    with _building:
        report("reading the tokenizer")
        tokenizer = _read_tokenizer(entry, folder)
        report("reading the weights")
        hf = _read_weights(entry, folder, dtype).to(target)
    report("warming up")
    decoder = Decoder(hf, implementation=_usable(hf, implementation))
    decoder.memory = memory
    vocabulary = Vocabulary(
        tokenizer,
        size=decoder.settings.d_vocab,
        context=decoder.settings.n_ctx,
        prepends_bos=bool(decoder.settings.default_prepend_bos),
    )
    checks = run_self_test(decoder)
    info = _describe(entry, decoder, vocabulary, checks, time.perf_counter() - started)
    return LoadedModel.of(info, decoder, vocabulary)


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


def _read_tokenizer(entry: ModelEntry, folder: Path):
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        if not tokenizer.encode("a word", add_special_tokens=False):
            raise ValueError("it reads every text as nothing")  # what missing files come to
        return tokenizer
    except Exception as error:
        raise ModelUnavailable(
            f"The model {entry.name!r} has no tokenizer that can be read ({_first_line(error)}).",
            "Save the tokenizer beside the weights with tokenizer.save_pretrained(FOLDER).",
        ) from error


def _read_weights(entry: ModelEntry, folder: Path, dtype: torch.dtype):
    if not any(folder.glob("*.safetensors")):
        raise ModelUnavailable(
            f"The model {entry.name!r} has no safetensors file.",
            "Only safetensors are read, no pickles: save it again with "
            "model.save_pretrained(FOLDER).",
        )
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        for each in (config, config.get_text_config()):
            each._attn_implementation = None  # a file's wish is not ours: sdpa where it can be
        return AutoModelForCausalLM.from_pretrained(
            folder, config=config, dtype=dtype, use_safetensors=True, trust_remote_code=False
        )
    except Exception as error:
        raise ModelUnavailable(
            f"The model {entry.name!r} can't be loaded ({_first_line(error)}).",
            "Give a causal language model that transformers reads without remote code.",
        ) from error


def _usable(hf, implementation: str) -> str:
    """Families whose attention sdpa can't compute (soft caps, sinks) load as eager."""
    return "eager" if hf.config._attn_implementation == "eager" else implementation


def _describe(
    entry: ModelEntry,
    decoder: Decoder,
    vocabulary: Vocabulary,
    checks: tuple[SelfCheck, ...],
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
        adds_positions=position_embeddings(decoder, 2) is not None,
        checks=checks,
    )


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return (text[0] if text else type(error).__name__)[:200]
