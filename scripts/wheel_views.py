"""Hatchling's hook while a wheel is built: adds the packed views that the labextension loads, and their loader."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).parent))
from labextension import WHERE, write_views  # found by the line above

__all__ = ["ViewsHook"]


class ViewsHook(BuildHookInterface):  # type: ignore[type-arg]  # hatchling's parameter is of no use here
    """Writes the files into a folder of their own, and names them among those that are installed."""

    PLUGIN_NAME = "views"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002  # as hatchling calls it
        """Write the files before the wheel is made."""
        self._folder = tempfile.TemporaryDirectory(prefix="flowbook-views-")
        for file in write_views(Path(self._folder.name)):
            build_data["shared_data"][str(file)] = f"{WHERE}/jupyter-flowbook/static/{file.name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """Remove them once the wheel is made."""
        self._folder.cleanup()
