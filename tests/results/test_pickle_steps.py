"""Pickles that ask for all memory, or for years, are seen before they are read."""

import pickle
import pickletools
import time

import pytest

from flowbook.results.inert_pickle import read_cells
from flowbook.results.pickle_steps import check_steps
from tests.results.test_inert_table import TABLES

DOUBLED = (1, 1)
for _ in range(60):
    DOUBLED = (DOUBLED, DOUBLED)
SHARED = ("a", 1)
VALUES = [
    {"a": [1, 2.5, None, True, "x" * 300, b"y" * 300, {1, 2}, frozenset({3}), (1, 2, 3, 4), (), 10**30, -(10**400)]},
    [SHARED, SHARED, {SHARED: [SHARED]}, {SHARED}],
    [str(n) for n in range(1000)] * 2,
    [pickle.PickleBuffer(b"z"), bytearray(b"q" * 9), slice(1, 2, 3), ValueError("a"), DOUBLED],
    TABLES,
]


@pytest.mark.parametrize("protocol", [4, 5])
@pytest.mark.parametrize("value", VALUES[:3] + VALUES[4:], ids=["plain", "shared", "texts", "tables"])
def test_what_pythons_own_pickler_writes_is_fine(value, protocol):
    check_steps(pickle.dumps(value, protocol))


def test_what_lies_beside_the_stream_is_fine():
    check_steps(pickle.dumps(VALUES[3], 5, buffer_callback=lambda _: False))


def test_a_value_that_holds_itself_is_fine():
    first = ([],)
    first[0].append(first)

    check_steps(pickle.dumps(first, 5))


@pytest.mark.parametrize(
    "stream",
    [
        b"\x80\x04Nr\xff\xff\xff\x3f.",
        b"\x80\x04Nq\x01.",
        b"\x80\x04}K\x01" + b"2\x86" * 60 + b"Ns.",
        pickle.dumps({0: 1}, 5)[:-2] + b"2\x86.",
    ],
)
def test_steps_that_no_pickler_of_pythons_writes_are_refused(stream):
    with pytest.raises(ValueError, match="don't write the step"):
        check_steps(stream)


@pytest.mark.parametrize(
    ("before", "after"), [(b"}", b"Ns"), (b"(", b"\x91"), (b"\x8f(", b"\x90"), (b"}(", b"Nu"), (b"N}", b"(0Ns")]
)
def test_keys_that_would_take_years_are_refused(before, after):
    doubled = pickle.dumps(DOUBLED, 4)
    begin = doubled.index(b"\x95") + 9
    stream = b"\x80\x04" + before + doubled[begin:-1] + after + b"."
    began = time.process_time()

    with pytest.raises(ValueError, match="hashing"):
        check_steps(stream)
    with pytest.raises(ValueError, match="hashing"):
        read_cells(memoryview(len(stream).to_bytes(8, "little") + stream))

    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    "stream", [b"", b"\x80\x04", b"\x80\x04K", b"\x80\x04a.", b"\x80\x04u.", b"\x80\x04h\x05.", b"\xff."]
)
def test_a_stream_that_ends_too_early_or_takes_what_is_not_there_is_refused(stream):
    with pytest.raises(LookupError):
        check_steps(stream)


def test_each_step_is_known():
    assert {each.code for each in pickletools.opcodes if each.proto > 5} == set()
