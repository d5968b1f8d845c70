"""Objects of every kind come back from the store equal in type and value."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import ipaddress
import math
import pathlib
import re
import types
import uuid
import zoneinfo

import numpy as np
import pandas as pd
import pytest

import flowbook
from flowbook import Flow, task, triggers
from flowbook.store import MemoryStore, open_store


class Colour(enum.Enum):
    RED = 1


class Bits(enum.Flag):
    A = 1
    B = 2


@dataclasses.dataclass(frozen=True)
class Point:
    x: int
    y: list[int] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(slots=True)
class Slotted:
    a: object


class Pair(collections.namedtuple("Pair", "left right")):  # noqa: PYI024  # the old kind, on purpose
    __slots__ = ()


class MyDict(dict):  # of the old kind, on purpose
    """A dict with an attribute."""


def _my_dict():
    found = MyDict(a=1)
    found.extra = 5
    return found


DAYS = pd.date_range("2026-01-01", periods=4, tz="Europe/Berlin")
ROWS = pd.DataFrame({"n": [1, 2, 3, 4], "x": [0.5, math.nan, -0.0, math.inf], "s": ["a", None, "", "é\x00"]})
BIG = 40_000

ZOO = {
    # plain values
    "none": None,
    "true": True,
    "int": 7,
    "huge int": 10**60,
    "float": 0.1,
    "nan": math.nan,
    "minus zero": -0.0,
    "infinity": -math.inf,
    "complex": 1 + 2j,
    "text": "é\n\0 \U0001f600",
    "lone surrogate": "\udc80",
    "bytes": b"\0\xff",
    "bytearray": bytearray(b"abc"),
    "large bytes": bytes(range(256)) * 400,
    "ellipsis": ...,
    # collections
    "list": [1, "a", [None]],
    "tuple": (1, (2, ()), [3]),
    "dict with odd keys": {1: "a", (2, 3): "b", None: "c", 1.5: "d", "1": "e"},
    "dict in order": {"z": 1, "a": 2},
    "set": {1, "a", (2,)},
    "frozenset": frozenset({1, 2}),
    "deque": collections.deque([1, 2], maxlen=5),
    "counter": collections.Counter("abca"),
    "ordered dict": collections.OrderedDict(b=1, a=2),
    "default dict": collections.defaultdict(list, {"a": [1]}),
    "range": range(1, 10, 3),
    "slice": slice(1, None, 2),
    "namespace": types.SimpleNamespace(a=1),
    "named tuple": Pair(1, "r"),
    "subclass of dict": _my_dict(),
    "list that holds itself twice": [part := [1], part],
    "long list": list(range(BIG)),
    # standard library
    "date": dt.date(2026, 1, 2),
    "time": dt.time(1, 2, 3, fold=1),
    "naive datetime": dt.datetime(2026, 1, 2, 3, 4, 5, 6),  # noqa: DTZ001  # a naive one, on purpose
    "aware datetime": dt.datetime(2026, 1, 2, tzinfo=zoneinfo.ZoneInfo("America/New_York")),
    "timedelta": dt.timedelta(days=-1, microseconds=1),
    "decimal": decimal.Decimal("1.10"),
    "fraction": fractions.Fraction(1, 3),
    "uuid": uuid.UUID(int=5),
    "path": pathlib.PurePosixPath("a/../b"),
    "pattern": re.compile("a+", re.IGNORECASE),
    "address": ipaddress.ip_address("::1"),
    "enum": Colour.RED,
    "flag": Bits.A | Bits.B,
    "dataclass": Point(1, [2]),
    "slotted dataclass": Slotted({"a": Point(2)}),
    "exception": ValueError("x", 1),
    "a class": Point,
    "a function": math.sin,
    # numpy
    "array": np.arange(6).reshape(2, 3),
    "array in Fortran's order": np.asfortranarray(np.arange(BIG, dtype="f8").reshape(200, 200)),
    "array with steps": np.arange(20)[::3],
    "array of objects": np.array([1, "a", None, [2]], dtype=object),
    "array of texts": np.array(["a", "bcd"]),
    "array of bools": np.array([True, False]),
    "array of complex": np.array([1j, 2]),
    "array big-endian": np.array([1, 2], dtype=">i4"),
    "array with fields": np.array([(1, 2.5)], dtype=[("a", "i4"), ("b", "f8")]),
    "array of times": np.array(["2026-01-01", "NaT"], dtype="M8[us]"),
    "array of none": np.empty((0, 3)),
    "array of no dimension": np.array(5),
    "masked array": np.ma.masked_array([1, 2, 3], mask=[0, 1, 0]),
    "numpy float32": np.float32(0.1),
    "numpy int8": np.int8(-5),
    "numpy datetime": np.datetime64("2026-01-01T00:00", "m"),
    # pandas
    "frame": ROWS,
    "large frame": pd.DataFrame({"a": np.arange(BIG), "b": np.arange(BIG) / 3, "s": ["x"] * BIG}),
    "frame without rows": ROWS.iloc[:0],
    "frame without columns": pd.DataFrame(index=[3, 1]),
    "frame with text index": ROWS.set_index("s"),
    "frame with two levels": ROWS.set_index(["n", "s"]),
    "frame with columns in levels": pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)])),
    "frame with the same column twice": pd.DataFrame([[1, 2]], columns=["a", "a"]),
    "frame with numbers as columns": pd.DataFrame([[1, 2]], columns=[0, 1.5]),
    "frame with named axes": pd.DataFrame({"a": [1]}).rename_axis(index="i", columns="c"),
    "frame with an index of times": pd.DataFrame({"a": range(4)}, index=DAYS),
    "frame with intervals": pd.DataFrame({"a": [1, 2]}, index=pd.interval_range(0, 2)),
    "frame with periods": pd.DataFrame({"a": [1, 2]}, index=pd.period_range("2026-01", periods=2, freq="M")),
    "frame of categories": pd.DataFrame(
        {"c": pd.Categorical(["b", "a", None], categories=["b", "a", "z"], ordered=True)}
    ),
    "frame of nullables": pd.DataFrame(
        {
            "i": pd.array([1, None], dtype="Int64"),
            "b": pd.array([True, None], dtype="boolean"),
            "f": pd.array([0.5, None], dtype="Float32"),
            "s": pd.array(["a", None], dtype="string"),
        }
    ),
    "frame of objects": pd.DataFrame({"o": [[1], {"a": 2}, Point(1), None]}),
    "frame of zones and differences": pd.DataFrame({"t": DAYS, "d": DAYS - DAYS[0]}),
    "frame of sparse": pd.DataFrame({"s": pd.arrays.SparseArray([0, 0, 1])}),
    "frame with notes": ROWS.copy(),
    "series": pd.Series([1, 2], name="n", index=["x", "y"]),
    "series without a name": pd.Series([None, 1.5]),
    "index": pd.Index([3, 1], name="i"),
    "range index": pd.RangeIndex(0, 10, 3),
    "timestamp": pd.Timestamp("2026-01-01 12:00", tz="Asia/Tokyo"),
    "timedelta of pandas": pd.Timedelta("1 day 1 ns"),
    "not a time": pd.NaT,
    "not available": pd.NA,
    "period": pd.Period("2026Q1"),
    "interval": pd.Interval(0, 1, closed="left"),
    # nested
    "frames in a dict": {"a": ROWS, "b": [ROWS["n"], np.arange(3)]},
    "frame shared": (ROWS, ROWS),
}
ZOO["frame with notes"].attrs["source"] = {"file": "x.csv"}


def test_the_zoo_has_at_least_60_animals():
    assert len(ZOO) >= 60


@pytest.fixture(scope="module", params=["disk", "memory", "fsspec's memory", "fsspec's files"])
def store(request, tmp_path_factory):
    """Return one store of each kind, for all of the zoo."""
    folder = tmp_path_factory.mktemp("zoo")
    patch = pytest.MonkeyPatch()
    patch.setenv("FLOWBOOK_KEY_FILE", str(folder / "key"))
    if request.param.startswith("fsspec"):
        patch.setenv("FLOWBOOK_BLOBS", "memory://zoo" if "memory" in request.param else (folder / "there").as_uri())
    with open_store(folder / "home") if request.param != "memory" else MemoryStore() as opened:
        yield opened
    patch.undo()


@pytest.mark.parametrize("name", ZOO)
def test_an_object_comes_back_equal_in_type_and_value(name, store):
    value = ZOO[name]

    ref = store.values.put(value)  # noqa: PD011  # no table
    forget_copies(store)
    found = ref.load()

    assert is_same(found, value)
    assert store.values.preview(store.values.put(value)) is not None  # noqa: PD011  # as above


def forget_copies(store):
    """Let what lies elsewhere be fetched."""
    if store.path is not None:
        for path in store.path.glob("copies-*/??/*"):
            path.unlink()


@pytest.fixture(scope="module")
def travelled(tmp_path_factory):
    """Return a run's outputs and the run itself: it paused, was exported, imported into another store, and went on there."""
    folder = tmp_path_factory.mktemp("travelled")
    patch = pytest.MonkeyPatch()
    patch.setenv("FLOWBOOK_KEY_FILE", str(folder / "key"))
    patch.setenv("FLOWBOOK_HOME", str(folder / "home"))
    with Flow("zoo") as flow:
        made = [task(lambda name=name: ZOO[name], name="make")() for name in ZOO]
        waits = task(lambda animals: animals, name="look", trigger=triggers.manual_only)(made)
    run = flow.start(record=True)
    run.wait()
    open_store().export_run(run.run_id, folder / "zoo.flowbook")
    open_store().close()
    patch.setenv("FLOWBOOK_HOME", str(folder / "other"))
    open_store().import_run(folder / "zoo.flowbook")
    again = flowbook.run(run.run_id, flow=flow)
    outputs = [again[each] for each in made]
    again.resume(waits).wait()
    yield outputs, again
    open_store().close()
    patch.undo()


@pytest.mark.parametrize("number", range(len(ZOO)), ids=list(ZOO))
def test_an_object_comes_back_after_export_import_and_resume(number, travelled):
    value = list(ZOO.values())[number]
    outputs, run = travelled

    assert is_same(outputs[number].result, value)
    assert is_same(run["look"].result[number], value)
    assert repr(run.state) == "<Success: 'All tasks that decide the run succeeded.'>"


@pytest.mark.parametrize("name", ["large frame", "array in Fortran's order", "frame", "large bytes"])
def test_what_comes_back_is_a_copy_of_its_own(name, store):
    ref = store.values.put(ZOO[name])  # noqa: PD011  # as above
    first = ref.load()

    if isinstance(first, pd.DataFrame):
        first.iloc[0, 0] = 99
    elif isinstance(first, np.ndarray):
        first[0, 0] = 99

    assert is_same(ref.load(), ZOO[name])


def is_same(a: object, b: object) -> bool:  # noqa: C901, PLR0911  # a table of kinds
    """Return whether two values are of one type and equal, all the way down; NaN is NaN."""
    if type(a) is not type(b):
        return False
    if isinstance(a, pd.DataFrame):
        pd.testing.assert_frame_equal(a, b, check_freq=True, check_flags=True, check_exact=True)
        return a.attrs == b.attrs and all(a.iloc[:, i].dtype == b.iloc[:, i].dtype for i in range(a.shape[1]))
    if isinstance(a, pd.Series):
        pd.testing.assert_series_equal(a, b, check_exact=True)
        return True
    if isinstance(a, pd.Index):
        pd.testing.assert_index_equal(a, b, exact=True)
        return True
    if isinstance(a, np.ma.MaskedArray):
        return is_same(a.data, b.data) and is_same(a.mask, b.mask)
    if isinstance(a, np.ndarray):
        flags = (a.flags["C_CONTIGUOUS"], a.flags["F_CONTIGUOUS"]) == (b.flags["C_CONTIGUOUS"], b.flags["F_CONTIGUOUS"])
        is_stepped = not (b.flags["C_CONTIGUOUS"] or b.flags["F_CONTIGUOUS"])
        if a.dtype != b.dtype or a.shape != b.shape or not (flags or is_stepped):
            return False
        return a.tobytes() == b.tobytes() if a.dtype != object else all(map(is_same, a.flat, b.flat))
    if isinstance(a, float):
        return repr(a) == repr(b)
    if isinstance(a, dict):
        return list(a) == list(b) and all(is_same(a[key], b[key]) for key in a) and vars_of(a) == vars_of(b)
    if isinstance(a, list | tuple | collections.deque):
        return len(a) == len(b) and all(map(is_same, a, b))
    if isinstance(a, BaseException):
        return a.args == b.args
    if a is pd.NA or a is pd.NaT:
        return a is b
    return bool(a == b) and repr(a) == repr(b)


def vars_of(value: object) -> dict[str, object]:
    return getattr(value, "__dict__", {})
