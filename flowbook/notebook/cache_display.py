"""What `%cache` shows: the cache browser, or a table for hosts without a front end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.display import display

from flowbook.core.flow import Flow
from flowbook.core.run_below import below_entry
from flowbook.notebook.arguments import parse_moment
from flowbook.notebook.cache_browser import CacheBrowser
from flowbook.notebook.cache_session import MOST_ENTRIES, BelowEntry, CacheActions
from flowbook.notebook.command_worker import RefusedError
from flowbook.notebook.display import assign_variable
from flowbook.store.cache import NEVER
from flowbook.store.records import now

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.display import DisplayHandle

    from flowbook.notebook.display import FlowView
    from flowbook.notebook.ports import EntryLike
    from flowbook.store import Store

__all__ = ["cache_entries", "open_cache"]


def open_cache(
    shell: InteractiveShell, store: Store, *, task: str | None, at: str | None, new_view: Callable[[Flow], FlowView]
) -> CacheBrowser:
    """Show the cache browser below the running cell; `new_view` makes the view of a run that is started in it.

    Raises:
        UsageError: if `at` isn't a time.
    """
    browser = CacheBrowser(
        store.browse(),
        store.values,
        actions=CacheActions(
            assign=lambda wanted, value: assign_variable(shell, wanted, value),
            pin=lambda entry, is_pinned: store.cache.pin(entry, pinned=is_pinned),
            expire=store.cache.expire,
            renew=store.cache.renew,
            below=lambda entry: _BelowEntry(_flow_named(shell, entry.flow), store, entry, new_view),
        ),
        task=task,
        at=parse_moment(at) if at is not None else None,
        numbers=store.runs.numbers,
    )
    handle = display(browser, display_id=True)
    if handle is not None:
        browser.on_unheard = lambda: _make_again(browser, handle)
    return browser


def _make_again(browser: CacheBrowser, handle: DisplayHandle) -> None:
    """Show another model of the widget; meanwhile words, as JupyterLab hides what has shown a model that went."""
    handle.update({"text/plain": "The cache browser is loaded again."}, raw=True)
    browser.open_again()
    handle.update(browser)


class _BelowEntry(BelowEntry):
    """Runs what lies below an entry's task, in the flow of that name in the notebook, and shows it below the cell of `%cache`."""

    def __init__(self, flow: Flow, store: Store, entry: EntryLike, new_view: Callable[[Flow], FlowView]) -> None:
        self._flow = flow
        self._entry = entry
        self._new_view = new_view
        self._options = below_entry(flow, store.cache.get(entry.id))

    def plan(self) -> Mapping[str, Any]:
        return self._flow.plan(self._parameters(), **self._options).plain()

    def start(self) -> str:
        view = self._new_view(self._flow)
        run = view.start(self._parameters(), record=True, origin="", **self._options)
        view.show(with_widget=True)
        named = self._options["based_on"].name
        return f"{self._flow.name} run {run.number} runs what lies below {self._entry.task}, from {named}. Its panel is below."

    def _parameters(self) -> dict[str, object]:
        """Return the parameters with which the entry was made; those that are no plain values keep their defaults."""
        known = {each.name for each in self._flow.parameters()}
        given = self._entry.parameters or {}
        return {name: value for name, value in given.items() if name in known and not isinstance(value, dict)}


def _flow_named(shell: InteractiveShell, name: str) -> Flow:
    """Return the notebook's flow of that name. Raises RefusedError."""
    found = shell.user_ns.get(name)
    if isinstance(found, Flow):
        return found
    for each in list(shell.user_ns.values()):
        if isinstance(each, Flow) and each.name == name:
            return each
    msg = f"This notebook has no flow {name!r}. Run its cell, then run what lies below an earlier output."
    raise RefusedError(msg)


def cache_entries(store: Store, *, task: str | None, at: str | None) -> pd.DataFrame:
    """Return what the browser would list, newest first, as a DataFrame, for hosts without a front end.

    Raises:
        UsageError: if `at` isn't a time.
    """
    import pandas as pd  # noqa: PLC0415  # heavy

    from flowbook.results.preview import format_size  # noqa: PLC0415

    moment = parse_moment(at) if at is not None else None
    found = store.browse().window(moment or now(), MOST_ENTRIES, task=task)
    if found.total > len(found.entries):
        print(f"The newest {MOST_ENTRIES} entries; flowbook.cache.entries() lists all.")  # noqa: T201  # the cell's own output
    entries = [entry for entry in found.entries if moment is None or entry.is_valid(moment)]
    rows = [
        (e.flow, e.task, e.created, e.expires, format_size(e.ref.size_bytes), e.uses, e.told_parameters, e.id)
        for e in reversed(entries)
    ]
    table = pd.DataFrame(rows, columns=["flow", "task", "created", "expires", "size", "uses", "parameters", "id"])
    for name in ("created", "expires"):
        table[name] = pd.to_datetime(table[name], utc=True).dt.floor("s")
    table["expires"] = table["expires"].mask(
        table["expires"] >= NEVER
    )  # it never does: better no time than that of the year 9999
    return table
