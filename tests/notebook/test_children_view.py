from __future__ import annotations

from pathlib import Path

import flowbook
from flowbook import Flow, task
from flowbook._utils.costs import Cost
from flowbook.engine.state import Failed, Mapped, Running, Success
from flowbook.notebook.child_counts import ChildFacts
from flowbook.notebook.child_labels import ChildLabels, element_text
from flowbook.notebook.children_view import ChildrenRequest, children_view
from tests.homes import home  # noqa: F401  # each test's own store
from tests.notebook.recorded import RecordedPanel

MANY = 10_000


def _facts(name: str, took_s: float | None) -> ChildFacts:
    state = {"Success": Success, "Running": Running}.get(name, Failed)()
    state.at = 100.0
    return ChildFacts(name, 1, state, None if took_s is None else 100.0 - took_s, "")


FACTS = {
    "parse[0]": _facts("Success", 1.0),
    "parse[1]": _facts("Success", 3.0),
    "parse[3]": _facts("Failed", 0.5),
    "parse[4]": _facts("Running", 2.0),
}


def _view(**wish: object) -> object:
    request = ChildrenRequest("parse", **wish)  # type: ignore[arg-type]
    return children_view(request, 6, FACTS, label=lambda index: f"day {index}", rows=lambda _: 7)


def _indexes(**wish: object) -> list[int]:
    return [row.index for row in _view(**wish).rows]  # type: ignore[attr-defined]


def test_failed_children_come_first_then_the_slowest() -> None:
    assert _indexes() == [3, 1, 0, 2, 4, 5]


def test_a_child_says_what_its_last_attempt_cost() -> None:
    own, shared = (_facts("Success", 1.0) for _ in range(2))
    own.state.cost, shared.state.cost = Cost(0.7, 41_200_000, is_own=True), Cost(0.2, 80_000_000, is_own=False)

    view = children_view(
        ChildrenRequest("parse", order="index"),
        3,
        {"parse[0]": own, "parse[1]": shared},
        label=lambda _: "",
        rows=lambda _: None,
    )

    assert [(row.cpu_s, row.memory) for row in view.rows] == [(0.7, "41.2 MB"), (0.2, "+80.0 MB"), (None, "")]


def test_children_are_ordered_as_asked() -> None:
    assert _indexes(order="slowest") == [1, 0, 3, 2, 4, 5]
    assert _indexes(order="fastest") == [3, 0, 1, 2, 4, 5]
    assert _indexes(order="index") == [0, 1, 2, 3, 4, 5]


def test_children_are_filtered_by_state_and_by_what_they_are_called() -> None:
    assert _indexes(state="Pending") == [2, 5]
    assert _indexes(query="DAY 4") == [4]
    assert _indexes(query="parse[1]") == [1]


def test_a_page_has_its_rows_and_all_squares() -> None:
    view = _view(order="index", offset=2, limit=2)

    assert [row.key for row in view.rows] == ["parse[2]", "parse[3]"]  # type: ignore[attr-defined]
    assert (view.offset, view.total, view.width) == (2, 6, 6)  # type: ignore[attr-defined]
    squares = [("Success", 2), ("Pending", 1), ("Failed", 1), ("Running", 1), ("Pending", 1)]
    assert view.squares == squares  # type: ignore[attr-defined]
    assert view.counts == {"Success": 2, "Pending": 2, "Failed": 1, "Running": 1}  # type: ignore[attr-defined]
    assert view.durations == (0.5, 1.0, 3.0)  # type: ignore[attr-defined]


def test_a_page_beyond_the_end_is_the_last_row() -> None:
    assert _indexes(order="index", offset=99) == [5]


def test_an_element_has_a_short_name_if_it_is_plain() -> None:
    names = [
        element_text(each) for each in (7, "EV", Path("data/2013-01-18.csv"), (2013, "JFK"), None, object(), [1] * 9)
    ]

    assert names == ["7", "EV", "2013-01-18.csv", "2013, JFK", "None", "", ""]


def _named_flow() -> Flow:
    @task
    def list_files() -> list[Path]:
        return [Path("data/a.csv"), Path("data/b.csv")]

    @task
    def parse(path: Path, unit: str) -> str:
        return f"{path.name} {unit}"

    @task(task_run_name="check of {text}")
    def check(text: str) -> str:
        if text.startswith("b"):
            raise ValueError(text)
        return text

    with Flow("files") as flow:
        check.map(parse.map(list_files(), unit=flowbook.unmapped("m")))
    return flow


def test_children_are_called_as_the_element_they_were_given_also_further_down() -> None:
    flow = _named_flow()
    flow.run()
    run = flow.last_run
    assert run is not None

    labels = ChildLabels(run.graph, run.states)

    assert [labels.of("parse", 0), labels.of("parse", 1), labels.of("check", 1)] == ["a.csv", "b.csv", "b.csv"]
    assert labels.of("list_files", 0) == ""


def test_a_list_in_the_store_is_loaded_for_names_only_where_that_is_asked_for() -> None:
    flow = _named_flow()
    flow.run(record=True)
    assert flow.last_run is not None
    run = flowbook.run(flow.last_run.run_id)
    labels = ChildLabels(run.graph, run.states)

    before, loaded, after = labels.of("parse", 0), labels.of("parse", 0, may_load=True), labels.of("parse", 1)

    assert (before, loaded, after) == ("", "a.csv", "b.csv")


def test_a_view_gets_squares_and_rows_of_a_mapped_task() -> None:
    flow = _named_flow()
    flow.run()
    assert flow.last_run is not None
    panel = RecordedPanel(flow.last_run)

    panel.hear("children", "c7", key="check")

    (answer,) = panel.all("children")
    assert (answer["id"], answer["squares"]) == ("c7", [["Success", 1], ["Failed", 1]])
    rows = [(row["key"], row["label"], row["state"], row["message"]) for row in answer["rows"]]
    assert rows == [
        ("check[1]", "check of b.csv m", "Failed", "ValueError: b.csv m"),
        ("check[0]", "check of a.csv m", "Success", ""),
    ]


def test_the_card_of_a_child_has_its_name() -> None:
    flow = _named_flow()
    flow.run()
    assert flow.last_run is not None
    panel = RecordedPanel(flow.last_run)

    panel.hear("inspect", "c1", key="parse[1]")

    (details,) = panel.all("details")
    assert details["label"] == "b.csv"


def test_children_of_what_is_not_mapped_and_wishes_that_make_no_sense_are_refused() -> None:
    flow = _named_flow()
    flow.run()
    assert flow.last_run is not None
    panel = RecordedPanel(flow.last_run)

    no_map = panel.hear("children", "c1", key="list_files")
    no_order = panel.hear("children", "c2", key="check", order="colour")

    assert (no_map["ok"], no_map["text"]) == (False, "'list_files' isn't a mapped task of files.")
    assert no_order["ok"] is False
    wanted = "Children come by a key, whole numbers and one of trouble, slowest, fastest, index, not by "
    assert no_order["text"].startswith(wanted)


def test_ten_thousand_children_are_counted_sorted_and_paged() -> None:
    facts = {f"parse[{index}]": _facts("Success", index % 97 / 10) for index in range(MANY)}

    view = children_view(
        ChildrenRequest("parse", order="slowest", limit=25), MANY, facts, label=str, rows=lambda _: None
    )

    assert (len(view.rows), view.squares, view.total) == (25, [("Success", MANY)], MANY)
    assert [row.index for row in view.rows[:3]] == [96, 193, 290]


def test_a_mapped_task_over_nothing_has_no_squares() -> None:
    view = children_view(ChildrenRequest("parse"), 0, {}, label=lambda _: "", rows=lambda _: None)

    assert (view.squares, view.rows, view.durations) == ([], [], None)
    assert Mapped().n_map_states == 0


def test_a_child_that_failed_says_for_how_long_it_ran() -> None:
    flow = _named_flow()
    flow.run()
    assert flow.last_run is not None
    panel = RecordedPanel(flow.last_run)

    listed = panel.snapshot["tasks"]["check[1]"]
    panel.hear("inspect", "c1", key="check[1]")
    panel.hear("inspect", "c2", key="parse[0]")

    failed, finished = panel.all("details")
    assert listed["duration_s"] is not None
    assert listed["label"] == "check of b.csv m"
    assert failed["title"].endswith("ms")
    assert finished["title"].endswith("ms")
