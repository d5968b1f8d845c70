"""A terminal for tests: runs a program on a pseudo-terminal, and says what a person sees there."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Terminal", "seen"]

ROOT = Path(__file__).parents[2]
_CODE = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|([\r\n])")


class Terminal:
    """One program on a terminal of that many columns and lines."""

    def __init__(self, folder, *arguments, columns=100, lines=24, env=None, stdout=None):
        self._main, side = pty.openpty()
        fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self._text = b""
        clean = {k: v for k, v in os.environ.items() if k not in {"NO_COLOR", "COLUMNS", "LINES", "FLOWBOOK_PROGRESS"}}
        self.program = subprocess.Popen(
            [sys.executable, *map(str, arguments)],
            cwd=folder,
            stdin=side,
            stdout=side if stdout is None else stdout,
            stderr=side,
            start_new_session=True,
            preexec_fn=_take_terminal,  # noqa: PLW1509  # it only calls the system
            env={
                **clean,
                "TERM": "xterm-256color",
                "LANG": "C.UTF-8",
                "PYTHONUTF8": "1",
                "PYTHONPATH": str(ROOT),
                **(env or {}),
            },
        )
        os.close(side)

    def press(self, keys: str) -> None:
        """Press keys, e.g. "\\x03" for Ctrl-C."""
        os.write(self._main, keys.encode())

    def text(self) -> str:
        """Return all that was written so far."""
        while select.select([self._main], [], [], 0)[0]:
            try:
                part = os.read(self._main, 65536)
            except OSError:
                break
            if not part:
                break
            self._text += part
        return self._text.decode()

    def wait_for(self, is_there: Callable[[str], bool], timeout_s: float = 30.0) -> str:
        """Return the screen, a line each, as soon as it is as asked for."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            select.select([self._main], [], [], 0.05)
            if is_there(screen := seen(self.text())):
                return screen
            if self.program.poll() is not None:
                break
        screen = seen(self.text())
        assert is_there(screen), screen
        return screen

    def wait(self, timeout_s: float = 30.0) -> tuple[int, str]:
        """Wait for the program's end; return its exit code and what stands on the screen."""
        deadline = time.monotonic() + timeout_s
        while self.program.poll() is None and time.monotonic() < deadline:
            select.select([self._main], [], [], 0.05)
            self.text()
        code = self.program.wait(1)
        screen = seen(self.text())
        os.close(self._main)
        return code, screen


def seen(text: str) -> str:
    """Return what a terminal shows after `text`: knows the ends of lines, moves up, erasing, and colours."""
    lines, row, column, at = [""], 0, 0, 0
    for found in [*_CODE.finditer(text), None]:
        part = text[at : found.start() if found else len(text)]
        lines[row] = lines[row][:column].ljust(column) + part + lines[row][column + len(part) :]
        column += len(part)
        if found is None:
            break
        at = found.end()
        code = found[3] or found[2]
        if code == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif code == "\r":
            column = 0
        elif code == "A":
            row = max(0, row - int(found[1] or 1))
        elif code == "J":
            del lines[row + 1 :]
            lines[row] = lines[row][:column]
        elif code != "m":
            raise AssertionError(f"what is {found[0]!r}?")
    return "\n".join(line.rstrip() for line in lines).rstrip("\n")


def _take_terminal() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
