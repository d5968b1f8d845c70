"""A run that another process has, or had: watched, asked, and gone on with."""

from __future__ import annotations

import json
import signal
import subprocess
import textwrap
import threading
from collections import Counter
from typing import TYPE_CHECKING

import pytest

import flowbook
from flowbook import Flow, Parameter, Task, flatten, task, triggers
from flowbook.engine.events import StateChanged
from flowbook.engine.state import Cancelled, Crashed, Paused, Pending, Success
from flowbook.exceptions import RunChangedError, RunClaimedError, StartTaskError, StoreError
from flowbook.flow_run.run import start_run
from flowbook.pages.stored_run import StoredRun
from flowbook.store import open_store
from tests.scripts import start, wait_for

if TYPE_CHECKING:
    from pathlib import Path

LONG_S = 30

#: Runs a flow of three tasks; the second goes on until the file `go` is there. Each leaves a line where it ran.
OWNER = textwrap.dedent("""
    import os, sys, time
    from pathlib import Path
    from flowbook import Flow, task, triggers
    from flowbook.executors import LocalDaskExecutor

    FOLDER = Path(sys.argv[1])

    def note(name):
        with (FOLDER / "ran").open("a") as file:
            file.write(name + "\\n")

    @task
    def first():
        note("first")
        return list(range(20_000))

    @task
    def middle(rows):
        note("middle")
        (FOLDER / "middle").touch()
        while not (FOLDER / "go").exists():
            time.sleep(0.01)
        return len(rows)

    @task
    def last(n):
        note("last")
        return n + 1

    @task(trigger=triggers.manual_only)
    def publish(rows):
        note("publish")
        return "published"

    with Flow("elsewhere", executor=LocalDaskExecutor("threads", num_workers=2)) as flow:
        rows = first()
        last(middle(rows))
        publish(rows)
    if __name__ == "__main__":
        run = flow.start(record=True)
        print(run.run_id, flush=True)
        run.wait()
        print(type(run.state).__name__, flush=True)
        sys.stdin.readline()
""")


#: Two tasks at once: storing the output of the first one goes on until the file `go` is there, the second one ends meanwhile.
SLOW_TO_STORE = textwrap.dedent("""
    import sys, time
    from pathlib import Path
    from flowbook import Flow, task
    from flowbook.executors import LocalDaskExecutor

    FOLDER = Path(sys.argv[1])

    def wait_for(name):
        while not (FOLDER / name).exists():
            time.sleep(0.01)

    class Large:
        def __reduce__(self):
            (FOLDER / "stored").touch()
            wait_for("go")
            return int, (7,)

    @task
    def large():
        return Large()

    @task
    def small():
        wait_for("stored")
        return 1

    with Flow("slow", executor=LocalDaskExecutor("threads", num_workers=2)) as flow:
        large()
        small()
    if __name__ == "__main__":
        run = flow.start(record=True)
        print(run.run_id, flush=True)
        run.wait()
""")


class Owner:
    """Another process that runs the flow."""

    def __init__(self, folder: Path, script: str = OWNER) -> None:
        self.folder = folder
        self.process = start(script, folder, folder, stdin=subprocess.PIPE)
        self.run_id = self.process.stdout.readline().strip()

    def ran(self) -> Counter[str]:
        return Counter((self.folder / "ran").read_text().split())

    def go(self) -> None:
        (self.folder / "go").touch()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def owner(tmp_path):
    found = Owner(tmp_path)
    yield found
    found.process.kill()
    found.process.communicate()


@pytest.fixture
def slow_owner(tmp_path):
    found = Owner(tmp_path, SLOW_TO_STORE)
    yield found
    found.process.kill()
    found.process.communicate()


def test_a_run_in_another_process_is_watched(owner):
    wait_for(owner.folder / "middle")
    run = flowbook.run(owner.run_id)
    told = []
    run.subscribe(type("Sink", (), {"emit": lambda _, event: told.append(event.key)})())

    while run["middle"].is_pending():  # its process may still be recording that it runs
        threading.Event().wait(0.01)
    before = type(run["middle"]).__name__, run.is_live
    owner.go()
    rested = owner.process.stdout.readline().strip()
    run.resume("publish", by="ada")
    state = run.wait(LONG_S)

    assert (before, rested) == (("Running", False), "Paused")  # where it began, only publish is left: it goes on here
    assert state.is_successful()
    assert run["last"].result == 20_001
    assert {"middle", "last", "publish"} <= set(told)
    assert [event.seq for event in run.events()] == sorted({event.seq for event in run.events()})
    assert flowbook.runs()["state"].iloc[-1] == "Success"


def test_a_result_that_takes_long_to_store_is_seen_after_those_that_were_stored_meanwhile(slow_owner):
    run = flowbook.run(slow_owner.run_id)
    while not run["small"].is_successful():
        threading.Event().wait(0.01)
    before = type(run["large"]).__name__

    slow_owner.go()
    state = run.wait(LONG_S)

    assert before == "Running"
    assert (state.is_successful(), run["large"].result, run["small"].result) == (True, 7, 1)
    assert Counter(event.seq for event in run.events()) == Counter(range(1, len(run.events()) + 1))


def test_a_page_sees_such_a_result_too(slow_owner):
    page = StoredRun(open_store(), slow_owner.run_id)
    while not page.states["small"].is_successful():
        page.look()
        threading.Event().wait(0.01)
    before = type(page.states["large"]).__name__

    slow_owner.go()
    while not (
        page.state.is_finished() and page.states["large"].is_successful()
    ):  # at the latest when the run is released
        page.look()
        threading.Event().wait(0.01)

    assert before == "Running"
    assert [event.seq for event in page.events()] == list(range(1, len(page.events()) + 1))


def test_a_run_is_cancelled_from_another_process(owner):
    wait_for(owner.folder / "middle")
    run = flowbook.run(owner.run_id)

    run.cancel(by="ada", note="wrong day")
    owner.go()
    state = run.wait(LONG_S)

    assert state.is_cancelled()
    assert owner.ran()["last"] == 0
    assert [(event.action, event.by, event.note) for event in open_store().history.decisions(owner.run_id)] == [
        ("cancel", "ada", "wrong day")
    ]


def test_of_two_who_resume_a_task_that_another_process_has_one_is_told_who_won(owner):
    wait_for(owner.folder / "middle")
    runs = [flowbook.run(owner.run_id) for _ in range(2)]
    while not runs[0]["publish"].is_paused():
        threading.Event().wait(0.01)

    runs[0].resume("publish", by="ada")
    with pytest.raises(RunClaimedError, match="publish does not wait any more"):
        runs[1].resume("publish", by="bob")
    with pytest.raises(StartTaskError, match="Nothing has failed so far"):
        runs[1].retry()
    owner.go()

    assert runs[0].wait(LONG_S).is_successful()
    assert owner.ran() == {"first": 1, "middle": 1, "last": 1, "publish": 1}


def test_a_run_whose_process_died_is_seen_as_such_and_goes_on_from_what_is_stored(owner):
    wait_for(owner.folder / "middle")
    while not flowbook.run(owner.run_id)["publish"].is_paused():
        threading.Event().wait(0.01)

    owner.kill()
    listed = flowbook.runs()["state"].iloc[-1]
    run = flowbook.run(owner.run_id)
    seen = run.state, {key: type(state) for key, state in run.states.items()}
    owner.go()
    again = run.resume().wait(LONG_S)
    done = run.resume("publish").wait(LONG_S)

    assert listed == "Crashed"
    assert isinstance(seen[0], Crashed)
    assert "ended in the middle" in seen[0].message
    assert seen[1] == {"first": Success, "middle": Pending, "last": Pending, "publish": Paused}
    assert again.is_paused()
    assert done.is_successful()
    assert owner.ran() == {"first": 1, "middle": 2, "last": 1, "publish": 1}
    assert list(run.timeline().query("task == 'middle'")["state"]) == ["Crashed", "Success"]
    assert list(flowbook.runs(state="Crashed")["run_id"]) == []


def test_a_run_that_dies_while_it_is_watched_is_told(owner):
    wait_for(owner.folder / "middle")
    run = flowbook.run(owner.run_id)
    waited = threading.Thread(target=run.wait)
    waited.start()

    owner.kill()
    waited.join(LONG_S)

    assert isinstance(run.state, Crashed)
    assert list(flowbook.runs(state="Crashed")["run_id"]) == [owner.run_id]
    with pytest.raises(StartTaskError, match=r"it is Crashed\. Go on with run\.resume\(\)\."):
        run.retry()


def test_one_who_asks_a_process_that_dies_meanwhile_goes_on_by_itself(owner):
    wait_for(owner.folder / "middle")
    run = flowbook.run(owner.run_id)
    owner.process.send_signal(signal.SIGSTOP)

    killer = threading.Timer(0.5, owner.kill)
    killer.start()
    run.cancel(by="ada")
    killer.join()

    assert isinstance(run.state, Cancelled)
    assert flowbook.runs()["state"].iloc[-1] == "Cancelled"


def _paused_flow():
    @task
    def load():
        return 1

    @task(trigger=triggers.manual_only)
    def publish(x):
        return x

    with Flow("p") as flow:
        publish(load())
    flow.run(record=True)
    return flow


def test_a_paused_run_that_nobody_has_is_closed_by_cancelling_and_can_be_resumed_still():
    flow = _paused_flow()
    run_id = flow.last_run.run_id

    flowbook.run(run_id).cancel(by="ada")
    state = flowbook.run(run_id).state
    again = flowbook.run(run_id).resume().wait(LONG_S)

    assert type(state).__name__ == "Cancelled"
    assert type(again).__name__ == "Success"


def test_an_object_of_before_somebody_else_went_on_is_refused():
    flow = _paused_flow()
    first, second, third = (flowbook.run(flow.last_run.run_id) for _ in range(3))

    first.resume(by="ada").wait(LONG_S)

    with pytest.raises(RunClaimedError, match="ada went on with run") as refused:
        second.resume()
    with pytest.raises(RunClaimedError, match="ada went on with run"):
        third.cancel()
    assert refused.value.owner == "ada"


def test_an_object_of_before_somebody_else_went_on_follows_them():
    flow = _paused_flow()
    first, second = (flowbook.run(flow.last_run.run_id) for _ in range(2))

    first.resume(by="ada").wait(LONG_S)

    assert second.wait(LONG_S).is_successful()
    assert [type(state).__name__ for state in second.states.values()] == ["Success"] * len(first.states)
    assert [event.seq for event in second.events()] == [event.seq for event in first.events()]
    with pytest.raises(StartTaskError, match="Nothing waits in run"):
        second.resume()


def test_a_run_is_shown_as_it_was_when_its_store_is_gone():
    flow = _paused_flow()
    run = flow.last_run

    open_store().close()

    assert isinstance(run.state, Paused)
    assert run.events()
    with pytest.raises(StoreError, match="is closed"):
        run.resume()


# Code that changed


def _versions():
    @task
    def load():
        return 1

    @task(trigger=triggers.manual_only)
    def publish(x):
        return x

    @task
    def extra():
        return 0

    @task(name="load")
    def load_two():
        return 2

    with Flow("v") as before:
        publish(load())
    with Flow("v") as same:
        publish(load())
    with Flow("v") as changed:
        publish(load_two())
        extra()
    with Flow("v") as fewer:
        load()
    before.run(record=True)
    return before.last_run.run_id, same, changed, fewer


def test_a_flow_whose_code_changed_is_refused_with_what_changed():
    run_id, _, changed, fewer = _versions()

    with pytest.raises(RunChangedError, match=r"\(added: extra; changed: load\)") as refused:
        flowbook.run(run_id, flow=changed).resume()
    with pytest.raises(RunChangedError, match=r"removed: publish"):
        flowbook.run(run_id, flow=fewer).retry()

    assert (refused.value.added, refused.value.removed, refused.value.changed) == (("extra",), (), ("load",))
    assert open_store().runs.summary(run_id).epoch == 1


def test_a_flow_whose_code_changed_goes_on_when_forced():
    run_id, _, changed, _ = _versions()

    state = flowbook.run(run_id, flow=changed).resume("publish", force=True).wait(LONG_S)

    run = flowbook.run(run_id, flow=changed)
    assert (run["publish"].result, run["extra"].result) == (1, 0)
    assert state.is_successful()


def test_a_flow_that_is_the_same_goes_on():
    run_id, same, *_ = _versions()

    assert type(flowbook.run(run_id, flow=same).resume().wait(LONG_S)).__name__ == "Success"


def _variant(kind: str = "") -> Flow:
    """Return a flow; of another `kind`, with one thing changed."""
    factor = 3 if kind == "closure" else 2
    more = 5 if kind == "default" else 4

    if kind == "helper":

        def helper(x):
            return x + 2
    else:

        def helper(x):
            return x + 1

    @task(max_retries=2 if kind == "option" else 1, retry_delay=0)
    def load(n, extra=more):
        return [helper(each) * factor + extra for each in range(n)]

    class Scale(Task):
        def __init__(self, by):
            self.by = by
            super().__init__(name="scale")

        def run(self, x):
            return x * self.by

    @task(trigger=triggers.manual_only)
    def publish(x, where):
        return (x, where)

    @task(trigger=triggers.some_successful(at_least=0.5 if kind == "trigger" else 1))
    def last(x):
        return x

    with Flow("variant") as flow:
        loaded = load(Parameter("n", default=4 if kind == "parameter" else 3))
        scaled = Scale(7 if kind == "attribute" else 6).map(flatten(loaded) if kind == "way" else loaded)
        counted = load.map([1, 9] if kind == "mapped" else [1, 2])
        last(publish(scaled, where="b" if kind == "constant" else "a"), upstream_tasks=[counted])
    return flow


@pytest.mark.parametrize(
    ("kind", "changed"),
    [
        ("closure", ("load-2", "load")),
        ("default", ("load-2", "load")),
        ("helper", ("load-2", "load")),
        ("attribute", ("scale",)),
        ("constant", ("publish",)),
        ("mapped", ("load-2",)),
        ("parameter", ("n",)),
        ("trigger", ("last",)),
        ("way", ("scale",)),
    ],
)
def test_what_changed_is_named_wherever_it_stands(kind, changed):
    before = _variant()
    before.run(record=True)

    with pytest.raises(RunChangedError) as refused:
        flowbook.run(before.last_run.run_id, flow=_variant(kind)).resume()

    assert (refused.value.added, refused.value.removed, refused.value.changed) == ((), (), changed)
    assert flowbook.run(before.last_run.run_id, flow=_variant(kind)).resume(force=True).wait(LONG_S).is_successful()


@pytest.mark.parametrize("kind", ["", "option"])
def test_a_flow_with_other_options_is_the_same_flow(kind):
    before = _variant()
    before.run(record=True)

    run = flowbook.run(before.last_run.run_id, flow=_variant(kind)).resume()

    assert type(run.wait(LONG_S)).__name__ == "Success"


def test_a_run_that_was_recorded_without_wirings_is_compared_by_code():
    before = _variant()
    before.run(record=True)
    store, run_id = open_store(), before.last_run.run_id
    graph = json.loads(store._database.read("SELECT content FROM graph")[0][0])
    for each in graph["tasks"]:
        del each["wiring"]
    store._database.write(lambda connection: connection.execute("UPDATE graph SET content = ?", (json.dumps(graph),)))

    assert flowbook.run(run_id, flow=_variant("constant")).resume().wait(LONG_S).is_successful()
    with pytest.raises(RunChangedError, match="changed: load"):
        flowbook.run(run_id, flow=_variant("helper")).retry()


def test_children_that_never_began_are_pending_in_a_run_that_is_read_from_the_store():
    class CancelAfterTheFirst:
        def emit(self, event):
            if isinstance(event, StateChanged) and event.key == "double[0]" and event.state.is_finished():
                run.cancel()

    with Flow("cancelled map") as flow:
        task(lambda x: 2 * x, name="double").map([1, 2, 3])
    run = start_run(flow, None, {"record": True})
    run.subscribe(CancelAfterTheFirst())
    run.run_behind()
    run.wait(30)

    found = flowbook.run(run.run_id)

    names = {key: type(state).__name__ for key, state in found.states.items()}
    assert names == {key: type(state).__name__ for key, state in run.states.items()}
    assert (names["double[0]"], names["double[2]"], type(found["double[2]"]).__name__) == (
        "Success",
        "Pending",
        "Pending",
    )
