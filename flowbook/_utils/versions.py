"""The versions of what runs here: kept beside what is pickled by value, which other versions may not read."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

__all__ = ["versions_here"]


def versions_here() -> dict[str, str]:
    """Return the versions of Python and flowbook; that of flowbook is "unknown" where it is only on the path."""
    try:
        own = version("jupyter-flowbook")
    except PackageNotFoundError:
        own = "unknown"
    return {"python": platform.python_version(), "flowbook": own}
