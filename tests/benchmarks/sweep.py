"""How fast the one pass is: `python -m tests.benchmarks.sweep [--device cuda] [--json]`.

Randomly initialised models of GPT-2 small's size (12 layers × 12 heads, d_model 768), 15 tokens,
fp32, all 144 heads ablated one by one:
a) TransformerLens' `run_with_hooks`, one head at a time;
b) forward hooks on the plain Hugging Face model, one head at a time;
c) ours; d) the floor: the multiplications our pass must do, at the rate of a large matrix product.
The original's whole search (144 heads, 378 pairs, 28 sets per growth step) against one hooked
forward per set; resample ablation where the prompts differ late, against the same engine computing
all positions (`suffix`); how seconds and peak memory grow with tokens, layers and heads
(`--growth`).

In turns, in one run; medians are reported with their spread, and the largest difference of
log-probabilities between the ways.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path

import torch
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge
from transformers import AutoModelForCausalLM

from attention_viz.analysis.edits import Scale
from attention_viz.analysis.one_pass import Candidate, evaluate
from attention_viz.analysis.question import ask
from attention_viz.models.loading import LoadedModel, load_model
from attention_viz.records.ids import HeadId
from attention_viz.records.model import ModelEntry
from attention_viz.records.question import Question
from tests.benchmarks.models import ARCHITECTURES, config_of, prompt_of, save_random
from tests.benchmarks.suffix import measure_sweeps

TOKENS = 15
HeadSet = tuple[HeadId, ...]


def all_singles(layers: int, heads: int) -> list[HeadSet]:
    return [(HeadId(layer, head),) for layer in range(layers) for head in range(heads)]


def sets_of_the_search(layers: int, heads: int) -> list[HeadSet]:
    """The sets the original's search runs: 144, 378 pairs of 28, and two growth steps of 28."""
    singles = all_singles(layers, heads)
    pool = [single[0] for single in singles]
    short = pool[:: max(1, len(pool) // 28)][:28]
    pairs = list(combinations(short, 2))
    grown = [(*pairs[-1], head) for head in pool[1::5][:28]]
    grown_more = [(*pairs[-1], pool[2], head) for head in pool[3::5][:28]]
    return [*singles, *pairs, *grown, *grown_more]


def run_ours(model: LoadedModel, sets: Sequence[HeadSet], prompt: str) -> tuple[Tensor, float]:
    """Log-probabilities of all sets at zero, and the seconds, clean run included."""
    began = time.perf_counter()
    asked = ask(model, Question("bench", prompt))
    edit = Scale(None, 0.0)
    found = torch.empty(len(sets), asked.vocabulary.size, device=asked.decoder.device)
    candidates = [Candidate(heads, edit) for heads in sets]
    for indices, logits in evaluate(asked, candidates, lambda logits: logits.log_softmax(-1)):
        found[indices] = logits
    _settle(found.device)
    return found, time.perf_counter() - began


@torch.no_grad()
def run_transformer_lens(bridge, sets: Sequence[HeadSet], ids: Tensor) -> tuple[Tensor, float]:
    """The same by `run_with_hooks`, one set at a time."""
    began = time.perf_counter()
    rows = []
    for heads in sets:
        hooks = []
        for layer in {head.layer for head in heads}:
            chosen = [head.head for head in heads if head.layer == layer]

            def zero(z, hook, chosen=chosen):
                z = z.clone()
                z[:, :, chosen] = 0
                return z

            hooks.append((f"blocks.{layer}.attn.hook_z", zero))
        logits = bridge.run_with_hooks(ids, fwd_hooks=hooks, return_type="logits")
        rows.append(logits[0, -1].log_softmax(-1))
    _settle(ids.device)
    return torch.stack(rows), time.perf_counter() - began


_PROJECTIONS = {
    "GPT2LMHeadModel": lambda hf: [block.attn.c_proj for block in hf.transformer.h],
    "LlamaForCausalLM": lambda hf: [block.self_attn.o_proj for block in hf.model.layers],
    "GPTNeoXForCausalLM": lambda hf: [block.attention.dense for block in hf.gpt_neox.layers],
}


@torch.no_grad()
def run_hugging_face(hf, sets: Sequence[HeadSet], ids: Tensor) -> tuple[Tensor, float]:
    """The same by forward hooks on the plain model, one set at a time."""
    began = time.perf_counter()
    projections = _PROJECTIONS[type(hf).__name__](hf)
    width = hf.config.hidden_size // hf.config.num_attention_heads
    rows = []
    for heads in sets:
        handles = []
        for layer in {head.layer for head in heads}:
            chosen = [head.head for head in heads if head.layer == layer]

            def zero(_, args, chosen=chosen):
                z = args[0].clone()
                for head in chosen:
                    z[..., head * width : (head + 1) * width] = 0
                return (z,)

            handles.append(projections[layer].register_forward_pre_hook(zero))
        rows.append(hf(input_ids=ids, use_cache=False).logits[0, -1].log_softmax(-1))
        for handle in handles:
            handle.remove()
    _settle(ids.device)
    return torch.stack(rows), time.perf_counter() - began


def count_flop(model: LoadedModel, tokens: int) -> float:
    """Floating-point operations that our pass over all single heads must do.

    Each block's matrices for every row in it; in the last block, output projection and MLP at one
    position; attention; the unembedding of one position per row. Norms and activations are left
    out.
    """
    decoder = model.decoder
    hf, layers = decoder.hf, decoder.layers
    last = decoder.blocks[-1]
    block = sum(weight.numel() for weight in last.parameters() if weight.ndim == 2)
    mixing = 4 * tokens * decoder.d_model  # per token: scores and weighted values
    rows = [decoder.heads * (layer + 1) for layer in range(layers)]
    full = (2 * block + mixing) * tokens
    per_position = _per_position_weights(decoder)
    only_read = full - 2 * per_position * (tokens - 1)
    unembedding = 2 * hf.get_output_embeddings().weight.numel() * rows[-1]
    clean = full * layers
    return full * sum(rows[:-1]) + only_read * rows[-1] + unembedding + clean


def _per_position_weights(decoder) -> int:
    """Numbers in the last block's matrices that act on each position by itself."""
    mlp = decoder.blocks[-1].mlp
    mlp_weights = sum(weight.numel() for weight in mlp.parameters() if weight.ndim == 2)
    return mlp_weights + decoder.projections[-1].weight.numel()


def measure_rate(device: str) -> float:
    """FLOP per second of a large fp32 matrix product, the best of five."""
    size = 8192 if device.startswith("cuda") else 2048
    one, other = (torch.randn(size, size, device=device) for _ in range(2))
    best = float("inf")
    for _ in range(5):
        began = time.perf_counter()
        one @ other
        _settle(one.device)
        best = min(best, time.perf_counter() - began)
    return 2 * size**3 / best


def _settle(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def take_turns(ways: dict[str, Callable[[], tuple[Tensor, float]]], rounds: int) -> dict:
    """Median and spread of each way's seconds, run in turns, and how far their numbers differ."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    found = {}
    for _ in range(rounds):
        for name, way in ways.items():
            found[name], spent = way()
            seconds[name].append(spent)
    ours = found["ours"]
    differences = [(other - ours).abs().max().item() for other in found.values()]
    report: dict = {"largest_logprob_difference": max(differences)}
    for name, spent in seconds.items():
        report[f"{name}_s"] = statistics.median(spent)
        report[f"{name}_spread_s"] = [min(spent), max(spent)]
    return report


def measure(architecture: str, device: str, rounds: int, *, is_search: bool = False) -> dict:
    """One architecture: all single heads, or the sets of the original's search."""
    config = config_of(architecture)
    with tempfile.TemporaryDirectory() as name:
        folder = save_random(Path(name), config)
        model = load_model(ModelEntry("bench", folder, True), device=device)
        hf = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).to(device).eval()
        is_whole = architecture == "gpt2" and not is_search
        bridge = None
        if is_whole:
            bridge = TransformerBridge.boot_transformers(folder, device=device, dtype=torch.float32)
    prompt = prompt_of(TOKENS)
    ids = ask(model, Question("bench", prompt)).ids.to(device)
    sets = (sets_of_the_search if is_search else all_singles)(12, 12)
    ways = {
        "ours": lambda: run_ours(model, sets, prompt),
        "hugging_face": lambda: run_hugging_face(hf, sets, ids),
    }
    if bridge is not None:
        ways["transformer_lens"] = lambda: run_transformer_lens(bridge, sets, ids)
    run_ours(model, sets, prompt), run_hugging_face(hf, sets[:2], ids)  # warm up
    report = {"architecture": architecture, "tokens": ids.shape[1], "sets": len(sets)}
    report |= take_turns(ways, rounds)
    report["speedup_vs_hugging_face"] = report["hugging_face_s"] / report["ours_s"]
    if bridge is not None:
        rate = measure_rate(device)
        floor = count_flop(model, ids.shape[1]) / rate
        report["transformer_lens_loop_s"] = report["transformer_lens_s"]
        report["speedup_vs_transformer_lens"] = report["transformer_lens_s"] / report["ours_s"]
        report |= {"matrix_product_gflop_per_s": rate / 1e9, "floor_s": floor}
        report["times_the_floor"] = report["ours_s"] / floor
        report |= measure_sweeps(model, max(1, rounds // 2))
    return report


GROWTH = [
    {"tokens": 15},
    {"tokens": 128},
    {"tokens": 512},
    {"layers": 6},
    {"layers": 24},
    {"heads": 6},
    {"heads": 24},
]


def measure_growth(device: str, layers: int = 12, heads: int = 12, tokens: int = TOKENS) -> dict:
    """Seconds and the process' (or the GPU's) peak memory of one sweep."""
    with tempfile.TemporaryDirectory() as name:
        folder = save_random(Path(name), config_of("gpt2", layers=layers, heads=heads))
        model = load_model(ModelEntry("bench", folder, True), device=device)
    sets, prompt = all_singles(layers, heads), prompt_of(tokens)
    run_ours(model, sets[:heads], prompt)
    before = _forget_peak(device)
    _, seconds = run_ours(model, sets, prompt)
    return {
        "layers": layers,
        "heads": heads,
        "tokens": tokens,
        "sets": len(sets),
        "seconds": seconds,
        "peak_beyond_model_mb": (_peak(device) - before) / 2**20,
    }


def _forget_peak(device: str) -> int:
    """Start measuring a new peak; the bytes that are in use now."""
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated()
    Path("/proc/self/clear_refs").write_text("5")  # Linux: the peak becomes what is resident now
    return _resident("VmRSS")


def _peak(device: str) -> int:
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated()
    return _resident("VmHWM")


def _resident(name: str) -> int:
    """Bytes of memory that the process has, or had at most, in use."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1]) * 1024


def grow(device: str) -> list[dict]:
    """Each size in a process of its own, so that peaks of memory are its own too."""
    reports = []
    for sizes in GROWTH:
        code = (
            "import json; from tests.benchmarks.sweep import measure_growth; "
            f"print(json.dumps(measure_growth({device!r}, **{sizes!r})))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        reports.append(json.loads(done.stdout.strip().splitlines()[-1]))
    return reports


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--growth", action="store_true", help="measure growth too")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    whole = measure("gpt2", options.device, options.rounds)
    report = {"device": options.device, "threads": torch.get_num_threads(), **whole}
    for architecture in ARCHITECTURES[1:]:
        report[architecture] = measure(architecture, options.device, max(1, options.rounds - 2))
    report["search"] = measure("gpt2", options.device, max(1, options.rounds - 2), is_search=True)
    if options.growth:
        report["growth"] = grow(options.device)
    if options.json:
        print(json.dumps(report))
    else:
        print_report(report)


def print_report(report: dict, indent: str = "") -> None:
    for name, value in report.items():
        if isinstance(value, dict):
            print(f"{indent}{name}:")
            print_report(value, indent + "  ")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            print(f"{indent}{name}:")
            for row in value:
                print(indent + "  " + "  ".join(f"{k} {_short(v)}" for k, v in row.items()))
        else:
            print(f"{indent}{name:32} {_short(value)}")


def _short(value) -> str:
    if isinstance(value, list):
        return " to ".join(map(_short, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
