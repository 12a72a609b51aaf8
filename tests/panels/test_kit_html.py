"""HTML made on the server: nothing a person or a model wrote becomes markup."""

import json
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attention_viz.figures.palette import BOTH
from attention_viz.figures.sweep import draw_bars
from attention_viz.panels.kit import html
from attention_viz.panels.kit.acts import act_button, change_button, pick_button
from attention_viz.panels.kit.common import empty, head_chip, token_text
from attention_viz.panels.kit.drawn import graph, matrix, plot
from attention_viz.panels.kit.html import to_html, to_json
from attention_viz.panels.kit.tables import table
from attention_viz.records.tokens import Token
from tests.builders import NASTY, sweep_of

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</textarea><script>alert(1)</script>",
    "\" onmouseover='alert(1)' x=\"",
    "' autofocus onfocus=alert(1) '",
    "&lt;b&gt;",
    "`${alert(1)}`",
    "<!-- ",
    *NASTY,
)
# What every HTML parser changes or drops, whoever wrote it
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40)


class Read(HTMLParser):
    """The markup as a browser reads it: elements with their attributes, and the text."""

    def __init__(self, markup: str):
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[dict] = []
        self.ended: list[str] = []
        self.text = ""
        self.comments: list[str] = []
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.append(dict(attrs))

    def handle_endtag(self, tag):
        self.ended.append(tag)

    def handle_data(self, data):
        self.text += data

    def handle_comment(self, data):
        self.comments.append(data)


@pytest.mark.parametrize("text", HOSTILE)
def test_text_stays_text(text):
    read = Read(to_html(html.Div([text, html.Span(text)])))
    assert read.tags == ["div", "span"] and not read.comments
    assert read.text == text + text


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("name", ["title", "id", "className", "value", "data-head", "aria-label"])
def test_attributes_stay_one_attribute(text, name):
    read = Read(to_html(html.Div("x", **{name: text})))
    assert read.tags == ["div"] and read.text == "x"
    assert read.attributes == [{{"className": "class"}.get(name, name): text}]


@given(TEXTS)
def test_any_text_is_read_as_it_was_written(text):
    read = Read(to_html(html.P(text, title=text, **{"data-x": html.to_json([text])})))
    assert read.tags == ["p"] and read.text == text
    assert read.attributes[0]["title"] == text
    assert json.loads(read.attributes[0]["data-x"]) == [text]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_the_kit_writes_of_hostile_tokens_is_no_markup(text):
    token = Token(3, text)
    nodes = {
        "token": token_text(token),
        "table": table(["a"], [[token], [text]], text),
        "chip": head_chip(text, text),
        "empty": empty(text, text),
        "act": act_button(text, text, {"way": text}),
        "change": change_button(text, {"shared.prompt": text}),
        "pick": pick_button(text, [text]),
        "matrix": matrix({"title": text, "z": [[1.0]]}, text),
        "graph": graph(text, [{"data": {"label": text}}], []),
    }
    known = set("div span code table thead tr th tbody td button small".split())
    for kind, node in nodes.items():
        read = Read(to_html(node))
        assert set(read.tags) <= known, kind
        assert not read.comments, kind
        assert not [a for each in read.attributes for a in each if a.startswith("on")], kind


def test_payloads_are_read_back_as_they_were():
    payload = {"text": "\"<b>'&", "number": 1.5, "none": None}
    (attributes,) = Read(to_html(act_button("Go", "look", payload))).attributes
    assert attributes["data-act"] == "look" and json.loads(attributes["data-payload"]) == payload
    assert "data-payload" not in Read(to_html(act_button("Go", "look"))).attributes[0]


def test_true_stands_alone_and_false_and_none_are_left_out():
    button = html.Button("x", hidden=True, disabled=False, title=None, **{"data-late": True})
    assert to_html(button) == "<button hidden data-late>x</button>"


def test_zero_and_the_empty_text_are_values():
    assert (
        to_html(html.Input(value="", min=0, tabIndex=0)) == '<input value="" min="0" tabindex="0">'
    )


def test_names_are_those_of_html():
    label = html.Label("x", htmlFor="box", className="a b", spellCheck="false")
    assert to_html(label) == '<label for="box" class="a b" spellcheck="false">x</label>'


def test_styles_are_css_and_cannot_leave_their_attribute():
    styled = html.Div(style={"fontSize": "2px", "--heads": 8, "background": '";x="'})
    (attributes,) = Read(to_html(styled)).attributes
    assert attributes == {"style": 'font-size:2px;--heads:8;background:";x="'}


def test_children_are_flattened_and_nothing_is_nothing():
    tree = html.Ul([html.Li(1), None, [html.Li(2.5), (html.Li("c"), False)], True, ""])
    assert to_html(tree) == "<ul><li>1</li><li>2.5</li><li>c</li></ul>"
    assert to_html(None) == to_html([]) == ""
    assert to_html(0) == "0"


def test_void_elements_have_no_end():
    tree = html.Div([html.Br(), html.Img(src="a.svg", alt=""), html.Input(type="text")])
    read = Read(to_html(tree))
    assert read.tags == ["div", "br", "img", "input"] and read.ended == ["div"]
    assert to_html(html.Textarea(id="prompt")) == '<textarea id="prompt"></textarea>'


def test_json_has_null_where_a_number_is_none():
    infinite = float("inf")
    text = to_json({"z": [[float("nan"), 1.0], (infinite, -infinite)], "deep": {"v": float("nan")}})
    # A browser's JSON.parse knows no NaN.
    read = json.loads(text, parse_constant=lambda name: pytest.fail(name))
    assert read == {"z": [[None, 1.0], [None, None]], "deep": {"v": None}}


def test_figures_are_read_back_whole():
    spec = {"z": [[0.1, float("nan")]], "title": "<b>"}
    (attributes,) = Read(to_html(matrix(spec, "map"))).attributes
    assert json.loads(attributes["data-matrix"]) == {"z": [[0.1, None]], "title": "<b>"}
    bars = draw_bars(sweep_of(), (), theme=BOTH.name)
    (attributes,) = Read(to_html(plot(bars, "bars", height=200))).attributes
    assert attributes["style"] == "height:200px" and attributes["id"] == "bars"
    assert set(json.loads(attributes["data-plot"])) >= {"data", "layout"}
