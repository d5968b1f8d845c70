"""What people decide in a panel: each command once, with the sentence that stands beside its button."""

from __future__ import annotations

import datetime as dt
import math
from enum import Enum

import pandas as pd
import pytest

import flowbook
from flowbook import Flow, Parameter, task, triggers
from flowbook.exceptions import RunError
from flowbook.flow_run.failed_frame import error_of
from flowbook.notebook.edits import Edits
from flowbook.notebook.panel_actions import Debugging, PanelActions, Started
from flowbook.notebook.panel_records import invalidate
from flowbook.notebook.parts_asked import OF_TASK, menu_entries
from tests.notebook.recorded import RecordedPanel


class Level(Enum):
    LOW = 1
    HIGH = 2


@pytest.fixture
def flow():
    @task
    def load(origin):
        return [1, 2, origin][:2]

    @task(trigger=triggers.manual_only)
    def approve(rows):
        return rows

    @task
    def publish(rows):
        return sum(rows)

    with Flow("delays") as flow:
        publish(approve(load(Parameter("origin", default="JFK"))))
    return flow


@pytest.fixture
def panel(flow):
    flow.run()
    panel = RecordedPanel(flow.last_run, PanelActions(by="ana"))
    yield panel
    panel.close()


def _decided(run):
    return run.decisions()[["task", "action", "by", "note"]].to_numpy().tolist()


def test_a_task_is_rejected_with_a_note(flow, panel):
    silent = panel.hear("reject", "c1", key="approve")
    said = panel.hear("reject", "c2", key="approve", note="wrong month")

    assert (silent["ok"], silent["text"]) == (
        False,
        "Write a note first: it becomes the message of the failure.",
    )
    assert (said["ok"], said["text"]) == (True, "approve is rejected.")
    assert flow.last_run.wait(20).is_failed()
    assert _decided(flow.last_run) == [["approve", "reject", "ana", "wrong month"]]


def test_a_task_that_waits_below_one_that_failed_says_so_before_it_goes_on():
    @task
    def top():
        raise ValueError("no weather")

    @task(trigger=triggers.manual_only)
    def decide(x):
        """Publish?"""
        return x

    with Flow("held") as flow:
        decide(top())
    flow.run(record=True)
    panel = RecordedPanel(flow.last_run, PanelActions(by="ana"))

    panel.hear("inspect", "c1", key="decide")
    told, shown = panel.all("details")[-1], panel.snapshot["tasks"]
    panel.close()

    assert told["why"][1] == ["Mind", "top failed. If resumed, decide gets the error ValueError: no weather for x."]
    assert told["inputs"][0]["text"] == "no result, because top failed"
    assert (told["above"], shown["decide"]["above"], shown["top"]["above"]) == ("top failed", "top failed", "")
    assert shown["decide"]["note"] == "top failed; waits for a person"


def test_a_rejected_task_has_no_traceback_and_nothing_to_debug(flow, panel):
    panel.hear("reject", "c1", key="approve", note="wrong month")
    flow.last_run.wait(20)
    panel.hear("inspect", "c2", key="approve")

    told = panel.all("details")[-1]
    assert told["error"] is None
    assert "retry" in told["actions"]
    assert "debug" not in told["actions"]
    assert panel.snapshot["tasks"]["approve"]["rejected"] is True
    with pytest.raises(RunError, match="approve was rejected: nothing of it ran"):
        error_of(flow.last_run, "approve")


def test_outputs_that_were_invalidated_are_valid_again_once_that_is_undone(monkeypatch, tmp_path):
    monkeypatch.setenv("FLOWBOOK_HOME", str(tmp_path / "home"))

    @task(cache=True)
    def load():
        return 1

    with Flow("kept") as flow:
        load()
    flow.run(record=True)
    panel = RecordedPanel(flow.last_run, PanelActions(invalidate=invalidate))
    panel.hear("inspect", "c1", key="load")
    said = [panel.hear(action, f"d-{action}", key="load")["text"] for action in ("invalidate", "renew")]
    again = panel.hear("renew", "c4", key="load")
    flow.run(record=True)

    assert said == [
        "1 stored output has expired: load runs next time.",
        "1 stored output is valid again, as before: load need not run.",
    ]
    assert (again["ok"], again["text"]) == (False, "Nothing of load was invalidated here, so there is nothing to undo.")
    offered = [[each for each in told["actions"] if each in {"invalidate", "renew"}] for told in panel.all("details")]
    assert offered == [["invalidate"], ["renew"], ["invalidate"]]
    assert not flow.last_run.states["load"].made_here
    panel.close()


def test_a_task_is_skipped_once(flow, panel):
    first = panel.hear("skip", "c1", key="approve")
    second = panel.hear("skip", "c2", key="approve")
    flow.last_run.wait(20)

    assert (first["ok"], first["text"]) == (True, "approve is skipped.")
    assert second["ok"] is False
    assert _decided(flow.last_run) == [["approve", "skip", "ana", ""]]


def test_an_input_is_changed_before_the_task_goes_on(flow, panel):
    said = panel.hear("resume", "c1", key="approve", inputs={"rows": "[5, 6]"})

    assert said["text"] == "approve goes on with another rows."
    assert flow.last_run.wait(20).is_successful()
    assert flow.last_run["publish"].result == 11


def test_an_input_that_a_person_changed_is_shown_as_the_task_got_it(flow, panel, monkeypatch, tmp_path):
    monkeypatch.setenv("FLOWBOOK_HOME", str(tmp_path / "home"))
    given = []
    flow.run(record=True)
    panel = RecordedPanel(flow.last_run, PanelActions(by="ana", assign=lambda name, value: given.append(value) or name))
    panel.hear("inspect", "c1", key="approve")
    panel.hear("resume", "c2", key="approve", inputs={"rows": "[5, 6]"})
    assert flow.last_run.wait(20).is_successful()
    panel.hear("inspect", "c3", key="approve")
    panel.hear("to-variable", "c4", key="approve", what="input:rows")
    loaded = RecordedPanel(flowbook.run(flow.last_run.run_id))
    loaded.hear("inspect", "c5", key="approve")

    shown = [
        each["inputs"][0] for each in (panel.all("details")[0], panel.all("details")[-1], loaded.all("details")[-1])
    ]
    assert [(each["from"], each["text"], each["changed"]) for each in shown] == [
        ("load", "[1, 2]", ""),
        (None, "[5, 6]", "changed by ana: instead of what load gave"),
        (None, "[5, 6]", "changed by ana: instead of what load gave"),
    ]
    assert given == [[5, 6]]
    panel.close()
    loaded.close()


def test_a_run_is_handed_over_and_stays_the_one_that_is_shown(flow):
    moved = []

    def hand_over(run, by):
        moved.append((run, by))
        return Started(run, "delays goes on in a process of its own.")

    flow.run()
    panel = RecordedPanel(flow.last_run, PanelActions(by="ana", hand_over=hand_over))
    said = panel.hear("hand-over", "c1")
    panel.hear("skip", "c2", key="approve")
    flow.last_run.wait(20)
    too_late = panel.hear("hand-over", "c3")
    panel.close()

    assert (said["ok"], said["text"]) == (True, "delays goes on in a process of its own.")
    assert moved == [(flow.last_run, "ana")]
    assert too_late["ok"] is False
    assert "delays is over: it is " in too_late["text"]


def test_a_comparison_of_two_runs_is_kept_in_a_variable(flow):
    kept = {}

    def assign(name, value):
        kept[name] = value
        return name

    flow.run()
    panel = RecordedPanel(flow.last_run, PanelActions(assign=assign, compared=lambda *runs: runs))

    said = panel.hear("to-variable", "c1", what="comparison", runs=["r1", "r2"])
    refused = panel.hear("to-variable", "c2", what="comparison", runs=["r1"])

    (name,) = kept
    assert name.endswith("_differences")
    assert kept[name] == ("r1", "r2")
    assert said["text"] == f"Now in the variable {name}."
    assert refused["text"] == "Two runs are compared, named by their ids, not ['r1']."


def _flow_of_any_values():
    @task
    def show(values):
        return values

    with Flow("any") as flow:
        show(
            [
                Parameter("day", default=dt.date(2026, 1, 28)),
                Parameter("level", default=Level.LOW),
                Parameter("origins", default=["EWR", None]),
                Parameter("pair", default=(1, 2)),
                Parameter("frame", default=pd.DataFrame({"x": [1]})),
                Parameter("limit", default=math.inf),
                Parameter("note", default=None),
            ]
        )
    return flow


def _panel_of_any_values():
    """Return a flow that has run, its panel, and a list that gets the parameters of each run that the panel begins."""
    flow, given = _flow_of_any_values(), []
    flow.run()
    begin = PanelActions(run=lambda values, _: given.append(values) or Started(flow.last_run, ""))
    return flow, RecordedPanel(flow.last_run, begin), given


def test_values_without_json_run_again_as_the_form_shows_them():
    flow, panel, given = _panel_of_any_values()
    before = flow.last_run.parameters
    defaults = {field["name"]: field["default"] for field in panel.graph["parameters"]}

    shown = panel.hear("run", "c1", parameters=panel.snapshot["run"]["parameters"])
    first = panel.hear("run", "c2", parameters={name: text for name, text in defaults.items() if text is not None})

    assert shown["ok"], shown["text"]
    assert first["ok"], first["text"]
    assert list(given[0]) == list(before)
    assert all(given[0][name] is before[name] for name in before)
    assert all(given[1][name] is before[name] for name in before if before[name] is not None)
    panel.close()


def test_a_text_in_the_form_becomes_a_value_of_the_kind_of_the_default():
    _, panel, given = _panel_of_any_values()
    typed = {"day": "2026-02-01", "level": "HIGH", "origins": '["JFK", null]', "pair": "[3, 4]", "note": "x"}

    said = panel.hear("run", "c1", parameters=typed)
    refused = panel.hear("run", "c2", parameters={"day": "tomorrow"})

    assert said["ok"], said["text"]
    assert given == [
        {"day": dt.date(2026, 2, 1), "level": Level.HIGH, "origins": ["JFK", None], "pair": (3, 4), "note": "x"}
    ]
    assert (refused["ok"], refused["text"]) == (False, "day is a date, and 'tomorrow' isn't. Write e.g. 2026-01-28.")
    panel.close()


def test_a_plan_is_told_with_its_summary(flow):
    flow.run()
    given = []

    def plan(parameters, asked):
        given.append((dict(parameters), asked.key))
        return flow.plan(parameters, start=asked.key).plain()

    panel = RecordedPanel(flow.last_run, PanelActions(plan=plan))
    said = panel.hear("plan", "c1", parameters={"origin": "EWR"}, key="publish")
    (told,) = panel.all("plan")

    assert given == [({"origin": "EWR"}, "publish")]
    assert (told["what"], told["key"]) == ("all", "publish")
    assert said["text"].startswith("1 of 3 will run (1 asked for)")
    assert told["id"] == "c1"
    assert {key: each["outcome"] for key, each in told["plan"]["tasks"].items()} == {
        "load": "keep",
        "approve": "keep",
        "publish": "run",
    }
    panel.close()


def test_what_was_edited_is_told_once_and_runs_alone(flow):
    flow.run()
    panel = RecordedPanel(
        flow.last_run, PanelActions(run=lambda _, asked: Started(asked.run, f"{asked.what}: load runs as edited."))
    )
    panel.mark(("load",), ("approve", "publish"))
    panel.settle()
    panel.mark(("load",), ("approve", "publish"))
    panel.settle()

    runs = [each["run"] for each in panel.all("patch") if "run" in each]
    assert [(run["edited"], run["stale"]) for run in runs] == [(["load"], ["approve", "publish"])]
    assert panel.hear("only-changed", "c1")["text"] == "only-changed: load runs as edited."
    panel.close()


@pytest.mark.parametrize(
    ("asked", "said", "cells"),
    [
        (
            {},
            "Run %flow debug delays load in a cell: it opens In [2], line 7, in load, with all names as they were.",
            [],
        ),
        (
            {"cell": True},
            "Run the cell below: it opens In [2], line 7, in load, with all names as they were.",
            ["%flow debug delays load"],
        ),
    ],
)
def test_a_view_that_can_is_told_which_cell_opens_the_debugger_and_others_say_it(flow, asked, said, cells):
    flow.run()
    place = "In [2], line 7, in load"
    actions = PanelActions(debug=lambda run, key: Debugging(f"%flow debug {run.flow_name} {key}", place))
    panel = RecordedPanel(flow.last_run, actions)

    answer = panel.hear("debug", "c1", key="load", **asked)

    assert (answer["ok"], answer["text"]) == (True, said)
    assert [(each["id"], each["source"]) for each in panel.all("cell")] == [("c1", source) for source in cells]
    panel.close()


def test_the_card_of_a_task_shows_the_run_that_is_shown_next(flow):
    flow.run()
    panel = RecordedPanel(flow.last_run)
    panel.hear("inspect", "c1", key="approve")
    with Flow("other") as other:
        flow.get_tasks(name="load")[0]("JFK")
    other.run()
    flow.last_run.skip(by="ana").wait(20)

    for run in (flow.last_run, other.last_run):
        panel.show(run)
        panel.settle()

    assert [(told["key"], told["state"]) for told in panel.all("details")] == [
        ("approve", "Paused"),
        ("approve", "Skipped"),
    ]
    panel.close()


def test_a_run_that_is_shown_next_is_marked_at_once(flow):
    flow.run()
    panel = RecordedPanel(flow.last_run, PanelActions(edits=lambda _: Edits(("load",), ("approve", "publish"))))

    panel.show(flow.last_run)
    panel.settle()

    run = panel.all("snapshot")[-1]["run"]
    assert (run["edited"], run["stale"]) == (["load"], ["approve", "publish"])
    panel.close()


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("only-changed", "This panel can't start a run. Run its cell again."),
        ("plan", "This panel can't plan a run. Ask flow.plan()."),
        ("run", "This panel can't start a run. Run its cell again."),
    ],
)
def test_a_panel_without_a_notebook_says_so(panel, command, message):
    said = panel.hear(command, "c1")

    assert (said["ok"], said["text"]) == (False, message)


def test_a_menu_tells_what_each_choice_would_run_or_why_it_cannot(flow):
    flow.run()

    def menu(parameters, asked):
        part = {"run-from": "start_at", "only-this": "only", "up-to": "up_to"}
        return menu_entries(
            OF_TASK,
            lambda what: flow.plan(parameters, **({part[what]: asked.key} if what in part else {"only": "publish[1]"})),
        )

    panel = RecordedPanel(flow.last_run, PanelActions(menu=menu))
    panel.hear("menu", "c1", parameters={}, key="load")
    (told,) = panel.all("menu")

    assert [(each["what"], each["text"].partition(",")[0]) for each in told["entries"]] == [
        ("only-this", "1 task"),
        ("run-from", "3 tasks"),
        ("up-to", "1 task"),
        ("only-changed", "nothing did"),
    ]
    assert told["entries"][3]["why"] == f"There is no publish[1] in run {flow.last_run.number}. Run publish itself."
    panel.close()


def test_what_is_asked_for_is_checked(flow):
    panel = RecordedPanel(flow.start(), PanelActions())

    said = [panel.hear("plan", f"c{n}", **each)["text"] for n, each in enumerate([{"what": "<b>"}, {"what": "up-to"}])]

    assert all("names no task" in text for text in said)
    panel.close()


def test_a_view_is_told_with_what_to_begin(flow):
    panel = RecordedPanel(flow.start(), PanelActions(), begin="replay")

    panel.hear("hello", seq=-1)

    assert panel.all("snapshot")[-1]["begin"] == "replay"
    panel.close()
