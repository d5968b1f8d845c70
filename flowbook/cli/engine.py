"""`python -m flowbook.engine RUN_ID`: carries on one run in this process. A flow runner starts it; people rarely do."""

from __future__ import annotations

import argparse
import io
import json
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

from flowbook._utils import threads
from flowbook.exceptions import FlowbookError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from _typeshed import ReadableBuffer

__all__ = ["main"]

DONE, FAILED = 0, 1
#: In a container the engine is the first process, which no signal ends by itself; and what is added to a signal's number then.
_FIRST, _SIGNALS = 1, 128
#: How long threads of the user's may go on once the run is at rest.
_EXIT_S = 10.0
#: How long a run waits for the server of its store: hours of work are worth some minutes.
_PATIENCE_S = "300"


def main(argv: Sequence[str] | None = None) -> int:
    """Carry on a run; return the exit code of the process: 0, whatever state the flow ends in."""
    if os.getpid() == _FIRST:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(_SIGNALS + signal.SIGTERM))
    args = _parser().parse_args(argv)
    at_rest = _leave_in_time()
    try:
        if args.ended is not None:
            _note_end(args.run_id, args.ended)
        else:
            _carry_on(args.run_id)
    except FlowbookError as error:
        sys.stderr.write(f"flowbook.engine: {error}\n")
        return FAILED
    at_rest.set()
    return DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m flowbook.engine",
        description="Carry on one recorded run in this process, until it is at rest.",
        epilog="Exit codes: 0 the run is at rest, in whatever state; 1 it could not be carried on; 2 wrong usage. "
        "Example: python -m flowbook.engine 7c1f09e2a1b44d0f8e6f5a3b2c1d0e9f",
    )
    parser.add_argument("run_id", metavar="RUN_ID", help="the whole id of the run")
    parser.add_argument("--ended", type=int, metavar="EPOCH", help=argparse.SUPPRESS)
    return parser


def _carry_on(run_id: str) -> None:
    from flowbook.core.flow_files import flow_and_digest_at  # noqa: PLC0415  # not for `--help`
    from flowbook.flow_run.engine_process import run_in_this_process  # noqa: PLC0415  # as above
    from flowbook.store import open_store  # noqa: PLC0415  # as above

    _outlive_output()
    os.environ.setdefault("FLOWBOOK_API_PATIENCE_S", _PATIENCE_S)
    run_in_this_process(open_store(), run_id, flow_and_digest_at)


def _note_end(run_id: str, epoch: int) -> None:
    """Record how a process of the run ended, of which its keeper tells on stdin."""
    from flowbook.flow_run.ports import Outcome  # noqa: PLC0415  # as above
    from flowbook.flow_run.process_end import record_process_end  # noqa: PLC0415  # as above
    from flowbook.store import open_store  # noqa: PLC0415  # as above

    told = json.load(sys.stdin)
    outcome = Outcome(told["exit_code"], tuple(told["last_lines"]), told.get("how", ""))
    record_process_end(open_store(), run_id, epoch, outcome)


class _Lasting(io.FileIO):
    """A stream whose reader may die: what is written then goes nowhere."""

    def write(self, part: ReadableBuffer) -> int:
        """Write a part; return how much of it was taken."""
        try:
            return super().write(part) or 0
        except BrokenPipeError:
            return memoryview(part).nbytes


def _outlive_output() -> None:
    """If whoever reads this process's output dies, let prints go nowhere rather than fail; soon also those of C code."""
    import select  # noqa: PLC0415  # as above

    for name, number in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        raw = io.BufferedWriter(_Lasting(number, "w", closefd=False))
        lasting = io.TextIOWrapper(raw, stream.encoding, stream.errors, line_buffering=True, write_through=True)
        setattr(sys, name, lasting)
    if not hasattr(select, "poll"):
        return
    poll = select.poll()
    poll.register(1, 0)

    def watch() -> None:
        if any(event & select.POLLERR for _, event in poll.poll()):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            for descriptor in (1, 2):
                os.dup2(nowhere, descriptor)

    threads.spawn(watch, name="output", owner="engine")


def _leave_in_time() -> threading.Event:
    """Return what to set once the run is at rest; the process ends soon after that, even if the user's threads go on for ever.

    The thread that sees to it starts before the run: afterwards there may be no memory for another one.
    """
    at_rest = threading.Event()

    def leave() -> None:
        at_rest.wait()
        threading.Event().wait(_EXIT_S)
        sys.stderr.write("flowbook.engine: threads still ran after the end of the run; they are ended.\n")
        sys.stderr.flush()
        os._exit(DONE)

    threads.spawn(leave, name="exit", owner="engine")
    return at_rest
