"""What the API takes and answers, as pydantic models: the only place where they are made. They hold no values and no secrets.

Times are ISO 8601 in UTC. `flowbook.api.run_events` writes `RunEvent` as text, without making one, since there are many.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from flowbook.api.wire_texts import By, Due, Key, Name, Note, RunId, Value, Values

__all__ = [
    "CacheItem", "CacheItemDetails", "CachePage", "Cancel", "Change", "Decision", "Deleted", "DeploymentLine",
    "DeploymentList", "DeploymentRuns", "DeploymentSpecification", "Earlier", "EventPage", "Failure", "FlowLine",
    "FlowList", "Graph", "GraphTask", "Health", "LogLine", "LogPage", "NewReceiver", "NewRun", "NewRunOfDeployment",
    "Pin", "Problem", "Receiver", "ReceiverList", "Resume", "RunDetails", "RunEvent", "RunLine", "RunPage", "Span",
    "TaskLine", "TaskList", "Timeline", "Waiting",
]  # fmt: skip


class _Answer(BaseModel):
    """What the API answers."""

    model_config = ConfigDict(frozen=True)


class _Request(BaseModel):
    """What it takes: a field that it doesn't know is refused by its name, and a number isn't read from a text."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Problem(_Answer):
    """What went wrong: what happened, with the value; then what to do."""

    title: str
    status: int
    detail: str
    error: str | None = None
    field: str | None = None
    errors: list[dict[str, str]] | None = None


class Health(_Answer):
    """Says that the server works."""

    status: str
    flowbook: str


class Deleted(_Answer):
    """What was deleted, and the runs that were cancelled with it."""

    id: str
    cancelled: list[str] = []


# Runs


class RunLine(_Answer):
    """A run, as a list shows it. `state` is Crashed if its process died, and Cancelling while a cancelled run still goes on."""

    run_id: str
    flow: str
    number: int
    state: str
    message: str | None
    created: dt.datetime
    started: dt.datetime | None
    ended: dt.datetime | None
    due: dt.datetime | None
    seconds: float | None
    tasks: dict[str, int]
    parameters: dict[str, Any]
    executor: str
    origin: str
    owner: str | None
    project: str
    deployment: str | None


class RunPage(_Answer):
    """A page of runs, the newest first. `next` is what to give as `before` for the page after it; null on the last one."""

    runs: list[RunLine]
    next: str | None


class Change(_Answer):
    """An input that a person changed: the content hashes of what it was and is, and both in words where they are short."""

    name: str
    before: str
    after: str
    text: str


class Decision(_Answer):
    """What a person decided about a task, or, where `task` is empty, about the run."""

    seq: int
    task: str
    at: dt.datetime
    action: str
    by: str
    note: str
    changes: list[Change]


class Earlier(_Answer):
    """A decision about the same task in an earlier run."""

    run: int
    at: dt.datetime
    action: str
    by: str
    note: str
    changed: str


class Waiting(_Answer):
    """A task that waits for a person: what is asked, and what it would get."""

    task: str
    question: str
    asks: str
    since: dt.datetime
    deadline: dt.datetime | None
    otherwise: str
    overdue: bool
    inputs: dict[str, str]
    earlier: list[Earlier]


class RunDetails(RunLine):
    """A run with what waits for a person in it and what people decided. Secrets in `flow_runner` are masked."""

    epoch: int
    identifier: str | None
    flow_runner: dict[str, Any] | None
    flow_location: str | None
    last_seq: int
    waiting: list[Waiting]
    decisions: list[Decision]


class Failure(_Answer):
    """What a task raised."""

    type: str
    message: str
    traceback: str


class TaskLine(_Answer):
    """A task or child of a run. `value` says in words what it gave."""

    task: str
    state: str
    message: str | None
    since: dt.datetime | None
    seconds: float | None
    attempt: int
    stale: str | None
    inputs: dict[str, str]
    error: Failure | None
    value: str | None


class TaskList(_Answer):
    """The tasks of a run in the flow's order, each mapped one before its children."""

    run_id: str
    at: dt.datetime | None
    tasks: list[TaskLine]


class RunEvent(_Answer):
    """An event: a `state` of a task, a `log` line or a `decision`. Fields of the other kinds are left out."""

    run: str
    seq: int
    kind: Literal["state", "log", "decision"]
    task: str
    at: dt.datetime
    state: str | None = None
    word: str | None = None
    message: str | None = None
    children: int | None = None
    error: Failure | None = None
    level: str | None = None
    text: str | None = None
    action: str | None = None
    by: str | None = None
    note: str | None = None
    changes: list[Change] | None = None


class EventPage(_Answer):
    """Events of a run, in order. `next` is what to give as `since` for those after them; `more` says whether there are any."""

    events: list[RunEvent]
    next: int
    more: bool


class LogLine(_Answer):
    """What a task logged or printed."""

    seq: int
    task: str
    at: dt.datetime
    level: str
    text: str


class LogPage(_Answer):
    """Log lines of a run, in order. `next` is what to give as `since` for those after them."""

    lines: list[LogLine]
    next: int
    more: bool


class Span(_Answer):
    """A period in which a task ran, or waited."""

    task: str
    state: str
    start: dt.datetime
    end: dt.datetime | None
    seconds: float | None
    attempt: int


class Timeline(_Answer):
    """When each task ran and waited, in the order in which that began."""

    run_id: str
    spans: list[Span]


class GraphTask(_Answer):
    """A task of a run's flow: `inputs` name the task that each argument comes from."""

    key: str
    name: str
    upstream: list[str]
    inputs: dict[str, str]
    mapped: bool
    manual: bool
    parameter: bool
    question: str


class Graph(_Answer):
    """The flow of a run, as it was when the run began."""

    run_id: str
    flow: str
    tasks: list[GraphTask]


# What is asked of runs


class Decided(_Request):
    """Who decides, and why; `tasks` are keys, and without any, all that wait are meant."""

    by: By = "API"
    note: Note = ""
    tasks: Annotated[list[Key], Field(max_length=10_000)] = []


class Resume(Decided):
    """Lets tasks that wait go on, or a run that was cancelled or crashed.

    `inputs` are values, as JSON, that the one task named in `tasks` gets instead of those that it waits with. A text stands for
    a date, an enum's member or a path where the task waits with one, and a list for a tuple or a set.
    """

    inputs: Values = {}


class Retry(Decided):
    """Runs what failed again: all of it, or only `tasks`. The key of a mapped task stands for its failed children."""


class Cancel(_Request):
    """Cancels a run; with `now`, tasks that run are stopped, too."""

    by: By = "API"
    note: Note = ""
    now: bool = False


class NewRunOfDeployment(_Request):
    """A run of a deployment, which an agent starts: `parameters` instead of the deployment's, and not before `due`.

    With a `run_id`, a new one for each run, a request that is sent again makes no second run.
    """

    parameters: Values = {}
    due: Due | None = None
    run_id: RunId | None = None


class NewRun(NewRunOfDeployment):
    """As `NewRunOfDeployment`. `deployment` is "FLOW/NAME", the NAME, or an id."""

    deployment: Name


# Deployments and flows


class DeploymentSpecification(_Request):
    """A deployment to create, or to change if its flow has one of that name.

    `flow_location` is a Python file on the server's machine. `schedule` and `flow_runner` are written as in a YAML file of
    deployments: {"cron": "0 6 * * *", "timezone": "Europe/Berlin"}, {"type": "subprocess"}.
    """

    name: Key
    flow_location: Key
    flow_name: Key | None = None
    parameters: Values = {}
    tags: Annotated[list[Key], Field(max_length=100)] = []
    schedule: Value = None
    flow_runner: Value = None
    notify: Value = None


class DeploymentLine(_Answer):
    """A deployment. Secrets in `flow_runner` are masked."""

    id: str
    name: str
    flow: str
    title: str
    when: str
    next: dt.datetime | None
    paused: bool
    runs_in: str
    parameters: dict[str, Any]
    tags: list[str]
    flow_location: str | None
    schedule: dict[str, Any] | None
    flow_runner: dict[str, Any]
    made_by: dict[str, str]
    created: dt.datetime
    updated: dt.datetime


class DeploymentList(_Answer):
    """The deployments, by flow and name."""

    deployments: list[DeploymentLine]


class DeploymentRuns(DeploymentLine):
    """A deployment with its last runs, the newest first."""

    runs: list[RunLine]


class FlowLine(_Answer):
    """A flow that has runs or deployments, with its newest run."""

    flow: str
    project: str
    runs: int
    deployments: int
    last: RunLine | None


class FlowList(_Answer):
    """The flows, by project and name."""

    flows: list[FlowLine]


# The cache, and who is told


class CacheItem(_Answer):
    """A cached output. `state` is "valid", "expired", "future" or "dropped"."""

    id: str
    flow: str
    task: str
    project: str
    created: dt.datetime
    expires: dt.datetime | None
    state: str
    size_bytes: int
    uses: int
    pinned: bool
    parameters: dict[str, Any]
    cache_key: str | None
    run_id: str | None
    digest: str


class CachePage(_Answer):
    """The newest entries, the newest first; `total` is how many fit, and 10,001 stands for more than 10,000."""

    entries: list[CacheItem]
    total: int


class CacheItemDetails(CacheItem):
    """A cached output with the preview that was stored with its value."""

    preview: dict[str, Any] | None


class Pin(_Request):
    """Whether a sweep leaves an entry alone."""

    pinned: bool = True


class Receiver(_Answer):
    """Who is told of all runs. `to` hides the secrets of a URL."""

    id: int
    to: str
    on: list[str]
    added: dt.datetime | None


class ReceiverList(_Answer):
    """Who is told of all runs of this store."""

    receivers: list[Receiver]


class NewReceiver(_Request):
    """A URL of apprise that is told of all runs from now on."""

    to: Key
    on: Annotated[list[Literal["waits", "failed", "ended"]], Field(min_length=1)] = ["waits", "failed"]
