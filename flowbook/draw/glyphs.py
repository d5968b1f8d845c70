"""The 12 px glyphs of the states, as SVG fragments.

Lines of 1.75 px with round ends, drawn inside 1.2 ... 10.8. A filled part says `currentColor`. The fragments are
constants and never contain text of a user. They use no fonts, which look different on each platform.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DIFFERENCES", "GLYPHS", "WARNING", "glyph"]

_RING = '<circle cx="6" cy="6" r="4.4"/>'
_TICK = '<path d="M2 6.5 4.8 9.3 10 3.2"/>'
_PLAY = '<path d="M4 2.8v6.4L9.4 6z" fill="currentColor"/>'
_DOTS = '<path d="M2.5 6h0M6 6h0M9.5 6h0" stroke-width="2.4"/>'

#: Class name of the state to its fragment; `notebook/static/states.js` has the same shapes.
GLYPHS: Mapping[str, str] = {
    "Success": _TICK,
    "Mapped": _TICK,
    "Cached": f'{_RING}<path d="M6 3.6V6l1.8 1.2"/>',
    "Running": _PLAY,
    "Cancelling": '<path d="M4 2.8v6.4L9.4 6z"/>',
    "Looped": _PLAY,
    "Retrying": '<path d="M10 6a4 4 0 1 1-1.4-3M10 1.4v2.4H7.6"/>',
    "Paused": '<path d="M4 2.8v6.4M8 2.8v6.4" stroke-width="2.2"/>',
    "Failed": '<path d="M2.8 2.8l6.4 6.4M9.2 2.8l-6.4 6.4"/>',
    "TimedOut": f'{_RING}<path d="M6 3.6V6H4.2"/>',
    "ValidationFailed": '<path d="M6 2v5M6 9.8h0" stroke-width="2.2"/>',
    "Crashed": '<path d="M6.8 1.4 3.4 6.6h5.2L5.2 10.6"/>',
    "TriggerFailed": f'{_RING}<path d="M3 9 9 3"/>',
    "Skipped": '<path d="M2.6 3 7 6 2.6 9zM9.6 3v6"/>',
    "Cancelled": '<path d="M3 3h6v6H3z"/>',
    "Resume": _DOTS,
    "Submitted": _DOTS,
    "Queued": _DOTS,
    "Scheduled": _DOTS,
    "Pending": '<circle cx="6" cy="6" r="3.2"/>',
}

_OTHER = '<path d="M2 7.2c1.3-2.8 2.7-2.8 4-1.2s2.7 1.6 4-1.2"/>'
#: The word for why a task of two runs differs, to its fragment.
DIFFERENCES: Mapping[str, str] = {
    "Parameter": _OTHER,
    "Code": _OTHER,
    "State": _OTHER,
    "Output": _OTHER,
    "Input": _OTHER,
    "New": '<path d="M2 6h8M6 2v8"/>',
    "Gone": '<path d="M2 6h8"/>',
    "The same": '<path d="M2.5 4.5h7M2.5 7.5h7"/>',
}

#: The word for what will become of a task, to its fragment.
FORECASTS: Mapping[str, str] = {
    "Cache hit": GLYPHS["Cached"],
    "Stays": GLYPHS["Success"],
    "Will run": GLYPHS["Pending"],
    "Will wait": GLYPHS["Paused"],
    "If any fails": GLYPHS["Skipped"],
    "Left out": GLYPHS["Skipped"],
}
_TOLD = {**DIFFERENCES, **FORECASTS}

#: The triangle beside a warning.
WARNING = '<path d="M6 1.4 11 10.4H1zM6 5v2.2M6 8.9h0"/>'


def glyph(state: str) -> str:
    """Return the fragment of `state` (a class name); a state of a user's own gets the ring of Pending."""
    return GLYPHS.get(state) or _TOLD.get(state, GLYPHS["Pending"])
