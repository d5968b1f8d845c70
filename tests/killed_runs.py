"""A run whose process is killed while one of its tasks, or a child of it, runs."""

import time

from flowbook.engine.state import Running
from flowbook.store import open_store
from tests.scripts import start

__all__ = ["KILLED", "killed_run"]

KILLED = """
import time
from flowbook import Flow, task

@task
def first(): return [1, 2, 3]

@task
def each(n):
    while n != 1: time.sleep(0.01)
    return n

@task
def last(_): ...

with Flow("killed") as flow:
    last(each.map(first()))
flow.run(record=True)
"""


def killed_run(home, folder, script):
    """Return the id of a run whose process is killed while a task, or its second child, runs."""
    store = open_store(home)
    process = start(script, folder)
    while not any(_runs(store, each.run_id) for each in store.runs.list()):
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.communicate()
    return store.runs.list()[-1].run_id


def _runs(store, run_id):
    states = store.history.states(run_id)
    return any(isinstance(states.get(key), Running) for key in ("each", "each[1]"))
