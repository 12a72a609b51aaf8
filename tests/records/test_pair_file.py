"""People's own pairs: CSV and JSONL, good lines kept, bad ones told by their number."""

import csv
import io
import json
from dataclasses import asdict

import pytest

from attention_viz.records.circuits.pair_file import parse_pairs
from attention_viz.records.circuits.pairs import Pair
from attention_viz.records.errors import BadInput

PAIRS = (
    Pair("When Mary and John", "When Mary and Tom", " Mary", " John"),
    Pair('He said, "so"\nand left; ', "She said", " a", " b\u2028"),
    Pair("Ünï", "cödé", "␣x", ","),
)
HEADER = "clean,counterfactual,answer,distractor\n"


def as_csv(pairs, delimiter=",", **options):
    out = io.StringIO()
    writer = csv.DictWriter(out, list(asdict(pairs[0])), delimiter=delimiter, **options)
    writer.writeheader()
    writer.writerows(map(asdict, pairs))
    return out.getvalue()


def as_jsonl(pairs):
    return "\n".join(json.dumps(asdict(pair), ensure_ascii=False) for pair in pairs)


@pytest.mark.parametrize("name", ["", "pairs.csv", "PAIRS.CSV"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_csv_is_read_exactly(name, delimiter, end):
    text = as_csv(PAIRS, delimiter, lineterminator=end)
    assert parse_pairs(text, name) == (PAIRS, ())
    assert parse_pairs("\ufeff" + text, name) == (PAIRS, ())


@pytest.mark.parametrize("name", ["", "pairs.jsonl", "pairs.NDJSON", "pairs.json"])
def test_jsonl_is_read_exactly(name):
    text = as_jsonl(PAIRS)
    assert parse_pairs(text, name) == (PAIRS, ())
    assert parse_pairs("\ufeff" + text.replace("\n", "\r\n\n") + "\n", name) == (PAIRS, ())


def test_columns_in_any_order_with_others_between():
    text = "note, Answer ,clean,distractor,id,counterfactual\nx, B,one,C,7,two\n"
    assert parse_pairs(text) == ((Pair("one", "two", " B", "C"),), ())
    line = {"id": 7, "distractor": "C", "counterfactual": "two", "clean": "one", "answer": " B"}
    assert parse_pairs(json.dumps(line)) == ((Pair("one", "two", " B", "C"),), ())


def test_bad_lines_of_csv_are_told_by_number():
    rows = [
        "a,b,c,d",  # 2
        "a,b,c",
        "",
        " ,b,c,d",  # 5
        '"a\nline",b,c,d',  # 6 and 7
        "a,b,,d",
        "a,b,c,c",
        "a,a,c,d",  # 10
        '"a"x,b,c,d',
        "a,b,c,d,e",
        '"a,b,c,d',
    ]
    pairs, bad = parse_pairs(HEADER + "\n".join(rows))
    assert [pair.clean for pair in pairs] == ["a", "a\nline", "a"]
    assert [(line.number, line.reason.split(" (")[0]) for line in bad] == [
        (3, "no distractor"),
        (5, "clean is empty"),
        (8, "answer is empty"),
        (9, "answer and distractor are the same"),
        (10, "clean and counterfactual are the same"),
        (11, "not CSV"),
        (13, "not CSV"),
    ]


def test_bad_lines_of_jsonl_are_told_by_number():
    good = asdict(PAIRS[0])
    lines = [
        good,
        "not json",
        [1, 2],
        good | {"answer": 7},
        {key: value for key, value in good.items() if key != "counterfactual"},
        good | {"counterfactual": None},
        good | {"clean": "\ud800"},
    ]
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    texts += ["[" * 100_000, "9" * 5000]
    pairs, bad = parse_pairs("\n".join(texts), "pairs.jsonl")
    assert pairs == PAIRS[:1]
    assert [(line.number, line.reason.split(" (")[0]) for line in bad] == [
        (2, "not JSON"),
        (3, "not an object"),
        (4, "answer is not a text"),
        (5, "no counterfactual"),
        (6, "no counterfactual"),
        (7, "clean has half a character"),
        (8, "not JSON"),
        (9, "not JSON"),
    ]


@pytest.mark.parametrize("write", [as_csv, as_jsonl])
def test_a_thousand_pairs_are_read_and_the_rest_is_said_to_be_left_out(write):
    def many(count):
        return write([Pair(f"clean {n}", "b", "c", "d") for n in range(count)])

    pairs, bad = parse_pairs(many(1000))
    assert len(pairs) == 1000 and bad == ()
    pairs, (left_out,) = parse_pairs(many(1500))
    assert [pair.clean for pair in pairs] == [f"clean {n}" for n in range(1000)]
    assert left_out.number == (1002 if write is as_csv else 1001)
    assert "at most 1000" in left_out.reason


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        ("", "", "no pairs"),
        ("", "mine.jsonl", "mine.jsonl has no pairs"),
        (HEADER, "", "no pairs"),
        ("clean,answer\na,b", "", "does not name counterfactual, distractor"),
        ("a,b,c,d\n", "", "does not name clean"),
        ('"clean', "", "does not name clean"),
        (HEADER + "a,b,c\na,b\n", "", "Line 2: no distractor"),
        ("{}\n{}", "", "Line 1: no clean"),
        ("hello", "x.jsonl", "Line 1: not JSON"),
        ("\x00\x01\x02", "", "does not name"),
    ],
)
def test_a_file_without_pairs_is_refused(text, name, said):
    with pytest.raises(BadInput, match=said) as error:
        parse_pairs(text, name)
    assert "distractor" in error.value.remedy
