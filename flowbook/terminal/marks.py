"""The mark and the colour of each state in a terminal; the state's name stands beside them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from flowbook.engine import state as states
from flowbook.engine.state import State
from flowbook.terminal.lines import Span

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ORDER", "Marks", "marks_for"]


class _Look(NamedTuple):
    mark: str
    plain_mark: str
    style: str


_GOOD = _Look("✓", "+", "green")
_GOES = _Look("▸", ">", "blue")
_BAD = _Look("✗", "x", "red")
_IDLE = _Look("·", ".", "bright_black")
_LOOKS: Mapping[str, _Look] = {
    "Success": _GOOD,
    "Mapped": _GOOD,
    "Cached": _Look("◷", "c", "green"),
    "Running": _GOES,
    "Cancelling": _GOES,
    "Looped": _GOES,
    "Retrying": _Look("↻", "~", "magenta"),
    "Paused": _Look("‖", "=", "yellow"),
    "Failed": _BAD,
    "TriggerFailed": _Look("⊘", "/", "red"),
    "State": _IDLE,
}
#: The order in which states are counted on a line.
ORDER = (
    "Success",
    "Cached",
    "Skipped",
    "Running",
    "Cancelling",
    "Retrying",
    "Paused",
    "Failed",
    "TimedOut",
    "ValidationFailed",
    "Crashed",
    "TriggerFailed",
    "Cancelled",
    "Queued",
    "Scheduled",
    "Pending",
)
#: Marks that don't belong to a state.
_DRAWN = "━╸─│…"


class Marks:
    """The marks that a terminal can show.

    Args:
        is_plain: whether it shows ASCII only.
    """

    def __init__(self, *, is_plain: bool = False) -> None:
        self.is_plain = is_plain
        self.bar, self.bar_end, self.bar_rest = ("=", ">", "-") if is_plain else ("━", "╸", "─")
        self.rule, self.pointer = ("|", ">") if is_plain else ("│", "▸")

    def of(self, state: type[State] | str) -> Span:
        """Return the mark of a state, or of the name of one."""
        look = _look(state)
        return Span(look.plain_mark if self.is_plain else look.mark, look.style)

    def style(self, state: type[State] | str) -> str:
        """Return the style in which a state's word is written."""
        return _look(state).style

    @property
    def warning(self) -> Span:
        """The mark of a warning."""
        return Span("!", "yellow")


def marks_for(encoding: str | None, term: str | None) -> Marks:
    """Return the marks for a stream of that encoding on a terminal of that kind (the variable TERM)."""
    try:
        "".join((*(look.mark for look in _LOOKS.values()), _DRAWN)).encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return Marks(is_plain=True)
    return Marks(is_plain=term == "dumb")


def _look(state: type[State] | str) -> _Look:
    """Return the style of a state's class, or of its nearest base that has one."""
    if isinstance(state, str):
        found = getattr(states, state, None)
        state = found if isinstance(found, type) and issubclass(found, State) else State
    return next(_LOOKS[kind.__name__] for kind in state.__mro__ if kind.__name__ in _LOOKS)
