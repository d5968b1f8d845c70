"""Programs that tests start beside themselves."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

__all__ = ["start", "wait_for"]

ROOT = Path(__file__).parents[1]


def start(text: str, folder: Path, *arguments: object, env: dict[str, str] | None = None, **options: Any) -> Any:
    """Start the Python program `text`, kept in `folder`; what it prints is read from the `Popen` that is returned."""
    script = folder / "program.py"
    script.write_text(text)
    return subprocess.Popen(
        [sys.executable, script, *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
        **options,
    )


def wait_for(path: Path) -> None:
    """Return when another process has made that file."""
    while not path.exists():
        time.sleep(0.01)
