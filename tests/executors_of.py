"""Every executor there is, for tests that hold wherever tasks run."""

from __future__ import annotations

import pytest

from flowbook.executors import LocalDaskExecutor, LocalExecutor

MAKE = {
    "local": LocalExecutor,
    "threads": lambda: LocalDaskExecutor("threads", num_workers=4),
    "synchronous": lambda: LocalDaskExecutor("synchronous"),
}
everywhere = pytest.mark.parametrize("executor", [pytest.param(make(), id=name) for name, make in MAKE.items()])
