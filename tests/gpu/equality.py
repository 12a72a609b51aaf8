"""Whether a device gives the CPU's numbers: `python -m tests.gpu.equality --device cuda --json`.

Every measurement of the registry that names heads, edges or tokens, on the embedded model in fp32,
on both; their records are compared number by number. Differences are relative to the greatest
number of the same name in the record.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from typing import Any

from attention_viz.exports.records import record_json
from attention_viz.models.catalogue import Catalogue
from attention_viz.records.ablation import KINDS, Ablation, AblationKind, AblationRequest
from attention_viz.records.attention import AttentionRequest, TokenRequest
from attention_viz.records.circuits.attribution import AttributionRequest, Method
from attention_viz.records.circuits.circuit import CircuitRequest, CutRequest
from attention_viz.records.circuits.faithfulness import CurveRequest
from attention_viz.records.circuits.pairs import PairsRequest
from attention_viz.records.circuits.roles import RolesRequest
from attention_viz.records.ids import HeadId
from attention_viz.records.lens import LensRequest
from attention_viz.records.looks.dose import DoseRequest
from attention_viz.records.looks.positions import PositionsRequest
from attention_viz.records.looks.redundancy import RedundancyRequest
from attention_viz.records.metrics import Metric
from attention_viz.records.model import EMBEDDED
from attention_viz.records.question import Question
from attention_viz.records.search import Objective, SearchRequest
from attention_viz.records.sweep import SweepRequest
from attention_viz.workbench import Workbench

TOLERANCE = 1e-4
QUESTION = Question(
    EMBEDDED,
    "When Mary and John went to the store, John gave a drink to",
    counterfactual="When Mary and John went to the store, Mary gave a drink to",
)
HEADS = tuple(HeadId.parse(name) for name in ("L2H3", "L2H4", "L3H0", "L3H2"))
PAIRS = PairsRequest(QUESTION)
EDGES = {
    f"scores by {method.value}": AttributionRequest(PAIRS, method)
    for method in (Method.EAP, Method.EAP_IG)
}
REQUESTS: dict[str, Any] = {
    **{
        f"sweep, {kind.value}": SweepRequest(QUESTION, Ablation(kind), Metric.LOGIT_DIFF)
        for kind in KINDS
    },
    "sweep at a position": SweepRequest(QUESTION, Ablation(positions=(10,)), Metric.KL),
    "ablation": AblationRequest(QUESTION, HEADS),
    "attention": AttentionRequest(QUESTION, HEADS, Ablation()),
    "token": TokenRequest(QUESTION),
    "lens": LensRequest(QUESTION, heads=HEADS, ablation=Ablation()),
    "search": SearchRequest(QUESTION, Objective.KL, max_heads=3),
    "dose": DoseRequest(QUESTION, HEADS),
    "positions": PositionsRequest(QUESTION, HEADS),
    "redundancy": RedundancyRequest(QUESTION, HEADS),
    "roles": RolesRequest(QUESTION),
    "circuit of heads": CircuitRequest(QUESTION, HEADS, Ablation(AblationKind.RESAMPLE)),
    **EDGES,
    "cut with exact edges": CutRequest(EDGES["scores by eap"], 20, exact_top=5),
    "curve": CurveRequest(CutRequest(EDGES["scores by eap-ig"]), random_circuits=1),
}


def main() -> int:
    """Compare everything; 0 where all is equal."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    benches = [Workbench(Catalogue.standard(), device) for device in ("cpu", options.device)]
    found = {}
    for name, request in REQUESTS.items():
        expected, other = (record_json(bench.measure(request)) for bench in benches)
        found[name] = compare(expected, other)
    for bench in benches:
        bench.close()
    worst = max(found.values())
    if options.json:
        print(json.dumps({"worst": worst, "tolerance": TOLERANCE, "differences": found}))
    else:
        for name, difference in found.items():
            print(f"{name:24} {difference:.1e}")
    return 0 if worst <= TOLERANCE else 1


def compare(expected: Any, found: Any) -> float:
    """The greatest relative difference; infinite where one holds what the other does not."""
    ours, others = dict(leaves(expected)), dict(leaves(found))
    if ours.keys() != others.keys():
        return float("inf")
    greatest: dict[str, float] = {}
    for path, value in ours.items():
        if isinstance(value, float):
            name = name_of(path)
            greatest[name] = max(greatest.get(name, 0.0), abs(value))
    return max(
        (
            differ(value, others[path], greatest.get(name_of(path), 0))
            for path, value in ours.items()
        ),
        default=0.0,
    )


def differ(value: Any, other: Any, greatest: float) -> float:
    """Numbers by how much, relative to the greatest; anything else entirely or not at all."""
    if isinstance(value, float) and isinstance(other, float):
        return abs(value - other) / max(greatest, 1e-6)
    return 0.0 if value == other else float("inf")


def leaves(value: Any, path: tuple = ()) -> Iterator[tuple[tuple, Any]]:
    """Everything a record says, by where it says it; how long it took is not a measurement."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key != "seconds":
                yield from leaves(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaves(inner, (*path, index))
    else:
        yield path, value


def name_of(path: tuple) -> str:
    """The innermost word: numbers in a list go by the list's name."""
    return next((step for step in reversed(path) if isinstance(step, str)), "")


if __name__ == "__main__":
    sys.exit(main())
