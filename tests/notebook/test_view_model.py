import datetime as dt
import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from flowbook.draw.node_parts import NodeView
from flowbook.engine.events import Logged
from flowbook.engine.graph import Binding
from flowbook.engine.state import Failed, Mapped, Paused, State, Success
from flowbook.notebook.drawing import drawing_of
from flowbook.notebook.task_details import Inspected, details, log_views
from flowbook.notebook.view_model import (
    RunView,
    TaskView,
    graph_view,
    node_view,
    plain,
    snapshot,
)
from flowbook.report.error_view import ErrorView
from tests.graphs import build, delays_graph, task


def test_the_graph_is_sent_with_its_places_kinds_and_neighbours() -> None:
    graph = delays_graph()

    sent = plain(graph_view(graph, drawing_of(graph), {}))

    nodes = {node["key"]: node for node in sent["nodes"]}
    assert json.loads(json.dumps(sent)) == sent
    assert (sent["version"], sent["flow"]) == (1, "delays")
    assert nodes["approve"]["kind"] == "manual"
    assert nodes["delays_by_carrier"]["kind"] == "mapped"
    assert nodes["origin"]["kind"] == "parameter"
    assert nodes["publish"]["up"] == ["delays_by_carrier", "approve", "fetch_rates"]
    assert nodes["load_weather"]["down"] == ["notify_on_failure", "join_weather"]
    assert sent["svg"].startswith("<svg ")


def test_the_form_is_typed_by_the_defaults() -> None:
    specs = [
        task(name, is_parameter=True)._replace(task=SimpleNamespace(name=name, default=default, required=required))
        for name, default, required in [
            ("origin", "EWR", False),
            ("limit", 3, False),
            ("rate", 0.5, False),
            ("fast", True, False),
            ("months", range(1, 3), False),
            ("carriers", ["AA", "UA"], False),
            ("day", None, True),
        ]
    ]
    graph = build(*specs)

    sent = plain(graph_view(graph, drawing_of(graph), {}))["parameters"]

    assert [tuple(field[name] for name in ("name", "type", "python", "default", "required")) for field in sent] == [
        ("origin", "str", "str", "EWR", False),
        ("limit", "int", "int", 3, False),
        ("rate", "float", "float", 0.5, False),
        ("fast", "bool", "bool", True, False),
        ("months", "literal", "range", "range(1, 3)", False),
        ("carriers", "literal", "list", "['AA', 'UA']", False),
        ("day", "literal", "", None, True),
    ]


def test_a_snapshot_is_json_as_the_wire_says() -> None:
    run = RunView(id="r1", number="14", state="Running", parameters={"origin": "JFK"})

    sent = snapshot(17, run, {"clean": TaskView("Success", duration_s=3.8)}, 1000.0)

    assert json.loads(json.dumps(sent)) == sent
    assert (sent["version"], sent["seq"], sent["run"]["number"]) == (1, 17, "14")
    assert sent["tasks"]["clean"] == {
        "state": "Success",
        "word": "",
        "message": "",
        "since": None,
        "duration_s": 3.8,
        "attempt": 1,
        "max_attempts": 1,
        "due": None,
        "width": None,
        "counts": None,
        "note": "",
        "stale": False,
        "created": None,
        "progress": None,
        "label": "",
        "rows": None,
        "lost": "",
        "maker": "",
        "rejected": False,
        "above": "",
    }


def test_a_node_shows_how_long_since_when_or_how_old() -> None:
    spec = task("approve", is_manual=True)

    ends = [
        node_view(spec, view, 100.0).end
        for view in (
            TaskView("Success", duration_s=3.8),
            TaskView("Paused", since=65.0),
            TaskView("Retrying", due=112.0),
            TaskView("Cached", created=100.0 - 7200),
            TaskView("Pending"),
        )
    ]

    assert ends == ["3.8 s", "35.0 s", "in 12.0 s", "2 h ago", ""]
    assert node_view(spec, TaskView("Paused"), 0.0) == NodeView("Paused", controls=True)


def _inspected(key: str, graph: Any, states: dict[str, State], **options: Any) -> Inspected:
    state = states.get(key)
    return Inspected(
        key=key,
        graph=graph,
        view=TaskView(type(state).__name__ if state else "Pending"),
        attempt=1,
        state_of=states.get,
        preview=lambda held, name: {"kind": "text", "text": f"{name} {held.result}"},
        error=lambda error: ErrorView(type(error).__name__, str(error), (), "text"),
        **options,
    )


def _joined():
    bindings = (
        Binding("load", "frame", mapped=False, flattened=False, edge=None),
        Binding("gate", None, mapped=False, flattened=False, edge=None),
    )
    join = task("join", "load", "gate")._replace(bindings=bindings, constants={"threshold": 15})
    return build(task("load"), task("gate"), join, task("publish", "join"))


def test_the_inspector_shows_inputs_constants_and_output() -> None:
    states = {"load": Success(result=7), "gate": Success(), "join": Success(result=8)}

    sent = plain(details(_inspected("join", _joined(), states)))

    assert json.loads(json.dumps(sent)) == sent
    assert [(given["name"], given["from"], given["text"]) for given in sent["inputs"]] == [
        ("frame", "load", "load 7"),
        ("threshold", None, "15 (int, a constant)"),
    ]
    assert sent["output"]["text"] == "join 8"
    assert (sent["up"], sent["down"]) == (["load", "gate"], ["publish"])
    assert sent["actions"] == ["to-variable", "run-from"]


def test_the_inspector_of_a_failed_task_shows_the_error_and_no_output() -> None:
    states = {"load": Success(result=7), "gate": Success(), "join": Failed(result=ValueError("no"))}

    sent = details(_inspected("join", _joined(), states))

    assert sent.error == ErrorView("ValueError", "no", (), "text")
    assert sent.output is None


def test_a_paused_task_can_be_resumed_and_its_inputs_looked_at() -> None:
    states = {"load": Success(result=7), "gate": Success(), "join": Paused()}

    sent = details(_inspected("join", _joined(), states, decisions=("ana resumed it, 09:42.",)))

    assert list(sent.actions) == ["resume", "skip", "reject", "change-input", "to-variable"]
    assert list(sent.why[-1]) == ["Who decided", "ana resumed it, 09:42."]
    assert sent.inputs[0].preview is not None


def test_a_long_log_is_capped_and_says_so() -> None:
    at = dt.datetime(2026, 11, 23, tzinfo=dt.UTC).timestamp()
    logs = [Logged(number, "clean", at, 30, f"line {number}") for number in range(700)]

    shown = log_views(logs)

    assert len(shown) == 501
    assert shown[0].text == "200 earlier lines are not shown."
    assert (shown[-1].level, shown[-1].text) == ("WARNING", "line 699")


def test_a_mapped_task_has_no_output_while_its_children_run() -> None:
    graph = build(task("each", is_mapped=True))
    inspected = _inspected("each", graph, {"each": Mapped(n_map_states=2)})
    going = replace(inspected, view=TaskView("Running", counts={"Running": 1, "Success": 1}, width=2))
    done = replace(inspected, view=TaskView("Success", counts={"Success": 2}, width=2))

    assert details(going).output is None
    assert details(done).output is not None
    assert details(going).why == [["Its children", "1 Running, 1 Success."]]
