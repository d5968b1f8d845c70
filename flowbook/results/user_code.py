"""Which modules are the user's own, as opposed to the standard library's, installed ones and flowbook's."""

from __future__ import annotations

import sys
import sysconfig
from functools import cache
from pathlib import PurePath

__all__ = ["is_user_module", "user_modules"]

#: The module that Cython's own types name, which has no file: that of every compiled function, in whichever library.
_OF_CYTHON = "_cython_"
_INSTALLED = frozenset({"site-packages", "dist-packages"})


def is_user_module(name: object) -> bool:
    """Return whether module `name` is the user's: `__main__`, a notebook, or a file that was not installed.

    What `__module__` of a class gives may be no text, if the class says so itself; it is then taken for the user's.
    """
    if not isinstance(name, str) or name == "__main__":
        return True
    top = name.partition(".")[0]
    if top == "flowbook" or top in sys.stdlib_module_names or top in sys.builtin_module_names:
        return False
    if top.startswith(_OF_CYTHON):
        return False
    path = getattr(sys.modules.get(name), "__file__", None)
    return path is None or _is_user_file(path)


def user_modules() -> list[str]:
    """Return the names of all loaded modules that are the user's and have a file, sorted; without `__main__`."""
    return sorted(
        name
        for name, module in list(sys.modules.items())
        if name != "__main__" and getattr(module, "__file__", None) and is_user_module(name)
    )


@cache
def _is_user_file(path: str) -> bool:
    pure = PurePath(path)
    if _INSTALLED.intersection(pure.parts):
        return False
    return not any(pure.is_relative_to(folder) for folder in _library_folders())


@cache
def _library_folders() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    return tuple(paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib"))
