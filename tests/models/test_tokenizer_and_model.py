"""Tokenizers that don't fit their model exactly: padding, gaps, tokens without a row, no BOS."""

import shutil

import pytest
import torch
from tokenizers import AddedToken
from transformers import AutoTokenizer, LlamaForCausalLM

from attention_viz.analysis.ablation import predict
from attention_viz.analysis.sweep import sweep_heads
from attention_viz.models.loading import load_model
from attention_viz.models.vocabulary import Vocabulary
from attention_viz.records.ablation import PredictionRequest
from attention_viz.records.errors import BadInput, ModelUnavailable
from attention_viz.records.model import ModelEntry
from attention_viz.records.question import Question
from attention_viz.records.sweep import SweepRequest
from tests import vocabularies
from tests.models_for_tests import PROMPT, WORDS, save_random_model

QUESTION = Question("mine", PROMPT)
TOKENS = WORDS + 1


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return save_random_model("llama", tmp_path_factory.mktemp("fit"))


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "mine")


def load(folder, **options):
    return load_model(ModelEntry("mine", str(folder), True), device="cpu", **options)


def resize(folder, rows: int):
    """Another number of rows in embedding and unembedding; new ones are random, and likely."""
    model = LlamaForCausalLM.from_pretrained(folder)
    own = model.lm_head.weight.data.clone()
    model.resize_token_embeddings(rows, mean_resizing=False)
    model.lm_head.weight.data[len(own) :] = own.mean(0) + own[: max(0, rows - len(own))]
    model.save_pretrained(folder)
    return model.eval()


def clean_logits(plain, tokens):
    ids = torch.tensor([[token.id for token in tokens.items]])
    with torch.no_grad():
        return plain(input_ids=ids).logits[0, -1]


def change_tokenizer(folder, **changes):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for name, value in changes.items():
        setattr(tokenizer, name, value)
    tokenizer.save_pretrained(folder)


@pytest.mark.parametrize(("padding", "counted"), [("drop", TOKENS), ("keep", TOKENS + 3)])
def test_padding_is_left_out_of_the_softmax_or_kept_and_that_is_said(folder, padding, counted):
    plain = resize(folder, TOKENS + 3)
    model = load(folder, padding=padding)
    assert model.info.vocabulary == model.vocabulary.size == counted
    [note] = model.info.notes
    other = {"drop": "left out of the softmax (--padding keep", "keep": "counted in the softmax"}
    assert note.startswith("3 rows of the unembedding have no token") and other[padding] in note
    found = predict(model, PredictionRequest(QUESTION, top=counted))
    logits = clean_logits(plain, found.tokens)[:counted]
    expected = logits.softmax(-1)
    assert len(found.top) == counted
    for ranked in found.top:
        assert ranked.probability == pytest.approx(expected[ranked.token.id].item(), rel=1e-4)
    assert found.entropy == pytest.approx(-(expected * expected.log()).sum().item(), rel=1e-4)
    names = {ranked.token.text for ranked in found.top}
    assert (f"⟨{TOKENS + 2}⟩" in names) == (padding == "keep")
    assert sweep_heads(model, SweepRequest(QUESTION)).baseline == pytest.approx(0, abs=1e-6)


def test_without_padding_nothing_is_said(folder):
    assert load(folder).info.notes == () == load(folder, padding="keep").info.notes


def test_tokens_that_were_added_without_a_row_cannot_be_read(folder):
    """As Llama 2 with a token for padding."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_special_tokens({"pad_token": "<pad>"})
    tokenizer.save_pretrained(folder)
    model = load(folder)
    assert model.info.vocabulary == TOKENS
    assert model.info.notes == ("1 tokens have no row in the embedding and can't be read",)
    assert predict(model, PredictionRequest(QUESTION)).top
    for ask in (
        lambda: predict(model, PredictionRequest(Question("mine", "w3 <pad> w4"))),
        lambda: model.vocabulary.find("<pad>"),
    ):
        with pytest.raises(BadInput, match=f"'<pad>' has token id {TOKENS}; .* {TOKENS} rows"):
            ask()
    assert "<pad>" not in {token.text for token in model.vocabulary.matching("pad")}


def test_a_tokenizer_of_another_model_is_refused(folder):
    resize(folder, 40)
    with pytest.raises(ModelUnavailable, match=f"has {TOKENS} tokens, its embedding 40 rows"):
        load(folder)


def test_ids_with_gaps_are_named_by_number():
    tokenizer, raws = vocabularies.gpt2()
    tokenizer = type(tokenizer)(tokenizer_object=tokenizer.backend_tokenizer)
    size = len(raws) + 20

    class Gapped:
        """Its last token has an id of its own, far from the others."""

        bos_token_id = None
        chat_template = None

        def get_vocab(self):
            return tokenizer.get_vocab() | {"<far>": size - 5}

        def encode(self, text, **options):
            return [size - 5] if text == "<far>" else tokenizer.encode(text, **options)

        def batch_decode(self, rows, **options):
            return ["<far>" if id == size - 5 else tokenizer.decode([id]) for [id] in rows]

        def convert_ids_to_tokens(self, ids):
            return ["<far>" if i == size - 5 else tokenizer.convert_ids_to_tokens(i) for i in ids]

    vocabulary = Vocabulary(Gapped(), size=size, context=64, prepends_bos=True)
    gap = len(raws) + 3
    assert vocabulary.size == size - 4
    assert vocabulary.token(gap).text == f"⟨{gap}⟩" and vocabulary.token(size - 5).text == "<far>"
    assert vocabulary.find("<far>") == size - 5
    assert [token.text for token in vocabulary.tokenize("<far>").items] == ["<far>"]
    padding, gaps, bos = vocabulary.notes
    assert padding.startswith("4 rows") and gaps.startswith("15 ids have no token")


def test_gaps_in_a_folders_own_tokenizer(folder):
    """An added token that stands three ids after the last word."""
    resize(folder, TOKENS + 4)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens([AddedToken(f"<x{i}>") for i in range(4)])
    tokenizer.save_pretrained(folder)
    file = folder / "tokenizer.json"
    import json

    core = json.loads(file.read_text())
    core["added_tokens"] = [
        each for each in core["added_tokens"] if each["content"] not in ("<x0>", "<x1>", "<x2>")
    ]
    file.write_text(json.dumps(core))
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config.pop("added_tokens_decoder", None)
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    model = load(folder)
    ids = AutoTokenizer.from_pretrained(folder).get_vocab()
    assert model.vocabulary.find("<x3>") == ids["<x3>"]
    texts = [model.vocabulary.token(id).text for id in range(model.vocabulary.size)]
    assert all(texts) and not any("None" in text for text in texts)
    assert predict(model, PredictionRequest(QUESTION, top=TOKENS)).top


@pytest.mark.parametrize("eos", ["<bos>", None])
def test_without_a_beginning_of_text_token_there_is_none(folder, eos):
    """The end-of-text token is not one, though TransformerLens takes it for one."""
    change_tokenizer(folder, bos_token=None, eos_token=eos)
    model = load(folder)
    assert not model.info.prepends_bos and "no beginning-of-text token" in model.info.notes
    read = model.vocabulary.tokenize(PROMPT)
    assert not read.bos and len(read) == len(PROMPT.split())
    assert not any(token.text == "⟨bos⟩" for token in read.items)
    with pytest.raises(BadInput, match="no beginning-of-text token") as caught:
        model.vocabulary.tokenize(PROMPT, bos=True)
    assert "--no-bos" in caught.value.remedy
    assert not model.vocabulary.tokenize(PROMPT, bos=False).bos
    found = predict(model, PredictionRequest(QUESTION))
    plain = LlamaForCausalLM.from_pretrained(folder)
    expected = clean_logits(plain, read).softmax(-1)
    assert found.top[0].probability == pytest.approx(expected.max().item(), rel=1e-4)


def test_gpt2s_end_of_text_is_its_declared_beginning():
    tokenizer, raws = vocabularies.gpt2()
    vocabulary = Vocabulary(tokenizer, size=len(raws), context=64, prepends_bos=True)
    assert vocabulary.bos_id == 50256 and vocabulary.tokenize("a").bos and vocabulary.notes == ()


@pytest.mark.parametrize("text", ["\n", " ", "   ", "\t", "\n\n"])
def test_blanks_are_a_prompt_where_the_tokenizer_reads_them(text):
    for tokenizer, raws in (vocabularies.gpt2(), vocabularies.mistral()):
        vocabulary = Vocabulary(tokenizer, size=len(raws), context=64, prepends_bos=True)
        assert vocabulary.tokenize(text).text.lstrip(" ") == text.lstrip(" ")
        assert b"".join(raws[t.id] for t in vocabulary.tokenize(text).items[1:]).endswith(
            text.encode()
        )


def test_what_the_tokenizer_reads_as_nothing_is_no_prompt(folder):
    vocabulary = load(folder).vocabulary
    with pytest.raises(BadInput, match="has nothing that this tokenizer reads"):
        vocabulary.tokenize(" \n")
    with pytest.raises(BadInput, match="prompt is empty"):
        vocabulary.tokenize("")
