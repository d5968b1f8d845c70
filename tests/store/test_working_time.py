"""For how long runs ran."""

import pytest

from flowbook.store.working_time import working_time


@pytest.mark.parametrize(
    ("states", "took_s"),
    [
        ([], 0.0),
        ([("Running", 10.0, None), ("Success", 13.0, 12.5)], 3.0),
        ([("Running", 10.0, None), ("Paused", 13.0, 12.0), ("Running", 500.0, 13.0), ("Success", 502.0, 501.0)], 5.0),
        ([("Running", 10.0, None), ("Cancelled", 11.0, 10.5), ("Running", 500.0, 11.0)], 101.0),
        ([("Running", 10.0, None), ("Running", 500.0, 14.0), ("Failed", 501.0, 500.5)], 5.0),
        ([("Running", 10.0, None), ("Failed", 9.0, 10.5)], 0.0),
    ],
    ids=["never begun", "once", "paused", "goes on", "its process had died", "the clock was set back"],
)
def test_the_time_between_epochs_does_not_count(states, took_s):
    assert working_time(states, now=600.0) == took_s
