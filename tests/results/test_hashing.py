from __future__ import annotations

import datetime as dt
import enum
import subprocess
import sys
import textwrap
import threading
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowbook.exceptions import UnpicklableError
from flowbook.results.code_hash import code_hash
from flowbook.results.content_hash import content_hash, portable_hash


class Colour(enum.Enum):
    RED = 1


#: Hashes are written into stores: a change here makes every cache entry of every user miss.
PINNED = [
    (None, "1b16b1df538ba12dc3f97edbb85caa7050d46c148134290feba80f8236c83db9"),
    (True, "7dc96f776c8423e57a2785489a3f9c43fb6e756876d6ad9a9cac4aa4e72ec193"),
    (1, "cc7130013527ac2a34de7f05846a80a6abc29cbd03fad13003867866f8c066d4"),
    (-1.5, "c4c3d385ca0333c208cf0ab42cd9c3cb50450d796c0b12f57da6e84c53d981c0"),
    ("é", "0566c2f70ee0c7b722fdbd0dae5e0e79e0e84ab169d7956b688da7823e471650"),
    (b"x", "b7d8c46bacad6e9e982027a9439ca41df62138304667bc96198c395c56c438b4"),
    ((1, "a"), "cf866d88c6e7a6e608d2f46b30235bd854ac9e8a43e0df5dfd38582cbdc39817"),
    ([1, [2]], "142fdc3393eb7511b0e931c069aff5c541e003fdcff4e2c6a55df2570892e445"),
    ({"b": 1, "a": None}, "010429c502c634c2aef0adea7660b46cb2cd4bb57e649e4c6a8c0db8b9307848"),
    ({1, 2, 3}, "3bfff8952c4456f70e8cc74ebfabcb39eb34585e45ed49fc2194f0fc66a00af2"),
    (frozenset({"a", "b"}), "4016434affd10c016c7d2f49473fd0ea053dd0b0e324c931a51d1341267b6fa6"),
]


@pytest.mark.parametrize(("value", "expected"), PINNED, ids=lambda value: repr(value)[:20])
def test_hashes_stay_what_they_were(value: object, expected: str) -> None:
    assert content_hash(value) == expected


def test_values_of_other_types_or_content_differ() -> None:
    values: list[Any] = [
        None,
        ...,
        True,
        False,
        1,
        0,
        1.0,
        0.0,
        -0.0,
        1 + 0j,
        "1",
        b"1",
        bytearray(b"1"),
        "",
        (),
        [],
        {},
        set(),
        frozenset(),
        (1,),
        [1],
        [[1]],
        ["1"],
        {1},
        {1: 2},
        {"1": 2},
        {2: 1},
        [1, 2],
        [12],
        ["a", "b"],
        ["ab"],
        {"a": 1, "b": 2},
        {"b": 2, "a": 1},
        Colour.RED,
        PurePosixPath("1"),
        dt.date(2026, 1, 1),
        dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        dt.timedelta(1),
        1 << 70,
    ]

    assert len({content_hash(value) for value in values}) == len(values)


@given(st.sets(st.text()))
def test_sets_hash_alike_in_any_order(members: set[str]) -> None:
    forwards, backwards = sorted(members), sorted(members, reverse=True)

    assert content_hash(set(forwards)) == content_hash(set(backwards))
    assert content_hash({"x": [frozenset(forwards)]}) == content_hash({"x": [frozenset(backwards)]})


def test_a_value_that_holds_itself_has_a_hash() -> None:
    ring: list[object] = [1]
    ring.append(ring)

    assert content_hash(ring) == content_hash(ring)


def test_what_cannot_be_pickled_is_named() -> None:
    with pytest.raises(UnpicklableError, match=r"its \[0\] is a _thread.lock"):
        content_hash([threading.Lock()])


def test_frames_and_arrays_hash_by_content() -> None:
    np, pd = pytest.importorskip("numpy"), pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": pd.to_datetime(["2026-01-01", None])})

    assert content_hash(frame) == content_hash(frame.copy())
    assert content_hash(frame) != content_hash(frame.assign(a=[1, 3]))
    assert content_hash(frame) != content_hash(frame.rename(columns={"a": "z"}))
    assert content_hash(np.arange(4)) == content_hash(np.arange(4))
    assert content_hash(np.arange(4)) != content_hash(np.arange(4).reshape(2, 2))
    assert content_hash(np.float64(1)) != content_hash(1.0)


SCRIPT = textwrap.dedent("""
    import numpy as np, pandas as pd
    from flowbook.results.code_hash import code_hash
    from flowbook.results.content_hash import content_hash, portable_hash

    WORDS = frozenset({"a", "b", "c"})

    def helper(x):
        return x in {"d", "e", "f"} or x in WORDS

    def task(x, y=("g",)):
        return [helper(part) for part in x]

    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": [{"q": 1}, [2]]})
    for value in ({"x": {"a", "b", "c"}}, frame, np.arange(5), pd.Timestamp("2026-01-01"), [frame, "a"]):
        print(content_hash(value))
    print(code_hash(task))
""")


def test_hashes_agree_between_processes() -> None:
    printed = [
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "2")
    ]

    assert printed[0] == printed[1]
    assert len(printed[0].split()) == 6


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


class Unknown:
    """Of a kind that nobody knows: it is pickled, and its class goes by name or whole."""


@pytest.mark.parametrize("value", [1, "a", [1, {"b": (2.0, None)}], np.arange(5), pd.DataFrame({"a": [1, 2]})])
def test_a_portable_hash_is_the_content_hash(value):
    assert portable_hash(value) == content_hash(value)


@pytest.mark.parametrize("value", [Unknown(), [1, Unknown()], {"a": {"b": Unknown()}}])
def test_there_is_no_portable_hash_of_what_has_to_be_pickled(value):
    assert portable_hash(value) is None


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
