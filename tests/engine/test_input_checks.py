"""A recorded run says which task changed its input in place, and nothing of values that only look different."""

from __future__ import annotations

import functools
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from flowbook import Flow, Parameter, task, unmapped
from flowbook.executors import LocalDaskExecutor, LocalExecutor
from flowbook.results.snapshot import differs, snapshot
from tests.executors_of import everywhere

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowbook.executors import Executor

TEXT = "`clean` changed its input `rows` in place: what `load` returned is no longer what is recorded. Work on a copy."


class Table:
    """Keeps what it computed, publicly and privately."""

    def __init__(self) -> None:
        self.rows = [1]
        self._sum: int | None = None

    @functools.cached_property
    def total(self) -> int:
        self._sum = sum(self.rows)
        return self._sum


def warnings_of(flow: Flow) -> list[str]:
    return [line.text for line in flow.last_run.logs() if line.level == 30]


def run(flow: Flow, executor: Executor, *, record: bool = True, **parameters: Any) -> list[str]:
    """Run `flow`; return what its log warns of."""
    flow.run(record=record, executor=executor, **parameters)
    return warnings_of(flow)


def flow_of(make: Callable[[], Any], change: Callable[[Any], Any]) -> Flow:
    """Return a flow of which `clean` gets what `load` makes."""

    def clean(rows: Any) -> None:
        change(rows)

    with Flow("f") as flow:
        task(clean, name="clean")(task(make, name="load")())
    return flow


CHANGES: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "list": (lambda: [1], lambda rows: rows.append(2)),
    "nested": (lambda: {"a": [{"b": [1]}]}, lambda rows: rows["a"][0]["b"].append(2)),
    "in_a_tuple": (lambda: ([1], 2), lambda rows: rows[0].clear()),
    "dict": (lambda: {"a": 1}, lambda rows: rows.pop("a")),
    "set": (lambda: {1}, lambda rows: rows.add(2)),
    "bytearray": (lambda: bytearray(b"a"), lambda rows: rows.extend(b"b")),
    "array": (lambda: np.arange(3), lambda rows: rows.__setitem__(0, 9)),
    "array_in_a_list": (lambda: [np.arange(3)], lambda rows: rows[0].__setitem__(0, 9)),
    "object": (Table, lambda rows: rows.rows.append(2)),
    "beside_a_frame": (lambda: {"frame": pd.DataFrame({"a": [1]}), "rows": [1]}, lambda rows: rows["rows"].append(2)),
    "deep_frame": (lambda: [[pd.DataFrame({"a": [1]})]], lambda rows: rows[0][0].insert(0, "b", 2)),
}
NO_CHANGES: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "read": (lambda: [1], len),
    "undone": (lambda: [1], lambda rows: (rows.append(2), rows.pop())),
    "set_order": (lambda: {0, 8}, lambda rows: (rows.remove(0), rows.add(0))),
    "caches": (Table, lambda rows: rows.total),
    "iterator": (lambda: iter([1, 2]), list),
    "random": (lambda: np.random.default_rng(1), lambda rows: rows.random()),
    "unpicklable": (lambda: [threading.Lock(), 1], lambda rows: rows.pop()),
    "deep": (lambda: functools.reduce(lambda found, _: [found], range(990), []), lambda _: None),
    "frame": (lambda: pd.DataFrame({"a": [1]}), lambda rows: rows.insert(0, "b", 2)),
    "frames_in_a_list": (lambda: [pd.DataFrame({"a": [1]})], lambda rows: rows[0].insert(0, "b", 2)),
    "too_large": (lambda: bytearray(10_000_001), lambda rows: rows.pop()),
}


@everywhere
@pytest.mark.parametrize("name", CHANGES)
def test_a_task_that_changes_its_input_in_place_is_named_with_the_task_above(name: str, executor: Executor) -> None:
    assert run(flow_of(*CHANGES[name]), executor) == [TEXT]


@pytest.mark.parametrize("name", NO_CHANGES)
def test_nothing_is_said_of_what_did_not_change_or_can_not_be_compared(name: str) -> None:
    assert run(flow_of(*NO_CHANGES[name]), LocalExecutor()) == []


def test_nothing_is_compared_in_a_run_that_is_not_recorded() -> None:
    assert run(flow_of(*CHANGES["list"]), LocalExecutor(), record=False) == []


@everywhere
def test_a_pair_of_tasks_is_named_once_though_many_children_change_what_they_share(executor: Executor) -> None:
    with Flow("f") as flow:
        rows = task(lambda: [[1], [2], [3]], name="load")()
        task(lambda rows: rows.append(0), name="clean").map(rows)
        shared = task(lambda: [1], name="share")()
        task(lambda number, rows: rows.append(number), name="extend").map([1, 2, 3], unmapped(shared))

    said = run(flow, executor)

    extended = "`extend` changed its input `rows` in place: what `share` returned is no longer what is recorded. Work on a copy."
    assert sorted(said) == [TEXT, extended]


def test_each_reader_of_a_mapped_task_gets_a_list_of_its_own_and_shares_its_elements() -> None:
    with Flow("f") as flow:
        parts = task(lambda number: [number], name="load").map([2, 1])
        first = task(lambda rows: rows.sort(), name="sort")(parts)
        second = task(lambda rows: rows[0].append(3), name="clean")(parts, upstream_tasks=[first])
        seen = task(lambda rows: rows, name="seen")(parts, upstream_tasks=[second])

    said = run(flow, LocalExecutor())

    assert (said, flow.last_run[seen].result) == ([TEXT], [[2, 3], [1]])


def test_who_had_the_value_at_the_same_time_is_named_too() -> None:
    both = threading.Barrier(2, timeout=30)
    changed = threading.Event()

    def clean(rows: list[int]) -> None:
        both.wait()
        rows.append(2)
        changed.set()
        both.wait()

    def look(rows: list[int]) -> int:
        both.wait()
        changed.wait(30)
        both.wait()
        return len(rows)

    with Flow("f") as flow:
        rows = task(lambda: [1], name="load")()
        task(clean, name="clean")(rows)
        task(look, name="look")(rows)

    said = run(flow, LocalDaskExecutor("threads", num_workers=2))

    start = {"`clean`, or `look` at the same time,", "`look`, or `clean` at the same time,"}
    rest = " changed its input `rows` in place: what `load` returned is no longer what is recorded. Work on a copy."
    assert len(said) == 1
    assert said[0].removesuffix(rest) in start


def test_a_retry_gets_its_input_as_the_attempt_before_left_it() -> None:
    def clean(rows: list[int]) -> list[int]:
        rows.append(2)
        if len(rows) == 2:
            raise ValueError("once")
        return rows

    with Flow("f") as flow:
        cleaned = task(clean, name="clean", max_retries=1, retry_delay=0)(task(lambda: [1], name="load")())

    said = run(flow, LocalExecutor())

    assert (said, flow.last_run[cleaned].result) == ([TEXT], [1, 2, 2])


def test_parameters_and_collections_of_tasks_are_named_for_what_they_are() -> None:
    with Flow("f") as flow:
        task(lambda rows: rows.append(2), name="clean")(Parameter("numbers", default=[1]))
        load = task(lambda: [1], name="load")
        task(lambda rows: rows[0].append(2), name="both")([load(), load()])

    said = run(flow, LocalExecutor())

    rest = "is no longer what is recorded. Work on a copy."
    assert sorted(said) == [
        f"`both` changed its input `rows` in place: what `load` and `load-2` returned {rest}",
        f"`clean` changed its input `rows` in place: the value of parameter `numbers` {rest}",
    ]


def test_outputs_that_are_not_recorded_are_not_compared() -> None:
    with Flow("f") as flow:
        task(lambda rows: rows.append(2), name="clean")(task(lambda: [1], name="load", keep=False)())

    assert run(flow, LocalExecutor()) == []


def test_of_one_task_a_limited_amount_is_compared() -> None:
    with Flow("f") as flow:
        rows = task(lambda: bytearray(9_000_000), name="load")()
        for number in range(8):
            rows_again = task(lambda rows: rows[0], name=f"look-{number}")(rows)
        task(lambda rows: rows.pop(), name="clean")(rows, upstream_tasks=[rows_again])

    assert run(flow, LocalExecutor()) == []


def test_snapshots_run_no_constructor_and_follow_rings() -> None:
    ring: dict[str, Any] = {"table": Table()}
    ring["table"].ring = ring

    before = snapshot(ring, 1_000)
    ring["table"].rows.append(2)
    after = snapshot(ring, 1_000)

    assert before is not None
    assert after is not None
    assert (differs(before, before), differs(before, after)) == (False, True)
