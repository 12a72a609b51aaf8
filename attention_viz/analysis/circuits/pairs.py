"""The pairs of a request as the model reads them: tokenized, aligned and checked one by one."""

from attention_viz.analysis.circuits.families import make_family
from attention_viz.analysis.question import ask
from attention_viz.models.loading import LoadedModel
from attention_viz.records.circuits.pairs import BadPair, Pair, PairSet, PairsRequest, TokenPair
from attention_viz.records.errors import BadInput
from attention_viz.records.pace import Pace
from attention_viz.records.question import Question


def read_pairs(model: LoadedModel, request: PairsRequest, pace: Pace | None = None) -> PairSet:
    """The pairs that can be asked, and why the others can't.

    Of the question's own pair, answer and distractor default to the clean top-1 and runner-up, and
    the question says where it is read; families and given pairs are read at their last token.
    Raises BadInput where no pair can be asked, and see `make_family`.
    """
    if not request.family and not request.given:
        return PairSet(request, (_own_pair(model, request.question, pace),))
    pairs, refused = [], []
    for number, pair in enumerate(_written_pairs(model, request), 1):
        try:
            pairs.append(_read_pair(model, pair, request.question))
        except BadInput as error:
            refused.append(BadPair(number, error.message))
    if not pairs:
        raise BadInput(
            f"None of the {len(refused)} pairs can be used. The first: {refused[0].reason}",
            "Both prompts need the same number of tokens; answer and distractor one each.",
        )
    return PairSet(request, tuple(pairs), tuple(refused))


def known_pairs(model: LoadedModel, request: PairsRequest, pace: Pace) -> PairSet:
    """The pairs, read unless somebody asked for them before."""
    return pace.recall(request, lambda: read_pairs(model, request, pace))


def _written_pairs(model: LoadedModel, request: PairsRequest) -> tuple[Pair, ...]:
    if request.family:
        if request.question.chat:
            raise BadInput(
                "A family's prompts are texts to be continued, not questions to a chat.",
                "Switch the chat template off, or give pairs of your own.",
            )
        return make_family(model.vocabulary, request.family, request.count, request.seed)
    return request.given


def _own_pair(model: LoadedModel, question: Question, pace: Pace | None) -> TokenPair:
    if question.counterfactual is None:
        raise BadInput(
            "A circuit needs a counterfactual prompt to compare with.",
            "Give one with the same number of tokens, or choose a family of pairs.",
        )
    asked = ask(model, question, pace)
    return _need_difference(
        TokenPair(
            clean=asked.tokens,
            counterfactual=asked.read.counterfactual,
            answer=asked.answer_token,
            distractor=asked.distractor_token,
            position=asked.position,
            text=Pair(
                question.prompt,
                question.counterfactual,
                asked.answer_token.text,
                asked.distractor_token.text,
            ),
        )
    )


def _read_pair(model: LoadedModel, pair: Pair, question: Question) -> TokenPair:
    """Raises BadInput for a pair that the model can't be asked."""
    vocabulary = model.vocabulary
    answer, distractor = (vocabulary.find(text) for text in (pair.answer, pair.distractor))
    if answer == distractor:
        raise BadInput("Answer and distractor are the same token.")
    read = vocabulary.read(
        Question(
            question.model,
            pair.clean,
            bos=question.bos,
            counterfactual=pair.counterfactual,
            chat=question.chat,
        )
    )
    return _need_difference(
        TokenPair(
            clean=read.tokens,
            counterfactual=read.counterfactual,
            answer=vocabulary.token(answer),
            distractor=vocabulary.token(distractor),
            position=read.position,
            text=pair,
        )
    )


def _need_difference(pair: TokenPair) -> TokenPair:
    """Raises BadInput where both prompts are the same up to where they are read."""
    if not any(position <= pair.position for position in pair.differs):
        raise BadInput(
            "The prompt and its counterfactual are the same up to where the next token is read.",
            "Change a word before that.",
        )
    return pair
