"""Resources are set up before the tasks that need them and cleaned up after, whatever happened."""

import threading
from pathlib import Path

import pytest

from flowbook import Flow, Parameter, case, resource_manager, task
from flowbook.executors import LocalDaskExecutor
from flowbook.triggers import all_finished, manual_only
from tests.executors_of import everywhere


class Log(list):
    """What happened, in order; tasks get this very object, as they would not get a plain list."""


def cluster(log, *, breaks=""):
    @resource_manager(name="cluster")
    class Cluster:
        def __init__(self, workers):
            self.workers = workers

        def setup(self):
            log.append("setup")
            if breaks == "setup":
                msg = "no machine"
                raise RuntimeError(msg)
            return f"client of {self.workers}"

        def cleanup(self, client):
            log.append(f"cleanup {client}")
            if breaks == "cleanup":
                msg = "stuck"
                raise RuntimeError(msg)

    return Cluster


@task
def work(client, log):
    log.append(f"work with {client}")
    return 1


@task
def aside(log):
    log.append("aside")


@task
def breaks(x):
    msg = f"broken {x}"
    raise RuntimeError(msg)


@everywhere
def test_tasks_run_between_setup_and_cleanup_also_those_that_do_not_take_the_resource(executor):
    log = Log()
    with Flow("cluster") as flow:
        workers = Parameter("workers")
        with cluster(log)(workers) as client:
            work(client, log)
            aside(log)

    state = flow.run(workers=4, executor=executor)

    assert state.is_successful()
    assert (log[0], sorted(log[1:3]), log[3]) == ("setup", ["aside", "work with client of 4"], "cleanup client of 4")


@everywhere
def test_it_is_cleaned_up_when_a_task_failed_and_the_flow_fails_all_the_same(executor):
    log = Log()
    with Flow("cluster") as flow, cluster(log)(2) as client:
        breaks(work(client, log))

    state = flow.run(executor=executor)

    assert log == ["setup", "work with client of 2", "cleanup client of 2"]
    assert (type(state).__name__, state.message) == ("Failed", "breaks failed: RuntimeError: broken 1.")


def test_nothing_is_cleaned_up_where_the_setup_failed():
    log = Log()
    with Flow("cluster") as flow, cluster(log, breaks="setup")(2) as client:
        work(client, log)

    state = flow.run()

    assert log == ["setup"]
    assert state.is_failed()
    assert (
        state.result[flow.get_tasks("cluster.cleanup")[0]].message
        == "Nothing to clean up: the resource was not set up."
    )


def test_the_flow_is_not_judged_by_the_cleanup():
    log = Log()
    with Flow("cluster") as flow, cluster(log, breaks="cleanup")(2) as client:
        end = work(client, log)

    state = flow.run()

    assert state.is_successful()
    assert flow.reference_tasks() == {end}
    assert state.result[flow.get_tasks("cluster.cleanup")[0]].is_failed()


def test_a_resource_within_another_is_cleaned_up_first():
    log = Log()
    with Flow("two") as flow, cluster(log)("outer"):
        aside(log)
        with cluster(log)("inner") as client:
            work(client, log)

    state = flow.run()

    assert state.is_successful()
    assert next(each for each in log if each.startswith("cleanup")) == "cleanup client of inner"


def test_options_of_the_three_tasks_are_passed_on():
    @resource_manager(
        init_task_kwargs={"tags": ["a"]}, setup_task_kwargs={"name": "up"}, cleanup_task_kwargs={"name": "down"}
    )
    class Thing:
        def setup(self):
            return 1

        def cleanup(self, thing):
            pass

    with Flow("things") as flow, Thing():
        pass

    assert list(flow.keys().values()) == ["Thing", "up", "down"]
    assert flow.get_tasks("Thing", tags=["a"])


def test_a_class_that_can_not_clean_up_is_refused():
    with pytest.raises(ValueError) as refused:

        @resource_manager
        class Leaks:
            def setup(self):
                pass

    assert str(refused.value) == "Resource 'Leaks' has no cleanup. Write cleanup(self, resource)."


# Cancelled, resumed, tried again


def door(log):
    @resource_manager
    class Door:
        def __init__(self, name):
            self.name = name

        def setup(self):
            log.append(f"open {self.name}")
            return self.name

        def cleanup(self, name):
            log.append(f"close {name}")

    return Door


EVERYWHERE_LOCAL = pytest.mark.parametrize(
    "executor", [None, LocalDaskExecutor(num_workers=2)], ids=["local", "threads"]
)


@EVERYWHERE_LOCAL
def test_a_cancelled_run_closes_what_it_opened_inner_ones_first_and_opens_it_anew_when_resumed(executor):
    log = Log()

    @task
    def stops(name):
        log.append(f"in {name}")
        if log.count(f"in {name}") == 1:
            flow.last_run.cancel()

    @task
    def follows(x):
        del x
        log.append("follows")

    made = door(log)
    with Flow("doors") as flow, made("outer"), made("inner") as name:
        done = follows(stops(name))

    state = flow.run(executor=executor, record=False)
    first, log[:] = list(log), []
    resumed = flow.last_run.resume().wait(20)

    assert (type(state).__name__, type(state.result[done]).__name__) == ("Cancelled", "Pending")
    assert (first[2:], sorted(first[:2])) == (["in inner", "close inner", "close outer"], ["open inner", "open outer"])
    assert resumed.is_successful()
    assert (log[2:], sorted(log[:2])) == (["follows", "close inner", "close outer"], ["open inner", "open outer"])


def test_what_was_not_opened_when_a_run_is_cancelled_is_not_closed():
    log = Log()

    @task
    def stops():
        flow.last_run.cancel()
        return "late"

    with Flow("doors") as flow, door(log)(stops()):
        pass

    state = flow.run(record=False)

    assert (type(state).__name__, log) == ("Cancelled", [])


def test_a_cancelled_run_ends_though_closing_fails():
    log = Log()

    @task
    def stops(client):
        del client
        flow.last_run.cancel()

    with Flow("cluster") as flow, cluster(log, breaks="cleanup")(1) as client:
        stops(client)

    state = flow.run(record=False)

    assert (type(state).__name__, log) == ("Cancelled", ["setup", "cleanup client of 1"])
    assert flow.last_run["cluster.cleanup"].is_failed()


@pytest.mark.parametrize("is_live", [False, True])
def test_a_retry_opens_anew_what_was_closed(is_live):
    log = Log()
    closed, held = threading.Event(), threading.Event()

    @task
    def fails_once(name):
        log.append(f"in {name}")
        if log.count(f"in {name}") == 1:
            raise ValueError

    @task
    def well(name):
        log.append(f"well in {name}")

    @task(trigger=all_finished)
    def after(x):
        del x
        closed.set()
        assert held.wait(20)

    with Flow("doors") as flow:
        block = door(log)("room")
        with block as name:
            fails_once(name)
            well(name)
        after(block.cleanup_task)
    run = flow.start(record=False)
    assert closed.wait(20)
    if not is_live:
        held.set()
        run.wait(20)

    run.retry()
    held.set()
    state = run.wait(20)

    assert state.is_successful()
    assert (log[0], sorted(log[1:3]), log[3]) == ("open room", ["in room", "well in room"], "close room")
    assert log[4:] == ["open room", "in room", "close room"]


def test_a_paused_run_that_is_cancelled_closes_what_it_opened():
    log = Log()

    @task(trigger=manual_only)
    def waits(name):
        log.append(f"in {name}")

    with Flow("doors") as flow, door(log)("room") as name:
        waits(name)
    paused = flow.run(record=True)

    flow.last_run.cancel()
    state = flow.last_run.wait(20)

    assert (type(paused).__name__, type(state).__name__) == ("Paused", "Cancelled")
    assert log == ["open room", "close room"]


def test_a_cancelled_run_closes_what_another_process_opened(tmp_path):
    log = tmp_path / "log"
    with Flow("files") as flow, InFile(str(log)) as name:
        linger(name, str(log))
    run = flow.start(executor=LocalDaskExecutor("processes", num_workers=1), record=False)
    while not (log.exists() and "in" in log.read_text()):
        threading.Event().wait(0.02)

    run.cancel()
    log.with_suffix(".go").touch()
    state = run.wait(20)

    assert type(state).__name__ == "Cancelled"
    assert log.read_text().split() == ["open", "in", "out", "close"]


@resource_manager
class InFile:
    def __init__(self, path):
        self.path = path

    def setup(self):
        note(self.path, "open")
        return "thing"

    def cleanup(self, thing):
        note(self.path, "close" if thing == "thing" else "what?")


@task
def linger(name, path):
    del name
    note(path, "in")
    while not Path(path).with_suffix(".go").exists():
        threading.Event().wait(0.01)
    note(path, "out")


def note(path, word):
    with Path(path).open("a") as file:
        file.write(word + "\n")


@everywhere
def test_a_resource_without_a_setup_is_cleaned_up_all_the_same(executor, tmp_path):
    @resource_manager
    class Room:
        def __init__(self, path):
            self.path = path

        def cleanup(self, resource):
            self.path.write_text(f"cleaned up {resource}")

    with Flow("room") as flow, Room(tmp_path / "log") as room:
        seen = task(lambda resource: resource, name="seen")(room)

    state = flow.run(executor=executor)

    assert (state.is_successful(), state.result[seen].result) == (True, None)
    assert (tmp_path / "log").read_text() == "cleaned up None"


@everywhere
def test_it_is_set_up_again_for_a_task_that_a_new_run_has_yet_to_make(executor):
    log, first = [], []

    @resource_manager
    class Connection:
        def setup(self):
            log.append("setup")
            return {"open": True}

        def cleanup(self, resource):
            resource["open"] = False
            log.append("cleanup")

    @task
    def use(resource):
        if not first:
            first.append(1)
            raise ValueError
        return resource["open"]

    with Flow("f") as flow, Connection() as resource:
        used = use(resource)
    states = flow.run(executor=executor).result

    state = flow.run(task_states={each: known for each, known in states.items() if each is not used}, executor=executor)

    assert (state.result[used].result, log) == (True, ["setup", "cleanup", "setup", "cleanup"])


@everywhere
def test_it_stays_cleaned_up_where_nothing_is_left_to_run(executor):
    log = Log()
    with Flow("f") as flow, cluster(log)(2) as client:
        work(client, log)
    states = flow.run(executor=executor).result

    flow.run(task_states=states, executor=executor)

    assert log == ["setup", "work with client of 2", "cleanup client of 2"]


@everywhere
@pytest.mark.parametrize("nesting", ["a case in a resource", "a resource in a case", "a resource in a resource"])
def test_a_resource_is_cleaned_up_after_all_tasks_of_the_blocks_within(executor, nesting):
    log = Log()
    outer, inner = cluster(log), cluster(log)
    with Flow("nested") as flow:
        yes = Parameter("yes", default=True)
        if nesting == "a case in a resource":
            with outer(1) as client, case(yes, True):
                end = task(lambda client: log.append("used") or client, name="use")(client)
        elif nesting == "a resource in a case":
            with case(yes, True), outer(1) as client:
                end = task(lambda: log.append("used"), name="use")()
        else:
            with outer(1) as client, inner(yes):
                end = task(lambda client: log.append("used") or client, name="use")(client)

    state = flow.run(executor=executor)

    after = log[log.index("used") + 1 :]
    assert (state.result[end].is_successful(), "cleanup client of 1" in after, after[-1]) == (
        True,
        True,
        "cleanup client of 1",
    )


@pytest.mark.parametrize("nesting", ["a case in a resource", "a resource in a case"])
def test_nothing_is_used_in_a_case_that_is_not_taken(nesting):
    log = Log()
    with Flow("nested") as flow:
        no = Parameter("no", default=False)
        if nesting == "a case in a resource":
            with cluster(log)(1) as client, case(no, True):
                end = work(client, log)
        else:
            with case(no, True), cluster(log)(1) as client:
                end = work(client, log)

    state = flow.run()

    assert state.result[end].is_skipped()
    assert log == (["setup", "cleanup client of 1"] if nesting == "a case in a resource" else [])
