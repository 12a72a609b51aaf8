"""A strip of prompt pairs: each one's logit difference, clean and with the heads ablated."""

from typing import Any

import numpy as np

from attention_viz.figures.matrix import Axis, Cells, Hover, draw_matrix, limit_of, scale_of
from attention_viz.records.looks.family import FamilyEffect, PairEffect, PairFlip
from attention_viz.records.metrics import Sense

_STRIP = Cells(least=14, most=44, scrolling=18, height=24)
_ROWS = ("clean", "ablated")


def draw_family(found: FamilyEffect, theme: str = "light") -> dict[str, Any]:
    """In logits. Pairs whose distractor wins are outlined; a click opens a pair."""
    values = np.array([[e.clean for e in found.pairs], [e.ablated for e in found.pairs]])
    scale = scale_of(
        Sense.HELPS_ABOVE,
        "logits",
        limit_of(values),
        theme,
        word="logit difference",
        suffix="logits",
    )
    texts = {
        "top-1": [
            [each.clean_top.shown for each in found.pairs],
            [each.ablated_top.shown for each in found.pairs],
        ],
        "answer": [[each.pair.answer.shown for each in found.pairs]] * 2,
        "distractor": [[each.pair.distractor.shown for each in found.pairs]] * 2,
        "prompt": [[_prompt(each) for each in found.pairs]] * 2,
        "": [[_apart(each) for each in found.pairs]] * 2,
    }
    flips = {
        place: f"flips to {each.pair.distractor.shown}"
        for place, each in enumerate(found.pairs)
        if each.flips(PairFlip.DISTRACTOR)
    }
    return draw_matrix(
        values,
        Axis("", _ROWS),
        Axis("pair", [str(number) for number, _ in enumerate(found.pairs, 1)]),
        scale=scale,
        about=f"Logit difference of {len(found.pairs)} prompt pairs, clean and ablated",
        hover=[Hover(name, texts=lines) for name, lines in texts.items()],
        marks=flips,
        click={"act": "open-pair"},
        cells=_STRIP,
        has_bar=True,
        theme=theme,
    )


def _prompt(each: PairEffect) -> str:
    tokens = each.pair.clean
    return "".join(tokens.texts[1 if tokens.bos else 0 :])


def _apart(each: PairEffect) -> str:
    return "" if each.is_right else "not answered right by the clean model"
