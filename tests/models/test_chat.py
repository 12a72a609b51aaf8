"""Prompts in the chat template: cut as the tokenizer cuts them, and what people type stays text."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from attention_viz.analysis.ablation import ablate
from attention_viz.analysis.circuits.counterfactual import build_counterfactual
from attention_viz.analysis.circuits.pairs import read_pairs
from attention_viz.models.chat import Chat
from attention_viz.models.loading import load_model
from attention_viz.records.ablation import Ablation, AblationKind, AblationRequest
from attention_viz.records.circuits.counterfactual import CounterfactualRequest, Way
from attention_viz.records.circuits.pairs import Pair, PairsRequest
from attention_viz.records.errors import BadInput
from attention_viz.records.ids import HeadId
from attention_viz.records.model import ModelEntry
from attention_viz.records.question import Question
from tests.gguf_for_tests import TEMPLATE, random_llama, write_gguf

SPECIAL = ("<|end|>", "<|start|>", "<|stop|>")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    file = tmp_path_factory.mktemp("chat") / "chat.gguf"
    write_gguf(file, random_llama(), metadata={"tokenizer.chat_template": TEMPLATE})
    return load_model(ModelEntry("chat", str(file), True, is_gguf=True), device="cpu")


@pytest.fixture(scope="module")
def tokenizer(model):
    return model.vocabulary._tokenizer


@pytest.fixture
def with_template(tokenizer):
    """Chat(…) of another template."""
    own = tokenizer.chat_template

    def change(template):
        tokenizer.chat_template = template
        return Chat(tokenizer)

    yield change
    tokenizer.chat_template = own


def rendered(text):
    return f"<|start|>user\n{text}<|stop|>\n<|start|>assistant\n"


@pytest.mark.parametrize("text", ["hi", "\nhi 12\n", " hi", "12 <| 34", "日本", "start|>"])
def test_plain_texts_are_cut_as_the_tokenizer_cuts_the_whole(tokenizer, text):
    ids = Chat(tokenizer).encode(text)
    assert ids == tokenizer.encode(rendered(text), add_special_tokens=False)
    assert [id for id in ids if id < 3] == [1, 2, 1]


@given(st.lists(st.sampled_from([*SPECIAL, "hi", " ", "\n", "<", "|end|>", "12"]), max_size=6))
def test_special_tokens_that_people_type_are_text(tokenizer, pieces):
    text = "".join(pieces)
    ids = Chat(tokenizer).encode(text)
    assert [id for id in ids if id < 3] == [1, 2, 1]
    assert tokenizer.decode(ids, skip_special_tokens=False) == rendered(text)


def test_a_special_token_is_not_completed_across_the_border(with_template, tokenizer):
    chat = with_template("<{{ messages[0]['content'] }}|><|stop|>")
    ids = chat.encode("|start")
    assert [id for id in ids if id < 3] == [2]
    assert tokenizer.decode(ids, skip_special_tokens=False) == "<|start|><|stop|>"


def test_a_template_may_trim_but_not_change_the_text(with_template, tokenizer):
    chat = with_template("<|start|>{{ messages[0]['content'] | trim }}<|stop|>")
    assert tokenizer.decode(chat.encode("  hi ")) == "<|start|>hi<|stop|>"
    for template in (
        "<|start|>{{ messages[0]['content'] | upper }}",
        "{{ messages[0]['content'] }} {{ messages[0]['content'] }}",
        "no text at all",
    ):
        with pytest.raises(BadInput, match="does not take a prompt as it is"):
            with_template(template).encode("hi")


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}{{ messages[0]['content'] }}",
        "{{ cycler.__init__.__globals__.os.environ }}{{ messages[0]['content'] }}",
        "{{ messages.append(1) }}{{ messages[0]['content'] }}",
        "{{ raise_exception('only for tools') }}",
        "{% for x in range(10 ** 9) %}{% endfor %}{{ messages[0]['content'] }}",
        "{% include 'secrets.txt' %}",
        "{{ unfinished",
    ],
)
def test_a_template_reaches_nothing_and_its_mistakes_are_said(with_template, template):
    with pytest.raises(BadInput, match="can't be used|does not take") as caught:
        with_template(template).encode("hi")
    assert "without the chat template" in caught.value.remedy


def test_the_whole_question_is_wrapped_and_read_where_the_answer_begins(model):
    question = Question("chat", "hi 12", counterfactual="hi 34", chat=True)
    read = model.vocabulary.read(question)
    assert "".join(read.tokens.texts) == rendered("hi 12")
    assert "".join(read.counterfactual.texts) == rendered("hi 34")
    assert read.position == len(read.tokens) - 1 and read.tokens.items[0].text == "<|start|>"
    plain = model.vocabulary.read(Question("chat", "hi 12", bos=False))
    assert plain.tokens.text == "hi 12"


def test_bos_is_the_templates_own_affair_unless_asked_for(with_template, model, monkeypatch):
    vocabulary = model.vocabulary
    monkeypatch.setattr(vocabulary, "chat", with_template("{{ messages[0]['content'] }}<|stop|>"))
    assert vocabulary.tokenize("12", chat=True).items[0].text == "1"
    assert vocabulary.tokenize("12", True, chat=True).items[0].id == vocabulary.bos_id


def test_references_are_wrapped_too(model):
    """The mean over one reference is that chat's own z."""
    asked = Question("chat", "hi 12", chat=True)
    heads = (HeadId(0, 1), HeadId(1, 2))
    mean = Ablation(AblationKind.MEAN, references=("hi 34",))
    other = Ablation(AblationKind.RESAMPLE)
    by_mean = ablate(model, AblationRequest(asked, heads, mean))
    with_other = Question("chat", "hi 12", counterfactual="hi 34", chat=True)
    by_resampling = ablate(model, AblationRequest(with_other, heads, other))
    assert by_mean.kl == pytest.approx(by_resampling.kl, abs=1e-7) and by_mean.kl > 1e-6


def test_given_pairs_are_wrapped_and_families_refused(model):
    plain = Question("chat", "", chat=True)
    found = read_pairs(model, PairsRequest(plain, given=(Pair("hi 12", "hi 34", "h", "i"),)))
    assert "".join(found.pairs[0].clean.texts) == rendered("hi 12")
    with pytest.raises(BadInput, match="texts to be continued"):
        read_pairs(model, PairsRequest(plain, family="indirect object ABBA"))


def test_a_counterfactual_is_built_of_the_text_alone(smollm2):
    asked = Question("smollm2", "Where do Mary and John meet Mary?", chat=True)
    made = build_counterfactual(smollm2, CounterfactualRequest(asked, Way.NAMES))
    assert made.text == "Where do Mary and John meet John?"
    assert made.tokens.items[made.differs[0]].text == " John"
    assert len(made.tokens) == len(made.prompt) and len(made.differs) == 1
    with pytest.raises(BadInput, match="template's tokens"):
        build_counterfactual(smollm2, CounterfactualRequest(asked, Way.RANDOM, position=3))


def test_a_model_without_a_template_says_so(embedded_model):
    assert embedded_model.vocabulary.chat is None and not embedded_model.info.chats
    with pytest.raises(BadInput, match="no chat template"):
        embedded_model.vocabulary.read(Question("embedded", "Hello", chat=True))


def test_smollm2_answers_as_an_assistant(smollm2):
    assert smollm2.info.chats
    read = smollm2.vocabulary.read(Question("smollm2", "What is the capital of France?", chat=True))
    text = "".join(read.tokens.texts)
    assert text.startswith("<|im_start|>system\nYou are a helpful AI assistant named SmolLM")
    assert text.endswith("capital of France?<|im_end|>\n<|im_start|>assistant\n")
    ids = torch.tensor([[token.id for token in read.tokens.items]])
    with torch.no_grad():
        best = smollm2.decoder.hf(input_ids=ids).logits[0, read.position].argmax()
    assert smollm2.vocabulary.token(int(best)).text == "The"
