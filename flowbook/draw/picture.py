"""A picture of a compiled flow with its tasks in the colours of their states, for notebooks and files."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from flowbook.draw.layout import layout
from flowbook.draw.node_parts import NodeView, alt_text
from flowbook.draw.still import image
from flowbook.draw.svg import svg
from flowbook.engine.mapped_states import child_states
from flowbook.engine.state import Mapped
from flowbook.engine.state_kinds import mapped_state, name_in_words
from flowbook.exceptions import DefinitionError

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from flowbook.engine.graph import Graph
    from flowbook.engine.state import State

__all__ = ["LARGEST_SHOWN", "Picture", "Theme", "picture_of"]

#: Larger flows are shown as text unless the user asks for a picture, which would be larger than the notebook.
LARGEST_SHOWN = 150

Theme = Literal["auto", "light", "dark"]


class Picture:
    """An SVG picture: shown by notebooks, `svg` as text, `save(path)` as a file; `words` say the same to who can't see it."""

    def __init__(self, text: str, words: str) -> None:
        self.svg = text
        self.words = words

    def save(self, filename: str | os.PathLike[str]) -> Path:
        """Write it to a file; a name without an ending gets `.svg`.

        Raises:
            DefinitionError: if the name has another ending.
        """
        path = Path(filename)
        if not path.suffix:
            path = path.with_suffix(".svg")
        if path.suffix.lower() != ".svg":
            msg = f"Pictures are written as SVG, not as {path.suffix!r}. Name it {path.with_suffix('.svg').name!r}."
            raise DefinitionError(msg, filename=str(path))
        path.write_text(self.svg, encoding="utf-8")
        return path

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        return {"text/html": image(self.svg, self.words), "text/plain": self.words}

    def __repr__(self) -> str:
        return f"<Picture: {self.words}>"


def picture_of(
    graph: Graph, states: Mapping[str, State], *, state: str = "", caption: str = "", theme: Theme = "auto"
) -> Picture:
    """Return the picture of a compiled flow with its tasks in these states, by key; those without one are drawn plain."""
    views = {key: _view(key, states) for key in graph.specs if key in states}
    text = svg(graph, layout(graph), views, theme=theme, standalone=True, state=state, caption=caption)
    words = alt_text(graph, views, state=state, caption=caption)
    return Picture(text, words.removeprefix("flowbook: "))


def _view(key: str, states: Mapping[str, State]) -> NodeView:
    state = states[key]
    if not isinstance(state, Mapped):
        return NodeView(state=type(state).__name__, word=name_in_words(state))
    counts = Counter(name_in_words(child) for child in child_states(key, state, states))
    return NodeView(state=mapped_state(counts), counts=counts, width=state.n_map_states)
