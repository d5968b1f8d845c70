"""The table of runs: read as columns, and yet what one row after the other would make it."""

from __future__ import annotations

import datetime as dt
import time
from typing import TYPE_CHECKING

import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import flowbook
from flowbook.engine.state import Failed, Success
from flowbook.flow_run.times import to_datetimes
from flowbook.store import open_store
from flowbook.store.process_identity import shown_counts, shown_state, this_process
from flowbook.store.records import from_stamp
from tests.store.run_helpers import begin, tell

if TYPE_CHECKING:
    import pytest

#: A process that is no more, on this machine.
GONE = this_process().rpartition("|")[0] + "|0"
CHANGE = "UPDATE run SET state=?, message=?, started=?, ended=?, counts=?, process=?, beat=? WHERE run_id=?"
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
STAMPS = st.none() | st.floats(0, 4e9)
VALUES = st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats() | TEXTS | st.lists(st.integers())
ROWS = st.lists(
    st.tuples(
        st.sampled_from([None, "Pending", "Running", "Success", "Failed", "Paused"]),
        st.none() | TEXTS,
        STAMPS,
        STAMPS,
        st.none() | st.dictionaries(st.sampled_from(["Success", "Failed"]), st.integers(0, 9)),
        st.dictionaries(TEXTS, VALUES, max_size=3),
        st.sampled_from([None, this_process(), GONE]),
    ),
    max_size=6,
)


def one_by_one(state: str | None = None, limit: int | None = None) -> pd.DataFrame:
    """Return the table made from an object a run."""
    shown = [(shown_state(each), each) for each in open_store().runs.list()]
    rows = [
        (
            each.run_id,
            each.flow,
            each.number,
            name,
            each.message,
            each.started,
            each.ended,
            ", ".join(f"{count} {name}" for name, count in shown_counts(each).items()),
            ", ".join(f"{name}={value}" for name, value in each.parameters.items()),
            each.executor,
            each.origin,
        )
        for name, each in shown
        if state in {None, name}
    ]
    return pd.DataFrame(rows[-limit:] if limit else rows, columns=list(flowbook.runs().columns))


def keep(*rows: tuple) -> None:
    store = open_store()
    store._database.write(lambda connection: connection.execute("DELETE FROM run"))
    for number, (state, message, started, ended, counts, parameters, process) in enumerate(rows):
        created = dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(minutes=number)
        recorder = begin(store, f"r{number}", f"f{number % 2}", parameters=parameters, created=created)
        tell(recorder, ("a", Success()), ("b", Failed()))
        recorder.close()
        noted = None if counts is None else str(counts).replace("'", '"')
        told = (state, message, started, ended, noted, process, time.time(), f"r{number}")
        store._database.write(lambda connection, told=told: connection.execute(CHANGE, told))


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=40
)  # autouse: home
@given(rows=ROWS)
def test_the_table_is_what_one_row_after_the_other_would_make_it(rows) -> None:
    keep(*rows)

    found = {state: flowbook.runs(state=state) for state in (None, "Crashed", "Running", "Success")}

    for state, table in found.items():
        pd.testing.assert_frame_equal(table, one_by_one(state), check_exact=True)
    pd.testing.assert_frame_equal(flowbook.runs(limit=2), one_by_one(limit=2), check_exact=True)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(stamps=st.lists(st.floats(-2e9, 4e9), min_size=1))
def test_times_are_rounded_as_everywhere_else(stamps) -> None:
    found = to_datetimes([*stamps, None])

    assert list(found[:-1].to_pydatetime()) == [from_stamp(stamp) for stamp in stamps]
    assert found[-1] is pd.NaT


def test_a_table_of_many_runs_is_one_question(monkeypatch: pytest.MonkeyPatch) -> None:
    done = ("Success", None, 1.0, 2.0, {"Success": 2}, {"day": "1"}, None)
    keep(*[done] * 20, ("Running", None, 1.0, None, None, {}, GONE))
    database, asked = open_store()._database, []
    read = database.read
    monkeypatch.setattr(database, "read", lambda *given: asked.append(given) or read(*given))

    table = flowbook.runs()

    # One for all, and one for how the tasks of the run stand that broke off.
    assert len(asked) == 2
    assert list(table["tasks"][-2:]) == ["2 Success", "1 Failed, 1 Success"]
    assert list(table["state"][-2:]) == ["Success", "Crashed"]
