"""`flowbook deployment`: creates, lists, shows, runs, pauses and deletes deployments."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from flowbook.cli.param_values import read_params
from flowbook.deployments.changes import delete_deployment, pause_deployment, resume_deployment
from flowbook.deployments.creation import create_deployments_in
from flowbook.deployments.deployment_names import find_deployment
from flowbook.deployments.due_runs import create_run, settings_of_runs
from flowbook.deployments.outlook import due_text, next_due, runs_in, shown_settings, summary
from flowbook.deployments.schedule_settings import read_schedule
from flowbook.exceptions import DefinitionError
from flowbook.flow_run.flow_runner_of import flow_runner_of
from flowbook.flow_run.ports import RunToStart
from flowbook.flow_run.times import parse_due
from flowbook.report.secret_names import shown_parameters
from flowbook.store import open_store
from flowbook.store.process_identity import shown_state
from flowbook.terminal.lines import Span, printable

if TYPE_CHECKING:
    import datetime as dt
    from argparse import Namespace

    from flowbook.cli.output import Output
    from flowbook.store.deployments import DeploymentRecord
    from flowbook.store.records import RunRecord

__all__ = ["create", "delete", "inspect", "ls", "pause", "preview", "resume", "run"]

_NONE = "No deployment is made here yet. Make some of a file's DeploymentSpecs: flowbook deployment create FILE"
_AGENT = "  An agent starts its runs. If none works here yet: flowbook agent start"
_LAST_RUNS = 5
#: What the sentence about a deployment says already, or other fields in words.
_SAID = frozenset({"name", "when", "next", "schedule", "paused", "flow_runner"})
_MOST_TIMES = 1000


def create(args: Namespace, out: Output) -> int:
    """Create or change the deployments of a file."""
    store = open_store()
    made, now = create_deployments_in(store, args.file), store.now()
    if out.is_json:
        out.table([_row(each, now) for each in made], (), "")
        return 0
    for each in made:
        verb = "Created" if each.created == each.updated else "Changed"
        out.line(printable(f"{verb} {each.title} ({each.id[:8]}): {summary(each, now).removeprefix(each.title + ' ')}"))
    out.lines([(Span(_AGENT, "dim"),)])
    return 0


def ls(args: Namespace, out: Output) -> int:
    """List the deployments."""
    store = open_store()
    rows = [_row(each, store.now()) for each in store.deployments.list(args.flow)]
    shown = rows if out.is_json else [_shown(row) for row in rows]
    out.table(shown, ("name", "when", "next", "runs in", "parameters", "id"), _NONE)
    return 0


def _shown(row: dict[str, object]) -> dict[str, object]:
    due = "paused" if row["paused"] else row["next"]
    return {**row, "id": str(row["id"])[:8], "next": due, "runs in": row["runs_in"]}


def inspect(args: Namespace, out: Output) -> int:
    """Show one deployment and its last runs."""
    store = open_store()
    now = store.now()
    found = find_deployment(store, args.deployment)
    runs = store.runs.of_deployment(found.id, _LAST_RUNS)
    last = [
        {"run_id": each.run_id, "number": each.number, "state": shown_state(each), "due": each.due} for each in runs
    ]
    if out.is_json:
        out.record({**_row(found, now), "runs": last})
        return 0
    out.line(printable(summary(found, now)))
    out.line("")
    out.record({name: value for name, value in _row(found, now).items() if name not in _SAID})
    out.line("")
    columns = ("number", "state", "due", "run_id")
    out.table([{**each, "run_id": str(each["run_id"])[:8]} for each in last], columns, "It has no runs yet.")
    return 0


def preview(args: Namespace, out: Output) -> int:
    """Show the next times of a deployment, and what would be started."""
    if not 0 <= args.count <= _MOST_TIMES:
        msg = f"--count {args.count} isn't a number of times. Give 0 to {_MOST_TIMES:,}."
        raise DefinitionError(msg, count=args.count)
    store = open_store()
    now = store.now()
    found = find_deployment(store, args.deployment)
    schedule = read_schedule(found.schedule)
    times = [] if schedule is None else list(islice(schedule.moments(now), args.count))
    command = flow_runner_of(settings_of_runs(found)).preview(RunToStart("RUN_ID", found.flow))
    if out.is_json:
        out.record({"name": found.title, "times": times, "command": command})
        return 0
    out.line(printable(summary(found, now)))
    for each in times:
        out.line(f"  {due_text(each, now, schedule.timezone if schedule is not None else 'UTC')}")
    out.line("")
    out.line("Each run starts:")
    for line in command.splitlines():
        out.line(f"  {printable(line)}")
    return 0


def run(args: Namespace, out: Output) -> int:
    """Make a run of a deployment, which an agent starts at its time."""
    store = open_store()
    found = find_deployment(store, args.deployment)
    due = None if args.at is None else parse_due(args.at, store.now())
    made = create_run(store, found, read_params(args.param), due)
    waits = "waits for an agent" if due is None else f"waits for {due.astimezone():%Y-%m-%d %H:%M}"
    out.done(
        printable(
            f"{made.flow} run {made.number} of {found.title} {waits}. Watch it: flowbook run watch {made.run_id[:8]}"
        ),
        **_run_facts(made),
    )
    if not out.is_json:
        out.lines([(Span(_AGENT, "dim"),)])
    return 0


def pause(args: Namespace, out: Output) -> int:
    """Pause a deployment's schedule."""
    return _set_paused(args, out, paused=True)


def resume(args: Namespace, out: Output) -> int:
    """Let a deployment's schedule go on from now."""
    return _set_paused(args, out, paused=False)


def _set_paused(args: Namespace, out: Output, *, paused: bool) -> int:
    store = open_store()
    now = store.now()
    found = find_deployment(store, args.deployment)
    if found.schedule is None:
        msg = f"{found.title} has no schedule to {'pause' if paused else 'resume'}. It runs when somebody runs it."
        raise DefinitionError(msg, deployment=found.title)
    changed = (pause_deployment if paused else resume_deployment)(store, found)
    out.done(printable(summary(changed, now)), **_row(changed, now))
    return 0


def delete(args: Namespace, out: Output) -> int:
    """Delete a deployment; its runs stay."""
    store = open_store()
    found = find_deployment(store, args.deployment)
    cancelled = delete_deployment(store, found)
    begun = (
        f"; {len(cancelled):,} that hadn't begun {'is' if len(cancelled) == 1 else 'are'} cancelled"
        if cancelled
        else ""
    )
    sentence = f"{found.title} is deleted; its runs stay{begun}. See them: flowbook run ls --flow {found.flow}"
    out.done(printable(sentence), id=found.id, cancelled=cancelled)
    return 0


def _run_facts(made: RunRecord) -> dict[str, object]:
    return {
        "run_id": made.run_id,
        "flow": made.flow,
        "number": made.number,
        "due": made.due,
        "deployment": made.deployment,
    }


def _row(found: DeploymentRecord, now: dt.datetime) -> dict[str, object]:
    schedule = read_schedule(found.schedule)
    return {
        "name": found.title,
        "id": found.id,
        "when": "" if schedule is None else schedule.describe(),
        "next": next_due(found, now),
        "paused": found.is_paused,
        "runs_in": runs_in(found.flow_runner),
        "parameters": shown_parameters(found.parameters),
        "tags": list(found.tags),
        "flow": found.flow_location or "kept by value",
        "schedule": found.schedule,
        "flow_runner": shown_settings(found.flow_runner),
        "made_by": dict(found.made_by),
        "created": found.created,
        "updated": found.updated,
    }
