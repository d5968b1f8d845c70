"""Present places of classes and functions that values in older stores name: a pickle holds names of modules, and those change.

When a class or function that a stored value or flow may hold is moved or renamed, its old name is added here, for ever.
"""

from __future__ import annotations

import io
import pickle
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["load_old"]

#: Module and name, as the pickle has them; then as they are now.
_MOVED = {
    ("flowbook.core.surgery", "replace"): ("flowbook.core.flow_edits", "replace"),
    ("flowbook.core.surgery", "update"): ("flowbook.core.flow_edits", "update"),
    ("flowbook.core.task", "FunctionTask"): ("flowbook.core.function_task", "FunctionTask"),
    ("flowbook.core.task", "task"): ("flowbook.core.function_task", "task"),
    ("flowbook.store.keeping", "RecordedTracebackError"): ("flowbook.store.value_collector", "RecordedTracebackError"),
    ("flowbook.store.keeping", "raised"): ("flowbook.store.value_collector", "raised"),
    ("flowbook.store.recorder", "RecordedTracebackError"): ("flowbook.store.value_collector", "RecordedTracebackError"),
    ("flowbook.store.recorder", "_raised"): ("flowbook.store.value_collector", "raised"),
    ("flowbook.store.values", "Gone"): ("flowbook.store.values", "Unstored"),
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401  # whatever the pickle names
        return super().find_class(*_MOVED.get((module, name), (module, name)))


def load_old(stream: memoryview, buffers: Iterable[Any]) -> Any:  # noqa: ANN401  # what a user's task returned
    """Return what `pickle.loads` does, with the names of today. The caller has made sure that the pickle is trusted."""
    return _Unpickler(io.BytesIO(stream), buffers=buffers).load()
