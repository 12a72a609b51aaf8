"""How fast the one-pass sweep is: `python -m tests.benchmarks.sweep [--device cpu] [--json]`.

A randomly initialised GPT-2 of the small size (12 layers × 12 heads, d_model 768), 15 tokens, all
144 heads, fp32. Ours and TransformerLens' `run_with_hooks`, one head at a time, in turns in one
run; medians are reported, and the largest difference of their log-probabilities.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformer_lens.model_bridge import TransformerBridge
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from attention_viz.analysis.edits import Scale
from attention_viz.analysis.one_pass import Candidate, evaluate
from attention_viz.analysis.question import ask
from attention_viz.analysis.sweep import all_heads
from attention_viz.models.loading import load_model
from attention_viz.records.model import ModelEntry
from attention_viz.records.question import Question

TOKENS = 15


def save_gpt2_small(folder: Path) -> str:
    """Random weights and biases in GPT-2 small's shape; words w0, w1 … as tokens."""
    torch.manual_seed(0)
    hf = GPT2LMHeadModel(GPT2Config())
    with torch.no_grad():
        for weight in hf.parameters():
            if weight.ndim == 1:
                weight += 0.1 * torch.randn_like(weight)
    hf.save_pretrained(folder)
    words = {f"w{i}": i for i in range(hf.config.vocab_size)}
    core = Tokenizer(models.WordLevel(words, unk_token="w0"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    last = f"w{hf.config.vocab_size - 1}"
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, bos_token=last, eos_token=last)
    tokenizer.save_pretrained(folder)
    return str(folder)


def sweep_ours(model) -> tuple[torch.Tensor, float]:
    """Log-probabilities of all heads ablated alone, and the seconds, clean run included."""
    prompt = " ".join(f"w{17 * i}" for i in range(1, TOKENS))
    began = time.perf_counter()
    asked = ask(model, Question("bench", prompt))
    edit = Scale(None, 0.0)
    heads = all_heads(asked)
    found = torch.empty(len(heads), asked.vocabulary.size, device=asked.decoder.device)
    candidates = [Candidate((head,), edit) for head in heads]
    for indices, logits in evaluate(asked, candidates, lambda logits: logits.log_softmax(-1)):
        found[indices] = logits
    return found, time.perf_counter() - began


@torch.no_grad()
def sweep_transformer_lens(bridge, ids) -> tuple[torch.Tensor, float]:
    """The same by `run_with_hooks`, one head at a time."""
    began = time.perf_counter()
    rows = []
    for layer in range(bridge.cfg.n_layers):
        for head in range(bridge.cfg.n_heads):

            def zero(z, hook, head=head):
                z = z.clone()
                z[:, :, head] = 0
                return z

            hooks = [(f"blocks.{layer}.attn.hook_z", zero)]
            logits = bridge.run_with_hooks(ids, fwd_hooks=hooks, return_type="logits")
            rows.append(logits[0, -1].log_softmax(-1))
    return torch.stack(rows), time.perf_counter() - began


def measure(device: str, rounds: int) -> dict:
    with tempfile.TemporaryDirectory() as name:
        folder = save_gpt2_small(Path(name))
        model = load_model(ModelEntry("bench", folder, True), device=device)
        bridge = TransformerBridge.boot_transformers(folder, device=device, dtype=torch.float32)
    prompt = " ".join(f"w{17 * i}" for i in range(1, TOKENS))
    ids = ask(model, Question("bench", prompt)).ids.to(device)
    sweep_ours(model), bridge(ids)  # warm up
    ours, theirs = [], []
    for _ in range(rounds):
        found, seconds = sweep_ours(model)
        ours.append(seconds)
        expected, seconds = sweep_transformer_lens(bridge, ids)
        theirs.append(seconds)
    return {
        "device": device,
        "threads": torch.get_num_threads(),
        "rounds": rounds,
        "tokens": len(ids[0]),
        "heads": len(found),
        "ours_s": statistics.median(ours),
        "ours_spread_s": [min(ours), max(ours)],
        "transformer_lens_loop_s": statistics.median(theirs),
        "transformer_lens_loop_spread_s": [min(theirs), max(theirs)],
        "speedup_vs_transformer_lens": statistics.median(theirs) / statistics.median(ours),
        "largest_logprob_difference": (found - expected).abs().max().item(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    found = measure(options.device, options.rounds)
    if options.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:32} {value:.4g}" if isinstance(value, float) else f"{name:32} {value}")


if __name__ == "__main__":
    main()
