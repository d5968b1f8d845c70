"""Connecting to a cluster takes only so long, whatever answers, and can be cancelled; clusters may start at once."""

import socket
import textwrap
import time

import pytest

from flowbook import Flow, task
from flowbook.executors import DaskExecutor
from tests.scripts import start


@task
def one():
    return 1


@pytest.fixture
def silent():
    """Return the address of something that accepts connections and never says a word."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(8)
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"


def flow_of_one(name="one"):
    with Flow(name) as flow:
        one()
    return flow


def test_an_address_that_says_nothing_fails_the_run_within_the_timeout(silent):
    executor = DaskExecutor(silent, client_kwargs={"timeout": "500 ms"})

    began = time.monotonic()
    state = flow_of_one().run(executor=executor)
    took_s = time.monotonic() - began

    assert state.is_failed()
    assert state.message == (
        f"There is no Dask cluster at {silent}: TimeoutError: no Dask scheduler answered within 0.5 s. "
        "Check the address and that the scheduler runs; DaskExecutor() without an address makes a cluster in this process."
    )
    assert took_s < 25  # Dask itself would try for 30 s


def test_a_run_that_connects_can_be_cancelled(silent):
    run = flow_of_one().start(executor=DaskExecutor(silent, client_kwargs={"timeout": 600}))

    run.cancel()
    state = run.wait(30)

    assert (type(state).__name__, run.is_live) == ("Cancelled", False)


def test_temporary_clusters_that_start_at_once_all_run(tmp_path):
    script = textwrap.dedent("""
        from flowbook import Flow, task
        from flowbook.executors import DaskExecutor

        @task
        def one():
            return 1

        if __name__ == "__main__":
            flows = []
            for number in range(6):
                with Flow(f"flow {number}") as flow:
                    one()
                flows.append(flow)
            for _ in range(3):
                runs = [flow.start(executor=DaskExecutor()) for flow in flows]
                print([type(run.wait(60)).__name__ for run in runs])
    """)

    output, _ = start(script, tmp_path).communicate(timeout=50)

    assert output.splitlines() == [str(["Success"] * 6)] * 3
