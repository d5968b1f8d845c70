"""Settings from the environment, read on each call, never at import.

Touches the disk only to find a project's root.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flowbook.exceptions import InfrastructureError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "Limits",
    "absolute",
    "allows_host_mounts",
    "api_patience_s",
    "api_token",
    "api_url",
    "approval_days",
    "blobs",
    "home",
    "key_file",
    "limits",
    "logging_level",
    "outlasts_power_loss",
    "output_bytes",
    "project",
    "public_url",
    "shows_full_tracebacks",
    "shows_progress",
    "working_folder",
]

_PROJECT_MARKS = (".git", "pyproject.toml")
_GB = 1_000_000_000
_DAY_S = 86_400
#: As in `logging`, which is not loaded for this.
_LEVELS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40, "CRITICAL": 50}


@dataclass(frozen=True, slots=True)
class Limits:
    """How much the store may take.

    Attributes:
        value_bytes: the most that one output may take.
        total_bytes: the most that all values may take.
        keep_s: how long values that a sweep may drop stay while there is room.
        gathered_bytes: how much of a run's values moves to the driver before a temporary cluster closes.
        copies_bytes: the most that local copies of remote values (`blobs`) may take.
    """

    value_bytes: int = _GB
    total_bytes: int = 20 * _GB
    keep_s: int = 30 * _DAY_S
    gathered_bytes: int = _GB
    copies_bytes: int = 5 * _GB


def home() -> Path:
    """Return the store's folder: `FLOWBOOK_HOME`, else `flowbook` in the user's data folder."""
    if given := os.environ.get("FLOWBOOK_HOME"):
        return absolute(given)
    import platformdirs  # noqa: PLC0415  # only where nothing is set

    return platformdirs.user_data_path("flowbook", appauthor=False)


def api_url() -> str | None:
    """Return the address of flowbook's API: `FLOWBOOK_API_URL`; None if it isn't set."""
    return os.environ.get("FLOWBOOK_API_URL", "").rstrip("/") or None


def api_token() -> str | None:
    """Return the token of flowbook's API: `FLOWBOOK_API_TOKEN`; None if it isn't set."""
    return os.environ.get("FLOWBOOK_API_TOKEN") or None


def api_patience_s() -> float | None:
    """Return how long a process waits for an API that can't be reached: `FLOWBOOK_API_PATIENCE_S`; None if it isn't set.

    Raises:
        InfrastructureError: if it isn't a whole number of seconds.
    """
    text = os.environ.get("FLOWBOOK_API_PATIENCE_S")
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        msg = f"FLOWBOOK_API_PATIENCE_S is {text!r}. Give a whole number of seconds, or unset it."
        raise InfrastructureError(msg, name="FLOWBOOK_API_PATIENCE_S", value=text)
    return float(text)


def public_url() -> str | None:
    """Return the address at which people reach the server's pages: `FLOWBOOK_API_PUBLIC_URL`, else that of the API."""
    return os.environ.get("FLOWBOOK_API_PUBLIC_URL", "").rstrip("/") or api_url()


def approval_days() -> int:
    """Return how long a link to approve is good if its task has no deadline: `FLOWBOOK_APPROVAL_DAYS`, usually 7; 0: no links.

    Raises:
        InfrastructureError: if it is no whole number.
    """
    return 0 if os.environ.get("FLOWBOOK_APPROVAL_DAYS") == "0" else _positive("FLOWBOOK_APPROVAL_DAYS", 7, "days")


def approval_may_change_inputs() -> bool:
    """Return whether a link to approve may change plain inputs of its task: not with `FLOWBOOK_APPROVAL_INPUTS=0`."""
    return os.environ.get("FLOWBOOK_APPROVAL_INPUTS") != "0"


def blobs() -> str | None:
    """Return the URL for large values: `FLOWBOOK_BLOBS`, a URL for fsspec or an absolute path; None: the store's folder.

    Raises:
        InfrastructureError: if it is neither.
    """
    given = os.environ.get("FLOWBOOK_BLOBS", "").rstrip("/")
    if not given:
        return None
    if re.match(r"[a-z][a-z0-9+.-]*:/", given):
        return given
    if (folder := _path(given)).is_absolute():
        return folder.as_uri()
    msg = f"FLOWBOOK_BLOBS is {given!r}. Give a URL, e.g. s3://bucket/folder, or the absolute path of a folder."
    raise InfrastructureError(msg, name="FLOWBOOK_BLOBS", value=given)


def key_file() -> Path:
    """Return the path of the signing key: `FLOWBOOK_KEY_FILE`, else in the user's config folder, outside the store."""
    if given := os.environ.get("FLOWBOOK_KEY_FILE"):
        return absolute(given)
    import platformdirs  # noqa: PLC0415  # only where nothing is set

    return platformdirs.user_config_path("flowbook", appauthor=False) / "store.key"


def outlasts_power_loss() -> bool:
    """Return whether each commit waits for the disk: `FLOWBOOK_DURABILITY` is "power-loss", not "crash" (the default).

    Raises:
        InfrastructureError: if it is neither.
    """
    given = os.environ.get("FLOWBOOK_DURABILITY") or "crash"
    if given not in {"crash", "power-loss"}:
        msg = (
            f"FLOWBOOK_DURABILITY is {given!r}. Give 'crash' (results outlast the death of their process) or 'power-loss' "
            "(they outlast the machine's, too, and each takes as long as its disk does)."
        )
        raise InfrastructureError(msg, name="FLOWBOOK_DURABILITY", value=given)
    return given == "power-loss"


def logging_level() -> int | None:
    """Return the level from which on flowbook writes its log to stderr: `FLOWBOOK_LOGGING_LEVEL`; None if it isn't set.

    Raises:
        InfrastructureError: if it isn't the name of a level.
    """
    given = os.environ.get("FLOWBOOK_LOGGING_LEVEL")
    if not given:
        return None
    if (level := _LEVELS.get(given.upper())) is None:
        msg = f"FLOWBOOK_LOGGING_LEVEL is {given!r}. Give one of {', '.join(_LEVELS)}."
        raise InfrastructureError(msg, name="FLOWBOOK_LOGGING_LEVEL", value=given)
    return level


def shows_full_tracebacks() -> bool:
    """Return whether failures show every frame: `FLOWBOOK_TRACEBACK` is "full"."""
    return os.environ.get("FLOWBOOK_TRACEBACK") == "full"


def shows_progress() -> bool:
    """Return whether runs may show on a terminal how they go: `FLOWBOOK_PROGRESS` isn't "0"."""
    return os.environ.get("FLOWBOOK_PROGRESS") != "0"


def allows_host_mounts() -> bool:
    """Return whether containers may be given the whole machine: `FLOWBOOK_ALLOW_HOST_MOUNTS` is "1"."""
    return os.environ.get("FLOWBOOK_ALLOW_HOST_MOUNTS") == "1"


def working_folder() -> Path:
    """Return the folder in which this process works. Raises InfrastructureError: if it was removed meanwhile."""
    try:
        return _path(os.getcwd())  # noqa: PTH109  # as Path.cwd() does
    except OSError as error:
        msg = f"The folder in which this process works is gone: {error.strerror}. Go to another one: cd, or os.chdir in Python."
        raise InfrastructureError(msg) from error


def absolute(path: str | Path) -> Path:
    """Return an absolute path, with the home folder for "~". Raises InfrastructureError: if the working folder is gone."""
    given = _path(path).expanduser()
    return given if given.is_absolute() else working_folder() / given


def project(folder: Path | None = None) -> str:
    """Return the project of `folder` (default: the working folder).

    That is `FLOWBOOK_PROJECT`, else the nearest parent folder with `.git` or `pyproject.toml`, else `folder` itself.

    Raises:
        InfrastructureError: if the working folder is gone.
    """
    if given := os.environ.get("FLOWBOOK_PROJECT"):
        return given
    start = (folder or working_folder()).absolute()
    for candidate in (start, *start.parents):
        if any((candidate / mark).exists() for mark in _PROJECT_MARKS):
            return str(candidate)
    return str(start)


def limits() -> Limits:
    """Return the limits of the store.

    `FLOWBOOK_MAX_VALUE_BYTES` (default 1 GB), `FLOWBOOK_MAX_TOTAL_BYTES` (20 GB), `FLOWBOOK_KEEP_DAYS` (30),
    `FLOWBOOK_MAX_GATHER_BYTES` (1 GB) and `FLOWBOOK_BLOB_COPIES_BYTES` (5 GB) set them, in the order of `Limits`.

    Raises:
        InfrastructureError: if one of them isn't a positive whole number.
    """
    usual = Limits()
    return Limits(
        value_bytes=_positive("FLOWBOOK_MAX_VALUE_BYTES", usual.value_bytes),
        total_bytes=_positive("FLOWBOOK_MAX_TOTAL_BYTES", usual.total_bytes),
        keep_s=_positive("FLOWBOOK_KEEP_DAYS", usual.keep_s // _DAY_S, "days") * _DAY_S,
        gathered_bytes=_positive("FLOWBOOK_MAX_GATHER_BYTES", usual.gathered_bytes),
        copies_bytes=_positive("FLOWBOOK_BLOB_COPIES_BYTES", usual.copies_bytes),
    )


def output_bytes() -> int:
    """Return how much of the output of a run's own process is kept: `FLOWBOOK_OUTPUT_BYTES`, by default 50 MB.

    Raises:
        InfrastructureError: if it isn't a positive whole number.
    """
    return _positive("FLOWBOOK_OUTPUT_BYTES", 50_000_000)


def _positive(name: str, usual: int, unit: str = "bytes") -> int:
    text = os.environ.get(name)
    if not text:
        return usual
    if not (text.isascii() and text.replace("_", "").isdigit() and int(text) > 0):
        msg = f"{name} is {text!r}. Give a positive whole number of {unit}, or unset it."
        raise InfrastructureError(msg, name=name, value=text)
    return int(text)


def _path(path: str | Path) -> Path:
    """Return a path. Loads pathlib, which takes a fifteenth of what importing flowbook does, only where somebody needs one."""
    from pathlib import Path  # noqa: PLC0415

    return Path(path)
