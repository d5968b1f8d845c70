"""Makes room: drops values that are no longer needed, and records the name of each.

Values stay if they are pinned, unexpired, young, or needed by a deployment or an open run (running, paused, retrying,
crashed). Runs and cache entries stay listed; only their values go. Nothing is unpickled.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flowbook.exceptions import StoreError
from flowbook.store.process_identity import is_alive
from flowbook.store.queries import queries
from flowbook.store.records import from_stamp
from flowbook.store.state_codec import is_finished_name
from flowbook.store.store_errors import in_words

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from flowbook.results.blobs import Blobs
    from flowbook.store.database import Database

__all__ = ["Sweep", "SweepResult", "total_bytes"]

#: How long an unreferenced value or file stays while others use the store: a reference to it may be about to be written.
_GRACE_S = 600.0
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class SweepResult:
    """What a sweep dropped, or would drop.

    Attributes:
        dropped: name and size in bytes of each value.
        entries: number of cache entries that lost their value.
        orphans: number of removed files that belonged to nothing.
        freed_bytes: size of the dropped values and orphans.
        kept_bytes: size of the values that are left.
        trouble: why files of dropped values are still there, if they are; a later sweep removes them.
    """

    dropped: tuple[tuple[str, int], ...] = field(repr=False)
    entries: int
    orphans: int
    freed_bytes: int
    kept_bytes: int
    trouble: str = ""


class Sweep:
    """One sweep of a store, planned when it is made.

    Args:
        now: seconds since the epoch.
        older_than_s: younger values stay, as long as there is room.
        total_bytes: the oldest outputs of finished runs go until all values fit; None: no limit.
        is_alone: whether no other process has the store open.
    """

    def __init__(  # noqa: PLR0913  # made by Store only
        self,
        database: Database,
        blobs: Blobs,
        *,
        now: float,
        older_than_s: float,
        total_bytes: int | None = None,
        is_alone: bool = True,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._sql = queries()
        self._now = now
        self._before = now - older_than_s
        self._names: dict[bytes, str] = {}
        #: When references to each value last changed; a value that was stored later is about to be referenced again.
        self._last_named: dict[bytes, float] = {}
        self._trouble = ""
        self._gone: list[bytes] = []
        self._dropped_entries = 0
        self._orphans = (0, 0)
        with database.snapshot() as read:
            self._read = read
            self._is_quiet = is_alone and not self._is_anybody_recording()
            self._untouched_since = now - (min(_GRACE_S, older_than_s) if self._is_quiet else _GRACE_S)
            self._sizes = {digest: (size, created) for digest, size, created in read(self._sql["all_values"])}
            self._last_run, self._last_entry = read(self._sql["last_run_and_entry"])[0]
            self._plan(total_bytes)

    def preview(self) -> SweepResult:
        """Return what `drop` would drop, apart from orphans."""
        return self._swept(self._going, len(self._entries), 0, 0)

    @in_words
    def drop(self) -> None:
        """Drop the planned values, unless somebody has begun to use them since, and remove orphans."""
        with contextlib.suppress(StoreError):  # on a full disk this may be the room that is needed to go on
            self._database.take_over_log()
        self._dropped_entries = self._drop_entries()
        for start in range(0, len(self._going), _AT_ONCE):
            self._gone += self._drop_values(self._going[start : start + _AT_ONCE])
        self._orphans = self._remove_orphans()

    def finish(self) -> SweepResult:
        """Give the room back to the disk; return what was dropped."""
        self._shrink()
        return self._swept(self._gone, self._dropped_entries, *self._orphans)

    # Deciding ---------------------------------------------------------------------------------------------------------

    def _plan(self, total_bytes: int | None) -> None:
        rows = self._read(self._sql["entries_to_drop"], {"now": self._now, "before": self._before})
        self._entries = [row[0] for row in rows]
        for _, flow, task, created, digest in rows:
            when = from_stamp(created)
            self._note_name(digest, created)
            self._names[digest] = f"The output of task {task!r} of flow {flow!r} of {when:%Y-%m-%d %H:%M} UTC"
        going_entries = set(self._entries)
        needed = {digest for entry, digest in self._read(self._sql["kept_entries"]) if entry not in going_entries}
        needed |= {digest for (digest,) in self._read(self._sql["values_of_deployments"])}
        young: list[set[bytes]] = []
        for row, flow, number, state, last, let_go in self._read(self._sql["runs_to_sweep"]):
            values = self._values_of_run(row, flow, number, let_go)
            if state is None or not is_finished_name(state):
                needed |= values
            elif last > self._before:
                young.append(values)
        kept = needed.union(*young)
        if total_bytes is not None:
            kept = self._cut(needed, young, total_bytes)
        self._going = [
            digest
            for digest, (_, created) in self._sizes.items()
            if digest not in kept and created <= self._limit(digest)
        ]

    def _is_anybody_recording(self) -> bool:
        owned = self._read(self._sql["owned_runs"])
        return any(is_alive(process, beat, self._now) for process, beat in owned)

    def _limit(self, digest: bytes) -> float:
        """Return the latest time at which the value may have been stored if it is dropped."""
        if self._is_quiet:
            return self._untouched_since
        return max(self._untouched_since, self._last_named.get(digest, 0.0))

    def _values_of_run(self, row: int, flow: str, number: int, let_go: float) -> set[bytes]:
        found = set()
        for digest, key in self._read(self._sql["values_of_run"], {"run": row}):
            found.add(digest)
            self._note_name(digest, let_go)
            what = f"The output of task {key!r}" if key else "A value"
            self._names.setdefault(digest, f"{what} of run {number} of flow {flow!r}")
        return found

    def _cut(self, needed: set[bytes], young: list[set[bytes]], total_bytes: int) -> set[bytes]:
        """Return `needed` and as many runs' values as fit beside it, the newest run's first."""
        kept = set(needed)
        room = total_bytes - self._size(needed)
        for values in reversed(young):
            more = values - kept
            room -= self._size(more)
            if room < 0:
                break
            kept |= more
        return kept

    def _size(self, digests: Iterable[bytes]) -> int:
        return sum(self._sizes[digest][0] for digest in digests if digest in self._sizes)

    # Doing ------------------------------------------------------------------------------------------------------------

    def _drop_entries(self) -> int:
        given = [{"now": self._now, "id": entry} for entry in self._entries]
        self._database.write(lambda connection: connection.executemany(self._sql["drop_entry"], given))
        return len(given)

    def _drop_values(self, digests: list[bytes]) -> list[bytes]:
        def drop(connection: sqlite3.Connection) -> list[bytes]:
            gone = []
            needed = self._needed_since(connection)
            for digest in digests:
                if digest in needed:
                    continue
                if connection.execute(self._sql["drop_value"], (digest, self._limit(digest))).rowcount:
                    size_bytes, name = self._sizes[digest][0], self._name(digest)
                    connection.execute(self._sql["note_dropped"], (digest, size_bytes, name, self._now))
                    gone.append(digest)
            return gone

        gone = self._database.write(drop)
        for digest in gone:
            self._remove(digest)
        return gone

    def _needed_since(self, connection: sqlite3.Connection) -> set[bytes]:
        """Return the values that were named since the plan was made: by runs that somebody had, and by new entries."""
        values = {"run": self._last_run, "entry": self._last_entry, "planned": self._now}
        runs = connection.execute(self._sql["runs_changed_since"], values).fetchall()
        needed = {digest for (digest,) in connection.execute(self._sql["entries_added_since"], values)}
        needed |= {digest for (digest,) in connection.execute(self._sql["values_of_deployments"])}
        for (run,) in runs:
            needed.update(digest for digest, _ in connection.execute(self._sql["values_of_run"], {"run": run}))
        return needed

    def _remove(self, digest: bytes) -> None:
        """Remove a blob. After the first trouble nothing more is tried: the next sweep finds it.

        A file that is younger than the row that named it was written again by somebody who is about to name it.
        """
        if self._trouble:
            return
        before = self._untouched_since if self._is_quiet else max(self._untouched_since, self._sizes[digest][1])
        try:
            self._blobs.remove(digest.hex(), before)
        except StoreError as error:
            self._trouble = str(error)

    def _remove_orphans(self) -> tuple[int, int]:
        if self._trouble:
            return 0, 0
        removed: list[int] = []
        try:
            known = {digest.hex() for (digest,) in self._database.read(self._sql["value_digests"])}
            orphans = (digest for digest in self._blobs.digests() if digest not in known)
            removed += filter(None, (self._blobs.remove(digest, self._untouched_since) for digest in orphans))
            removed += self._blobs.remove_unfinished(self._untouched_since)
        except StoreError as error:
            self._trouble = str(error)
        return len(removed), sum(removed)

    def _shrink(self) -> None:
        try:
            self._database.shrink()
        except StoreError as error:
            self._trouble = self._trouble or str(error)

    def _note_name(self, digest: bytes, at: float) -> None:
        self._last_named[digest] = max(self._last_named.get(digest, 0.0), at)

    def _name(self, digest: bytes) -> str:
        return self._names.get(digest, f"Value {digest.hex()[:12]}")

    def _swept(self, gone: list[bytes], entries: int, orphans: int, orphan_bytes: int) -> SweepResult:
        named = sorted(((self._name(digest), self._sizes[digest][0]) for digest in gone), key=lambda each: -each[1])
        freed = self._size(gone)
        return SweepResult(
            tuple(named), entries, orphans, freed + orphan_bytes, self._size(self._sizes) - freed, self._trouble
        )


def total_bytes(database: Database) -> int:
    """Return the size of all values."""
    return int(database.read(queries()["total_bytes"])[0][0])
