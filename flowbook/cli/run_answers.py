"""`flowbook run cancel|resume|skip|reject|retry`: what people decide about a run, wherever it is."""

from __future__ import annotations

import shlex
import threading
from typing import TYPE_CHECKING

from flowbook.cli.run_ends import find_run, say_state
from flowbook.engine.answer import was_rejected
from flowbook.engine.state_kinds import failed_by_itself
from flowbook.exceptions import ArgumentError, ResultGoneError, UnpicklableError
from flowbook.flow_run.decision import TypedText
from flowbook.flow_run.recorded_decision import cancel_recorded, recorded_state
from flowbook.flow_run.run_names import find_run_id
from flowbook.notebook.run_text import cancelled
from flowbook.store import open_store
from flowbook.terminal.lines import printable
from flowbook.terminal.reporting import has_display

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Sequence

    from flowbook.cli.output import Output
    from flowbook.flow_run.recorded_decision import RecordedState
    from flowbook.flow_run.run import FlowRun

__all__ = ["cancel", "reject", "resume", "retry", "skip"]

_LOOK_S = 0.05


def cancel(args: Namespace, out: Output) -> int:
    """Cancel a run, wherever it goes on."""
    try:
        run = find_run(args.run)
    except (ResultGoneError, UnpicklableError):  # its flow or its inputs can't be loaded, nor need be
        return _cancel_by_record(args, out)
    run.cancel(by=args.by, note=args.note, now=args.now)
    _say_what_runs(run, args, out)
    run.wait()
    return say_state(run, out)


def _cancel_by_record(args: Namespace, out: Output) -> int:
    store, pause = open_store(), threading.Event()
    run = cancel_recorded(store, find_run_id(store, args.run), by=args.by, note=args.note, now=args.now)
    _say_what_runs(run, args, out)
    while run.is_owned:
        pause.wait(_LOOK_S)
        run = recorded_state(store, run.run_id)
    return say_state(run, out)


def _say_what_runs(run: FlowRun | RecordedState, args: Namespace, out: Output) -> None:
    if not (args.now or out.is_json or run.state.is_finished()):
        out.line(printable(cancelled(run)))
        out.line(f"To stop it now: flowbook run cancel {shlex.quote(args.run)} --now")


def resume(args: Namespace, out: Output) -> int:
    """Go on with a run, in this process unless another has it, and wait until it is at rest."""
    run, inputs = find_run(args.run, args.flow), _inputs(args.input)
    return _watched(
        run, lambda: run.resume(*args.task, by=args.by, note=args.note, inputs=inputs or None, force=args.force), out
    )


def skip(args: Namespace, out: Output) -> int:
    """Skip tasks that wait, and go on as `resume` does."""
    run = find_run(args.run, args.flow)
    return _watched(run, lambda: run.skip(*args.task, by=args.by, note=args.note, force=args.force), out)


def reject(args: Namespace, out: Output) -> int:
    """Reject tasks that wait, and go on as `resume` does; what failed because it was rejected is what was asked for."""
    run = find_run(args.run, args.flow)
    code = _watched(run, lambda: run.reject(*args.task, by=args.by, note=args.note, force=args.force), out)
    failed = [state for state in run.states.values() if failed_by_itself(state)]
    return 0 if failed and all(map(was_rejected, failed)) else code


def retry(args: Namespace, out: Output) -> int:
    """Run what failed again, or of it these tasks, and wait until the run is at rest."""
    run = find_run(args.run, args.flow)
    return _watched(run, lambda: run.retry(by=args.by, note=args.note, tasks=args.task, force=args.force), out)


def _inputs(given: Sequence[str]) -> dict[str, object]:
    """Return the inputs in texts like "threshold=20", each as it was typed.

    Raises:
        ArgumentError: if one has no name.
    """
    found: dict[str, object] = {}
    for each in given:
        name, equals, text = each.partition("=")
        if not (equals and name.strip().isidentifier()):
            msg = f"--input {printable(each)!r} names no input. Write NAME=VALUE, e.g. --input threshold=20."
            raise ArgumentError(msg, input=each)
        found[name.strip()] = TypedText(text)
    return found


def _watched(run: FlowRun, begin: Callable[[], object], out: Output) -> int:
    """Let a run go on, wait until it is at rest, and say how it stands; on a terminal it shows how it goes."""
    is_displayed = not out.is_json and has_display(None)
    with run.on_terminal(progress=is_displayed):
        begin()
        try:
            run.wait()
        except KeyboardInterrupt:
            run.cancel(by="Ctrl-C")
            run.wait()
    return int(run.state.is_failed()) if is_displayed else say_state(run, out)
