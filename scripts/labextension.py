"""Lays out the labextension as the wheel installs it, from the files as they are: `python scripts/labextension.py FOLDER`.

An editable install holds a copy of the time when it was made; JupyterLab takes this folder before it, with
`--LabServerApp.extra_labextensions_path=FOLDER`. Runs while a wheel is built, too, so it imports only the standard library.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
import tomllib
from pathlib import Path
from typing import Any

__all__ = ["WHERE", "lay_out", "write_views"]

REPOSITORY = Path(__file__).resolve().parents[1]
WHERE = "share/jupyter/labextensions"
_NOTEBOOK = REPOSITORY / "flowbook" / "notebook"


def lay_out(folder: Path) -> Path:
    """Write the extension below `folder`, in place of an older copy there, and return `folder`."""
    build = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    shared = build["targets"]["wheel"]["shared-data"]
    shutil.rmtree(folder / "jupyter-flowbook", ignore_errors=True)
    for source, target in shared.items():
        if not target.startswith(WHERE):
            continue
        here = folder / Path(target).relative_to(WHERE)
        here.parent.mkdir(parents=True, exist_ok=True)
        if (REPOSITORY / source).is_dir():
            shutil.copytree(REPOSITORY / source, here)
        else:
            shutil.copy(REPOSITORY / source, here)
    write_views(folder / "jupyter-flowbook" / "static")
    return folder


def write_views(folder: Path) -> list[Path]:
    """Write into `folder` what the labextension loads: the views, packed, and their loader; return the files."""
    version = json.loads((_NOTEBOOK / "labextension" / "package.json").read_text())["version"]
    code, static = _views_code(), _NOTEBOOK / "static"
    views, loader = folder / f"views.{version}.bin", folder / f"loader.{version}.js"
    views.write_bytes(code.pack_lab(static))
    loader.write_text(code.compact_script((static / "loader.js").read_text("utf-8")), "utf-8")
    return [views, loader]


def _views_code() -> Any:  # noqa: ANN401  # a module
    """Return `flowbook.notebook.views_code`, loaded by its path: nothing that flowbook needs may be installed here."""
    spec = importlib.util.spec_from_file_location("flowbook_views_code", _NOTEBOOK / "views_code.py")
    assert spec is not None  # noqa: S101  # the file is there
    assert spec.loader is not None  # noqa: S101
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    lay_out(Path(sys.argv[1]))
