"""Rows on the edges: what is said about them, from values in memory and from stored previews."""

from __future__ import annotations

import pandas as pd

import flowbook
from flowbook import Flow, Parameter, task
from flowbook.notebook.drawing import drawing_of, tells_of_rows
from flowbook.notebook.panel_actions import PanelActions
from flowbook.notebook.panel_records import PanelRecords, run_that_made
from flowbook.notebook.row_flow import NO_ROWS, RowFacts, RowFlow
from tests.homes import home  # noqa: F401  # each test's own store
from tests.notebook.recorded import RecordedPanel


def _flow() -> Flow:
    @task
    def load():  # says nothing of what it returns
        return pd.DataFrame({"origin": ["JFK", "EWR"] * 500, "delay": range(1000)})

    @task
    def late(flights, share: float):
        return flights.iloc[: int(len(flights) * share)]

    @task
    def by_origin(flights):
        return flights.groupby("origin", as_index=False)["delay"].mean().rename(columns={"delay": "mean"})

    @task
    def count(flights) -> int:
        return len(flights)

    with Flow("delays") as flow:
        kept = late(load(), Parameter("share", default=0.9))
        count(by_origin(kept))
        count(kept)
    return flow


def _facts(flow: Flow) -> dict[str, RowFacts]:
    run = flow.last_run
    assert run is not None
    flows = RowFlow(run.graph, run.states.get, PanelRecords("delays", lambda: run).rows)
    return {key: flows.facts(key) for key in run.graph.specs}


def test_a_task_that_keeps_all_columns_says_how_many_rows_it_kept_and_another_what_they_became() -> None:
    flow = _flow()
    flow.run()

    facts = _facts(flow)

    assert facts["load"] == RowFacts(1000)
    assert facts["late"] == RowFacts(900, "900 of 1,000")
    assert facts["by_origin"] == RowFacts(2, "900 rows to 2")
    assert facts["count"] == facts["share"] == NO_ROWS


def test_the_same_is_said_of_a_recorded_run_without_loading_its_values() -> None:
    flow = _flow()
    flow.run(record=True)
    assert flow.last_run is not None
    run = flowbook.run(flow.last_run.run_id)

    flows = RowFlow(run.graph, run.states.get)

    assert flows.facts("late") == RowFacts(900, "900 of 1,000")
    assert run.states["late"].reference is not None


def test_a_loss_that_no_earlier_run_had_is_told_with_its_figures() -> None:
    flow = _flow()
    for share in (0.9, 0.95, 0.5):
        flow.run({"share": share}, record=True)

    assert _facts(flow)["late"] == RowFacts(
        500, "500 of 1,000", "Lost 500 of 1,000 rows, 50.0%; at most 10.0% in 2 earlier runs"
    )


def test_the_history_of_a_task_says_why_it_is_as_it_is_in_each_run() -> None:
    @task(cache=True)
    def load(month, api_token):
        if month == 9:
            raise ValueError("no rows")
        return month, len(api_token)

    with Flow("delays") as flow:
        load(Parameter("month", default=7), Parameter("api_token", default="abc"))
    for parameters in ({}, {}, {"month": 8}, {"month": 9}, {"month": 10, "api_token": "def"}):
        flow.run(parameters, record=True)

    history = PanelRecords("delays", lambda: None).history("load")

    assert [(each["state"], each["why"]) for each in history] == [
        ("Success", "month: 10, was 8 and another api_token"),
        ("Failed", "ValueError: no rows"),
        ("Success", "month: 8, was 7"),
        ("Cached", "from the cache"),
        ("Success", ""),
    ]


def test_a_run_that_is_looked_back_at_is_compared_with_those_before_it_only() -> None:
    flow = _flow()
    for share in (0.9, 0.5, 0.9):
        flow.run({"share": share}, record=True)
    second = flowbook.runs(flow="delays")["run_id"].iloc[1]
    flow.last_run = flowbook.run(second)

    assert _facts(flow)["late"].lost == "Lost 500 of 1,000 rows, 50.0%; at most 10.0% in 1 earlier run"


def test_the_first_run_and_a_usual_loss_are_not_marked() -> None:
    flow = _flow()
    flow.run({"share": 0.5}, record=True)
    first = _facts(flow)["late"].lost
    flow.run({"share": 0.6}, record=True)

    assert (first, _facts(flow)["late"].lost) == ("", "")


def test_views_get_rows_with_the_task_and_room_for_them_in_the_graph_once() -> None:
    flow = _flow()
    flow.run({"share": 1.0}, record=True)
    flow.run({"share": 0.5}, record=True)
    run = flow.last_run
    assert run is not None
    actions = PanelActions(rows_before=PanelRecords("delays", lambda: run).rows)
    panel = RecordedPanel(run, actions)
    before = panel.graph["height"]

    panel.settle()
    told = {key: view for patch in panel.all("patch") for key, view in patch["tasks"].items()}

    assert {key: (view["rows"], view["note"]) for key, view in told.items()} == {
        "load": (1000, ""),
        "late": (500, "500 of 1,000"),
        "by_origin": (2, "500 rows to 2"),
    }
    assert told["late"]["lost"] == "Lost 500 of 1,000 rows, 50.0%; none in 1 earlier run"
    assert [message["graph"]["height"] > before for message in panel.all("graph")] == [True]


def test_a_flow_whose_tasks_say_that_they_return_frames_has_room_from_the_start() -> None:
    @task
    def load() -> pd.DataFrame:
        return pd.DataFrame()

    with Flow("frames") as flow:
        load()
    graph = flow.compile()

    assert tells_of_rows(graph)
    assert drawing_of(graph, has_rows=True).has_rows
    assert not tells_of_rows(_flow().compile())


def test_a_large_graph_is_sent_as_groups_and_drawn_otherwise_if_that_is_asked_for() -> None:
    @task
    def one(n: int) -> int:
        return n

    with Flow("many") as flow:
        for n in range(200):
            one(n)
    flow.run()
    assert flow.last_run is not None
    panel = RecordedPanel(flow.last_run)
    (node,) = panel.graph["nodes"]

    panel.hear("group", "c1", by="task")
    panel.hear("group", "c2", by="task")
    refused = panel.hear("group", "c3", by="colour")

    assert (node["key"], node["kind"], len(node["members"])) == ("one (all)", "group", 200)
    assert [len(message["graph"]["nodes"]) for message in panel.all("graph")] == [200]
    assert refused["text"] == "Tasks are drawn by auto, layer, task, not by 'colour'."


def _cached_flow() -> Flow:
    @task(cache=True)
    def load(month: int) -> int:
        return month

    @task(cache=True)
    def total(x: int) -> int:
        return x

    with Flow("months") as flow:
        total(load(Parameter("month", default=7)))
    return flow


def _panel_of(flow: Flow) -> RecordedPanel:
    run = flow.last_run
    assert run is not None
    records = PanelRecords(flow.name, lambda: run)
    return RecordedPanel(run, PanelActions(maker=run_that_made, why_ran=records.why_ran))


def test_a_cached_output_says_when_and_by_which_run_it_was_made() -> None:
    flow = _cached_flow()
    flow.run(record=True)
    flow.run(record=True)
    panel = _panel_of(flow)

    panel.settle()

    made = {key: view for patch in panel.all("patch") for key, view in patch["tasks"].items()}
    assert {key: (view["note"], view["maker"]) for key, view in made.items()} == {
        "load": ("served from the cache", "1"),
        "total": ("served from the cache", "1"),
    }
    assert "ago by" in panel.picture()


def test_a_task_that_ran_says_which_input_differs_and_what_it_was() -> None:
    flow = _cached_flow()
    flow.run(record=True)
    flow.run({"month": 8}, record=True)
    panel = _panel_of(flow)

    panel.hear("inspect", "c1", key="load")
    panel.hear("inspect", "c2", key="total")

    load, total = (details["why"][0] for details in panel.all("details"))
    assert load[0] == "Why it ran"
    assert load[1] == [
        ["text", "input "],
        ["code", "month"],
        ["text", ": "],
        ["now", "8"],
        ["text", ", was "],
        ["was", "7"],
    ]
    assert total[1][:2] == [["text", "input "], ["code", "x"]]
    assert total[1][-1] == ["text", "; load gave another output"]
