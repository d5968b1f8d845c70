"""Where tasks run."""

from flowbook.executors.base import Executor
from flowbook.executors.local import LocalExecutor
from flowbook.executors.local_dask import LocalDaskExecutor

__all__ = ["Executor", "LocalDaskExecutor", "LocalExecutor"]
