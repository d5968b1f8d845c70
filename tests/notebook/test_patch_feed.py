import contextvars
import time
from typing import Any

from flowbook.engine.events import FLOW, StateChanged
from flowbook.engine.state import Failed, Mapped, Running, State, Success
from flowbook.notebook.patch_feed import INTERVAL_S, PatchFeed
from flowbook.notebook.run_projection import RunProjection
from tests.graphs import build, task
from tests.own_threads import left_since, own_threads
from tests.pace import slowness


class Clock:
    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


def _feed(*keys: str, **options: Any) -> tuple[PatchFeed, list[dict[str, Any]], Clock]:
    sent: list[dict[str, Any]] = []
    clock = Clock()
    projection = RunProjection(build(*(task(key) for key in keys)))
    return PatchFeed(sent.append, projection, clock=clock, now=lambda: 1000.0, **options), sent, clock


def _states(patch: dict[str, Any]) -> dict[str, str]:
    return {key: view["state"] for key, view in patch["tasks"].items()}


def test_the_first_change_goes_out_at_once() -> None:
    feed, sent, _ = _feed("a")

    feed.emit(StateChanged(1, "a", Running()))
    feed.step()

    assert [(patch["type"], patch["seq"], _states(patch)) for patch in sent] == [("patch", 1, {"a": "Running"})]


def test_further_changes_wait_for_their_turn_and_the_last_wins() -> None:
    feed, sent, clock = _feed("a", "b")
    feed.emit(StateChanged(1, "a", Running()))
    feed.step()

    feed.emit(StateChanged(2, "a", Success()))
    feed.emit(StateChanged(3, "b", Running()))
    feed.emit(StateChanged(4, "b", Failed()))
    wait_s = feed.step()
    clock.at += INTERVAL_S
    feed.step()

    assert wait_s == INTERVAL_S
    assert [_states(patch) for patch in sent] == [{"a": "Running"}, {"a": "Success", "b": "Failed"}]
    assert [patch["seq"] for patch in sent] == [1, 2]


def test_ten_thousand_changes_a_second_leave_no_backlog() -> None:
    keys = [f"t{index}" for index in range(100)]
    feed, sent, clock = _feed(*keys)
    running, success = Running(), Success()

    for number in range(10_000):
        feed.emit(StateChanged(number, keys[number % 100], success if number // 100 % 2 else running))
        clock.at += 0.0001
        feed.step()
    clock.at += INTERVAL_S
    feed.step()

    assert len(sent) <= 27
    assert set(_states(sent[-1]).values()) == {"Success"}
    assert feed.step() is None


def test_messages_go_out_in_order_and_do_not_wait_for_patches() -> None:
    feed, sent, _ = _feed("a")
    feed.emit(StateChanged(1, "a", Running()))
    feed.step()
    feed.emit(StateChanged(2, "a", Success()))

    feed.post({"type": "ack", "id": "c1"})
    feed.post({"type": "ack", "id": "c2"})
    feed.step()

    assert [message.get("id") for message in sent[1:]] == ["c1", "c2"]


def test_the_run_is_told_when_its_state_changes_and_only_then() -> None:
    feed, sent, clock = _feed("a", run_view=lambda: {"state": "Running"})

    feed.emit(StateChanged(1, FLOW, Running()))
    feed.step()
    clock.at += INTERVAL_S
    feed.emit(StateChanged(2, "a", Running()))
    feed.step()

    assert [patch.get("run") for patch in sent] == [{"state": "Running"}, None]


def test_everything_is_sent_in_the_context_of_the_newest_hello() -> None:
    shell: contextvars.ContextVar[str] = contextvars.ContextVar("shell", default="main")
    sent: list[str] = []
    feed = PatchFeed(lambda _: sent.append(shell.get()), RunProjection(build(task("a"))))

    feed.post({"type": "before"})
    feed.step()
    context = contextvars.copy_context()
    context.run(shell.set, "subshell")
    context.run(feed.hello)
    feed.post({"type": "after"})
    feed.step()

    assert sent == ["main", "subshell"]


def test_a_view_that_is_gone_ends_nothing(caplog: Any) -> None:
    def broken(_: object) -> None:
        raise OSError("closed")

    feed = PatchFeed(broken, RunProjection(build(task("a"))))
    feed.emit(StateChanged(1, "a", Running()))

    feed.step()

    assert "the run goes on" in caplog.text


def test_the_thread_sends_the_last_state_before_it_ends() -> None:
    sent: list[dict[str, Any]] = []
    feed = PatchFeed(sent.append, RunProjection(build(task("a"))))
    feed.start()
    kinds: list[type[State]] = [Running, Success]

    for seq in range(2001):
        feed.emit(StateChanged(seq, "a", kinds[seq % 2 == 0]()))
    feed.close()

    assert _states(sent[-1]) == {"a": "Success"}
    assert len(sent) < 50


def test_draining_waits_until_all_was_sent() -> None:
    sent: list[dict[str, Any]] = []
    before = own_threads()
    feed = PatchFeed(sent.append, RunProjection(build(task("a"))))
    feed.start()
    feed.emit(StateChanged(1, "a", Running()))
    feed.emit(StateChanged(2, "a", Success()))

    is_sent = feed.drain()

    assert is_sent
    assert _states(sent[-1]) == {"a": "Success"}
    feed.close()
    assert left_since(before) == set()


def test_changes_of_a_hundred_thousand_children_are_taken_faster_than_they_come() -> None:
    sent: list[dict[str, Any]] = []
    feed = PatchFeed(sent.append, RunProjection(build(task("clean", is_mapped=True))))
    feed.emit(StateChanged(0, "clean", Mapped(n_map_states=100_000)))
    running, success = Running(), Success()

    began = time.process_time()
    for index in range(20_000):
        feed.emit(StateChanged(2 * index + 1, f"clean[{index}]", running))
        feed.emit(StateChanged(2 * index + 2, f"clean[{index}]", success))
        if index % 400 == 0:
            feed._last = float("-inf")
            feed.step()
    took_s = time.process_time() - began

    assert took_s < 4.0 * slowness()
    assert len(sent) == 50
