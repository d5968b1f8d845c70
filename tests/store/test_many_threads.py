"""Recorder and database under many threads, in an interpreter that changes from one to another at every microsecond."""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from flowbook.engine.events import FLOW, Logged, StateChanged
from flowbook.engine.state import Paused, Running, Success
from tests.store.run_helpers import begin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flowbook.store import Store

IS_LONG = os.environ.get("FLOWBOOK_SOAK") == "1"
THREADS, ROUNDS = 8, 400 if IS_LONG else 25

pytestmark = [pytest.mark.soak, pytest.mark.timeout(0 if IS_LONG else 300)]


@pytest.fixture(autouse=True)
def _restless() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def together(*works: Callable[[], object]) -> None:
    """Run each in a thread of its own, all at once; raise what one of them raised."""
    errors: list[BaseException] = []
    gate = threading.Barrier(len(works))

    def run(work: Callable[[], object]) -> None:
        try:
            gate.wait()
            work()
        except BaseException as error:  # noqa: BLE001  # raised below
            errors.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_no_event_is_lost_or_out_of_order_and_a_snapshot_is_always_a_beginning(store: Store) -> None:
    recorder = begin(store)
    numbers, lock = iter(range(1, 1_000_000)), threading.Lock()
    emitted: list[tuple[int, str]] = []
    torn: list[list[int]] = []
    is_over = threading.Event()

    def emit(thread: int) -> None:
        for index in range(ROUNDS):
            key = f"t{thread}-{index}"
            for make in (
                lambda seq, key=key: StateChanged(seq, key, Running()),
                lambda seq, key=key: Logged(seq, key, 1.0, 20, "a line"),
                lambda seq, key=key: StateChanged(seq, key, Success(result=(key, b"x" * 2_000))),
            ):
                with lock:  # as the engine does: numbered and emitted in one order
                    event = make(next(numbers))
                    recorder.emit(event)
                    emitted.append((event.seq, key))
            recorder.secure((key,))

    def look() -> None:
        while not is_over.is_set():
            seen = [event.seq for event in store.history.snapshot("r1").events]
            if seen != list(range(1, len(seen) + 1)):
                torn.append(seen)

    looking = threading.Thread(target=look)
    looking.start()
    together(*(lambda number=number: emit(number) for number in range(THREADS)))
    recorder.emit(StateChanged(next(numbers), FLOW, Paused()))
    recorder.close()
    is_over.set()
    looking.join()

    found = store.history.events("r1")
    assert torn == []
    assert [(event.seq, event.key) for event in found[:-1]] == emitted
    assert (recorder.trouble, recorder.unrecorded, dict(recorder._unsafe), recorder._rows) == (None, None, {}, [])


def test_writers_readers_and_a_sweep_get_along(disk_store: Store) -> None:
    recorder = begin(disk_store)
    refs: list[object] = []

    def write(thread: int) -> None:
        for index in range(ROUNDS):
            ref = disk_store.values.put((thread, index, b"x" * (index % 3 * 40_000)))
            assert ref.load()[:2] == (thread, index)
            refs.append(ref)

    def read() -> None:
        for _ in range(ROUNDS):
            assert disk_store.runs.summary("r1").run_id == "r1"
            disk_store._database.version()

    def sweep() -> None:
        for _ in range(3):
            disk_store.sweep()

    together(*(lambda number=number: write(number) for number in range(4)), read, read, sweep)
    recorder.close()

    assert [ref.load()[0] for ref in refs] == [ref.load()[0] for ref in refs]
    assert len(refs) == 4 * ROUNDS
    assert disk_store._database.read("PRAGMA integrity_check") == [("ok",)]


def test_of_many_who_claim_a_run_at_once_one_wins(store: Store) -> None:
    from flowbook.exceptions import RunClaimedError  # noqa: PLC0415  # beside its use

    begin(store).close()
    won: list[int] = []

    def claim(epoch: int, number: int) -> None:
        try:
            store.ownership.claim("r1", epoch, f"here:{number}", last_seq=0)
        except RunClaimedError:
            return
        won.append(epoch)

    for epoch in range(1, ROUNDS):
        together(*(lambda epoch=epoch, number=number: claim(epoch, number) for number in range(THREADS)))

    assert won == list(range(1, ROUNDS))
