from typing import Any

import pytest

from flowbook import Flow, task, triggers
from flowbook.engine.state import Mapped, Success
from flowbook.notebook.command_worker import RefusedError
from flowbook.notebook.value_access import RunValues, identifier, page_request, preview
from flowbook.results.reference import ResultRef


class Store:
    """Values that were noted when they were kept."""

    def __init__(self, note: dict[str, Any] | None) -> None:
        self.note = note
        self.loads = 0

    def put(self, value: object) -> ResultRef:
        raise NotImplementedError

    def load(self, ref: ResultRef) -> Any:
        del ref
        self.loads += 1
        return "the value"

    def preview(self, ref: ResultRef) -> dict[str, Any] | None:
        del ref
        return self.note


class Turned:
    """A pager that counts how often it was made."""

    made = 0

    def __init__(self, value: object) -> None:
        type(self).made += 1
        self.value = value

    def page(
        self, offset: int = 0, limit: int = 100, sort: str | None = None, *, descending: bool = False
    ) -> dict[str, Any]:
        return {"value": self.value, "offset": offset, "limit": limit, "sort": sort, "descending": descending}


def test_a_value_at_rest_is_shown_by_its_note_without_loading_it() -> None:
    store = Store({"text": "DataFrame, 10 rows"})
    state = Success(result=ResultRef("ab", 3, store))

    assert preview(state) == {"text": "DataFrame, 10 rows"}
    assert store.loads == 0


def test_a_value_without_a_note_is_loaded_and_described() -> None:
    state = Success(result=ResultRef("ab", 3, Store(None)))

    assert preview(state, lambda value: {"text": f"described {value}"}) == {"text": "described the value"}


def test_a_value_that_can_not_be_shown_says_so_in_its_place() -> None:
    def broken(_: object) -> dict[str, Any]:
        raise MemoryError("too large")

    told = preview(Success(result=1), broken)

    assert told is not None
    assert told["text"] == "Can't be shown: MemoryError: too large"


def test_the_results_of_many_children_are_not_loaded_to_be_shown() -> None:
    store = Store(None)
    child = Success(result=ResultRef("ab", 3, store))

    told = preview(Mapped(map_states=[child] * 3))

    assert told is not None
    assert told["text"] == "list of 3 results, one for each child"
    assert store.loads == 0


def test_pages_are_turned_by_one_pager_until_the_task_has_another_value() -> None:
    @task(trigger=triggers.manual_only)
    def approve() -> str:
        return "approved"

    @task
    def read(x: str) -> str:
        return x

    with Flow("delays") as flow:
        read(approve())
    flow.run()
    run = flow.last_run
    assert run is not None
    run.resume().wait()
    values = RunValues(run, pager=Turned)
    Turned.made = 0

    values.page("read", "output", page_request({"offset": 0}))
    page = values.page("read", "output", page_request({"offset": 100, "limit": 9999, "sort": "a", "descending": True}))
    made = Turned.made
    values.page("read", "input:x", page_request({}))

    assert page == {"value": "approved", "offset": 100, "limit": 100, "sort": "a", "descending": True}
    assert (made, Turned.made) == (1, 2)


@pytest.mark.parametrize("wrong", [{"offset": "1"}, {"limit": None}, {"sort": 3}])
def test_a_page_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(RefusedError) as caught:
        page_request(wrong)

    assert "A page needs whole numbers and a column's name" in str(caught.value)


def test_a_failed_task_has_no_output_to_take() -> None:
    @task
    def clean() -> None:
        raise ValueError("no")

    with Flow("delays") as flow:
        clean()
    flow.run()
    assert flow.last_run is not None

    with pytest.raises(RefusedError) as caught:
        RunValues(flow.last_run).value("clean", "output")

    assert str(caught.value) == "clean has no output: it is Failed. Take an input instead."


@pytest.mark.parametrize(("key", "name"), [("clean[3]", "clean_3"), ("2024 sales", "_2024_sales"), ("<>", "value")])
def test_variables_get_names_that_python_takes(key: str, name: str) -> None:
    assert identifier(key) == name


def test_the_output_of_a_mapped_task_is_taken_only_when_all_its_children_are_done() -> None:
    @task(trigger=triggers.manual_only)
    def each(x: int) -> int:
        return x

    with Flow("many") as flow:
        each.map([1, 2])
    flow.run()
    run = flow.last_run
    assert run is not None
    values = RunValues(run)

    with pytest.raises(RefusedError) as caught:
        values.value("each", "output")
    run.resume().wait()

    assert str(caught.value) == "each has no output yet: its children still run."
    assert values.value("each", "output") == [1, 2]
