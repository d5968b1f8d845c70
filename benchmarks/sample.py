"""One measurement: how it is taken, and its line of JSON. Runs in every peer's environment: standard library alone."""

from __future__ import annotations

import argparse
import gc
import json
import resource
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

__all__ = ["Clocks", "Prepared", "Sample", "Setting", "measured", "serve", "take"]

_WARM_SIZE = 10
#: Where ten would take as long as what is measured.
_WARM_SIZES = {"burn": 1, "doze_long_at_1": 1, "import": 1}
_TAKES_AT_MOST = 5
_ENOUGH_S = 0.3


@dataclass(frozen=True, slots=True)
class Clocks:
    """Seconds: of this process's processor time, and of the wall's clock."""

    cpu_s: float
    wall_s: float


@dataclass(frozen=True, slots=True)
class Sample:
    """What one run of one peer came to.

    Attributes:
        build: making the graph, or the flow.
        run: running it; processes beside this one count for the wall only.
        peak_bytes: most that this process had in memory.
        grown_bytes: the same, less what it had before the graph was made.
        told: what else the work has to say, by name, in seconds.
    """

    peer: str
    version: str
    work: str
    on: str
    size: int
    build: Clocks
    run: Clocks
    peak_bytes: int
    grown_bytes: int
    told: dict[str, float] = field(default_factory=dict)

    @classmethod
    def from_json(cls, text: str) -> Sample:
        """Return the sample of a line that a peer printed."""
        found = json.loads(text)
        return cls(**{**found, "build": Clocks(**found["build"]), "run": Clocks(**found["run"])})

    def to_json(self) -> str:
        """Return it as one line."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class Setting:
    """What a work is prepared for.

    Attributes:
        place: what the peer opened for `on`, e.g. a cluster's client; None where there is nothing to open.
        folder: an empty folder of its own.
    """

    size: int
    place: Any
    folder: Path


class Prepared(NamedTuple):
    """A work that is built: what is measured, whether it came out right, and what it has to say besides."""

    run: Callable[[], Any]
    is_right: Callable[[Any], bool]
    tells: Callable[[Any], dict[str, float]] = lambda _: {}


#: Building, running, the bytes that both took, and what the work told.
Take = tuple[Clocks, Clocks, int, dict[str, float]]


def serve(
    peer: str,
    package: str | None,
    works: Mapping[tuple[str, str], Callable[[Setting], Prepared]],
    places: Mapping[str, Callable[[], AbstractContextManager[Any]]] | None = None,
) -> None:
    """Be a peer's script: measure what the command line asks for, print one line of JSON.

    Args:
        package: whose version is told; None: Python's own.
        works: by their name and by where they run.
        places: opens what is needed to run there, once, outside of what is measured.
    """
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.peers.{peer}", description=f"Measure {peer} once.")
    parser.add_argument("work", choices=sorted({work for work, _ in works}))
    parser.add_argument("size", type=int, help="how many tasks, or children")
    parser.add_argument("--on", default="caller", help="where tasks run: " + ", ".join(sorted({on for _, on in works})))
    parser.add_argument("--once", action="store_true", help="not several times what is over in no time")
    parser.add_argument("--again", action="store_true", help="run it once before, and measure the second run")
    asked = parser.parse_args()
    if (asked.work, asked.on) not in works:
        sys.exit(f"{peer} has no {asked.work!r} on {asked.on!r}.")
    with ExitStack() as stack:
        place = stack.enter_context(places[asked.on]()) if places and asked.on in places else None
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        prepare = works[asked.work, asked.on]
        take(prepare, Setting(min(asked.size, _WARM_SIZES.get(asked.work, _WARM_SIZE)), place, _made(folder / "warm")))
        most = 1 if asked.once else _TAKES_AT_MOST
        takes = _takes(prepare, asked.size, place, folder, most=most, is_again=asked.again)
    builds, runs, grown_bytes, told = zip(*takes, strict=True)
    sample = Sample(
        peer,
        _version(package),
        asked.work,
        asked.on,
        asked.size,
        _median(builds),
        _median(runs),
        _peak_bytes(),
        grown_bytes[0],
        told[0],
    )
    print(sample.to_json())


def _takes(  # noqa: PLR0913  # what the command line says
    prepare: Callable[[Setting], Prepared], size: int, place: Any, folder: Path, *, most: int, is_again: bool
) -> list[Take]:
    """Measure once, or up to `most` times what is over in no time."""
    takes: list[Take] = []
    spent_s = 0.0
    while not takes or (len(takes) < most and spent_s < _ENOUGH_S):
        found = take(prepare, Setting(size, place, _made(folder / f"take-{len(takes)}")), is_again=is_again)
        takes.append(found)
        spent_s += found[0].wall_s + found[1].wall_s
    return takes


def _median(clocks: Sequence[Clocks]) -> Clocks:
    return Clocks(*(statistics.median(part) for part in zip(*[(c.cpu_s, c.wall_s) for c in clocks], strict=True)))


def take(prepare: Callable[[Setting], Prepared], setting: Setting, *, is_again: bool = False) -> Take:
    """Build and run once; return both clocks, the bytes that it took, and what the work tells.

    Args:
        prepare: builds the work.
        setting: what for.
        is_again: whether the same work runs once before, unmeasured: what a peer does at the first run only is then done.

    Raises:
        RuntimeError: if the work did not come out right: a failed run measures nothing.
    """
    gc.collect()
    before_bytes = _bytes_now()
    prepared, build = measured(lambda: prepare(setting))
    if is_again:
        prepared.run()
    gc.collect()
    result, run = measured(prepared.run)
    grown_bytes = max(0, _peak_bytes() - before_bytes)
    if not prepared.is_right(result):
        raise RuntimeError(f"The run of {setting.size} came out wrong: {str(result)[:200]}")
    return build, run, grown_bytes, prepared.tells(result)


def measured(call: Callable[[], Any]) -> tuple[Any, Clocks]:
    """Return what `call` returned, and how long it took."""
    cpu, wall = time.process_time(), time.perf_counter()
    result = call()
    return result, Clocks(time.process_time() - cpu, time.perf_counter() - wall)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _version(package: str | None) -> str:
    if package is None:
        return ".".join(map(str, sys.version_info[:3]))
    try:
        return version(package)
    except PackageNotFoundError:
        return "?"


def _bytes_now() -> int:
    return _from_proc("VmRSS:") or _peak_bytes()


def _peak_bytes() -> int:
    """Most memory held so far. Where there is /proc from there: `getrusage` begins with what the parent process had."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return _from_proc("VmHWM:") or (peak if sys.platform == "darwin" else peak * 1024)


def _from_proc(name: str) -> int:
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(name)), 0)
