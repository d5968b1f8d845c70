"""The name by which the calling code knows an object: what a message tells users to write should work as it is."""

from __future__ import annotations

import os.path
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["variable_of"]

_PACKAGE = os.path.dirname(os.path.dirname(__file__))  # noqa: PTH120  # importing pathlib takes 4 ms


def variable_of(is_it: Callable[[object], bool]) -> str | None:
    """Return the variable that holds the object, in the nearest code outside flowbook that has one; None if none does.

    Args:
        is_it: whether a value is the object; it must not raise.
    """
    frame = sys._getframe(1)  # noqa: SLF001  # Python's own way
    while frame is not None:
        if not frame.f_code.co_filename.startswith(_PACKAGE):
            for variables in (frame.f_locals, frame.f_globals):
                found = [name for name, value in list(variables.items()) if not name.startswith("_") and is_it(value)]
                if found:
                    return found[0]
        frame = frame.f_back  # type: ignore[assignment]  # None at the end
    return None
