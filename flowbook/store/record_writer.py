"""What a recorder writes through: the database of this machine, or the API of another one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flowbook.engine.task_progress import TaskProgress
    from flowbook.store.event_rows import EventRow

__all__ = ["RecordWriter", "UnwritableEventError"]


class UnwritableEventError(Exception):
    """The database refuses a row, and always will."""


class RecordWriter(Protocol):
    """Writes the rows of one run for its owner. For one thread at a time.

    Attributes:
        has_notices: whether there are notices to send that the recorder doesn't know of; it sets this to False.
    """

    has_notices: bool

    @property
    def run(self) -> int:
        """The run's key in the database."""
        ...

    @property
    def last_seq(self) -> int:
        """Number of the last event that was recorded before."""
        ...

    @property
    def generation(self) -> int:
        """A number that differs in the child of a fork."""
        ...

    @property
    def patience_s(self) -> float:
        """How long to go on trying, once the run is at rest, to write what could not be written."""
        ...

    def write(self, rows: list[EventRow], done: Callable[[int], None]) -> None:
        """Write `rows` in order.

        Args:
            rows: not empty.
            done: told how many of them, from the first on, are committed.

        Raises:
            StoreError: if they can't be written now; those that are not done may be tried again.
            RunClaimedError: if somebody else owns the run now.
            UnwritableEventError: if the row after those that are done can never be written.
        """
        ...

    def write_progress(self, progress: Mapping[str, TaskProgress]) -> None:
        """Replace what was known of how far these tasks are. Raises as `write`."""
        ...

    def sync(self) -> None:
        """Make what was written outlast a loss of power. Raises OSError."""
        ...
