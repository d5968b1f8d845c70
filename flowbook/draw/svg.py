"""Writes every picture of a graph: the live one in the panel, and standalone ones in saved notebooks, reports and READMEs.

Live: classes and `data-` attributes only, coloured by the notebook's style sheet. Bare, for the panel: the view keeps each
node's boxes and name, changes `data-state`, and draws the rest. Alone: see `still`.

One node, as its reader finds it (parts that a node can't come to need are left out):

    <g class="node" data-task=KEY data-state=STATE data-action="inspect" role=… aria-label=… transform="translate(x y)">
      <title>full name</title> rect.box rect.tile-bg g.glyph text.name text.end.width (times n)
      text.word text.end.time text.note[.warn] g.bar>rect.seg g.counts g.controls>g[role=button] rect.ring
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from flowbook.draw.glyphs import WARNING, glyph
from flowbook.draw.layout import MARGIN, PLAIN_HEIGHT
from flowbook.draw.node_parts import (
    TEXT_X,
    GlyphPart,
    NodeView,
    TextPart,
    count_of_children,
    drawn_height,
    end_of,
    escaped,
    name_of,
    note_of,
    segments,
    tallies,
    word_of,
)
from flowbook.draw.still import Still

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping

    from flowbook.draw.layout import Box, Layout
    from flowbook.engine.graph import Graph, TaskSpec

__all__ = ["svg"]

_HIDDEN = ' display="none"'


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
    bare: bool = False,
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
        bare: live, only the boxes and names of nodes: all that the panel's view takes over, as it draws the rest itself.
    """
    if standalone:
        return Still(graph, layout, views, "dark" if theme == "dark" else "light").write(state, caption)
    node = _bare_node if bare else _node
    return "".join(
        _live(
            graph,
            layout,
            lambda key, box: node(graph.specs[key], box, views.get(key, NodeView()), is_group=key in groups),
        )
    )


def _live(graph: Graph, layout: Layout, node: Callable[[str, Box], Iterable[str]]) -> Iterable[str]:
    width, height = layout.width, layout.height
    count = len(graph.specs)
    label = f"Graph of {graph.name}, {count} {'task' if count == 1 else 'tasks'}"
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="{-MARGIN} {-MARGIN} {width} {height}" role="group" aria-label="{escaped(label)}">'
    )
    yield '<g class="edges">'
    for edge in layout.edges:
        box = layout.boxes[edge.target]
        tip = f"M{box.x + box.w / 2 - 3:g} {box.y - 6}h6l-3 6z"
        yield (
            f'<path class="edge" data-from="{escaped(edge.source)}" data-to="{escaped(edge.target)}" d="{edge.path}"/>'
            f'<path class="tip" style="fill:var(--fb-edge)" d="{tip}"/>'
        )
    yield "</g>"
    for key, box in layout.boxes.items():
        yield from node(key, box)
    yield "</svg>"


def _node(spec: TaskSpec, box: Box, view: NodeView, *, is_group: bool) -> Iterable[str]:
    box = replace(box, h=drawn_height(box, view))
    yield from _boxes(spec, box, view, is_group=is_group)
    yield f'<g class="glyph" transform="translate(7 16)">{glyph(view.name)}</g>'
    yield from _lines(spec, box, view)
    if spec.is_mapped:
        yield from _children(box, view)
    if spec.is_manual:
        yield _controls(spec, view)
    yield _ring(box)


def _bare_node(spec: TaskSpec, box: Box, view: NodeView, *, is_group: bool) -> Iterable[str]:
    box = replace(box, h=drawn_height(box, view))
    yield from _boxes(spec, box, view, is_group=is_group)
    yield _text(name_of(spec, box, view))
    yield _ring(box)


def _boxes(spec: TaskSpec, box: Box, view: NodeView, *, is_group: bool) -> Iterable[str]:
    yield f"{_opening(spec, box, view, is_group=is_group)}<title>{escaped(spec.key)}</title>"
    if spec.is_mapped:
        yield f'<path class="under" d="M4 {box.h}v4h{box.w}v-{box.h}h-4"/>'
    yield f'<rect class="box" x=".5" y=".5" width="{box.w - 1}" height="{box.h - 1}" rx="2"/>'
    yield f'<rect class="tile-bg" x="1" y="1" width="24" height="{box.h - 2}"/>'


def _ring(box: Box) -> str:
    return f'<rect class="ring" x="-3" y="-3" width="{box.w + 6}" height="{box.h + 6}" rx="4"/></g>'


def _opening(spec: TaskSpec, box: Box, view: NodeView, *, is_group: bool) -> str:
    label = ", ".join(part for part in (spec.key, view.name, view.end, view.note) if part)
    word = f' data-word="{escaped(view.word)}"' if view.word else ""
    # A button may not contain buttons, so a node with controls is a group.
    role = "group" if spec.is_manual else "button"
    kind = "group" if is_group else "task"
    return (
        f'<g class="node" data-{kind}="{escaped(spec.key)}" data-state="{escaped(view.state)}"{word} data-action="inspect" '
        f'role="{role}" tabindex="-1" aria-label="{escaped(label)}" transform="translate({box.x} {box.y})">'
    )


def _lines(spec: TaskSpec, box: Box, view: NodeView) -> Iterable[str]:
    """Yield a node's texts; those that are empty too, since the view fills them later."""
    yield _text(name_of(spec, box, view))
    if spec.is_mapped:
        yield _text(count_of_children(box, view))
    yield _text(word_of(view))
    yield _text(end_of(box, view))
    if box.h > PLAIN_HEIGHT and not spec.is_mapped:
        mark = _glyph(GlyphPart("glyph-ink", "Paused", WARNING, TEXT_X, 43))
        yield f'<g class="warning" data-state="Paused"{"" if view.warns else _HIDDEN}>{mark}</g>'
        note = note_of(box, view)
        yield _text(replace(note, text="") if view.controls else note)


def _text(part: TextPart) -> str:
    return f'<text class="{part.kind}" x="{part.x:g}" y="{part.y}">{escaped(part.text)}</text>'


def _glyph(part: GlyphPart) -> str:
    scale = f" scale({part.scale:g})".replace("0.", ".") if part.scale != 1 else ""
    place = f'transform="translate({part.x:g} {part.y}){scale}"'
    return f'<g class="{part.kind}" style="color:var(--ink)" {place}>{part.shape}</g>'


def _children(box: Box, view: NodeView) -> Iterable[str]:
    yield '<g class="bar">'
    for each in segments(box, view):
        place = f'x="{each.x:.1f}" y="44" width="{each.width:.1f}" height="8"'
        yield f'<rect class="seg" data-state="{escaped(each.state)}" {place}/>'
    yield '</g><g class="counts">'
    for mark, text in tallies(box, view):
        yield f'<g data-state="{escaped(mark.state)}">{_glyph(mark)}{_text(text)}</g>'
    yield "</g>"
    if view.counts and (note := note_of(box, view)).text:
        yield _text(note)


def _controls(spec: TaskSpec, view: NodeView) -> str:
    key = escaped(spec.key)
    hidden = "" if view.controls else _HIDDEN
    return (
        f'<g class="controls"{hidden}>'
        f'<g role="button" tabindex="-1" data-action="resume" data-task="{key}" aria-label="Resume {key}" '
        f'transform="translate({TEXT_X} 46)"><rect width="72" height="24" rx="2"/>'
        '<text x="36" y="16">Resume</text></g>'
        f'<g role="button" tabindex="-1" class="ctl" data-action="inspect" data-task="{key}" '
        f'aria-label="Inputs of {key}" transform="translate(112 46)"><rect width="64" height="24" rx="2"/>'
        '<text x="32" y="16">Inputs</text></g></g>'
    )
