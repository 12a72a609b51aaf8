"""Every token of whole vocabularies is called what it is, byte by byte and blank by blank."""

from collections import defaultdict
from itertools import islice

import pytest

from attention_viz.models.catalogue import Catalogue
from attention_viz.models.loading import load_model
from attention_viz.models.vocabulary import BOS_TEXT, Vocabulary
from attention_viz.records.model import EMBEDDED
from attention_viz.records.tokens import join, unshow
from tests import vocabularies

TEXTS = (
    "When Mary and John went to the store, John gave a drink to",
    "  two  blanks   three\n\nlines\tand tabs \n",
    "naïve 日本 🙂 e\u0301 سلام x\x00y\x85 ␣ ⏎ 1,234",
    "\n",
    " ",
)


def embedded() -> tuple[Vocabulary, list[bytes]]:
    """The ids of its tokenizer's file, whose pieces are written in GPT-2's signs."""
    vocabulary = load_model(Catalogue.standard().entry(EMBEDDED), device="cpu").vocabulary
    signs = vocabularies.byte_signs()
    pieces = vocabulary._tokenizer.convert_ids_to_tokens(range(vocabulary.size))
    special = set(vocabulary._tokenizer.all_special_tokens)
    return vocabulary, [
        piece.encode() if piece in special else bytes(signs[sign] for sign in piece)
        for piece in pieces
    ]


def made(tokenizer, raws: list[bytes]) -> tuple[Vocabulary, list[bytes]]:
    return Vocabulary(tokenizer, size=len(raws), context=10**6, prepends_bos=True), raws


MAKERS = {
    "gpt2": (lambda: made(*vocabularies.gpt2()), 50257),
    "mistral": (lambda: made(*vocabularies.mistral()), 32000),
    "embedded": (embedded, 4097),
}


@pytest.fixture(scope="module", params=MAKERS)
def whole(request):
    """A vocabulary, and the bytes that every id stands for, told by its file alone."""
    make, size = MAKERS[request.param]
    vocabulary, raws = make()
    assert vocabulary.size == len(raws) == size
    return vocabulary, raws


def test_every_token_is_its_bytes(whole):
    vocabulary, raws = whole
    for id, raw in enumerate(raws):
        token = vocabulary.token(id)
        assert (token.text.encode() if token.raw is None else token.raw) == raw, (id, token)


def test_every_label_has_its_number_of_blanks(whole):
    vocabulary, raws = whole
    for id, raw in enumerate(raws):
        label = vocabulary.token(id).alone
        assert label.count("␣") == raw.count(b" ") + raw.count("␣".encode()), (id, label)
        assert " " not in label


def test_two_blanks_are_two():
    vocabulary, _ = made(*vocabularies.mistral())
    labels = [
        vocabulary.token(id).shown
        for id in vocabulary._tokenizer.convert_tokens_to_ids(["▁", "▁▁", "▁▁▁▁"])
    ]
    assert labels == ["␣", "␣␣", "␣␣␣␣"]


def test_labels_differ_where_bytes_do_and_lead_back(whole):
    vocabulary, raws = whole
    by_label = defaultdict(set)
    for id, raw in enumerate(raws):
        label = vocabulary.token(id).alone
        by_label[label].add(raw)
        assert raws[vocabulary.find(unshow(label))] == raw, (id, label)
    assert not {label: found for label, found in by_label.items() if len(found) > 1}


def test_texts_come_back_as_they_went_in(whole):
    """Of every token's own text too; SentencePiece puts a blank before each."""
    vocabulary, raws = whole
    tokens = (vocabulary.token(id) for id in range(vocabulary.size))
    own = [token.text for token in islice(tokens, 0, None, 7) if token.raw is None]
    for text in (*TEXTS, *own):
        read = vocabulary.tokenize(text, bos=False)
        if not read.bos:  # the text of the special token itself
            assert join(read.items) in (text, f" {text}"), text
            assert (
                b"".join(raws[token.id] for token in read.items).lstrip() == text.encode().lstrip()
            )


def test_beginning_of_text_is_said_once(whole):
    vocabulary, _ = whole
    read = vocabulary.tokenize("\n")
    assert read.bos and read.items[0].text == BOS_TEXT and len(read) > 1
