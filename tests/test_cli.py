"""The command line: the contract of every command's JSON, readable tables, and bad input."""

import json
import math
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from attention_viz.cli import MEASURING, main, make_parser
from attention_viz.commands import options, serve
from attention_viz.commands.command import table
from attention_viz.exports.records import record_json
from attention_viz.models.catalogue import Catalogue
from attention_viz.records.ablation import SETTINGS, Ablation, AblationKind
from attention_viz.records.circuits.families import FAMILIES
from attention_viz.records.errors import BadInput
from attention_viz.records.ids import HeadId
from attention_viz.records.metrics import Metric
from attention_viz.records.page import PageState
from attention_viz.records.question import Question
from attention_viz.records.search import Objective, SearchRequest
from attention_viz.records.sweep import SweepRequest
from attention_viz.workbench import Workbench
from tests.builders import ALL_ABLATIONS
from tests.models_for_tests import PROMPT as RANDOM_PROMPT
from tests.models_for_tests import save_random_model

ROOT = Path(__file__).parent.parent
MARY = "When Mary and John went to the store, John gave a drink to"
SWAPPED = "When Mary and John went to the store, Mary gave a drink to"
LENGTH = 15  # tokens of MARY, beginning of text included


@pytest.fixture
def run(workbench, capsys):
    """run("sweep", …) → (exit code, stdout, stderr), on the embedded model."""

    def run_command(*argv, make_workbench=lambda *args, **options: workbench):
        code = main([str(word) for word in argv], make_workbench)
        out, err = capsys.readouterr()
        return code, out, err

    return run_command


@pytest.fixture
def ask(run):
    """ask("sweep", …) → the JSON object, with nothing else said."""

    def ask_for_json(command, *argv, prompt=MARY):
        code, out, err = run(command, "--prompt", prompt, *argv, "--json")
        assert (code, err) == (0, ""), err
        assert out.count("\n") == 1
        return json.loads(out, parse_constant=pytest.fail)

    return ask_for_json


@pytest.fixture
def flipping(ask):
    """Heads that flip Mary to John, as the --heads option takes them."""
    return ",".join(ask("search", "--flip-to", " John")["heads"])


def is_token(value):
    return set(value) >= {"token", "id"} and isinstance(value["id"], int)


# Contracts


def test_sweep(ask, workbench):
    found = ask("sweep")
    assert found["model"] == "embedded"
    assert len(found["tokens"]) == LENGTH and found["tokens"][2:4] == [" Mary", " and"]
    assert found["bos"] is True
    assert found["position"] == LENGTH - 1
    assert (found["kind"], found["metric"], found["unit"]) == ("zero", "kl", "nats")
    assert found["answer"]["token"] == " Mary" and is_token(found["distractor"])
    assert found["baseline"] == pytest.approx(0, abs=1e-6)
    assert len(found["effect"]) == 4 and all(len(layer) == 8 for layer in found["effect"])
    assert found["evaluations"] >= 32 and found["seconds"] > 0

    page = workbench.cached(SweepRequest(Question("embedded", MARY)))
    assert page is not None, "the page would have asked something else"
    assert found["effect"] == page.effect.tolist()


@pytest.mark.parametrize("metric", list(Metric))
def test_sweep_of_every_metric_names_its_unit(ask, metric):
    found = ask("sweep", "--metric", metric.value)
    assert (found["metric"], found["unit"]) == (metric.value, metric.unit)


@pytest.mark.parametrize(
    ("kind", "more", "shown"),
    [
        ("scale", ["--scale", "0.5"], {"scale": 0.5}),
        ("mean", [], {}),
        ("resample", ["--counterfactual", SWAPPED], {}),
        ("permute", ["--seed", "3"], {"seed": 3}),
        ("sparsify", ["--threshold", "0.1"], {"threshold": 0.1}),
        ("zero", ["--at", "-1", "3,4"], {"at": [-1, 3, 4]}),
    ],
)
def test_sweep_of_every_kind_says_its_settings(ask, kind, more, shown):
    found = ask("sweep", "--kind", kind, *more)
    assert found["kind"] == kind
    assert {key: found[key] for key in shown} == shown
    assert sum(map(abs, sum(found["effect"], []))) > 0


def test_scale_one_is_the_clean_run(ask):
    effects = sum(ask("sweep", "--kind", "scale", "--scale", 1)["effect"], [])
    assert max(map(abs, effects)) < 1e-4


def test_position_and_beginning_of_text(ask):
    with_bos, without = ask("sweep", "--position", 4), ask("sweep", "--no-bos", "--position", -3)
    assert with_bos["position"] == 4
    assert without["bos"] is False
    assert len(without["tokens"]) == LENGTH - 1 and without["position"] == LENGTH - 4


def test_answer_and_distractor_are_given_as_text(ask):
    found = ask("sweep", "--answer", "␣John", "--distractor", " Mary", "--metric", "logit_diff")
    assert found["answer"]["token"] == " John" and found["distractor"]["token"] == " Mary"
    assert found["baseline"] < 0


def test_ablate(ask):
    found = ask("ablate", "--heads", "L2H3, l3h1,L2H3", "--top", 5)
    for name in ("clean", "ablated"):
        side = found[name]
        assert len(side["top"]) == 5
        for row in side["top"]:
            assert (
                is_token(row) and 0 <= row["probability"] <= 1 and isinstance(row["logit"], float)
            )
        assert side["entropy"] >= 0
    assert found["clean"]["top"][0]["token"] == " Mary"
    assert found["kl"] >= 0
    assert found["heads"] == ["L2H3", "L3H1"]
    diff = found["logit_diff"]
    assert diff["effect"] == pytest.approx(diff["ablated"] - diff["clean"])
    assert diff["clean"] == found["clean"]["logit_diff"]
    assert {row["id"] for row in found["clean"]["top"]} <= {
        row["id"] for row in found["rank_changes"]
    }
    assert found["flipped"] is False


def test_search_flips_mary_to_john(ask, workbench):
    found = ask("search", "--objective", "flip", "--flip-to", " John", "--max-heads", 4)
    assert found["flipped"] is True and found["minimal"] is True
    assert found["stopped"] == "flipped"
    assert 1 <= len(found["heads"]) <= 4
    assert all(re.fullmatch(r"L\dH\d", head) for head in found["heads"])
    for step in found["steps"]:
        assert set(step) >= {"head", "score", "top"} and is_token(step["top"])
    assert found["steps"][-1]["top"]["token"] == " John"
    assert found["evaluations"] >= 32 and found["seconds"] > 0

    john = workbench.token_id("embedded", " John")
    request = SearchRequest(Question("embedded", MARY), Objective.FLIP, john, 4)
    assert [str(head) for head in workbench.cached(request).heads] == found["heads"]


def test_what_the_search_found_flips_the_ablation(ask, flipping):
    found = ask("ablate", "--heads", flipping)
    assert found["ablated"]["top"][0]["token"] == " John"
    assert found["flipped"] is True


def test_search_for_divergence(ask):
    found = ask("search", "--objective", "kl", "--max-heads", 2)
    assert found["objective"] == "kl" and found["unit"] == "nats"
    assert len(found["heads"]) == 2
    assert isinstance(found["flipped"], bool) and isinstance(found["minimal"], bool)


@pytest.mark.parametrize("strategy", ["guided", "greedy", "pairs", "beam", "exhaustive"])
def test_search_strategies(ask, strategy):
    found = ask("search", "--flip-to", " John", "--strategy", strategy, "--max-heads", 3)
    assert found["strategy"] == strategy
    assert found["smallest"] in ((True,) if strategy == "exhaustive" else (None, False, True))
    for heads in found["alternatives"]:
        flipped = ask("ablate", "--heads", ",".join(heads))
        assert flipped["ablated"]["top"][0]["token"] == " John"
    step = found["steps"][0]
    assert set(step) >= {"head", "score", "runner_up", "top"}


def test_a_search_keeps_to_its_budget(ask):
    found = ask("search", "--objective", "kl", "--strategy", "exhaustive", "--budget-runs", 600)
    assert found["stopped"] == "budget" and found["evaluations"] == 32 + 496
    assert found["heads"] and found["minimal"] is None and found["smallest"] is None
    short = ask("search", "--objective", "kl", "--strategy", "beam", "--budget-seconds", 0.001)
    assert short["stopped"] == "budget" and short["heads"]


def test_rank_changes_say_from_where_to_where(ask, flipping):
    changes = ask("ablate", "--heads", flipping)["rank_changes"]
    by_token = {change["token"]: change for change in changes}
    assert (by_token[" Mary"]["from"], by_token[" John"]["to"]) == (1, 1)


def test_look_cost(ask, run):
    found = ask("look", "cost", "--top", 3)
    assert [row["token"] for row in found["tokens_to_win"]][0] == " John"
    john = found["tokens_to_win"][0]
    searched = ask("search", "--flip-to", " John", "--alternatives", 0)
    assert john["heads"] == searched["heads"] and john["flipped"] is True
    code, out, _ = run("look", "cost", "--prompt", MARY)
    assert code == 0 and "John" in out and "margin (logits)" in out


def test_look_dose(ask, flipping):
    found = ask("look", "dose", "--heads", flipping)
    assert found["scale"][0] == -1 and found["scale"][-1] == 2
    at = found["scale"].index(0)
    ablated = ask("ablate", "--heads", flipping)["ablated"]
    assert found["logit_diff"][at] == pytest.approx(ablated["logit_diff"], abs=1e-4)
    flip = next(flip for flip in found["flips"] if flip["after"]["token"] == " Mary")
    assert 0 < flip["scale"] < 1


def test_look_redundancy_and_positions(ask):
    pair = ask("look", "redundancy", "--heads", "L0H1,L2H2")
    single = ask("sweep", "--metric", "logit_diff")["effect"]
    assert pair["single"] == pytest.approx([single[0][1], single[2][2]], abs=1e-4)
    sum_of_singles = pair["single"][0] + pair["single"][1]
    assert pair["excess"][0][1] == pytest.approx(pair["pair"][0][1] - sum_of_singles, abs=1e-5)
    assert pair["excess"][0][0] is None
    where = ask("look", "positions", "--heads", "L2H2")
    assert len(where["effect"][0]) == LENGTH
    assert where["whole"][0] == pytest.approx(single[2][2], abs=1e-4)


def test_look_control_and_agreement(ask):
    control = ask("look", "control", "--heads", "L0H1,L0H2,L2H2", "--sets", 200)
    assert len(control["random"]) == 200 and control["possible"] == 28 * 8 - 1
    assert 0 <= control["percentile"] <= 100
    kinds = ask("look", "agreement", "--counterfactual", SWAPPED)
    assert kinds["kinds"] == ["zero", "mean", "resample", "permute", "sparsify", "uniform"]
    assert kinds["effect"][0] == pytest.approx(
        [pytest.approx(row, abs=1e-4) for row in ask("sweep", "--metric", "logit_diff")["effect"]]
    )


def test_uniform_attention(ask):
    found = ask("sweep", "--kind", "uniform")
    assert found["kind"] == "uniform" and max(map(max, found["effect"])) > 0.01


def test_lens(ask):
    found = ask("lens", "--top", 3)
    assert found["rows"] == ["embed", "L0", "L1", "L2", "L3"]
    assert len(found["top"]) == 5 and len(found["top"][0]) == LENGTH
    assert len(found["top"][0][0]) == 3
    last = found["top"][-1][-1][0]
    assert last["token"] == " Mary" == found["answer"]["token"]
    assert found["answer_probability"][-1][-1] == pytest.approx(last["probability"], abs=1e-6)
    assert found["answer_rank"][-1][-1] == 1
    assert found["settles"] in found["rows"]
    assert found["kind"] is None


def test_lens_of_an_ablated_run(ask):
    found = ask("lens", "--heads", "L0H5")
    assert found["heads"] == ["L0H5"] and found["kind"] == "zero"
    assert found["entropy"] != ask("lens")["entropy"]


def test_circuit(ask, tmp_path):
    files = [tmp_path / f"circuit.{suffix}" for suffix in ("svg", "dot", "json")]
    outs = [word for file in files for word in ("--out", file)]
    found = ask("circuit", "--heads", "L0H5,L2H3", *outs)
    nodes = {node["id"]: node for node in found["nodes"]}
    assert {"L0H5", "L2H3", "logits"} <= set(nodes)
    assert isinstance(nodes["L2H3"]["contribution"], float)
    assert {edge["source"] for edge in found["edges"]} <= set(nodes)
    assert {edge["target"] for edge in found["edges"]} <= set(nodes)
    for edge in found["edges"]:
        assert edge["unit"] == ("logits" if edge["measured"] else "attention weight")
    total = sum(part["value"] for part in found["contributions"])
    assert total == pytest.approx(found["baseline"], abs=1e-3)
    assert all(file.stat().st_size > 0 for file in files)
    assert files[0].read_bytes().lstrip().startswith(b"<?xml")
    assert json.loads(files[2].read_text())


def test_tokens(ask):
    found = ask("tokens", "--counterfactual", SWAPPED)
    assert len(found["ids"]) == len(found["tokens"]) == len(found["counterfactual"]) == LENGTH
    assert len(found["shown"]) == LENGTH and found["shown"][2] == "␣Mary"


def test_circuits_lists_the_families_without_a_model(run):
    def make_workbench(*args, **options):
        pytest.fail("a model was asked for")

    code, out, err = run("circuits", "--json", make_workbench=make_workbench)
    assert (code, err) == (0, "") and out.count("\n") == 1
    families = json.loads(out)["families"]
    assert [family["name"] for family in families] == [family.name for family in FAMILIES]
    assert families[0]["example"] == {
        "clean": MARY,
        "counterfactual": SWAPPED,
        "answer": " Mary",
        "distractor": " John",
    }

    code, out, err = run("circuits")
    assert (code, err) == (0, "")
    for family in FAMILIES:
        assert f"{family.name}\n" in out and family.example.counterfactual.strip() in out


def test_models_are_tested(run, tmp_path):
    """The self-test of the intervention; a model that can't be read is refused with the reason."""
    good, bad = save_random_model("llama", tmp_path), tmp_path / "broken"
    shutil.copytree(good, bad)
    (bad / "model.safetensors").write_bytes(b"nothing")
    options = ("--model", good, "--model", bad)
    code, out, _ = run("models", *options, "--test", "--json")
    found = {model["name"]: model for model in json.loads(out)["models"]}
    assert code == 2
    passed = [model for model in found.values() if model.get("passed")]
    here = [entry.name for entry in Catalogue.standard().entries if entry.is_local]
    assert [model["name"] for model in passed] == [*here, "llama"]
    for model in passed:
        claims = {check["claim"]: check["error"] for check in model["checks"]}
        assert claims["scale 1 is the clean run"] < 1e-3 and len(claims) == 11
        parts = {part["name"]: part["reason"] for part in model["capabilities"]}
        assert parts == dict.fromkeys(("ablation", "lens", "maps", "contributions", "edges"), "")
        assert model["engine"] == "one pass"
    refused = [model["reason"] for model in found.values() if model.get("passed") is False]
    assert len(refused) == 1 and "broken" in refused[0]
    code, out, _ = run("models", "--test")
    assert code == 0 and "scale 1 is the clean run" in out and "passed" in out
    assert re.search(r"edges +right", out)


def test_models(run, tmp_path):
    folder = save_random_model("gpt2", tmp_path)
    code, out, err = run("models", "--model", folder, "--model", "some/name", "--json")
    found = json.loads(out)
    assert (code, err) == (0, "")
    assert found["default"] == "embedded"
    names = [model["name"] for model in found["models"]]
    offered = [entry.name for entry in Catalogue.standard().entries]
    assert names == [*offered, "gpt2-2", "some/name"] and offered[0] == "embedded"
    code, out, _ = run("models")
    assert code == 0 and "embedded" in out


def test_any_folder_can_be_measured(run, tmp_path):
    folder = save_random_model("llama", tmp_path)
    argv = ("sweep", "--model", folder, "--prompt", RANDOM_PROMPT, "--device", "cpu", "--json")
    code, out, err = run(*argv, make_workbench=Workbench)
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["model"] == "llama"
    assert len(found["effect"]) == 3 and len(found["effect"][0]) == 4


# Text


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["sweep"], ["L3", "H7", "nats", "[␣to]"]),
        (["ablate", "--heads", "FLIPPING"], ["flipped ␣Mary → ␣John", "entropy (nats)"]),
        (["search", "--flip-to", " John"], ["found: ", "minimal", "stopped: flipped"]),
        (["search", "--max-heads", "1"], ["KL (nats)"]),
        (["lens"], ["embed", "L3", "␣Mary"]),
        (["circuit", "--heads", "FLIPPING"], ["role", "attention weight", " at "]),
        (["tokens", "--counterfactual", SWAPPED], ["position", "counterfactual", "␣store"]),
    ],
)
def test_without_json_a_table_is_printed(run, flipping, argv, expected):
    more = [flipping if word == "FLIPPING" else word for word in argv[1:]]
    code, out, err = run(argv[0], "--prompt", MARY, *more)
    assert (code, err) == (0, "")
    for text in expected:
        assert text in out


def test_a_table_is_aligned_and_says_what_was_not_measured():
    text = table(["name", "value"], [("a", 1.5), ("long", math.nan), ("b", None)])
    assert text.splitlines() == ["name   value", "a     1.5000", "long       –", "b          –"]


def test_progress_is_shown_to_a_person_and_wiped(run, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    code, out, err = run("sweep", "--prompt", MARY + " the", "--json")
    assert code == 0 and json.loads(out)
    assert " of " in err and err.endswith("\r\x1b[K")


# What is asked equals what the page asks


def test_options_left_out_are_those_of_the_page():
    args = make_parser().parse_args(["sweep", "--prompt", MARY])
    for kind in AblationKind:
        args.kind = kind.value
        assert options.ablation(args) == PageState(kind=kind.value).intervention


@pytest.mark.parametrize("kind", list(AblationKind))
def test_settings_left_out_are_their_defaults(kind):
    args = make_parser().parse_args(["sweep", "--prompt", MARY, "--kind", kind])
    assert options.ablation(args) == Ablation(kind)


@pytest.mark.parametrize("ablation", ALL_ABLATIONS, ids=lambda each: each.label)
def test_an_ablation_goes_from_options_to_json(ablation):
    own = {f"--{name}": repr(value) for name, value in ablation.settings.items()}
    given = ["--kind", ablation.kind.value, *(word for pair in own.items() for word in pair)]
    args = make_parser().parse_args(["sweep", "--prompt", MARY, *given])
    assert options.ablation(args) == ablation
    asked = record_json(SweepRequest(Question("embedded", MARY), options.ablation(args)))
    assert {name: asked[name] for name in ablation.settings} == ablation.settings
    assert asked["kind"] == ablation.kind and not (set(SETTINGS) - set(ablation.settings)) & set(
        asked
    )


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=lambda each: each.name)
def test_a_setting_out_of_range_is_bad_input(run, setting):
    for value, said in (
        (setting.least - setting.step, f"the least is {setting.least:g}"),
        (setting.most + setting.step, f"the most is {setting.most}"),
        ("many", "number"),
    ):
        code, out, err = run("sweep", "--prompt", MARY, f"--{setting.name}", value)
        assert (code, out) == (2, "") and err.count("\n") == 1
        assert f"--{setting.name}: " in err and said in err


@pytest.mark.parametrize("command", ["sweep", "circuit"])
def test_help_says_which_kind_takes_a_setting(run, command):
    out = " ".join(run(command, "--help")[1].split())
    for kind in AblationKind:
        for setting in kind.settings:
            assert f"--{setting.name} " in out and f"{setting.about}; for --kind {kind}" in out


def test_settings_the_kind_does_not_use_are_left_out():
    args = make_parser().parse_args(
        ["sweep", "--prompt", MARY, "--scale", "3", "--seed", "7", "--reference", "x"]
    )
    assert options.ablation(args) == Ablation()


def test_references_are_for_the_mean():
    args = make_parser().parse_args(
        ["sweep", "--prompt", MARY, "--kind", "mean", "--reference", "a", "--reference", "b"]
    )
    assert options.ablation(args).references == ("a", "b")


def test_without_a_command_the_page_is_served(monkeypatch):
    seen = []
    monkeypatch.setattr(serve, "run", lambda args: seen.append(args) or 0)
    assert main([]) == main(["--port", "8051", "--model", "gpt2"]) == 0
    assert [args.port for args in seen] == [8050, 8051]
    assert seen[1].model == ["gpt2"] and seen[1].host == "127.0.0.1"


# Bad input


BAD = {
    "empty prompt": (["sweep", "--prompt", ""], "empty"),
    "over the context": (["sweep", "--prompt", "the " * 200], "at most 128"),
    "answer of two tokens": (["sweep", "--prompt", MARY, "--answer", " John Mary"], "2 tokens"),
    "flip-to of two tokens": (["search", "--prompt", MARY, "--flip-to", " to go"], "2 tokens"),
    "flip without a token": (["search", "--prompt", MARY, "--objective", "flip"], "--flip-to"),
    "already top-1": (["search", "--prompt", MARY, "--flip-to", " Mary"], "Mary"),
    "other length": (["sweep", "--prompt", MARY, "--counterfactual", "Hello"], "tokens"),
    "no counterfactual": (["sweep", "--prompt", MARY, "--kind", "resample"], "counterfactual"),
    "misspelt head": (["ablate", "--prompt", MARY, "--heads", "9-6"], "L9H6"),
    "unknown head": (["ablate", "--prompt", MARY, "--heads", "L9H6"], "L9H6"),
    "no heads": (["ablate", "--prompt", MARY, "--heads", ","], "No heads"),
    "no heads in a circuit": (["circuit", "--prompt", MARY, "--heads", ""], "No heads"),
    "unknown kind": (["sweep", "--prompt", MARY, "--kind", "noise"], "'permute'"),
    "unknown metric": (["sweep", "--prompt", MARY, "--metric", "loss"], "'logit_diff'"),
    "position out of range": (["sweep", "--prompt", MARY, "--position", "15"], "0 to 14"),
    "edited position out of range": (["sweep", "--prompt", MARY, "--at", "15"], "15"),
    "position not a number": (["sweep", "--prompt", MARY, "--position", "last"], "whole number"),
    "scale not a number": (["sweep", "--prompt", MARY, "--scale", "nan"], "not a number"),
    "negative threshold": (["sweep", "--prompt", MARY, "--threshold", "-1"], "too small"),
    "no head allowed": (["search", "--prompt", MARY, "--max-heads", "0"], "too small"),
    "no prompt": (["sweep"], "--prompt"),
    "unknown command": (["swep"], "'sweep'"),
    "unknown option": (["sweep", "--prompt", MARY, "--layer", "1"], "--layer"),
    "unknown device": (["sweep", "--prompt", MARY, "--device", "abacus"], "'cuda'"),
    "no such folder": (["sweep", "--prompt", MARY, "--model", "./no/such"], "folder"),
    "unknown suffix": (
        ["circuit", "--prompt", MARY, "--heads", "L0H0", "--out", "a.docx"],
        ".graphml",
    ),
    "no such output folder": (
        ["circuit", "--prompt", MARY, "--heads", "L0H0", "--out", "no/such/a.svg"],
        "no/such",
    ),
    "port too great": (["--port", "65536"], "65535"),
    "unknown host": (["--host", "256.1.1.1"], "--host"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_and_exit_code_2(run, name):
    argv, said = BAD[name]
    code, out, err = run(*argv)
    assert (code, out) == (2, "")
    assert err.startswith("error: ") and err.count("\n") == 1
    assert said in err
    assert "Traceback" not in err


def test_a_folder_without_a_model(run, tmp_path):
    code, out, err = run("sweep", "--prompt", MARY, "--model", tmp_path)
    assert (code, out) == (2, "")
    assert "no model" in err and err.count("\n") == 1


def test_a_file_that_cannot_be_written(run, tmp_path):
    taken = tmp_path / "folder.dot"
    taken.mkdir()
    code, out, err = run("circuit", "--prompt", MARY, "--heads", "L0H0", "--out", taken)
    assert (code, out) == (2, "")
    assert "can't be written" in err and err.count("\n") == 1


def test_a_port_that_is_taken(run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, out, err = run("--port", port)
    assert (code, out) == (2, "")
    assert f"Port {port} is taken" in err and "--port" in err and err.count("\n") == 1


def test_ctrl_c_is_130(run):
    def interrupt(*args, **options):
        raise KeyboardInterrupt

    assert run("sweep", "--prompt", MARY, make_workbench=interrupt) == (130, "", "")


@pytest.mark.parametrize(
    "argv",
    [["--help"], *([name, "--help"] for name in ["serve", *(c.name for c in MEASURING)])],
)
def test_help_is_on_stdout(run, argv):
    code, out, err = run(*argv)
    assert (code, err) == (0, "") and "usage" in out


def test_a_percent_sign_in_help_is_one(run):
    assert "20 %" in " ".join(run("search", "--help")[1].split())


# Serving


@pytest.mark.parametrize(
    ("host", "is_private"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False), ("box", False)],
)
def test_only_loopback_hosts_are_private(host, is_private):
    assert serve.is_loopback(host) is is_private


def test_a_wide_host_is_announced_as_open(capsys):
    serve._announce("0.0.0.0", 8050)
    out, err = capsys.readouterr()
    assert out.startswith("Attention Viz is at http://") and out.endswith(":8050\n")
    assert "anyone" in err
    serve._announce("127.0.0.1", 8050)
    out, err = capsys.readouterr()
    assert (out, err) == ("Attention Viz is at http://127.0.0.1:8050\n", "")


def test_a_host_of_another_machine_is_refused():
    with pytest.raises(BadInput, match="not an address of this machine"):
        serve.bind("192.0.2.1", 0)


def test_the_server_answers_while_the_model_loads_and_ends_on_ctrl_c():
    server = subprocess.Popen(
        [sys.executable, "main.py", "--port", "0", "--device", "cpu"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        # A shell's background jobs ignore Ctrl-C, and what they start inherits that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        link = re.fullmatch(r"Attention Viz is at (http://\S+)\n", server.stdout.readline())[1]
        with urllib.request.urlopen(link, timeout=600) as page:
            assert page.status == 200 and b"Attention Viz" in page.read()
        server.send_signal(signal.SIGINT)
        out, err = server.communicate(timeout=600)
    finally:
        server.kill()
    assert out == ""
    assert re.fullmatch(r"(The embedded model is ready .*\n)?", err)
    assert server.returncode == 0


# In a process of its own


def test_a_program_can_read_stdout():
    argv = [sys.executable, "main.py", "ablate", "--prompt", MARY, "--heads", "L2H3", "--json"]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["heads"] == [str(HeadId(2, 3))]
