from __future__ import annotations

from typing import Any

import pandas.api.types
import pytest

from flowbook.results.code_hash import code_hash, read_code
from flowbook.results.content_hash import content_hash

BEFORE = """
LIMIT = 3
SETTINGS = {"a": 1}
class Model:
    weight = 2
    def score(self, x): return scale(x) * self.weight
def scale(x):
    "Scales."
    return x * LIMIT
def task(x, y=1):
    "Does it."
    def inner(z):
        return z + 1
    return Model().score(inner(x)) + len(SETTINGS)
"""


def hash_of(source: str) -> str:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(source, "<cell>", "exec"), namespace)
    return code_hash(namespace["task"])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("LIMIT = 3", "LIMIT = 4"),
        ("x * LIMIT", "x + LIMIT"),
        ("weight = 2", "weight = 3"),
        ("self.weight", "self.weight + 1"),
        ("y=1", "y=2"),
        ("z + 1", "z + 2"),
        ("inner(x)", "inner(y)"),
    ],
)
def test_a_change_that_a_task_can_feel_changes_its_code_hash(old: str, new: str) -> None:
    assert hash_of(BEFORE) != hash_of(BEFORE.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"Does it."', '"Does something else."'),
        ('"Scales."', "# scales"),
        ("def task", "\n\n# a comment\n\ndef task"),
        ('{"a": 1}', '{"a": 2}'),
        ("class Model", "def unrelated(): return 1\nclass Model"),
    ],
)
def test_a_change_that_a_task_cannot_feel_leaves_its_code_hash(old: str, new: str) -> None:
    if old == '"Scales."':
        new = '"Scales otherwise."'
    assert hash_of(BEFORE) == hash_of(BEFORE.replace(old, new))


def test_what_a_task_closes_over_is_part_of_its_code() -> None:
    def make(factor: object) -> Any:
        return lambda x: x * factor

    assert code_hash(make(2)) == code_hash(make(2))
    assert code_hash(make(2)) != code_hash(make(3))
    assert code_hash(make(make(2))) != code_hash(make(make(3)))


def test_functions_that_call_each_other_have_a_hash() -> None:
    source = "def task(n): return other(n)\ndef other(n): return task(n - 1) if n else 0\n"

    assert hash_of(source) != hash_of(source.replace("n - 1", "n - 2"))


def test_code_of_libraries_counts_by_name() -> None:
    source = "import json\ndef task(x): return json.dumps(x)\n"

    assert hash_of(source) == hash_of(source)
    assert hash_of(source) != hash_of(source.replace("dumps", "loads"))


@pytest.mark.parametrize(
    ("source", "old", "new"),
    [
        ("import enum\nclass K(enum.Enum):\n    A = 1\ndef task(x): return x + K.A.value", "A = 1", "A = 2"),
        ("class K:\n    def m(self): return 1\nk = K()\ndef task(x): return k.m()", "return 1", "return 2"),
        (
            "class K:\n    def __call__(self, x): return x\nk = K()\ndef task(x): return k(x)",
            "return x\n",
            "return -x\n",
        ),
        ("def a(x): return 1\nSTEPS = {'a': a}\ndef task(x): return STEPS['a'](x)", "return 1", "return 2"),
        ("def a(x): return 1\nSTEPS = [a]\ndef task(x): return STEPS[0](x)", "return 1", "return 2"),
        ("def a(x): return 1\nSTEPS = (a, 3)\ndef task(x): return STEPS[0](x)", "return 1", "return 2"),
        ("import re\nWORD = re.compile('a')\ndef task(x): return WORD.match(x)", "'a'", "'b'"),
        ("class M(type):\n    def z(cls): return 1\nclass K(metaclass=M): pass\ndef task(x): return K.z()", "1", "2"),
        (
            "class K:\n    def __init__(self, k): self.k = k\n    def m(self, x): return x + self.k\ntask = K(1).m",
            "K(1)",
            "K(2)",
        ),
    ],
)
def test_what_a_task_reaches_through_an_object_or_a_table_is_part_of_its_code(source: str, old: str, new: str) -> None:
    assert hash_of(source) == hash_of("\n\n# moved\n" + source)
    assert hash_of(source) != hash_of(source.replace(old, new))


def test_what_an_object_holds_and_its_class_never_names_is_no_part_of_the_code_of_its_method() -> None:
    source = "class K:\n    def m(self, x): return x\nk = K()\nk.label = 'a'\ntask = k.m"

    assert hash_of(source) == hash_of(source.replace("'a'", "'b'"))


# Unchanged code -------------------------------------------------------------------------------------------------------


def made(source: str, name: str = "task") -> Any:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(source, "<cell>", "exec"), namespace)
    return namespace[name]


@pytest.mark.parametrize(
    ("source", "happening"),
    [
        ("class K: pass\nk = K()\ndef task(): return K()", "import copyreg\ncopyreg._slotnames(K)"),
        ("import abc\nclass K(abc.ABC): pass\ndef task(): return K()", "isinstance(1, K); K.register(int)"),
        ("class K:\n    a: int = 1\ndef task(): return K()", "K.__annotations__"),
        ("import datetime\nyear = 1\ndef task(): return datetime.date(2026, 1, 1).year", "year = 2"),
        ("def task(seen=[]): seen.append(1)", "task()"),
        ("def task(*, seen={}): seen[1] = 1", "task()"),
        ("SEEN = []\ndef task(): SEEN.append(1)", "task()"),
        ("COUNT = 0\ndef task():\n    global COUNT\n    COUNT += 1", "task()"),
        ("def make():\n    seen = []\n    return lambda: seen.append(1)\ntask = make()", "task()"),
        ("import functools\ntask = functools.partial(lambda seen: seen.append(1), [])", "task()"),
        ("class K:\n    seen = []\n    def add(self): self.seen.append(1)\nk = K()\ndef task(): k.add()", "task()"),
    ],
)
def test_code_stays_what_it_was_whatever_runs(source, happening):
    task = made(source)
    before = code_hash(task)

    exec(happening, task.func.__globals__ if hasattr(task, "func") else task.__globals__)

    assert code_hash(task) == before


COMPILED = "from pandas.api.types import is_integer as check\ndef task(x): return check(x)"


@pytest.mark.parametrize("name", ["is_integer", "is_float"])
def test_a_compiled_function_of_a_library_is_data_that_the_code_reads(name: str) -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(COMPILED.replace("is_integer", name), namespace)

    (found,) = read_code(namespace["task"]).variables.values()

    assert found is getattr(pandas.api.types, name)
    assert content_hash(found) != content_hash(pandas.api.types.is_bool)


@pytest.mark.parametrize("module", ["property(lambda self: 'x')", "3", "None"])
def test_a_class_whose_module_is_no_text_is_part_of_the_code(module: str) -> None:
    source = f"class Odd:\n    __module__ = {module}\n    def one(self): return 1\ndef task(x): return Odd().one()"

    assert hash_of(source) == hash_of(source)
    assert hash_of(source) != hash_of(source.replace("return 1", "return 2"))


def test_where_an_exception_is_caught_is_part_of_the_code():
    inside = "def task(a, b):\n    try: a(); b()\n    except ValueError: pass\n    return 1\n"
    outside = "def task(a, b):\n    a()\n    try: b()\n    except ValueError: pass\n    return 1\n"

    assert made(inside).__code__.co_code == made(outside).__code__.co_code
    assert hash_of(inside) != hash_of(outside)


# Variables ------------------------------------------------------------------------------------------------------------

READS = """
import threading
import numpy as np
RATES = {"a": [1, {2}]}
GRID = np.arange(3)
LIMIT = 3
LOCK = threading.Lock()
UNUSED = [1]
class Model:
    table = [1]
    def score(self): return helper()
class Client:
    pass
client = Client()
def helper(): return GRID.sum() + len(RATES)
def inner(words=["w"]): return words, client
def task(x):
    with LOCK:
        return Model().score() + inner(), LIMIT, RATES
"""


def test_what_code_reads_and_can_change_is_named():
    task = made(READS)
    known = task.__globals__

    assert read_code(task).variables == {
        "Model.table": known["Model"].table,
        "global GRID": known["GRID"],
        "global RATES": known["RATES"],
        "default of words in inner": ["w"],
        "global client": known["client"],
    }


def test_a_module_within_a_package_of_the_users_is_followed(tmp_path, monkeypatch):
    package = tmp_path / "own_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "steps.py").write_text("TABLE = [1]\ndef step(x): return x + 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    task = made("import own_package.steps\ndef task(x): return own_package.steps.step(x), own_package.steps.TABLE")
    before = code_hash(task)
    steps = task.__globals__["own_package"].steps

    assert read_code(task).variables == {"global own_package.steps.TABLE": [1]}
    steps.step = lambda x: x + 2
    steps.step.__module__ = "own_package.steps"
    assert code_hash(task) != before


def test_a_package_in_a_folder_of_its_own_is_followed_unless_it_was_installed_there(tmp_path, monkeypatch):
    for name in ("own_tool", "installed_tool"):
        (tmp_path / f"{name}.py").write_text("TABLE = [1]\ndef step(x): return x + len(TABLE)\n")
    (tmp_path / "installed_tool-1.0.dist-info").mkdir()
    (tmp_path / "installed_tool-1.0.dist-info" / "RECORD").write_text("installed_tool.py,,\n")
    monkeypatch.syspath_prepend(tmp_path)
    source = "import {0}\ndef task(x): return {0}.step(x), {0}.TABLE"

    own, installed = (read_code(made(source.format(name))).variables for name in ("own_tool", "installed_tool"))

    assert own == {"global TABLE": [1]}
    assert installed == {}


@pytest.mark.parametrize(
    ("head", "register", "call"),
    [
        ("@functools.singledispatch\ndef h(x): return x", "@h.register\ndef _(x: int): return x + 1", "h(x)"),
        (
            "class H:\n @functools.singledispatchmethod\n def h(self, x): return x",
            "@H.h.register\ndef _(self, x: int): return x + 1",
            "H().h(x)",
        ),
    ],
)
def test_what_is_registered_for_a_type_counts(head: str, register: str, call: str) -> None:
    source = f"import functools\n{head}\n{register}\ndef task(x): return {call}\n"

    first = hash_of(source)

    assert hash_of(source.replace("return x + 1", "return  x  +  1  # one more")) == first
    assert hash_of(source.replace("x + 1", "x + 2")) != first
    assert hash_of(source.replace("int", "float")) != first
