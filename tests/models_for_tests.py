"""Small random models with random biases, in three architectures, as folders on disk."""

from functools import cache
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    GPTJConfig,
    GPTJForCausalLM,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

WORDS = 60
ARCHITECTURES = ("gpt2", "llama", "neox")
PROMPT = "w3 w14 w15 w9 w26 w5 w35 w8"
COUNTERFACTUAL = "w3 w14 w15 w9 w2 w5 w7 w8"


def _gpt2():
    return GPT2LMHeadModel(
        GPT2Config(n_layer=3, n_head=4, n_embd=32, vocab_size=WORDS + 1, n_positions=64)
    )


def _llama():
    return LlamaForCausalLM(
        LlamaConfig(
            num_hidden_layers=3,
            num_attention_heads=4,
            num_key_value_heads=2,
            hidden_size=32,
            intermediate_size=48,
            vocab_size=WORDS + 1,
            max_position_embeddings=64,
            attention_bias=True,
            mlp_bias=True,
        )
    )


def _neox():
    return GPTNeoXForCausalLM(
        GPTNeoXConfig(
            num_hidden_layers=3,
            num_attention_heads=4,
            hidden_size=32,
            intermediate_size=64,
            vocab_size=WORDS + 1,
            max_position_embeddings=64,
            use_parallel_residual=True,
        )
    )


def _gptj():
    """Its attention looks nothing up: z is heard at the output projection only."""
    return GPTJForCausalLM(
        GPTJConfig(
            n_layer=3, n_head=4, n_embd=32, vocab_size=WORDS + 1, n_positions=64, rotary_dim=4
        )
    )


_MAKERS = {"gpt2": _gpt2, "llama": _llama, "neox": _neox, "gptj": _gptj}


@cache
def save_random_model(architecture: str, folder: Path, seed: int = 0) -> Path:
    """Write a random model and its tokenizer; every bias is random, so that none can hide."""
    torch.manual_seed(seed)
    model = _MAKERS[architecture]()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim == 1:
                weight += 0.3 * torch.randn_like(weight)
            elif "embed" not in name and "wte" not in name:
                weight.mul_(4)  # default weights are so small that attention is uniform
    target = folder / architecture
    model.save_pretrained(target)
    random_tokenizer().save_pretrained(target)
    return target


def random_tokenizer() -> PreTrainedTokenizerFast:
    vocabulary = {f"w{i}": i for i in range(WORDS)} | {"<bos>": WORDS}
    core = Tokenizer(models.WordLevel(vocabulary, unk_token="w0"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=core, bos_token="<bos>", eos_token="<bos>")
