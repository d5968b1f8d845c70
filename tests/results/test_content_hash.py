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
from flowbook.results.content_hash import content_hash, is_stable, portable_hash


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


@pytest.mark.parametrize(("value", "expected"), PINNED, ids=[type(value).__name__ for value, _ in PINNED])
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


class Unknown:
    """Has no encoding: it is pickled."""

    def __init__(self, value=None):
        self.value = value


@pytest.mark.parametrize("value", [1, "a", [1, {"b": (2.0, None)}], np.arange(5), pd.DataFrame({"a": [1, 2]})])
def test_a_portable_hash_is_the_content_hash(value):
    assert portable_hash(value) == content_hash(value)


@pytest.mark.parametrize("value", [Unknown(), [1, Unknown()], {"a": {"b": Unknown()}}])
def test_there_is_no_portable_hash_of_what_has_to_be_pickled(value):
    assert portable_hash(value) is None


# What counts ---------------------------------------------------------------------------------------------------------


class Lengths(pd.DataFrame):
    _metadata = ["unit"]  # noqa: RUF012  # as pandas asks for it

    @property
    def _constructor(self):
        return Lengths


class Quantity(np.ndarray):
    def __array_finalize__(self, other):
        self.unit = getattr(other, "unit", None)


def with_attrs(value, **attrs):
    value.attrs.update(attrs)
    return value


def with_unit(value, unit):
    value.unit = unit
    return value


def frame(**columns):
    return pd.DataFrame(columns)


def read_fill_value(array):
    assert array.fill_value == 999999
    return array


RANGE = pd.date_range("2026-01-01", periods=3)

DIFFERENT = {
    "attrs": (with_attrs(frame(a=[1]), unit="km"), with_attrs(frame(a=[1]), unit="m")),
    "attrs of a series": (with_attrs(pd.Series([1]), unit="km"), with_attrs(pd.Series([1]), unit="m")),
    "nested attrs": (with_attrs(frame(a=[1]), units={"a": ["km"]}), with_attrs(frame(a=[1]), units={"a": ["m"]})),
    "_metadata": (with_unit(Lengths({"a": [1]}), "km"), with_unit(Lengths({"a": [1]}), "m")),
    "an array's own attributes": (
        with_unit(np.arange(3).view(Quantity), "km"),
        with_unit(np.arange(3).view(Quantity), "m"),
    ),
    "an array's class": (np.arange(3), np.arange(3).view(Quantity)),
    "flags": (frame(a=[1]), frame(a=[1]).set_flags(allows_duplicate_labels=False)),
    "freq of an index": (pd.Series([1, 2, 3], RANGE), pd.Series([1, 2, 3], pd.DatetimeIndex(RANGE, freq=None))),
    "fill_value of a sparse array": (
        pd.arrays.SparseArray([1.0, 1.0], fill_value=1.0),
        pd.arrays.SparseArray([1.0, 1.0], fill_value=0.0),
    ),
    "a sparse column": (frame(a=pd.arrays.SparseArray([0, 1])), frame(a=[0, 1])),
    "the mask": (np.ma.array([1, 2, 3], mask=[0, 1, 0]), np.ma.array([1, 2, 3], mask=[0, 0, 1])),
    "fill_value of a masked array": (np.ma.array([1, 2], fill_value=7), np.ma.array([1, 2], fill_value=8)),
    "rows and columns exchanged": (np.arange(4).reshape(2, 2), np.arange(4).reshape(2, 2).T),
    "shape": (np.zeros((2, 3)), np.zeros((3, 2))),
    "byte order": (np.array([1], ">i4"), np.array([1 << 24], "<i4")),
    "names of fields": (np.zeros(2, [("a", "i4")]), np.zeros(2, [("b", "i4")])),
    "unit of a time": (np.array([1], "m8[s]"), np.array([1], "m8[ms]")),
    "where texts end": (np.array(["a-b", "c"], object), np.array(["a", "b-c"], object)),
    "texts and bytes": (np.array(["a"], object), np.array([b"a"], object)),
    "which column holds which block": (frame(a=[1], b=[1.5], c=[2]), frame(a=[1], b=[2], c=[1.5])),
    "order of columns": (frame(a=[1], b=[2]), frame(b=[2], a=[1])),
    "name of the columns": (frame(x=[1]), pd.DataFrame([[1]], columns=pd.Index(["x"], name="n"))),
    "name of the index": (frame(x=[1]), frame(x=[1]).rename_axis(index="n")),
    "names of levels": (
        pd.MultiIndex.from_tuples([(1, 2)], names=["a", "b"]),
        pd.MultiIndex.from_tuples([(1, 2)], names=["b", "a"]),
    ),
    "name of a series": (pd.Series([1], name="a"), pd.Series([1], name="b")),
    "order of categories": (pd.Categorical(["a"], ["a", "b"]), pd.Categorical(["a"], ["a", "b"], ordered=True)),
    "unused categories": (pd.Categorical(["a"], ["a", "b"]), pd.Categorical(["a"], ["a"])),
    "missing and its text": (pd.Series(["a", None], dtype=object), pd.Series(["a", "None"], dtype=object)),
    "kinds of missing": (pd.Series(["a", None], dtype=object), pd.Series(["a", float("nan")], dtype=object)),
    "dtype of texts": (pd.Series(["a"], dtype=object), pd.Series(["a"], dtype="string")),
    "nullable numbers": (pd.Series([1, None], dtype="Int64"), pd.Series([1, 2], dtype="Int64")),
    "time zone": (pd.Series(RANGE.tz_localize("UTC")), pd.Series(RANGE.tz_localize("Europe/Paris"))),
    "closed side of an interval": (pd.interval_range(0, 2), pd.interval_range(0, 2, closed="left")),
    "frequency of a period": (
        pd.Series(pd.period_range("2026", periods=1, freq="Y")),
        pd.Series(pd.period_range("2026-01", periods=1, freq="M")),
    ),
    "steps of an index": (frame(a=[1, 2]), pd.DataFrame({"a": [1, 2]}, index=[0, 2])),
    "cells that are lists": (frame(a=[[1], [2]]), frame(a=[[1], [3]])),
    "cells that are frames": (frame(a=[with_attrs(frame(b=[1]), u=1)]), frame(a=[with_attrs(frame(b=[1]), u=2)])),
}


def as_it_is(value):
    return value


def in_a_list(value):
    return [value]


def in_a_dict(value):
    return {"x": (1, value)}


def in_an_object(value):
    return Unknown(value)


@pytest.mark.parametrize("nested", [as_it_is, in_a_list, in_a_dict, in_an_object])
@pytest.mark.parametrize("what", DIFFERENT)
def test_all_that_a_task_can_see_counts(what, nested):
    one, other = map(nested, DIFFERENT[what])

    assert content_hash(one) != content_hash(other)


ALIKE = {
    "memory order": (np.arange(6).reshape(2, 3), np.asfortranarray(np.arange(6).reshape(2, 3))),
    "strides": (np.arange(3), np.arange(6)[::2] // 2),
    "a frame's blocks": (frame(a=[1, 2], b=[3, 4]), pd.concat([frame(a=[1, 2]), frame(b=[3, 4])], axis=1)),
    "which texts are one object": (["ab", "ab"], ["ab", chr(97) + chr(98)]),
    "a fill value that somebody read": (np.ma.array([1]), read_fill_value(np.ma.array([1]))),
}


@pytest.mark.parametrize("nested", [as_it_is, in_a_list, in_a_dict, in_an_object])
@pytest.mark.parametrize("what", ALIKE)
def test_what_a_task_cannot_see_does_not_count(what, nested):
    one, other = map(nested, ALIKE[what])

    assert content_hash(one) == content_hash(other)


def test_a_large_array_is_hashed_by_parts():
    large = np.arange(3_000_000)

    assert content_hash(large.reshape(1000, 3000).T) == content_hash(large.reshape(1000, 3000).T.copy())


def test_fields_are_hashed_without_what_lies_between_them():
    padded = np.dtype({"names": ["a", "b"], "formats": ["i1", "i8"], "offsets": [0, 8], "itemsize": 16})
    one, other = np.zeros(3, padded), np.full(48, 255, "u1").view(padded)
    other["a"] = other["b"] = 0

    assert content_hash(one) == content_hash(other)


class Node:
    """An object that models are made of: sets, texts, itself."""

    def __init__(self, words):
        self.words = set(words)
        self.own = {"self": self, "name": "".join(words)}


MODEL = textwrap.dedent("""
    import enum, numpy as np, functools
    from flowbook.results.content_hash import content_hash

    class Kind(enum.Enum):
        TREE = 1

    class Model:
        def __init__(self, *names):
            self.kind, self.names, self.weights = Kind.TREE, set(names), np.arange(5.0)
            self.loss = functools.partial(max, 1)
            self.step = lambda x: x + 1

    print(content_hash(Model("a", "b", "c")), content_hash({"k": [Model]}), content_hash(Model("a").step))
""")


def test_objects_of_a_scripts_classes_hash_alike_in_every_process():
    printed = {
        subprocess.run(
            [sys.executable, "-c", prefix + MODEL],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed, prefix in (("1", ""), ("2", "\n\n# moved\n"))
    }

    assert len(printed) == 1


def test_an_object_that_holds_itself_has_a_hash():
    assert content_hash(Node(["a", "b"])) == content_hash(Node(["a", "b"]))
    assert content_hash(Node(["a", "b"])) != content_hash(Node(["a", "c"]))


class Counted:
    """Pickles differently each time."""

    def __reduce__(self):
        COUNTS.append(None)
        return Unknown, (len(COUNTS),)


COUNTS: list[None] = []


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1, True), (frame(a=[1]), True), (Node(["a"]), True), (Counted(), False), ([Counted()], False)],
)
def test_what_hashes_differently_once_it_was_copied_is_not_stable(value, expected):
    assert is_stable(value) is expected


def test_objects_in_sets_that_hold_each_other_have_a_hash():
    nodes = [Node(["a"]) for _ in range(30)]
    for node in nodes:
        node.near = set(nodes)

    assert content_hash(nodes[0]) == content_hash(nodes[0])
