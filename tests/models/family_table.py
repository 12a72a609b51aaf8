"""The table of families, from the tests' own checks: `python -m tests.models.family_table`.

Measures every family and writes docs/families.md; exit code 1 where something is wrong.
"""

import sys
from pathlib import Path

import torch

from attention_viz.records.errors import ModelUnavailable
from tests.models.family_checks import CHECKS, Family, load_family
from tests.random_families import FAMILIES, REFUSED

DOCS = Path(__file__).parents[2] / "docs" / "families.md"
TOLERANCE = 1e-4

_HEAD = """# Families of models

Each family as a tiny random model (4 layers × 4 heads, biases, norms and learnt scalars random),
held against hooks on the plain Hugging Face model. **Right**: to 1e-4 of the greatest number
expected. Written by `python -m tests.models.family_table`; tests keep it so.

- *ablation*: logits with heads at zero, mean or resample, at all or some positions
- *lens*: probabilities of every row and position
- *maps*: attention weights; uniform attention
- *contributions*: of every head, and their sum
- *edges*: exact path patching, EAP, and circuits of chosen heads

"""


def to_markdown(rows: dict[str, dict[str, str]], refused: dict[str, str]) -> str:
    """`rows`: by family, why each part is refused ("": right); `refused`: families not taken."""
    notes: dict[str, int] = {}
    lines = [f"| family | {' | '.join(CHECKS)} |", f"|---{'|---' * len(CHECKS)}|"]
    for name, reasons in rows.items():
        cells = []
        for part in CHECKS:
            cause = _cause(reasons[part])
            if cause:
                notes.setdefault(cause, len(notes) + 1)
            cells.append(f"refused ({notes[cause]})" if cause else "right")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    numbered = [f"{number}. {cause}" for cause, number in notes.items()]
    whole = [f"- {message}" for message in refused.values()]
    parts = ["\n".join(lines), "Refused because:", "\n".join(numbered)]
    parts += ["Not taken at all:", "\n".join(whole)]
    return _HEAD + "\n\n".join(parts) + "\n"


def _cause(reason: str) -> str:
    """What follows the model's name: the same for all models of a kind."""
    return reason.rpartition(": ")[2].rstrip(".")


def refusals() -> dict[str, str]:
    """Families that are not taken, and the one line that says why."""
    found = {}
    for name in REFUSED:
        try:
            load_family(name)
        except ModelUnavailable as error:
            found[name] = error.message
    return found


def measure(name: str) -> tuple[dict[str, str], dict[str, float]]:
    """Why parts are refused, and the greatest error of those that are not."""
    family = Family(name, load_family(name))
    reasons = family.reasons()
    return reasons, {
        part: max(check(family) for check in checks)
        for part, checks in CHECKS.items()
        if not reasons[part]
    }


def main() -> int:
    torch.set_num_threads(1)  # as small as these models are
    rows, wrong = {}, []
    for name in FAMILIES:
        rows[name], errors = measure(name)
        wrong += [f"{name}: {part}" for part, error in errors.items() if not error < TOLERANCE]
        print(name, {part: f"{error:.0e}" for part, error in errors.items()}, flush=True)
    refused = refusals()
    print("\n".join(wrong) or "nothing is wrong")
    if not wrong:
        DOCS.write_text(to_markdown(rows, refused), encoding="utf-8")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
