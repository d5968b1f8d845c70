"""A table of wrong uses: each function does one thing wrong, its name is the case's, its docstring the whole message."""

from __future__ import annotations

import pytest

from flowbook import Flow, task
from flowbook.exceptions import DefinitionError


def table():
    """Return a new table, and the decorator that puts a function into it with the error it is to raise."""
    cases = []

    def refused(kind=DefinitionError):
        def keep(function):
            cases.append(pytest.param(function, kind, id=function.__name__))
            return function

        return keep

    return cases, refused


@task
def add(x, y=1):
    return x + y


@task
def one():
    return 1


def small():
    with Flow("small") as flow:
        one()
    return flow
