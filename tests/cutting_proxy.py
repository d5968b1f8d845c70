"""A TCP proxy that cuts connections after a random number of bytes, in the middle of what they carry."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class CuttingProxy:
    """Passes bytes on to a port of this machine, and cuts.

    Args:
        port: where the bytes go.
        most_bytes: a connection is cut after at most so many bytes, in both directions together; 0: never.
        seed: of the random numbers.

    Attributes:
        cuts: how many connections were cut.
        url: its own address.
    """

    def __init__(self, port: int, most_bytes: int, seed: int = 0) -> None:
        self.most_bytes = most_bytes
        self.cuts = 0
        self._port = port
        self._random = random.Random(seed)  # no secret
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._spawn(self._accept)

    def _spawn(self, target, *args):
        thread = threading.Thread(target=target, args=args, name="proxy of tests", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self):
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self._port))
            except OSError:
                near.close()
                continue
            left = [self._random.randrange(1, self.most_bytes) if self.most_bytes else None]
            for each in (near, far):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open |= {near, far}
            self._spawn(self._pump, near, far, left)
            self._spawn(self._pump, far, near, left)

    def _pump(self, source, target, left):
        with contextlib.suppress(OSError):
            while part := source.recv(65_536):
                if left[0] is not None:
                    part = part[: left[0]]
                    left[0] -= len(part)
                target.sendall(part)
                if left[0] is not None and left[0] <= 0:
                    self.cuts += 1
                    break
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self):
        """Cut everything, and end."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in tuple(self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        for each in self._open:
            each.close()


@contextlib.contextmanager
def cutting(url: str, most_bytes: int, seed: int = 0) -> Iterator[CuttingProxy]:
    """Give a proxy before the server at an address."""
    proxy = CuttingProxy(int(url.rpartition(":")[2]), most_bytes, seed)
    try:
        yield proxy
    finally:
        proxy.close()
