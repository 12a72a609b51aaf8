"""A small random Llama written as a GGUF file, as llama.cpp's converter does it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from attention_viz.models.pieces import _BYTE_OF_SIGN

MERGES = [("1", "2"), ("h", "i"), ("Ġ", "h"), ("Ġ", "hi"), ("Ġh", "i"), ("Ġ", "1"), ("3", "4")]
SPECIAL = ("<|end|>", "<|start|>", "<|stop|>")
TOKENS = [*SPECIAL, *sorted(_BYTE_OF_SIGN), *("".join(pair) for pair in MERGES)]
# One of two tokens of which both merges make the same is left out.
TOKENS = list(dict.fromkeys(TOKENS))
TEMPLATE = (
    "{% for message in messages %}<|start|>{{ message['role'] }}\n{{ message['content'] }}<|stop|>"
    "\n{% endfor %}{% if add_generation_prompt %}<|start|>assistant\n{% endif %}"
)
_NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "model.layers": "blk",
}


def random_llama() -> LlamaForCausalLM:
    torch.manual_seed(0)
    return LlamaForCausalLM(
        LlamaConfig(
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            hidden_size=64,
            intermediate_size=96,
            vocab_size=len(TOKENS),
            max_position_embeddings=64,
            tie_word_embeddings=True,
            rms_norm_eps=1e-5,
            rope_parameters={"rope_type": "default", "rope_theta": 5000.0},
            bos_token_id=1,
            eos_token_id=2,
        )
    ).eval()


def write_gguf(
    path: Path,
    hf: LlamaForCausalLM,
    *,
    quantized: bool = False,
    changes: Mapping[str, np.ndarray | None] | None = None,
    metadata: Mapping[str, Any] | None = None,
    architecture: str = "llama",
) -> Path:
    """`changes`: other tensors by name, None leaves one out; `metadata`: more texts."""
    config = hf.config
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(TOKENS)
    writer.add_token_types([3] * len(SPECIAL) + [1] * (len(TOKENS) - len(SPECIAL)))
    writer.add_token_merges([" ".join(pair) for pair in MERGES])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    for name, value in ({"tokenizer.ggml.pre": "smollm"} | dict(metadata or {})).items():
        writer.add_string(name, value)
    tensors = gguf_tensors(hf) | dict(changes or {})
    for name, values in tensors.items():
        if values is not None:
            kind = gguf.GGMLQuantizationType.Q4_1
            if quantized and values.ndim == 2 and values.shape[-1] % 32 == 0:
                writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)
            else:
                writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def gguf_tensors(hf: LlamaForCausalLM) -> dict[str, np.ndarray]:
    """The weights by llama.cpp's names, rows of queries and keys in llama.cpp's order."""
    tensors = {}
    for name, weight in hf.named_parameters():
        values = weight.detach().numpy()
        for heads, which in ((hf.config.num_attention_heads, "q"), (2, "k")):
            if f"{which}_proj" in name:
                values = pair_rows(values, heads)
        for ours, theirs in _NAMES.items():
            name = name.replace(ours, theirs)
        tensors[name] = np.ascontiguousarray(values)
    return tensors


def pair_rows(values: np.ndarray, heads: int) -> np.ndarray:
    """Halves of each head beside each other: rotary positions turn neighbours there."""
    rows, width = values.shape
    return values.reshape(heads, 2, rows // heads // 2, width).swapaxes(1, 2).reshape(rows, width)


def by_hand(values: np.ndarray) -> np.ndarray:
    """What Q4_1 makes of a matrix: 32 numbers share a step and a least value, both fp16."""
    blocks = values.reshape(-1, 32)
    least, most = blocks.min(1, keepdims=True), blocks.max(1, keepdims=True)
    step = (most - least) / np.float32(15)
    inverse = np.where(step == 0, 0, 1 / np.where(step == 0, 1, step)).astype(np.float32)
    counts = np.clip(np.trunc((blocks - least) * inverse + np.float32(0.5)), 0, 15)
    kept = [x.astype(np.float16).astype(np.float32) for x in (step, least)]
    return (counts * kept[0] + kept[1]).astype(np.float32).reshape(values.shape)
