"""The workbench is what the page and the command line take it for."""

import inspect
from typing import Any, get_type_hints

import pytest

from attention_viz.jobs import Jobs
from attention_viz.models.catalogue import Catalogue
from attention_viz.records.bench import Bench, JobBoard, ModelList, Request
from attention_viz.workbench import REGISTRY, Workbench


def methods_of(protocol):
    return [
        name
        for name, value in vars(protocol).items()
        if inspect.isfunction(value) and not name.startswith("_")
    ]


@pytest.mark.parametrize(
    "protocol, real", [(Bench, Workbench), (JobBoard, Jobs), (ModelList, Catalogue)]
)
def test_signatures_are_those_of_the_protocol(protocol, real):
    assert methods_of(protocol)
    for name in methods_of(protocol):
        promised, found = (inspect.signature(getattr(kind, name)) for kind in (protocol, real))
        assert _without_types(found) == _without_types(promised), name
        hints, own = (get_type_hints(getattr(kind, name)) for kind in (protocol, real))
        # Jobs find work of any kind, requests among it.
        assert {key: own[key] for key in hints if own[key] is not Any} == {
            key: hint for key, hint in hints.items() if own[key] is not Any
        }, name


def _without_types(signature):
    return [(each.name, each.kind, each.default) for each in signature.parameters.values()]


def test_a_workbench_has_all_that_is_promised():
    bench = Workbench(Catalogue.standard())
    assert isinstance(bench, Bench)
    assert isinstance(bench.jobs, JobBoard) and isinstance(bench.catalogue, ModelList)


def test_every_request_asks_a_question():
    for request in REGISTRY:
        assert "question" in get_type_hints(request) or isinstance(
            inspect.getattr_static(request, "question"), property
        ), request


def test_less_than_a_workbench_is_not_one():
    assert not isinstance(Jobs(), Bench) and not isinstance("a text", Request)
