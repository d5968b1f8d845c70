"""The 12 px glyphs of the states, as SVG fragments.

Lines of 1.75 px with round ends, drawn inside 1.2 ... 10.8. A filled part says `currentColor`. The fragments are
constants of ours and never hold anybody's text. No fonts: platforms draw those differently.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["GLYPHS", "WARNING", "glyph"]

_RING = '<circle cx="6" cy="6" r="4.4"/>'
_DOT = '<circle cx="6" cy="6" r="1.1" fill="currentColor" stroke="none"/>'

#: Class name of the state to its fragment.
GLYPHS: Mapping[str, str] = {
    "Success": '<path d="M2 6.5 4.8 9.3 10 3.2"/>',
    "Mapped": '<path d="M1.4 6.8 3.6 9 7.6 3.6M5.8 8.6l.4.4 4.4-5.4"/>',
    "Cached": f'{_RING}<path d="M6 3.6V6l1.8 1.2"/>',
    "Running": '<path d="M4 2.8v6.4L9.4 6z" fill="currentColor"/>',
    "Looped": '<path d="M9.6 7.6A4 4 0 1 1 10 6M10.6 3.6 10 6 7.8 5"/>',
    "Cancelling": f'{_RING}<path d="M4.6 4.6h2.8v2.8H4.6z" fill="currentColor" stroke-width="1"/>',
    "Retrying": '<path d="M10 6a4 4 0 1 1-1.4-3M10 1.4v2.4H7.6"/>',
    "Paused": '<path d="M4 2.8v6.4M8 2.8v6.4" stroke-width="2.2"/>',
    "Failed": '<path d="M2.8 2.8l6.4 6.4M9.2 2.8l-6.4 6.4"/>',
    "TimedOut": '<path d="M3 2h6M3 10h6M3.6 2c0 3 4.8 5 4.8 8M8.4 2c0 3-4.8 5-4.8 8"/>',
    "ValidationFailed": '<path d="M6 2v4.8M6 9.7h0" stroke-width="2.2"/>',
    "Crashed": '<path d="M6.8 1.4 3.6 6.4h4.6L5.2 10.8"/>',
    "TriggerFailed": f'{_RING}<path d="M3 9 9 3"/>',
    "Skipped": '<path d="M2.6 3 7 6 2.6 9zM9.6 3v6"/>',
    "Cancelled": '<path d="M3 3h6v6H3z"/>',
    "Resume": '<path d="M2.6 2.8v6.4M6 2.8v6.4L10.4 6z"/>',
    "Submitted": '<path d="M2 6h7M6.2 3 9.4 6 6.2 9"/>',
    "Queued": '<path d="M2.2 6h0M6 6h0M9.8 6h0" stroke-width="2.2"/>',
    "Scheduled": f"{_RING}{_DOT}",
    "Pending": '<circle cx="6" cy="6" r="3.2"/>',
}

#: The triangle beside a warning.
WARNING = '<path d="M6 1.4 11 10.4H1zM6 5v2.2M6 8.9h0"/>'


def glyph(state: str) -> str:
    """Return the fragment of `state` (a class name); a state of a user's own gets the ring of Pending."""
    return GLYPHS.get(state, GLYPHS["Pending"])
