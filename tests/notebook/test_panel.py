import json
import threading
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from flowbook.engine.graph import Binding, Graph
from flowbook.engine.state import Failed, Mapped, Paused, Running, Success
from flowbook.notebook.panel import Panel, PanelActions, parse_parameter
from tests.graphs import build, delays_graph, task
from tests.notebook.fakes import ASSETS, FakeRun, RecordedPanel


@pytest.fixture
def graph() -> Graph:
    binding = Binding("clean", "report", mapped=False, flattened=False, edge=None)
    approve = task("approve", "clean", is_manual=True)._replace(bindings=(binding,))
    return build(task("clean"), approve, task("publish", "approve"), task("each", is_mapped=True))


def test_a_new_panel_holds_the_graph_and_all_that_was_before(graph: Graph) -> None:
    run = FakeRun(graph, origin="JFK")
    run.go("clean", Success(result=7))

    panel = RecordedPanel(run)

    assert panel.snapshot["tasks"]["clean"]["state"] == "Success"
    assert panel.snapshot["run"]["parameters"] == {"origin": "JFK"}
    assert [node["key"] for node in panel.graph["nodes"]] == list(graph.specs)
    assert 'data-state="Success"' in panel.graph["svg"]
    assert json.dumps(panel.get_state(["graph", "snapshot", "parts"]))


def test_changes_reach_the_views_as_patches(graph: Graph) -> None:
    run = FakeRun(graph)
    panel = RecordedPanel(run)

    run.flow(Running())
    run.go("clean", Running())
    panel.settle()

    (patch,) = panel.all("patch")
    assert patch["run"]["state"] == "Running"
    assert {key: view["state"] for key, view in patch["tasks"].items()} == {"clean": "Running"}


def test_hello_is_acknowledged_and_answered_with_all_there_is(graph: Graph) -> None:
    run = FakeRun(graph)
    panel = RecordedPanel(run)
    run.go("clean", Running())

    ack = panel.hear("hello")

    (snapshot,) = panel.all("snapshot")
    assert ack["ok"]
    assert snapshot["tasks"]["clean"]["state"] == "Running"


def test_resume_goes_to_the_run_once_and_says_so(graph: Graph) -> None:
    run = FakeRun(graph)
    panel = RecordedPanel(run, PanelActions(by="ana"))
    run.go("approve", Paused())

    first = panel.hear("resume", "c1", key="approve", note="looks right")
    again = panel.hear("resume", "c1", key="approve", note="looks right")
    second = panel.hear("resume", "c2", key="approve")

    assert run.asked == [("resume", ("approve",), "ana", "looks right")]
    assert first == again == {"type": "ack", "id": "c1", "ok": True, "text": "approve goes on."}
    assert (second["ok"], second["text"]) == (False, "approve was resumed already.")


def test_a_task_that_pauses_again_can_be_resumed_again(graph: Graph) -> None:
    run = FakeRun(graph)
    panel = RecordedPanel(run)
    for id_ in ("c1", "c2"):
        run.go("approve", Paused())
        panel.hear("resume", id_, key="approve")
        run.go("approve", Running())

    assert len(run.asked) == 2


def test_what_does_not_wait_is_not_resumed(graph: Graph) -> None:
    run = FakeRun(graph)
    panel = RecordedPanel(run)

    answers = [panel.hear("resume", f"c{n}", key=key)["text"] for n, key in enumerate(["clean", "nobody", None])]

    assert run.asked == []
    assert answers == ["clean does not wait: it is Pending.", "delays has no task 'nobody'.", "Nothing waits."]


def test_resume_without_a_key_goes_on_with_all_that_waits(graph: Graph) -> None:
    run = FakeRun(graph)
    panel = RecordedPanel(run)
    run.go("approve", Paused())
    run.go("each[3]", Paused())

    ack = panel.hear("resume")

    assert run.asked == [("resume", ("approve", "each[3]"), "", "")]
    assert ack["text"] == "approve and each[3] go on."


def test_a_paused_run_that_goes_on_is_shown_in_the_same_panel(graph: Graph) -> None:
    run = FakeRun(graph)
    panel = RecordedPanel(run)
    run.go("approve", Paused())
    run.flow(Paused())
    run.following = following = FakeRun(graph, "r2", 15)

    panel.hear("resume", key="approve")
    following.go("publish", Running())
    panel.settle()

    assert panel.run is following
    assert panel.all("snapshot")[-1]["run"]["id"] == "r2"
    assert panel.all("patch")[-1]["tasks"]["publish"]["state"] == "Running"
    assert panel.snapshot["run"]["number"] == "15"


def test_an_old_run_is_no_longer_heard_after_another_is_shown(graph: Graph) -> None:
    run, other = FakeRun(graph), FakeRun(delays_graph(), "r2")
    panel = RecordedPanel(run)

    panel.show(other, "run 14 still waits")
    run.go("clean", Failed())
    panel.settle()

    assert panel.all("patch") == []
    assert panel.snapshot["run"]["notice"] == "run 14 still waits"
    assert len(panel.graph["nodes"]) == 12
    assert panel.all("snapshot")[0]["seq"] > 0


def test_cancel_and_retry_go_to_the_run(graph: Graph) -> None:
    run = FakeRun(graph)
    panel = RecordedPanel(run, PanelActions(by="ana"))

    panel.hear("cancel", "c1")
    panel.hear("retry", "c2")
    run.flow(Failed())
    refused = panel.hear("cancel", "c3")

    assert run.asked == [("cancel", "ana"), ("retry",)]
    assert refused["text"] == "delays has ended: it is Failed."


def test_running_again_parses_only_what_was_changed(graph: Graph) -> None:
    months = range(1, 3)
    run = FakeRun(graph, origin="5", months=months, limit=3)
    run.is_live = False
    given: list[Any] = []
    panel = RecordedPanel(run, PanelActions(run=lambda parameters: given.append(dict(parameters))))

    panel.hear("run", parameters={"origin": "5", "months": "range(1, 3)", "limit": "[4, 5]", "note": "a b"})

    assert given == [{"origin": "5", "months": months, "limit": [4, 5], "note": "a b"}]
    assert given[0]["months"] is months


def test_a_live_run_is_not_started_again(graph: Graph) -> None:
    panel = RecordedPanel(FakeRun(graph), PanelActions(run=lambda _: None))

    assert panel.hear("run", parameters={})["text"] == "delays is already running. Cancel it first."


def test_the_inspector_is_told_at_once_and_again_when_its_task_changes(graph: Graph) -> None:
    run = FakeRun(graph)
    panel = RecordedPanel(run)
    run.go("clean", Running())
    panel.settle()

    panel.hear("inspect", key="clean")
    run.go("clean", Failed(result=ValueError("no")))
    panel.settle()
    run.log("clean", "hello")
    panel.settle()
    panel.hear("inspect", "c2", key=None)
    run.go("clean", Running())
    panel.settle()

    told = [
        (sent["state"], sent["error"] and sent["error"]["type"], len(sent["logs"])) for sent in panel.all("details")
    ]
    assert told == [("Running", None, 0), ("Failed", "ValueError", 0), ("Failed", "ValueError", 1)]


def test_a_child_can_be_inspected_whether_or_not_it_is_shown(graph: Graph) -> None:
    run = FakeRun(graph)
    panel = RecordedPanel(run)
    run.go("each", Mapped(n_map_states=3))
    run.go("each[1]", Success(result=5))
    panel.settle()

    panel.hear("inspect", key="each[1]")

    (details,) = panel.all("details")
    assert (details["key"], details["state"]) == ("each[1]", "Success")
    assert details["actions"] == ["to-variable"]


def test_who_decided_is_told(graph: Graph) -> None:
    run = FakeRun(graph)
    panel = RecordedPanel(run)
    run.go("approve", Success())
    run.decide("approve", "resume", "ana", "looks right")

    panel.hear("inspect", key="approve")

    question, answer = panel.all("details")[0]["why"][-1]
    assert question == "Who decided"
    assert answer.startswith("ana resumed it, ")
    assert answer.endswith(": “looks right”")


def test_a_value_goes_to_a_variable_and_the_answer_names_it(graph: Graph) -> None:
    run = FakeRun(graph)
    namespace: dict[str, object] = {}

    def assign(name: str, value: object) -> str:
        namespace[f"{name}_1"] = value
        return f"{name}_1"

    panel = RecordedPanel(run, PanelActions(assign=assign))
    run.go("clean", Success(result=[1, 2]))
    run.go("approve", Paused())

    texts = [
        panel.hear("to-variable", "c1", key="clean", what="output")["text"],
        panel.hear("to-variable", "c2", key="approve", what="input:report")["text"],
        panel.hear("to-variable", "c3", key="approve", what="output")["text"],
        panel.hear("to-variable", "c4", key="approve", what="input:nothing")["text"],
        panel.hear("to-variable", "c5", key="approve", what="else")["text"],
    ]

    assert namespace == {"clean_1": [1, 2], "report_1": [1, 2]}
    assert texts == [
        "Now in the variable clean_1.",
        "Now in the variable report_1.",
        "approve has no output yet: it is Paused.",
        "approve has no input 'nothing'.",
        "A task has its output and its inputs, not 'else'.",
    ]


def test_the_saved_state_and_the_picture_follow_at_pause_and_end(graph: Graph) -> None:
    run = FakeRun(graph)
    settled: list[str] = []
    panel = RecordedPanel(run, PanelActions(settled=lambda panel: settled.append(panel.picture_text())))

    run.go("clean", Success())
    run.go("approve", Paused())
    run.flow(Paused())
    panel.settle()

    assert panel.snapshot["tasks"]["approve"]["state"] == "Paused"
    assert settled == ["flowbook: delays: Paused. 1 Success, 1 Paused, 2 Pending. run 14, approve waits for you"]
    assert ET.fromstring(panel.picture()).get("aria-label") == settled[0]


def test_what_is_shown_never_holds_a_value_in_the_traits(graph: Graph) -> None:
    run = FakeRun(graph)
    panel = RecordedPanel(run)
    run.go("clean", Success(result="secret of the data"))
    run.flow(Success())

    panel.hear("inspect", key="clean")

    assert "secret of the data" not in json.dumps([panel.snapshot, panel.graph])


def test_closing_ends_the_threads_and_stops_listening(graph: Graph) -> None:
    run = FakeRun(graph)
    panel = Panel(run, assets=ASSETS)
    run.go("clean", Running())

    is_sent = panel.drain()
    panel.close()

    assert is_sent
    assert run._sinks == []
    assert "flowbook-feed" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize(
    ("text", "value"), [("3", 3), ("[1, 2]", [1, 2]), ("JFK", "JFK"), ("'3'", "3"), ("None", None), ("a b", "a b")]
)
def test_parameters_are_literals_or_text(text: str, value: object) -> None:
    assert parse_parameter(text) == value
