"""`flowbook run start`, `watch` and `hand-over`: runs a flow from a file, follows a run, gives it a process of its own."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from flowbook.cli.param_values import read_params
from flowbook.cli.run_ends import find_run, say_state
from flowbook.core.flow_files import flow_at
from flowbook.core.typed_parameters import read_as_defaults
from flowbook.engine.events import FLOW, Logged, StateChanged
from flowbook.engine.state import Scheduled, Submitted
from flowbook.exceptions import ArgumentError, RunError
from flowbook.flow_run.run import start_run
from flowbook.flow_runners import from_word
from flowbook.store import open_store
from flowbook.store.process_identity import container_of, number_of, place_in_words
from flowbook.terminal.lines import Span, printable
from flowbook.terminal.reporting import has_display

if TYPE_CHECKING:
    from argparse import Namespace

    from flowbook.cli.output import Output
    from flowbook.engine.events import Event
    from flowbook.flow_run.run import FlowRun

__all__ = ["follow", "hand_over", "start", "watch"]

_LOOK_S = 0.02
_LOOK_AT_REST_S = 0.25


def start(args: Namespace, out: Output) -> int:
    """Run a flow from a file, recorded: here until it is at rest, or with `--detach` in a process of its own."""
    if args.on is not None and not args.detach:
        msg = f"--on {args.on!r} says where a run's own process lives, and this run has none. Add --detach."
        raise ArgumentError(msg, option="--on")
    flow = flow_at(args.flow)
    options = {"record": True, **({"flow_run_name": args.name} if args.name else {})}
    parameters = read_as_defaults(flow.parameters(), read_params(args.param))
    if args.detach:
        run = flow.start(parameters, flow_runner=from_word(args.on or "subprocess"), **options)
        return _say_detached(run, out)
    is_displayed = not out.is_json and has_display(None)
    run = start_run(flow, parameters, {**options, "progress": is_displayed})
    run.run_here()
    return int(run.state.is_failed()) if is_displayed else say_state(run, out)


def _say_detached(run: FlowRun, out: Output) -> int:
    """Say which process has a run, once that has claimed it: this process may end then."""
    pause = threading.Event()
    while isinstance(run.state, Submitted):
        pause.wait(_LOOK_S)
    if run.state.is_failed():
        return say_state(run, out)
    identifier = run.identifier or ""
    number, container = number_of(identifier), container_of(identifier).partition(":")[2]
    name = run.run_id[:8]
    place = place_in_words(identifier) or f"process {number}"
    sentence = f"{run.flow_name} run {run.number} goes on in {place}, without this terminal."
    if out.is_json:
        facts = {"run_id": run.run_id, "flow": run.flow_name, "number": run.number, "process": number}
        facts |= {"container": container} if container else {}
        out.done("", **facts, state=type(run.state).__name__)
        return 0
    out.line(printable(sentence))
    out.lines(
        [
            (Span(f"  watch it   flowbook run watch {name}", "dim"),),
            (Span(f"  its logs   flowbook run logs {name}", "dim"),),
            (Span(f"  end it     flowbook run cancel {name}", "dim"),),
        ]
    )
    return 0


def hand_over(args: Namespace, out: Output) -> int:
    """Let a process of its own go on with a run; wait until it has it, or the run is at rest."""
    run = find_run(args.run)
    if run.where == "at rest":
        msg = f"{run.flow_name} run {run.number} is at rest: no process has it. Go on with it: flowbook run resume {args.run}"
        raise RunError(msg, run=run.run_id)
    ownership = open_store().ownership
    before = ownership.owner(run.run_id).epoch
    run.hand_over(from_word(args.on or "subprocess"), by=args.by, note=args.note)
    pause = threading.Event()
    while ownership.owner(run.run_id).epoch == before and not _is_at_rest(run):
        pause.wait(_LOOK_S)
    return _say_detached(run, out) if run.where == "elsewhere" else say_state(run, out)


def _is_at_rest(run: FlowRun) -> bool:
    return run.where == "at rest"


def watch(args: Namespace, out: Output) -> int:
    """Follow a run, whichever process has it, until it is at rest; Ctrl-C ends the watching, not the run."""
    return follow(find_run(args.run), out)


def follow(run: FlowRun, out: Output) -> int:
    """Write what happens in a run until it is at rest, and how it stands then; return 1 if it failed."""
    is_displayed = not out.is_json and has_display(None)
    _wait_until_begun(run)
    if run.where == "at rest":
        return say_state(run, out)
    if is_displayed:
        with run.on_terminal(progress=True):
            run.wait()
        return int(run.state.is_failed())
    run.subscribe(_Lines(out))
    run.wait()
    return say_state(run, out)


def _wait_until_begun(run: FlowRun) -> None:
    """Wait while a run waits for its time, at rest."""
    pause = threading.Event()
    while type(run.state) is Scheduled and run.where == "at rest":
        pause.wait(_LOOK_AT_REST_S)


class _Lines:
    """Writes a line for each task that ends, and for what tasks log; as JSON one object for each event. An `EventSink`."""

    def __init__(self, out: Output) -> None:
        self._out = out

    def emit(self, event: Event) -> None:
        """Write an event."""
        out = self._out
        if isinstance(event, StateChanged):
            name = type(event.state).__name__
            if out.is_json:
                out.done("", seq=event.seq, task=event.key, at=event.at, state=name, message=event.state.message)
            elif event.key != FLOW and (event.state.is_finished() or event.state.is_paused()):
                self._line(event.at, f"{name:<9} {event.key}")
        elif isinstance(event, Logged):
            if out.is_json:
                out.done("", seq=event.seq, task=event.key, at=event.at, level=event.level, text=event.text)
            else:
                for text in event.text.rstrip().splitlines():
                    self._line(event.at, f"log       {event.key}  {text}")
        out.to.flush()

    def _line(self, at: float, text: str) -> None:
        self._out.line(f"{time.strftime('%H:%M:%S', time.localtime(at))}  {printable(text)}")
