"""The rows of the cache browser: an entry as it is on the wire (ENTRY of docs/wire.md). Pure."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from flowbook.notebook.command_worker import RefusedError
from flowbook.report import phrases
from flowbook.report.cost_text import size_text
from flowbook.report.parameter_text import parameter_text
from flowbook.report.secret_names import MASK, shown_value, sounds_secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flowbook.notebook.ports import EntryLike

__all__ = ["distinct", "entry_row", "is_valid", "moment_of", "parameters_text"]

_FOREVER = dt.datetime(9000, 1, 1, tzinfo=dt.UTC)


def entry_row(entry: EntryLike, at: float, kind: str, run: str) -> dict[str, Any]:
    """Return an entry as it is at a moment.

    Args:
        entry: the entry.
        at: seconds since the epoch.
        kind: the type of its value.
        run: number of the run that made it; "" if that wasn't recorded.
    """
    return {
        "id": entry.id,
        "flow": entry.flow,
        "task": entry.task,
        "parameters": parameters_text(entry.told_parameters),
        "size_bytes": entry.ref.size_bytes,
        "size": size_text(entry.ref.size_bytes),
        "uses": entry.uses,
        "pinned": entry.pinned,
        "created": entry.created.timestamp(),
        "expires": entry.expires.timestamp() if entry.expires is not None and entry.expires < _FOREVER else None,
        "valid": is_valid(entry, at),
        "type": kind,
        "run": run,
    }


def moment_of(at: float) -> dt.datetime:
    """Return the moment of `at`, seconds since the epoch. Raises RefusedError."""
    try:
        return dt.datetime.fromtimestamp(at, dt.UTC)
    except (OverflowError, ValueError, OSError) as error:
        msg = f"{at!r} seconds since 1970 are out of reach of the clock. Give a moment between the years 1 and 9999."
        raise RefusedError(msg) from error


def is_valid(entry: EntryLike, at: float) -> bool:
    """Return whether an entry serves at a moment, seconds since the epoch."""
    return entry.created.timestamp() <= at and (entry.expires is None or at < _stamp(entry.expires))


def _stamp(moment: dt.datetime) -> float:
    """Return seconds since the epoch; infinite for the far future, which some platforms can't convert."""
    return moment.timestamp() if moment < _FOREVER else float("inf")


def distinct(names: Iterable[str]) -> list[str]:
    """Return the names that aren't empty, each once, sorted."""
    return sorted({name for name in names if name})


def parameters_text(parameters: Mapping[str, object] | None) -> str:
    """Return the parameters as one line: "origin JFK, month 7"."""
    plain: list[str] = []
    hashed: list[str] = []
    for name, value in (parameters or {}).items():
        # The index stores only the hash of a parameter that isn't a scalar.
        if isinstance(value, dict) and isinstance(value.get("$hash"), str):
            hashed.append(f"{name} {MASK if sounds_secret(name) else '#' + value['$hash'][:8]}")
        else:
            plain.append(f"{name} {parameter_text(shown_value(name, value))}")
    return phrases.shorten(", ".join(plain + hashed), 200)
