"""The keeper of a run's container: keeps its output, tells how it ended, and removes it if that was wished.

A program of its own, as `keeper` is, which outlives whoever started the container. The container outlives it in turn: another
keeper, started on the same container, goes on where this one was. It imports the standard library and `docker` alone. It reads
its orders as JSON from stdin, writes what happens as lines of JSON to stdout, and, if asked, the output as it comes to stderr.
"""

from __future__ import annotations

import calendar
import contextlib
import json
import os
import signal
import sys
import time
from pathlib import Path

import docker
from docker.errors import APIError, NotFound

TYPE_CHECKING = False  # what `typing` has under this name, without loading it
if TYPE_CHECKING or __package__:
    from flowbook.flow_runners.keeper import Output, lock, report, tell
else:  # started as a program: from beside this file, without the rest of flowbook
    sys.path.insert(0, str(Path(__file__).parent))
    from keeper import Output, lock, report, tell

    del sys.path[0]

if TYPE_CHECKING:
    from typing import Any

#: How long a stamp of Docker's is: "2026-11-30T09:30:19.123456789Z".
_STAMP_CHARS = 30
#: For how long an engine may not answer; then somebody else is to find out what became of the container.
_UNREACHABLE_S = 600.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0
#: How long a mark may be locked by somebody who only looks.
_TAKE_S = 1.0
_KILLED = -9
#: An exit code above this is a signal's number beyond it.
_SIGNALS = 128


class Mark:
    """A file that is locked while a container is kept, and says up to which stamp its output is.

    Args:
        path: of the file.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        #: Docker's stamp of the last line that was kept; "" before the first one.
        self.stamp = ""

    def take(self) -> bool:
        """Lock the file; return False if another keeper has it. Who only looks whether it is locked has it for a moment."""
        deadline = time.monotonic() + _TAKE_S
        while not lock(self._file):
            if time.monotonic() > deadline:
                return False
            time.sleep(_FIRST_PAUSE_S)
        self.stamp = os.pread(self._file, 100, 0).decode("ascii", "replace")
        return True

    def note(self, stamp: str) -> None:
        """Note a stamp, whose line is kept by now."""
        self.stamp = stamp
        with contextlib.suppress(OSError):  # a full disk: some lines may come twice
            os.pwrite(self._file, stamp.encode(), 0)

    def remove(self) -> None:
        """Remove the file: there is nothing more to keep."""
        with contextlib.suppress(OSError):
            Path(self._path).unlink()


class ContainerKeeper:
    """Keeps one container.

    Args:
        orders: `container`, its id, and `name`; `mark`, the path of its mark; `removes`, whether it is removed in the end; and
            those that every keeper gets.
    """

    def __init__(self, orders: dict[str, Any]) -> None:
        self._orders = orders
        self._id: str = orders["container"]
        self._output = Output(orders)
        self._mark = Mark(orders["mark"])
        self._client: Any = None

    def run(self) -> None:
        """Keep the container to its end, and tell how it ended."""
        for number in (signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        if not self._mark.take():
            tell(failed="another process keeps it")
            return
        try:
            self._client = docker.from_env(use_ssh_client=True)
        except Exception as error:  # noqa: BLE001  # whatever the library makes of an engine that is gone
            tell(failed=f"its engine doesn't answer: {error}")
            return
        tell(pid=os.getpid())
        state = self._follow()
        if state != {}:  # else its end isn't known here
            self._end(self._told(state))

    def _follow(self) -> dict[str, Any] | None:
        """Keep the output until the container has ended; return how it is then.

        None: it was removed. Empty: its engine hasn't answered for long.
        """
        pause_s, silent_since = _FIRST_PAUSE_S, None
        while True:
            try:
                self._keep_output()
                state = self._state()
                if state["Status"] in {"exited", "dead"}:
                    return state
                pause_s, silent_since = _FIRST_PAUSE_S, None
            except NotFound:
                return None
            except Exception:  # noqa: BLE001  # the engine is gone, or restarts: whatever the library makes of it
                silent_since = silent_since or time.monotonic()
                if time.monotonic() - silent_since > _UNREACHABLE_S:
                    return {}
            time.sleep(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    def _keep_output(self) -> None:
        """Keep what the container has written since the mark, and what it writes, until it ends or the engine does."""
        kept = self._mark.stamp
        since = calendar.timegm(time.strptime(kept[:19], "%Y-%m-%dT%H:%M:%S")) if kept else None
        try:
            parts = self._client.api.logs(self._id, stream=True, follow=True, timestamps=True, since=since)
        except NotFound:
            raise
        except APIError:  # its engine sends the output elsewhere, where it can't be read
            self._client.api.wait(self._id, timeout=None)
            return
        for part in parts:
            stamp, _, line = part.partition(b" ")
            if len(stamp) != _STAMP_CHARS:
                self._output.write(part)  # without a stamp, as other engines may have it
            elif (text := stamp.decode("ascii", "replace")) > kept:
                kept = ""  # parts of one long line have the same stamp
                if line:
                    self._output.write(line)
                self._mark.note(text)

    def _state(self) -> dict[str, Any]:
        found: dict[str, Any] = self._client.api.inspect_container(self._id)
        return {**found["State"], "Memory": found["HostConfig"].get("Memory") or 0}

    def _told(self, state: dict[str, Any] | None) -> dict[str, object]:
        """Return how the container ended, as the starter and the store are told."""
        lines = self._output.last_lines()
        if state is None:
            code = self._last_exit_code()
            how = f"Its container {self._orders['name']} was removed in the middle of the run." if code else ""
            return {"exit_code": code, "last_lines": lines, "how": how}
        code = as_outcome(state["ExitCode"])
        how = _out_of_memory(self._orders["name"], state["Memory"]) if code and state.get("OOMKilled") else ""
        return {"exit_code": code, "last_lines": lines, "how": how}

    def _last_exit_code(self) -> int:
        """Return with which code a container ended that is removed by now: engines remember what happened last."""
        wanted = {"container": self._id, "event": "die"}
        try:
            events = list(self._client.api.events(since=1, until=int(time.time()) + 1, filters=wanted, decode=True))
            return as_outcome(int(events[-1]["Actor"]["Attributes"]["exitCode"]))
        except Exception:  # noqa: BLE001  # it has forgotten, or is gone itself
            return _KILLED

    def _end(self, end: dict[str, object]) -> None:
        tell(**end)
        if end["exit_code"]:
            report(self._orders, end)
        if self._orders["removes"]:
            with contextlib.suppress(Exception):  # somebody else removes it, or did
                self._client.api.remove_container(self._id, v=True)
        self._mark.remove()


def as_outcome(exit_code: int) -> int:
    """Return a container's exit code as an `Outcome` has it: negative for a signal."""
    return _SIGNALS - exit_code if exit_code in {_SIGNALS + number for number in signal.valid_signals()} else exit_code


def _out_of_memory(name: str, limit_bytes: int) -> str:
    may = f", of which it may have {limit_bytes / 2**20:,.0f} MiB" if limit_bytes else ""
    return f"Its container {name} ran out of memory{may}: its process was ended by SIGKILL."


if __name__ == "__main__":
    ContainerKeeper(json.loads(sys.stdin.buffer.read())).run()
