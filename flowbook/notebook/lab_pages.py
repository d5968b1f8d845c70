"""The kernel's end of the labextension: which pages there are, which panels they show, and what they say.

Handlers of messages only queue. Finding a run may read the store, so it is done by a worker, in order; commands of a panel go
to its session's own worker.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Protocol

from flowbook.exceptions import FlowbookError
from flowbook.notebook.command_worker import CommandWorker
from flowbook.notebook.lab_page import Comm, LabPage
from flowbook.notebook.pacer import Pacer
from flowbook.notebook.rest_watch import RestWatch
from flowbook.notebook.run_output import WIRE_VERSION, kept_output
from flowbook.report.phrases import error_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowbook.notebook.panel_session import PanelSession
    from flowbook.notebook.patch_feed import Message

__all__ = ["TARGET", "LabPages", "Runs"]

#: The comm's target.
TARGET = "jupyter-flowbook"
_CLOSE_S = 2.0
_CLOSED = "This panel was closed: its cell, or another one, shows the flow anew."
_logger = logging.getLogger("flowbook.notebook")


class Runs(Protocol):
    """What pages want of runs; `lab_runs.LabRuns` is one. All of it may raise FlowbookError."""

    def attach(self, run: str) -> PanelSession:
        """Return a session, not yet started, for that run."""
        ...

    def overview(self) -> Message:
        """Return the runs for a side bar."""
        ...

    def act(self, run_id: str, action: str, note: str) -> str:
        """Decide about a run; return a sentence."""
        ...


class LabPages:
    """The pages of one kernel.

    Args:
        runs: finds runs, wherever they run or ran.
    """

    def __init__(self, runs: Runs) -> None:
        self.pacer = Pacer()
        self._runs = runs
        self._pages: list[LabPage] = []
        #: By the panel's name: those that cells made, and those that pages asked for.
        self._sessions: dict[str, PanelSession] = {}
        self._attached: set[str] = set()
        self._worker = CommandWorker(lambda _: None, {})
        self._worker.start()
        self._rest_watch = RestWatch()

    @property
    def has_pages(self) -> bool:
        """Whether some page shows panels through the labextension."""
        return bool(self._pages)

    def add(self, panel: str, session: PanelSession) -> None:
        """Let pages find the session of a panel that a cell shows."""
        self._sessions[panel] = session
        self._rest_watch.add(session)

    def remove(self, panel: str) -> None:
        """Forget a panel whose session was closed; pages show it as Saved."""
        session = self._sessions.pop(panel, None)
        if session is not None:
            self._rest_watch.remove(session)
        for page in list(self._pages):
            if panel in page.watched:
                page.unwatch(panel)
                page.tell(
                    panel,
                    {"type": "gone", "text": "This panel was closed: its cell, or another one, shows the flow anew."},
                )

    def close(self) -> None:
        """Close all comms and end what pages asked for."""
        for page in list(self._pages):
            self._drop(page)
        self._worker.close()
        self._rest_watch.close(_CLOSE_S)
        self.pacer.join(_CLOSE_S)

    def open(self, comm: Comm, message: Mapping[str, Any]) -> None:
        """Take a page's comm: the target of `comm_open`. It runs on the shell that answers the page while a cell runs."""
        data = message["content"]["data"]
        if data.get("wire") != WIRE_VERSION:
            comm.send({"told": [("", {"type": "version", "wire": WIRE_VERSION})]})
            comm.close()
            return
        for silent in [page for page in self._pages if page.is_silent]:
            self._drop(silent)
        page = LabPage(comm, self.pacer.wake.set)
        comm.on_msg(lambda heard: self._hear(page, heard["content"]["data"]))
        comm.on_close(lambda _: self._leave(page))
        self._pages.append(page)
        self.pacer.add(page)
        page.tell("", {"type": "open"})
        self._hear(page, data)

    def _hear(self, page: LabPage, data: Mapping[str, Any]) -> None:
        page.heard()
        kind = data.get("type")
        if kind == "say":
            self._say(page, str(data.get("panel")), data.get("message"))
        elif kind == "watch":
            for wanted in data.get("panels", ()):
                self._worker.call(lambda wanted=wanted: self._watch(page, wanted))  # type: ignore[misc]  # bound now
        elif kind == "unwatch":
            for panel in data.get("panels", ()):
                self._worker.call(lambda panel=panel: self._unwatch(page, panel))  # type: ignore[misc]  # bound now

        elif kind == "overview":
            self._worker.call(lambda: self._tell_overview(page))
        elif kind == "act":
            self._worker.call(lambda: self._act(page, data))

    def _say(self, page: LabPage, panel: str, message: object) -> None:
        session = self._sessions.get(panel)
        if session is not None and panel in page.watched:
            session.hear(message)

    # In the worker's thread.

    def _watch(self, page: LabPage, wanted: Mapping[str, Any]) -> None:
        panel = str(wanted.get("panel"))
        try:
            session = self._sessions.get(panel) or self._found(panel, str(wanted.get("run")))
        except FlowbookError as error:
            page.tell(panel, {"type": "forgotten", "text": str(error)})
            return
        except Exception as error:  # whatever went wrong, the page must get an answer
            _logger.exception("A run could not be shown.")
            page.tell(panel, {"type": "forgotten", "text": error_text(error)})
            return
        if page.is_done:
            return
        page.unwatch(panel)
        page.watched[panel] = session.listen(lambda message: page.tell(panel, message))
        if not wanted.get("graph") or wanted.get("run") != session.run.run_id or session.is_redrawn:
            page.tell(panel, {"type": "graph", "graph": session.graph})
        page.tell(panel, {"type": "watched"})
        if session.is_at_rest and wanted.get("stamp") != session.stamp:
            session.call(lambda: page.tell(panel, {"type": "kept", "output": kept_output(session, panel)}))

    def _found(self, panel: str, run_id: str) -> PanelSession:
        session = self._runs.attach(run_id)
        session.start(self.pacer)
        self.add(panel, session)
        self._attached.add(panel)
        return session

    def _tell_overview(self, page: LabPage) -> None:
        try:
            page.tell("", {"type": "overview", **self._runs.overview()})
        except FlowbookError as error:
            page.tell("", {"type": "overview", "now": 0, "runs": [], "text": str(error)})

    def _act(self, page: LabPage, data: Mapping[str, Any]) -> None:
        try:
            note = data.get("note")
            text = self._runs.act(str(data.get("run")), str(data.get("action")), note if isinstance(note, str) else "")
            is_done = True
        except FlowbookError as error:
            text, is_done = str(error), False
        page.tell("", {"type": "ack", "id": data.get("id"), "ok": is_done, "text": text})
        self._tell_overview(page)

    def _unwatch(self, page: LabPage, panel: str) -> None:
        page.unwatch(panel)
        if panel in self._attached and not any(panel in other.watched for other in self._pages):
            self._attached.discard(panel)
            session = self._sessions.pop(panel)
            self._rest_watch.remove(session)
            session.close()

    def _leave(self, page: LabPage) -> None:
        """Forget a page that closed its comm."""
        if page in self._pages:
            self._pages.remove(page)
        watched = list(page.watched)
        page.leave()
        for panel in watched:
            self._worker.call(lambda panel=panel: self._unwatch(page, panel))  # type: ignore[misc]  # bound now

    def _drop(self, page: LabPage) -> None:
        """Close the comm of a page that has gone silent; if it is there after all, it opens another."""
        self._leave(page)
        page.close()
