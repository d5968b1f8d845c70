"""`flowbook.cache`: the cached outputs, listed, loaded and compared. Stateless: each call reads the store."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from flowbook.core import checks
from flowbook.exceptions import CacheEntryError, DefinitionError, ResultGoneError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from flowbook.core.flow import Flow
    from flowbook.core.task import Task
    from flowbook.core.value_diff import Difference
    from flowbook.results.reference import Preview
    from flowbook.store import CacheEntry, Store
    from flowbook.store.sweep import SweepResult

__all__ = ["CachedOutputs", "cache"]

_COLUMNS = (
    "id", "flow", "task", "created", "expires", "state", "size_bytes", "value", "uses", "pinned", "parameters",
    "cache_key", "run_id", "project",
)  # fmt: skip


class CachedOutputs:
    """The outputs of cached tasks. Its only instance is `flowbook.cache`; call it from any thread."""

    def entries(
        self, at: dt.datetime | str | None = None, flow: Flow | str | None = None, task: Task | str | None = None
    ) -> pd.DataFrame:
        """Return the entries, oldest first.

        Args:
            at: only those that could be reused at this time: a datetime (naive: local time) or ISO text; default: all.
            flow: a flow or its name; default: all.
            task: a task or its key; default: all.

        Returns:
            (entries, 14 columns): `id, flow, task, created, expires` (aware UTC), `state` ("valid", "expired", "future",
            or "dropped": its value was deleted), `size_bytes`, `value` (a short description), `uses, pinned, parameters,
            cache_key, run_id, project`.
        """
        import pandas as pd  # noqa: PLC0415  # heavy

        from flowbook.core.history import flow_name  # noqa: PLC0415
        from flowbook.flow_run.times import parse_time  # noqa: PLC0415
        from flowbook.report.secret_names import shown_parameters  # noqa: PLC0415

        store = _store()
        name = flow_name(flow)
        key = task if isinstance(task, str) or task is None else task._key_in(name)  # noqa: SLF001  # a task knows its key
        found = store.cache.entries(at=None if at is None else parse_time(at), flow=name, task=key)
        now = dt.datetime.now(dt.UTC)
        previews = store.values.previews(each.ref for each in found)  # noqa: PD011  # no table
        rows = [
            (
                each.id, each.flow, each.task, each.created, each.expires, entry_state(each, now), each.ref.size_bytes,
                _description(previews.get(each.ref.digest)), each.uses, each.pinned, shown_parameters(each.told_parameters),
                each.cache_key, each.run_id, each.project,
            )
            for each in found
        ]  # fmt: skip
        return pd.DataFrame(rows, columns=list(_COLUMNS))

    def load(self, entry: str) -> Any:  # noqa: ANN401  # what a user's task returned
        """Return an entry's value. A copy: changing it changes no cache.

        Raises:
            CacheEntryError: if there is no such entry.
            ResultGoneError: if its value was deleted.
            DamagedValueError: if its bytes have changed.
        """
        found = _entry(entry)
        try:
            return found.ref.load()
        except ResultGoneError as error:
            if error.details.get("name"):
                raise
            msg = (
                f"The output of task {found.task!r} of flow {found.flow!r} of {found.created:%Y-%m-%d %H:%M} UTC "
                f"({found.ref.size_bytes:,} bytes) is gone. Run its task again to get it back."
            )
            raise ResultGoneError(msg, id=entry, digest=found.ref.digest) from error

    def expire(self, entry: str) -> None:
        """Let no run reuse this entry from now on; its value stays until `gc` deletes it. Raises CacheEntryError."""
        _store().cache.expire(_entry(entry).id)

    def pin(self, entry: str, *, pinned: bool = True) -> None:
        """Let `gc` never delete this entry's value; with `pinned=False`, let it do so again. Raises CacheEntryError."""
        _store().cache.pin(_entry(entry).id, pinned=pinned)

    def diff(self, first: object, second: object, key: str | Sequence[str] | None = None) -> Difference:
        """Return the differences between two versions of an output.

        Args:
            first: the id of an entry, or a value. A text is always an id.
            second: likewise.
            key: the column or columns that identify a row; default: the index.

        Returns:
            DataFrames `added`, `removed`, `changed` (one row for each cell) and `schema`; false if nothing differs.

        Raises:
            CacheEntryError, ResultGoneError, DamagedValueError: as `load`.
            DefinitionError: if a key column is missing, or the key doesn't identify each row.
        """
        from flowbook.core.value_diff import compare  # noqa: PLC0415  # loads pandas

        before, after = (self.load(each) if isinstance(each, str) else each for each in (first, second))
        return compare(before, after, key)

    def gc(
        self, older_than: dt.timedelta | float | None = None, total_bytes: int | None = None, *, dry_run: bool = False
    ) -> SweepResult:
        """Free disk space: delete values that are old, expired, not pinned and not needed by an open run.

        Runs and entries stay listed. Reading a deleted value raises ResultGoneError, with its name, size and time of deletion.

        Args:
            older_than: a timedelta, or seconds. Younger values stay if they fit; default: `FLOWBOOK_KEEP_DAYS`, else 30 days.
                Zero deletes all that may be deleted.
            total_bytes: delete the oldest outputs of finished runs until the rest fits into this; default:
                `FLOWBOOK_MAX_TOTAL_BYTES`, else 20 GB.
            dry_run: delete nothing, only return what would be deleted.

        Raises:
            DefinitionError: if an argument isn't an age or a size.
            StoreError: if the store can't be written to.
        """
        if older_than is not None:
            older_than = checks.duration("older_than", older_than, "timedelta(days=30)")
            if older_than < dt.timedelta(0):
                msg = f"older_than={older_than.total_seconds():g} s is less than nothing. Give zero or more."
                raise DefinitionError(msg, older_than=repr(older_than))
        if total_bytes is not None and (
            not isinstance(total_bytes, int) or isinstance(total_bytes, bool) or total_bytes < 0
        ):
            msg = f"total_bytes={total_bytes!r} isn't a size. Give a whole number of bytes, e.g. 20_000_000_000."
            raise DefinitionError(msg, total_bytes=repr(total_bytes))
        return _store().sweep(older_than=older_than, limit_bytes=total_bytes, dry_run=dry_run)

    def __repr__(self) -> str:
        return "<flowbook.cache: entries(), load(id), expire(id), pin(id), diff(a, b), gc()>"


#: What users call `flowbook.cache`.
cache = CachedOutputs()


def entry_state(entry: CacheEntry, now: dt.datetime) -> str:
    """Return "valid", "expired", "future" or "dropped"."""
    if entry.dropped is not None:
        return "dropped"
    if entry.created > now:
        return "future"
    return "valid" if now < entry.expires else "expired"


def _store() -> Store:
    from flowbook.store import open_store  # noqa: PLC0415  # the store: longer to load than all the rest

    return open_store()


def _entry(entry: object) -> CacheEntry:
    if not isinstance(entry, str):
        msg = f"{entry!r} isn't the id of a cache entry. flowbook.cache.entries() lists them, in column 'id'."
        raise CacheEntryError(msg, id=repr(entry))
    return _store().cache.get(entry)


def _description(preview: Preview | None) -> str | None:
    return None if preview is None else str(preview.get("text", preview.get("type", "")))
