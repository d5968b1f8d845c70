from __future__ import annotations

import sys
import threading

from flowbook import Flow, task


@task
def same(x=1):
    return x


def test_several_threads_that_ask_for_the_key_of_a_task_all_get_it():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    found = []
    with Flow("f") as flow:
        tasks = [same(number) for number in range(3_000)]
    graph = flow.compile()
    begin = threading.Barrier(4)

    def ask():
        begin.wait()
        found.append(graph.key_of(tasks[-1]))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.setswitchinterval(before)

    assert found == ["same-3000"] * 4


def test_the_run_order_is_that_in_which_one_worker_runs_the_tasks():
    ran = []

    @task
    def note(name, above=None, beside=None):  # noqa: ARG001  # only for the order
        ran.append(name)

    with Flow("f") as flow:
        left, right = note("left"), note("right")
        first, second = note("below left", left), note("below left again", left)
        note("below both", first, right)
        note("below the other", second)
        note("alone")
    graph = flow.compile()

    flow.run()

    assert ran == [dict(graph.specs[key].constants)["name"] for key in graph.run_order()]
