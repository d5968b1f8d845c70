"""Runs that were given more than parameters, begun here or in another process."""

from __future__ import annotations

import textwrap
import threading
from typing import TYPE_CHECKING

from flowbook import Flow, context, task, triggers
from tests.scripts import start, wait_for

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["BEGINNER", "LONG_S", "SECRET", "Connection", "begin", "looking", "paused"]

LONG_S = 30


SECRET = "hunter2-is-no-secret"  # what must be found nowhere


#: Given to a run beside its parameters; the process ends where `publish` waits, or is killed while `middle` runs.
BEGINNER = textwrap.dedent("""
    import os, sys, time
    from pathlib import Path
    import flowbook
    from flowbook import Flow, Parameter, Secret, task, triggers
    from flowbook.executors import DaskExecutor, LocalDaskExecutor, LocalExecutor

    FOLDER, EXECUTOR, IS_SLOW = Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "slow"

    class Limit:
        def __init__(self, count):
            self.count = count

    def seen():
        c = flowbook.context
        names = ("today", "yesterday_nodash", "date", "scheduled_start_time", "around", "day", "parameters")
        return {**{name: c[name] for name in names}, "limit": c.limit.count, "own": c.get("own"), "key": len(c.secrets["key"])}

    def note(_task, _old, new):
        if new.is_successful():
            with (FOLDER / "noted").open("a") as file:
                file.write(f"{os.getpid()}\\n")

    @task
    def first():
        return seen()

    @task
    def middle(before):
        if IS_SLOW:
            (FOLDER / "middle").touch()
            while not (FOLDER / "go").exists():
                time.sleep(0.01)
        return seen()

    @task(trigger=triggers.manual_only)
    def publish(before):
        return Secret("key").get() and seen()

    with Flow("given") as flow:
        begun = first()
        publish(middle(begun))
        Parameter("n")()
    if __name__ == "__main__":
        with flowbook.context(around="outside", day="hidden", secrets={"key": "SECRET"}):
            run = flow.start(
                {"n": 3},
                record=True,
                executor=eval(EXECUTOR),
                context={"limit": Limit(5), "day": ("a", 1)},
                task_contexts={"publish": {"own": 7}},
                state_handlers=[note],
            )
        print(run.run_id, flush=True)
        run.wait()
""").replace("SECRET", SECRET)


def begin(folder: Path, executor: str, *, is_killed: bool) -> str:
    """Return the id of a run that another process began, which has ended."""
    #: Fourteen hours ahead: it is another day there more often than not.
    place = {"TZ": "Pacific/Kiritimati"}
    process = start(BEGINNER, folder, folder, executor, "slow" if is_killed else "fast", env=place)
    run_id = process.stdout.readline().strip()
    if is_killed:
        wait_for(folder / "middle")
        process.kill()
    process.communicate()
    (folder / "go").touch()
    return run_id


def looking() -> Flow:
    @task(trigger=triggers.manual_only)
    def look():
        return {name: each for name, each in context.to_dict().items() if name in {"a", "b", "today", "conn"}}

    with Flow("paused") as flow:
        look()
    return flow


def paused(flow=None, **given):
    """Return the id of a run that waits; of a flow whose `look` returns what the context has, where none is given."""
    flow = flow or looking()
    flow.run(record=True, **given)
    return flow.last_run.run_id


class Connection:
    """Can't be pickled."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
