"""A task that changes a frame in place changes neither the output that it got nor what others get of it."""

import pandas as pd
import pytest

from flowbook import Flow, task, unmapped
from flowbook._utils.handed_on import handed_on
from tests.executors_of import everywhere


def make():
    frame = pd.DataFrame({"a": [1, 2]}, index=["x", "y"])
    frame.attrs["unit"] = "km"
    return frame


def spoil(frame):
    frame.loc["x", "a"] = 99
    frame["b"] = 0
    frame.attrs["unit"] = "m"
    return len(frame.columns)


def spoil_series(series):
    series.iloc[0] = 99
    return len(series)


@everywhere
@pytest.mark.parametrize("options", [{}, {"state_handlers": [lambda *_: None]}])
def test_a_frame_that_a_task_changes_stays_as_it_was_for_all_others(executor, options):
    with Flow("f") as flow:
        made = task(make, name="make")()
        first = task(spoil, name="spoil", **options)(made)
        series = task(lambda frame: frame["a"], name="series", **options)(made, upstream_tasks=[first])
        second = task(spoil_series, name="spoil_series", **options)(series)
        seen = task(lambda frame, series: (frame, series), name="seen", **options)(
            made, series, upstream_tasks=[first, second]
        )

    state = flow.run(executor=executor)

    frame, found = state.result[seen].result
    assert state.is_successful()
    pd.testing.assert_frame_equal(frame, make())
    pd.testing.assert_series_equal(found, make()["a"])
    assert (state.result[made].result.attrs, frame.attrs) == ({"unit": "km"}, {"unit": "km"})


@everywhere
def test_children_that_change_a_frame_spoil_neither_each_others_nor_the_list_it_came_in(executor):
    with Flow("f") as flow:
        made = task(make, name="make")()
        several = task(lambda: [make(), make()], name="several")()
        shared = task(lambda number, frame: (number, spoil(frame)), name="shared").map([1, 2], unmapped(made))
        own = task(spoil, name="own").map(several)

    state = flow.run(executor=executor)

    assert (state.result[shared].result, state.result[own].result) == ([(1, 2), (2, 2)], [2, 2])
    for frame in (state.result[made].result, *state.result[several].result):
        pd.testing.assert_frame_equal(frame, make())


def test_what_is_no_frame_is_handed_on_as_it_is():
    values = [5, "text", [1], (1, 2), {"a": 1}, [[make()]], [*range(100), make()], object()]

    assert [handed_on(value) is value for value in values] == [True] * len(values)


@pytest.mark.parametrize("collect", [lambda frame: [frame, 1], lambda frame: (1, frame), lambda frame: {"a": frame}])
def test_frames_in_a_list_a_tuple_or_a_dict_are_handed_on_as_copies_in_another_one(collect):
    frame = make()

    found = handed_on(collect(frame))
    for each in found.values() if type(found) is dict else found:
        if isinstance(each, pd.DataFrame):
            spoil(each)

    assert type(found) is type(collect(frame))
    assert len(found) == len(collect(frame))
    pd.testing.assert_frame_equal(frame, make())


@everywhere
def test_a_frame_of_a_mapped_task_that_a_task_changes_stays_as_it_was(executor):
    with Flow("f") as flow:
        several = task(lambda number: make() if number else None, name="several").map([1, 2])
        task(lambda frames: [spoil(frame) for frame in frames], name="spoil")(several)

    state = flow.run(executor=executor)

    assert repr(state) == "<Success: 'All tasks that decide the run succeeded.'>"
    for frame in state.result[several].result:
        pd.testing.assert_frame_equal(frame, make())


def test_a_frame_that_cannot_be_copied_is_handed_on_as_it_is():
    class Stubborn(pd.DataFrame):
        def copy(self, deep=True):  # noqa: ARG002  # as pandas has it
            raise ValueError("no")

    frame = Stubborn({"a": [1]})

    assert handed_on(frame) is frame
