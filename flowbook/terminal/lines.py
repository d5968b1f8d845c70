"""Lines for a terminal: spans of text with a style, fitted to a width. Pure.

User text can't move the cursor or colour the terminal: characters that can't be printed are escaped.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len, set_cell_size

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "Line",
    "Span",
    "cut_middle",
    "encodable",
    "fit",
    "padded",
    "plain_text",
    "printable",
    "spread",
    "styled",
    "widest",
    "width_of",
    "wrapped",
]


class Span(NamedTuple):
    """Text in one style: "bold", "dim", the name of a colour, or several of these."""

    text: str
    style: str = ""


#: What stands for characters of ours that a stream can't write.
_PLAIN = str.maketrans({"\u00d7": "x", "…": "...", "→": "->", "—": "-", "·": "."})

#: Not printable to Python, and yet parts of texts: joiners within Persian words and emoji, and spaces.
_WITHIN_TEXTS = re.compile(r"(?<=[^\x00-\x7f])[\u200c\u200d](?=[^\x00-\x7f])|[\u00a0\u202f\u3000]")

#: One line, without its end.
Line = tuple[Span, ...]


def printable(text: str) -> str:
    """Return `text` without characters that would move the cursor or colour the terminal."""
    if text.isprintable():
        return text
    kept = {found.start() for found in _WITHIN_TEXTS.finditer(text)}
    return "".join(char if char.isprintable() or at in kept else ascii(char)[1:-1] for at, char in enumerate(text))


def encodable(text: str, encoding: str | None) -> str:
    """Return `text` as a stream of that encoding can write it: "\u00d7", "…" and arrows become ASCII."""
    if text.isascii():
        return text
    try:
        text.encode(encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return text.translate(_PLAIN)
    return text


def width_of(line: Line) -> int:
    """Return how many terminal cells a line takes; wide characters take two."""
    return sum(cell_len(span.text) for span in line)


def widest(texts: Iterable[str]) -> int:
    """Return how many cells the widest text of a column takes; 0 without any."""
    return max(map(cell_len, texts), default=0)


def padded(text: str, width: int, *, to_the_right: bool = False) -> str:
    """Return `text` with spaces after it, or before it, so that it takes `width` cells; a wider one stays as it is."""
    spaces = " " * (width - cell_len(text))
    return f"{spaces}{text}" if to_the_right else f"{text}{spaces}"


def cut_middle(text: str, width: int) -> str:
    """Return `text` in at most `width` cells; a longer one loses its middle, since names of siblings differ at the end."""
    if cell_len(text) <= width:
        return text
    if width < 3:  # noqa: PLR2004  # a letter at each side of the dots
        return set_cell_size(text, max(0, width))
    right = (width - 1) // 2
    return f"{set_cell_size(text, width - 1 - right).rstrip()}…{_last_cells(text, right)}"


def fit(line: Line, width: int) -> Line:
    """Return the line in at most `width` cells; the end of a longer one is replaced by "…"."""
    if width_of(line) <= width:
        return line
    kept: list[Span] = []
    room = width - 1
    for span in line:
        if room <= 0:
            break
        text = span.text if cell_len(span.text) <= room else set_cell_size(span.text, room)
        kept.append(span._replace(text=text))
        room -= cell_len(text)
    return (*kept, Span("…", "dim"))


def spread(left: Line, right: Line, width: int) -> Line:
    """Return a line with `left` and `right` at its two ends; if both don't fit, `left` is cut."""
    room = width - width_of(right)
    if room <= 0:
        return fit(left, width)
    left = fit(left, room - 2) if right else fit(left, width)
    return (*left, Span(" " * (room - width_of(left))), *right) if right else left


def wrapped(head: Line, text: str, width: int, *, indent: int, style: str = "") -> list[Line]:
    """Return a sentence after `head`, broken between words; further lines begin after `indent` spaces."""
    lines: list[Line] = []
    before, rest = head, ""
    for word in text.split(" "):
        longer = f"{rest} {word}" if rest else word
        if rest and width_of(before) + cell_len(longer) > width:
            lines.append((*before, Span(rest, style)))
            before, rest = (Span(" " * indent),), word
        else:
            rest = longer
    return [*lines, (*before, Span(rest, style))] if rest else [head]


def plain_text(line: Line) -> str:
    """Return the line's text without styles."""
    return "".join(span.text for span in line)


def styled(line: Line, *, has_colours: bool) -> str:
    """Return the line's text, with the escape codes of its styles if the terminal has colours."""
    if not has_colours:
        return "".join(printable(span.text) for span in line)
    from rich.color import ColorSystem  # noqa: PLC0415  # only where there are colours
    from rich.style import Style  # noqa: PLC0415

    return "".join(
        Style.parse(span.style).render(printable(span.text), color_system=ColorSystem.STANDARD)
        if span.style
        else printable(span.text)
        for span in line
    )


def _last_cells(text: str, width: int) -> str:
    start = len(text)
    while start and cell_len(text[start - 1 :]) <= width:
        start -= 1
    return text[start:]
