"""Writes `flowbook/notebook/static/state_kinds.js` from `flowbook/engine/state_kinds.py`: facts about states are said once.

Run it after a change of the facts: `python scripts/state_kinds_js.py`. A test compares the file with what this would write.
"""

from __future__ import annotations

import json
from pathlib import Path

from flowbook.engine import state_kinds

PATH = Path(__file__).parents[1] / "flowbook" / "notebook" / "static" / "state_kinds.js"
_HEAD = (
    "/** Facts about states, by the names of their classes. "
    "Written by scripts/state_kinds_js.py from flowbook/engine/state_kinds.py: change them there. */"
)
#: As Biome formats it.
_WIDTH = 160
_SETS = {
    "DISPLAY_ORDER": "The order of bars, legends and counts.",
    "FAILED": "Failed by its own doing.",
    "FINISHED": "Over.",
    "RUNNING": "Its code is running.",
    "WAITING": "Waits for its next attempt or for a person.",
    "COUNTS_TIME": "A view counts the time that passes.",
}


def text() -> str:
    """Return the module's text."""
    parts = [_HEAD, ""]
    for name, meaning in _SETS.items():
        states = sorted(getattr(state_kinds, name), key=_rank)
        line = f"export const {name} = [{', '.join(json.dumps(state) for state in states)}];"
        lines = "".join(f"  {json.dumps(state)},\n" for state in states)
        shown = line if len(line) <= _WIDTH else f"export const {name} = [\n{lines}];"
        parts += [f"/** {meaning} @type {{readonly string[]}} */", shown, ""]
    return "\n".join(parts)


def _rank(state: str) -> tuple[int, str]:
    order = state_kinds.DISPLAY_ORDER
    return (order.index(state) if state in order else len(order), state)


if __name__ == "__main__":
    PATH.write_text(text(), "utf-8")
