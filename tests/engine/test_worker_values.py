"""Values on workers, read by a person while the run ends and brings them home."""

from __future__ import annotations

import pytest

from flowbook.engine.packing import _Inputs
from flowbook.engine.worker_values import WorkerRef, WorkerValues
from flowbook.exceptions import ExecutorError, ResultGoneError
from flowbook.results.pickled_value import PickledValue


class Executor:
    """A cluster that has a value for each handle, which is a text."""

    outlives = False

    def __init__(self, values):
        self.values = values
        self.at_fetch = lambda: None

    def fetch(self, handles):
        assert all(isinstance(handle, str) for handle in handles), handles
        now, self.at_fetch = self.at_fetch, lambda: None
        now()
        try:
            return [PickledValue.of(self.values[handle]) for handle in handles]
        except KeyError as error:
            msg = "it was lost"
            raise ExecutorError(msg) from error


class Bytes(int):
    """A limit; when the first value is taken off it, something else happens."""

    def __new__(cls, number, then):
        made = super().__new__(cls, number)
        made.then = then
        return made

    def __sub__(self, other):
        self.then()
        return int(self) - other


def test_a_value_is_read_while_the_cluster_closes_after_it_was_brought_home():
    executor = Executor({"a": 1})
    values = WorkerValues(executor)
    ref = values.reference("a", 10)

    def end():
        values.bring_home(1000)
        executor.values.clear()

    executor.at_fetch = end

    assert values.load(ref) == 1


def test_a_value_that_was_just_read_is_brought_home_no_more():
    values = WorkerValues(Executor({"a": 1, "b": 2}))
    first, second = values.reference("a", 10), values.reference("b", 20)

    values.bring_home(Bytes(1000, lambda: (values.load(first), values.load(second))))

    assert (values.load(first), values.load(second)) == (1, 2)


def test_a_value_that_was_just_read_stays_where_there_is_no_room_for_it_or_the_cluster_has_lost_it():
    executor = Executor({"a": 1, "b": 2})
    values = WorkerValues(executor)
    first, second, third = values.reference("a", 10), values.reference("b", 20), values.reference("c", 20)
    executor.at_fetch = lambda: (values.load(first), values.load(second), executor.values.clear())

    values.bring_home(15)

    assert (values.load(first), values.load(second)) == (1, 2)
    with pytest.raises(ResultGoneError):
        values.load(third)


def test_a_value_that_somebody_reads_while_it_is_packed_goes_along_by_its_handle():
    handles = ["a", PickledValue.of(1)]

    class Ref(WorkerRef):
        """A reference that is read between two looks at it."""

        handle = property(lambda _: handles.pop(0))

    inputs = _Inputs(None, None)
    inputs.item(object.__new__(Ref))

    assert inputs.held == ["a"]
