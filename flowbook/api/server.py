"""Serves an application on a socket with uvicorn until it is told to end; then answers what is under way, and ends streams."""

from __future__ import annotations

import errno
import logging
import socket
from typing import TYPE_CHECKING

import uvicorn

from flowbook.exceptions import InfrastructureError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from fastapi import FastAPI

__all__ = ["ApiServer", "listen"]

_DRAIN_S = 10
_BACKLOG = 2048

_log = logging.getLogger("flowbook.api")


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens at an address; port 0 takes a free one.

    Raises:
        InfrastructureError: if the port is in use, or the address isn't this machine's.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        #: Named as TCP: only then does asyncio send each part of an answer at once, instead of 40 ms later.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    except (OSError, UnicodeError) as error:
        msg = (
            f"{host!r} is no address of this machine: {error}. Give --host 127.0.0.1, or one that `hostname -I` lists."
        )
        raise InfrastructureError(msg, host=host) from error
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise _unusable(host, port, error) from error
    listener.setblocking(False)  # noqa: FBT003  # the library's signature
    return listener


def _unusable(host: str, port: int, error: OSError) -> InfrastructureError:
    why = error.strerror or str(error)
    if error.errno == errno.EADDRINUSE:
        msg = f"Port {port} of {host} is in use: another server has it. End that, or take another: --port {port + 1}."
    elif error.errno == errno.EACCES:
        msg = f"Port {port} can't be used: {why}. Take one above 1023: --port 4200."
    else:
        msg = (
            f"Nothing can listen at {host} port {port}: {why}. Give an address of this machine, e.g. --host 127.0.0.1."
        )
    return InfrastructureError(msg, host=host, port=port)


class ApiServer(uvicorn.Server):
    """A server of one application.

    Args:
        app: what it serves.
        on_started: called once it answers.
    """

    def __init__(self, app: FastAPI, on_started: Callable[[], None] = lambda: None) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                access_log=False,  # it would write tokens of links
                log_level="warning",
                server_header=False,
                timeout_graceful_shutdown=_DRAIN_S,
                lifespan="on",
                ws="none",
                forwarded_allow_ips="",
            )
        )
        self._on_started = on_started
        self._served = app

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        await super().startup(sockets)
        if self.started:
            self._on_started()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end; the second time at once. The signal isn't raised again afterwards: it was obeyed."""
        del sig, frame
        self.force_exit = self.should_exit
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more requests, end the streams, answer what is under way, and end; a second signal ends it at once."""
        for end in self._served.state.at_shutdown:
            try:
                end()
            except Exception:  # noqa: BLE001  # a part's own function; the server ends all the same
                _log.exception("What keeps requests open could not be ended.")
        await super().shutdown(sockets)
