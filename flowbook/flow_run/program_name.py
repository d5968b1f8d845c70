"""What people call the program that this process runs: a list says of a run from a script where it was started."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["program_name"]

_MAIN = "__main__.py"


def program_name() -> str:
    """Return the name of the script, or of the notebook whose kernel this is; of a package run by `-m`, the package's.

    Without a file, "python -c" or "Python prompt".
    """
    if "ipykernel" in sys.modules:
        # A name in the Jupyter server's tree, not a path of this machine.
        return os.environ.get("JPY_SESSION_NAME", "").rpartition("/")[2] or "notebook"
    started = sys.argv[0] if sys.argv else ""
    if started in {"", "-c"}:
        return "python -c" if started else "Python prompt"
    path = Path(started)
    return path.parent.name if path.name == _MAIN else path.name
