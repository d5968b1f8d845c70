"""The runs that pages show: one session for each run, however many pages show it, and one thread that reads what is new.

A run stays open for a while after its last page has left, so that a command which is repeated then isn't carried out twice.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from flowbook._utils import threads
from flowbook._utils.locks import Rank, RankedLock
from flowbook.exceptions import FlowbookError, UnknownRunError
from flowbook.flow_run.run_comparison import compared_runs
from flowbook.notebook.command_worker import RefusedError
from flowbook.notebook.comparison_view import comparison_view
from flowbook.notebook.pacer import Pacer
from flowbook.notebook.panel_actions import PanelActions
from flowbook.notebook.panel_records import PanelRecords, run_that_made
from flowbook.notebook.panel_session import PanelSession
from flowbook.notebook.rest_plan_view import rest_plan_view
from flowbook.pages.frames import pager_of
from flowbook.pages.stored_run import StoredRun
from flowbook.pages.stored_versions import StoredVersions

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowbook.notebook.ports import RunLike
    from flowbook.store import Store

__all__ = ["LiveRun", "LiveRuns"]

Message = dict[str, Any]
#: How often a run that somebody watches is read, and how long one that nobody watches stays open.
_LOOK_S, _IDLE_S = 0.1, 120.0
#: How often what runs at all is looked for.
_OVERVIEW_S = 1.0
_DELETED = "This run was deleted. What is shown is how it was before."
_log = logging.getLogger("flowbook.pages")


class LiveRun:
    """One run that pages show, implements `connections.Subject`.

    Args:
        run: the run.
        session: shows it.
    """

    def __init__(self, run: StoredRun, session: PanelSession) -> None:
        self.run = run
        self.session = session
        self.watchers = 0
        self.left = time.monotonic()

    def listen(self, receiver: Callable[[Message], object]) -> Callable[[], None]:
        """From now on tell `receiver` every message; returns a function that ends this."""
        return self.session.listen(receiver)

    def hear(self, content: object) -> None:
        """Take what a view said, and return at once."""
        self.session.hear(content)

    def opening(self) -> list[Message]:
        """Return the graph and the present states."""
        return [{"type": "graph", "graph": self.session.graph}, {"type": "snapshot", **self.session.snapshot}]

    def leave(self) -> None:
        """Take notice that a page is gone."""
        self.watchers -= 1
        self.left = time.monotonic()

    @property
    def is_idle(self) -> bool:
        """Whether nobody has watched it for long."""
        return self.watchers <= 0 and time.monotonic() - self.left > _IDLE_S


class LiveRuns:
    """All runs of a store that pages show.

    Args:
        store: has the runs.
        on_change: called in the watching thread, at most once a second, when anything was committed to the store.
    """

    def __init__(self, store: Store, on_change: Callable[[], object] = lambda: None) -> None:
        self._store = store
        self._on_change = on_change
        self._pacer = Pacer()
        self._runs: dict[str, LiveRun] = {}
        self._lock = RankedLock(Rank.PAGES)
        self._stop = threading.Event()
        self._is_watching = False
        self._seen: object = None
        self._next_overview = 0.0

    def open(self, run_id: str) -> LiveRun:
        """Return a run for one more page. Raises UnknownRunError: if there is no such run."""
        self._watch()
        with self._lock:
            found = self._runs.get(run_id)
            if found is not None:
                found.watchers += 1
                return found
        made = self._make(run_id)
        with self._lock:
            kept = self._runs.setdefault(run_id, made)
            kept.watchers += 1
        if kept is not made:
            made.session.close()
        return kept

    def now(self, run_id: str) -> LiveRun:
        """Return a run as it is now, for one look. Raises UnknownRunError: if there is no such run."""
        found = self.open(run_id)
        found.leave()
        found.run.look()
        return found

    def watch(self) -> None:
        """Look for changes from now on, if nobody did so far."""
        self._watch()

    def close(self) -> None:
        """End all sessions and the thread."""
        self._stop.set()
        with self._lock:
            closing, self._runs = list(self._runs.values()), {}
        for each in closing:
            each.session.close()

    def _make(self, run_id: str) -> LiveRun:
        run = StoredRun(self._store, run_id)
        session = PanelSession(run, actions_for(self._store, run))
        session.start(self._pacer)
        return LiveRun(run, session)

    # The thread that reads what is new

    def _watch(self) -> None:
        with self._lock:
            if self._is_watching or self._stop.is_set():
                return
            self._is_watching = True
        threads.spawn(self._work, name="pages", owner=self)

    def _work(self) -> None:
        while not self._stop.wait(_LOOK_S):
            for each in list(self._runs.values()):
                self.look(each)
            self._look_at_all()

    def look(self, live: LiveRun) -> None:
        """Read what is new of a run, and tell its pages."""
        try:
            if live.is_idle:
                self._forget(live)
            elif live.watchers > 0 and live.run.look():
                live.session.refresh()
        except UnknownRunError:
            live.session.tell_notice(_DELETED)
        except FlowbookError as error:
            _log.debug("Run %s can't be read now: %s", live.run.run_id, error)
        except Exception:  # noqa: BLE001  # whatever went wrong with one run, the others go on
            _log.exception("Run %s can't be shown as it is now.", live.run.run_id)

    def _forget(self, live: LiveRun) -> None:
        with self._lock:
            if live.watchers > 0:
                return
            self._runs.pop(live.run.run_id, None)
        live.session.close()

    def _look_at_all(self) -> None:
        if time.monotonic() < self._next_overview:
            return
        self._next_overview = time.monotonic() + _OVERVIEW_S
        try:
            now = self._store.requests.version()
            if now != self._seen:
                self._seen = now
                self._on_change()
        except FlowbookError as error:
            _log.debug("The runs can't be listed now: %s", error)
        except Exception:  # noqa: BLE001  # the thread must go on
            _log.exception("The runs can't be listed.")


def actions_for(store: Store, run: StoredRun) -> PanelActions:
    """Return what a panel on a page needs: it reads the store, decides about the run, and has neither code nor variables."""
    records = PanelRecords(run.flow_name, lambda: run, run.record.project)
    return PanelActions(
        history=records.history,
        decisions_before=records.decisions,
        maker=run_that_made,
        runs=records.runs,
        rows_before=records.rows,
        open_run=_refuse_open,
        pages=pager_of(store),
        versions=StoredVersions(store, run.run_id),
        plan_rest=lambda shown, way: rest_plan_view(shown, way, store.plan_reads(run.record.project, run.flow_name)),
        compare=lambda first, second: _compared(store, first, second),
    )


def _compared(store: Store, first: str, second: str) -> dict[str, Any]:
    runs = StoredRun(store, first), StoredRun(store, second)
    return comparison_view(compared_runs(*runs, store))


def _refuse_open(run_id: str) -> RunLike:
    msg = f"Open the page of run {run_id[:8]} instead."
    raise RefusedError(msg)
