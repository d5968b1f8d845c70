"""Ports for servers that can't be told to take any free one."""

from __future__ import annotations

import contextlib
import secrets
import socket

__all__ = ["free_port"]


def free_port() -> int:
    """Return a port of this machine that nobody uses, below those that systems hand out: it is bound only later."""
    while True:
        port = secrets.choice(range(20_000, 32_000))
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
