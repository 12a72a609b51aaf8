"""Which layers of the model a node of a circuit stands for, and the order of nodes from below."""

from attention_viz.figures.circuits.stack import StackNode
from attention_viz.records.circuits.circuit import CircuitNode

_LEVELS = {"token": -2, "input": -1, "output": 1_000_000}


def node_order(node: CircuitNode) -> tuple[int, bool, int]:
    """Row from below, then the place in it."""
    if node.kind in _LEVELS:
        return _LEVELS[node.kind], False, node.position or 0
    first, _ = layers_of(node)
    return first, node.kind == "mlp", 0 if node.head is None else node.head.head


def layers_of(node: CircuitNode) -> tuple[int, int]:
    """First and last layer of a head, an MLP ("L2MLP") or a stack of MLPs."""
    if isinstance(node, StackNode):
        return layers_of(node.members[0])[0], layers_of(node.members[-1])[1]
    layer = node.head.layer if node.head is not None else int(node.id[1:].removesuffix("MLP"))
    return layer, layer
