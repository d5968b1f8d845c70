"""What is said of a task whose output isn't kept: a lock, an open file, or one that is marked so. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.store.values import Unstored

if TYPE_CHECKING:
    from flowbook.engine.state import State

__all__ = ["unkept_note", "why_unkept"]


def why_unkept(state: State | None) -> str:
    """Return why the output of a task isn't kept, by its recorded state; "" if it is."""
    reference = None if state is None else state.reference
    return reference.store.why if reference is not None and isinstance(reference.store, Unstored) else ""


def unkept_note(why: str) -> str:
    """Return "its output isn't kept: A lock can't be pickled"; "" where there is no reason."""
    return f"its output isn't kept: {why}" if why else ""
