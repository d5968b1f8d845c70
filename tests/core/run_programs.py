"""Small tasks, and programs that run flows in another process."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

from flowbook import task, triggers

__all__ = ["LONG_S", "ROOT", "approve", "double", "one", "python", "script", "warned"]


ROOT = Path(__file__).parents[2]


LONG_S = 30


@task
def one():
    return 1


@task
def double(x):
    return 2 * x


@task(trigger=triggers.manual_only)
def approve(x):
    return x


def script(folder, text):
    """Write a program that has `FLOW` in it; return its path."""
    path = folder / "program.py"
    path.write_text(textwrap.dedent(text))
    return path


def python(path, *arguments):
    return subprocess.run(
        [sys.executable, "-W", "error", str(path), *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=LONG_S,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def warned(done):
    """Return what a program's runs warned of, without how long they took and how to go on."""
    return [line.partition(" after ")[0] for line in done.stderr.splitlines()]
