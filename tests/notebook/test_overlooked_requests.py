"""A kernel that overlooks requests is made to look, and others are left alone."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
import zmq
from tornado.ioloop import IOLoop

from flowbook.notebook import overlooked_requests
from flowbook.notebook.overlooked_requests import look_for_requests


class Stream:
    """What reads requests; it notes each look, and tells when there were two."""

    def __init__(self) -> None:
        self.looks: list[int] = []
        self.twice = asyncio.Event()

    def flush(self, flag: int) -> None:
        self.looks.append(flag)
        if len(self.looks) == 2:
            self.twice.set()


def test_a_kernel_of_7_3_looks_for_requests_until_it_is_told_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlooked_requests, "_LOOK_MS", 1)

    async def looked() -> tuple[list[int], int]:
        stream = Stream()
        thread = SimpleNamespace(io_loop=IOLoop.current())
        stop = look_for_requests(SimpleNamespace(shell_stream=stream, shell_channel_thread=thread), "7.3.0")
        await asyncio.wait_for(stream.twice.wait(), 10)
        stop()
        await asyncio.sleep(0)
        stopped = len(stream.looks)
        for _ in range(100):
            await asyncio.sleep(0)
        return stream.looks, stopped

    looks, stopped = asyncio.run(looked())

    assert set(looks) == {zmq.POLLIN}
    assert len(looks) == stopped


@pytest.mark.parametrize("version", ["6.31.0", "7.4.0", "7.10.0a1", "8.0.0"])
def test_a_kernel_that_overlooks_none_is_left_alone(version: str) -> None:
    thread = None if version.startswith("6") else SimpleNamespace()

    stop = look_for_requests(SimpleNamespace(shell_channel_thread=thread), version)

    assert stop() is None  # type: ignore[func-returns-value]


def test_outside_of_a_kernel_nobody_looks() -> None:
    assert look_for_requests(None, "7.3.0")() is None  # type: ignore[func-returns-value]
