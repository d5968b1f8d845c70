"""Values at rest: hashes, serialization, blobs, previews, and files as inputs and outputs.

`Result` writes outputs to files of the user's choosing; it is loaded on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowbook.results.files import Result

__all__ = ["Result"]


def __getattr__(name: str) -> object:
    if name != "Result":
        msg = f"module 'flowbook.results' has no attribute {name!r}"
        raise AttributeError(msg)
    from flowbook.results.files import Result  # noqa: PLC0415  # every import of flowbook passes here

    return Result
