"""Code for this view: a plain TransformerLens script that recomputes what is on screen.

The script stands alone: it loads the model through TransformerLens' bridge, runs hooked forwards,
and prints every number beside the one that was shown, then the largest difference. Texts of users
are in it as Python literals only. The parts of its code are in `script_parts`.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from attention_viz.exports import script_parts as parts
from attention_viz.records.ablation import Ablation, AblationKind
from attention_viz.records.circuits.attribution import AttributionRequest, Direction, Method
from attention_viz.records.circuits.circuit import Circuit, CircuitEdge, CircuitRequest, CutRequest
from attention_viz.records.circuits.faithfulness import FaithfulnessResult
from attention_viz.records.circuits.pairs import PairSet
from attention_viz.records.circuits.replacing import InputPart, MeanOver, Replacing
from attention_viz.records.errors import BadInput
from attention_viz.records.ids import HeadId
from attention_viz.records.question import Question
from attention_viz.records.tokens import Token, Tokens


def script_of(
    circuit: Circuit,
    folder_or_name: str,
    *,
    pairs: PairSet | None = None,
    faithfulness: FaithfulnessResult | None = None,
) -> str:
    """The script of a circuit; `folder_or_name` is where TransformerLens finds the model.

    Of chosen heads it recomputes the logit difference, clean and with all of them ablated, and
    every edge by direct path patching. Of cut or given edges: the mean logit difference, exact
    edges by path patching, estimated ones by EAP or EAP-IG, and where `faithfulness` is given the
    metric of the circuit alone, of nothing, and their ratio. `pairs` are the circuit's; a family
    needs them (Attribution.pairs). Raises BadInput where they are needed and missing, for families
    whose heads or readers TransformerLens hooks elsewhere, and for a model that other programs
    can't find.
    """
    if not folder_or_name:
        raise BadInput(
            "A script loads the model from a folder, and this model's could not be kept.",
            "Start with ATTENTION_VIZ_CACHE set to a folder that can be written.",
        )
    if not circuit.is_plain:
        raise BadInput(
            "A TransformerLens script can't recompute this circuit: norms or factors lie between "
            "this model's heads and the residual stream, or its heads' queries and keys are made "
            "together.",
            "Choose JSON: it has every number.",
        )
    if isinstance(circuit.request, CircuitRequest):
        return _script_of_heads(circuit, folder_or_name)
    return _script_of_edges(circuit, folder_or_name, pairs, faithfulness)


def _script_of_heads(circuit: Circuit, model: str) -> str:
    request = circuit.request
    question, ablation = request.question, request.ablation
    has_other = question.counterfactual is not None
    return _joined(
        _load(f"A circuit: {request.label}.", model),
        _prompt(question, circuit.tokens, circuit.position, circuit.answer, circuit.distractor),
        _heads(circuit.heads),
        _edges(circuit.causal_edges),
        _written(circuit.request.question),
        parts.READ,
        parts.ONE_PROMPT,
        parts.SAME_TOKENS.format(ids=_ids(circuit.tokens)) if question.chat else "",
        _edit(ablation, question),
        parts.PATCH_OTHER if has_other else parts.PATCH_EDITED,
        parts.ABLATE,
        parts.PATHS,
        _lines(
            parts.compare("logit difference, clean", "difference(CLEAN_LOGITS)", circuit.baseline),
            _all_ablated(circuit),
            parts.EDGES_OF_HEADS,
            parts.END,
        ),
    )


def _script_of_edges(
    circuit: Circuit, model: str, pairs: PairSet | None, found: FaithfulnessResult | None
) -> str:
    request = circuit.request
    estimated = any(not edge.is_exact for edge in circuit.causal_edges)
    needs_scores = estimated and isinstance(request, CutRequest)
    return _joined(
        _load(f"A circuit: {request.label}.", model),
        _pairs(circuit, pairs),
        _edges(circuit.causal_edges),
        _written(circuit.request.question),
        parts.READ,
        parts.MANY_PROMPTS,
        parts.WRITERS,
        _replaced(request.ablation.kind, request.replacing),
        parts.PATHS,
        _estimate(request.attribution) if needs_scores else "",
        parts.CIRCUIT.format(keeps_mlps=found.request.keeps_mlps) if found else "",
        _lines(
            parts.compare("logit difference, clean", "mean(clean_difference)", circuit.baseline),
            parts.EDGES_OF_PAIRS,
            parts.ESTIMATED_EDGES if needs_scores else "",
            *(_faithfulness(found) if found else ()),
            parts.END,
        ),
    )


def _load(title: str, model: str) -> str:
    return parts.LOAD.format(title=title, model=_literal(model))


def _all_ablated(circuit: Circuit) -> str:
    if circuit.ablated is None:
        return ""
    what = "logit difference, all heads ablated"
    return parts.compare(what, "difference(ablate_all())", circuit.ablated)


def _faithfulness(found: FaithfulnessResult) -> Iterable[str]:
    yield "circuit = mean(lambda pair: circuit_difference(pair, KEPT))"
    yield "empty = mean(lambda pair: circuit_difference(pair, set()))"
    yield "full = mean(clean_difference)"
    yield parts.compare("logit difference, circuit alone", "circuit", found.measured.metric)
    yield parts.compare("logit difference, everything replaced", "empty", found.empty)
    share = "(circuit - empty) / (full - empty)"
    yield parts.compare("faithfulness", share, found.measured.faithfulness)


def _replaced(kind: AblationKind, replacing: Replacing) -> str:
    """What writers' results are replaced by."""
    if kind is AblationKind.RESAMPLE:
        return parts.REPLACED[kind]
    if replacing.mean is MeanOver.POSITION:
        return parts.REPLACED_PER_POSITION
    stays = replacing.input is InputPart.TOKEN
    return _joined(parts.POSITIONS_STAY if stays else parts.NOTHING_STAYS, parts.REPLACED[kind])


def _estimate(request: AttributionRequest) -> str:
    """How the gradients were taken."""
    if request.method is Method.EAP_IG:
        shares = _literal([*request.points.shares(request.steps)])
        points = parts.EAP_IG_POINTS.format(shares=shares)
    elif request.direction is Direction.DENOISE:
        points = parts.DENOISE_POINTS
    else:
        points = parts.NOISE_POINTS
    sign = 1 if request.direction is Direction.NOISE else -1
    return _joined(points, parts.ESTIMATE.format(sign=sign))


def _edit(ablation: Ablation, question: Question) -> str:
    """What happens to z of an ablated head. Raises BadInput: resample without counterfactual."""
    kind = ablation.kind
    if kind.needs_counterfactual and question.counterfactual is None:
        raise BadInput(
            f"{kind.value.capitalize()} needs a counterfactual.",
            "Give one, or choose another kind.",
        )
    positions = "slice(None)" if ablation.positions is None else _literal([*ablation.positions])
    if kind.takes_references and ablation.references:
        given = _literal([*ablation.references])
        body = parts.EDITS_BY_REFERENCES[kind].format(references=given)
    else:
        body = parts.EDITS[kind].format(**ablation.settings)
    return _joined(f"POSITIONS = {positions}  # where z is edited", body, parts.AT_POSITIONS)


def _prompt(
    question: Question, tokens: Tokens, position: int, answer: Token, distractor: Token
) -> str:
    """One prompt, as text: the script's tokenizer has to read it as the model did."""
    return "\n".join(
        [
            _bos(tokens),
            f"PROMPT = {_literal(question.prompt)}",
            f"COUNTERFACTUAL = {_literal(question.counterfactual)}",
            f"ANSWER = {answer.id}  # {_literal(answer.text)}",
            f"DISTRACTOR = {distractor.id}  # {_literal(distractor.text)}",
            f"POSITION = {position}  # where the next token is read",
        ]
    )


def _written(question: Question) -> str:
    return parts.CHAT if question.chat else parts.PLAIN


def _pairs(circuit: Circuit, pairs: PairSet | None) -> str:
    """Pairs as token ids, or the question's own as texts."""
    question = circuit.request.question
    if pairs is not None:
        rows = [
            (_ids(p.clean), _ids(p.counterfactual), p.answer.id, p.distractor.id, p.position)
            for p in pairs.pairs
        ]
    elif circuit.pairs == 1 and question.prompt and question.counterfactual is not None:
        ends = (circuit.answer.id, circuit.distractor.id, circuit.position)
        rows = [(question.prompt, question.counterfactual, *ends)]
    else:
        raise BadInput(
            f"The script needs the {circuit.pairs} prompt pairs, not only the first one.",
            "Measure the circuit again, and save the script then.",
        )
    head = "# clean, counterfactual (texts or token ids), answer, distractor, read-out position"
    lines = [f"    {_literal(row)}," for row in rows]
    return "\n".join([_bos(circuit.tokens), head, "PAIRS = [", *lines, "]"])


def _ids(tokens: Tokens) -> list[int]:
    return [token.id for token in tokens.items]


def _bos(tokens: Tokens) -> str:
    first = [tokens.items[0].id] if tokens.bos else []
    return f"BOS = {first}  # put before texts"


def _heads(heads: Sequence[HeadId]) -> str:
    return f"HEADS = {[(head.layer, head.head) for head in heads]}  # layer, head"


def _edges(edges: Sequence[CircuitEdge]) -> str:
    """Writer, reader, input of the reader, expected value, and whether it is exact."""
    rows = [
        (edge.source, edge.target, edge.via.value, float(edge.value), bool(edge.is_exact))
        for edge in edges
    ]
    head = "# writer, reader, its input, what was shown (logits), by path patching or estimated"
    return "\n".join([head, "EDGES = [", *(f"    {_literal(row)}," for row in rows), "]"])


def _literal(value: Any) -> str:
    """A Python literal on one line, in characters that every editor shows as they are."""
    return ascii(value)


def _joined(*sections: str) -> str:
    """Two blank lines between sections, as between functions."""
    return "\n\n\n".join(section.strip("\n") for section in sections if section) + "\n"


def _lines(*statements: str) -> str:
    return "\n".join(each.strip("\n") for each in statements if each)
