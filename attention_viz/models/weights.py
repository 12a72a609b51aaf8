"""From a folder to a model: every weight is the file's own, or the model is refused.

transformers fills what is missing at random and goes on; what it reports of that is a refusal
here. Left aside are tied weights, which are missing by design, and buffers that old checkpoints
hold (masks, rotary frequencies): they are computed, not learnt.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn
from transformers import AutoModelForCausalLM, PreTrainedConfig
from transformers import __version__ as transformers_version
from transformers.models.auto.auto_factory import _get_model_class
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING

from attention_viz.models.finite import is_finite
from attention_viz.models.folder import ModelFolder, in_a_line
from attention_viz.records.errors import ModelUnavailable

_LISTED = 4
# Which package reads a folder's quantised weights, and the ones we can have as plain numbers.
_PACKAGES = {
    "awq": "gptqmodel",
    "gptq": "optimum and gptqmodel",
    "bitsandbytes": "bitsandbytes",
    "compressed-tensors": "compressed-tensors",
    "quanto": "optimum-quanto",
    "hqq": "hqq",
    "torchao": "torchao",
    "aqlm": "aqlm",
    "eetq": "kernels",
    "higgs": "flute-kernel",
    "spqr": "spqr_quant",
    "vptq": "vptq",
    "quark": "amd-quark",
    "auto-round": "auto-round",
    "fp_quant": "fp_quant",
    "fbgemm_fp8": "fbgemm-gpu",
    "bitnet": "accelerate",
}
_DEQUANTIZED = ("fp8", "mxfp4")
# Fields of a config that are no property of the model: how its author ran it, and where it was.
_HOW_IT_RAN = frozenset(
    "attn_implementation _attn_implementation experts_implementation return_dict use_return_dict "
    "torchscript output_attentions output_hidden_states auto_map transformers_weights".split()
)
_MASKS = re.compile(r"(attn|attention)\.(bias|masked_bias)$")  # of shape 1 × 1 × n × n, or a number
_COMPUTED = re.compile(r"(^|\.)(inv_freq|position_ids)$")
_DECODER = "Give a causal language model (a decoder), such as GPT-2, Pythia or Llama."


@dataclass(frozen=True)
class Plan:
    """What is to be built from a folder."""

    folder: ModelFolder
    config: PreTrainedConfig
    family: type  # of transformers' causal language models


def plan_for(folder: ModelFolder) -> Plan:
    """What its config and its headers make of it, nothing built yet.

    Raises ModelUnavailable for what is no decoder, is packed, or can't be of that size.
    """
    config = _read_config(folder)
    family = _class_of(folder, config)
    _need_causal(folder, config)
    _need_plain_numbers(folder, config)
    _need_sizes(folder, config)
    return Plan(folder, config, family)


def build(plan: Plan, dtype: torch.dtype) -> nn.Module:
    """The model with the folder's weights. Raises ModelUnavailable for any other."""
    folder, family = plan.folder, plan.family
    try:
        model, told = family.from_pretrained(
            None,
            config=plan.config,
            state_dict=folder.read(),
            dtype=dtype,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # told, and refused below
        )
    except Exception as error:
        raise ModelUnavailable(
            f"The model {folder.name!r} can't be loaded ({in_a_line(error)}).", _DECODER
        ) from error
    _need_all_weights(folder, family, told)
    _need_finite(folder, model)
    model.config._name_or_path = str(folder.path)  # as where it was loaded from, it loads nothing
    return model


def _read_config(folder: ModelFolder) -> PreTrainedConfig:
    """The config, without how its author liked to run the model: that is not the model."""
    kind = folder.config.get("model_type")
    if not isinstance(kind, str) or kind not in CONFIG_MAPPING:
        own = " and brings code of its own, which is never run" * ("auto_map" in folder.config)
        raise ModelUnavailable(
            f"The model {folder.name!r} is of type {str(kind)[:60]!r}, which transformers "
            f"{transformers_version} does not know{own}.",
            _DECODER,
        )
    try:
        config = CONFIG_MAPPING[kind].from_dict(
            {key: value for key, value in folder.config.items() if key not in _HOW_IT_RAN}
        )
    except Exception as error:
        raise ModelUnavailable(
            f"The config of {folder.name!r} can't be read ({in_a_line(error)}).",
            "Correct its config.json.",
        ) from error
    config._attn_implementation = None
    return config


def _class_of(folder: ModelFolder, config: PreTrainedConfig) -> type:
    """The family's causal language model. Raises ModelUnavailable where it has none."""
    if getattr(config, "is_encoder_decoder", False):
        raise ModelUnavailable(
            f"The model {folder.name!r} ({config.model_type}) is an encoder with a decoder.",
            _DECODER,
        )
    known = AutoModelForCausalLM._model_mapping
    if type(config) not in known:
        raise ModelUnavailable(
            f"The model {folder.name!r} ({config.model_type}) is no causal language model.",
            _DECODER,
        )
    return _get_model_class(config, known)


def _need_causal(folder: ModelFolder, config: PreTrainedConfig) -> None:
    """Raises ModelUnavailable for those that can be decoders and are not (BERT)."""
    if type(config) in MODEL_FOR_MASKED_LM_MAPPING and not getattr(config, "is_decoder", True):
        raise ModelUnavailable(
            f"The model {folder.name!r} ({config.model_type}) is bidirectional: it predicts masked "
            "tokens, not the next one.",
            _DECODER,
        )


def _need_plain_numbers(folder: ModelFolder, config: PreTrainedConfig) -> None:
    """Raises ModelUnavailable for packed weights; what transformers can unpack is unpacked."""
    settings = getattr(config, "quantization_config", None)
    if not settings:
        return
    method = str(settings.get("quant_method", "unknown") if isinstance(settings, dict) else "")
    if method not in _DEQUANTIZED:
        package = _PACKAGES.get(method.removesuffix("_4bit").removesuffix("_8bit"))
        needs = f"reading them needs the package {package}" if package else "they are packed"
        raise ModelUnavailable(
            f"The weights of {folder.name!r} are quantised ({method}): {needs}, and heads can't be "
            "told apart in them.",
            "Give the model it was made from, in float32, float16 or bfloat16.",
        )
    config.quantization_config = settings | {"dequantize": True}


def _need_sizes(folder: ModelFolder, config: PreTrainedConfig) -> None:
    """Raises ModelUnavailable where the config claims far more than the files hold."""
    text = config.get_text_config()
    layers = getattr(text, "num_hidden_layers", None)
    if isinstance(layers, int) and layers > folder.layers:
        raise ModelUnavailable(
            f"The config of {folder.name!r} says {layers} layers, its files hold {folder.layers}.",
            "Download or copy the folder again, or correct its config.json.",
        )
    width = getattr(text, "hidden_size", None) or 0
    for key in ("vocab_size", "intermediate_size", "hidden_size"):
        size = getattr(text, key, None)
        if isinstance(size, int) and size * width > 8 * folder.numbers:
            raise ModelUnavailable(
                f"The config of {folder.name!r} says {key} = {size} (hidden_size {width}); its "
                f"files hold {folder.numbers} numbers in all.",
                "Download or copy the folder again, or correct its config.json.",
            )


def _need_all_weights(folder: ModelFolder, family: type, told: dict) -> None:
    shapes = [
        f"{key} ({_times(found)} in the file, {_times(needed)} by the config)"
        for key, found, needed in sorted(told["mismatched_keys"])
    ]
    unexpected = [key for key in told["unexpected_keys"] if not _is_buffer(folder, key)]
    wrong = {
        "missing": sorted(told["missing_keys"]),
        "unexpected": sorted(unexpected),
        "of another shape": shapes,
        "unreadable": sorted(map(str, told.get("error_msgs") or ())),
    }
    if any(wrong.values()):
        parts = "; ".join(f"{kind}: {_some(keys)}" for kind, keys in wrong.items() if keys)
        raise ModelUnavailable(
            f"The weights of {folder.name!r} are not those of its {family.__name__}; {parts}.",
            _hint(folder, family, wrong),
        )


def _is_buffer(folder: ModelFolder, key: str) -> bool:
    """Whether it is no weight, but what old checkpoints keep of a computation."""
    stored = folder.tensors.get(key)
    is_mask = _MASKS.search(key) and stored is not None and len(stored.shape) in (0, 4)
    return bool(is_mask or _COMPUTED.search(key))


def _hint(folder: ModelFolder, family: type, wrong: dict[str, list[str]]) -> str:
    made = (folder.config.get("architectures") or [None])[0]
    if made and made != family.__name__:
        return f"It was saved as {made}: give the causal language model it was made from."
    if wrong["unexpected"] and not wrong["missing"]:
        return "Does its config.json belong to these weights?"
    return "Nothing is filled at random: download or copy the folder again, or save it anew."


def _need_finite(folder: ModelFolder, model: nn.Module) -> None:
    """Raises ModelUnavailable for weights that are no numbers."""
    bad = [name for name, weight in model.named_parameters() if not is_finite(weight)]
    if bad:
        raise ModelUnavailable(
            f"The weights of {folder.name!r} are damaged; not finite numbers in: {_some(bad)}.",
            "Download or copy the folder again.",
        )


def _some(keys: Iterable[str]) -> str:
    keys = list(keys)
    more = f" and {len(keys) - _LISTED} more" if len(keys) > _LISTED else ""
    return ", ".join(keys[:_LISTED]) + more


def _times(shape: Iterable[int]) -> str:
    return " × ".join(map(str, shape))
