"""Which process owns a run, and whether it is alive: by process id and start time on this machine, else by heartbeats."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowbook.store.records import RunSummary

__all__ = [
    "BEAT_S",
    "PLACE",
    "UNSETTLED",
    "container_of",
    "counts_after_death",
    "effective_message_of",
    "effective_state",
    "has_owner",
    "is_alive",
    "is_at",
    "is_here",
    "listed_message_of",
    "number_of",
    "place_in_words",
    "place_of_run",
    "process_of",
    "shown_counts",
    "shown_seconds",
    "shown_state",
    "this_process",
]

#: How often an owner sends a heartbeat.
BEAT_S = 5.0
#: An owner on another machine counts as dead after this time without a heartbeat.
_SILENCE_S = 60.0
#: States that depend on whether the owner is alive, too: the store alone can't tell Running from Crashed.
UNSETTLED = frozenset({None, "Running", "Pending", "Cancelling", "Crashed", "Submitted"})


_DIED = "Its process ended in the middle."
#: States of tasks that a process runs.
_RUNS = frozenset({"Running", "Cancelling"})
#: What people call the places of flow runners, by these runners' types.
_PLACES = {"docker": "container", "kubernetes": "Job"}
#: Set by flow runners in the containers that they make: the process there is known by it to whoever watches the container.
PLACE = "FLOWBOOK_PLACE"


def place_of_run(run_id: str, epoch: int) -> str:
    """Return the name of the place that a flow runner makes for a run which was claimed at an epoch: a container, for example."""
    return f"run-{run_id}-{epoch}"


def is_at(process: str, place: str) -> bool:
    """Return whether a process lives, or lived, in the place of that name."""
    return process.partition("/")[0] == place


def this_process() -> str:
    """Return this process's identity: its machine, process id and start time."""
    return process_of(os.getpid())


def process_of(number: int, container: str = "") -> str:
    """Return the identity of a process of this machine.

    Args:
        number: its process id.
        container: that it keeps; it goes on if the process dies.
    """
    return f"{_host()}|{number}|{_started(number) or ''}{'|' if container else ''}{container}"


def container_of(process: str) -> str:
    """Return the container that is named in the identity of the process that keeps it; "" if it keeps none."""
    return "".join(process.split("|")[3:4])


def place_in_words(process: str) -> str:
    """Return what people call the place that a process keeps: "container delays-run-4"; "" if it keeps none."""
    kind, _, rest = container_of(process).partition(":")
    return f"{_PLACES.get(kind, kind)} {rest.partition(':')[0]}" if rest else ""


def number_of(process: str) -> int | None:
    """Return the process id in an identity; None if it is none."""
    number = process.partition("|")[2].partition("|")[0]
    return int(number) if number.isdigit() else None


def is_alive(process: str | None, beat: float | None, now: float) -> bool:
    """Return whether a process is alive, as far as can be known from here.

    Args:
        process: its identity, as `this_process` returned it there; None: nobody.
        beat: time of its last heartbeat, seconds since the epoch.
        now: seconds since the epoch.
    """
    found = is_here(process)
    return found if found is not None else process is not None and beat is not None and now - beat < _SILENCE_S


def has_owner(state: str | None, process: str | None, identifier: str | None, beat: float | None, now: float) -> bool:
    """Return whether a live process has a run, or one that was started for it is about to claim it.

    Args:
        state: name of the run's state.
        process: identity of its owner.
        identifier: of the process that was started for it, where that is one of this machine's.
        beat: time of the owner's last heartbeat, seconds since the epoch.
        now: seconds since the epoch.
    """
    if is_alive(process, beat, now):
        return True
    return state == "Submitted" and process is not None and is_here(identifier) is True


def is_here(process: str | None) -> bool | None:
    """Return whether a process is alive on this machine; None if it runs elsewhere, or this can't be told."""
    host, number, started, *_ = *(process or "").split("|"), "", ""
    if host == _host() and started and number.isdigit():
        return _started(int(number)) == started
    return None


def effective_state(state: str | None, process: str | None, beat: float | None, now: float) -> str | None:
    """Return the name of a run's state; Crashed if its process died before the run came to rest.

    Args:
        state: name of the state in the store.
        process: identity of the owner.
        beat: time of its last heartbeat, seconds since the epoch.
        now: seconds since the epoch.
    """
    return "Crashed" if state in UNSETTLED and not is_alive(process, beat, now) else state


def shown_state(summary: RunSummary) -> str:
    """Return the name of the run's state as all lists show it: as `effective_state` does; Pending before it has one."""
    state = summary.state
    if state is not None and state not in UNSETTLED:
        return state  # whoever lives; asking costs more than all the rest of a list's line
    beat, now = None if summary.beat is None else summary.beat.timestamp(), time.time()
    if not has_owner(state, summary.process, summary.identifier, beat, now):
        state = effective_state(state, summary.process, beat, now)
    return state or "Pending"


def shown_counts(summary: RunSummary) -> dict[str, int]:
    """Return the number of a run's tasks by state as all lists show it: of a run whose process died, none is Running."""
    is_dead = not _RUNS.isdisjoint(summary.counts) and shown_state(summary) == "Crashed"
    return counts_after_death(summary.counts) if is_dead else dict(summary.counts)


def counts_after_death(counts: Mapping[str, int]) -> dict[str, int]:
    """Return the number of a run's tasks by state, once its process has died: what ran is to run again."""
    ran = sum(counts.get(name, 0) for name in _RUNS)
    found = {name: count for name, count in counts.items() if name not in _RUNS}
    return {**found, "Pending": found.get("Pending", 0) + ran} if ran else found


def effective_message_of(summary: RunSummary) -> str | None:
    """Return what is said of the run's state; of a run whose process died, that it did, and how to go on."""
    return f"{_DIED} run.resume() goes on from what is stored." if _is_dead(summary) else summary.message


def listed_message_of(summary: RunSummary) -> str:
    """Return what a list says of the run's state; the list has a button that goes on with the run."""
    return _DIED if _is_dead(summary) else summary.message or ""


def shown_seconds(summary: RunSummary) -> float | None:
    """Return for how long a run ran, up to now if it still does; None where that isn't known: its process died."""
    return None if summary.took_s is None or _is_dead(summary) else summary.took_s


def _is_dead(summary: RunSummary) -> bool:
    """Whether its process died in the middle, and nobody has recorded that."""
    return summary.process is not None and shown_state(summary) == "Crashed" != summary.state


def _host() -> str:
    """Return what distinguishes machines, their boots, and containers on them: process ids are unique within it."""
    name = os.environ.get(PLACE) or platform.node()
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{name}/{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        import psutil  # noqa: PLC0415  # as below

        return f"{name}/{psutil.boot_time():.0f}"  # many machines are called the same


def _started(number: int) -> str | None:
    """Return when process `number` started; None if it isn't alive.

    On Linux in clock ticks since boot, which setting the clock doesn't change; elsewhere in seconds since the epoch.
    """
    import psutil  # noqa: PLC0415  # as long to load as all the rest of the store

    try:
        process = psutil.Process(number)
        if process.status() in {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}:
            return None
        created = process.create_time()
    except (psutil.Error, ValueError, OSError):
        return None
    if not psutil.LINUX:
        return f"{created:.2f}"
    return str(round((created - psutil.boot_time()) * os.sysconf("SC_CLK_TCK")))
