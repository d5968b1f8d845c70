"""Creates an epoch of a run and connects it to the store and to the caller's context."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook._context import current_layer
from flowbook.engine.epoch import Epoch
from flowbook.engine.ports import EpochPorts
from flowbook.engine.state_kinds import waits_for_person
from flowbook.engine.task_context import run_layer
from flowbook.flow_run.run_request import with_contexts, without_cache

if TYPE_CHECKING:
    from flowbook.engine.events import EventSink
    from flowbook.engine.graph import Graph
    from flowbook.engine.ports import OutputCache, Shelf
    from flowbook.engine.run_inputs import RunInputs
    from flowbook.engine.start_point import StartPoint
    from flowbook.engine.state import State
    from flowbook.flow_run.recording import Recording
    from flowbook.flow_run.run_description import RunDescription

__all__ = ["new_epoch"]


def new_epoch(
    run: RunDescription,
    inputs: RunInputs,
    start: StartPoint,
    recording: Recording | None,
    sinks: tuple[EventSink, ...],
) -> Epoch:
    """Return an epoch that is ready to run.

    Args:
        run: facts that all epochs of the run share.
        inputs: the run's inputs.
        start: the states that the epoch begins with.
        recording: records each event before the other `sinks` receive it.
        sinks: receive each event.
    """
    cache = _output_cache(run.graph)
    ports = EpochPorts(
        run_id=run.label.run_id,
        executor=run.executor,
        sinks=sinks if recording is None else (recording, *sinks),
        cache=cache,
        shelf=None if cache is None and recording is None else _shelf(recording),
        layer=run_layer(
            flow_name=run.label.flow_name,
            run_id=run.label.run_id,
            parameters=inputs.parameters,
            extra={**inputs.context, "flow_run_name": inputs.name} if inputs.name else inputs.context,
            parent=current_layer(),
            began=run.began,
        ),
    )
    if not start.start:
        begun = [key for key in inputs.start if _begins(start.states.get(key))]
        start = start._replace(resumed=(*start.resumed, *begun)) if begun else start
    graph = without_cache(with_contexts(run.graph, inputs.task_contexts), inputs.anew)
    return Epoch(graph, inputs, start, ports)


def _output_cache(graph: Graph) -> OutputCache | None:
    if not graph.facts.caches:
        return None
    from flowbook.flow_run.recording import output_cache  # noqa: PLC0415  # loading the store takes long

    return output_cache(graph)


def _shelf(recording: Recording | None) -> Shelf | None:
    from flowbook.flow_run.recording import shelf  # noqa: PLC0415  # as above

    return shelf(recording)


def _begins(state: State | None) -> bool:
    return state is None or not (state.is_finished() or waits_for_person(state))
