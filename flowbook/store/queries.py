"""The store's SQL, by name, from the `.sql` files beside this module; read on first use."""

from __future__ import annotations

import re
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.resources.abc import Traversable

__all__ = ["migrations", "queries"]

_NAME = re.compile(r"^-- (\w+) --$", re.MULTILINE)


@cache
def queries() -> Mapping[str, str]:
    """Return the queries by name; in the files, each begins with a line `-- name --`."""
    found: dict[str, str] = {}
    for file in sorted(_folder().iterdir(), key=lambda file: file.name):
        if file.name.endswith(".sql"):
            _, *parts = _NAME.split(file.read_text(encoding="utf-8"))
            found.update(zip(parts[::2], map(str.strip, parts[1::2]), strict=True))
    return MappingProxyType(found)


@cache
def migrations() -> Mapping[int, str]:
    """Return the migrations, each by the schema version that it leads to."""
    folder = _folder() / "migrations"
    files = {int(file.name[:4]): file for file in folder.iterdir() if file.name.endswith(".sql")}
    return MappingProxyType({version: files[version].read_text(encoding="utf-8") for version in sorted(files)})


def _folder() -> Traversable:
    from importlib import resources  # noqa: PLC0415  # brings tempfile, random and urllib along

    return resources.files("flowbook.store") / "sql"
