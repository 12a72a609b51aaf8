"""One set of heads ablated together, beside the clean run."""

from attention_viz.analysis.edits import edit_of
from attention_viz.analysis.metrics import read_metric
from attention_viz.analysis.one_pass import Candidate, evaluate
from attention_viz.analysis.question import ask, predict_from
from attention_viz.models.loading import LoadedModel
from attention_viz.records.ablation import (
    AblationRequest,
    AblationResult,
    Prediction,
    PredictionRequest,
    TokenChange,
)
from attention_viz.records.metrics import Metric
from attention_viz.records.pace import Pace


def predict(model: LoadedModel, request: PredictionRequest, pace: Pace | None = None) -> Prediction:
    """The clean next-token distribution. Raises BadInput where it can't be asked."""
    asked = ask(model, request.question, pace)
    with asked.turn():
        return predict_from(asked, asked.logits, top=request.top)[0]


def ablate(
    model: LoadedModel, request: AblationRequest, pace: Pace | None = None
) -> AblationResult:
    """Clean and ablated distributions. Raises BadInput where it can't be asked."""
    asked = ask(model, request.question, pace)
    candidate = Candidate(asked.need_heads(request.heads), edit_of(asked, request.ablation))
    [(_, logits)] = evaluate(asked, [candidate], lambda logits: logits)
    with asked.turn():
        return _compare(asked, request, logits)


def _compare(asked, request: AblationRequest, logits) -> AblationResult:
    """Both top lists, and every token of either in both distributions."""
    tops = [each.topk(min(request.top, len(each))).indices for each in (asked.logits, logits[0])]
    union = tuple(dict.fromkeys(id for top in tops for id in top.tolist()))
    both = (*union, asked.answer, asked.distractor)
    clean, before = predict_from(asked, asked.logits, top=request.top, also=both)
    ablated, after = predict_from(asked, logits[0], top=request.top, also=both)
    changes = [TokenChange(before[id].token, before[id], after[id]) for id in before]
    return AblationResult(
        request=request,
        clean=clean,
        ablated=ablated,
        kl=read_metric(asked, Metric.KL, logits).item(),
        changes=tuple(sorted(changes, key=lambda change: change.clean.rank)),
    )
