"""Tasks counted by state."""

from flowbook.engine.state import (
    Cached,
    Cancelling,
    Failed,
    Mapped,
    Paused,
    Pending,
    Retrying,
    Running,
    Success,
    TriggerFailed,
)
from flowbook.terminal.census import Census, Counting, TaskNow
from tests.graphs import build, delays_graph, task


def test_parameters_dont_count_and_a_split_task_counts_by_its_children():
    states = {
        "origin": Success(),
        "load_flights": Cached(),
        "load_weather": Success(),
        "delays_by_carrier": Mapped(n_map_states=2),
        "delays_by_carrier[0]": Success(),
        "delays_by_carrier[1]": Pending(),
        "publish": Pending(),
    }

    census = Counting(delays_graph()).census(states)

    assert census == Census(
        counts={"Success": 2, "Cached": 1, "Pending": 2}, total=5, done=3, running=(), retrying=(), paused=(), failed=()
    )


def test_a_task_that_was_mapped_over_nothing_counts_as_a_success():
    census = Counting(build(task("a", is_mapped=True))).census({"a": Mapped(n_map_states=0)})

    assert (census.counts, census.total, census.done) == ({"Success": 1}, 1, 1)


def test_what_runs_waits_or_failed_is_named_and_what_failed_because_of_it_is_counted():
    running, retrying, paused = Running(), Retrying(), Paused()
    failed, blocked = Failed(), TriggerFailed()
    states = {
        "load_flights": running,
        "fetch_rates": retrying,
        "approve": paused,
        "load_weather": failed,
        "publish": blocked,
    }

    census = Counting(delays_graph()).census(states)

    assert census == Census(
        counts={"Running": 1, "Retrying": 1, "Paused": 1, "Failed": 1, "TriggerFailed": 1},
        total=5,
        done=2,
        running=(TaskNow("load_flights", running),),
        retrying=(TaskNow("fetch_rates", retrying),),
        paused=(TaskNow("approve", paused),),
        failed=(TaskNow("load_weather", failed),),
    )


def test_those_that_run_longest_come_first():
    first, second = Running(), Running()
    first.at, second.at = 20.0, 10.0

    census = Counting(delays_graph()).census({"load_flights": first, "load_weather": second})

    assert [each.key for each in census.running] == ["load_weather", "load_flights"]


def test_a_state_of_a_users_own_is_counted_under_its_name():
    class Odd(Success):
        pass

    census = Counting(delays_graph()).census({"load_flights": Odd(), "load_weather": Success()})

    assert census.counts == {"Success": 1, "Odd": 1}


def test_a_task_of_a_cancelled_run_runs_since_it_started():
    running, later = Cancelling(since=5.0), Running()
    running.at, later.at = 20.0, 10.0

    census = Counting(delays_graph()).census({"load_flights": later, "load_weather": running})

    assert [(each.key, each.began) for each in census.running] == [("load_weather", 5.0), ("load_flights", 10.0)]
