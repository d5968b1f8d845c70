from __future__ import annotations

import datetime as dt
import enum
import json
import threading
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Any
from uuid import UUID

import ipywidgets
import pytest
from IPython.core.interactiveshell import InteractiveShell

import flowbook
from flowbook import Flow, Parameter, task, triggers
from flowbook.engine.events import FLOW, Decided
from flowbook.engine.signals import PAUSE
from flowbook.executors import LocalDaskExecutor
from flowbook.notebook.display import FlowView
from flowbook.notebook.panel import Panel
from flowbook.notebook.panel_actions import PanelActions, Started
from flowbook.notebook.panel_records import run_that_made
from flowbook.notebook.panel_session import PanelSession
from tests.notebook.recorded import ASSETS, MADE, RecordedPanel
from tests.own_threads import left_since, own_threads
from tests.scripts import start

if TYPE_CHECKING:
    from pathlib import Path

    from flowbook.flow_run.run import FlowRun

LONG_S = 20


class Doors:
    """Tasks stop at these until the test opens them."""

    def __init__(self) -> None:
        self.clean = threading.Event()
        self.approve = threading.Event()
        self.is_broken = False

    def open(self) -> None:
        self.clean.set()
        self.approve.set()


@pytest.fixture
def doors() -> Doors:
    doors = Doors()
    doors.open()
    return doors


@pytest.fixture
def flow(doors: Doors) -> Flow:
    """Three tasks, of which the middle one waits for a person, and a mapped one beside them."""

    @task
    def clean(origin: str) -> list[int]:
        assert doors.clean.wait(LONG_S)
        if doors.is_broken:
            raise ValueError(origin)
        return [1, 2]

    @task(trigger=triggers.manual_only)
    def approve(report: list[int]) -> list[int]:
        assert doors.approve.wait(LONG_S)
        return report

    @task
    def publish(report: list[int]) -> int:
        return sum(report)

    with Flow("delays") as flow:
        publish(approve(clean(Parameter("origin", default="JFK"))))
    return flow


@pytest.fixture
def mapped() -> Flow:
    """A mapped task whose three children wait for a person."""

    @task(trigger=triggers.manual_only)
    def approve(each: int) -> int:
        return each

    with Flow("papers") as flow:
        approve.map([1, 2, 3])
    return flow


def _paused(flow: Flow) -> FlowRun:
    flow.run()
    assert flow.last_run is not None
    return flow.last_run


def test_a_new_panel_holds_the_graph_and_all_that_was_before(flow: Flow) -> None:
    run = _paused(flow)

    panel = RecordedPanel(run)

    assert {key: view["state"] for key, view in panel.snapshot["tasks"].items()} == {
        "origin": "Success",
        "clean": "Success",
        "approve": "Paused",
        "publish": "Pending",
    }
    assert panel.snapshot["run"]["parameters"] == {"origin": "JFK"}
    assert [node["key"] for node in panel.graph["nodes"]] == list(run.graph.specs)
    assert panel.graph["svg"].count('class="node"') == 4
    assert len(json.dumps([panel.graph, panel.snapshot])) < 20_000


def test_changes_reach_the_views_as_patches(flow: Flow, doors: Doors) -> None:
    doors.clean.clear()
    panel = RecordedPanel(flow.start())
    panel.until("clean", "Running")
    panel.sent.clear()

    doors.open()
    panel.until(FLOW, "Paused")

    assert panel.tasks() == {"clean": "Success", "approve": "Paused"}
    assert panel.all("patch")[-1]["run"]["state"] == "Paused"


def test_hello_is_acknowledged_and_answered_with_all_there_is(flow: Flow) -> None:
    panel = RecordedPanel(_paused(flow))

    ack = panel.hear("hello")

    (snapshot,) = panel.all("snapshot")
    assert ack == {"type": "ack", "id": "c1", "ok": True, "text": ""}
    assert snapshot["tasks"]["approve"]["state"] == "Paused"


def test_resume_goes_to_the_run_once_and_says_so(flow: Flow, doors: Doors) -> None:
    run = _paused(flow)
    panel = RecordedPanel(run, PanelActions(by="ana"))
    doors.approve.clear()

    first = panel.hear("resume", "c1", key="approve", note="looks right")
    again = panel.hear("resume", "c1", key="approve", note="looks right")
    panel.until("approve", "Running")
    second = panel.hear("resume", "c2", key="approve")
    doors.open()
    panel.until(FLOW, "Success")

    decided = [(event.key, event.action, event.by, event.note) for event in run.events() if isinstance(event, Decided)]
    assert decided == [("approve", "resume", "ana", "looks right")]
    assert first == again == {"type": "ack", "id": "c1", "ok": True, "text": "approve goes on."}
    assert (second["ok"], second["text"]) == (False, "approve doesn't wait: it is Running.")


def test_a_task_that_pauses_again_can_be_resumed_again() -> None:
    pauses = iter([True, True, False])

    @task
    def ask() -> None:
        if next(pauses):
            raise PAUSE

    with Flow("twice") as flow:
        ask()
    panel = RecordedPanel(_paused(flow))
    answers = []
    for id_ in ("c1", "c2"):
        answers.append(panel.hear("resume", id_, key="ask")["text"])
        panel.run.wait()  # type: ignore[attr-defined]  # a FlowRun
        panel.settle()

    assert answers == ["ask goes on.", "ask goes on."]
    assert type(panel.run.state).__name__ == "Success"


def test_what_does_not_wait_is_not_resumed(flow: Flow) -> None:
    flow.run()
    panel = RecordedPanel(_paused(flow))
    panel.hear("resume", "c0")
    panel.until(FLOW, "Success")

    answers = [panel.hear("resume", f"c{n}", key=key)["text"] for n, key in enumerate(["clean", "nobody", None], 1)]

    assert answers == ["clean doesn't wait: it is Success.", "delays has no task 'nobody'.", "Nothing waits."]


def test_resume_without_a_key_goes_on_with_all_that_waits(mapped: Flow) -> None:
    panel = RecordedPanel(_paused(mapped))

    ack = panel.hear("resume")
    panel.until(FLOW, "Success")

    assert ack["text"] == "approve[0], approve[1] and approve[2] go on."


def test_a_mapped_task_whose_children_wait_has_resume_on_its_card_and_all_of_them_go_on(mapped: Flow) -> None:
    panel = RecordedPanel(_paused(mapped))

    panel.hear("inspect", "c1", key="approve")
    ack = panel.hear("resume", "c2", key="approve")
    panel.until(FLOW, "Success")

    details = panel.all("details")[0]
    assert (details["state"], details["actions"]) == ("Paused", ["resume", "skip", "reject"])
    assert ack["text"] == "approve[0], approve[1] and approve[2] go on."
    assert mapped.last_run["approve"].result == [1, 2, 3]


def test_the_children_of_a_mapped_task_are_resumed_one_by_one(mapped: Flow) -> None:
    panel = RecordedPanel(_paused(mapped))

    first = panel.hear("resume", "c1", key="approve[1]")
    panel.run.wait()  # type: ignore[attr-defined]  # a FlowRun
    panel.hear("inspect", "c2", key="approve")
    rest = panel.hear("resume", "c3", key="approve")
    panel.until(FLOW, "Success")

    assert (first["text"], rest["text"]) == ("approve[1] goes on.", "approve[0] and approve[2] go on.")
    assert panel.all("details")[0]["actions"] == ["resume", "skip", "reject"]


@pytest.mark.parametrize(("act", "said", "ends"), [("skip", "skipped", "Skipped"), ("reject", "rejected", "Failed")])
def test_a_task_is_skipped_or_rejected_once(flow: Flow, act: str, said: str, ends: str) -> None:
    run = _paused(flow)
    panel = RecordedPanel(run, PanelActions(by="ana"))

    first = panel.hear(act, "c1", key="approve", note="  not today ")
    panel.until("approve", ends)
    second = panel.hear(act, "c2", key="approve", note="again")
    panel.run.wait()  # type: ignore[attr-defined]  # a FlowRun
    panel.hear("inspect", "c3", key="approve")

    decided = [(event.action, event.by, event.note) for event in run.events() if isinstance(event, Decided)]
    assert decided == [(act, "ana", "not today")]
    assert (first["ok"], first["text"]) == (True, f"approve is {said}.")
    assert (second["ok"], second["text"]) == (False, f"approve doesn't wait: it is {ends}.")
    lines = [line for line in panel.all("details")[-1]["why"] if line[0] == "Who decided"]
    assert [line[1].split(",")[0] for line in lines] == [f"ana {said} it"]


def test_a_rejection_needs_a_note(flow: Flow) -> None:
    panel = RecordedPanel(_paused(flow))

    refused = [panel.hear("reject", f"c{n}", key="approve", note=note) for n, note in enumerate([None, "  "])]

    assert [(each["ok"], each["text"]) for each in refused] == [
        (False, "Write a note first: it becomes the message of the failure.")
    ] * 2
    assert type(panel.run.states["approve"]).__name__ == "Paused"


def test_a_task_goes_on_with_inputs_that_a_person_wrote(mapped: Flow) -> None:
    panel = RecordedPanel(_paused(mapped), PanelActions(variable={"$seven": 7}.__getitem__))

    wrong = panel.hear("resume", "c1", key="approve[1]", inputs={"z": "1"})
    odd = panel.hear("resume", "c2", key="approve[1]", inputs=[1])
    (name,) = panel.run.states["approve[1]"].cached_inputs
    first = panel.hear("resume", "c3", key="approve[1]", inputs={name: "$seven"})
    panel.run.wait()  # type: ignore[attr-defined]  # a FlowRun
    panel.hear("resume", "c4", key="approve")
    panel.until(FLOW, "Success")

    assert (wrong["ok"], wrong["text"]) == (False, f"Task 'approve[1]' has no input 'z'. Its inputs: {name}.")
    assert (odd["ok"], odd["text"]) == (False, "Inputs come as names and texts, not as list.")
    assert first["text"] == f"approve[1] goes on with another {name}."
    assert mapped.last_run["approve"].result == [1, 7, 3]


class Level(enum.Enum):
    LOW = 1
    HIGH = 2


def test_a_date_and_an_enums_member_are_offered_and_read_as_texts() -> None:
    @task
    def newest() -> dt.date:
        return dt.date(2026, 1, 28)

    @task(trigger=triggers.manual_only)
    def choose(day: dt.date, level: Level, api_token: UUID) -> str:
        return f"{day!r} {level} {api_token}"

    with Flow("chosen") as chosen:
        choose(newest(), Level.LOW, UUID(int=7))  # type: ignore[arg-type]  # a task
    panel = RecordedPanel(_paused(chosen))

    panel.hear("inspect", "c0", key="choose")
    offered = {each["name"]: each["literal"] for each in panel.all("details")[-1]["inputs"]}
    wrong = panel.hear("resume", "c1", key="choose", inputs={"level": "MIDDLE"})
    panel.hear("resume", "c2", key="choose", inputs={"level": "HIGH", "day": "2026-02-01"})
    panel.until(FLOW, "Success")

    assert offered == {"day": "2026-01-28", "level": "LOW", "api_token": ""}
    assert (wrong["ok"], wrong["text"]) == (False, "level is a Level, and 'MIDDLE' isn't. It is one of LOW, HIGH.")
    assert chosen.last_run["choose"].result == f"datetime.date(2026, 2, 1) Level.HIGH {UUID(int=7)}"


def test_a_paused_run_that_goes_on_is_shown_in_the_same_panel(flow: Flow) -> None:
    run = _paused(flow)
    panel = RecordedPanel(run)

    panel.hear("resume", key="approve")
    panel.until(FLOW, "Success")

    assert panel.run is run
    assert panel.snapshot["tasks"]["publish"]["state"] == "Success"
    assert panel.snapshot["run"]["stage"] == "over"


def test_another_run_is_shown_in_the_same_panel_and_the_old_one_is_no_longer_heard(flow: Flow, doors: Doors) -> None:
    doors.clean.clear()
    old = flow.start()
    panel = RecordedPanel(old)
    panel.until("clean", "Running")
    doors.open()
    old.wait()
    panel.settle()
    panel.sent.clear()

    new = _paused(flow)
    panel.show(new, "Run 1 still waits.")
    old.resume().wait()
    panel.settle()

    assert panel.all("patch") == []
    assert (panel.snapshot["run"]["id"], panel.snapshot["run"]["notice"]) == (new.run_id, "Run 1 still waits.")
    assert [(sent["run"]["id"], sent["seq"] > 0) for sent in panel.all("snapshot")] == [(new.run_id, True)]


def test_cancel_and_retry_go_to_the_run_with_who_asked(flow: Flow, doors: Doors) -> None:
    doors.is_broken = True
    (clean,) = flow.get_tasks(name="clean")
    with Flow("delays") as only_clean:
        clean("JFK")
    run = _paused(only_clean)
    panel = RecordedPanel(run, PanelActions(by="ana"))

    refused = panel.hear("cancel", "c1")
    doors.is_broken = False
    doors.clean.clear()
    retried = panel.hear("retry", "c2")
    panel.until("clean", "Running")
    cancelled = panel.hear("cancel", "c3")
    again = panel.hear("cancel", "c4")
    shown = panel.snapshot["run"]
    doors.open()
    panel.until(FLOW, "Cancelled")

    decided = [(event.action, event.by) for event in run.events() if isinstance(event, Decided)]
    assert decided == [("retry", "ana"), ("cancel", "ana")]
    assert [ack["text"] for ack in (refused, retried, cancelled)] == [
        "delays doesn't run: it is Failed.",
        "What failed runs again.",
        "Cancelling: tasks that have started go on to their end.",
    ]
    assert (again["ok"], again["text"]) == (
        False,
        "Already being cancelled: tasks that have started go on to their end.",
    )
    assert (shown["state"], shown["message"], shown["stage"]) == (
        "Cancelling",
        "by ana: nothing else starts",
        "running",
    )
    assert panel.snapshot["run"]["state"] == "Cancelled"


def test_stop_now_stops_the_task_that_a_cancelled_run_still_runs() -> None:
    begun, never = threading.Event(), threading.Event()

    @task
    def wait() -> None:
        begun.set()
        while not never.wait(0.01):
            pass

    with Flow("long") as flow:
        wait()
    panel = RecordedPanel(flow.start())
    assert begun.wait(LONG_S)

    cancelled = panel.hear("cancel", "c1")
    stopped = panel.hear("cancel-now", "c2")
    panel.until(FLOW, "Cancelled")

    assert [ack["text"] for ack in (cancelled, stopped)] == [
        "Cancelling: tasks that have started go on to their end.",
        "Stopping what runs.",
    ]
    assert type(panel.run.states["wait"]).__name__ == "Cancelled"


def test_running_again_parses_only_what_was_changed() -> None:
    months = range(1, 3)

    @task
    def load(origin: object, months: object, limit: object, note: object) -> object:
        return [origin, months, limit, note]

    with Flow("delays") as flow:
        load(*(Parameter(name, default=None) for name in ("origin", "months", "limit", "note")))
    flow.run(origin="5", months=months, limit=3, note="-")
    given: list[Any] = []
    assert flow.last_run is not None
    panel = RecordedPanel(
        flow.last_run, PanelActions(run=lambda parameters, _: Started(given.append(dict(parameters))))
    )

    panel.hear("run", parameters={"origin": "5", "months": "range(1, 3)", "limit": "[4, 5]", "note": "a b"})

    assert given == [{"origin": "5", "months": months, "limit": [4, 5], "note": "a b"}]
    assert given[0]["months"] is months


def test_a_live_run_is_not_started_again(flow: Flow, doors: Doors) -> None:
    doors.clean.clear()
    panel = RecordedPanel(flow.start(), PanelActions(run=lambda *_: Started()))

    answer = panel.hear("run", parameters={})["text"]
    doors.open()
    panel.until(FLOW, "Paused")

    assert answer == "delays is already running. Cancel it first."


def test_the_inspector_is_told_at_once_and_again_when_its_task_changes(doors: Doors) -> None:
    steps = iter([doors.clean, doors.approve])

    @task(log_stdout=True)
    def clean() -> None:
        assert next(steps).wait(LONG_S)
        print("hello")  # noqa: T201  # what is logged
        assert next(steps).wait(LONG_S)
        raise ValueError("no")

    doors.clean.clear()
    doors.approve.clear()
    with Flow("delays") as flow:
        clean()
    panel = RecordedPanel(flow.start())
    panel.until("clean", "Running")

    panel.hear("inspect", key="clean")
    doors.open()
    panel.until(FLOW, "Failed")
    panel.hear("inspect", "c2", key=None)
    panel.run.retry()
    panel.run.wait()  # type: ignore[attr-defined]  # a FlowRun
    panel.settle()

    told = [
        (sent["state"], sent["error"] and sent["error"]["type"], len(sent["logs"])) for sent in panel.all("details")
    ]
    assert (told[0], told[-1]) == (("Running", None, 0), ("Failed", "ValueError", 1))


def test_details_are_made_for_views_that_still_speak_and_no_others(flow: Flow) -> None:
    clock = iter([0.0, 60.0, 100.0, 100.0, 100.0, 200.0, *[200.0] * 20])
    panel = RecordedPanel(_paused(flow), PanelActions(clock=lambda: next(clock)))

    panel.hear("inspect", "c1", key="publish")  # heard at 0 s, asked at 60 s
    panel.hear("inspect", "c2", key="publish", again=True)  # at 100 s: nothing is made anew
    panel.hear("inspect", "c3", key="publish", again=True)
    told = len(panel.all("details"))
    panel.hear("resume", "c4", key="approve")
    panel.until(FLOW, "Success")

    assert told == 1
    assert len(panel.all("details")) == 1


def test_a_child_can_be_inspected_whether_or_not_it_is_shown() -> None:
    @task
    def each(x: int) -> int:
        return 5 * x

    with Flow("many") as flow:
        each.map([0, 1, 2])
    flow.run()
    assert flow.last_run is not None
    panel = RecordedPanel(flow.last_run)

    panel.hear("inspect", key="each[1]")

    (details,) = panel.all("details")
    assert (details["key"], details["state"], details["actions"]) == ("each[1]", "Success", ["to-variable", "run-from"])


def test_what_was_made_just_now_is_a_success_and_what_served_from_the_cache_is_cached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOWBOOK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FLOWBOOK_KEY_FILE", str(tmp_path / "key"))

    @task(cache_for=dt.timedelta(days=1))
    def plain(x: int) -> int:
        return x

    with Flow("kept") as flow:
        plain(5)
        plain.map([6, 7])
    seen = []
    for _ in range(2):
        flow.run(record=True)
        assert flow.last_run is not None
        panel = RecordedPanel(flow.last_run)
        views = panel.snapshot["tasks"]
        one, each = views["plain"], views["plain-2"]
        text = panel.picture_text().split(". ")[1]
        seen.append((one["state"], one["word"], one["note"][:11], each["state"], each["counts"], text))

    assert seen == [
        ("Cached", "Success", "kept until ", "Success", {"Success": 2}, "3 Success"),
        ("Cached", "", "served from", "Cached", {"Cached": 2}, "3 Cached"),
    ]


def test_who_made_what_served_from_the_cache_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWBOOK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FLOWBOOK_KEY_FILE", str(tmp_path / "key"))

    @task(cache_for=dt.timedelta(days=1))
    def plain() -> int:
        return 5

    with Flow("kept") as flow:
        plain()
    flow.run(record=True)
    first = flow.last_run
    flow.run(record=True)
    assert first is not None
    assert flow.last_run is not None
    panel = RecordedPanel(flow.last_run, PanelActions(maker=run_that_made))

    panel.hear("inspect", key="plain")

    question, answer = panel.all("details")[0]["why"][-1]
    assert (question, answer.split(", ")[0]) == ("Who made it", f"Run {first.number}")


def test_who_decided_is_told(flow: Flow) -> None:
    run = _paused(flow)
    run.resume("approve", by="ana", note="looks right").wait()
    panel = RecordedPanel(run)

    panel.hear("inspect", key="approve")

    question, answer = panel.all("details")[0]["why"][-1]
    who, when = answer.split(", ")
    assert (question, who, when[5:]) == ("Who decided", "ana resumed it", ": “looks right”")


def test_a_value_goes_to_a_variable_and_the_answer_names_it(flow: Flow) -> None:
    namespace: dict[str, object] = {}

    def assign(name: str, value: object) -> str:
        chosen = name if name == "clean" else f"{name}_2"
        namespace[chosen] = value
        return chosen

    panel = RecordedPanel(_paused(flow), PanelActions(assign=assign))

    texts = [
        panel.hear("to-variable", "c1", key="clean", what="output")["text"],
        panel.hear("to-variable", "c2", key="approve", what="input:report")["text"],
        panel.hear("to-variable", "c3", key="approve", what="output")["text"],
        panel.hear("to-variable", "c4", key="approve", what="input:nothing")["text"],
        panel.hear("to-variable", "c5", key="approve", what="else")["text"],
    ]

    assert namespace == {"clean": [1, 2], "report_2": [1, 2]}
    assert texts == [
        "Now in the variable clean.",
        "Now in the variable report_2: report is taken.",
        "approve has no output yet: it is Paused.",
        "approve has no input 'nothing'.",
        "A task has its output and its inputs, not 'else'.",
    ]


def test_the_saved_state_and_the_picture_follow_at_pause_and_end(flow: Flow, doors: Doors) -> None:
    doors.clean.clear()
    settled: list[str] = []
    run = flow.start()
    panel = RecordedPanel(run, PanelActions(settled=lambda panel: settled.append(panel.picture_text())))

    doors.open()
    panel.until(FLOW, "Paused")

    assert panel.snapshot["tasks"]["approve"]["state"] == "Paused"
    assert settled[-1] == (
        f"flowbook: delays: Paused. 1 Success, 1 Paused, 1 Pending. run {run.number}, approve waits for you"
    )
    assert ET.fromstring(panel.picture()).get("aria-label") == settled[-1]


def test_what_is_shown_never_holds_a_value_in_the_traits() -> None:
    @task
    def clean() -> str:
        return "secret of the data"

    with Flow("delays") as flow:
        clean()
    flow.run()
    assert flow.last_run is not None
    panel = RecordedPanel(flow.last_run)

    panel.hear("inspect", key="clean")

    assert "secret of the data" in panel.all("details")[0]["output"]["repr"]
    assert "secret of the data" not in json.dumps([panel.snapshot, panel.graph])


def test_closing_ends_the_threads_and_stops_listening_and_leaves_no_widget(flow: Flow) -> None:
    run = _paused(flow)
    widgets, before = {*ipywidgets.widgets.widget._instances}, own_threads()
    session = PanelSession(run)
    session.start()
    panel = Panel(session, assets=ASSETS)
    panel._handle_custom_msg(MADE, [])
    is_sent = session.drain()
    during = own_threads()

    panel.close()
    session.close()

    assert is_sent
    assert during >= {"flowbook-feed", "flowbook-panel"}
    assert left_since(before) == set()
    assert {*ipywidgets.widgets.widget._instances} == widgets


ELSEWHERE = """
import sys
from pathlib import Path
from flowbook import Flow, task

@task
def slow():
    while not Path(sys.argv[1]).exists():
        pass

@task
def after(x):
    return x

with Flow("far") as flow:
    after(slow())
run = flow.start(record=True)
print(run.run_id, flush=True)
run.wait()
"""


def test_an_answer_of_the_worker_to_a_slow_view_is_sent_once_all_is(flow: Flow) -> None:
    flow.run()
    never = threading.Event()
    session, sent = PanelSession(flow.last_run), list[dict[str, Any]]()
    session.listen(lambda message: sent.append(message) if never.wait(0.1) is False else None)
    session.start()

    session.call(lambda: never.wait(0.1))
    session.hear({"type": "hello", "id": "c1", "view": "v"})
    is_sent = session.drain(LONG_S)
    told = [message["id"] for message in sent if message["type"] == "ack"]
    session.close()

    assert (is_sent, told) == (True, ["c1"])


def test_a_run_of_another_process_is_shown_as_it_runs_and_can_be_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOWBOOK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FLOWBOOK_KEY_FILE", str(tmp_path / "key"))
    with start(ELSEWHERE, tmp_path, tmp_path / "go") as other:
        panel = RecordedPanel(flowbook.run(other.stdout.readline().strip()))
        panel.until("slow", "Running")

        panel.hear("hello", "c0")
        stage = panel.all("snapshot")[-1]["run"]["stage"]
        ack = panel.hear("cancel", "c1")
        (tmp_path / "go").touch()
        panel.until(FLOW, "Cancelled")

    assert (stage, ack["ok"]) == ("running", True)
    assert ack["text"] == "Cancelling: tasks that have started go on to their end."
    assert panel.snapshot["run"]["stage"] == "over"


def test_a_flow_that_was_not_run_has_no_number_and_the_executor_that_it_would_have(flow: Flow) -> None:
    shown = FlowView(InteractiveShell(), flow, executor=LocalDaskExecutor(num_workers=2)).session().snapshot["run"]

    assert (shown["number"], shown["stage"], shown["executor"]) == ("", "new", "threads, 2 workers")
