"""Vocabularies in the two common styles, trained on the spot: GPT-2's, and SentencePiece with
single digits as Llama's."""

import string

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from attention_viz.models.training import words as w
from attention_viz.models.training.landmarks import LANDMARKS
from attention_viz.models.vocabulary import Vocabulary

TEXT = " ".join(
    [*w.NAMES, *w.PLACES, *w.THINGS, *w.EVENTS, *w.NOUNS, *map(w.pluralize, w.NOUNS)]
    + [*w.DAYS, *w.MONTHS, *w.NUMBER_WORDS, *w.LITTLE, *map(" ".join, LANDMARKS)]
    + [str(number) for number in range(100)]
)


def gpt2_style() -> Vocabulary:
    """Byte-level, digits joined as they come, beginning of text prepended."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return _train(tokenizer, sorted(pre_tokenizers.ByteLevel.alphabet()))


def sentencepiece_style() -> Vocabulary:
    """ "▁" for spaces, one before every text, each digit a token."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(), pre_tokenizers.Digits(individual_digits=True)]
    )
    tokenizer.decoder = decoders.Metaspace()
    return _train(tokenizer, list(string.ascii_letters + string.digits + ".,;'"))


def of_bytes(*pieces: bytes) -> Vocabulary:
    """Byte-level as GPT-2's, with just these pieces beside the single bytes, cut anywhere; a
    piece must be another and one byte more.
    """
    signs = _byte_signs()
    vocabulary = {"<s>": 0} | {sign: 1 + nth for nth, sign in enumerate(signs)}
    merges = []
    for piece in pieces:
        *begin, end = (signs[byte] for byte in piece)
        merges.append(("".join(begin), end))
        vocabulary["".join([*begin, end])] = len(vocabulary)
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    return _vocabulary(tokenizer)


def byte_fallback() -> Vocabulary:
    """SentencePiece as Llama's: letters, and "<0xE6>" for each byte of any other character."""
    letters = ["▁", *string.ascii_letters, "\ufffd"]
    pieces = ["<s>", "<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), *letters]
    vocabulary = {piece: id for id, piece in enumerate(pieces)}
    model = models.BPE(vocab=vocabulary, merges=[], byte_fallback=True, unk_token="<unk>")
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never", split=False)
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    return _vocabulary(tokenizer)


def _byte_signs() -> list[str]:
    """The sign of each byte, as openai/gpt-2's encoder.py has it."""
    own = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    signs = [chr(byte) if byte in own else chr(next(others)) for byte in range(0x100)]
    assert set(signs) == set(pre_tokenizers.ByteLevel.alphabet())
    return signs


def _train(tokenizer: Tokenizer, alphabet: list[str]) -> Vocabulary:
    trainer = trainers.BpeTrainer(
        vocab_size=8000,
        min_frequency=1,
        special_tokens=["<s>"],
        initial_alphabet=alphabet,
        show_progress=False,
    )
    tokenizer.train_from_iterator([TEXT], trainer)
    return _vocabulary(tokenizer)


def _vocabulary(tokenizer: Tokenizer) -> Vocabulary:
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>")
    return Vocabulary(fast, size=len(fast), context=64, prepends_bos=True)
