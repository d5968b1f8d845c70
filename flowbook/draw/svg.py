"""Writes every picture of a graph: the live one in the panel, and standalone ones in saved notebooks, reports and READMEs.

Live: classes and `data-` attributes only, coloured by the notebook's style sheet; the view then changes `data-state`,
texts, the glyph and the bar of its nodes, and nothing else. Alone: every colour is an attribute, without style sheet,
script, id or outside reference, so that it survives sanitizers. All text passes through `_text`, which escapes it.

One node, as its reader finds it (parts that a node can't come to need are left out):

    <g class="node" data-task=KEY data-state=STATE data-action="inspect" role=… aria-label=… transform="translate(x y)">
      <title>full name</title> rect.box rect.tile-bg g.glyph text.name text.end.width (times n)
      text.word text.end.time text.note[.warn] g.bar>rect.seg g.counts g.controls>g[role=button] rect.ring
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from flowbook.draw import palette
from flowbook.draw.glyphs import WARNING, glyph
from flowbook.draw.layout import MARGIN, NOTE_HEIGHT, PLAIN_HEIGHT
from flowbook.draw.text_width import NAME_PX, TEXT_PX, fit_end, fit_middle, width_px

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from flowbook.draw.layout import Box, Layout
    from flowbook.engine.graph import Graph, TaskSpec

__all__ = ["LARGEST_PICTURE", "NodeView", "alt_text", "counts_of", "svg"]

#: Standalone pictures show at most this many nodes, since notebooks are saved with them.
LARGEST_PICTURE = 150

_FONT = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif"
_TEXT_X = 32
_HEAD_PX = 44
_LEGEND_PX = 28
_PAD = 12
_LEAST_WIDTH = 320
#: Room for a count of children up to 999, in px.
_TIMES_PX = 34
_HIDDEN = ' display="none"'
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


def svg(  # noqa: PLR0913  # one picture, its options by keyword
    graph: Graph,
    layout: Layout,
    views: Mapping[str, NodeView],
    *,
    theme: Literal["auto", "light", "dark"] = "auto",
    standalone: bool = False,
    state: str = "",
    caption: str = "",
    groups: Container[str] = (),
) -> str:
    """Return the picture of `graph` as SVG text.

    Args:
        graph: a compiled flow.
        layout: its geometry.
        views: what each node shows; keys without one are Pending.
        theme: colours of a picture that stands alone; "auto" is light, on a background of its own. The live one follows
            the page.
        standalone: with its own colours, head, legend and text for readers that can't see it.
        state: class name of the flow's state, for the head.
        caption: one sentence for the head, e.g. "run 14, approve waits for you".
        groups: keys that aren't tasks but groups of tasks; live, they have `data-group` instead of `data-task`.
    """
    if standalone:
        shown: palette.Theme = "dark" if theme == "dark" else "light"
        return _Picture(graph, layout, views, _Inked(shown)).alone(state, caption)
    return _Picture(graph, layout, views, _Classed(groups)).live()


def alt_text(graph: Graph, views: Mapping[str, NodeView], *, state: str = "", caption: str = "") -> str:
    """Return the picture in words, e.g. "flowbook: delays: Paused. 18 Success, 1 Paused."; the panel finds it by them."""
    counts = counts_of(graph, views)
    listed = ", ".join(f"{count} {name}" for name, count in counts.items())
    head = f"flowbook: {graph.name}: {state}." if state else f"flowbook: {graph.name}:"
    return " ".join(part for part in (head, f"{listed}." if listed else "", caption) if part)


def counts_of(graph: Graph, views: Mapping[str, NodeView]) -> dict[str, int]:
    """Return how many tasks are in each state, in the order of bars; children count, parameters don't."""
    counts: Counter[str] = Counter()
    for key, spec in graph.specs.items():
        view = views.get(key, NodeView())
        if view.counts:
            counts.update(view.counts)
        elif not spec.is_parameter:
            counts[view.name] += 1
    return {name: counts[name] for name in palette.in_order(counts) if counts[name]}


def _text(value: object) -> str:
    """Return `value` escaped for XML text and double-quoted attributes. All escaping happens here."""
    return _UNWRITABLE.sub("\ufffd", str(value)).translate(_ESCAPED)


class _Classed:
    """Paint for the live picture: classes, for the style sheet to colour."""

    is_live = True

    def __init__(self, groups: Container[str]) -> None:
        self.groups = groups

    def __call__(self, kind: str, state: str = "") -> str:
        del state
        return f'class="{kind}"'

    def glyph(self, kind: str, state: str, shape: str, position: str) -> str:
        del state
        colour = ' style="color:var(--ink)"' if kind == "glyph-ink" else ""
        return f'<g class="{kind}"{colour} {position}>{shape}</g>'


class _Inked:
    """Paint for a standalone picture: presentation attributes, because sanitizers remove styles."""

    is_live = False

    def __init__(self, theme: palette.Theme) -> None:
        self.theme = theme
        self.chrome = palette.CHROME[theme]

    def __call__(self, kind: str, state: str = "") -> str:  # noqa: PLR0911  # a table of kinds
        chrome, style = self.chrome, palette.style_of(state)
        shades = palette.shades(state, self.theme)
        match kind:
            case "box":
                colour = shades.fill if style.border == "state" else chrome.outline
                dashes = ' stroke-dasharray="3 3"' if style.border == "dashed" else ""
                weight = ' stroke-width="1.5"' if style.border == "state" else ""
                return f'fill="{chrome.surface}" stroke="{colour}"{weight}{dashes}'
            case "under":
                return f'fill="{chrome.surface}" stroke="{chrome.outline}"'
            case "tile-bg":
                return f'fill="{shades.fill if style.filled else shades.tint}"'
            case "seg":
                hollow = f'fill="{shades.tint}" stroke="{shades.fill}"'
                done = f'fill="{shades.fill}"' if style.filled else hollow
                return done if state != "Pending" else f'fill="{chrome.rule}"'
            case "edge":
                return f'fill="none" stroke="{chrome.edge}"'
            case "tip":
                return f'fill="{chrome.edge}"'
            case _:
                return self._lettered(kind, shades)

    def _lettered(self, kind: str, shades: palette.Shades) -> str:
        end = ' text-anchor="end"' if "end" in kind.split() else ""
        match kind.split(maxsplit=1)[0]:
            case "name":
                return f'font-size="{NAME_PX}" font-weight="600" fill="{self.chrome.text}"{end}'
            case "word":
                return f'font-weight="600" fill="{shades.ink}"{end}'
            case "note" if "warn" in kind.split():
                return f'fill="{palette.shades("Paused", self.theme).ink}"'
            case _:
                return f'fill="{self.chrome.text_2}"{end}'

    def glyph(self, kind: str, state: str, shape: str, position: str) -> str:
        shades = palette.shades(state, self.theme)
        colour = shades.on if kind == "glyph" and palette.style_of(state).filled else shades.ink
        drawn = shape.replace("currentColor", colour)
        return (
            f'<g {position} fill="none" stroke="{colour}" stroke-width="1.75" '
            f'stroke-linecap="round" stroke-linejoin="round">{drawn}</g>'
        )


class _Picture:
    """Writes one picture with one kind of paint."""

    def __init__(self, graph: Graph, layout: Layout, views: Mapping[str, NodeView], paint: _Classed | _Inked) -> None:
        self._graph = graph
        self._layout = layout
        self._views = views
        self._paint = paint

    def live(self) -> str:
        width, height = self._layout.width, self._layout.height
        count = len(self._graph.specs)
        label = f"Graph of {self._graph.name}, {count} {'task' if count == 1 else 'tasks'}"
        opening = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="{-MARGIN} {-MARGIN} {width} {height}" role="group" aria-label="{_text(label)}">'
        )
        return "".join(
            (
                opening,
                *self._graph_parts(),
                "</svg>",
            )
        )

    def alone(self, state: str, caption: str) -> str:
        counts = counts_of(self._graph, self._views)
        is_drawn = len(self._graph.specs) <= LARGEST_PICTURE
        inner_width = max(self._layout.width if is_drawn else 0, _LEAST_WIDTH)
        legend, legend_height = self._legend(counts, inner_width)
        inner_height = self._layout.height if is_drawn else _LEGEND_PX
        width, height = inner_width + 2 * _PAD, _HEAD_PX + inner_height + legend_height + 2 * _PAD
        alternative = _text(alt_text(self._graph, self._views, state=state, caption=caption))
        indent = (inner_width - self._layout.width) / 2 if is_drawn else 0
        body = (
            f'<g transform="translate({_PAD + MARGIN + indent:g} {_PAD + _HEAD_PX + MARGIN})">',
            *(self._graph_parts() if is_drawn else self._too_large()),
            "</g>",
        )
        opening = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" role="img" aria-label="{alternative}" '
            f'font-family="{_FONT}" font-size="{TEXT_PX}"><title>{alternative}</title>'
        )
        return "".join(
            (
                opening,
                f'<rect width="{width}" height="{height}" fill="{palette.CHROME[self._theme].canvas}"/>',
                *self._head(state, caption, inner_width),
                *body,
                f'<g transform="translate({_PAD} {_PAD + _HEAD_PX + inner_height})">{legend}</g>',
                "</svg>",
            )
        )

    @property
    def _theme(self) -> palette.Theme:
        return self._paint.theme if isinstance(self._paint, _Inked) else "light"

    def _head(self, state: str, caption: str, width: int) -> Iterable[str]:
        yield f'<g transform="translate({_PAD} {_PAD})">'
        x: float = 0
        if state:
            yield f'<rect width="20" height="20" rx="2" {self._paint("tile-bg", state)}/>'
            yield self._paint.glyph("glyph", state, glyph(state), 'transform="translate(4 4)"')
            x = 28
        word_px = width_px(state, TEXT_PX) + 12 if state else 0
        name = fit_middle(_line(self._graph.name), width - x - word_px, NAME_PX)
        yield f'<text x="{x:g}" y="15" {self._paint("name")}>{_text(name)}</text>'
        x += width_px(name, NAME_PX) + 12
        if state:
            yield f'<text x="{x:.0f}" y="15" {self._paint("word", state)}>{_text(state)}</text>'
            x += word_px
        if caption and width - x > 60:  # noqa: PLR2004  # less than that holds no sentence
            shown = fit_end(_line(caption), width - x, TEXT_PX)
            yield f'<text x="{x:.0f}" y="15" {self._paint("note")}>{_text(shown)}</text>'
        yield "</g>"

    def _legend(self, counts: Mapping[str, int], width: int) -> tuple[str, int]:
        parts = []
        x, y = 0.0, 16
        for name, count in counts.items():
            label = f"{count:,} {name}"
            wide = 16 + width_px(label, TEXT_PX, bold=False) + 12
            if x and x + wide > width:
                x, y = 0.0, y + 20
            parts.append(self._paint.glyph("glyph-ink", name, glyph(name), f'transform="translate({x:.0f} {y})"'))
            parts.append(f'<text x="{x + 16:.0f}" y="{y + 10}" {self._paint("note")}>{_text(label)}</text>')
            x += wide
        return "".join(parts), y + 20

    def _too_large(self) -> Iterable[str]:
        sentence = f"{len(self._graph.specs):,} tasks: too many for a saved picture. Run the cell to see the graph."
        yield f'<text y="12" {self._paint("note")}>{sentence}</text>'

    def _graph_parts(self) -> Iterable[str]:
        yield '<g class="edges">' if self._paint.is_live else "<g>"
        for edge in self._layout.edges:
            ends = f' data-from="{_text(edge.source)}" data-to="{_text(edge.target)}"' if self._paint.is_live else ""
            box = self._layout.boxes[edge.target]
            tip = f"M{box.x + box.w / 2 - 3:g} {box.y - 6}h6l-3 6z"
            colour = ' style="fill:var(--fb-edge)"' if self._paint.is_live else ""
            yield f'<path {self._paint("edge")}{ends} d="{edge.path}"/><path {self._paint("tip")}{colour} d="{tip}"/>'
        yield "</g>"
        for key, box in self._layout.boxes.items():
            yield from self._node(self._graph.specs[key], box, self._views.get(key, NodeView()))

    def _node(self, spec: TaskSpec, box: Box, view: NodeView) -> Iterable[str]:
        paint, state = self._paint, view.name
        box = replace(box, h=drawn_height(box, view))
        yield f"{self._opening(spec, box, view)}<title>{_text(spec.key)}</title>"
        if spec.is_mapped:
            yield f'<path {paint("under")} d="M4 {box.h}v4h{box.w}v-{box.h}h-4"/>'
        yield f'<rect {paint("box", state)} x=".5" y=".5" width="{box.w - 1}" height="{box.h - 1}" rx="2"/>'
        yield f'<rect {paint("tile-bg", state)} x="1" y="1" width="24" height="{box.h - 2}"/>'
        yield paint.glyph("glyph", state, glyph(state), 'transform="translate(7 16)"')
        yield from self._lines(spec, box, view)
        if spec.is_mapped:
            yield from self._children(box, view)
        if spec.is_manual and paint.is_live:
            yield self._controls(spec, view)
        if paint.is_live:
            yield f'<rect class="ring" x="-3" y="-3" width="{box.w + 6}" height="{box.h + 6}" rx="4"/>'
        yield "</g>"

    def _opening(self, spec: TaskSpec, box: Box, view: NodeView) -> str:
        position = f'transform="translate({box.x} {box.y})"'
        if isinstance(self._paint, _Inked):
            return f"<g {position}>"
        label = ", ".join(part for part in (spec.key, view.name, view.end, view.note) if part)
        word = f' data-word="{_text(view.word)}"' if view.word else ""
        # A button may not contain buttons, so a node with controls is a group.
        role = "group" if spec.is_manual else "button"
        kind = "group" if spec.key in self._paint.groups else "task"
        return (
            f'<g class="node" data-{kind}="{_text(spec.key)}" data-state="{_text(view.state)}"{word} data-action="inspect" '
            f'role="{role}" tabindex="-1" aria-label="{_text(label)}" {position}>'
        )

    def _lines(self, spec: TaskSpec, box: Box, view: NodeView) -> Iterable[str]:
        paint, right = self._paint, box.w - 8
        room = right - _TEXT_X
        times = f"\u00d7{view.width:,}" if view.width is not None else ""
        # The count gets its room from the start, since the view fills it in later.
        beside = max(width_px(times, TEXT_PX, bold=False), _TIMES_PX) + 6 if spec.is_mapped else 0
        name = fit_middle(_line(spec.key), room - beside, NAME_PX)
        yield f'<text {paint("name")} x="{_TEXT_X}" y="18">{_text(name)}</text>'
        if spec.is_mapped:
            yield self._optional("end width", right, 18, times)
        yield f'<text {paint("word", view.name)} x="{_TEXT_X}" y="35">{_text(view.name)}</text>'
        end_room = room - width_px(view.name, TEXT_PX) - 8
        yield self._optional("end time", right, 35, fit_end(_line(view.end), end_room, TEXT_PX))
        if box.h > 44 and not spec.is_mapped:  # noqa: PLR2004  # the height of two lines
            yield from self._note(view, room)

    def _note(self, view: NodeView, room: float) -> Iterable[str]:
        if self._paint.is_live or view.warns:
            # Live, it is always there, maybe hidden: the view only changes what it finds.
            mark = f'class="warning" data-state="Paused"{"" if view.warns else _HIDDEN}' if self._paint.is_live else ""
            position = f'transform="translate({_TEXT_X} 43)"'
            yield f"<g {mark}>{self._paint.glyph('glyph-ink', 'Paused', WARNING, position)}</g>"
        indent = 16 if view.warns else 0
        shown = "" if view.controls and self._paint.is_live else fit_end(_line(view.note), room - indent, TEXT_PX)
        yield self._optional("note warn" if view.warns else "note", _TEXT_X + indent, 53, shown)

    def _optional(self, kind: str, x: float, y: int, text: str) -> str:
        """Return a text element. An empty one is only needed live, where the view fills it later."""
        if not text and not self._paint.is_live:
            return ""
        return f'<text {self._paint(kind)} x="{x:g}" y="{y}">{_text(text)}</text>'

    def _children(self, box: Box, view: NodeView) -> Iterable[str]:
        paint = self._paint
        names = [name for name in palette.in_order(view.counts) if view.counts[name]]
        total = sum(view.counts.values())
        room = box.w - 8 - _TEXT_X - (len(names) - 1)
        yield '<g class="bar">' if paint.is_live else "<g>"
        x = float(_TEXT_X)
        for name in names:
            wide = room * view.counts[name] / total
            mark = f' data-state="{_text(name)}"' if paint.is_live else ""
            yield f'<rect {paint("seg", name)}{mark} x="{x:.1f}" y="44" width="{wide:.1f}" height="8"/>'
            x += wide + 1
        yield '</g><g class="counts">' if paint.is_live else "</g><g>"
        yield from self._tally(names, view, box.w - 8)
        yield "</g>"

    def _tally(self, names: list[str], view: NodeView, right: float) -> Iterable[str]:
        x = float(_TEXT_X)
        for name in names:
            label = _short(view.counts[name])
            wide = 13 + width_px(label, TEXT_PX, bold=False) + 6
            if x + wide > right:
                return
            mark = f' data-state="{_text(name)}"' if self._paint.is_live else ""
            position = f'transform="translate({x:.0f} 60) scale(.8)"'
            yield f"<g{mark}>{self._paint.glyph('glyph-ink', name, glyph(name), position)}"
            yield f'<text {self._paint("tally")} x="{x + 13:.0f}" y="69">{label}</text></g>'
            x += wide

    def _controls(self, spec: TaskSpec, view: NodeView) -> str:
        key = _text(spec.key)
        hidden = "" if view.controls else _HIDDEN
        return (
            f'<g class="controls"{hidden}>'
            f'<g role="button" tabindex="-1" data-action="resume" data-task="{key}" aria-label="Resume {key}" '
            f'transform="translate({_TEXT_X} 46)"><rect width="72" height="24" rx="2"/>'
            '<text x="36" y="16">Resume</text></g>'
            f'<g role="button" tabindex="-1" class="ctl" data-action="inspect" data-task="{key}" '
            f'aria-label="Inputs of {key}" transform="translate(112 46)"><rect width="64" height="24" rx="2"/>'
            '<text x="32" y="16">Inputs</text></g></g>'
        )


def drawn_height(box: Box, view: NodeView) -> int:
    """Return the height at which a node is drawn, in px; the layout reserved room for everything it may ever show."""
    if view.controls or view.counts:
        return box.h
    return min(box.h, NOTE_HEIGHT if view.note else PLAIN_HEIGHT)


def _line(text: str) -> str:
    """Return `text` as one line."""
    return " ".join(text.split())


def _short(count: int) -> str:
    if count < 10_000:  # noqa: PLR2004
        return f"{count:,}"
    return f"{count / 1000:.0f}k" if count < 1_000_000 else f"{count / 1_000_000:.1f}M"  # noqa: PLR2004
