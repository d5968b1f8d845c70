"""The keeper of a run's process: starts it in a process group of its own, keeps its output, and tells how it ended.

A program of its own, between whoever starts a run and the run's process, so that the run outlives its starter: the output is
drained whoever else has died. It imports only the standard library and starts in a few milliseconds. It reads its orders
as JSON from stdin, writes what happens as lines of JSON to stdout, and, if asked, the output as it comes to stderr.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

TYPE_CHECKING = False  # what `typing` has under this name, without loading it
if TYPE_CHECKING:
    from typing import Any

_CHUNK_BYTES = 65_536
_TAIL_BYTES, _TAIL_LINES = 16_384, 20
#: How long a process that is told to end may take, and its children after it; then they are killed.
_GRACE_S, _CHILDREN_S = 15.0, 2.0
#: How long the last output may take to arrive once all are gone.
_LAST_OUTPUT_S = 1.0
_POLL_S = 0.02


class LogFile:
    """A log file that never takes more than `cap_bytes`, its predecessor included. Never raises.

    Args:
        path: of the file; it is continued.
        cap_bytes: the most that both may take.
    """

    def __init__(self, path: str, cap_bytes: int) -> None:
        self._path = path
        self._half_bytes = max(cap_bytes // 2, 1)
        self._file: int | None = None
        self._lost_bytes, self._why = 0, ""
        self.write(b"")

    def write(self, part: bytes) -> None:
        """Append a part of the output; what can't be written is counted, and said in the file once it can be."""
        try:
            if self._lost_bytes:
                self._append(f"\n[{self._lost_bytes} bytes of output are lost: {self._why}]\n".encode())
                self._lost_bytes = 0
            self._append(part)
        except OSError as error:
            self._lost_bytes += len(part)
            self._why = error.strerror or str(error)

    def place(self) -> tuple[int, int]:
        """Return the file's inode and its length in bytes; (0, 0) if it can't be opened."""
        try:
            found = os.fstat(self._open())
        except OSError:
            return (0, 0)
        return found.st_ino, found.st_size

    def _append(self, part: bytes) -> None:
        file = self._open()
        while part:
            file = self._open()
            room = self._half_bytes - os.fstat(file).st_size
            if room <= 0:
                self._rotate()
                continue
            part = part[os.write(file, part[:room]) :]

    def _open(self) -> int:
        if self._file is None:
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return self._file

    def _rotate(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
        Path(self._path).replace(f"{self._path}.1")


def lock(descriptor: int) -> bool:
    """Lock an open file; return False if another process has locked it. A lock ends with its process."""
    try:
        import fcntl  # noqa: PLC0415  # not on Windows
    except ImportError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def is_locked(path: Path) -> bool:
    """Return whether a process has locked a file; False if there is none."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        return not lock(descriptor)
    finally:
        os.close(descriptor)


class Output:
    """The output of a run's process: kept in a log file, its last lines in memory, and passed on to the starter. Never raises.

    Args:
        orders: a keeper's: `log`, `cap_bytes` and `is_streamed`.
    """

    def __init__(self, orders: dict[str, Any]) -> None:
        self._log = LogFile(orders["log"], orders["cap_bytes"])
        self._tail: deque[bytes] = deque()
        self._tail_bytes = 0
        self._is_streamed = bool(orders["is_streamed"])
        if self._is_streamed:
            os.set_blocking(2, False)

    def write(self, part: bytes) -> None:
        """Take a part of the output, which isn't empty."""
        self._log.write(part)
        self._stream(part)
        self._tail.append(part)
        self._tail_bytes += len(part)
        while self._tail_bytes - len(self._tail[0]) > _TAIL_BYTES:
            self._tail_bytes -= len(self._tail.popleft())

    def _stream(self, part: bytes) -> None:
        """Pass a part on to the starter, unless it is gone or doesn't keep up."""
        if not self._is_streamed:
            return
        try:
            os.write(2, part)
        except BlockingIOError:
            return
        except OSError:
            self._is_streamed = False

    def last_lines(self) -> list[str]:
        """Return the last lines, oldest first."""
        text = b"".join(self._tail).decode("utf-8", "replace")
        return text[-_TAIL_BYTES:].rstrip().splitlines()[-_TAIL_LINES:]


def tell(**facts: object) -> None:
    """Tell the starter, if it is alive."""
    with contextlib.suppress(OSError):
        os.write(1, (json.dumps(facts) + "\n").encode())


def report(orders: dict[str, Any], end: dict[str, object]) -> None:
    """Have an end recorded that is not as it should be, whether the starter is alive or not."""
    with contextlib.suppress(OSError):
        subprocess.run(  # noqa: S603  # an argument list, no shell
            orders["ended"],
            env=orders["ended_env"],
            input=json.dumps(end).encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )


class Keeper:
    """Keeps one process.

    Args:
        orders: `command`, `env` and `cwd` of the process; `log` and `cap_bytes` of its log file; `is_streamed`; `ended`: a
            command that is told on its stdin, as JSON, of an end that is not as it should be.
    """

    def __init__(self, orders: dict[str, Any]) -> None:
        self._orders = orders
        self._output = Output(orders)
        self._deadline: float | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        """Start the process, keep it to its end, and tell how it ended."""
        wake = self._listen_to_signals()
        read, write = os.pipe()
        try:
            process = subprocess.Popen(  # noqa: S603  # an argument list, no shell
                self._orders["command"],
                env=self._orders["env"],
                cwd=self._orders["cwd"],
                stdin=subprocess.DEVNULL,
                stdout=write,
                stderr=write,
                start_new_session=True,
            )
        except OSError as error:
            tell(failed=f"{error.strerror}: {error.filename or self._orders['command'][0]}")
            return
        finally:
            os.close(write)
        self._process = process
        tell(pid=process.pid)
        self._keep(process, read, wake)
        end = {"exit_code": process.returncode, "last_lines": self._output.last_lines()}
        tell(**end)
        if process.returncode:
            report(self._orders, end)

    def _listen_to_signals(self) -> int:
        """Return the descriptor that becomes readable at a signal."""
        read, write = os.pipe()
        os.set_blocking(read, False)
        os.set_blocking(write, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._on_terminate)
        for number in (signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        return read

    def _on_terminate(self, *_: object) -> None:
        if self._process is not None and self._process.returncode is None:
            self._deadline = time.monotonic() + _GRACE_S
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGTERM)

    def _keep(self, process: subprocess.Popen[bytes], output: int, wake: int) -> None:
        """Drain the output until the process and all in its group have ended."""
        os.set_blocking(output, False)
        with selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ)
            selector.register(wake, selectors.EVENT_READ)
            while process.poll() is None:
                if self._deadline is not None and time.monotonic() > self._deadline:
                    self._signal_group(process.pid, signal.SIGKILL)
                    self._deadline = None
                for key, _ in selector.select(None if self._deadline is None else 0.2):
                    if key.fd == wake:
                        _drain(wake)
                    elif not self._take(output):
                        selector.unregister(output)
            self._end_children(process.pid, output)

    def _end_children(self, group: int, output: int) -> None:
        """End what the process left running in its group, and take the last output."""
        if self._signal_group(group, signal.SIGTERM):
            deadline = time.monotonic() + _CHILDREN_S
            while self._signal_group(group, 0):
                if time.monotonic() > deadline:
                    self._signal_group(group, signal.SIGKILL)
                    break
                self._take_all(output)
                time.sleep(_POLL_S)
        deadline = time.monotonic() + _LAST_OUTPUT_S
        while self._take_all(output) and time.monotonic() < deadline:
            time.sleep(_POLL_S)

    def _signal_group(self, group: int, number: int) -> bool:
        """Send a signal to a process group; return False if it has no members."""
        try:
            os.killpg(group, number)
        except ProcessLookupError:
            return False
        except PermissionError:
            return False  # only zombies are left (macOS)
        return True

    def _take_all(self, output: int) -> bool:
        """Take what output there is; return False at its end."""
        while (found := self._take(output)) is True:
            pass
        return found is None

    def _take(self, output: int) -> bool | None:
        """Take a part of the output; return False at its end, None if there is none at the moment."""
        try:
            part = os.read(output, _CHUNK_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            return False
        if not part:
            return False
        self._output.write(part)
        return True


def _drain(wake: int) -> None:
    with contextlib.suppress(BlockingIOError):
        while os.read(wake, 512):
            pass


if __name__ == "__main__":
    Keeper(json.loads(sys.stdin.buffer.read())).run()
