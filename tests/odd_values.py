"""Values that are hard to look at: they change meanwhile, load on demand, raise, or go deeper than Python does."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ODD_VALUES"]


class LostMapping(dict):
    """Loads on demand, and lost its connection."""

    def items(self) -> Any:
        msg = "gone"
        raise ConnectionError(msg)

    __iter__ = keys = values = items  # type: ignore[assignment]


class Proxy:
    """Stands for an object that is not at hand here, and asks it even for its class."""

    def _refuse(self) -> Any:
        msg = "working outside of context"
        raise RuntimeError(msg)

    __class__ = property(_refuse)  # type: ignore[assignment]


class RudeText(str):
    """A text that lets nobody look at it."""

    __slots__ = ()

    def _refuse(self, *_: object) -> Any:
        raise SystemExit(3)

    __str__ = __repr__ = __eq__ = encode = __format__ = _refuse  # type: ignore[assignment]
    __hash__ = str.__hash__


class RudeLength(list):
    """A list that raises when its length is asked for."""

    def __len__(self) -> int:
        raise KeyboardInterrupt


def nested(depth: int) -> Callable[[], list[Any]]:
    """Return what makes a list within a list, so many deep."""

    def make() -> list[Any]:
        found: list[Any] = []
        for _ in range(depth):
            found = [found]
        return found

    return make


def changing() -> dict[int, int]:
    """Return a dict that a thread still fills."""
    found = dict.fromkeys(range(100_000), 1)

    def fill() -> None:
        for number in range(1_000_000, 1_200_000):
            found[number] = 1

    threading.Thread(target=fill, daemon=True).start()
    return found


def ring() -> list[Any]:
    """Return a list that holds itself."""
    found: list[Any] = [1]
    found.append(found)
    return found


#: By name what makes them. Each can be returned by a task, on any executor that keeps values in this process.
ODD_VALUES: dict[str, Callable[[], Any]] = {
    "lost_mapping": lambda: LostMapping(a=1),
    "proxy": Proxy,
    "rude_text": lambda: RudeText("rude"),
    "rude_length": lambda: RudeLength([1]),
    "changing": changing,
    "ring": ring,
    "nested_990": nested(990),
    "nested_5000": nested(5_000),
    "nested_100000": nested(100_000),
    "surrogate": lambda: "a\ud800b",
    "surrogate_in_keys": lambda: {"\udcff": ["\ud800\udc00", "\ud800"]},
    "huge_int": lambda: 1 << 100_000,
    "nan": lambda: float("nan"),
}
