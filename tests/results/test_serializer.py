from __future__ import annotations

import io
import threading
import tracemalloc
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowbook.exceptions import DamagedValueError, UnpicklableError
from flowbook.results.serializer import dump, dump_plain, is_pickle, load

#: Lone surrogates too.
TEXT = st.text(st.characters())
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXT, inner, max_size=5),
)


def pickled(value: object) -> bytes:
    out = io.BytesIO()
    dump(value, out)
    return out.getvalue()


@given(PLAIN)
def test_plain_values_come_back_equal_in_type_and_value(value: Any) -> None:
    stored = dump_plain(value)

    back = load(stored if stored is not None else pickled(value))

    assert repr(back) == repr(value)


@pytest.mark.parametrize("value", ["\ud83d\ude00", ["\ud83d\ude00"], {"\ud83d\ude00": 1}, {"a": {"b": "\ud800"}}])
def test_lone_surrogates_stay_apart(value: object) -> None:
    assert dump_plain(value) is None
    assert load(bytearray(pickled(value))) == value


@pytest.mark.parametrize(
    "value", [(1,), {1: 2}, [(1,)], {"a": {1}}, b"x", 10**400, [0] * 5000, np.float64(1)], ids=repr
)
def test_what_json_would_change_is_not_kept_as_json(value: object) -> None:
    assert dump_plain(value) is None


def test_stored_values_say_what_they_are() -> None:
    plain = dump_plain([1])

    assert plain is not None
    assert (is_pickle(plain), is_pickle(pickled([1]))) == (False, True)
    with pytest.raises(DamagedValueError, match="this version of flowbook can't read it"):
        load(b"nonsense" * 5)


FRAMES = [
    pd.DataFrame({"a": [1, 2]}, index=pd.Index([3, 3], name="n")),
    pd.DataFrame({"t": pd.date_range("2026-03-29", periods=3, freq="h", tz="Europe/Berlin")}),
    pd.DataFrame({"c": pd.Categorical(["b", "a"], categories=["b", "a", "z"], ordered=True)}),
    pd.DataFrame({"n": pd.array([1, None], dtype="Int64"), "s": pd.array(["x", None], dtype="string")}),
    pd.DataFrame({"o": [{"a": 1}, [2]]}),
    pd.DataFrame({("a", "x"): [1.5]}, index=pd.MultiIndex.from_tuples([("p", 1)], names=["u", None])),
    pd.DataFrame({"s": pd.arrays.SparseArray([0, 0, 1])}),
    pd.DataFrame({"p": pd.period_range("2026-01", periods=2, freq="M"), "i": pd.interval_range(0, 2)}),
    pd.DataFrame(columns=["a", "b"]),
]


@pytest.mark.parametrize("frame", FRAMES, ids=range(len(FRAMES)))
def test_frames_come_back_exactly(frame: pd.DataFrame) -> None:
    back = load(bytearray(pickled(frame)))

    pd.testing.assert_frame_equal(back, frame, check_exact=True, check_freq=True, check_flags=True)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6).reshape(2, 3),
        np.asfortranarray(np.ones((3, 2))),
        np.arange(10)[::3],
        np.array(5),
        np.zeros((0, 2)),
        np.array(["a", "bc"]),
        np.array([1 + 2j]),
        np.array([("a", 1)], dtype=[("n", "U1"), ("x", "i4")]),
    ],
    ids=range(8),
)
def test_arrays_come_back_exactly_and_writable(array: np.ndarray[Any, Any]) -> None:
    back = load(bytearray(pickled(array)))

    assert (back.dtype, back.shape, back.flags.writeable) == (array.dtype, array.shape, True)
    assert (back == array).all()
    assert back.flags.f_contiguous or not array.flags.f_contiguous


class _Count:
    total = 0

    def write(self, part: Any) -> None:
        self.total += memoryview(part).nbytes


@pytest.mark.parametrize(
    "value", [np.zeros(4_000_000), ["some text " * 10] * 10 + list(range(2_000_000))], ids=["array", "list"]
)
def test_a_large_value_is_streamed(value: object) -> None:
    count = _Count()
    dump([1], count)
    tracemalloc.start()

    dump(value, count)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.2 * count.total


class Part:
    def __init__(self) -> None:
        self.lock = threading.Lock()


class Slotted:
    __slots__ = ("inner",)

    def __init__(self) -> None:
        self.inner = Part()


class Leaving:
    """Leaves its lock behind, not its connection."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.connection = threading.Lock()

    def __getstate__(self) -> dict[str, object]:
        return {"connection": self.connection}

    def __repr__(self) -> str:
        return "Leaving()"


def make_closure() -> Any:
    lock = threading.Lock()
    return lambda: lock


@pytest.mark.parametrize(
    ("value", "member"),
    [
        (threading.Lock(), ""),
        ({"model": Part()}, "['model'].lock"),
        ([1, 2, (3, {"x": threading.Lock()})], "[2][1]['x']"),
        (Slotted(), ".inner.lock"),
        ([Leaving()], "[0].connection"),
        ({"a": {Leaving(): 1}}, "['a'] key Leaving().connection"),
        (pd.DataFrame({"a": [1, 2], "b": [None, threading.Lock()]}), "['b'][1]"),
        (make_closure(), " variable lock"),
        ((n for n in [1]), ""),
    ],
    ids=range(9),
)
def test_the_member_at_fault_is_named(value: object, member: str) -> None:
    with pytest.raises(UnpicklableError, match="can't be pickled") as caught:
        pickled(value)

    assert caught.value.member == member


def test_what_the_writer_raises_comes_through() -> None:
    class Full:
        def write(self, _part: Any) -> None:
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        dump((1,), Full())
