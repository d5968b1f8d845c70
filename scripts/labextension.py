"""Lays out the labextension as the wheel installs it, from the files as they are: `python scripts/labextension.py FOLDER`.

An editable install holds a copy of the time when it was made; JupyterLab takes this folder before it, with
`--LabServerApp.extra_labextensions_path=FOLDER`.
"""

from __future__ import annotations

import shutil
import sys
import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
_SHARED = "share/jupyter/labextensions"


def lay_out(folder: Path) -> Path:
    """Write the extension below `folder`, in place of an older copy there, and return `folder`."""
    build = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    shared = build["targets"]["wheel"]["shared-data"]
    shutil.rmtree(folder / "jupyter-flowbook", ignore_errors=True)
    for source, target in shared.items():
        here = folder / Path(target).relative_to(_SHARED)
        here.parent.mkdir(parents=True, exist_ok=True)
        if (REPOSITORY / source).is_dir():
            shutil.copytree(REPOSITORY / source, here)
        else:
            shutil.copy(REPOSITORY / source, here)
    return folder


if __name__ == "__main__":
    lay_out(Path(sys.argv[1]))
