"""Keys of tasks and of the children of mapped tasks: `clean`, `clean[3]`. Only this module makes and reads them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

__all__ = ["child_key", "child_keys", "is_child_key", "named", "parent_key", "split_child_key", "split_key"]


def child_key(key: str, index: int) -> str:
    """Return the key of child number `index` of mapped task `key`, e.g. `clean[3]`."""
    return f"{key}[{index}]"


def child_keys(key: str, width: int) -> Iterator[str]:
    """Yield the keys of all children of mapped task `key`, in order."""
    return (f"{key}[{index}]" for index in range(width))


def split_key(key: str) -> tuple[str, int | None]:
    """Return the task's key and, for a child's key such as `clean[3]`, its index; None for a task's own key.

    An index has digits only, without leading zeros: `clean[03]` and `clean[raw]` are keys of tasks.
    """
    if key[-1:] != "]":
        return key, None
    parent, _, index = key[:-1].rpartition("[")
    if not parent or not index.isascii() or not index.isdigit() or (index[0] == "0" and index != "0"):
        return key, None
    return parent, int(index)


def split_child_key(key: str) -> tuple[str, int]:
    """Return the task's key and the index of a child's key such as `clean[3]`. Raises ValueError for any other key."""
    parent, index = split_key(key)
    if index is None:
        msg = f"{key!r} isn't the key of a mapped task's child, such as 'clean[3]'."
        raise ValueError(msg)
    return parent, index


def parent_key(key: str) -> str:
    """Return the key of the task: of a child its mapped task's, of a task its own."""
    return split_key(key)[0]


def is_child_key(key: str) -> bool:
    """Return whether `key` names a child of a mapped task."""
    return split_key(key)[1] is not None


def named(keys: Iterable[str], names: Collection[str]) -> tuple[str, ...]:
    """Return those of `keys` that `names` has, or whose mapped task it has; all if it is empty."""
    return tuple(key for key in keys if not names or key in names or parent_key(key) in names)
