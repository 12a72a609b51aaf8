"""What the journeys ask, and how numbers on the page compare with exact ones."""

import re

import pytest

MARY = "When Mary and John went to the store, John gave a drink to"
SWAPPED = "When Mary and John went to the store, Mary gave a drink to"
# The default page asks this: the token to flip to is the distractor where none was chosen.
DEFAULT_QUESTION = ("--prompt", MARY, "--counterfactual", SWAPPED, "--distractor", " John")
HEADS = [f"L{layer}H{head}" for layer in range(4) for head in range(8)]  # of the embedded model


def rounded(value: float, digits: int):
    """An exact number as one that is shown with so many digits."""
    return pytest.approx(value, abs=0.51 * 10**-digits)


def shown(token: str) -> str:
    """A token's text as the page writes it."""
    return token.replace(" ", "␣")


def to_number(text: str) -> float:
    """The first number in a text, with a real minus sign."""
    return float(re.search(r"[+−]?\d[\d,]*\.?\d*", text)[0].replace("−", "-").replace(",", ""))


def by_token(top: list[dict]) -> dict[int, float]:
    """Probabilities by token id, from the command line's list of next tokens."""
    return {row["id"]: row["probability"] for row in top}
