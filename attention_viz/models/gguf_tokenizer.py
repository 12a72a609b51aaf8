"""A tokenizer from a GGUF file's own vocabulary, merges and rule.

transformers makes one too, but splits every text as GPT-2 does, whatever rule the file names in
`tokenizer.ggml.pre`. Numbers would be tokens that the model never saw. The rules below are those
of llama.cpp (`src/llama-vocab.cpp`) in the terms of the tokenizers library; a file that names
another one is refused rather than guessed at.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, Digits, PreTokenizer, Split
from transformers import PreTrainedTokenizerFast

from attention_viz.records.errors import ModelUnavailable

# Kinds of entries, `tokenizer.ggml.token_type`
_NORMAL, _CONTROL, _USER_DEFINED = 1, 3, 4
_LLAMA_3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def _gpt2() -> PreTokenizer:
    return ByteLevel(add_prefix_space=False)


def _digit_by_digit() -> PreTokenizer:
    return pre_tokenizers.Sequence([Digits(individual_digits=True), _gpt2()])


def _llama_3() -> PreTokenizer:
    split = Split(Regex(_LLAMA_3), behavior="isolated")
    return pre_tokenizers.Sequence([split, ByteLevel(add_prefix_space=False, use_regex=False)])


RULES: Mapping[str, Callable[[], PreTokenizer]] = {
    "gpt-2": _gpt2,
    "smollm": _digit_by_digit,
    "starcoder": _digit_by_digit,
    "llama-bpe": _llama_3,
}
# Words that are tokens are taken whole, before any merge.
_WHOLE_WORDS_FIRST = ("llama-bpe",)


def make_tokenizer(
    metadata: Mapping[str, Any], tokens: Sequence[str], merges: Sequence[tuple[str, str]]
) -> PreTrainedTokenizerFast:
    """The tokenizer of a file with this metadata, `{"tokenizer.ggml.pre": "smollm", …}`.

    `tokens` by id, `merges` in the order in which they are tried.

    Raises ModelUnavailable for another kind of vocabulary, or a rule that is not known.
    """
    kind, rule = (metadata.get(f"tokenizer.ggml.{name}") for name in ("model", "pre"))
    if kind != "gpt2" or rule not in RULES:
        raise ModelUnavailable(
            f"The file's vocabulary ({kind!r}, rule {rule!r}) is none that can be read exactly.",
            f"Known are vocabularies of bytes with the rules {', '.join(RULES)}; give the model as "
            "a folder with its own tokenizer.json.",
        )
    core = Tokenizer(
        BPE(
            {token: id for id, token in enumerate(tokens)},
            list(merges),
            ignore_merges=rule in _WHOLE_WORDS_FIRST,
        )
    )
    core.pre_tokenizer = RULES[rule]()
    core.decoder = decoders.ByteLevel()
    kinds = metadata.get("tokenizer.ggml.token_type") or [_NORMAL] * len(tokens)
    core.add_tokens(
        [
            AddedToken(token, special=kind == _CONTROL, normalized=False)
            for token, kind in zip(tokens, kinds, strict=True)
            if kind in (_CONTROL, _USER_DEFINED)
        ]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        clean_up_tokenization_spaces=False,
        chat_template=metadata.get("tokenizer.chat_template"),
        **_named(metadata, tokens),
    )


def _named(metadata: Mapping[str, Any], tokens: Sequence[str]) -> dict[str, str]:
    """The tokens with a part to play: {"bos_token": "<|im_start|>", …}."""
    parts = {"bos": "bos", "eos": "eos", "unknown": "unk", "padding": "pad"}
    ids = {name: metadata.get(f"tokenizer.ggml.{part}_token_id") for part, name in parts.items()}
    return {f"{name}_token": tokens[id] for name, id in ids.items() if id is not None}
