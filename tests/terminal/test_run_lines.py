"""Recorded runs as lines for people."""

import datetime as dt
from dataclasses import replace

import pytest

from flowbook.store import RunSummary
from flowbook.terminal.lines import plain_text
from flowbook.terminal.marks import Marks
from flowbook.terminal.run_lines import TaskRow, ago, head_lines, run_rows, run_table, task_table, where_it_runs

NOW = dt.datetime(2026, 11, 20, 12, 0).astimezone()  # noon, wherever it is tested


def _run(flow, number, state, counts, *, minutes, took_s=None, message=None, owner=None):  # noqa: PLR0913  # a run
    started = NOW - dt.timedelta(minutes=minutes)
    return RunSummary(
        run_id="0" * 32,
        flow=flow,
        number=number,
        project="p",
        created=started,
        parameters={"origin": "JFK"},
        executor="threads",
        origin="days.ipynb",
        epoch=1,
        owner=owner,
        claimed=None,
        state=state,
        message=message,
        started=started,
        ended=None if took_s is None else started + dt.timedelta(seconds=took_s),
        counts=counts,
        took_s=minutes * 60 if took_s is None and state == "Running" else took_s,
    )


@pytest.mark.parametrize(
    ("due", "state", "cell"),
    [
        (dt.timedelta(minutes=-1), "Scheduled", "due now"),
        (dt.timedelta(days=400), "Scheduled", "at {due.day} {due:%b %Y %H:%M}"),
        (dt.timedelta(days=400), "Submitted", "at {due.day} {due:%b %Y %H:%M}"),
        (dt.timedelta(minutes=-1), "Cancelled", ""),
    ],
)
def test_a_run_that_waits_for_its_time_says_when_that_is(due, state, cell):
    run = replace(_run("delays", 1, state, {}, minutes=0), started=None, due=NOW + due)

    (row,) = run_rows([run], [state], NOW, "host")

    assert row[3] == cell.format(due=(NOW + due).astimezone())


def test_runs_stand_in_columns_with_what_failed_or_waits():
    runs = [
        _run("delays", 19, "Cancelled", {"Success": 12, "Cancelled": 6}, minutes=4, took_s=33),
        _run("delays", 18, "Paused", {"Success": 16, "Paused": 1}, minutes=70, message="approve waits for a person."),
        _run("month_models", 21, "Running", {"Success": 54}, minutes=11, owner="ada@host:4711"),
        _run(
            "delays",
            17,
            "Failed",
            {"Success": 14, "Failed": 1, "TriggerFailed": 3},
            minutes=120,
            took_s=31,
            message="delays_by_carrier[7] failed: ValueError: no.",
        ),
        _run("delays", 16, "Success", {"Success": 18, "Cached": 1}, minutes=200, took_s=74),
        _run("delays", 15, "Success", {"Success": 15, "Cached": 1, "Failed": 2}, minutes=210, took_s=74),
        _run("delays", 14, "Paused", {"Success": 5, "TimedOut": 1}, minutes=220, message="approve waits for a person."),
    ]

    lines = run_table(runs, [run.state for run in runs], Marks(), NOW, "host")

    assert [plain_text(line).rstrip() for line in lines] == [
        "RUN  FLOW          STATE        STARTED      TOOK  TASKS                          WHERE",
        " 19  delays        · Cancelled  4 min ago    0:33  12 done                        days.ipynb",
        " 18  delays        ‖ Paused     1 h ago            16 done, approve               days.ipynb",
        " 21  month_models  ▸ Running    11 min ago  11:00  54 done                        process 4711",
        " 17  delays        ✗ Failed     2 h ago      0:31  15 done, delays_by_carrier[7]  days.ipynb",
        " 16  delays        ✓ Success    3 h ago      1:14  19, 1 cached                   days.ipynb",
        " 15  delays        ✓ Success    3 h ago      1:14  18, 1 cached, 2 failed         days.ipynb",
        " 14  delays        ‖ Paused     3 h ago            6 done, 1 failed, approve      days.ipynb",
    ]


def test_tasks_stand_in_columns():
    rows = [
        TaskRow("load_flights", "Cached", None, "111,279", "made 2 h ago"),
        TaskRow("bootstrap", "Failed", 33.0, "", "ValueError: no"),
    ]

    assert [plain_text(line).rstrip() for line in task_table(rows, Marks(is_plain=True))] == [
        "  TASK          STATE     TOOK  ROWS     WHY",
        "  load_flights  c Cached        111,279  made 2 h ago",
        "  bootstrap     x Failed  0:33           ValueError: no",
    ]


def test_columns_of_wide_characters_are_straight():
    rows = [TaskRow("売上集計", "Success", 33.0, "12", ""), TaskRow("load", "Failed", 33.0, "", "ValueError: 無効")]

    assert [plain_text(line).rstrip() for line in task_table(rows, Marks(is_plain=True))] == [
        "  TASK      STATE      TOOK  ROWS  WHY",
        "  売上集計  + Success  0:33  12",
        "  load      x Failed   0:33        ValueError: 無効",
    ]


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        (NOW - dt.timedelta(seconds=3), "just now"),
        (NOW - dt.timedelta(seconds=40), "40 s ago"),
        (NOW - dt.timedelta(minutes=4), "4 min ago"),
        (NOW.astimezone().replace(hour=9, minute=5) - dt.timedelta(days=1), "yesterday 09:05"),
        (NOW.astimezone().replace(month=3, day=2, hour=9, minute=5), "2 Mar 09:05"),
        (NOW.astimezone().replace(year=2024, month=3, day=2), "2 Mar 2024"),
    ],
)
def test_moments_in_the_past_are_said_as_people_say_them(moment, words):
    assert ago(moment, NOW) == words


def test_a_run_in_a_process_of_its_own_is_not_said_to_be_in_the_notebook():
    run = _run("delays", 1, "Success", {"Success": 3}, minutes=4, took_s=33)

    identifiers = ["host|12|34", "host|12|34|docker:delays-run-1:0123456789ab"]
    runs = [run, *(replace(run, identifier=each, owner="root@host:1") for each in identifiers)]
    rows = run_rows([*runs, runs[2]], ["Success", "Success", "Success", "Running"], NOW, "host")

    assert [row[-1] for row in rows] == [
        "days.ipynb", "own process", "container delays-run-1", "container delays-run-1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("owner", "state", "where"),
    [
        ("ada@host:4711", "Running", "process 4711"),
        ("ada@host:4711", "Cancelling", "process 4711"),
        ("ada@other.example:4711", "Running", "process 4711 on other.example"),
        ("ada@x@other:4711", "Running", "process 4711 on other"),
        ("ada", "Running", "days.ipynb"),
        ("ada@example.com: yes", "Running", "days.ipynb"),
        (None, "Success", "days.ipynb"),
    ],
)
def test_a_run_that_goes_on_says_its_process_and_any_other_where_it_was_started(owner, state, where):
    run = _run("delays", 1, state, {}, minutes=1, owner=owner)

    assert where_it_runs(run, state, "host") == where


def test_a_run_that_a_person_resumed_says_the_process_that_has_it():
    run = _run("delays", 1, "Running", {}, minutes=1, owner="ada")

    here, there = (replace(run, process=f"{machine}/boot/pid:[1]|4711|99") for machine in ("host", "other"))

    assert where_it_runs(here, "Running", "host") == "process 4711"
    assert where_it_runs(there, "Running", "host") == "process 4711 on other"


def test_every_line_of_a_message_stands_on_a_line_of_its_own():
    run = _run("delays", 1, "Crashed", {}, minutes=1, message="It ended.\nIts last lines:\n    no disk")

    assert [plain_text(line) for line in head_lines(run, "Crashed", Marks(), NOW)[2:]] == [
        "  It ended.",
        "  Its last lines:",
        "      no disk",
    ]
