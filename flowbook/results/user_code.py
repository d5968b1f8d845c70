"""Which modules are the user's own, as opposed to the standard library's, installed ones and flowbook's."""

from __future__ import annotations

import os
import sys
import sysconfig
from functools import cache
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from flowbook._utils.installed_files import installed

if TYPE_CHECKING:
    from flowbook._utils.installed_files import Installed

__all__ = ["is_user_module", "modules_by_value", "travels_by_value"]

#: The module that Cython's own types name, which has no file: that of every compiled function, in whichever library.
_OF_CYTHON = "_cython_"
_INSTALLED = frozenset({"site-packages", "dist-packages"})


def is_user_module(name: object) -> bool:
    """Return whether module `name` is the user's: `__main__`, a notebook, or a file that was not installed, wherever it is.

    What `__module__` of a class gives may be no text, if the class says so itself; it is then taken for the user's.
    """
    if not isinstance(name, str) or name == "__main__":
        return True
    if _is_everywhere(name):
        return False
    path = getattr(sys.modules.get(name), "__file__", None)
    return path is None or not (_is_in_library(path) or _installed(path))


def travels_by_value(name: object) -> bool:
    """Return whether what module `name` defines is pickled by value: it is the user's, or other processes may not find it.

    They look into the folders of PYTHONPATH, but don't know of those that a program added to `sys.path`.
    """
    if not isinstance(name, str) or is_user_module(name):
        return True
    path = getattr(sys.modules.get(name), "__file__", None)
    if path is None or _is_everywhere(name) or _is_in_library(path):
        return False
    found = _installed(path)
    return found is not None and found.folder not in _shared_folders(os.environ.get("PYTHONPATH", ""))


def modules_by_value() -> list[str]:
    """Return the names of all loaded modules that travel by value and have a file, sorted; without `__main__`."""
    return sorted(
        name
        for name, module in list(sys.modules.items())
        if name != "__main__" and getattr(module, "__file__", None) and travels_by_value(name)
    )


def _is_everywhere(name: str) -> bool:
    """Return whether a module is flowbook's, Python's or Cython's."""
    top = name.partition(".")[0]
    if top == "flowbook" or top in sys.stdlib_module_names or top in sys.builtin_module_names:
        return True
    return top.startswith(_OF_CYTHON)


@cache
def _is_in_library(path: str) -> bool:
    pure = PurePath(path)
    return bool(_INSTALLED.intersection(pure.parts)) or any(
        pure.is_relative_to(folder) for folder in _library_folders()
    )


@cache
def _installed(path: str) -> Installed | None:
    return installed(path)


@cache
def _shared_folders(variable: str) -> frozenset[Path]:
    return frozenset(Path(entry).absolute() for entry in variable.split(os.pathsep) if entry)


@cache
def _library_folders() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    return tuple(paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib"))
