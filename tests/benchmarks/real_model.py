"""How fast a real language model answers: `python -m tests.benchmarks.real_model [--json]`.

`--model` is a name of the catalogue or a folder; every number is the median of `--runs`, each of
them asked anew (what is part of another measurement is remembered within a run, as on the page).

sweep_s            all heads ablated one by one (zero), the clean run included
sweep_times_floor  that over the multiplications the pass must do at the rate of a large product
flip_search_s      the default search for a flip, to its end; first_flip_s: until it shows a flip;
                   flip_runs, flip_heads; greedy_*: the same by the strategy greedy
eap_ig_s           scores of all edges, 5 steps, one pair
eap_ig_speedup     one forward and backward per step and pair of the plain model, over that
graph_s            scores, cut to 100 edges, and the figure of it
faithfulness_s     of that circuit, with completeness; control_s: five random circuits more
roles_s            of all heads, the model's own scores included
family8_s          8 pairs of a family: scores, cut to 200 edges, faithfulness
ready_s            a process of its own, from its start until the model is there
peak_mb            most memory in use by then, the model included
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import torch

from attention_viz.analysis.circuits.attribution import attribute_edges
from attention_viz.analysis.circuits.cut import measure_cut
from attention_viz.analysis.circuits.faithfulness import measure_faithfulness
from attention_viz.analysis.circuits.pairs import read_pairs
from attention_viz.analysis.question import ids_of
from attention_viz.analysis.roles.roles import head_roles
from attention_viz.analysis.search import search_heads
from attention_viz.figures.circuits.circuit import draw_graph
from attention_viz.models.catalogue import Catalogue
from attention_viz.models.loading import LoadedModel, load_model
from attention_viz.records.circuits.attribution import AttributionRequest
from attention_viz.records.circuits.circuit import CutRequest
from attention_viz.records.circuits.faithfulness import FaithfulnessRequest
from attention_viz.records.circuits.pairs import PairsRequest
from attention_viz.records.circuits.roles import RolesRequest
from attention_viz.records.errors import BadInput
from attention_viz.records.model import ModelEntry
from attention_viz.records.pace import Pace
from attention_viz.records.question import Question
from attention_viz.records.search import Objective, SearchRequest, SearchResult, Strategy
from tests.benchmarks.sweep import (
    _peak,
    all_singles,
    count_flop,
    measure_rate,
    print_report,
    run_ours,
)

PROMPT = "When Mary and John went to the store, John gave a drink to"
OTHER = "When Mary and John went to the store, Mary gave a drink to"
FLIP_TO = " John"
FAMILY = "indirect object ABBA"
EDGES, FAMILY_EDGES, PAIRS, STEPS, RANDOM = 100, 200, 8, 5, 5


class Memo(Pace):
    """What one run has measured already; the first moment at which a flip was shown."""

    def __init__(self):
        self._known: dict[Any, Any] = {}
        self._began = time.perf_counter()
        self.first_flip: float | None = None

    def recall(self, request: Any, compute: Callable[[], Any]) -> Any:
        if request not in self._known:
            self._known[request] = compute()
        return self._known[request]

    def report(self, done: int, total: int, partial: Any = None) -> None:
        is_flip = isinstance(partial, SearchResult) and partial.flipped
        if is_flip and self.first_flip is None:
            self.first_flip = time.perf_counter() - self._began


def entry_of(model: str) -> ModelEntry:
    """A model of the catalogue, or a folder."""
    with suppress(BadInput):
        return Catalogue.standard().entry(model)
    return ModelEntry(model, model, True)


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    found = work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - began, found


class Benchmark:
    """One run after another, by name of the number."""

    def __init__(self, model: LoadedModel, name: str):
        self.model = model
        self.question = Question(name, PROMPT, counterfactual=OTHER)
        self.scores = AttributionRequest(PairsRequest(self.question), steps=STEPS)
        self.found: dict[str, list[float]] = {}

    def keep(self, **numbers: float) -> None:
        for name, value in numbers.items():
            self.found.setdefault(name, []).append(value)

    def run(self) -> None:
        self.sweep()
        for strategy, name in ((SearchRequest.strategy, "flip"), (Strategy.GREEDY, "greedy")):
            self.search(strategy, name)
        self.edges()
        self.family()

    def sweep(self) -> None:
        decoder = self.model.decoder
        sets = all_singles(decoder.layers, decoder.heads)
        _, seconds = run_ours(self.model, sets, PROMPT)
        tokens = len(self.model.vocabulary.tokenize(PROMPT))
        floor = count_flop(self.model, tokens) / measure_rate(decoder.device.type)
        self.keep(sweep_s=seconds, floor_s=floor, sweep_times_floor=seconds / floor)

    def search(self, strategy: Strategy, name: str) -> None:
        flip_to = self.model.vocabulary.find(FLIP_TO)
        plain = replace(self.question, counterfactual=None)
        memo = Memo()
        request = SearchRequest(plain, Objective.FLIP, flip_to, strategy=strategy)
        seconds, found = timed(lambda: search_heads(self.model, request, memo))
        numbers = {"runs": found.evaluations, "heads": len(found.heads) if found.flipped else 0}
        self.keep(**{f"{name}_{key}": value for key, value in numbers.items()})
        self.keep(**{f"{name}_search_s": seconds})
        if memo.first_flip is not None:
            self.keep(**{f"{name}_first_s": memo.first_flip})

    def edges(self) -> None:
        model, memo = self.model, Memo()

        def graph() -> Any:
            circuit = measure_cut(model, CutRequest(self.scores, EDGES), memo)
            draw_graph(circuit)
            return circuit

        eap, _ = timed(lambda: attribute_edges(model, self.scores))
        back = self.back()
        seconds, circuit = timed(graph)
        proof = FaithfulnessRequest(self.scores.pairs, circuit.edge_ids)
        faithful, _ = timed(lambda: measure_faithfulness(model, proof, memo))
        random = replace(proof, random_circuits=RANDOM)
        with_random, _ = timed(lambda: measure_faithfulness(model, random, memo))
        roles, _ = timed(lambda: head_roles(model, RolesRequest(circuit.about), memo))
        self.keep(eap_ig_s=eap, eap_ig_speedup=back / eap, graph_s=seconds, faithfulness_s=faithful)
        self.keep(control_s=with_random - faithful, roles_s=roles)

    def back(self) -> float:
        """One forward and backward of the plain model per step, one after the other."""
        decoder = self.model.decoder
        [pair] = read_pairs(self.model, self.scores.pairs).pairs
        embedded = decoder.embedding(ids_of(pair.clean).to(decoder.device)).detach()

        def work() -> None:
            for _ in range(STEPS):
                own = embedded.clone().requires_grad_()
                logits = decoder.hf(inputs_embeds=own, use_cache=False).logits[0, pair.position]
                (logits[pair.answer.id] - logits[pair.distractor.id]).backward()

        return timed(work)[0]

    def family(self) -> None:
        model, memo = self.model, Memo()
        pairs = PairsRequest(Question(self.question.model, ""), family=FAMILY, count=PAIRS)
        scores = AttributionRequest(pairs, steps=STEPS)

        def work() -> None:
            circuit = measure_cut(model, CutRequest(scores, FAMILY_EDGES), memo)
            measure_faithfulness(model, FaithfulnessRequest(pairs, circuit.edge_ids), memo)

        self.keep(family8_s=timed(work)[0])


def ready_seconds(model: str, device: str) -> float:
    """A process that loads the model and ends."""
    code = (
        "from tests.benchmarks.real_model import entry_of, load_model; "
        f"load_model(entry_of({model!r}), device={device!r})"
    )
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    return time.perf_counter() - began


def measure(name: str, device: str, runs: int) -> dict[str, Any]:
    entry = entry_of(name)
    model = load_model(entry, device=device)
    benchmark = Benchmark(model, entry.name)
    benchmark.run()  # warms up, and finds the readers
    benchmark.found.clear()
    for _ in range(runs):
        benchmark.run()
    report: dict[str, Any] = {
        "model": name,
        "device": torch.cuda.get_device_name() if device.startswith("cuda") else device,
        "threads": torch.get_num_threads(),
        "runs": runs,
        **{key: statistics.median(values) for key, values in benchmark.found.items()},
        "peak_mb": _peak(device) / 2**20,
    }
    ready = statistics.median(ready_seconds(name, device) for _ in range(min(3, runs)))
    return report | {"ready_s": ready}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="smollm2", help="a name of the menu, or a folder")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    report = measure(options.model, options.device, options.runs)
    if options.json:
        print(json.dumps(report))
    else:
        print_report(report)


if __name__ == "__main__":
    main()
