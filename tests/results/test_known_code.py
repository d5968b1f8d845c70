"""What is known of code is never taken for code that has changed since, whatever changed and however."""

from __future__ import annotations

import sys
import types
from typing import Any

import pytest

from flowbook.results.code_hash import known_code, read_code

HELPER = "def helper(x): return x + 1\ndef task(x): return helper(x)\n"
CLOSURE = (
    "def make(k):\n def helper(x): return x + k\n return helper\nhelper = make(1)\ndef task(x): return helper(x)\n"
)
WRAPPED = (
    "import functools\ndef inner(x): return x\n@functools.wraps(inner)\ndef helper(x): return 1\n"
    "def task(x): return helper(x)\n"
)
MODEL = "class Model:\n def __init__(self): self.k = 1\n def score(self, x): return x + self.k\nmodel = Model()\n"
SINGLE = "import functools\n@functools.singledispatch\ndef helper(x): return x\ndef task(x): return helper(x)\n"
CHANGES = {
    "a helper is replaced": (HELPER, "def helper(x): return x + 2"),
    "a helper gets other code": (HELPER, "helper.__code__ = (lambda x: x + 2).__code__"),
    "a helper gets a default": (HELPER, "helper.__defaults__ = (2,)"),
    "the task gets other code": (HELPER, "task.__code__ = (lambda x: helper(x) + 2).__code__"),
    "a helper is gone": (HELPER, "del helper"),
    "a helper of a helper": (
        "def low(x): return x\ndef helper(x): return low(x)\ndef task(x): return helper(x)\n",
        "def low(x): return x + 1",
    ),
    "a name of Python's gets a meaning": ("def task(x): return len(x)\n", "def len(x): return 0"),
    "a keyword's default": ("def task(x, *, k=1): return x + k\n", "task.__kwdefaults__['k'] = 2"),
    "a constant": ("LIMIT = 1\ndef task(x): return x + LIMIT\n", "LIMIT = 2"),
    "an equal constant of another type": ("LIMIT = 1\ndef task(x): return x + LIMIT\n", "LIMIT = True"),
    "what a helper closes over": (CLOSURE, "helper.__closure__[0].cell_contents = 2"),
    "a variable that is filled later": (
        "def make():\n def task(x): return x + k\n yield task\n k = 2\n yield\nmade = make()\ntask = next(made)\n",
        "next(made)",
    ),
    "what a helper wraps": (WRAPPED, "helper.__wrapped__ = lambda x: x + 2"),
    "what is registered for a type": (SINGLE, "helper.register(int, lambda x: x + 1)"),
    "a method": (
        "class Model:\n def score(self, x): return x + 1\ndef task(x): return Model().score(x)\n",
        "Model.score = lambda self, x: x + 2",
    ),
    "a member of a class that is an argument's default": (
        "class Model:\n weight = 1\ndef task(x, kind=Model): return kind.weight\n",
        "Model.weight = 2",
    ),
    "a table of functions": (
        "TABLE = {'a': lambda x: x + 1}\ndef task(x): return TABLE['a'](x)\n",
        "TABLE['a'] = lambda x: x + 2",
    ),
    "a function in a tuple": (
        "TABLE = (lambda x: x + 1,)\ndef task(x): return TABLE[0](x)\n",
        "TABLE[0].__code__ = (lambda x: x + 2).__code__",
    ),
    "a list that gets a function": ("STEPS = []\ndef task(x): return STEPS\n", "STEPS.append(lambda x: x)"),
    "an object's own attribute": (
        MODEL + "score = model.score\ndef task(x): return score(x)\n",
        "model.k = 2",
    ),
    "a method as a task": (
        MODEL + "task = model.score\n",
        "model.k = 2",
    ),
    "a partial's argument": (
        "import functools\ndef helper(k, x): return x + k\ntask = functools.partial(helper, k=1)\n",
        "task.keywords['k'] = 2",
    ),
    "a function of a module": ("import own_steps\ndef task(x): return own_steps.step(x)\n", "own_steps.step = None"),
}


@pytest.fixture(autouse=True)
def own_module(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("own_steps")
    exec("def step(x): return x + 1", module.__dict__)
    monkeypatch.setitem(sys.modules, "own_steps", module)


def made(source: str) -> dict[str, Any]:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(source, "<cell>", "exec"), namespace)
    return namespace


@pytest.mark.parametrize("what", CHANGES)
def test_code_that_changed_is_read_again(what: str) -> None:
    source, change = CHANGES[what]
    namespace, known = made(source), {}
    before = known_code(namespace["task"], known)

    exec(change, namespace)

    now = known_code(namespace["task"], known)
    assert now.hash != before.hash
    assert now == read_code(namespace["task"])


@pytest.mark.parametrize(
    "source", [HELPER, CLOSURE, WRAPPED, "import json\nK = (1, 'a')\ndef task(x): return json, K\n"]
)
def test_code_that_is_the_same_is_read_once(source: str) -> None:
    namespace, known = made(source), {}
    before = known_code(namespace["task"], known)

    namespace["unused"] = 1

    assert known_code(namespace["task"], known) is before


def test_a_variable_is_the_one_of_today() -> None:
    namespace, known = made("RATES = [1]\ndef task(x): return RATES\n"), {}
    known_code(namespace["task"], known)

    namespace["RATES"] = [2]

    assert known_code(namespace["task"], known).variables == {"global RATES": [2]}
