"""The one output of a panel, as what each host takes from it: kept data, a widget, a picture, words."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

from flowbook.draw.still import image
from flowbook.notebook.kept_run import MOST_BYTES

if TYPE_CHECKING:
    from flowbook.notebook.panel_session import PanelSession

__all__ = ["RUN_MIME", "WIRE_VERSION", "kept_output", "picture_output", "widget_output"]

#: Shown by the labextension, with a kernel or without.
RUN_MIME = "application/vnd.flowbook.run+json"
#: Of the messages between page and kernel, and of what is kept.
WIRE_VERSION = 1
_WIDGET_MIME = "application/vnd.jupyter.widget-view+json"
#: However large the picture is, this much is kept.
_LEAST_BYTES = 20_000


def kept_output(session: PanelSession, panel: str) -> dict[str, Any]:
    """Return the output of `session` without a widget.

    Args:
        session: what is shown.
        panel: the panel's name, by which a page asks for it.
    """
    run = session.run
    picture = picture_output(session.picture(), session.picture_text(), run.flow_name)
    room_bytes = max(_LEAST_BYTES, MOST_BYTES - len(picture["text/html"].encode()))
    kept = {
        "wire": WIRE_VERSION,
        "panel": panel,
        "run": run.run_id,
        "flow": run.flow_name,
        "stamp": session.stamp,
        "packed": session.kept(room_bytes),
    }
    return {RUN_MIME: kept, **picture}


def picture_output(svg: str, words: str, flow: str) -> dict[str, str]:
    """Return a picture as an `img`: nbconvert and code hosts show it alike, and no script in it would run."""
    return {
        "text/html": image(svg, words, f'data-flowbook="picture" data-flow="{html.escape(flow)}"'),
        "text/plain": words,
    }


def widget_output(model_id: str) -> dict[str, Any]:
    """Return what shows a widget."""
    return {_WIDGET_MIME: {"version_major": 2, "version_minor": 0, "model_id": model_id}}
