"""`flowbook.context`: values that user code can read without getting them as arguments.

One ContextVar holds a chain of layers; threads, async tasks and workers each see their own. Entering copies nothing. The
engine sets layers and never reads them to decide.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any

from flowbook.exceptions import ContextKeyError, DefinitionError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

__all__ = ["MISSING", "Context", "ContextLayer", "LayerToken", "context", "current_layer", "enter_layer", "leave_layer"]

MISSING: Any = object()


class ContextLayer:
    """Some values, and the layer around them. Subclasses may compute values when they are read."""

    __slots__ = ("parent", "values")

    def __init__(self, values: Mapping[str, object], parent: ContextLayer | None = None) -> None:
        self.values = values
        self.parent = parent

    def find(self, name: str) -> object:
        """Return the value of `name` in this layer alone, or MISSING."""
        return self.values.get(name, MISSING)

    def names(self) -> tuple[str, ...]:
        """Return the names this layer holds."""
        return tuple(self.values)


LayerToken = Token[ContextLayer | None]
_LAYER: ContextVar[ContextLayer | None] = ContextVar("flowbook_frame", default=None)

current_layer = _LAYER.get
enter_layer = _LAYER.set
leave_layer = _LAYER.reset


class Context:
    """Read-only view of the caller's layers; `with context(key="abc"):` adds one."""

    __slots__ = ()

    def __call__(self, values: Mapping[str, object] | None = None, /, **more: object) -> _Entered:
        """Return a context manager in which these values are seen, by what it calls and the runs it starts.

        Args:
            values: by name; for names that can't be written as keywords.
            more: further values; they win.

        Raises:
            DefinitionError: if `values` isn't a dict by name.
        """
        if values is not None and not (isinstance(values, Mapping) and all(isinstance(name, str) for name in values)):
            msg = f"context({values!r}) isn't a dict by name. Write context(key='abc') or context({{'key': 'abc'}})."
            raise DefinitionError(msg, values=repr(values))
        return _Entered({**(values or {}), **more})

    def get(self, name: str, default: object = None) -> Any:  # noqa: ANN401  # users put anything in
        """Return the innermost value of `name`, or `default`."""
        layer = _LAYER.get()
        while layer is not None:
            value = layer.find(name)
            if value is not MISSING:
                return value
            layer = layer.parent
        return default

    def to_dict(self) -> dict[str, Any]:
        """Return all values seen here, as a new dict."""
        found: dict[str, Any] = {}
        layer = _LAYER.get()
        while layer is not None:
            for name in layer.names():
                found.setdefault(name, layer.find(name))
            layer = layer.parent
        return found

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401
        value = self.get(name, MISSING)
        if value is MISSING:
            if _LAYER.get() is None and threading.current_thread() is not threading.main_thread():
                raise _outside(name)
            msg = (
                f"The context has no {name!r}. Run inside `with flowbook.context({name}=...)`, "
                f"or read it with context.get({name!r}, default)."
            )
            raise ContextKeyError(msg, name=name)
        return value

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        if name.startswith("__"):
            raise AttributeError(name)
        return self[name]

    def keys(self) -> list[str]:
        """Return the names of all values seen here, so that `dict(context)` works."""
        return sorted(self.to_dict())

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self.to_dict())

    def __bool__(self) -> bool:
        return True

    def __setitem__(self, name: str, value: object) -> None:
        setattr(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        msg = f"The context is read-only, {name!r} was not set. Use `with flowbook.context({name}=...)`."
        raise AttributeError(msg)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name, MISSING) is not MISSING

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self.to_dict()})

    def __repr__(self) -> str:
        return f"<flowbook.context: {', '.join(sorted(self.to_dict())) or 'empty'}>"


def _outside(name: str) -> ContextKeyError:
    msg = (
        f"The context is empty here, so it has no {name!r}. It holds values inside a run and inside `with "
        f"flowbook.context({name}=...)`, but not in a thread that a task starts itself: read the value first and hand it to "
        "the thread, or start the thread with target=contextvars.copy_context().run."
    )
    return ContextKeyError(msg, name=name)


class _Entered:
    __slots__ = ("_token", "_values")

    def __init__(self, values: dict[str, object]) -> None:
        self._values = values
        self._token: LayerToken | None = None

    def __enter__(self) -> Context:
        self._token = enter_layer(ContextLayer(self._values, current_layer()))
        return context

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token is not None:
            leave_layer(self._token)
            self._token = None


context = Context()
