"""What docs/guide.md shows of the terminal is what a person sees there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.homes import home
from tests.scripts import ROOT
from tests.terminal.screens import Terminal

__all__ = ["home"]

GUIDE = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
_BLOCK = re.compile(r"<!-- (?P<name>[\w. -]+) -->\n\n?```\w+\n(?P<text>.*?)```", re.DOTALL)
_BLOCKS = {found["name"]: found["text"] for found in _BLOCK.finditer(GUIDE)}


def _same(text):
    """Return a screen without what differs from one time to the next: lengths of time, ids, and how wide the gaps are."""
    for pattern, stands_for in (
        (r"\d\d:\d\d:\d\d", "CLOCK"),
        (r"(?:< )?\b\d+(?:\.\d+)? (?:ms|s)\b|\b\d+:\d\d\b", "T"),
        (r"\b[0-9a-f]{8}\b", "ID"),
        (r"\brun \d+\b", "run N"),
        (r"\d+ frames? of flowbook (?:is|are)", "N frames of flowbook are"),
        (r" {3,}", "   "),
    ):
        text = re.sub(pattern, stands_for, text)
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines())


@pytest.fixture
def folder(tmp_path):
    """Return a folder with the guide's scripts."""
    for name in ("delays.py", "publish.py"):
        (tmp_path / name).write_text(_BLOCKS[name])
    return tmp_path


def _started(folder, *arguments):
    return Terminal(folder, *arguments)


def _shown(name):
    return _same("\n".join(_BLOCKS[name].splitlines()[1:]))


def test_while_a_run_goes_on_and_when_it_has_succeeded(folder):
    terminal = _started(folder, "delays.py", "100")

    running = terminal.wait_for(lambda screen: "▸ check" in screen)
    code, screen = terminal.wait()

    assert _same(running) == _shown("running")
    assert (code, _same(screen)) == (0, _shown("success"))


def test_when_a_run_has_failed(folder):
    code, screen = _started(folder, "delays.py", "50").wait()

    assert (code, _same(screen)) == (0, _shown("failure"))


def test_when_a_run_waits_for_a_person(folder):
    code, screen = _started(folder, "publish.py").wait()

    assert (code, _same(screen)) == (0, _shown("pause"))


def test_ctrl_c_once(folder):
    terminal = _started(folder, "delays.py", "100")
    terminal.wait_for(lambda screen: "▸ check" in screen)

    terminal.press("\x03")
    cancelling = terminal.wait_for(lambda screen: "Cancelling" in screen)
    code, screen = terminal.wait()

    assert _same(cancelling) == _shown("Ctrl-C")
    assert (code, _same(screen)) == (0, _shown("cancelled"))


def test_ctrl_c_twice(folder):
    terminal = _started(folder, "delays.py", "100")
    terminal.wait_for(lambda screen: "▸ check" in screen)

    terminal.press("\x03")
    terminal.wait_for(lambda screen: "Cancelling" in screen)
    terminal.press("\x03")
    code, screen = terminal.wait()

    last_lines, _, traceback = screen.partition("Traceback")
    assert code != 0
    assert _same(last_lines) == _shown("left")
    assert traceback.endswith("KeyboardInterrupt")


def test_the_log_in_a_pipe(folder):
    env = {**os.environ, "PYTHONPATH": str(ROOT), "FLOWBOOK_LOGGING_LEVEL": "INFO"}

    done = subprocess.run(
        [sys.executable, "delays.py", "50"], cwd=folder, env=env, capture_output=True, text=True, check=True
    )

    assert (done.stdout, _same(done.stderr)) == ("", _shown("log"))


def test_the_variable_turns_it_off(folder):
    terminal = Terminal(folder, "delays.py", "100", env={"FLOWBOOK_PROGRESS": "0"})

    assert terminal.wait() == (0, "")


def test_nothing_of_the_terminal_is_shown_where_stderr_is_a_file(folder):
    with Path(folder / "stderr").open("w") as file:
        subprocess.run(
            [sys.executable, "delays.py", "100"],
            cwd=folder,
            stderr=file,
            check=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )

    assert (folder / "stderr").read_text() == ""
