"""Cells of tables that are shown in a notebook's output. Pure."""

from __future__ import annotations

import html

from flowbook.draw.text_width import NAME_PX, fit_middle

__all__ = ["name_cell"]

#: Of a longer name the middle is left out, so that a table with it is no wider than a notebook's page.
_ROOM_PX = 256


def name_cell(name: str) -> str:
    """Return an HTML cell with a name in one line; a long one loses its middle, and stands whole in the cell's title."""
    shown = fit_middle(name, _ROOM_PX, NAME_PX)
    title = f" title='{html.escape(name)}'" if shown != name else ""
    return f"<td style='text-align:left;white-space:nowrap'{title}>{html.escape(shown)}</td>"
