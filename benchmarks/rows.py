"""The rows of the table: what is measured of whom, at which size, and what flowbook must reach. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from benchmarks.bodies import BURN_S, DOZE_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.sample import Sample

__all__ = ["GROWTH", "GROWTH_GOAL", "GROWTH_SIZES", "PEERS", "ROWS", "Cell", "Goal", "Row"]

#: In the order of the table's columns.
PEERS = ("flowbook", "loop", "dask", "distributed", "hamilton", "pipefunc", "joblib", "prefect1", "prefect3")

#: A goal of so many microseconds stands for this share of `dask.get` on the same graph: 15 µs for 0.7 of it.
_SHARE_PER_US = 0.7 / 15

#: Shapes, by what there is ten times more of.
GROWTH = {
    "chain": "tasks in a chain",
    "fan": "tasks in a fan",
    "layers": "tasks in layers",
    "edges": "edges",
    "map": "children",
}
GROWTH_SIZES = (1_000, 10_000, 100_000)
GROWTH_GOAL = 11.0

_CLUSTER_THREADS = 4
_DOZING_THREADS = 16
_PROCESSES = 2


@dataclass(frozen=True, slots=True)
class Cell:
    """What is measured of one peer.

    Attributes:
        sizes: the first that works is taken.
        value: what of a sample is shown.
        less_on: where the same is run, to be taken off.
        is_once: whether each process does it once only, as somebody does who runs a flow in a script.
        is_again: whether the second run of what was built is measured, not the first.
    """

    peer: str
    work: str
    on: str
    sizes: tuple[int, ...]
    value: Callable[[Sample], float]
    less_on: str | None = None
    is_once: bool = False
    is_again: bool = False


@dataclass(frozen=True, slots=True)
class Goal:
    """At most `limit`: of what `against` comes to; of the value itself where that is None.

    Attributes:
        against: a peer's cell, or an ideal in the row's unit.
        name: what it is, for people.
    """

    limit: float
    against: Cell | float | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. Rows of one group are measured together, and asked for by its name."""

    group: str
    title: str
    unit: str
    cells: tuple[Cell, ...]
    goal: Goal | None = None


def _cpu_us(sample: Sample) -> float:
    return sample.run.cpu_s / sample.size * 1e6


def _wall_us(sample: Sample) -> float:
    return sample.run.wall_s / sample.size * 1e6


def _build_us(sample: Sample) -> float:
    return sample.build.cpu_s / sample.size * 1e6


def _whole_us(sample: Sample) -> float:
    return (sample.build.cpu_s + sample.run.cpu_s) / sample.size * 1e6


def _child_bytes(sample: Sample) -> float:
    return sample.grown_bytes / sample.size


def _wall_s(sample: Sample) -> float:
    return sample.run.wall_s


def _wall_ms(sample: Sample) -> float:
    return sample.run.wall_s * 1e3


def _ideals(workers: int, each_s: float) -> Callable[[Sample], float]:
    """Return what gives the wall's time as a multiple of the least that so many workers need."""
    return lambda sample: sample.run.wall_s / (-(-sample.size // workers) * each_s)


def _told(name: str, scale: float = 1.0) -> Callable[[Sample], float]:
    return lambda sample: sample.told[name] * scale


def _others(sample: Sample) -> float:
    """Return when the last but the slow child had ended, against the least that three threads need for the others."""
    return sample.told["others_s"] / (-(-(sample.size - 1) // (_CLUSTER_THREADS - 1)) * DOZE_S)


def _cells(
    value: Callable[[Sample], float], work: str, on: str = "caller", **sizes: int | tuple[int, ...]
) -> tuple[Cell, ...]:
    return tuple(
        Cell(peer, work, on, size if isinstance(size, tuple) else (size,), value) for peer, size in sizes.items()
    )


def _of(row: Row, peer: str) -> Cell:
    return next(cell for cell in row.cells if cell.peer == peer)


def _no_ops(work: str, title: str, **sizes: int | tuple[int, ...]) -> Row:
    cells = _cells(_cpu_us, work, "caller", **sizes)
    dask = next(cell for cell in cells if cell.peer == "dask")
    return Row(work, title, "CPU µs a task", cells, Goal(0.7, dask, "dask.get"))


_NO_OPS = {
    "chain": _no_ops(
        "chain",
        "chain of 5,000",
        flowbook=5_000,
        loop=5_000,
        dask=5_000,
        hamilton=(5_000, 100),
        pipefunc=100,
        prefect1=100,
        prefect3=100,
    ),
    "fan": _no_ops(
        "fan",
        "fan of 10,000",
        flowbook=10_000,
        loop=10_000,
        dask=10_000,
        hamilton=(10_000, 1_000),
        pipefunc=100,
        prefect1=100,
    ),
    "layers": _no_ops(
        "layers",
        "1,000 in layers, 3 parents each",
        flowbook=1_000,
        loop=1_000,
        dask=1_000,
        hamilton=1_000,
        pipefunc=100,
        prefect1=100,
    ),
    "map": _no_ops(
        "map",
        "map over 100,000",
        flowbook=100_000,
        loop=100_000,
        dask=100_000,
        hamilton=500,
        pipefunc=100_000,
        prefect1=200,
        prefect3=100,
    ),
}


def _small(work: str, title: str, size: int, goal: float = 1.0, **sizes: int | tuple[int, ...]) -> tuple[Row, ...]:
    """Return the rows of a flow of the size that people write, beside what runs functions without states, events or retries.

    All peers build their graph before the first run begins, so what that takes is measured with the run as well.
    """
    found = _cells(_cpu_us, work, "caller", flowbook=size, **sizes)
    rows = []
    for when, value, is_again in (
        ("run once", _cpu_us, False),
        ("run again", _cpu_us, True),
        ("written and run", _whole_us, False),
    ):
        cells = [replace(cell, value=value, is_once=not is_again, is_again=is_again) for cell in found]
        peer = "Hamilton" if cells[1].peer == "hamilton" else cells[1].peer
        rows.append(Row("small", f"{title}, {when}", "CPU µs a task", tuple(cells), Goal(goal, cells[1], peer)))
    return tuple(rows)


def _small_rows() -> tuple[Row, ...]:
    return (
        *_small("chain", "chain of 100", 100, hamilton=100, pipefunc=100, dask=100),
        *_small("chain", "chain of 300", 300, hamilton=300, dask=300),
        *_small("chain", "chain of 1,000", 1_000, hamilton=(1_000, 300), dask=1_000),
        *(
            row
            for size in (100, 300, 1_000)
            for row in _small("fan", f"fan of {size:,}", size, hamilton=size, dask=size)
        ),
        *(
            row
            for size in (100, 300, 1_000)
            for row in _small("layers", f"{size:,} in layers", size, hamilton=size, dask=size)
        ),
        *_small("map", "map over 10,000", 10_000, 0.5, pipefunc=10_000),
        Row("small", "a flow without tasks", "CPU µs a run", _cells(_cpu_us, "empty", flowbook=100), Goal(100)),
    )


def _on_threads(row: Row) -> Row:
    size = _of(row, "flowbook").sizes
    cells = _cells(_cpu_us, row.group, "threads", flowbook=size, dask=size)
    goal = Goal(1.0, cells[1], "dask.threaded.get")
    if row.group == "map":
        cells += _cells(_cpu_us, row.group, "threads", prefect1=200)
    return Row("threads", f"{row.title}, 4 threads", row.unit, cells, goal)


def _built(row: Row) -> Row:
    cells = tuple(replace(cell, value=_build_us) for cell in row.cells if cell.peer != "loop")
    return Row(
        row.group,
        f"building it: {row.title}",
        "CPU µs a task",
        cells,
        Goal(0.7, _of(row, "dask"), "dask.get's run"),
    )


def _recorded(row: Row, guide_us: int) -> Row:
    ours = replace(_of(row, "flowbook"), on="recorded", less_on="caller")
    if row.group == "map":
        ours = replace(ours, sizes=(10_000,))
    goal = Goal(round(guide_us * _SHARE_PER_US, 2), replace(_of(row, "dask"), sizes=ours.sizes), "dask.get")
    return Row(
        "recording",
        f"recording the {row.title if row.group != 'map' else 'map over 10,000'}",
        "CPU µs a task more",
        (ours,),
        goal,
    )


def _cluster_map() -> Row:
    cells = _cells(_wall_us, "map", "cluster", flowbook=10_000, distributed=10_000, prefect1=200)
    return Row(
        "cluster", "map over 10,000 on a cluster of 2 × 2", "wall µs a task", cells, Goal(0.25, cells[1], "client.map")
    )


def _passing(on: str, title: str, **sizes: int | tuple[int, ...]) -> Row:
    cells = _cells(_wall_ms, "passing", on, **sizes)
    goal = Goal(1.0) if on == "caller" else None
    return Row("passing" if on == "caller" else "cluster", title, "wall ms", cells, goal)


def _hits(on: str, title: str, limit: float, **sizes: int) -> Row:
    cells = _cells(_wall_us, "hits", on, **sizes)
    return Row("hits", title, "wall µs a hit", cells, Goal(limit, cells[1], "joblib"))


def _burns() -> Row:
    cells = _cells(_wall_s, "burn", "processes", flowbook=8, loop=8, dask=8, pipefunc=8, joblib=8, prefect1=8)
    return Row(
        "burns", f"8 × {BURN_S} s of CPU on 2 processes", "wall s", cells, Goal(1.10, cells[1], "ProcessPoolExecutor")
    )


def _imports() -> Row:
    cells = _cells(
        _told("over_bare_s", 1e3),
        "import",
        flowbook=1,
        dask=1,
        distributed=1,
        hamilton=1,
        pipefunc=1,
        joblib=1,
        prefect1=1,
        prefect3=1,
    )
    return Row("import", "import, over a bare interpreter", "wall ms", cells, Goal(0.43, cells[1], "dask.threaded"))


ROWS: tuple[Row, ...] = (
    *_NO_OPS.values(),
    *_small_rows(),
    Row(
        "map",
        "the same: most memory held",
        "bytes a child",
        tuple(replace(_of(_NO_OPS["map"], peer), value=_child_bytes) for peer in ("flowbook", "dask", "pipefunc")),
        Goal(1_000),
    ),
    *map(_on_threads, _NO_OPS.values()),
    *(_built(_NO_OPS[name]) for name in ("chain", "fan", "layers")),
    _cluster_map(),
    Row(
        "cluster",
        "map over 1,000 × 50 ms there",
        "× the ideal",
        _cells(_ideals(_CLUSTER_THREADS, DOZE_S), "doze", "cluster", flowbook=1_000, distributed=200),
        Goal(1.1),
    ),
    Row(
        "cluster",
        "the same: Running seen, latest",
        "s after it began",
        _cells(_told("running_seen_s"), "doze", "cluster", flowbook=1_000),
        Goal(0.2),
    ),
    Row(
        "cluster",
        "90 × 50 ms there beside one of 2 s: the 90",
        "× the ideal",
        _cells(_others, "doze_long_at_1", "cluster", flowbook=91, distributed=91),
        Goal(1.1),
    ),
    _passing("cluster", "10 tasks passing on 200 MB there", flowbook=10, distributed=10),
    Row(
        "sleeps",
        "64 sleeps of 50 ms on 16 threads",
        "× the ideal",
        _cells(
            _ideals(_DOZING_THREADS, DOZE_S),
            "doze",
            "threads",
            flowbook=64,
            loop=64,
            dask=64,
            hamilton=64,
            pipefunc=64,
            joblib=64,
            prefect1=64,
            prefect3=64,
        ),
        Goal(1.03),
    ),
    _burns(),
    Row(
        "processes",
        "map over 10,000 on 2 processes",
        "wall µs a task",
        _cells(_wall_us, "map", "processes", flowbook=10_000),
    ),
    _hits(
        "caller", "cache hits, outputs of this process", 0.18, flowbook=1_000, joblib=1_000, hamilton=200, prefect3=20
    ),
    _hits("elsewhere", "cache hits, outputs of another process", 0.51, flowbook=1_000, joblib=1_000),
    _passing(
        "caller", "10 tasks passing on 200 MB", flowbook=10, loop=10, dask=10, hamilton=10, pipefunc=10, prefect1=10
    ),
    *(_recorded(_NO_OPS[name], us) for name, us in {"fan": 40, "map": 40, "chain": 100}.items()),
    _imports(),
)
