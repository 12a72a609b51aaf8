"""The tokenizer: byte-level BPE in which every name and common word is one token.

It is trained on a list of words, each once: with a minimum frequency of one, merging goes on until
every word of the list is a single token, and the merges on the way give pieces for all other text.
Words carry their leading space, as in GPT-2; digits come in groups of at most two (1741 -> " 17",
"41"). ``<|endoftext|>`` is id 0, begins and ends texts, and is never added by the tokenizer itself.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from attention_viz.models.evaluation import held_out
from attention_viz.models.training import words as w
from attention_viz.models.training.landmarks import LANDMARKS

END_OF_TEXT = "<|endoftext|>"
CONTEXT = 128
SPLIT = r"'(?:s|t|re|ve|m|ll|d)(?!\p{L})| ?\p{L}+| ?\p{N}{1,2}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
PUNCTUATION = [".", ",", "!", "?", ";", ":", '."', ',"', '?"', '!"', "'s", "'t", "'re", "'ll", "'m",
               ' "', " '", " (", ")", " -", " /", " =", "\n"]  # fmt: skip


def list_words() -> list[str]:
    """Every string that must be one token, each once, with its leading space where it has one."""
    digits = [str(number) for number in range(10)] + [f"{number:02d}" for number in range(100)]
    names = w.NAMES + w.DAYS + w.MONTHS
    facts = [word for row in LANDMARKS for part in row for word in part.split()]
    inner = w.list_fillers() + names + facts + digits + held_out.NAMES + held_out.WORDS
    inner += [word for word in w.CAPITALIZED if word.isalpha()] + ["I", "It", "Where", "In", "On"]
    starts = names + [word for word in w.CAPITALIZED if word.isalpha()] + digits
    strings = [" " + word for word in inner] + starts + PUNCTUATION
    return list(dict.fromkeys(strings))


def build_tokenizer() -> PreTrainedTokenizerFast:
    """The tokenizer, made anew; the same on every call."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])  # fmt: skip
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=6000,
        min_frequency=1,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(list_words(), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=END_OF_TEXT,
        eos_token=END_OF_TEXT,
        unk_token=END_OF_TEXT,
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
    )


def load_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """The tokenizer of a model folder, without asking the network."""
    return PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)


def make_encoder(tokenizer: PreTrainedTokenizerFast):
    """A fast ``encode(text) -> ids``: words are looked up, and each distinct one is split once."""
    # Letters of the corpus are ASCII, so the pattern needs no Unicode classes.
    pattern = re.compile(SPLIT.replace(r"\p{L}", "[A-Za-z]").replace(r"\p{N}", "[0-9]")
                         .replace(r"[^\s[A-Za-z][0-9]]", r"[^\sA-Za-z0-9]"))  # fmt: skip

    @cache
    def encode_word(word: str) -> tuple[int, ...]:
        return tuple(tokenizer.encode(word, add_special_tokens=False))

    def encode(text: str) -> list[int]:
        return [token for word in pattern.findall(text) for token in encode_word(word)]

    return encode
