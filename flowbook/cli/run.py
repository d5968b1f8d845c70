"""`flowbook run`: lists, shows, exports and imports recorded runs, and writes their logs."""

from __future__ import annotations

import logging
import platform
import shlex
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from flowbook.cli.command_words import in_commands
from flowbook.cli.listed_tasks import counted, left_out, listed_tasks
from flowbook.engine.events import Logged, StateChanged
from flowbook.engine.masks import Masks
from flowbook.engine.state import Cancelling
from flowbook.exceptions import UnknownTaskError
from flowbook.flow_run.run_names import find_run_id
from flowbook.flow_run.run_pages import RunFilter, run_page, run_state
from flowbook.flow_run.task_facts import task_facts
from flowbook.flow_run.waiting_tasks import as_json, waiting_tasks
from flowbook.report.cost_text import cost_text
from flowbook.report.secret_literals import without_secrets
from flowbook.report.secret_names import shown_change, shown_parameters
from flowbook.store import open_store
from flowbook.store.late_events import LateEvents
from flowbook.store.process_identity import effective_message_of, shown_counts, shown_seconds, shown_state
from flowbook.store.process_output import OLDER, output_file
from flowbook.terminal.lines import Span, printable, wrapped
from flowbook.terminal.run_lines import decision_lines, head_lines, input_lines, run_table, task_table
from flowbook.terminal.traceback_lines import failing_line, traceback_lines
from flowbook.terminal.waiting_lines import answer_lines, waiting_lines

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable, Mapping, Sequence

    from flowbook.cli.output import Output
    from flowbook.engine.events import Decided, Event
    from flowbook.engine.remote_error import RemoteError
    from flowbook.flow_run.task_facts import TaskFacts
    from flowbook.store import RunSummary
    from flowbook.terminal.waiting_lines import WaitingTask

__all__ = ["export", "import_", "inspect", "logs", "ls"]

_FOLLOW_S = 0.25
_LISTED = 20
_MOST_FAILURES = 5
_DECISION = ("action", "key", "by", "note", "at", "looked_at")
_NO_RUNS = "No such runs are recorded here. Runs are recorded in notebooks, and by flow.run(record=True)."
_NOTHING_WAITS = "No run waits for you."
_GOES_ON = ("Running", "Pending", "Cancelling", "Submitted")


def ls(args: Namespace, out: Output) -> int:
    """List the runs: as a table the newest first, as JSON the newest last."""
    state = "Paused" if args.waiting else None if args.state is None else run_state(printable(args.state))
    limit = None if args.all else args.limit or _LISTED
    store = open_store()
    newest, _ = run_page(store, RunFilter(flow=args.flow, state=state), sys.maxsize - 1 if limit is None else limit)
    if out.is_json:
        out.table([_row(each) for each in reversed(newest)], (), "")
    elif not newest:
        out.line(_NOTHING_WAITS if args.waiting else _NO_RUNS)
    else:
        states = [shown_state(each) for each in newest]
        out.lines(run_table(newest, states, out.marks, store.now(), platform.node()))
        out.line(_footer(len(newest), limit))
    return 0


def inspect(args: Namespace, out: Output) -> int:
    """Show one run and its tasks, or one task."""
    store = open_store()
    run_id = find_run_id(store, args.run)
    summary, tasks = store.runs.summary(run_id), task_facts(store, run_id, args.task)
    decisions = store.history.decisions(run_id)
    if args.task is not None:
        tasks = [each for each in tasks if each.key == args.task or each.is_bad_child_of(args.task)]
        if not tasks:
            raise _unknown_task(args, summary)
    waiting = waiting_tasks(store, run_id, tasks)
    if out.is_json:
        noted = [_noted(each) for each in decisions]
        asked = [as_json(each) for each in waiting]
        out.record(
            {**_row(summary), "decisions": noted, "waiting": asked, "states": [each.as_json() for each in tasks]}
        )
        return 0
    state, now, message = shown_state(summary), store.now(), effective_message_of(summary)
    said = replace(summary, message=message and in_commands(message, args.run))
    out.lines([*head_lines(said, state, out.marks, now), *decision_lines(decisions, now)])
    rows = tasks if args.all else listed_tasks(tasks, args.task)
    if count := counted(tasks):
        out.line(f"  {count}")
    out.line("")
    out.lines(task_table([each.row() for each in rows], out.marks))
    command = shlex.join(["flowbook", "run", "inspect", args.run, *_words(args.task), "--all"])
    if rest := left_out(tasks, rows, command):
        out.line(f"  {rest}")
    for task in tasks:
        if task.key == args.task and task.inputs and task.key not in {each.key for each in waiting}:
            out.lines([(), *input_lines(task.inputs)])
        if task.key == args.task and (cost := cost_text(task.cost, task.output_bytes)):
            out.lines([(), (Span(f"  cost  {cost}"),)])
    out.lines(waiting_lines(waiting, now.timestamp()))
    _write_errors(rows, args, out)
    _hint(args, state, waiting, out)
    return 0


def _words(task: str | None) -> list[str]:
    return [] if task is None else [task]


def _noted(decided: Decided) -> dict[str, object]:
    changed = {
        each.name: {"before": each.before, "after": each.after, "text": shown_change(each.name, each.text)}
        for each in decided.changes
    }
    return {**{name: getattr(decided, name) for name in _DECISION}, "changed": changed}


def _write_errors(rows: Sequence[TaskFacts], args: Namespace, out: Output) -> None:
    """Write the first failure's traceback, and a line for each further one."""
    failed = [(task, task.error) for task in rows if task.error is not None]
    if not failed:
        return
    (_, first), *further = failed
    hide = Masks.around(None).text  # lines of code are read from their files, which may hold a secret
    out.lines([(), *traceback_lines(first, out.marks, hide, is_full=args.traceback, width=out.width)])
    if further:
        out.line("")
    for task, error in further[:_MOST_FAILURES]:
        where = f"{found}  " if (found := failing_line(error)) else ""
        head = (Span("  "), out.marks.of(task.state_name), Span(f" {task.key}  "), Span(where, "dim"))
        out.lines(wrapped(head, hide(" ".join(str(error).split())), out.width or 1000, indent=6))
    if more := len(further) - len(further[:_MOST_FAILURES]):
        out.line(f"    and {more:,} more failed")


def _hint(args: Namespace, state: str, waiting: Sequence[WaitingTask], out: Output) -> None:
    name = shlex.quote(args.run)
    if args.task is None:
        out.lines([(), (Span(f"  one task   flowbook run inspect {name} TASK", "dim"),)])
        out.lines([(Span(f"  its logs   flowbook run logs {name}", "dim"),)])
    elif waiting:
        out.line("")
    if waiting:
        out.lines(answer_lines(name, None if args.task is None else shlex.quote(args.task)))
        return
    if state == Cancelling.__name__ and args.task is None:
        out.lines([(Span(f"  stop now   flowbook run cancel {name} --now", "dim"),)])
        return
    again = {"Cancelled": "resume", "Crashed": "resume", "Failed": "retry"}.get(state)
    if again is not None and args.task is None:
        out.lines([(Span(f"  go on      flowbook run {again} {name}", "dim"),)])


def _unknown_task(args: Namespace, summary: RunSummary) -> UnknownTaskError:
    run = f"Run {summary.number} of {summary.flow!r}"
    msg = f"{run} has no task {args.task!r}. `flowbook run inspect {args.run}` lists them."
    return UnknownTaskError(msg, key=args.task)


def logs(args: Namespace, out: Output) -> int:
    """Write what tasks logged and printed, and the tracebacks of those that failed; with --follow until the run is at rest."""
    store = open_store()
    run_id = find_run_id(store, args.run)
    if args.output:
        return _write_output(run_id, out)
    if args.task is not None and all(each.key != args.task for each in task_facts(store, run_id, args.task)):
        raise _unknown_task(args, store.runs.summary(run_id))
    read, has_written, pause = LateEvents(()), False, threading.Event()
    while True:
        is_at_rest = shown_state(store.runs.summary(run_id)) not in _GOES_ON
        since = read.since(time.monotonic()) if read.gap is None or not is_at_rest else read.gap
        events = read.unseen(store.history.events(run_id, since))
        errors = store.history.errors(run_id) if _has_failure(events) else {}
        has_written |= _write_logs(events, errors, args.task, out)
        if is_at_rest or not args.follow:
            has_written |= _write_logs(store.notices.log_lines(run_id), {}, args.task, out)
            if not has_written and not out.is_json:
                out.errors.write(f"{_nothing_logged(args, run_id)}\n")
            return 0
        pause.wait(_FOLLOW_S)


def _nothing_logged(args: Namespace, run_id: str) -> str:
    """Return what to say in place of logs, beside them: where else what was printed may be."""
    who = "Its tasks have" if args.task is None else f"{printable(args.task)} has"
    if output_file(run_id).exists():
        return f"{who} logged nothing. What its process wrote: flowbook run logs {shlex.quote(args.run)} --output"
    return f"{who} logged nothing. Prints are logged where a task has log_stdout=True."


def _write_output(run_id: str, out: Output) -> int:
    """Write what the run's own process wrote, as far as it is kept; return 1 if it never had one."""
    newest = output_file(run_id)
    files = [each for each in (newest.with_name(newest.name + OLDER), newest) if each.exists()]
    text = "".join(each.read_text(encoding="utf-8", errors="replace") for each in files)
    if out.is_json:
        out.done("", run_id=run_id, file=str(newest) if files else None, text=text)
    elif files:
        out.line("\n".join(map(printable, text.rstrip().splitlines())))
    else:
        out.line("It has no process of its own, so no output is kept. What its tasks logged: flowbook run logs RUN")
    return int(not files)


def export(args: Namespace, out: Output) -> int:
    """Write a run with its values into a file; into one that ends in .html as a report for people."""
    path = Path(args.file)
    run_id = find_run_id(open_store(), args.run)
    if path.suffix.lower() == ".html":
        return _export_report(run_id, path, out)
    count = open_store().export_run(run_id, path)
    out.done(
        f"Run {run_id} and its {count:,} values are in {printable(str(path))}.",
        run_id=run_id,
        file=str(path),
        values=count,
    )
    return 0


def _export_report(run_id: str, path: Path, out: Output) -> int:
    from flowbook.core.history import run as recorded_run  # noqa: PLC0415  # loads the flow, and the views
    from flowbook.notebook.run_report import write_report  # noqa: PLC0415

    said = write_report(recorded_run(run_id), path)
    out.done(printable(said), run_id=run_id, file=str(path))
    return 0


def import_(args: Namespace, out: Output) -> int:
    """Take a run from a file into the store."""
    run_id = open_store().import_run(Path(args.file), trust=args.trust)
    out.done(f"Run {run_id} is here now. See it with: flowbook run inspect {run_id}", run_id=run_id)
    return 0


def _write_logs(events: Iterable[Event], errors: Mapping[str, RemoteError], task: str | None, out: Output) -> bool:
    """Write what was logged, and return whether that is anything."""
    has_written = False
    last = {event.key: event.seq for event in events if isinstance(event, StateChanged) and event.key in errors}
    for event in events:
        if task not in (None, event.key):
            continue
        if isinstance(event, Logged):
            _write_log(event.seq, event.key, event.at, logging.getLevelName(event.level), event.text, out)
            has_written = True
        elif last.get(event.key) == event.seq:
            text = without_secrets(errors[event.key].formatted)
            _write_log(event.seq, event.key, event.at, "ERROR", text, out)
            has_written = True
    return has_written


def _write_log(seq: int, key: str, at: float, level: str, text: str, out: Output) -> None:  # noqa: PLR0913
    if out.is_json:
        out.done("", seq=seq, task=key, at=at, level=level, text=text)
        return
    clock = time.strftime("%H:%M:%S", time.localtime(at))
    for line in text.rstrip().splitlines() or [""]:
        out.line(f"{clock}  {level:<7}  {printable(key)}  {printable(line)}")


def _has_failure(events: Iterable[Event]) -> bool:
    return any(isinstance(event, StateChanged) and event.state.is_failed() for event in events)


def _footer(count: int, limit: int | None) -> str:
    if limit is not None and count == limit:
        which = "newest run" if count == 1 else f"{count:,} newest runs"
        return f"The {which}. What waits for you: --waiting   all: --all   as data: --json"
    return f"{count:,} {'run' if count == 1 else 'runs'}. What waits for you: --waiting   as data: --json"


def _row(summary: RunSummary) -> dict[str, object]:
    state = shown_state(summary)
    return {
        "run_id": summary.run_id,
        "flow": summary.flow,
        "number": summary.number,
        "state": state,
        "message": effective_message_of(summary),
        "started": summary.started,
        "ended": summary.ended,
        "seconds": None if (took_s := shown_seconds(summary)) is None else round(took_s, 3),
        "tasks": shown_counts(summary),
        "parameters": shown_parameters(summary.parameters),
        "executor": summary.executor,
        "origin": summary.origin,
        "owner": summary.owner,
        "project": summary.project,
    }
