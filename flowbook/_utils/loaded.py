"""Classes of libraries that are loaded, asked for without loading any.

A module stands in `sys.modules` before its classes are in it: for as long as another thread imports it.
"""

from __future__ import annotations

import sys
from operator import attrgetter
from typing import Any

__all__ = ["LoadedClasses"]


class LoadedClasses:
    """Classes of one module, as far as they are there.

    Args:
        module: its name.
        names: of the classes.
    """

    __slots__ = ("_get", "_module", "_names")

    def __init__(self, module: str, *names: str) -> None:
        self._module = module
        self._names = names
        self._get = attrgetter(*names)

    def now(self) -> Any:  # noqa: ANN401  # a class, or a tuple of them
        """Return those that are there, for `isinstance`: none of a module that isn't loaded.

        A class that isn't there yet has no instances, so `isinstance(value, FRAMES.now())` is right at any time.
        """
        found = sys.modules.get(self._module)
        if found is None:
            return ()
        try:
            return self._get(found)
        except AttributeError:  # another thread imports it
            return tuple(kind for name in self._names if (kind := getattr(found, name, None)) is not None)
