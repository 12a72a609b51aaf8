"""What is asked of language models, tried on the model whose scores are known."""

from attention_viz.models.evaluate import EMBEDDED
from attention_viz.models.evaluation.language import measure_language
from attention_viz.models.evaluation.scoring import Subject


def test_the_embedded_model_scores_as_its_card_says():
    solved = {each.name: each.rate for each in measure_language(Subject(EMBEDDED), count=60)}
    assert len(solved) == 13 and all(rate.of >= 60 for rate in solved.values())
    # The card: 0.90, 0.84, 0.995, 1.0, 0.987, 0.987; years by their first token are its own measure
    known = {
        "indirect object, A B … B → A": 0.9,
        "indirect object, blind templates, A B … B → A": 0.84,
        "repeated random words": 0.995,
        "landmarks: city": 1.0,
        "landmarks: country": 0.987,
        "agreement across an attractor": 0.987,
        "pronouns": 0.957,
    }
    for name, share in known.items():
        span = solved[name].interval
        assert span.low <= share <= span.high, (name, solved[name])


def test_without_beginning_of_text_the_same_is_asked():
    subject = Subject(EMBEDDED, bos=False)
    assert subject.encode("When Mary") == Subject(EMBEDDED).encode("When Mary")[1:]
