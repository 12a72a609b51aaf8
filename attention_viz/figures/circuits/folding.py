"""A deep circuit with its chains of MLPs folded to stacks, so that it fits a page.

A chain is MLPs with no drawn head between them. What a person pinned, named, grouped, hid or opened
stands alone, and so does an MLP of the circuit's strongest edge. The circuit itself stays as it
was measured: this is one more way to draw it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from attention_viz.figures.circuits.circuit_levels import layers_of, node_order
from attention_viz.figures.circuits.stack import StackNode, SummedEdge, sum_of
from attention_viz.records.circuits.circuit import Circuit, CircuitEdge, CircuitNode
from attention_viz.records.circuits.circuit_view import PLAIN_VIEW, CircuitView
from attention_viz.records.circuits.edge import Via

MOST_ROWS = 9  # of a drawing that nothing is folded in


def fold_circuit(circuit: Circuit, view: CircuitView = PLAIN_VIEW) -> Circuit:
    """The circuit as it is drawn: stacks in the place of chains, sums in that of their edges.

    Its nodes are `StackNode`s and its edges `SummedEdge`s where they stand for several. A circuit
    of few layers, one that a person unfolded and one that is folded already stay as they are.
    """
    stacks = stacks_of(circuit, view)
    if not stacks:
        return circuit
    home = {member.id: stack.id for stack in stacks for member in stack.members}
    kept = [node for node in circuit.nodes if node.id not in home]
    return replace(
        circuit,
        nodes=tuple(sorted([*kept, *stacks], key=node_order)),
        edges=tuple(_summed(circuit.edges, home)),
    )


def stacks_of(circuit: Circuit, view: CircuitView = PLAIN_VIEW) -> tuple[StackNode, ...]:
    """The chains that are folded in this view."""
    is_folded = any(isinstance(node, StackNode) for node in circuit.nodes)
    if not view.folds or is_folded or not is_deep(circuit):
        return ()
    alone = _alone(circuit, view)
    chains = [chain for chain in _chains(circuit, alone) if len(chain) > 1]
    return tuple(_stack(chain, circuit.edges) for chain in chains)


def opened_of(circuit: Circuit, view: CircuitView) -> tuple[StackNode, ...]:
    """The stacks of which a person opened some MLP."""
    if not view.opened:
        return ()
    closed = stacks_of(circuit, replace(view, opened=()))
    opened = set(view.opened)
    return tuple(s for s in closed if not opened.isdisjoint(member.id for member in s.members))


def can_fold(circuit: Circuit) -> bool:
    """Whether there is anything to fold or unfold."""
    return bool(stacks_of(circuit))


def is_deep(circuit: Circuit) -> bool:
    """Whether it has more rows than a page shows well."""
    return len({node_order(node)[0] for node in circuit.nodes}) > MOST_ROWS


def _alone(circuit: Circuit, view: CircuitView) -> set[str]:
    """Nodes that no stack may hold."""
    strongest = max(circuit.causal_edges, key=lambda edge: abs(edge.value), default=None)
    ends = () if strongest is None else (strongest.source, strongest.target)
    by_hand = [id for id, _, _ in view.positions] + [id for id, _ in view.names]
    grouped = [id for _, ids in view.groups for id in ids]
    return {*ends, *by_hand, *grouped, *view.hidden, *view.opened}


def _chains(circuit: Circuit, alone: set[str]) -> list[list[CircuitNode]]:
    """Runs of MLPs between which nothing else stands, from below."""
    chains: list[list[CircuitNode]] = [[]]
    for node in sorted(circuit.nodes, key=node_order):
        if node.kind == "mlp" and node.id not in alone:
            chains[-1].append(node)
        else:
            chains.append([])
    return chains


def _stack(members: Sequence[CircuitNode], edges: Iterable[CircuitEdge]) -> StackNode:
    ids = {member.id for member in members}
    first, last = layers_of(members[0])[0], layers_of(members[-1])[1]
    parts = [member.contribution for member in members]
    return StackNode(
        id=f"L{first}–{last}MLP",
        kind="mlp",
        label=f"MLP {first}–{last}",
        contribution=None if None in parts else float(sum(parts)),
        members=tuple(members),
        inside=tuple(edge for edge in edges if edge.source in ids and edge.target in ids),
    )


def _summed(edges: Sequence[CircuitEdge], home: dict[str, str]) -> list[CircuitEdge]:
    """Edges of stacks added up, those inside them left out, all others as they are."""
    kept: list[CircuitEdge] = []
    merged: dict[tuple[str, str, Via], list[CircuitEdge]] = {}
    for edge in edges:
        ends = home.get(edge.source, edge.source), home.get(edge.target, edge.target)
        if ends == (edge.source, edge.target):
            kept.append(edge)
        elif ends[0] != ends[1]:
            merged.setdefault((*ends, edge.via), []).append(edge)
    return kept + [_sum(parts, *ends) for (*ends, _), parts in merged.items()]


def _sum(parts: Sequence[CircuitEdge], source: str, target: str) -> SummedEdge:
    estimates = [edge.estimate for edge in parts]
    return SummedEdge(
        source,
        target,
        parts[0].via,
        sum_of(parts),
        is_exact=all(edge.is_exact for edge in parts),
        estimate=None if None in estimates else float(sum(estimates)),
        parts=tuple(parts),
    )
