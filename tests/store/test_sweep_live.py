"""A sweep beside processes that record: what their runs need stays at any age, also what no row names yet."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from flowbook.engine.events import FLOW
from flowbook.engine.state import Paused, Running, Success
from flowbook.exceptions import ResultGoneError
from flowbook.store import CacheEntry, RunRecord, Store, open_store
from flowbook.store.sweep import Sweep
from tests.store.run_helpers import begin, tell

if TYPE_CHECKING:
    from collections.abc import Iterator

NOTHING_YOUNG = dt.timedelta(0)
LARGE = b"x" * 200_000
OPEN = "from flowbook.store import open_store; open_store(); print('open', flush=True); input()"


@pytest.fixture
def other_process(disk_store: Store) -> Iterator[subprocess.Popen[str]]:
    """Start another process that has the store open."""
    assert disk_store.path is not None
    process = subprocess.Popen([sys.executable, "-c", OPEN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    yield process
    process.stdin.close()
    process.stdout.close()
    process.wait()


def planned(store: Store) -> Sweep:
    """Return a sweep that was planned and has not begun."""
    return Sweep(store._database, store._blobs, now=time.time(), older_than_s=0.0, is_alone=False)


def finished(store: Store, run_id: str, value: object) -> None:
    """Record a run that is over."""
    recorder = begin(store, run_id)
    tell(recorder, ("a", Success(result=value)), (FLOW, Success()))
    recorder.close()
    store.ownership.finish(run_id, 1, "Success")


@pytest.mark.skipif(os.name == "nt", reason="platform: flock")
def test_what_nobody_names_yet_stays_while_another_process_has_the_store_open(
    disk_store: Store, other_process: subprocess.Popen[str]
) -> None:
    refs = [disk_store.values.put(value) for value in ((1, 2), LARGE)]
    beside = disk_store.sweep(older_than=NOTHING_YOUNG)
    found = [ref.load() for ref in refs]
    other_process.stdin.write("\n")
    other_process.stdin.close()
    other_process.wait()

    alone = disk_store.sweep(older_than=NOTHING_YOUNG)

    assert (beside.dropped, found, len(alone.dropped)) == ((), [(1, 2), LARGE], 2)


def test_what_nobody_names_yet_stays_while_a_run_is_recorded(disk_store: Store) -> None:
    recorder = begin(disk_store)
    prepared = disk_store.values.prepare(LARGE)

    swept = disk_store.sweep(older_than=NOTHING_YOUNG)
    disk_store.values.put_rows([prepared.row])

    assert (swept.orphans, prepared.ref.load()) == (0, LARGE)
    recorder.close()


def test_outputs_of_finished_runs_go_while_another_run_is_recorded(disk_store: Store) -> None:
    finished(disk_store, "done", LARGE)
    recorder = begin(disk_store)

    swept = disk_store.sweep(older_than=NOTHING_YOUNG)

    assert [name for name, _ in swept.dropped] == ["The output of task 'a' of run 1 of flow 'delays'"]
    recorder.close()


@pytest.mark.parametrize("value", [(1, "small"), LARGE], ids=["row", "file"])
def test_a_value_that_an_open_run_names_after_the_plan_stays(disk_store: Store, value: object) -> None:
    finished(disk_store, "done", value)
    recorder = begin(disk_store)
    sweep = planned(disk_store)

    tell(recorder, (FLOW, Running()), ("b", Paused(cached_inputs={"x": value})))
    sweep.drop()

    assert disk_store.history.states("r1")["b"].cached_inputs["x"].load() == value
    recorder.close()


@pytest.mark.parametrize("value", [(1, "small"), LARGE], ids=["row", "file"])
def test_a_value_that_is_written_before_the_plan_and_named_after_it_stays(disk_store: Store, value: object) -> None:
    finished(disk_store, "done", value)
    recorder = begin(disk_store)
    time.sleep(0.02)  # a file's time is that of the kernel's last tick
    prepared = disk_store.values.prepare(value)
    sweep = planned(disk_store)

    sweep.drop()
    disk_store.values.put_rows([prepared.row])

    assert prepared.ref.load() == value
    recorder.close()


def test_a_value_that_was_put_again_after_its_run_ended_stays(disk_store: Store) -> None:
    finished(disk_store, "done", LARGE)
    recorder = begin(disk_store)
    ref = disk_store.values.put(LARGE)

    disk_store.sweep(older_than=NOTHING_YOUNG)

    assert ref.load() == LARGE
    recorder.close()


def test_a_value_that_a_new_entry_or_a_new_run_names_stays(disk_store: Store) -> None:
    finished(disk_store, "done", LARGE)
    finished(disk_store, "also", (1, "small"))
    sweep = planned(disk_store)
    refs = [disk_store.history.states(run_id)["a"].reference for run_id in ("done", "also")]

    disk_store.cache.add(CacheEntry("p", "f", "a", refs[0]))
    disk_store.runs.create(RunRecord("new", "f", "p", {}, parameters_ref=refs[1]))
    sweep.drop()

    assert [ref.load() for ref in refs] == [LARGE, (1, "small")]


def test_a_run_that_paused_between_plan_and_drop_keeps_its_inputs(disk_store: Store) -> None:
    finished(disk_store, "done", LARGE)
    recorder = begin(disk_store)
    sweep = planned(disk_store)

    tell(recorder, ("b", Paused(cached_inputs={"x": LARGE})), (FLOW, Paused()))
    recorder.close()
    disk_store.ownership.finish("r1", 1, "Paused")
    sweep.drop()

    assert disk_store.history.states("r1")["b"].cached_inputs["x"].load() == LARGE


@pytest.mark.skipif(not hasattr(os, "fork"), reason="platform: no fork here")
def test_a_child_of_a_fork_sees_its_parent_as_another_process() -> None:
    with open_store() as store:
        child = os.fork()
        if child == 0:
            with store._users.alone() as is_alone:
                os._exit(int(is_alone))
        _, status = os.waitpid(child, 0)
        with store._users.alone() as is_alone:
            assert (os.waitstatus_to_exitcode(status), is_alone) == (0, True)


def test_what_went_is_said_to_whoever_asks(disk_store: Store) -> None:
    ref = disk_store.values.put(LARGE)

    disk_store.sweep(older_than=NOTHING_YOUNG)

    with pytest.raises(ResultGoneError, match=r"was dropped on .* to make room"):
        ref.load()
