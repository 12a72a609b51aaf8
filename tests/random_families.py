"""Tiny random models of many families: 4 layers × 4 heads, every weight and bias random.

Each family is a class of transformers and what its configuration needs beyond the common sizes.
"""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import torch
import transformers
from torch import nn

from tests.models_for_tests import WORDS, random_tokenizer

HEADS = 4
LAYERS = 4


@dataclass(frozen=True)
class Family:
    """How a tiny model of one family is built."""

    stem: str  # of the configuration's and the model's class
    settings: dict = field(default_factory=dict)
    common: str = "llama"  # which names the common sizes go by


_SIZES = {
    "llama": dict(
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=2,
        max_position_embeddings=64,
        pad_token_id=None,
    ),
    "gpt2": dict(n_embd=32, n_layer=LAYERS, n_head=HEADS, n_positions=64),
    "neox": dict(
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        max_position_embeddings=64,
    ),
    "none": {},
}

_WINDOW = dict(sliding_window=5)
_MIXED = dict(layer_types=["sliding_attention", "full_attention"] * 2, **_WINDOW)
_EXPERTS = dict(num_experts=4, num_experts_per_tok=2, moe_intermediate_size=24)
_MULTIPLIERS = dict(
    residual_multiplier=0.22,
    embedding_multiplier=12.0,
    logits_scaling=8.0,
    attention_multiplier=0.4,
)

FAMILIES: dict[str, Family] = {
    "apertus": Family("Apertus"),
    "arcee": Family("Arcee"),
    "bitnet": Family("BitNet"),
    "bloom": Family("Bloom", dict(hidden_size=32, n_layer=LAYERS, n_head=HEADS), "none"),
    "codegen": Family("CodeGen", dict(rotary_dim=4, n_ctx=64), "gpt2"),
    "cohere": Family("Cohere", dict(logit_scale=0.0625)),
    "cohere2": Family("Cohere2", dict(logit_scale=0.25, **_MIXED)),
    "deepseek_v2": Family(
        "DeepseekV2",
        dict(
            num_key_value_heads=4,
            q_lora_rank=12,
            kv_lora_rank=8,
            qk_rope_head_dim=4,
            qk_nope_head_dim=4,
            v_head_dim=8,
            n_routed_experts=4,
            n_shared_experts=1,
            num_experts_per_tok=2,
            moe_intermediate_size=24,
            first_k_dense_replace=1,
            n_group=1,
            topk_group=1,
        ),
    ),
    "deepseek_v3": Family(
        "DeepseekV3",
        dict(
            num_key_value_heads=4,
            q_lora_rank=12,
            kv_lora_rank=8,
            qk_rope_head_dim=4,
            qk_nope_head_dim=4,
            v_head_dim=8,
            n_routed_experts=4,
            n_shared_experts=1,
            num_experts_per_tok=2,
            moe_intermediate_size=24,
            first_k_dense_replace=1,
            n_group=1,
            topk_group=1,
        ),
    ),
    "ernie4_5": Family("Ernie4_5", dict(use_bias=True)),
    "exaone4": Family("Exaone4", _MIXED),
    "falcon": Family(
        "Falcon",
        dict(new_decoder_architecture=True, num_kv_heads=2, ffn_hidden_size=48, bias=True),
        "neox",
    ),
    "falcon_alibi": Family(
        "Falcon", dict(alibi=True, multi_query=False, parallel_attn=False, bias=True), "neox"
    ),
    "falcon_mqa": Family("Falcon", dict(multi_query=True, bias=True), "neox"),
    "gemma": Family("Gemma", dict(head_dim=8)),
    "gemma2": Family(
        "Gemma2",
        dict(
            head_dim=8,
            query_pre_attn_scalar=8,
            final_logit_softcapping=3.0,
            attn_logit_softcapping=2.0,
            **_MIXED,
        ),
    ),
    "gemma3_text": Family("Gemma3", dict(head_dim=8, query_pre_attn_scalar=8, **_MIXED)),
    "gemma4_text": Family(
        "Gemma4",
        dict(head_dim=8, global_head_dim=8, vocab_size_per_layer_input=WORDS + 1, **_MIXED),
    ),
    "glm": Family("Glm", dict(head_dim=8, attention_bias=True)),
    "glm4": Family("Glm4", dict(head_dim=8, attention_bias=True)),
    "gpt2": Family("GPT2", {}, "gpt2"),
    "gpt2_scale_layer": Family("GPT2", dict(scale_attn_by_inverse_layer_idx=True), "gpt2"),
    "gpt_bigcode": Family("GPTBigCode", dict(multi_query=True), "gpt2"),
    "gpt_neo": Family(
        "GPTNeo",
        dict(
            hidden_size=32,
            num_layers=LAYERS,
            num_heads=HEADS,
            attention_types=[[["global", "local"], 2]],
            window_size=5,
            max_position_embeddings=64,
        ),
        "none",
    ),
    "gpt_neox": Family("GPTNeoX", dict(use_parallel_residual=True), "neox"),
    "gpt_neox_sequential": Family("GPTNeoX", dict(use_parallel_residual=False), "neox"),
    "gpt_oss": Family("GptOss", dict(head_dim=8, num_local_experts=4, **_MIXED)),
    "gptj": Family("GPTJ", dict(rotary_dim=4), "gpt2"),
    "granite": Family("Granite", _MULTIPLIERS),
    "granite_moe": Family("GraniteMoe", dict(num_local_experts=4, **_MULTIPLIERS)),
    "hunyuan_dense": Family("HunYuanDenseV1", dict(head_dim=8)),
    "llama": Family("Llama", dict(attention_bias=True, mlp_bias=True)),
    "llama_1kv": Family("Llama", dict(num_key_value_heads=1)),
    "llama_head_dim": Family("Llama", dict(head_dim=16)),
    "ministral3": Family("Ministral3", dict(head_dim=8)),
    "mistral": Family("Mistral", _WINDOW),
    "mixtral": Family("Mixtral", dict(num_local_experts=4)),
    "mpt": Family("Mpt", dict(d_model=32, n_layers=LAYERS, n_heads=HEADS, max_seq_len=64), "none"),
    "nemotron": Family("Nemotron", dict(head_dim=8)),
    "olmo": Family("Olmo"),
    "olmo2": Family("Olmo2"),
    "olmo3": Family("Olmo3", _MIXED),
    "olmoe": Family("Olmoe", dict(num_experts=4, num_experts_per_tok=2)),
    "opt": Family("OPT", dict(ffn_dim=48, word_embed_proj_dim=32), "neox"),
    "phi": Family("Phi"),
    "phi3": Family("Phi3"),
    "qwen2": Family("Qwen2"),
    "qwen2_moe": Family("Qwen2Moe", dict(shared_expert_intermediate_size=24, **_EXPERTS)),
    "qwen2_window": Family("Qwen2", dict(use_sliding_window=True, max_window_layers=1, **_WINDOW)),
    "qwen3": Family("Qwen3", dict(head_dim=8)),
    "qwen3_head_dim": Family("Qwen3", dict(head_dim=16)),
    "qwen3_moe": Family("Qwen3Moe", dict(head_dim=8, **_EXPERTS)),
    "seed_oss": Family("SeedOss", dict(head_dim=8)),
    "smollm3": Family("SmolLM3"),
    "stablelm": Family("StableLm", dict(use_qkv_bias=True)),
    "stablelm_parallel": Family("StableLm", dict(use_parallel_residual=True, qk_layernorm=True)),
    "starcoder2": Family("Starcoder2"),
}

REFUSED: dict[str, tuple[Family, str]] = {
    "bert": (Family("Bert", {}, "neox"), "bidirectional"),
    "bamba": (
        Family("Bamba", dict(attn_layer_indices=[1], mamba_n_heads=8, mamba_d_head=8)),
        "layers without attention",
    ),
    "biogpt": (Family("BioGpt", {}, "neox"), "architecture"),
    "helium": (Family("Helium", dict(head_dim=8)), "architecture"),
    "jamba": (
        Family("Jamba", dict(attn_layer_period=2, attn_layer_offset=1)),
        "layers without attention",
    ),
    "lfm2": (
        Family("Lfm2", dict(layer_types=["conv", "full_attention"] * 2)),
        "layers without attention",
    ),
    "mamba": (
        Family("Mamba", dict(hidden_size=32, num_hidden_layers=2), "none"),
        "without attention",
    ),
    "openai_gpt": (Family("OpenAIGPT", {}, "gpt2"), "final norm"),
    "persimmon": (Family("Persimmon", {}, "neox"), "architecture"),
}


@cache
def build(name: str, seed: int = 0) -> nn.Module:
    """A model of this family in float32, evaluated; weights wide enough for uneven attention."""
    family = FAMILIES[name] if name in FAMILIES else REFUSED[name][0]
    ends = dict(vocab_size=WORDS + 1, bos_token_id=WORDS, eos_token_id=WORDS)
    settings = {**_SIZES[family.common], **ends, **family.settings}
    names = (f"{family.stem}TextConfig", f"{family.stem}Config")
    config = next(getattr(transformers, each) for each in names if hasattr(transformers, each))
    model = next(
        getattr(transformers, each)
        for each in (f"{family.stem}ForCausalLM", f"{family.stem}LMHeadModel")
        if hasattr(transformers, each)
    )
    torch.manual_seed(seed)
    made = _randomised(model(config(**settings))).eval()
    if "expert" in str(made.config):
        made.set_experts_implementation("eager")  # the grouped one knows float32 only
    return made


def _randomised(model: nn.Module) -> nn.Module:
    """No bias, norm or learnt scalar at its default, where it could hide."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim < 2:
                weight += 0.3 * torch.randn_like(weight)
            elif "embed" not in name and "wte" not in name:
                weight.mul_(4)
    return model


def save(name: str, folder: Path) -> Path:
    """The model and its tokenizer, as a folder."""
    target = folder / name
    build(name).save_pretrained(target)
    random_tokenizer().save_pretrained(target)
    return target
