"""A file in which tasks leave a line each time they run, wherever that is."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def note(file: Path, name: str) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND)  # in one write, so that processes don't mix their lines
    os.write(descriptor, f"{name}\n".encode())
    os.close(descriptor)


def count(file: Path) -> Counter[str]:
    return Counter(file.read_text().split())
