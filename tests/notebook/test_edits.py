"""A look for edits finds what a run would notice: whatever a task's code reaches, and however it became another thing."""

from __future__ import annotations

import sys
import types
from typing import Any

import pytest

from flowbook import Flow
from flowbook.notebook.edits import Edits, WatchedFlow
from flowbook.results.code_hash import read_code

HELPER = "def helper(x): return x + 1\n@task\ndef step(x): return helper(x)\n"
LATER = "@task\ndef step(x): return helper(x)\n"
MODULE = "import own_steps\n@task\ndef step(x): return own_steps.step(x)\n"
PATCHED = "helper.__code__ = (lambda x: x + 2).__code__"
EDITS = {
    "a function that is there now": (LATER, "def helper(x): return x"),
    "a number that is there now": ("@task\ndef step(x): return x + LIMIT\n", "LIMIT = 1"),
    "a list that is there now": ("@task\ndef step(x): return x + ROWS\n", "ROWS = [1]"),
    "a class that is there now": ("@task\ndef step(x): return Model(x)\n", "class Model: pass"),
    "a module that is there now": ("@task\ndef step(x): return own_steps.step(x)\n", "import own_steps"),
    "what a helper's helper lacked": (
        "def helper(x): return low(x)\n@task\ndef step(x): return helper(x)\n",
        "def low(x): return x",
    ),
    "what a class's method lacked": (
        "class Model:\n def score(self, x): return low(x)\n@task\ndef step(x): return Model().score(x)\n",
        "def low(x): return x",
    ),
    "a name of Python's with a meaning of one's own": ("@task\ndef step(x): return len(x)\n", "def len(x): return 0"),
    "the same in a helper": (
        "def helper(x): return len(x)\n@task\ndef step(x): return helper(x)\n",
        "len = lambda x: 0",
    ),
    "a name in a function inside": ("@task\ndef step(x):\n def inner(): return LIMIT\n return inner()\n", "LIMIT = 1"),
    "a name in a lambda": ("@task\ndef step(x): return (lambda: LIMIT)()\n", "LIMIT = 1"),
    "a name in a comprehension": ("@task\ndef step(x): return [LIMIT for _ in x]\n", "LIMIT = 1"),
    "a name in a generator's condition": ("@task\ndef step(x): return sum(y for y in x if y < LIMIT)\n", "LIMIT = 1"),
    "a name in a default inside": (
        "@task\ndef step(x):\n def inner(y=LIMIT): return y\n return inner()\n",
        "LIMIT = 1",
    ),
    "a name in a class inside": ("@task\ndef step(x):\n class Inner:\n  y = LIMIT\n return Inner.y\n", "LIMIT = 1"),
    "a function that is a default": (
        "def low(x): return top(x)\n@task\ndef step(x, helper=low): return helper(x)\n",
        "def top(x): return x",
    ),
    "a function that is gone": (HELPER, "del helper"),
    "a number that is gone": ("LIMIT = 1\n@task\ndef step(x): return x + LIMIT\n", "del LIMIT"),
    "a list that is gone": ("ROWS = [1]\n@task\ndef step(x): return x + ROWS\n", "del ROWS"),
    "a function of a module": (MODULE, "own_steps.step = lambda x: x + 2"),
    "what a module's function calls": (MODULE, "own_steps.low = lambda x: x + 2"),
    "a number of a module": (
        "import own_steps\n@task\ndef step(x): return own_steps.LIMIT\n",
        "own_steps.LIMIT = 2",
    ),
    "a list of a module": ("import own_steps\n@task\ndef step(x): return own_steps.ROWS\n", "own_steps.ROWS = [2]"),
    "what a module has now": (
        "import own_steps\n@task\ndef step(x): return own_steps.later(x)\n",
        "own_steps.later = len",
    ),
    "what a module no longer has": (MODULE, "del own_steps.step"),
    "a function of a module in a module": (
        "import own_steps\n@task\ndef step(x): return own_steps.inner.step(x)\n",
        "own_steps.inner.step = lambda x: x + 2",
    ),
    "a helper that was changed in place": (HELPER, PATCHED),
    "a default that was changed in place": (
        "def helper(x, y=1): return x + y\n@task\ndef step(x): return helper(x)\n",
        "helper.__defaults__ = (2,)",
    ),
    "a method that was changed in place": (
        "class Model:\n def score(self, x): return x\n@task\ndef step(x): return Model().score(x)\n",
        "Model.score.__code__ = (lambda self, x: x + 2).__code__",
    ),
    "a task that was changed in place": (HELPER, "step.run.__code__ = (lambda x: x + 2).__code__"),
}
COUNTER = "N = 0\n@task\ndef step(x):\n global N\n N += 1\n return N\n"
KEPT = "@task\ndef step(x):\n global kept\n kept = x\n return kept\n"
NO_EDITS = {
    "a name that nobody reads": (LATER, "unused = 1"),
    "a name that came and went": (LATER, "helper = 1\ndel helper"),
    "the same function again": (HELPER, "def helper(x): return x + 1"),
    "a module's function again": (
        MODULE,
        "own_steps.step = types.FunctionType(own_steps.step.__code__, own_steps.__dict__)",
    ),
    "a module's other function": (MODULE, "own_steps.unused = lambda x: x"),
    "the same code in place": (
        HELPER,
        "scratch = {}\nexec('def helper(x): return x + 1', scratch)\nhelper.__code__ = scratch['helper'].__code__",
    ),
    "what the task itself counts": (COUNTER, "step.run(1)"),
    "what the task itself keeps": (KEPT, "step.run(1)"),
}


@pytest.fixture(autouse=True)
def own_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module of the user's, and one inside it."""
    module, inner = types.ModuleType("own_steps"), types.ModuleType("own_steps.inner")
    exec("LIMIT = 1\nROWS = [1]\ndef low(x): return x + 1\ndef step(x): return low(x)\n", module.__dict__)
    exec("def step(x): return x + 1\n", inner.__dict__)
    module.__dict__["inner"] = inner
    monkeypatch.setitem(sys.modules, "own_steps", module)
    monkeypatch.setitem(sys.modules, "own_steps.inner", inner)


def written(source: str) -> tuple[WatchedFlow, dict[str, Any]]:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(f"import types\nfrom flowbook import task\n{source}", "<cell>", "exec"), namespace)
    with Flow("daily") as flow:
        namespace["step"](1)
    watched = WatchedFlow(flow.compile(), namespace)
    watched.begin()
    return watched, namespace


@pytest.mark.parametrize("what", EDITS)
def test_a_look_finds(what: str) -> None:
    source, change = EDITS[what]
    watched, namespace = written(source)
    before = read_code(namespace["step"].run).hash
    assert watched.look(namespace) == Edits()

    exec(change, namespace)

    assert watched.look(namespace).edited == ("step",)
    is_content = what == "a list of a module"
    assert (read_code(namespace["step"].run).hash != before) is not is_content


@pytest.mark.parametrize("what", NO_EDITS)
def test_a_look_does_not_take_for_an_edit(what: str) -> None:
    source, change = NO_EDITS[what]
    watched, namespace = written(source)

    exec(change, namespace)

    assert watched.look(namespace) == Edits()


@pytest.mark.parametrize("what", ["a function that is there now", "a helper that was changed in place"])
def test_an_edit_that_is_taken_back_is_none(what: str) -> None:
    source, change = EDITS[what]
    watched, namespace = written(source)
    helper = namespace.get("helper")
    code = None if helper is None else helper.__code__
    exec(change, namespace)
    assert watched.look(namespace)

    if helper is None:
        del namespace["helper"]
    else:
        helper.__code__ = code

    assert watched.look(namespace) == Edits()
