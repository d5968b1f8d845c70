"""The kernel's end of the labextension, with comms that only note what was sent."""

from __future__ import annotations

import contextvars
import threading
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

import flowbook
from flowbook import Flow, task, triggers
from flowbook.exceptions import UnknownRunError
from flowbook.notebook.lab_pages import LabPages
from flowbook.notebook.panel_session import PanelSession
from flowbook.notebook.run_output import RUN_MIME
from tests.own_threads import left_since, own_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LONG_S = 20
where: contextvars.ContextVar[str] = contextvars.ContextVar("where", default="elsewhere")


class FakeComm:
    """Notes what is sent, and in which context."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.contexts: set[str] = set()
        self.is_closed = False
        self._changed = threading.Condition()
        self._hear: Callable[[dict[str, Any]], object] = print
        self._leave: Callable[[dict[str, Any]], object] = print

    def send(self, data: dict[str, Any]) -> None:
        with self._changed:
            self.sent.extend(data["told"])
            self.contexts.add(where.get())
            self._changed.notify_all()

    def close(self) -> None:
        self.is_closed = True

    def on_msg(self, call: Callable[[dict[str, Any]], object]) -> None:
        self._hear = call

    def on_close(self, call: Callable[[dict[str, Any]], object]) -> None:
        self._leave = call

    def say(self, **data: Any) -> None:
        self._hear({"content": {"data": data}})

    def leave(self) -> None:
        self._leave({})

    def until(self, panel: str, type_: str) -> dict[str, Any]:
        """Return the last message of that type to that panel, once there is one; and forget all that was sent."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._of(panel, type_), LONG_S), self.sent
            found = self._of(panel, type_)[-1]
            self.sent.clear()
        return found

    def until_told(self, panel: str, is_it: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Return the first message to that panel of which `is_it` says so, once there is one."""

        def found() -> list[dict[str, Any]]:
            return [message for to, message in list(self.sent) if to == panel and is_it(message)]

        with self._changed:
            assert self._changed.wait_for(found, LONG_S), self.sent
            return found()[0]

    def _of(self, panel: str, type_: str) -> list[dict[str, Any]]:
        return [message for to, message in self.sent if to == panel and message["type"] == type_]


class Runs:
    """Knows one run."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.attached: list[PanelSession] = []

    def attach(self, run: str) -> PanelSession:
        last = self.flow.last_run
        if last is None or last.run_id != run:
            msg = f"There is no run {run!r}."
            raise UnknownRunError(msg, run_id=run)
        self.attached.append(PanelSession(last))
        return self.attached[-1]

    def overview(self) -> dict[str, Any]:
        return {"now": 5.0, "runs": []}

    def act(self, run_id: str, action: str, note: str) -> str:
        if run_id == "none":
            msg = "There is no run 'none'."
            raise UnknownRunError(msg, run_id=run_id)
        return f"{action} {run_id} {note}".strip()


@pytest.fixture
def flow() -> Flow:
    @task(trigger=triggers.manual_only)
    def approve() -> int:
        return 1

    with Flow("delays") as flow:
        approve()
    flow.run()
    return flow


@pytest.fixture
def pages(flow: Flow) -> Iterator[LabPages]:
    pages = LabPages(Runs(flow))
    yield pages
    pages.close()


def _open(pages: LabPages, **data: Any) -> FakeComm:
    comm = FakeComm()

    def opened() -> None:
        where.set("the opening")
        pages.open(comm, {"content": {"data": {"wire": 1, "type": "watch", "panels": [], **data}}})

    contextvars.copy_context().run(opened)
    return comm


def test_a_page_of_another_version_is_told_so_and_let_go(pages: LabPages) -> None:
    comm = _open(pages, wire=7)

    assert comm.sent == [("", {"type": "version", "wire": 1})]
    assert (comm.is_closed, pages.has_pages) == (True, False)


def test_a_panel_of_a_cell_is_told_and_heard_in_the_context_of_the_opening(pages: LabPages, flow: Flow) -> None:
    run = flow.last_run
    session = PanelSession(run)
    session.start(pages.pacer)
    pages.add("p", session)
    comm = _open(pages, panels=[{"panel": "p", "run": run.run_id, "stamp": session.stamp, "graph": True}])
    comm.until("p", "watched")

    comm.say(type="say", panel="p", message={"type": "hello", "id": "h", "view": "v"})
    snapshot = comm.until("p", "snapshot")
    comm.say(type="say", panel="p", message={"type": "resume", "id": "c", "view": "v", "key": "approve"})
    ack = comm.until("p", "ack")
    run.wait()
    session.close()

    assert snapshot["tasks"]["approve"]["state"] == "Paused"
    assert ack == {"type": "ack", "id": "c", "ok": True, "text": "approve goes on."}
    assert comm.contexts == {"the opening"}


def test_a_panel_that_is_unknown_here_follows_its_run_as_long_as_somebody_watches(flow: Flow) -> None:
    runs, before = Runs(flow), own_threads()
    pages = LabPages(runs)
    comm = _open(pages, panels=[{"panel": "old", "run": flow.last_run.run_id, "stamp": "", "graph": False}])
    kept = comm.until("old", "kept")["output"]

    comm.say(type="unwatch", panels=["old"])
    comm.say(type="overview")
    comm.until("", "overview")
    pages.close()

    assert (kept[RUN_MIME]["flow"], kept[RUN_MIME]["stamp"]) == ("delays", runs.attached[0].stamp)
    assert [session._is_over for session in runs.attached] == [True]
    assert left_since(before) == set()


def test_what_the_page_knows_already_is_not_sent_again(pages: LabPages, flow: Flow) -> None:
    session = PanelSession(flow.last_run)
    known = {"panel": "p", "run": flow.last_run.run_id, "stamp": session.stamp, "graph": True}
    session.close()
    comm = _open(pages, panels=[known])
    comm.say(type="overview")
    with comm._changed:
        assert comm._changed.wait_for(lambda: comm._of("", "overview"), LONG_S)

    assert [(to, message["type"]) for to, message in comm.sent] == [("", "open"), ("p", "watched"), ("", "overview")]


def test_a_graph_that_was_drawn_anew_before_the_page_asked_is_sent(pages: LabPages) -> None:
    @task
    def load() -> object:
        return pd.DataFrame({"a": [1]})

    @task
    def count(rows: list) -> int:
        return len(rows)

    with Flow("rows") as flow:
        count(load())
    flow.run()
    session = PanelSession(flow.last_run)
    before = session.graph["height"]
    pages.add("p", session)

    session.start(pages.pacer)
    assert session.drain()
    comm = _open(pages, panels=[{"panel": "p", "run": flow.last_run.run_id, "stamp": session.stamp, "graph": True}])
    sent = comm.until("p", "graph")
    session.close()

    assert sent["graph"]["height"] > before


def test_a_run_that_nobody_knows_is_one_sentence(pages: LabPages) -> None:
    comm = _open(pages, panels=[{"panel": "p", "run": "gone", "stamp": "", "graph": True}])

    assert comm.until("p", "forgotten") == {"type": "forgotten", "text": "There is no run 'gone'."}


def test_two_pages_are_both_told_and_one_that_leaves_is_told_no_more(pages: LabPages, flow: Flow) -> None:
    session = PanelSession(flow.last_run)
    session.start(pages.pacer)
    pages.add("p", session)
    wanted = {"panel": "p", "run": flow.last_run.run_id, "stamp": session.stamp, "graph": True}
    first, second = _open(pages, panels=[wanted]), _open(pages, panels=[wanted])
    first.until("p", "watched")
    second.until("p", "watched")

    session.tell({"type": "note"})
    told = [first.until("p", "note"), second.until("p", "note")]
    first.leave()
    session.tell({"type": "later"})
    second.until("p", "later")
    session.close()

    assert told == [{"type": "note"}, {"type": "note"}]
    assert first.sent == []


def test_a_panel_that_is_closed_says_why(pages: LabPages, flow: Flow) -> None:
    session = PanelSession(flow.last_run)
    session.start(pages.pacer)
    pages.add("p", session)
    comm = _open(pages, panels=[{"panel": "p", "run": flow.last_run.run_id, "stamp": session.stamp, "graph": True}])
    comm.until("p", "watched")

    pages.remove("p")
    session.close()

    text = "This panel was closed: its cell, or another one, shows the flow anew."
    assert comm.until("p", "gone") == {"type": "gone", "text": text}


def test_decisions_from_the_side_bar_are_answered_with_a_sentence(pages: LabPages) -> None:
    comm = _open(pages)

    comm.say(type="act", id="a1", run="r", action="resume")
    done = comm.until("", "ack")
    comm.say(type="act", id="a2", run="none", action="resume")
    refused = comm.until("", "ack")

    assert done == {"type": "ack", "id": "a1", "ok": True, "text": "resume r"}
    assert refused == {"type": "ack", "id": "a2", "ok": False, "text": "There is no run 'none'."}


def test_no_thread_is_left_once_pages_and_panels_are_gone(flow: Flow) -> None:
    pages, before = LabPages(Runs(flow)), own_threads()
    for _ in range(3):
        comm = _open(pages, panels=[{"panel": "p", "run": flow.last_run.run_id, "stamp": "", "graph": False}])
        comm.until("p", "kept")
        comm.leave()

    pages.close()

    assert left_since(before) == set()


def test_a_panel_of_a_run_at_rest_is_told_when_another_process_goes_on_with_it(pages: LabPages, flow: Flow) -> None:
    run = flow.run(record=True) and flow.last_run
    session = PanelSession(run)
    session.start(pages.pacer)
    pages.add("p", session)
    comm = _open(pages, panels=[{"panel": "p", "run": run.run_id, "stamp": session.stamp, "graph": True}])
    comm.until("p", "watched")

    flowbook.run(run.run_id).resume()
    told = comm.until_told("p", lambda message: (message.get("run") or {}).get("stage") == "over")
    pages.remove("p")
    session.close()

    assert (told["run"]["state"], run.state.is_successful()) == ("Success", True)


def test_watching_runs_at_rest_ends_with_the_last_panel(flow: Flow) -> None:
    before = own_threads()
    pages = LabPages(Runs(flow))
    sessions = {name: PanelSession(flow.last_run) for name in ("p", "q")}
    for name, session in sessions.items():
        pages.add(name, session)
    (watching,) = [thread for thread in threading.enumerate() if thread.name == "flowbook-rest"]

    pages.remove("p")
    has_ended_early = not watching.is_alive()
    pages.remove("q")
    watching.join(LONG_S)
    pages.close()

    assert (has_ended_early, watching.is_alive(), left_since(before)) == (False, False, set())
