"""What stays in a terminal when a run has come to rest."""

import datetime as dt

import pandas as pd
import pytest

from flowbook.engine.graph import Binding
from flowbook.engine.state import Cached, Cancelled, Failed, Paused, Pending, Running, Success, TriggerFailed
from flowbook.terminal.census import Counting
from flowbook.terminal.last_lines import EndView, last_lines
from flowbook.terminal.lines import plain_text
from flowbook.terminal.marks import Marks
from flowbook.terminal.waiting_lines import Earlier
from tests.graphs import build, task

WIDTH = 99


def _approve(report):
    """Are the delays by carrier good enough to be published?

    If not, cancel the run.
    """


@pytest.fixture
def graph():
    report = Binding("summarise", "report", mapped=False, flattened=False, edge=None)
    return build(
        task("load"),
        task("summarise", "load"),
        task("approve", "summarise", is_manual=True, bindings=(report,))._replace(run=_approve),
        task("publish", "approve"),
    )


def _text(graph, state, states, **more):
    view = EndView(
        flow="delays",
        number=18,
        state=state,
        states=states,
        graph=graph,
        census=Counting(graph).census(states),
        took_s=74.0,
        called="7c1f09e2",
    )
    return "\n".join(map(plain_text, last_lines(view._replace(**more), Marks(), WIDTH)))


def test_a_success_says_what_took_longest(graph):
    states = {"load": Cached(), "summarise": Success(), "approve": Success(), "publish": Success()}

    text = _text(graph, Success(), states, slowest=[("summarise", 58.0), ("load", 3.8)])

    assert text == (
        "delays  run 18  ✓ Success in 1:14                                          3 Success, 1 Cached of 4\n"
        "  slowest    summarise 0:58   load 3.8 s\n"
        "  look at it: flowbook run inspect 7c1f09e2"
    )


def test_a_success_says_what_came_from_the_cache_although_it_was_made_otherwise(graph):
    states = {"load": Cached(stale_code=True), "summarise": Cached(stale_inputs={"threshold": "15, now 20"})}

    text = _text(graph, Success(), states)

    assert text.splitlines()[1:3] == [
        "  ! load came from the cache, made by other code",
        "  ! summarise came from the cache, made from other inputs (threshold was 15, is 20)",
    ]


def test_a_failure_says_why_what_did_not_run_and_what_to_do(graph):
    error = ValueError("80 of 9,870 flights have no weather")
    states = {
        "load": Success(),
        "summarise": Failed("x", error),
        "approve": TriggerFailed(),
        "publish": TriggerFailed(),
    }
    state = Failed(
        "summarise failed: ValueError: 80 of 9,870 flights have no weather in the whole month; 2 tasks below it did not run."
    )

    text = _text(graph, state, states)

    assert text == (
        "ValueError: 80 of 9,870 flights have no weather\n"
        "\n"
        "delays  run 18  ✗ Failed after 1:14: summarise failed: ValueError: 80 of 9,870 flights have no\n"
        "                weather in the whole month; 2 tasks below it did not run.\n"
        "  ✓ 1 Success   ✗ 1 Failed   ⊘ 2 TriggerFailed: approve and publish\n"
        "  again, only what failed   flowbook run retry 7c1f09e2\n"
        "  what it got               flowbook run inspect 7c1f09e2 summarise"
    )


def test_a_failure_shows_no_password_in_a_url(graph):
    address = "postgres://me:hunter22@db.example/flights"
    error = ConnectionError(f"No answer from {address}")
    error.__cause__ = OSError(address)
    states = {"load": Success(), "summarise": Failed("x", error), "approve": Failed("y", OSError(address))}
    says = f"{'x' * (600 - 30)} {address}"

    text = _text(graph, Failed(f"summarise failed: {says}"), {**states, "publish": TriggerFailed()})

    assert "hunter" not in text
    assert "ConnectionError: No answer from postgres://me:*****@db.example/flights" in text


def test_a_traceback_that_is_shown_elsewhere_is_left_out(graph):
    states = {"load": Failed("x", ValueError("no"))}

    text = _text(graph, Failed("load failed."), states, shows_traceback=False, called=None)

    assert text == "delays  run 18  ✗ Failed after 1:14: load failed.\n  ✗ 1 Failed"


def test_a_pause_says_what_waits_what_it_gets_and_how_to_go_on(graph):
    report = pd.DataFrame({"carrier": ["EV", "MQ", "B6", "DL"], "mean_delay": [17.79, 12.47, 8.89, 8.0]})
    paused = Paused("Waits for a person, by its trigger manual_only.", cached_inputs={"report": report})
    states = {"load": Success(), "summarise": Success(), "approve": paused, "publish": Pending()}

    text = _text(graph, Paused("approve waits for a person."), states)

    assert text == (
        "delays  run 18  ‖ Paused after 1:14: approve waits for you                        2 of 4 tasks done\n"
        "  approve  Are the delays by carrier good enough to be published?\n"
        "  report   DataFrame, 4 × 2, from summarise\n"
        "           carrier  mean_delay\n"
        "                EV       17.79\n"
        "                MQ       12.47\n"
        "                B6        8.89\n"
        "           … 1 more row\n"
        "\n"
        "  flowbook run resume 7c1f09e2               goes on with approve, then publish\n"
        '  flowbook run reject 7c1f09e2 --note "…"    flowbook run skip 7c1f09e2'
    )


@pytest.fixture
def secretive():
    """Return the graph of a flow whose tasks call secret parameters harmlessly."""
    bound = [
        Binding(up, name, mapped=False, flattened=False, edge=None) for up, name in (("api_token", "t"), ("pwd", "x"))
    ]
    return build(
        task("api_token", is_parameter=True),
        task("pwd", is_parameter=True),
        task("approve", "api_token", "pwd", is_manual=True, bindings=tuple(bound))._replace(run=_approve),
    )


def test_a_pause_shows_no_secret_of_a_parameter_nor_its_rows(secretive):
    given = {"t": "tok-5f3a9c71e2", "x": pd.DataFrame({"a": ["tok-5f3a9c71e2"]})}

    text = _text(secretive, Paused("approve waits."), {"approve": Paused("Waits.", cached_inputs=given)})

    assert text.splitlines()[1:5] == [
        "  approve  Are the delays by carrier good enough to be published?",
        "  t        *****, from api_token",
        "  x        *****, from pwd",
        "",
    ]


def test_a_failure_shows_no_secret_of_a_parameter_among_its_values(secretive):
    def fetch(t, place):
        if t and place:
            raise ValueError(place)

    try:
        fetch("tok-5f3a9c71e2", "lighthouse")
    except ValueError as error:
        text = _text(secretive, Failed("x"), {"approve": Failed("x", error)})

    assert "t      *****" in text
    assert "place  'lighthouse'" in text
    assert "tok-5f3a9c71e2" not in text


def test_the_rows_of_a_frame_with_wide_characters_stand_below_their_heads(graph):
    report = pd.DataFrame({"都市": ["東京", "NY"], "遅延": [1.5, 12.25]})
    paused = Paused("Waits for a person, by its trigger manual_only.", cached_inputs={"report": report})

    text = _text(graph, Paused("approve waits for a person."), {"approve": paused, "publish": Pending()})

    assert text.splitlines()[3:6] == [
        "           都市   遅延",
        "           東京   1.50",
        "             NY  12.25",
    ]


def test_a_pause_says_what_failed_above_and_what_the_task_would_get(graph):
    error = ValueError("no weather")
    paused = Paused("Waits.", cached_inputs={"report": error})
    states = {"load": Success(), "summarise": Failed("no", error), "approve": paused, "publish": Pending()}

    text = _text(graph, Paused("x"), states)

    assert text.splitlines()[2:4] == [
        "  report   a ValueError, from summarise",
        "  summarise failed. If resumed, approve gets the error ValueError: no weather for report.",
    ]


def test_a_pause_says_who_is_asked_and_what_happens_if_nobody_answers(graph):
    noon = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
    paused = Paused("Waits.", deadline=noon, otherwise="reject", asks="finance")
    states = {"load": Success(), "summarise": Success(), "approve": paused, "publish": Pending()}

    early = _text(graph, Paused("x"), states, now=noon.timestamp() - 11_520)
    late = _text(graph, Paused("x"), states, now=noon.timestamp() + 60)

    when = f"{noon.astimezone():%H:%M}"
    assert early.splitlines()[0].split(": ")[1].startswith("approve waits for finance ")
    assert early.splitlines()[2] == f"  if nobody answers by {when}, in 3 h 12 min, it is rejected"
    assert late.splitlines()[2] == f"  nobody answered by {when}: it is rejected as soon as a process takes up the run"


def test_a_pause_says_what_was_decided_before(graph):
    noon = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC).timestamp()
    states = {"load": Success(), "summarise": Success(), "approve": Paused("Waits."), "publish": Pending()}
    earlier = {
        "approve": [
            Earlier(17, noon - 60, "reject", "ada", "August is missing"),
            Earlier(16, noon - 120, "resume", "bob", "", "threshold 20 → 15"),
        ]
    }

    text = _text(graph, Paused("x"), states, now=noon, earlier=earlier)

    at = [f"{dt.datetime.fromtimestamp(noon - s).astimezone():%H:%M}" for s in (60, 120)]
    assert text.splitlines()[2:4] == [
        f"  in run 17, {at[0]}: rejected by ada: August is missing",
        f"  in run 16, {at[1]}: resumed by bob with threshold 20 → 15",
    ]


def test_a_task_that_paused_itself_says_why(graph):
    states = {"load": Paused("Is January complete?"), "summarise": Pending()}

    text = _text(graph, Paused("load waits for a person."), states, called=None)

    assert text.splitlines()[1] == "  load  Is January complete?"


def test_a_cancelled_run_says_how_to_go_on(graph):
    states = {"load": Success(), "summarise": Cancelled(), "approve": Pending(), "publish": Pending()}

    text = _text(graph, Cancelled("Cancelled by a person."), states)

    assert text == (
        "delays  run 18  · Cancelled after 1:14                       1 Success, 1 Cancelled, 2 Pending of 4\n"
        "  go on with the 3 that are left:  flowbook run resume 7c1f09e2"
    )


def test_a_run_that_was_left_in_a_hurry_says_what_may_still_run(graph):
    states = {"load": Success(), "summarise": Running()}

    text = _text(graph, Cancelled("Stopped by a second Ctrl-C."), states, called=None)

    assert text.splitlines()[1] == "  may still run   summarise"
