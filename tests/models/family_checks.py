"""The product's numbers of one family beside the oracle's: each check gives its greatest error.

Errors are relative to the greatest number expected in that check. Sets, edges and positions are
samples, drawn by a seed of the family's own.
"""

import copy
import random
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from attention_viz.analysis.attention import run_clean
from attention_viz.analysis.circuits.attribution import attribute_edges
from attention_viz.analysis.circuits.circuit import measure_circuit
from attention_viz.analysis.contributions import direct_contributions
from attention_viz.analysis.edits import edit_of
from attention_viz.analysis.lens import logit_lens
from attention_viz.analysis.one_pass import Candidate, evaluate
from attention_viz.analysis.question import ask
from attention_viz.models.decoder import Decoder
from attention_viz.models.loading import LoadedModel
from attention_viz.models.self_test import run_self_test
from attention_viz.models.vocabulary import Vocabulary
from attention_viz.records.ablation import Ablation, AblationKind
from attention_viz.records.circuits.attribution import AttributionRequest, Method
from attention_viz.records.circuits.circuit import CircuitRequest
from attention_viz.records.circuits.edge import Via
from attention_viz.records.circuits.pairs import Pair, PairsRequest
from attention_viz.records.ids import HeadId
from attention_viz.records.lens import LensRequest
from attention_viz.records.model import ModelInfo
from attention_viz.records.question import Question
from tests.models.family_oracle import Oracle, Slot
from tests.models_for_tests import random_tokenizer
from tests.random_families import HEADS, LAYERS, build

PROMPT = "w3 w14 w15 w9 w26 w5 w35 w8 w9 w7 w22"
COUNTERFACTUAL = "w3 w14 w15 w2 w26 w5 w44 w8 w9 w7 w22"
ANSWER, DISTRACTOR = "w30", "w11"
SETS = 2
EDGES = 3  # into each kind of reader


def load_family(name: str) -> LoadedModel:
    """The product's model in float64. Raises ModelUnavailable."""
    dtype = torch.float64
    hf = copy.deepcopy(build(name)).to(dtype)
    eager = hf.config._attn_implementation == "eager"
    decoder = Decoder(hf, implementation="eager" if eager else "sdpa")
    settings = decoder.settings
    vocabulary = Vocabulary(
        random_tokenizer(), size=settings.d_vocab, context=64, prepends_bos=False
    )
    checks = run_self_test(decoder)
    info = ModelInfo(
        name=name,
        architecture=type(hf).__name__,
        layers=decoder.layers,
        heads=decoder.heads,
        key_value_heads=decoder.key_value_heads,
        d_model=decoder.d_model,
        d_head=decoder.d_head,
        vocabulary=vocabulary.size,
        context=vocabulary.context,
        parameters=sum(weight.numel() for weight in hf.parameters()),
        device="cpu",
        dtype=str(dtype),
        prepends_bos=False,
        seconds=0.0,
        engine="one pass" if decoder.calls_blocks else "whole forwards",
        checks=checks,
    )
    return LoadedModel.of(info, decoder, vocabulary)


@dataclass(frozen=True, eq=False)
class Family:
    """A model and its oracle."""

    name: str
    model: LoadedModel

    @cached_property
    def oracle(self) -> Oracle:
        return Oracle(build(self.name).to(self.model.decoder.dtype), HEADS)

    @cached_property
    def random(self) -> random.Random:
        return random.Random(self.name)

    @cached_property
    def question(self) -> Question:
        vocabulary = self.model.vocabulary
        answer, distractor = (vocabulary.find(each) for each in (ANSWER, DISTRACTOR))
        return Question(
            self.name,
            PROMPT,
            counterfactual=COUNTERFACTUAL,
            answer=answer,
            distractor=distractor,
        )

    @cached_property
    def asked(self):
        return ask(self.model, self.question)

    @property
    def pair(self) -> tuple[int, int]:
        return self.asked.answer, self.asked.distractor

    @cached_property
    def ids(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Of the prompt and the counterfactual."""
        both = (self.asked.tokens, self.asked.read.counterfactual)
        return tuple(torch.tensor([[token.id for token in each.items]]) for each in both)

    def difference(self, logits: torch.Tensor) -> torch.Tensor:
        return logits[-1, self.pair[0]] - logits[-1, self.pair[1]]

    def reasons(self) -> dict[str, str]:
        """By capability: why it is refused, or ""."""
        return {each.name: each.reason for each in self.model.info.capabilities}


def ablation_error(family: Family) -> float:
    """Logits at the read-out of random sets, several kinds, at all positions and at some."""
    asked, oracle, (ids, other) = family.asked, family.oracle, family.ids
    own, new = oracle.kept_z(ids), oracle.kept_z(other)
    meanings = {
        AblationKind.ZERO: lambda layer, columns, z: 0 * z,
        AblationKind.MEAN: lambda layer, columns, z: own[layer][:, columns].mean(0).expand_as(z),
        AblationKind.RESAMPLE: lambda layer, columns, z: new[layer][:, columns],
    }
    cases, expected = [], []
    clean = oracle.logits(ids)[-1]
    for kind, meaning in meanings.items():
        for positions in (None, (2, 5, ids.shape[1] - 1)):
            edit = edit_of(asked, Ablation(kind, positions=positions))
            for _ in range(SETS):
                heads = _draw_heads(family)
                cases.append(Candidate(heads, edit))
                chosen = [(head.layer, head.head) for head in heads]
                expected.append(oracle.ablated(ids, chosen, meaning, positions)[-1] - clean)
    rows = _logits(asked, cases)
    clean_row = _logits(asked, [Candidate((), edit)])
    return _error(rows - clean_row, torch.stack(expected))


def uniform_error(family: Family) -> float:
    """Uniform attention: the mean of the values that the query sees."""
    asked, oracle, (ids, _) = family.asked, family.oracle, family.ids
    values, patterns = oracle.values(ids), oracle.patterns(ids)
    edit = edit_of(asked, Ablation(AblationKind.UNIFORM))
    heads = [HeadId(LAYERS - 1, head) for head in range(HEADS)]

    def meaning(layer, columns, z):
        head = columns.start // z.shape[-1]
        seen = (patterns[layer][head] > 0).to(z)
        return (seen / seen.sum(-1, keepdim=True)) @ values[layer][head]

    expected = [oracle.ablated(ids, [(h.layer, h.head)], meaning)[-1] for h in heads]
    return _error(_logits(asked, [Candidate((h,), edit) for h in heads]), torch.stack(expected))


def lens_error(family: Family) -> float:
    """Probabilities of every row and position."""
    oracle, (ids, _) = family.oracle, family.ids
    lens = logit_lens(family.model, LensRequest(family.question, top=3))
    worst = 0.0
    for row, stream in enumerate(oracle.streams(ids)):
        expected = oracle.read(ids, stream).softmax(-1)
        best = expected.topk(3).values.numpy()
        worst = max(worst, float(np.abs(lens.probability[row] - best).max()))
        answer = expected[:, family.pair[0]].numpy()
        worst = max(worst, float(np.abs(lens.answer_probability[row] - answer).max()))
    return worst


def maps_error(family: Family) -> float:
    """Every weight of every head."""
    run = run_clean(family.asked)
    expected = family.oracle.patterns(family.ids[0])
    return max(_error(a[0], b) for a, b in zip(run.pattern, expected, strict=True))


def contributions_error(family: Family) -> float:
    """Of every head, and of all components together."""
    found = {each.component: each.value for each in direct_contributions(family.asked)}
    heads, difference = family.oracle.contributions(family.ids[0], family.pair)
    own = torch.tensor(
        [[found[f"L{i}H{h}"] for h in range(HEADS)] for i in range(LAYERS)], dtype=torch.float64
    )
    total = sum(found.values())
    greatest = max(abs(difference), heads.abs().max().item())
    return max(_error(own, heads), abs(total - difference) / greatest)


def exact_error(family: Family) -> float:
    """Sampled edges of every kind by exact patching."""
    return _edges_error(family, Method.EXACT, _effect)


def gradient_error(family: Family) -> float:
    """The same by gradients: derivatives of the oracle's own patched forward."""
    return _edges_error(family, Method.EAP, _derivative)


def circuit_error(family: Family) -> float:
    """Edges between chosen heads, and into the logits."""
    heads = tuple(HeadId(layer, family.random.randrange(HEADS)) for layer in (0, 1, LAYERS - 1))
    circuit = measure_circuit(family.model, CircuitRequest(family.question, heads))
    changes = _changes(family)
    found, expected = [], []
    for edge in circuit.edges:
        if edge.via.is_causal:
            slot = _slot(family, edge.target, edge.via)
            found.append(edge.value)
            expected.append(_effect(family, changes[edge.source], slot))
    return _error(_numbers(found), _numbers(expected))


def _edges_error(family: Family, method: Method, measure) -> float:
    pair = Pair(PROMPT, COUNTERFACTUAL, ANSWER, DISTRACTOR)
    request = PairsRequest(Question(family.name, ""), given=(pair,))
    scores = attribute_edges(family.model, AttributionRequest(request, method))
    changes, edges = _changes(family), _draw_edges(family, scores.graph)
    found, expected = [], []
    for writer, reader in edges:
        edge = scores.graph.edge(writer, reader)
        found.append(scores.scores[writer, reader])
        slot = _slot(family, edge.reader, edge.via)
        expected.append(measure(family, changes[edge.writer], slot))
    return _error(_numbers(found), _numbers(expected))


def _draw_edges(family: Family, graph) -> list[tuple[int, int]]:
    """Some edges into each kind of reader: Q, K, V, MLP and the logits."""
    by_kind: dict[str, list[tuple[int, int]]] = {}
    for writer, reader in zip(*graph.edges.nonzero(), strict=True):
        edge = graph.edge(writer, reader)
        by_kind.setdefault(f"{edge.via}", []).append((int(writer), int(reader)))
    return [edge for every in by_kind.values() for edge in family.random.sample(every, EDGES)]


def _slot(family: Family, reader: str, via: Via) -> Slot:
    if via is Via.LOGITS:
        return Slot(LAYERS, 4)
    layer = int(reader[1])
    if reader.endswith("MLP"):
        return Slot(layer, 3)
    part = [Via.Q, Via.K, Via.V].index(via)
    if "KV" in reader:
        return Slot(layer, part, int(reader.partition("KV")[2]))
    head = int(reader.partition("H")[2])
    group = HEADS // family.model.streams.graph.key_value_heads
    return Slot(layer, part, head if part == 0 else head // group)


def _changes(family: Family) -> dict[str, torch.Tensor]:
    """How the counterfactual changes what every writer writes, `[pos, d]`."""
    oracle, (ids, other) = family.oracle, family.ids
    changes = {"input": oracle.streams(other)[0] - oracle.streams(ids)[0]}
    both = zip(oracle.head_writes(ids), oracle.head_writes(other), strict=True)
    for layer, (clean, new) in enumerate(both):
        changes |= {f"L{layer}H{head}": (new - clean)[head] for head in range(HEADS)}
    both = zip(oracle.mlp_writes(ids), oracle.mlp_writes(other), strict=True)
    return changes | {f"L{i}MLP": new - clean for i, (clean, new) in enumerate(both)}


@torch.no_grad()
def _effect(family: Family, change: torch.Tensor, slot: Slot) -> float:
    clean = family.oracle.logits(family.ids[0])
    patched = family.oracle.patched(family.ids[0], change, slot)
    return (family.difference(patched) - family.difference(clean)).item()


def _derivative(family: Family, change: torch.Tensor, slot: Slot) -> float:
    share = torch.zeros((), dtype=change.dtype, requires_grad=True)
    with torch.enable_grad():
        value = family.difference(family.oracle.patched(family.ids[0], share * change, slot))
    return torch.autograd.grad(value, share)[0].item()


def _draw_heads(family: Family) -> tuple[HeadId, ...]:
    every = [HeadId(layer, head) for layer in range(LAYERS) for head in range(HEADS)]
    return tuple(sorted(family.random.sample(every, family.random.randint(1, 3))))


def _logits(asked, candidates) -> torch.Tensor:
    rows = [None] * len(candidates)
    for indices, found in evaluate(asked, candidates, lambda logits: logits):
        for index, row in zip(indices, found, strict=True):
            rows[index] = row
    return torch.stack(rows)


def _numbers(values: list[float]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def _error(found: torch.Tensor, expected: torch.Tensor) -> float:
    found, expected = found.detach().double(), expected.detach().double()
    return ((found - expected).abs().max() / expected.abs().max()).item()


CHECKS = {
    "ablation": (ablation_error,),
    "lens": (lens_error,),
    "maps": (maps_error, uniform_error),
    "contributions": (contributions_error,),
    "edges": (exact_error, gradient_error, circuit_error),
}
