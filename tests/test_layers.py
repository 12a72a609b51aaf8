"""The import table: who may know whom. Read from the files, then tried in fresh processes."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = "attention_viz"

TORCH = {"torch", "transformers", "transformer_lens", "tokenizers", "safetensors", "accelerate"}
DASH = {"dash", "dash_bootstrap_components", "dash_cytoscape", "flask", "waitress"}
PLOTLY = {"plotly"}

# layer: (other layers it may import, libraries it may not)
TABLE = {
    "records": (set(), TORCH | DASH | PLOTLY),
    "models": ({"records"}, DASH | PLOTLY),
    "analysis": ({"records", "models"}, DASH | PLOTLY),
    "figures": ({"records"}, TORCH | DASH),
    # The picture of a circuit has the page's colours and layout.
    "exports": ({"records", "figures"}, TORCH | DASH),
    "jobs": ({"records"}, TORCH | DASH | PLOTLY),
    "workbench": ({"records", "jobs", "models", "analysis"}, TORCH | DASH | PLOTLY),
    "cards": ({"records", "models", "analysis"}, DASH | PLOTLY),
    "panels": ({"records", "figures", "exports", "jobs", "workbench"}, TORCH),
    "app": ({"records", "figures", "exports", "jobs", "workbench", "panels"}, TORCH),
    "commands": ({"records", "exports", "workbench", "models", "app"}, TORCH | PLOTLY),
    "cli": ({"records", "workbench", "models", "commands"}, TORCH | DASH | PLOTLY),
}
# Importing these must not load torch, whatever they import in turn.
LIGHT = ("records", "figures", "exports", "jobs", "workbench", "panels", "app", "commands", "cli")


def list_modules() -> dict[str, Path]:
    """Every module of the package by its dotted name."""
    modules = {}
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return modules


MODULES = list_modules()


def layer_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


@cache
def imports_of(module: str, *, on_import_only: bool) -> frozenset[str]:
    """Dotted names a module imports; `on_import_only` leaves out functions and type checking."""
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    found = set()
    for node in _statements(tree, on_import_only):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    # What was named may be a function: keep the names that are modules, ours or other people's.
    return frozenset(name for name in found if not name.startswith(PACKAGE) or name in MODULES)


def _statements(node: ast.AST, on_import_only: bool) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if on_import_only and _runs_later(child):
            continue
        yield child
        yield from _statements(child, on_import_only)


def _runs_later(node: ast.AST) -> bool:
    if isinstance(node, ast.If):
        return "TYPE_CHECKING" in ast.unparse(node.test)
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)


@cache
def loaded_by(module: str) -> frozenset[str]:
    """Everything that importing a module imports, as far as our own files tell."""
    seen, todo = set(), [module]
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        if name in MODULES:
            todo += imports_of(name, on_import_only=True)
            todo += [name.rpartition(".")[0]] if "." in name else []
    return frozenset(seen)


def libraries(names) -> set[str]:
    return {name.partition(".")[0] for name in names}


def test_every_layer_is_in_the_table():
    assert {layer_of(module) for module in MODULES} - {""} <= set(TABLE)


@pytest.mark.parametrize("layer", TABLE)
def test_a_layer_imports_only_what_is_below_it(layer):
    allowed, _ = TABLE[layer]
    wrong = [
        f"{module} imports {name}"
        for module in MODULES
        if layer_of(module) == layer
        for name in imports_of(module, on_import_only=False)
        if name in MODULES and layer_of(name) not in allowed | {layer, ""}
    ]
    assert wrong == []


@pytest.mark.parametrize("layer", TABLE)
def test_a_layer_imports_no_library_that_is_not_its_business(layer):
    _, forbidden = TABLE[layer]
    if layer == "commands":
        forbidden = forbidden | (DASH - {"waitress"})  # `serve` starts the server
    wrong = [
        f"{module} imports {name}"
        for module in MODULES
        if layer_of(module) == layer
        for name in sorted(libraries(imports_of(module, on_import_only=False)) & forbidden)
    ]
    assert wrong == []


@pytest.mark.parametrize("layer", LIGHT)
def test_a_light_layer_reaches_no_torch_through_others(layer):
    wrong = [
        f"{module} reaches {name}"
        for module in MODULES
        if layer_of(module) == layer
        for name in sorted(libraries(loaded_by(module)) & TORCH)
    ]
    assert wrong == []


def import_afresh(modules: list[str]) -> dict:
    """Import in a new process; what was loaded, printed and started."""
    script = f"""
import importlib, json, sys, threading
for name in {modules!r}:
    importlib.import_module(name)
loaded = sorted({{name.partition(".")[0] for name in sys.modules}})
callbacks = sys.modules.get("dash._callback")
templates = sys.modules.get("plotly.io")
print(json.dumps({{
    "loaded": loaded,
    "threads": threading.active_count(),
    "callbacks": len(callbacks.GLOBAL_CALLBACK_LIST) if callbacks else 0,
    "template": templates.templates.default if templates else "plotly",
}}))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1, f"printed on import: {done.stdout}"
    return json.loads(done.stdout)


def modules_of(*layers: str) -> list[str]:
    return [module for module in MODULES if layer_of(module) in layers]


@pytest.mark.parametrize(
    ("layers", "forbidden"),
    [
        (("records", "jobs"), TORCH | DASH | PLOTLY),
        (("workbench", "cli", "commands"), TORCH | DASH | PLOTLY),
        (("figures",), TORCH | DASH),
        (("exports",), TORCH | DASH),
        (("panels", "app"), TORCH),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else "",
)
def test_importing_loads_nothing_it_should_not(layers, forbidden):
    assert set(import_afresh(modules_of(*layers))["loaded"]) & forbidden == set()


def test_nothing_happens_on_import():
    found = import_afresh(modules_of(*LIGHT, "models", "analysis"))
    assert found["threads"] == 1
    assert found["callbacks"] == 0, "callbacks belong to an app: register(app, workbench)"
    assert found["template"] == "plotly"
