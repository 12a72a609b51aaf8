"""Randomly initialised models of GPT-2 small's size, saved as folders for the benchmarks."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    PretrainedConfig,
    PreTrainedTokenizerFast,
)

ARCHITECTURES = ("gpt2", "llama", "neox")


def config_of(
    architecture: str, *, layers: int = 12, heads: int = 12, context: int = 1024
) -> PretrainedConfig:
    """64 numbers a head; with 12 layers × 12 heads the sizes of GPT-2 small (and like it)."""
    width = 64 * heads
    if architecture == "gpt2":
        return GPT2Config(n_layer=layers, n_head=heads, n_embd=width, n_positions=context)
    shared = {
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "hidden_size": width,
        "vocab_size": 50257,
        "max_position_embeddings": context,
    }
    if architecture == "llama":
        return LlamaConfig(
            **shared, intermediate_size=8 * width // 3, num_key_value_heads=max(1, heads // 3)
        )
    return GPTNeoXConfig(**shared, intermediate_size=4 * width, use_parallel_residual=True)


def save_random(folder: Path, config: PretrainedConfig) -> str:
    """Random weights and biases; words w0, w1 … as tokens."""
    torch.manual_seed(0)
    hf = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for weight in hf.parameters():
            if weight.ndim == 1:
                weight += 0.1 * torch.randn_like(weight)
    hf.save_pretrained(folder)
    words = {f"w{i}": i for i in range(config.vocab_size)}
    core = Tokenizer(models.WordLevel(words, unk_token="w0"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    last = f"w{config.vocab_size - 1}"
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, bos_token=last, eos_token=last)
    tokenizer.save_pretrained(folder)
    return str(folder)


def prompt_of(tokens: int) -> str:
    """A prompt of so many tokens, beginning of text included where the model puts it first."""
    return " ".join(f"w{17 * i}" for i in range(1, tokens))
