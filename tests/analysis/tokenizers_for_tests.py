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


def _train(tokenizer: Tokenizer, alphabet: list[str]) -> Vocabulary:
    trainer = trainers.BpeTrainer(
        vocab_size=8000,
        min_frequency=1,
        special_tokens=["<s>"],
        initial_alphabet=alphabet,
        show_progress=False,
    )
    tokenizer.train_from_iterator([TEXT], trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>")
    return Vocabulary(fast, size=len(fast), context=64, prepends_bos=True)
