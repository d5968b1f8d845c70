"""What stands in the terminal while a run goes on."""

import datetime as dt

import pytest

from flowbook.engine.state import Failed, Pending, Retrying, Running, Success
from flowbook.terminal.census import Counting
from flowbook.terminal.lines import plain_text, width_of
from flowbook.terminal.live_lines import LiveView, live_lines
from flowbook.terminal.marks import Marks
from tests.graphs import delays_graph

NOW = 1_000_000.0


def _running(seconds):
    state = Running()
    state.at = NOW - seconds
    return state


def _retrying(error, in_seconds):
    due = dt.datetime.fromtimestamp(NOW + in_seconds, dt.UTC)
    return Retrying("Again.", error, due, run_count=1)


@pytest.fixture
def states():
    return {
        "load_flights": Success(),
        "load_weather": Success(),
        "join_weather": _running(6),
        "summarise": _running(84),
        "fetch_rates": _retrying(TimeoutError("no answer"), 12),
        "drop_cancelled": Failed("ValueError", ValueError("80 of 9,870 flights have no weather")),
        "publish": Pending(),
    }


def _lines(states, *, marks=None, width=90, most=12, **changes):
    graph = delays_graph()
    view = LiveView(
        title=("delays", "run 16"),
        graph=graph,
        census=Counting(graph).census(states),
        started=NOW - 41,
        now=NOW,
        expected_s=None,
        is_cancelling=False,
    )
    return live_lines(view._replace(**changes), marks or Marks(), width, most)


def test_it_says_what_is_done_what_runs_and_what_went_wrong(states):
    lines = _lines(states, expected_s=80.0)

    assert "\n".join(map(plain_text, lines)) == (
        "delays  run 16                                                          0:41 of about 1:20\n"
        "━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╸───────────────────────────────────────────────  3 of 7\n"
        "✓ 2 Success   ▸ 2 Running   ↻ 1 Retrying   ✗ 1 Failed   · 1 Pending\n"
        "\n"
        "▸ summarise                                                                           1:24\n"
        "▸ join_weather                                                                         6 s\n"
        "↻ fetch_rates     attempt 2 of 4 in 0:12; TimeoutError: no answer\n"
        "✗ drop_cancelled  ValueError: 80 of 9,870 flights have no weather"
    )


def test_a_terminal_of_ascii_gets_letters_and_signs(states):
    lines = _lines(states, marks=Marks(is_plain=True))

    assert [plain_text(line)[:24] for line in lines] == [
        "delays  run 16          ",
        "========================",
        "+ 2 Success   > 2 Runnin",
        "",
        "> summarise             ",
        "> join_weather          ",
        "~ fetch_rates     attemp",
        "x drop_cancelled  ValueE",
    ]


def test_it_is_never_higher_than_allowed_and_says_how_much_it_leaves_out():
    states = {"delays_by_carrier": Success(), **{f"delays_by_carrier[{i}]": _running(i) for i in range(40)}}

    lines = _lines(states, most=12)

    assert len(lines) == 12
    assert plain_text(lines[-1]) == "  and 33 more"


@pytest.mark.parametrize("width", [20, 33, 57, 99])
def test_nothing_is_wider_than_the_terminal(states, width):
    lines = _lines({**states, "a_task_with_a_very_long_name_that_goes_on_and_on": _running(1)}, width=width)

    assert max(map(width_of, lines)) <= width


def test_a_run_that_is_cancelled_says_what_still_runs(states):
    lines = _lines(states, is_cancelling=True)

    assert "\n".join(map(plain_text, lines[:3])) == (
        "delays  run 16  ▸ Cancelling: nothing new starts, 2 tasks still run; Ctrl-C again stops n…\n"
        "\n"
        "▸ summarise                                                                           1:24"
    )


def test_a_failure_says_the_line_of_the_users_and_no_secret():
    def broken():
        raise ValueError("hunter2 is wrong")

    try:
        broken()
    except ValueError as error:
        failed = Failed("x", error)

    lines = _lines({"load_flights": failed}, hide=lambda text: text.replace("hunter2", "*****"))

    left, right = "✗ load_flights  ValueError: ***** is wrong", f"line {broken.__code__.co_firstlineno + 1}"
    assert plain_text(lines[-1]) == left + right.rjust(90 - len(left))


def test_it_says_that_workers_start_while_nothing_runs(states):
    lines = _lines(dict.fromkeys(states, Pending()), is_starting=True)

    assert plain_text(lines[3]) == "  starting workers"
