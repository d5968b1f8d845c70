"""A browser page that shows panels through the labextension: its comm, and what it has yet to be told.

All is sent by one thread, in the context of the message that opened the comm: ipykernel 7.4 delivers the next message to the
shell of the message in whose context was sent last, and a thread without that context would send for a cell.
"""

from __future__ import annotations

import contextvars
import logging
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowbook.notebook.patch_feed import Message

__all__ = ["Comm", "LabPage"]

#: A page says every 20 s that it is there; in a hidden tab browsers let it say so once a minute.
_SILENT_S = 150.0
_logger = logging.getLogger("flowbook.notebook")


class Comm(Protocol):
    """ipykernel's end of a connection."""

    def send(self, data: dict[str, Any]) -> None:
        """Send a message to the page."""
        ...

    def close(self) -> None:
        """Tell the page that this is the end."""
        ...

    def on_msg(self, call: Callable[[dict[str, Any]], object]) -> None:
        """Call this with each message of the page."""
        ...

    def on_close(self, call: Callable[[dict[str, Any]], object]) -> None:
        """Call this when the page closes the connection."""
        ...


class LabPage:
    """One page, which a pacer steps. Make it in the handler of the message that opened `comm`.

    Args:
        comm: the connection.
        wake: makes the pacer step.
        clock: monotonic seconds, to notice that the page is gone.
    """

    def __init__(self, comm: Comm, wake: Callable[[], object], clock: Callable[[], float] = time.monotonic) -> None:
        #: What ends the listening, by the name of the panel that the page watches.
        self.watched: dict[str, Callable[[], None]] = {}
        self._comm = comm
        self._wake = wake
        self._clock = clock
        self._context = contextvars.copy_context()
        self._outbox: deque[tuple[str, Message]] = deque()
        self._heard = clock()
        self._is_closed = False

    @property
    def is_done(self) -> bool:
        """Whether the page is gone."""
        return self._is_closed

    @property
    def is_silent(self) -> bool:
        """Whether the page hasn't said for so long that it is there that it isn't."""
        return self._clock() - self._heard > _SILENT_S

    def heard(self) -> None:
        """Note that the page spoke."""
        self._heard = self._clock()

    def tell(self, panel: str, message: Message) -> None:
        """Send a message to a panel of the page, or to the page itself (""), with the next step."""
        self._outbox.append((panel, message))
        self._wake()

    def step(self) -> None:
        """Send what there is, as one message."""
        told = []
        while self._outbox:
            told.append(self._outbox.popleft())
        if not told or self._is_closed:
            return
        try:
            self._context.run(self._comm.send, {"told": told})
        except Exception:  # the comm's own, e.g. of a kernel that ends
            _logger.exception("A page could not be told of its panels; it will ask again.")

    def ended(self) -> None:
        """Take notice that nothing will be sent any more."""
        self._outbox.clear()

    def leave(self) -> None:
        """Stop listening to panels, and send no more. Calling it again does nothing."""
        self._is_closed = True
        for panel in list(self.watched):
            self.unwatch(panel)
        self._wake()

    def close(self) -> None:
        """Close the comm, so that a page that is there after all opens another."""
        try:
            self._context.run(self._comm.close)
        except Exception:
            _logger.exception("The comm of a page could not be closed.")

    def unwatch(self, panel: str) -> None:
        """Stop listening to a panel."""
        stop = self.watched.pop(panel, None)
        if stop is not None:
            stop()
