"""Facts about the front end: whether there is one, which cell runs, who the user is."""

from __future__ import annotations

import getpass
import os
from typing import TYPE_CHECKING, Any

from flowbook.exceptions import DefinitionError

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["cell_and_request", "cell_name", "has_front_end", "notebook_name", "person"]


def has_front_end(shell: InteractiveShell) -> bool:
    """Return whether widgets can be used: the request came from a front end that allows input.

    nbclient and papermill send `allow_stdin=False`. `FLOWBOOK_FRONTEND=0` or `1` overrides.

    Raises:
        DefinitionError: if FLOWBOOK_FRONTEND is neither.
    """
    said = os.environ.get("FLOWBOOK_FRONTEND", "")
    if said in ("0", "1"):
        return said == "1"
    if said:
        msg = f"FLOWBOOK_FRONTEND={said!r} is neither 0 nor 1. Set one of them, or unset it."
        raise DefinitionError(msg, value=said)
    request = _request(shell)
    return bool(request.get("content", {}).get("allow_stdin"))


def notebook_name(shell: InteractiveShell) -> str:
    """Return the file name of the notebook, or an empty text if the front end doesn't tell it."""
    path = os.environ.get("JPY_SESSION_NAME") or _request(shell).get("metadata", {}).get("cellPath", "")
    return os.path.basename(str(path))  # noqa: PTH119  # a name in the server's tree, not a path of this machine


def cell_and_request(shell: InteractiveShell) -> tuple[str, str]:
    """Return the ids of the running cell and of its request; empty texts if the front end doesn't tell them."""
    request = _request(shell)
    return str(request.get("metadata", {}).get("cellId", "")), str(request.get("header", {}).get("msg_id", ""))


def cell_name(shell: InteractiveShell, filename: str) -> str | None:
    """Return "In [4]" for the file name of a cell's code; None for another file."""
    number = getattr(shell.compile, "_filename_map", {}).get(filename)
    return f"In [{number}]" if number is not None else None


def person() -> str:
    """Return the user's name on this machine; empty if there is none, as for a bare user id in a container."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return ""


def _request(shell: InteractiveShell) -> dict[str, Any]:
    kernel = getattr(shell, "kernel", None)
    if kernel is None:
        return {}
    parent = kernel.get_parent("shell")
    return parent if isinstance(parent, dict) else {}
