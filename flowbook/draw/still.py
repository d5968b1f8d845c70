"""Writes a picture that stands alone: for saved notebooks, reports, files and READMEs.

Small, since notebooks are saved with it: what many nodes have alike (box, tile, glyph, word) is written once and used; names,
times and notes are written in groups that say their colour once; all edges are one path. Colours are attributes, so there is
no style sheet, and nothing from outside. What is used has an id made from its text, so that it means the same in each picture.
"""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

from flowbook.draw import palette
from flowbook.draw.glyphs import WARNING, glyph
from flowbook.draw.layout import MARGIN, PLAIN_HEIGHT
from flowbook.draw.node_parts import (
    GlyphPart,
    NodeView,
    TextPart,
    alt_text,
    count_of_children,
    counts_of,
    drawn_height,
    end_of,
    escaped,
    name_of,
    note_of,
    one_line,
    segments,
    tallies,
    word_of,
)
from flowbook.draw.text_width import NAME_PX, TEXT_PX, fit_end, fit_middle, width_px

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from flowbook.draw.layout import Box, Layout
    from flowbook.engine.graph import Graph, TaskSpec

__all__ = ["LARGEST_PICTURE", "Still", "image"]

#: Standalone pictures show at most this many nodes, since notebooks are saved with them.
LARGEST_PICTURE = 150

_FONT = "system-ui,-apple-system,Segoe UI,Helvetica,Arial,sans-serif"
_HEAD_PX = 44
_LEGEND_PX = 28
_PAD = 12
_LEAST_WIDTH = 320
_ID_LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz"


#: What an address can't hold, or what somebody who looks for tags might take for one. Half as long as base64.
_OF_ADDRESS = str.maketrans({letter: f"%{ord(letter):02X}" for letter in '%#<>"\t\n\r'} | {"&": "&amp;"})


def image(svg: str, words: str, attributes: str = "") -> str:
    """Return a picture as an `img`: shown alike everywhere, and no script in it would run.

    Args:
        svg: the picture.
        words: what it says to who can't see it.
        attributes: more of them, escaped.
    """
    more = f"{attributes} " if attributes else ""
    return f'<img {more}alt="{escaped(words)}" src="data:image/svg+xml,{svg.translate(_OF_ADDRESS)}">'


class Still:
    """Writes one picture."""

    def __init__(self, graph: Graph, layout: Layout, views: Mapping[str, NodeView], theme: palette.Theme) -> None:
        self._graph = graph
        self._layout = layout
        self._views = views
        self._ink = _Ink(theme)
        #: What is used, by its text: its id.
        self._shared: dict[str, str] = {}
        #: Texts by what they have in common.
        self._texts: dict[str, list[str]] = {}

    def write(self, state: str, caption: str) -> str:
        """Return the picture, with a head that says the flow's state and `caption`, and a legend."""
        counts = counts_of(self._graph, self._views)
        is_drawn = len(self._graph.specs) <= LARGEST_PICTURE
        inner_width = max(self._layout.width if is_drawn else 0, _LEAST_WIDTH)
        indent = (inner_width - self._layout.width) / 2 if is_drawn else 0
        parts = [*self._drawn(_PAD + MARGIN + indent, _PAD + _HEAD_PX + MARGIN)] if is_drawn else [*self._too_large()]
        parts += self._head(state, caption, inner_width)
        inner_height = self._layout.height if is_drawn else _LEGEND_PX
        legend, legend_height = self._legend(counts, inner_width, _PAD + _HEAD_PX + inner_height)
        width, height = inner_width + 2 * _PAD, _HEAD_PX + inner_height + legend_height + 2 * _PAD
        words = escaped(alt_text(self._graph, self._views, state=state, caption=caption))
        opening = (
            f"<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}' viewBox='0 0 {width} {height}' "
            f"role='img' aria-label='{words}' font-family='{_FONT}' font-size='{TEXT_PX}'><title>{words}</title>"
        )
        return "".join(
            (
                opening,
                f"<rect width='{width}' height='{height}' fill='{self._ink.chrome.canvas}'/>",
                *self._definitions(),
                *parts,
                *legend,
                *self._grouped_texts(),
                "</svg>",
            )
        )

    def _definitions(self) -> Iterator[str]:
        if self._shared:
            yield "<defs>"
            yield from (f"<g id='{name}'>{shape}</g>" for shape, name in self._shared.items())
            yield "</defs>"

    def _grouped_texts(self) -> Iterator[str]:
        for attributes, texts in self._texts.items():
            yield f"<g {attributes}>{''.join(texts)}</g>"

    def _drawn(self, x: float, y: float) -> Iterator[str]:
        chrome = self._ink.chrome
        lines = "".join(edge.path for edge in self._layout.edges)
        if lines:
            targets = dict.fromkeys(edge.target for edge in self._layout.edges)
            tips = "".join(_tip(self._layout.boxes[target]) for target in targets)
            yield f"<g transform='translate({x:g} {y:g})'><path fill='none' stroke='{chrome.edge}' d='{lines}'/>"
            yield f"<path fill='{chrome.edge}' d='{tips}'/></g>"
        for key, box in self._layout.boxes.items():
            there = replace(box, x=round(box.x + x), y=round(box.y + y))
            yield from self._node(self._graph.specs[key], there, self._views.get(key, NodeView()))

    def _node(self, spec: TaskSpec, box: Box, view: NodeView) -> Iterator[str]:
        box = replace(box, h=drawn_height(box, view))
        yield self._use("".join(self._frame(spec, box, view)), box.x, box.y)
        self._text(name_of(spec, box, view), box, whole=spec.key)
        self._text(end_of(box, view), box)
        if spec.is_mapped:
            self._text(count_of_children(box, view), box)
            yield from self._children(box, view)
            if view.counts:
                self._text(note_of(box, view), box)
        elif box.h > PLAIN_HEIGHT:
            if view.warns:
                yield self._glyph(GlyphPart("glyph-ink", "Paused", WARNING, 32, 43), box)
            self._text(note_of(box, view), box)

    def _frame(self, spec: TaskSpec, box: Box, view: NodeView) -> Iterator[str]:
        """Yield what a node has in common with others of its state and size."""
        ink, state = self._ink, view.name
        if spec.is_mapped:
            yield f"<path {ink('under')} d='M4 {box.h}v4h{box.w}v-{box.h}h-4'/>"
        yield f"<rect {ink('box', state)} x='.5' y='.5' width='{box.w - 1}' height='{box.h - 1}' rx='2'/>"
        yield f"<path {ink('tile-bg', state)} d='M1 1h24v{box.h - 2}h-24z'/>"
        yield f"<g transform='translate(7 16)' {ink.glyph('glyph', state, glyph(state))}</g>"
        word = word_of(view)
        yield f"<text {ink('word', state)} x='{word.x:g}' y='{word.y}'>{escaped(word.text)}</text>"

    def _children(self, box: Box, view: NodeView) -> Iterator[str]:
        for each in segments(box, view):
            x = f"{each.x + box.x:.1f}".removesuffix(".0")
            yield f"<rect {self._ink('seg', each.state)} x='{x}' y='{box.y + 44}' width='{each.width:.1f}' height='8'/>"
        for mark, text in tallies(box, view):
            yield self._glyph(mark, box)
            self._text(text, box)

    def _glyph(self, part: GlyphPart, box: Box) -> str:
        scale = f" transform='scale({part.scale:g})'" if part.scale != 1 else ""
        shape = f"<g{scale} {self._ink.glyph(part.kind, part.state, part.shape)}</g>"
        return self._use(shape, box.x + part.x, box.y + part.y)

    def _text(self, part: TextPart, box: Box, *, whole: str = "") -> None:
        """Write a text with those that have its colour; one that was cut tells the whole one to who points at it."""
        if not part.text:
            return
        self._write(self._ink(part.kind), box.x + part.x, box.y + part.y, part.text, whole)

    def _write(self, attributes: str, x: float, y: float, text: str, whole: str = "") -> None:
        title = f"<title>{escaped(whole)}</title>" if whole and whole != text else ""
        self._texts.setdefault(attributes, []).append(f"<text x='{x:g}' y='{y:g}'>{title}{escaped(text)}</text>")

    def _use(self, shape: str, x: float, y: float) -> str:
        name = self._shared.setdefault(shape, _name_of(shape))
        return f"<use href='#{name}' x='{x:g}' y='{y:g}'/>"

    def _head(self, state: str, caption: str, width: int) -> Iterable[str]:
        x: float = _PAD
        if state:
            yield f"<rect x='{_PAD}' y='{_PAD}' width='20' height='20' rx='2' {self._ink('tile-bg', state)}/>"
            place = f"transform='translate({_PAD + 4} {_PAD + 4})'"
            yield f"<g {place} {self._ink.glyph('glyph', state, glyph(state))}</g>"
            x += 28
        right, y = _PAD + width, _PAD + 15
        word_px = width_px(state, TEXT_PX) + 12 if state else 0
        name = fit_middle(one_line(self._graph.name), right - x - word_px, NAME_PX)
        self._write(self._ink("name"), x, y, name, self._graph.name)
        x = round(x + width_px(name, NAME_PX) + 12)
        if state:
            self._write(self._ink("word", state), x, y, state)
            x = round(x + word_px)
        if caption and right - x > 60:  # noqa: PLR2004  # less than that holds no sentence
            self._write(self._ink("note"), x, y, fit_end(one_line(caption), right - x, TEXT_PX))

    def _legend(self, counts: Mapping[str, int], width: int, top: int) -> tuple[list[str], int]:
        parts = []
        x, y = 0.0, 16
        for name, count in counts.items():
            label = f"{count:,} {name}"
            wide = 16 + width_px(label, TEXT_PX, bold=False) + 12
            if x and x + wide > width:
                x, y = 0.0, y + 20
            place = f"transform='translate({_PAD + x:.0f} {top + y})'"
            parts.append(f"<g {place} {self._ink.glyph('glyph-ink', name, glyph(name))}</g>")
            self._write(self._ink("note"), round(_PAD + x + 16), top + y + 10, label)
            x += wide
        return parts, y + 20

    def _too_large(self) -> Iterable[str]:
        sentence = f"{len(self._graph.specs):,} tasks: too many for a saved picture. Run the cell to see the graph."
        self._write(self._ink("note"), _PAD, _PAD + _HEAD_PX + 12, sentence)
        return ()


class _Ink:
    """Colours as presentation attributes, because sanitizers remove styles."""

    def __init__(self, theme: palette.Theme) -> None:
        self.theme = theme
        self.chrome = palette.CHROME[theme]

    def __call__(self, kind: str, state: str = "") -> str:
        chrome, style = self.chrome, palette.style_of(state)
        shades = palette.shades(state, self.theme)
        match kind:
            case "box":
                colour = shades.fill if style.border == "state" else chrome.outline
                dashes = " stroke-dasharray='3 3'" if style.border == "dashed" else ""
                weight = " stroke-width='1.5'" if style.border == "state" else ""
                return f"fill='{chrome.surface}' stroke='{colour}'{weight}{dashes}"
            case "under":
                return f"fill='{chrome.surface}' stroke='{chrome.outline}'"
            case "tile-bg":
                return f"fill='{shades.fill if style.filled else shades.tint}'"
            case "seg":
                hollow = f"fill='{shades.tint}' stroke='{shades.fill}'"
                done = f"fill='{shades.fill}'" if style.filled else hollow
                return done if state != "Pending" else f"fill='{chrome.rule}'"
            case _:
                return self._lettered(kind, shades)

    def _lettered(self, kind: str, shades: palette.Shades) -> str:
        end = " text-anchor='end'" if "end" in kind.split() else ""
        match kind.split(maxsplit=1)[0]:
            case "name":
                return f"font-size='{NAME_PX}' font-weight='600' fill='{self.chrome.text}'{end}"
            case "word":
                return f"font-weight='600' fill='{shades.ink}'{end}"
            case "note" if "warn" in kind.split():
                return f"fill='{palette.shades('Paused', self.theme).ink}'"
            case _:
                return f"fill='{self.chrome.text_2}'{end}"

    def glyph(self, kind: str, state: str, shape: str) -> str:
        """Return the rest of a group that holds a glyph: its attributes and its content."""
        shades = palette.shades(state, self.theme)
        colour = shades.on if kind == "glyph" and palette.style_of(state).filled else shades.ink
        drawn = shape.replace("currentColor", colour).replace('"', "'")
        lines = "stroke-width='1.75' stroke-linecap='round' stroke-linejoin='round'"
        return f"fill='none' stroke='{colour}' {lines}>{drawn}"


def _tip(box: Box) -> str:
    return f"M{box.x + box.w / 2 - 3:g} {box.y - 6}h6l-3 6z"


def _name_of(shape: str) -> str:
    """Return an id that two shapes share only if they are the same."""
    number, letters = zlib.crc32(shape.encode()), []
    while number:
        number, rest = divmod(number, len(_ID_LETTERS))
        letters.append(_ID_LETTERS[rest])
    return "f" + "".join(letters)
