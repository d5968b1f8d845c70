"""Wiring between a run and the store: what is kept, when."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowbook.core.run import FlowRun
    from flowbook.engine.events import Event
    from flowbook.engine.graph import Graph
    from flowbook.engine.ports import OutputCache
    from flowbook.engine.state import State

__all__ = ["Recording", "open_recording", "output_cache"]


class Recording:
    run_id: str
    number: int
    epoch: int
    started: float | None
    ended: float | None

    def states(self) -> dict[str, State]: ...
    def events(self) -> list[Event]: ...
    def claim(self, by: str) -> int: ...
    def emit(self, event: Event) -> None: ...
    def finish(self, state: State) -> None: ...


def open_recording(run: FlowRun, *, record: bool | None, origin: str, afterwards: bool = False) -> Recording | None:
    return None


def output_cache(graph: Graph) -> OutputCache | None:
    return None
