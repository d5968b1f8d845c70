"""Pickles classes and functions by value, and reuses an existing class with the same definition when reading.

Other processes can't import a class of a script or notebook (`__main__`), so its definition is pickled with its
instances. A second class made from it would be no match for the reader's own: `Colour.RED == Colour.RED` is False. So a
reader takes its own class of that module, name and definition, if it has one; only otherwise it makes one.
Names of `take_class` and `fill_class` stand in stored pickles: don't rename them.
"""

from __future__ import annotations

import io
import pickle
import sys
import types
from multiprocessing.reduction import ForkingPickler
from typing import TYPE_CHECKING, Any

import cloudpickle
from cloudpickle import cloudpickle as internals

from flowbook.results.code_hash import code_hash
from flowbook.results.streamed import reduce_array, whole

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ByValuePickler", "fill_class", "take_class", "take_function"]

_MAKERS = frozenset({internals._make_skeleton_class, internals._make_skeleton_enum})  # noqa: SLF001  # no public name
_make_function = internals._make_function  # noqa: SLF001
_set_class_state = internals._class_setstate  # noqa: SLF001


class ByValuePickler(cloudpickle.Pickler):  # type: ignore[misc]  # no stubs
    """cloudpickle's pickler, which also records the module, name and definition of each class.

    Args:
        out: takes the stream.
        buffer_callback: takes buffers beside it.
        streams: whether large arrays may become buffers whose bytes are made as they are written, see `streamed`.
    """

    def __init__(
        self,
        out: Any,  # noqa: ANN401  # a writer
        buffer_callback: Callable[[pickle.PickleBuffer], object] | None = None,
        *,
        streams: bool = False,
    ) -> None:
        super().__init__(out, protocol=5, buffer_callback=buffer_callback)
        self._streams = streams
        #: By id; what it is of comes along, so that the id stays its own.
        self._wholes: dict[int, tuple[object, object]] = {}

    def reducer_override(self, thing: object) -> Any:  # noqa: ANN401  # as pickle asks for it
        """See `pickle.Pickler`."""
        kind: Any = type(thing)
        if self._streams and kind.__name__ == "ndarray" and kind.__module__ == "numpy":
            return reduce_array(thing) or NotImplemented
        if self._streams and kind is types.CellType:
            return self._reduce_cell(thing)
        #: Of anything else, cloudpickle says `NotImplemented`, which takes a while: of a task, there are five objects.
        is_code = isinstance(thing, types.FunctionType) or issubclass(kind, type)
        reduced = super().reducer_override(thing) if is_code else NotImplemented
        if not isinstance(reduced, tuple):
            return reduced
        maker, arguments, *state = reduced
        if maker is _make_function:
            if self._streams:
                fields = state[0][1]
                fields["__globals__"] = {name: self._whole(held) for name, held in fields["__globals__"].items()}
            return (take_function, arguments, *state)
        if maker not in _MAKERS:
            return reduced
        made: Any = thing
        identity = (made.__module__, made.__qualname__, code_hash(made))
        return (take_class, (maker, arguments, identity), state[0], None, None, fill_class)

    def _reduce_cell(self, cell: Any) -> Any:  # noqa: ANN401
        try:
            return internals._make_cell, (self._whole(cell.cell_contents),)  # noqa: SLF001
        except ValueError:  # an empty one
            return NotImplemented

    def _whole(self, held: object) -> object:
        """Return the object that stands for a function's variable in the pickle; the same each time."""
        if id(held) not in self._wholes:
            self._wholes[id(held)] = (held, whole(held))
        return self._wholes[id(held)][1]


def take_class(maker: Callable[..., type], arguments: tuple[Any, ...], identity: tuple[str, str, str]) -> type:
    """Return the loaded class of this module, name and definition, or a new class without members."""
    module, name, definition = identity
    found = _at_hand(module, name)
    if found is not None and code_hash(found) == definition:
        return found
    return maker(*arguments)


def fill_class(kind: type, state: tuple[Any, Any]) -> type:
    """Give a new class its members; an existing class has them already."""
    if _at_hand(kind.__module__, kind.__qualname__) is not kind:
        _set_class_state(kind, state)
    return kind


def take_function(*arguments: Any) -> types.FunctionType:  # noqa: ANN401  # what cloudpickle's maker takes
    """Return a new function, and see to it that `multiprocessing` can send it on."""
    ForkingPickler.reducer_override = _for_multiprocessing  # type: ignore[method-assign]  # the only door there is
    found: types.FunctionType = _make_function(*arguments)
    return found


def _at_hand(module: str, name: str) -> type | None:
    found = _by_name(module, name)
    return found if isinstance(found, type) else None


def _by_name(module: str, name: str) -> object:
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _for_multiprocessing(_: pickle.Pickler, thing: object) -> Any:  # noqa: ANN401  # as pickle asks for it
    """Let a `multiprocessing` pool send what it finds by no name: `Pool.map(work)` in a flow read from the store."""
    if not isinstance(thing, type | types.FunctionType) or _is_found_by_name(thing):
        return NotImplemented
    out = io.BytesIO()
    ByValuePickler(out).dump(thing)
    return pickle.loads, (out.getvalue(),)


def _is_found_by_name(thing: Any) -> bool:  # noqa: ANN401  # a class or function
    return _by_name(thing.__module__, thing.__qualname__) is thing
