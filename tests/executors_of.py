"""Every executor there is, for tests that hold wherever tasks run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from flowbook.executors import DaskExecutor, Executor, LocalDaskExecutor, LocalExecutor

if TYPE_CHECKING:
    from collections.abc import Callable


def _dask_get(*args: Any, **options: Any) -> Any:
    """Stand for a Dask `get` of the user's own."""
    from dask.threaded import get  # noqa: PLC0415  # for those tests only

    return get(*args, **options)


def pool_get(*args: Any, **options: Any) -> Any:
    """Stand for a Dask `get` of the user's own that has processes."""
    from dask.multiprocessing import get  # noqa: PLC0415  # as above

    return get(*args, **options)


MAKE: dict[str, Callable[[], Executor]] = {
    "local": LocalExecutor,
    "threads": lambda: LocalDaskExecutor("threads", num_workers=4),
    "synchronous": lambda: LocalDaskExecutor("synchronous"),
}
#: By where values stay in this process, and where they are pickled on their way.
HERE = {**MAKE, "threads": lambda: LocalDaskExecutor("threads", num_workers=2)}
AWAY = {
    "processes": lambda: LocalDaskExecutor("processes", num_workers=2),
    "waves": lambda: LocalDaskExecutor(_dask_get, num_workers=2),
    "dask": DaskExecutor,
}
#: Slow to start: it starts its processes for each wave.
POOL = {"pool": lambda: LocalDaskExecutor(pool_get, num_workers=2)}
everywhere = pytest.mark.parametrize("executor", [pytest.param(make(), id=name) for name, make in MAKE.items()])


def any_executor(request: pytest.FixtureRequest) -> Executor:
    """Return the executor that a fixture's parameter names; `cluster` is the fixture of that name, at its address."""
    if request.param == "cluster":
        return DaskExecutor(request.getfixturevalue("cluster").scheduler_address)
    return (HERE | AWAY | POOL)[request.param]()
