"""The machine once more, slow and obvious: after each event everything is worked out anew from what was settled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.engine.task_keys import child_key, split_child_key

if TYPE_CHECKING:
    from flowbook.engine.graph import Graph


class Model:
    """What may run, given what has settled; keys of the whole graph, from its beginning."""

    def __init__(self, graph: Graph, width: int) -> None:
        self.graph = graph
        self.width = width
        self.finished: set[str] = set()
        self.split: set[str] = set()
        self.given_out: set[str] = set()

    def ready(self) -> set[str]:
        """Return the keys that may run and were not given out yet; they count as given out from now on."""
        fresh = {key for key in self._all() if key not in self.given_out and self._may_run(key)}
        self.given_out |= fresh
        return fresh

    def children(self, key: str) -> list[str]:
        return [child_key(key, index) for index in range(self.width)]

    def _all(self) -> list[str]:
        return [*self.graph.specs, *(child for key in self.split for child in self.children(key))]

    def _may_run(self, key: str) -> bool:
        if key in self.graph.specs:
            return all(self._is_over(up) or self._feeds_children(up, key) for up in self.graph.specs[key].upstream)
        parent, index = split_child_key(key)
        feeders = [b.upstream for b in self.graph.specs[parent].bindings if b.mapped and b.upstream in self.split]
        return all(child_key(up, index) in self.finished for up in feeders)

    def _is_over(self, key: str) -> bool:
        if key in self.split:
            return all(child in self.finished for child in self.children(key))
        return key in self.finished

    def _feeds_children(self, up: str, key: str) -> bool:
        """Whether child i of `key` needs nothing but child i of `up`, so that no branch waits for its neighbours."""
        between = [b for b in self.graph.specs[key].bindings if b.upstream == up]
        return up in self.split and self.width > 0 and all(b.mapped and not b.flattened for b in between)
