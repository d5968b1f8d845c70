"""Names of a package that are loaded when they are first asked for, so that importing it stays light."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

__all__ = ["load"]


def load(package: str, name: str, where: Mapping[str, str], modules: Collection[str]) -> object:
    """Return what `package.name` stands for: for the `__getattr__` of that package.

    Args:
        package: full name.
        name: that somebody asked for.
        where: names, each with the module that holds it.
        modules: of the package, which may be named without importing them by name.

    Raises:
        AttributeError: if there is no such name.
    """
    if name in modules:
        return import_module(f"{package}.{name}")
    if name not in where:
        msg = f"module {package!r} has no attribute {name!r}"
        raise AttributeError(msg)
    found = getattr(import_module(where[name]), name)
    setattr(sys.modules[package], name, found)
    return found
