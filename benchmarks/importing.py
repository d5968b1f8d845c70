"""How long an import takes, over a bare interpreter: a work that most peers have."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from benchmarks.sample import Prepared, Setting, measured

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["importing"]


def importing(statement: str) -> Callable[[Setting], Prepared]:
    """Return the work that runs `statement` and nothing in turn, `size` times each; the least of each counts."""

    def run(size: int) -> dict[str, float]:
        walls = [(_wall_s(statement), _wall_s("pass")) for _ in range(size)]
        with_it, bare = (min(column) for column in zip(*walls, strict=True))
        return {"over_bare_s": max(0.0, with_it - bare)}

    return lambda setting: Prepared(lambda: run(setting.size), bool, dict)


def _wall_s(code: str) -> float:
    command = [sys.executable, "-c", code]
    return measured(lambda: subprocess.run(command, check=True, capture_output=True))[1].wall_s
