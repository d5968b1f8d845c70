"""The list of runs that pages and the side bar show, and what a person decides from there."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from flowbook.exceptions import FlowbookError
from flowbook.flow_run.decision import Decision
from flowbook.flow_run.recorded_decision import decide_recorded
from flowbook.notebook.command_worker import Command, CommandWorker, RefusedError
from flowbook.notebook.run_overview import ExpectedEnds, overview
from flowbook.report.phrases import shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flowbook.flow_run.decision import Action
    from flowbook.store import Store

__all__ = ["LiveOverview"]

Message = dict[str, Any]
_SAID: Mapping[Action, str] = {
    "resume": "{name} goes on.",
    "retry": "{name}: what failed runs again.",
    "skip": "{name}: what waited is skipped.",
    "reject": "{name}: what waited is rejected.",
    "cancel": "{name} is being cancelled.",
    "cancel_now": "{name} is being stopped.",
}


class LiveOverview:
    """All runs of a store, as a list. Implements `connections.Subject`, shared by all pages.

    Args:
        store: has the runs.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._expected = ExpectedEnds(store)
        self._receivers: list[Callable[[Message], object]] = []
        self._told: Message | None = None
        self._worker = CommandWorker(self._tell, {"act": self._on_act})
        self._worker.start()

    def listen(self, receiver: Callable[[Message], object]) -> Callable[[], None]:
        """From now on tell `receiver` every message; returns a function that ends this."""
        self._receivers.append(receiver)
        return lambda: self._receivers.remove(receiver) if receiver in self._receivers else None

    def hear(self, content: object) -> None:
        """Take what a view said, and return at once."""
        if isinstance(content, dict) and content.get("type") == "hello":
            self._tell({"type": "ack", "id": content.get("id"), "ok": True, "text": ""})
            return
        self._worker.take(content)

    def opening(self) -> list[Message]:
        """Return the runs."""
        return [{"type": "overview", **overview(self._store, expected=self._expected)}]

    def leave(self) -> None:
        """Nothing to do: it is always there."""

    def look(self) -> None:
        """Tell the pages of the runs as they are now, if that is something new. Called by the thread that watches."""
        if not self._receivers:
            self._told = None
            return
        found = overview(self._store, expected=self._expected)
        if self._told is None or self._told["runs"] != found["runs"]:
            self._told = found
            self._tell({"type": "overview", **found})

    def close(self) -> None:
        """End the thread."""
        self._worker.close()

    def _tell(self, message: Message) -> None:
        for receiver in list(self._receivers):
            receiver(message)

    def _on_act(self, command: Command) -> str:
        run_id, action, note = str(command.get("run")), command.get("action"), command.get("note")
        text = note.strip() if isinstance(note, str) else ""
        found = next((each for each in _SAID if each.replace("_", "-") == action), None)
        if found is None:
            msg = f"There is no action {shorten(str(action), 40)!r} here. Reload the page, so that it and the server agree."
            raise RefusedError(msg)
        if found == "reject" and not text:
            msg = "Write a note first: it becomes the message of the failure."
            raise RefusedError(msg)
        summary = self._store.runs.summary(run_id)
        decide_recorded(self._store, run_id, Decision(found, by=str(command.get("by") or ""), note=text))
        with contextlib.suppress(FlowbookError):  # the thread that watches looks again
            self.look()
        return _SAID[found].format(name=f"{summary.flow}, run {summary.number}")
