"""What a run did as its views get it: changes of state, lines of the log, and the runs of its flow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import flowbook
from flowbook import Flow, Parameter, task
from flowbook.engine.events import FLOW, Decided, Logged, StateChanged
from flowbook.engine.state import Cached, Failed, Mapped, Retrying, Running, State, Success
from flowbook.notebook.changes_view import changes_view
from flowbook.notebook.log_view import LogLine, logs_view
from flowbook.notebook.panel_actions import PanelActions
from flowbook.notebook.runs_view import runs_view
from flowbook.store import open_store
from tests.homes import home  # noqa: F401  # each test's own store
from tests.notebook.recorded import RecordedPanel

if TYPE_CHECKING:
    from flowbook.engine.events import Event


def _changed(seq: int, key: str, state: State, at: float) -> StateChanged:
    state.at = at
    return StateChanged(seq, key, state)


def _events() -> list[Event]:
    return [
        _changed(1, FLOW, Running(), 100.0),
        _changed(2, "load", Running(), 100.5),
        Logged(3, "load", 100.6, 30, "slow disk"),
        _changed(4, "load", Failed("no answer"), 101.0),
        _changed(5, "load", Retrying("no answer", run_count=1), 101.0),
        _changed(6, "load", Running(), 102.0),
        _changed(7, "load", Success(), 102.25),
        _changed(8, "load", Cached(made_here=True), 102.3),
        _changed(9, "parse", Mapped(n_map_states=2), 102.4),
        _changed(10, "parse[0]", Running(), 102.5),
        Decided(11, "parse", 103.0, "resume", "ada", "looks right"),
    ]


def test_changes_are_sent_as_numbers_from_the_first_change_on() -> None:
    view = changes_view("r1", _events())

    named = [(at, view.keys[key], view.states[state]) for at, key, state in view.changes]
    assert (view.run, view.since, view.next, view.origin, view.left_out) == ("r1", -1, 10, 100.0, 0)
    assert named == [
        (0, FLOW, ("Running", "Running")),
        (500, "load", ("Running", "Running")),
        (1000, "load", ("Failed", "Failed")),
        (1000, "load", ("Retrying", "Retrying")),
        (2000, "load", ("Running", "Running")),
        (2250, "load", ("Success", "Success")),
        (2300, "load", ("Cached", "Success")),
        (2400, "parse", ("Mapped", "Mapped")),
        (2500, "parse[0]", ("Running", "Running")),
    ]


def test_later_changes_go_on_where_the_view_is() -> None:
    view = changes_view("r1", _events(), since=8)

    assert [(at, view.keys[key]) for at, key, _ in view.changes] == [(2400, "parse"), (2500, "parse[0]")]
    assert (view.since, view.next) == (8, 10)
    assert changes_view("r1", _events(), since=10).next == 10


def test_of_too_many_changes_those_of_the_last_children_are_left_out() -> None:
    events: list[Event] = [_changed(1, "load", Running(), 1.0)]
    events += [_changed(index + 2, f"parse[{index}]", Running(), 2.0) for index in range(100)]

    view = changes_view("r1", events, most=11)

    assert "load" in view.keys
    assert "parse[99]" not in view.keys
    assert len(view.changes) <= 11
    assert view.left_out == 101 - len(view.changes)


def test_the_log_tells_what_tasks_logged_and_what_became_of_them() -> None:
    view = logs_view("r1", _events())

    assert view.lines == [
        LogLine(100.0, "", "INFO", "state", "Running"),
        LogLine(100.6, "load", "WARNING", "log", "slow disk"),
        LogLine(101.0, "load", "ERROR", "state", "Failed after 0.5 s: no answer"),
        LogLine(101.0, "load", "WARNING", "state", "it will be tried again"),
        LogLine(102.25, "load", "INFO", "state", "Success after 0.2 s"),
        LogLine(102.4, "parse", "INFO", "state", "2 children"),
        LogLine(103.0, "parse", "INFO", "state", "resume by ada: “looks right”"),
    ]


def test_the_log_goes_on_where_the_view_is_and_says_how_many_lines_are_missing() -> None:
    assert [line.text for line in logs_view("r1", _events(), since=8).lines] == [
        "2 children",
        "resume by ada: “looks right”",
    ]
    short = logs_view("r1", _events(), most=2)
    assert (len(short.lines), short.left_out, short.next) == (2, 5, 11)


def _flow(code: int = 1) -> Flow:
    if code == 1:

        @task
        def clean(month: int) -> int:
            return month

    else:

        @task
        def clean(month: int) -> int:
            return month + 1

    with Flow("delays") as flow:
        clean(Parameter("month", default=7))
    return flow


def test_runs_are_listed_with_what_changed() -> None:
    _flow().run(record=True)
    _flow().run({"month": 8}, record=True)
    _flow(code=2).run({"month": 8}, record=True)
    _flow(code=2).run({"month": 8}, record=True)

    view = runs_view(open_store(), "delays", "test", 3)

    assert [(row.number, row.state, row.changed) for row in view.rows] == [
        ("4", "Success", "nothing"),
        ("3", "Success", "code of clean"),
        ("2", "Success", "month: 8, was 7"),
    ]
    assert (view.total, view.rows[0].counts, view.rows[0].parameters) == (4, {"Success": 1}, {"month": "8"})
    assert runs_view(open_store(), "delays", "test", 9).rows[-1].changed == ""


def test_a_view_gets_changes_logs_and_runs_and_shows_another_run() -> None:
    flow = _flow()
    flow.run(record=True)
    first = flow.last_run
    flow.run({"month": 8}, record=True)
    assert first is not None
    assert flow.last_run is not None
    actions = PanelActions(runs=lambda limit: runs_view(open_store(), "delays", "test", limit), open_run=flowbook.run)
    panel = RecordedPanel(flow.last_run, actions)

    panel.hear("changes", "c1")
    panel.hear("logs", "c2")
    panel.hear("runs", "c3", limit=5)
    shown = panel.hear("show-run", "c4", run=first.run_id)
    panel.hear("changes", "c5")

    assert [answer["run"] for answer in panel.all("changes")] == [panel.all("logs")[0]["run"], first.run_id]
    assert {"month", "clean"} <= set(panel.all("changes")[0]["keys"])
    assert [row["number"] for row in panel.all("runs")[0]["rows"]] == ["2", "1"]
    assert shown["text"] == "Run 1 of delays is shown."
    assert panel.snapshot["run"]["id"] == first.run_id


def test_questions_that_make_no_sense_and_runs_that_cannot_be_shown_are_refused() -> None:
    flow = _flow()
    flow.run()
    assert flow.last_run is not None
    panel = RecordedPanel(flow.last_run)

    assert panel.hear("changes", "c1", since="soon")["text"] == "since is a whole number, not 'soon'."
    assert panel.hear("show-run", "c2", run=7)["text"] == "A run is named by its id, not by 7."
    assert (
        panel.hear("show-run", "c3", run="x")["text"]
        == "This panel can't show other runs. Show them with flowbook.run(...)."
    )
    assert panel.hear("runs", "c4")["ok"] is True
    assert panel.all("runs") == [{"type": "runs", "id": "c4", "rows": [], "total": 0}]
