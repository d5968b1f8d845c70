"""Has a kernel read the requests that it overlooked: ipykernel 7.0 to 7.3 does, and is idle then although a page waits.

It sends its replies past the stream that reads requests from the same socket. A request that comes in that moment wakes nobody,
and those after it don't either, until somebody else connects (ipython/ipykernel#1554, mended in 7.4). So the stream looks once a
second.
"""

from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING, Any

import zmq
from tornado.ioloop import PeriodicCallback

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["look_for_requests"]

_LOOK_MS = 1_000
#: The first version that sends replies through the stream.
_MENDED = (7, 4)


def look_for_requests(kernel: Any, version: str = "") -> Callable[[], None]:  # noqa: ANN401  # any version's
    """Have `kernel` look once a second, if its version needs it; return what ends that.

    Args:
        kernel: ipykernel's; None outside of one.
        version: of ipykernel; by default, the one that is installed.
    """
    # Versions before 7 read and write in one thread, by the stream.
    thread = getattr(kernel, "shell_channel_thread", None)
    if thread is None:
        return lambda: None
    found = version or importlib.metadata.version("ipykernel")
    if tuple(map(int, found.split(".")[:2])) >= _MENDED:
        return lambda: None
    looking = PeriodicCallback(lambda: kernel.shell_stream.flush(zmq.POLLIN), _LOOK_MS)
    loop = thread.io_loop
    loop.add_callback(looking.start)
    return lambda: loop.add_callback(looking.stop)
