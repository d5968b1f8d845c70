"""Resources are set up before the tasks that need them and cleaned up after, whatever happened."""

import pytest

from flowbook import Flow, Parameter, resource_manager, task
from tests.executors_of import everywhere


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
    log = []
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
    log = []
    with Flow("cluster") as flow, cluster(log)(2) as client:
        breaks(work(client, log))

    state = flow.run(executor=executor)

    assert log == ["setup", "work with client of 2", "cleanup client of 2"]
    assert (type(state).__name__, state.message) == ("Failed", "breaks failed.")


def test_nothing_is_cleaned_up_where_the_setup_failed():
    log = []
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
    log = []
    with Flow("cluster") as flow, cluster(log, breaks="cleanup")(2) as client:
        end = work(client, log)

    state = flow.run()

    assert state.is_successful()
    assert flow.reference_tasks() == (end,)
    assert state.result[flow.get_tasks("cluster.cleanup")[0]].is_failed()


def test_a_resource_within_another_is_cleaned_up_first():
    log = []
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

    assert str(refused.value) == "Resource 'Leaks' has no cleanup. Write setup(self) and cleanup(self, resource)."
