"""Sets over families on the command line: `look family`, `search --family`, and what is refused."""

import json

import pytest

from attention_viz.cli import main
from attention_viz.records.ablation import Ablation
from attention_viz.records.circuits.pairs import PairsRequest
from attention_viz.records.family_search import FamilySearchRequest
from attention_viz.records.ids import parse_heads
from attention_viz.records.looks.family import FamilyRequest, PairFlip
from attention_viz.records.question import Question

ABBA = "indirect object ABBA"
MARY = "When Mary and John went to the store, John gave a drink to"
SWAPPED = "When Mary and John went to the store, Mary gave a drink to"
HEADS = "L3H0,L3H2"


@pytest.fixture
def run(workbench, capsys):
    """run("look", "family", …) → (exit code, stdout, stderr), on the embedded model."""

    def run_command(*argv):
        code = main([str(word) for word in argv], lambda *args, **options: workbench)
        out, err = capsys.readouterr()
        return code, out, err

    return run_command


@pytest.fixture
def ask(run):
    def ask_for_json(*argv):
        code, out, err = run(*argv, "--json")
        assert (code, err) == (0, ""), err
        return json.loads(out, parse_constant=pytest.fail)

    return ask_for_json


def pairs_of(count=6, family=ABBA):
    return PairsRequest(Question("embedded", ""), family=family, count=count)


def test_look_family_is_what_the_page_measures(ask, workbench):
    found = ask("look", "family", "--heads", HEADS, "--family", ABBA, "--pairs", 6)
    measured = workbench.measure(FamilyRequest(pairs_of(), parse_heads(HEADS)))
    assert (
        found["look"] == "family" and found["kind"] == "zero" and found["heads"] == HEADS.split(",")
    )
    assert (found["asked"]["family"], found["asked"]["count"]) == (ABBA, 6)
    assert [each["ablated"] for each in found["pairs"]] == [e.ablated for e in measured.pairs]
    first = found["pairs"][0]
    assert set(first["pair"]) == {"clean", "counterfactual", "answer", "distractor"}
    assert first["change"] == pytest.approx(first["ablated"] - first["clean"])
    for flip, rate in measured.rates.items():
        told = found["rates"][flip.value]
        assert (told["count"], told["of"], told["share"]) == (rate.count, rate.of, rate.share)
        assert told["interval"]["low"] == rate.interval.low
    assert found["change"]["value"] == measured.change.value
    assert found["change"]["interval"]["high"] == measured.change.interval.high


def test_look_family_reads_well(run):
    code, out, _ = run("look", "family", "--heads", HEADS, "--family", ABBA, "--pairs", 6)
    assert code == 0
    assert "6 pairs of indirect object ABBA (seed 0), zero ablation; heads L3H0, L3H2" in out
    assert "the pair's distractor becomes the top-1: " in out and "95 % interval" in out
    assert "mean change of the logit difference: " in out


def test_pairs_of_a_file_are_looked_at_and_bad_lines_named(run, tmp_path):
    file = tmp_path / "mine.csv"
    file.write_text(
        "clean,counterfactual,answer,distractor\n"
        f'"{MARY}","{SWAPPED}", Mary, John\n'
        f'"{MARY}",Two words, Mary, John\n'
    )
    code, out, err = run("look", "family", "--heads", HEADS, "--pairs-file", file, "--json")
    found = json.loads(out)
    assert code == 0 and len(found["pairs"]) == 1 and found["pairs"][0]["pair"]["clean"] == MARY
    assert "mine.csv, line 3:" in err


def test_search_family_is_what_the_page_searches(ask, workbench):
    options = ("--share", 0.7, "--held-out", 0.4, "--random", 5, "--max-heads", 2, "--seed", 3)
    found = ask("search", "--family", ABBA, "--pairs", 10, "--flip", "sign", *options)
    pairs = PairsRequest(Question("embedded", ""), family=ABBA, count=10, seed=3)
    request = FamilySearchRequest(
        pairs, PairFlip.SIGN, 0.7, 2, Ablation(), hold_out=0.4, random_sets=5, seed=3
    )
    measured = workbench.cached(request)
    assert measured is not None, "the very request"
    assert found["heads"] == [str(head) for head in measured.heads]
    for name in ("train", "held_out"):
        rate = getattr(measured, name)
        assert (found[name]["count"], found[name]["of"]) == (rate.count, rate.of)
    assert found["held_out"]["of"] == 4 and found["train"]["of"] == 6
    assert found["percentile"] == measured.percentile and len(found["random"]) == 5
    assert found["share"] == 0.7 and found["flip"] == "sign"
    assert found["steps"][-1]["then"] == found["heads"]


def test_search_family_reads_well(run):
    code, out, _ = run("search", "--family", ABBA, "--pairs", 10, "--max-heads", 1, "--random", 5)
    assert code == 0
    for words in ("found: ", "training pairs: ", "held-out pairs: ", "random sets: ", "stopped: "):
        assert words in out, words


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("look", "family", "--heads", HEADS), "No family of pairs is named"),
        (("look", "family", "--family", ABBA), "No heads are given"),
        (("look", "dose", "--heads", HEADS, "--family", ABBA), "look dose is of one prompt"),
        (("look", "dose", "--heads", HEADS), "required: --prompt"),
        (("search",), "required: --prompt"),
        (("look", "family", "--heads", HEADS, "--pairs", 3), "--pairs is how many"),
        (("search", "--family", ABBA, "--prompt", MARY), "--prompt contradicts --family"),
        (("search", "--family", ABBA, "--position", 3), "--position contradicts"),
        (("search", "--family", ABBA, "--pairs-file", "x.csv"), "contradict each other"),
        (("search", "--family", ABBA, "--flip-to", " John"), "--flip-to is of searches on one"),
        (("search", "--family", ABBA, "--strategy", "beam"), "--strategy is of searches on one"),
        (("search", "--prompt", MARY, "--share", 0.5), "--share is of searches over a family"),
        (("search", "--prompt", MARY, "--flip", "sign"), "--flip is of searches over a family"),
        (("search", "--family", ABBA, "--share", 1.5), "share of 1.5"),
        (("search", "--family", ABBA, "--held-out", 1), "held out"),
        (("search", "--family", "nonsense"), "no family"),
        (("search", "--pairs-file", "none.csv"), "can't be read"),
    ],
)
def test_what_contradicts_is_refused_in_one_line(run, argv, words):
    code, out, err = run(*argv)
    assert (code, out) == (2, "") and words in err and err.count("\n") == 1
