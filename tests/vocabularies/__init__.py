"""Whole vocabularies of language models as tokenizers; see README.md for where they are from."""

import lzma
import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

FOLDER = Path(__file__).parent
NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6  # kinds of SentencePiece's pieces


@cache
def gpt2() -> tuple[PreTrainedTokenizerFast, list[bytes]]:
    """GPT-2's tokenizer, and the bytes that every id stands for (openai/gpt-2, encoder.py)."""
    lines = lzma.decompress((FOLDER / "gpt2.bpe.xz").read_bytes()).decode().split("\n")
    merges = [tuple(line.split(" ")) for line in lines[1:] if line]
    signs = byte_signs()
    vocabulary = {sign: id for id, sign in enumerate(signs)}
    for left, right in merges:
        vocabulary[left + right] = len(vocabulary)
    raws = [bytes(signs[sign] for sign in piece) for piece in vocabulary]
    end = "<|endoftext|>"
    vocabulary[end] = len(vocabulary)
    core = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=core, bos_token=end, eos_token=end)
    return fast, [*raws, end.encode()]


def byte_signs() -> dict[str, int]:
    """GPT-2's sign for each byte, in the order of its vocabulary."""
    own = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(0x100) if byte not in own]
    return {chr(byte): byte for byte in own} | {
        chr(0x100 + nth): byte for nth, byte in enumerate(others)
    }


@cache
def mistral() -> tuple[PreTrainedTokenizerFast, list[bytes]]:
    """Mistral's first tokenizer, and the bytes that every id stands for."""
    pieces = list(_pieces(lzma.decompress((FOLDER / "mistral.model.xz").read_bytes())))
    ids = {text: id for id, (text, _, _) in enumerate(pieces)}
    model = models.BPE(
        vocab=ids, merges=_merges(pieces, ids), byte_fallback=True, fuse_unk=True, unk_token="<unk>"
    )
    core = Tokenizer(model)
    core.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    core.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )
    return fast, [_raw(text, kind) for text, _, kind in pieces]


def _raw(text: str, kind: int) -> bytes:
    if kind == BYTE:
        return bytes.fromhex(text.removeprefix("<0x").removesuffix(">"))
    return (text.replace("▁", " ") if kind == NORMAL else text).encode()


def _merges(pieces, ids) -> list[tuple[str, str]]:
    """Each piece of every two that make it, the best-scored first, as SentencePiece joins them."""
    found = []
    for text, score, kind in pieces:
        splits = ((text[:i], text[i:]) for i in range(1, len(text))) if kind == NORMAL else ()
        own = [(left, right) for left, right in splits if left in ids and right in ids]
        found += [(-score, ids[left], ids[right], (left, right)) for left, right in own]
    return [pair for *_, pair in sorted(found)]


# The protocol buffer of a SentencePiece model: field 1, repeated, is a piece with its text (1), its
# score (2, a float) and its kind (3).


def _pieces(data: bytes) -> Iterator[tuple[str, float, int]]:
    for field, piece in _fields(data):
        if field == 1:
            parts = dict(_fields(piece))
            yield parts[1].decode(), parts.get(2, 0.0), parts.get(3, NORMAL)


def _fields(data: bytes) -> Iterator[tuple[int, bytes | float | int]]:
    at = 0
    while at < len(data):
        key, at = _number(data, at)
        kind = key & 7
        if kind == 0:
            value, at = _number(data, at)
        elif kind == 5:
            (value,), at = struct.unpack_from("<f", data, at), at + 4
        elif kind == 2:
            size, at = _number(data, at)
            value, at = data[at : at + size], at + size
        else:
            raise ValueError(f"wire type {kind}")
        yield key >> 3, value


def _number(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value, at, shift = value | (byte & 0x7F) << shift, at + 1, shift + 7
        if not byte & 0x80:
            return value, at
