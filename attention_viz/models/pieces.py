"""A tokenizer's own names for its tokens: how they read, and the bytes they stand for.

Three styles write bytes. GPT-2's has a sign for each of the 256 (openai/gpt-2, encoder.py);
SentencePiece falls back to "<0xE6>"; the rest is text, with "▁" for a space.
"""

import re

_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
# Bytes that are their own sign in Latin-1; the others take the signs from U+0100 on, in order.
_OWN_SIGN = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
_OTHERS = [byte for byte in range(0x100) if byte not in _OWN_SIGN]
_BYTE_OF_SIGN = {chr(byte): byte for byte in _OWN_SIGN} | {
    chr(0x100 + nth): byte for nth, byte in enumerate(_OTHERS)
}


def is_byte(piece: str | None) -> bool:
    """Whether the piece is SentencePiece's for a byte."""
    return bool(_BYTE.fullmatch(piece or ""))


def readable(text: str, piece: str) -> str:
    """The text of a piece decoded alone; ⟨piece⟩ where it is not whole characters.

    SentencePiece drops blanks at the beginning of what it decodes, and here each piece is one.
    """
    spaced = " " if piece == "<0x20>" else piece.replace("▁", " ")
    if spaced.lstrip(" ") == text.lstrip(" ") and spaced != piece:
        return spaced
    return f"⟨{piece}⟩" if "�" in text or not text else text


def bytes_of(text: str, piece: str) -> bytes | None:
    """The bytes of a piece that, alone, decodes to this text; None where they can't be told."""
    byte = _BYTE.fullmatch(piece)
    if byte:
        return bytes.fromhex(byte[1])
    if all(sign in _BYTE_OF_SIGN for sign in piece):
        raw = bytes(_BYTE_OF_SIGN[sign] for sign in piece)
        if raw.decode(errors="replace") == text:
            return raw
    return text.encode() if piece.replace("▁", " ") == text else None
