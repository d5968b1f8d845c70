"""The pipe between the driver and a worker process: each message is a pickle, with its large buffers sent beside it."""

from __future__ import annotations

import pickle
import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

__all__ = ["receive", "send"]

_LENGTHS = struct.Struct("<Q")


def send(pipe: Connection, message: object) -> None:
    """Send a message. Raises OSError if the other end is closed."""
    buffers: list[pickle.PickleBuffer] = []
    stream = pickle.dumps(message, protocol=5, buffer_callback=buffers.append)
    views = [buffer.raw() for buffer in buffers]
    pipe.send_bytes(b"".join(_LENGTHS.pack(view.nbytes) for view in views) or b"\0")
    pipe.send_bytes(stream)
    for view in views:
        if view.nbytes:
            pipe.send_bytes(view)


def receive(pipe: Connection) -> Any:  # noqa: ANN401  # as it was sent
    """Return the next message, waiting for one. Raises EOFError or OSError if the other end is closed."""
    lengths = pipe.recv_bytes()
    stream = pipe.recv_bytes()
    buffers = []
    if len(lengths) > 1:
        for (length,) in _LENGTHS.iter_unpack(lengths):
            buffer = bytearray(length)  # writable, as arrays expect
            if length:
                pipe.recv_bytes_into(buffer)
            buffers.append(buffer)
    return pickle.loads(stream, buffers=buffers)  # noqa: S301  # the other end of our own pipe
