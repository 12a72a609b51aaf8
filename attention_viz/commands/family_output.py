"""What is printed of sets over families of prompt pairs."""

from typing import Any

from attention_viz.commands.command import table
from attention_viz.exports.records import pick, record_json
from attention_viz.exports.tables import family_table
from attention_viz.records.circuits.pairs import BadPair
from attention_viz.records.looks.family import FamilyEffect, PairEffect
from attention_viz.records.statistics import Mean, Rate


def family_json(found: FamilyEffect) -> dict[str, Any]:
    """What was asked, each pair with its numbers, rates and the mean with their intervals."""
    request = found.request
    numbers = ("clean", "ablated", "change", "clean_top", "ablated_top", "is_right")
    return {
        "asked": record_json(request.pairs),
        **pick(request, "heads", "ablation"),
        "pairs": [{"pair": _pair_json(each), **pick(each, *numbers)} for each in found.pairs],
        **pick(found, "refused", "evaluations", "seconds"),
        "right": len(found.right),
        "rates": {flip.value: rate_json(rate) for flip, rate in found.rates.items()},
        "change": record_json(found.change),
    }


def _pair_json(each: PairEffect) -> Any:
    """As it was written; as tokens where nobody wrote it."""
    return record_json(each.pair if each.pair.text is None else each.pair.text)


def rate_json(rate: Rate | None) -> Any:
    return None if rate is None else {**record_json(rate), **pick(rate, "share", "interval")}


def family_text(found: FamilyEffect) -> str:
    heads = ", ".join(map(str, found.request.heads))
    lines = [
        f"{pairs_line(found.request)}; heads {heads}",
        *refused_lines(found.refused),
        "",
        table(*family_table(found)),
        "",
        *(
            f"{flip.about}: {rate_text(rate)}, of {flip.counts}"
            for flip, rate in found.rates.items()
        ),
        f"mean change of the logit difference: {mean_text(found.change)}, of the "
        f"{len(found.right)} pairs answered right",
    ]
    if found.apart:
        lines.append(f"apart: {len(found.apart)} pairs that the clean model does not answer right")
    lines.append(f"{found.evaluations} evaluations in {found.seconds:.2f} s")
    return "\n".join(lines)


def pairs_line(request: Any) -> str:
    """ "embedded: 20 pairs of induction (seed 0), zero ablation"."""
    return f"{request.question.model}: {request.pairs.label}, {request.ablation.label} ablation"


def refused_lines(refused: tuple[BadPair, ...]) -> list[str]:
    return [f"{len(refused)} more can't be asked (stderr says why)"] if refused else []


def rate_text(rate: Rate | None) -> str:
    return "not measured" if rate is None else rate.told


def mean_text(mean: Mean | None) -> str:
    if mean is None:
        return "not measured"
    if mean.interval is None:
        return f"{mean.value:+.3f} logits"
    ends = f"{mean.interval.low:+.3f} to {mean.interval.high:+.3f}"
    return f"{mean.value:+.3f} logits (95 % interval {ends})"
