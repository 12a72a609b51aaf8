"""The caption of a circuit's picture: model, prompt or family, how it was made, what was measured.

The ablation kind is named beside every score: the same circuit can score 0 or 0.9 by that choice.
"""

from attention_viz.figures.circuits.circuit_legend import difference_of
from attention_viz.figures.escape import signed, visible
from attention_viz.records.circuits.circuit import Circuit, CircuitRequest
from attention_viz.records.circuits.faithfulness import Faithfulness, FaithfulnessResult


def caption_of(
    circuit: Circuit, faithfulness: Faithfulness | FaithfulnessResult | None = None
) -> list[str]:
    """Lines without control characters, the first of which is the title."""
    lines = [
        f"Circuit of {circuit.request.question.model} · {_count(circuit)}",
        _making(circuit),
        *_prompts(circuit),
        _difference(circuit),
    ]
    if faithfulness is not None:
        lines.append(_proof(circuit, faithfulness))
    return [visible(line.replace("\n", "⏎").replace("\t", "⇥")) for line in lines]


def _count(circuit: Circuit) -> str:
    mlps = sum(node.kind == "mlp" for node in circuit.nodes)
    counts = [(len(circuit.heads), "head"), (mlps, "MLP"), (len(circuit.causal_edges), "edge")]
    return ", ".join(f"{n} {what}{'' if n == 1 else 's'}" for n, what in counts if n)


def _making(circuit: Circuit) -> str:
    """The request's label, which names the kind; spelled out where it might be missed."""
    label, kind = circuit.request.label, f"{circuit.request.ablation.label} ablation"
    return f"Made of: {label}" if kind in label else f"Made of: {label} · {kind}"


def _prompts(circuit: Circuit) -> list[str]:
    """The prompt and its counterfactual; of several pairs their name, and the first prompt."""
    request, question = circuit.request, circuit.request.question
    if not isinstance(request, CircuitRequest) and (request.pairs.family or request.pairs.given):
        return [f"Asked of {request.pairs.label}, the first of which is: {circuit.tokens.text}"]
    lines = [f"Prompt: {question.prompt}"]
    if question.counterfactual is not None:
        lines.append(f"Counterfactual: {question.counterfactual}")
    return lines


def _difference(circuit: Circuit) -> str:
    line = f"Logit difference {difference_of(circuit)}: {signed(circuit.baseline)} clean"
    if circuit.ablated is not None:
        line += f", {signed(circuit.ablated)} with all these heads ablated"
    return f"{line} (logits{f', mean of {circuit.pairs} pairs' if circuit.pairs > 1 else ''})"


def _proof(circuit: Circuit, found: Faithfulness | FaithfulnessResult) -> str:
    """Faithfulness of the circuit, and with which ablation of all outside it."""
    if isinstance(found, FaithfulnessResult):
        measured, kind = found.measured, found.request.ablation.value
        random = found.random
    else:
        measured, kind, random = found, circuit.request.ablation.label, None
    line = f"Faithfulness {_plain(measured.faithfulness)}"
    if measured.interval is not None:
        low, high = measured.interval.low, measured.interval.high
        line += f" (95 % interval {_plain(low)} to {_plain(high)})"
    line += f" of {measured.size} edges, all others ablated by {kind}"
    line += f"; everything but the circuit {_plain(measured.without)}"
    if random is not None:
        line += f"; random circuits of this size {_plain(random.mean)}"
    return line


def _plain(value: float) -> str:
    """With a proper minus sign, never "−0.00"."""
    return signed(value).removeprefix("+")
