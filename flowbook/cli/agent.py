"""`flowbook agent`: starts due runs on this machine until it is told to stop."""

from __future__ import annotations

import contextlib
import os
import platform
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING

from flowbook._utils import threads
from flowbook.agent.agent import Agent, AgentSettings
from flowbook.agent.agent_lines import AgentView, agent_lines
from flowbook.agent.chores import chores_of
from flowbook.agent.coming import coming
from flowbook.cli.command_words import in_commands
from flowbook.exceptions import FlowbookError, StoreError
from flowbook.store import open_store
from flowbook.terminal.lines import printable
from flowbook.terminal.screen import Screen

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

    from flowbook.agent.news import News
    from flowbook.cli.output import Output
    from flowbook.store import Store

__all__ = ["start"]

#: How often the lines are drawn, and how often the store is asked what is due next.
_DRAW_S, _LOOK_S = 0.5, 2.0
_MOST_COMING = 3
_FEWEST = 4
#: How much of a run's id names it.
_ID_CHARS = 8


def start(args: Namespace, out: Output) -> int:
    """Start due runs until Ctrl-C or SIGTERM, then wait until they have ended; the second time, end them."""
    store = open_store()
    if store.is_read_only:
        msg = f"The store {store.location} can only be read here, and an agent writes to it. Start it where you may write."
        raise StoreError(msg, path=store.location)
    if args.allow_host_mounts:
        os.environ["FLOWBOOK_ALLOW_HOST_MOUNTS"] = "1"
    limit = args.limit or max(_FEWEST, os.cpu_count() or 1)
    name = args.name or f"{platform.node()}:{os.getpid()}"
    with _shown(out) as display:
        settings = AgentSettings(name, limit, args.prefetch)
        #: Longer than an agent may look away, so that a run is there when it is to be claimed.
        ahead_s = settings.prefetch_s + 2 * settings.poll_s
        agent = Agent(store, settings, display.tell, chores=chores_of(store, display.tell, ahead_s))
        with _signals(agent), display.of(agent, store):
            display.greet(name, limit, store)
            agent.run()
    return 0


@contextlib.contextmanager
def _signals(agent: Agent) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM stop the agent."""
    before = {number: signal.signal(number, lambda *_: agent.stop()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _shown(out: Output) -> Iterator[_Lines]:
    """Give what shows an agent's news: as JSON, as plain lines, or on a terminal above what it does now."""
    if out.is_json:
        with contextlib.redirect_stdout(sys.stderr):  # what runs print
            yield _Lines(out)
    elif out.to.isatty():
        yield _Live(out)
    else:
        yield _Lines(out)


class _Lines:
    """One line for each piece of news."""

    def __init__(self, out: Output) -> None:
        self._out = out

    def greet(self, name: str, limit: int, store: Store) -> None:
        """Say which agent this is."""
        if not self._out.is_json:
            self._write(f"Agent {name} starts due runs of {store.location}, {limit} at once. Ctrl-C ends it.")

    def tell(self, news: News) -> None:
        """Write one piece of news. If nobody reads it any more, the agent goes on."""
        with contextlib.suppress(OSError, ValueError):
            if self._out.is_json:
                self._out.done("", at=time.time(), **news.as_json())
                self._out.to.flush()
            else:
                self._write(in_commands(news.text, news.run_id[:_ID_CHARS]))

    def _write(self, text: str) -> None:
        self._out.line(f"{time.strftime('%H:%M:%S')}  {printable(text)}")
        self._out.to.flush()

    @contextlib.contextmanager
    def of(self, _agent: Agent, _store: Store) -> Iterator[None]:
        """Show the agent while the block runs."""
        yield


class _Live(_Lines):
    """News above lines that show what the agent does now."""

    def __init__(self, out: Output) -> None:
        super().__init__(out)
        has_colours = "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
        self._screen = Screen(out.to, out.marks, has_colours=has_colours)
        self._is_over = threading.Event()

    def _write(self, text: str) -> None:
        line = f"{time.strftime('%H:%M:%S')}  {printable(text)}\n"
        self._screen.print_above(self._out.to, line)
        self._out.to.flush()

    @contextlib.contextmanager
    def of(self, agent: Agent, store: Store) -> Iterator[None]:
        """Draw what the agent does while the block runs."""
        self._screen.open()
        thread = threads.spawn(self._draw, agent, store, name="agent-display", owner=self)
        try:
            yield
        finally:
            self._is_over.set()
            thread.join()
            self._screen.close()

    def _draw(self, agent: Agent, store: Store) -> None:
        soon: list[tuple[str, float]] = []
        next_look = 0.0
        while not self._is_over.wait(_DRAW_S):
            now, screen, settings = store.now_s(), self._screen, agent.settings
            if time.monotonic() >= next_look:
                next_look = time.monotonic() + _LOOK_S
                with contextlib.suppress(FlowbookError):  # the agent says so
                    soon = coming(store, now, _MOST_COMING)
            soon = [each for each in soon if each[1] > now]
            view = AgentView(settings.name, settings.limit, agent.in_hand, soon, agent.is_draining)
            with contextlib.suppress(OSError, ValueError):  # the terminal is gone
                screen.draw(agent_lines(view, now, screen.marks, screen.width, screen.height))
