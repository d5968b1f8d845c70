"""Executes the commands of views, one at a time in a thread of its own, each command once.

A message handler only queues a command and returns, so that the kernel stays free. A view repeats a command that wasn't
acknowledged; the repetition gets the same answer and isn't executed again.
"""

from __future__ import annotations

import contextvars
import logging
import queue
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from flowbook._utils import threads
from flowbook._utils.loaded import LoadedClasses
from flowbook._utils.locks import Rank, RankedLock
from flowbook.exceptions import FlowbookError
from flowbook.report.phrases import error_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Command", "CommandWorker", "RefusedError"]

#: What a view sent: `type`, `id`, and what belongs to the type.
Command = dict[str, Any]
_MOST_REMEMBERED = 1000
_CLOSE_S = 2.0
#: A thread without work ends after this long.
_IDLE_S = 5.0
#: Where IPython isn't loaded, as on a page, it raised nothing.
_USAGE_ERROR = LoadedClasses("IPython.core.error", "UsageError")
_logger = logging.getLogger("flowbook.notebook")


class RefusedError(FlowbookError):
    """A command can't be executed now. The message says why; the view shows it beside the button."""


class CommandWorker:
    """Executes commands and sends their acknowledgements.

    Args:
        post: sends a message to the views, in order.
        handlers: by type of command: executes it and returns the sentence of its acknowledgement.
        reads: types that change nothing; these are executed again when repeated.

    Handlers raise `FlowbookError` to refuse. After `start` a thread is there as long as there is work; without it, `step` does
    one job.
    """

    def __init__(
        self,
        post: Callable[[dict[str, Any]], None],
        handlers: Mapping[str, Callable[[Command], str]],
        reads: frozenset[str] = frozenset(),
    ) -> None:
        self._post = post
        self._handlers = handlers
        self._reads = reads
        self._jobs: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._answers: OrderedDict[tuple[str, str], dict[str, Any]] = OrderedDict()
        self._lock = RankedLock(Rank.PANEL)
        self._context = contextvars.copy_context()
        self._is_started = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """From now on work in a thread, which comes with the first job and goes when there has been none for a while."""
        with self._lock:
            self._context = contextvars.copy_context()
            self._is_started = True
            self._ensure_thread()

    def take(self, command: object) -> None:
        """Queue what a view sent and return at once. A message without type and id is ignored."""
        if isinstance(command, dict) and isinstance(command.get("type"), str) and isinstance(command.get("id"), str):
            self.call(lambda: self._answer(command))

    def call(self, job: Callable[[], object]) -> None:
        """Queue `job`."""
        with self._lock:
            self._jobs.put(job)
            self._ensure_thread()

    def step(self, timeout_s: float = 0.0) -> bool:
        """Execute one job, if there is one; return whether there was."""
        try:
            job = self._jobs.get(timeout=timeout_s) if timeout_s else self._jobs.get_nowait()
        except queue.Empty:
            return False
        if job is not None:
            self._guarded(job)
        return job is not None

    def drain(self, timeout_s: float = 2.0) -> bool:
        """Wait until what is queued is executed. Return False if that takes longer than `timeout_s`."""
        done = threading.Event()
        self.call(done.set)
        return done.wait(timeout_s) if self._thread is not None else True

    def close(self) -> None:
        """End the thread once it has executed what is queued; wait for that at most 2 s."""
        with self._lock:
            self._is_started = False
            thread = self._thread
            self._jobs.put(None)
        if thread is not None and thread is not threading.current_thread():
            thread.join(_CLOSE_S)

    def _ensure_thread(self) -> None:
        """Start the thread if there is work for it. Call it with the lock held."""
        if self._is_started and self._thread is None and not self._jobs.empty():
            # Tasks of a run that a command starts print below the cell, not below the command's message.
            self._thread = self._context.run(threads.spawn, self._work, name="panel", owner=self)

    def _work(self) -> None:
        while (job := self._next()) is not None:
            self._guarded(job)

    def _next(self) -> Callable[[], object] | None:
        try:
            return self._jobs.get(timeout=_IDLE_S)
        except queue.Empty:
            pass
        with self._lock:
            if self._jobs.empty():
                self._thread = None
                return None
        return self._jobs.get()

    def _guarded(self, job: Callable[[], object]) -> None:
        try:
            job()
        except Exception:
            _logger.exception("The panel failed to execute a command; the run goes on.")

    def _answer(self, command: Command) -> None:
        name = (str(command.get("view", "")), command["id"])
        known = self._answers.get(name)
        if known is not None and command["type"] not in self._reads:
            self._post(known)
            return
        ack = self._carry_out(command)
        self._answers[name] = ack
        while len(self._answers) > _MOST_REMEMBERED:
            self._answers.popitem(last=False)
        self._post(ack)

    def _carry_out(self, command: Command) -> dict[str, Any]:
        handler = self._handlers.get(command["type"], _unknown)
        try:
            return {"type": "ack", "id": command["id"], "ok": True, "text": handler(command)}
        except Exception as error:  # whatever went wrong, the view must get an answer
            if _is_refusal(error):
                return {"type": "ack", "id": command["id"], "ok": False, "text": str(error)}
            _logger.exception("A command of the panel failed: %s", command["type"])
            return {"type": "ack", "id": command["id"], "ok": False, "text": error_text(error)}


def _is_refusal(error: Exception) -> bool:
    """Return whether an error only tells a person what can't be done, or what they wrote wrongly."""
    return isinstance(error, (FlowbookError, _USAGE_ERROR.now()))


def _unknown(command: Command) -> str:
    msg = f"There is no command {command['type']!r} here. Run the cell again, so that view and kernel agree."
    raise RefusedError(msg)
