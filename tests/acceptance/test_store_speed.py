"""What keeps the store quick, counted rather than timed: rows, queries, transactions, bytes. benchmarks/ has the times."""

from __future__ import annotations

import datetime as dt
import gc
import hashlib
import mmap
import tracemalloc

import numpy as np
import pytest

from flowbook import Flow, task
from flowbook.engine import cache_validators
from flowbook.engine.state import Cached
from flowbook.results import blobs
from flowbook.store import open_store
from flowbook.store.database import Database
from tests.homes import home

__all__ = ["home"]

pytestmark = [pytest.mark.acceptance]

DAY = dt.timedelta(days=1)
VALIDATORS = {
    "duration_only": cache_validators.duration_only,
    "all_inputs": cache_validators.all_inputs,
    "all_parameters": cache_validators.all_parameters,
    "code_and_inputs": cache_validators.code_and_inputs,
    "partial_inputs_only": cache_validators.partial_inputs_only(["x"]),
    "partial_parameters_only": cache_validators.partial_parameters_only(["day"]),
}


class Counts:
    """Reads, the rows they gave, and transactions, since it was made."""

    def __init__(self, monkeypatch):
        self.reads = self.rows = self.writes = 0
        read, write = Database.read, Database.write

        def counted_read(database, *asked):
            found = read(database, *asked)
            self.reads += 1
            self.rows += len(found)
            return found

        def counted_write(database, work):
            self.writes += 1
            return write(database, work)

        monkeypatch.setattr(Database, "read", counted_read)
        monkeypatch.setattr(Database, "write", counted_write)


@task
def numbers(n):
    return list(range(n))


@task
def one(x):
    return x + 1


def mapped(n, **options):
    with Flow("map") as flow:
        one.copy(**options).map(numbers(n))
    return flow


@pytest.mark.parametrize("validator", VALIDATORS)
def test_cached_children_read_no_more_of_the_index_than_they_need(validator, monkeypatch):
    children = 300
    flow = mapped(children, cache_for=DAY, cache_validator=VALIDATORS[validator])
    flow.run()
    counts = Counts(monkeypatch)

    state = flow.run()

    (result,) = (each for each in state.result.values() if each.is_mapped())
    assert {type(child) for child in result.map_states} == {Cached}
    assert counts.rows <= 4 * children + 20
    assert counts.reads <= 4 * children + 20


def test_what_a_cached_task_compares_is_hashed_once_however_many_outputs_there_are(monkeypatch):
    flows = []
    for number in range(40):
        with Flow("f") as flow:
            one.copy(cache_for=DAY, cache_validator=cache_validators.all_inputs)(number % 20)
        flow.run()
        flows.append(flow)
    calls = []

    def counted_hash(value):
        calls.append(value)
        return hashlib.sha256(b"new").hexdigest(), False

    monkeypatch.setattr(cache_validators, "_hash_input", counted_hash)

    flows[0].run()

    assert calls == [0]


@pytest.mark.parametrize("children", [200, 2_000])
def test_recording_reads_no_more_for_more_tasks(children, monkeypatch):
    flow = mapped(children)
    counts = Counts(monkeypatch)

    state = flow.run(record=True)

    assert state.is_successful()
    assert counts.reads <= 30


def test_a_chain_commits_each_task_once(monkeypatch):
    with Flow("chain") as flow:
        found = one(0)
        for _ in range(199):
            found = one(found)
    open_store()
    counts = Counts(monkeypatch)

    state = flow.run(record=True)

    assert state.is_successful()
    #: Beside the tasks: what begins and ends a run, and the thread that writes what nobody waits for.
    assert 199 <= counts.writes <= 300


def test_what_recording_holds_does_not_grow_with_the_run():
    held = {}
    flow = mapped(4_000)
    for record in (True, False, True):
        gc.collect()
        tracemalloc.start()
        assert flow.run(record=record).is_successful()
        held[record] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()

    assert held[True] <= held[False] + 3_000_000


def test_a_large_array_is_read_back_from_where_it_lies_and_its_hash_checked_once(home, monkeypatch):
    array = np.arange(5_000_000, dtype=float)
    ref = open_store().values.put(array)
    open_store().close()
    checked, sha256 = [], hashlib.sha256

    def hashing(view=b""):
        checked.append(len(view))
        return sha256(view)

    monkeypatch.setattr(blobs.hashlib, "sha256", hashing)
    values = open_store(home).values
    tracemalloc.start()

    first, second = values.load(ref), values.load(ref)
    _, held = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    first[0] = -1.0

    assert [type(_bottom(each)) for each in (first, second)] == [mmap.mmap] * 2
    assert held < array.nbytes / 100
    assert (second[0], second[-1]) == (0.0, array[-1])
    assert [size for size in checked if size] == [ref.size_bytes]


def _bottom(array):
    """Return what owns the memory of an array."""
    found = array
    while isinstance(found, np.ndarray | memoryview):
        found = found.base if isinstance(found, np.ndarray) else found.obj
    return found
