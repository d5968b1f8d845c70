"""What an epoch of a run begins with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook._context import current_layer
from flowbook.engine.epoch import Epoch, RunOptions
from flowbook.engine.state_kinds import waits_for_person
from flowbook.engine.task_context import run_layer
from flowbook.flow_run.run_request import with_contexts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowbook.engine.events import EventSink
    from flowbook.engine.graph import Graph
    from flowbook.engine.ports import OutputCache, Shelf
    from flowbook.engine.state import State
    from flowbook.flow_run.recording import Recording
    from flowbook.flow_run.run import FlowRun
    from flowbook.flow_run.run_inputs import RunInputs

__all__ = ["new_epoch"]


def new_epoch(  # noqa: PLR0913  # all that makes one differ from the one before
    run: FlowRun,
    given: RunInputs,
    recording: Recording | None,
    sinks: tuple[EventSink, ...],
    *,
    states: Mapping[str, State],
    state: State,
    first_seq: int,
    start: tuple[str, ...] = (),
    resumed: tuple[str, ...] = (),
    is_cancelled: bool = False,
) -> Epoch:
    """Return an epoch of a run that is to be run.

    Args:
        run: the facts that all its epochs share.
        given: what it goes on with.
        recording: where it is recorded; told before the other `sinks`.
        sinks: who else is told of each event.
        states: of its tasks, as the epoch before left them.
        state: of the flow, likewise.
        first_seq: number of the first event.
        start: keys to treat as roots; empty: the whole graph, or what lies below where the run started.
        resumed: keys that need not wait for a person any more.
        is_cancelled: nothing runs any more but what cleans up.
    """
    cache = _output_cache(run.graph)
    layer = run_layer(
        flow_name=run.flow_name,
        run_id=run.run_id,
        parameters=run.parameters,
        extra=given.context,
        parent=current_layer(),
        began=run.began,
    )
    options = RunOptions(
        run_id=run.run_id,
        executor=run.executor,
        parameters=run.parameters,
        states=states,
        start=start,
        resumed=resumed if start else (*resumed, *(key for key in given.start if _begins(states.get(key)))),
        within=given.start,
        handlers=given.handlers,
        flow_handlers=run.flow.handlers(),
        terminal_handler=run.flow.terminal_state_handler,
        sinks=sinks if recording is None else (recording, *sinks),
        cache=cache,
        shelf=None if cache is None and recording is None else _shelf(recording),
        layer=layer,
        state=state,
        is_cancelled=is_cancelled,
        first_seq=first_seq,
        limits=run.limits,
        task_contexts=given.task_contexts,
    )
    return Epoch(with_contexts(run.graph, given.task_contexts), options)


def _output_cache(graph: Graph) -> OutputCache | None:
    if not any(spec.cache is not None for spec in graph.specs.values()):
        return None
    from flowbook.flow_run.recording import output_cache  # noqa: PLC0415  # the store: longer to load than all the rest

    return output_cache(graph)


def _shelf(recording: Recording | None) -> Shelf | None:
    from flowbook.flow_run.recording import shelf  # noqa: PLC0415  # as above

    return shelf(recording)


def _begins(state: State | None) -> bool:
    return state is None or not (state.is_finished() or waits_for_person(state))
