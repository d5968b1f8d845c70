"""What is live on the pages of one store, and who looks at them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.flow_run.run_names import find_run_id
from flowbook.notebook.pacer import Pacer
from flowbook.pages.connections import Connections
from flowbook.pages.input_tables import InputTables
from flowbook.pages.live_cache import LiveCache
from flowbook.pages.live_overview import LiveOverview
from flowbook.pages.live_runs import LiveRuns

if TYPE_CHECKING:
    from starlette.requests import Request

    from flowbook.pages.connections import Subject
    from flowbook.store import Store

__all__ = ["PERSON", "Hub", "hub_of", "person_of"]

#: Under this name a server that knows who is logged in says so in a request's scope.
PERSON = "flowbook.person"
_MOST_BY = 100


class Hub:
    """What is live on the pages of one store.

    Args:
        store: the store.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.connections = Connections()
        self.overview = LiveOverview(store)
        self.runs = LiveRuns(store, self._look)
        self.input_tables = InputTables(store)
        self._pacer = Pacer()

    def subject(self, what: str) -> Subject:
        """Return what a page asks to show: "runs", "cache" or "run:ID". Raises FlowbookError: if there is no such run."""
        if what == "cache":
            return LiveCache(self.store, self._pacer)
        if what == "runs":
            self.runs.watch()
            return self.overview
        return self.runs.open(find_run_id(self.store, what.removeprefix("run:")))

    def close(self) -> None:
        """End everything that is live."""
        self.connections.close()
        self.runs.close()
        self.overview.close()

    def _look(self) -> None:
        self.overview.look()
        self.connections.forget_gone()
        self.input_tables.forget_idle()


def hub_of(request: Request) -> Hub:
    """Return what is live in the application that got a request."""
    found: Hub = request.app.state.hub
    return found


def person_of(request: Request, named: object) -> str:
    """Return who decides: who is logged in, where that is known; else the name that the page was given."""
    known = request.scope.get(PERSON)
    if isinstance(known, str) and known:
        return known
    return " ".join(named.split())[:_MOST_BY] if isinstance(named, str) else ""
