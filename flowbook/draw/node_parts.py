"""What a node of a picture shows, and where in it each part stands. Pure: how a part is written, each picture decides."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flowbook.draw import palette
from flowbook.draw.glyphs import glyph
from flowbook.draw.layout import NOTE_HEIGHT, PLAIN_HEIGHT
from flowbook.draw.text_width import NAME_PX, TEXT_PX, fit_end, fit_middle, width_px

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from flowbook.draw.layout import Box
    from flowbook.engine.graph import Graph, TaskSpec

__all__ = [
    "TEXT_X",
    "GlyphPart",
    "NodeView",
    "Segment",
    "TextPart",
    "alt_text",
    "count_of_children",
    "counts_of",
    "drawn_height",
    "end_of",
    "escaped",
    "name_of",
    "note_of",
    "one_line",
    "segments",
    "tallies",
    "word_of",
]

#: Left edge of a node's texts, from its own.
TEXT_X = 32
#: Room for a count of children up to 999, in px.
_TIMES_PX = 34
#: What XML 1.0 can't hold even as a reference.
_UNWRITABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ESCAPES = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#39;",
    "\t": "&#9;",
    "\n": "&#10;",
    "\r": "&#13;",
}
_ESCAPED = str.maketrans(_ESCAPES)


@dataclass(frozen=True, slots=True)
class NodeView:
    """What a node shows.

    Attributes:
        state: class name of the state.
        word: what people call it, from which come colour and glyph too; empty means `state`.
        end: right of the word: a duration, an age, a countdown.
        note: third line.
        warns: whether the note is a warning.
        counts: children by state, for mapped tasks.
        width: number of children, for mapped tasks.
        controls: whether Resume and Inputs are shown.
    """

    state: str = "Pending"
    word: str = ""
    end: str = ""
    note: str = ""
    warns: bool = False
    counts: Mapping[str, int] = field(default_factory=dict)
    width: int | None = None
    controls: bool = False

    @property
    def name(self) -> str:
        """What people read: colour and glyph of the word go with it."""
        return self.word or self.state


@dataclass(frozen=True, slots=True)
class TextPart:
    """A text at a place in its node. Its kind is a name of `palette` and style sheet: "name", "word", "end time", "note warn"."""

    kind: str
    x: float
    y: int
    text: str


@dataclass(frozen=True, slots=True)
class GlyphPart:
    """A glyph at a place in its node; `shape` is an SVG fragment. Its kind says whether it stands on a fill or on the ground."""

    kind: str
    state: str
    shape: str
    x: float
    y: int
    scale: float = 1


@dataclass(frozen=True, slots=True)
class Segment:
    """The part of a bar that the children in one state have."""

    state: str
    x: float
    width: float


def alt_text(graph: Graph, views: Mapping[str, NodeView], *, state: str = "", caption: str = "") -> str:
    """Return the picture in words, e.g. "flowbook: delays: Paused. 18 Success, 1 Paused."; the panel finds it by them."""
    counts = counts_of(graph, views)
    listed = ", ".join(f"{count} {name}" for name, count in counts.items())
    head = f"flowbook: {graph.name}: {state}." if state else f"flowbook: {graph.name}:"
    return " ".join(part for part in (head, f"{listed}." if listed else "", caption) if part)


def counts_of(graph: Graph, views: Mapping[str, NodeView]) -> dict[str, int]:
    """Return how many tasks are in each state, in the order of bars; children count, parameters and gathered lists don't."""
    counts: Counter[str] = Counter()
    for key, spec in graph.specs.items():
        view = views.get(key, NodeView())
        if view.counts:
            counts.update(view.counts)
        elif not (spec.is_parameter or spec.gathers):
            counts[view.name] += 1
    return {name: counts[name] for name in palette.in_order(counts) if counts[name]}


def escaped(value: object) -> str:
    """Return `value` escaped for XML text and quoted attributes. All escaping happens here."""
    return _UNWRITABLE.sub("\ufffd", str(value)).translate(_ESCAPED)


def drawn_height(box: Box, view: NodeView) -> int:
    """Return the height at which a node is drawn, in px; the layout reserved room for everything it may ever show."""
    if view.controls or view.counts:
        return box.h
    return min(box.h, NOTE_HEIGHT if view.note else PLAIN_HEIGHT)


def one_line(text: str) -> str:
    """Return `text` as one line."""
    return " ".join(text.split())


def name_of(spec: TaskSpec, box: Box, view: NodeView) -> TextPart:
    """Return the task's name; what doesn't fit loses its middle."""
    # The count gets its room from the start, since the view fills it in later.
    times = width_px(count_of_children(box, view).text, TEXT_PX, bold=False)
    beside = max(times, _TIMES_PX) + 6 if spec.is_mapped else 0
    return TextPart("name", TEXT_X, 18, fit_middle(one_line(spec.key), _room(box) - beside, NAME_PX))


def count_of_children(box: Box, view: NodeView) -> TextPart:
    """Return `×12` beside the name of a mapped task, empty until it is known."""
    return TextPart("end width", box.w - 8, 18, f"\u00d7{view.width:,}" if view.width is not None else "")


def word_of(view: NodeView) -> TextPart:
    """Return the word for the state."""
    return TextPart("word", TEXT_X, 35, view.name)


def end_of(box: Box, view: NodeView) -> TextPart:
    """Return what stands right of the word."""
    room = _room(box) - width_px(view.name, TEXT_PX) - 8
    return TextPart("end time", box.w - 8, 35, fit_end(one_line(view.end), room, TEXT_PX))


def note_of(box: Box, view: NodeView) -> TextPart:
    """Return the third line; a warning leaves room for its triangle. Of children in one state, it stands under their bar."""
    indent = 16 if view.warns else 0
    text = fit_end(one_line(view.note), _room(box) - indent, TEXT_PX)
    if view.counts:
        return TextPart("note", TEXT_X, 69, text if len(_present(view)) == 1 else "")
    return TextPart("note warn" if view.warns else "note", TEXT_X + indent, 53, text)


def segments(box: Box, view: NodeView) -> Iterator[Segment]:
    """Yield the bar of a mapped task's children, state by state."""
    names = _present(view)
    total = sum(view.counts.values())
    room = _room(box) - (len(names) - 1)
    x = float(TEXT_X)
    for name in names:
        wide = room * view.counts[name] / total
        yield Segment(name, x, wide)
        x += wide + 1


def tallies(box: Box, view: NodeView) -> Iterator[tuple[GlyphPart, TextPart]]:
    """Yield how many children are in each state, as far as there is room, each with its glyph; none where the note stands."""
    x = float(TEXT_X)
    names = _present(view)
    if view.note and len(names) == 1:
        return
    for name in names:
        label = _short(view.counts[name])
        wide = 13 + width_px(label, TEXT_PX, bold=False) + 6
        if x + wide > box.w - 8:
            return
        yield GlyphPart("glyph-ink", name, glyph(name), round(x), 60, 0.8), TextPart("tally", round(x + 13), 69, label)
        x += wide


def _room(box: Box) -> int:
    """Return the width that a node's texts have."""
    return box.w - 8 - TEXT_X


def _present(view: NodeView) -> list[str]:
    return [name for name in palette.in_order(view.counts) if view.counts[name]]


def _short(count: int) -> str:
    if count < 10_000:  # noqa: PLR2004
        return f"{count:,}"
    return f"{count / 1000:.0f}k" if count < 1_000_000 else f"{count / 1_000_000:.1f}M"  # noqa: PLR2004
