"""joblib: `Memory`, whose hits are files, and `Parallel`."""

from __future__ import annotations

import subprocess
import sys
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from joblib import Memory, Parallel, delayed

from benchmarks import bodies
from benchmarks.importing import importing
from benchmarks.sample import Prepared, Setting, serve

if TYPE_CHECKING:
    from collections.abc import Callable

DOZING_THREADS = 16
PROCESSES = 2


def _hits(setting: Setting) -> Prepared:
    fill(setting.place, setting.size)
    return _hit(setting)


def _hits_elsewhere(setting: Setting) -> Prepared:
    code = f"from benchmarks.peers.joblib import fill; fill({setting.place!r}, {setting.size})"
    subprocess.run([sys.executable, "-c", code], check=True)
    return _hit(setting)


def fill(folder: str, size: int) -> None:
    """Put what `nothing` returns for so many numbers into the folder."""
    kept = _kept(folder)
    for number in range(size):
        kept(number)


def _kept(folder: str) -> Any:
    return Memory(folder, verbose=0).cache(bodies.nothing)


def _hit(setting: Setting) -> Prepared:
    kept = _kept(setting.place)
    return Prepared(
        lambda: [kept(number) for number in range(setting.size)],
        lambda found: found == list(range(setting.size)) and all(map(kept.check_call_in_cache, found)),
    )


def _parallel(body: Callable[[int], Any], workers: int, **options: str) -> Callable[[Setting], Prepared]:
    def prepare(setting: Setting) -> Prepared:
        return Prepared(
            lambda: Parallel(workers, **options)(delayed(body)(number) for number in range(setting.size)),
            lambda found: len(found) == setting.size,
        )

    return prepare


WORKS = {
    ("hits", "caller"): _hits,
    ("hits", "elsewhere"): _hits_elsewhere,
    ("doze", "threads"): _parallel(bodies.doze, DOZING_THREADS, prefer="threads"),
    ("burn", "processes"): _parallel(bodies.burn, PROCESSES),
    ("import", "caller"): importing("import joblib"),
}

if __name__ == "__main__":
    # One folder for all: in a second one, joblib would compare the function's source at every call.
    serve("joblib", "joblib", WORKS, dict.fromkeys(("caller", "elsewhere"), TemporaryDirectory))
