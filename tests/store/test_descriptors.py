"""A task that closes descriptors that are not its own: the store opens its files anew and harms no other file."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

from flowbook.engine.state import Success
from flowbook.store import open_store
from tests.store.run_helpers import begin, tell

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name == "nt", reason="platform: descriptors are numbers of the process")

CLOSE = textwrap.dedent("""
    import os, sys
    from flowbook import Flow, task
    from flowbook.store import open_store

    own = os.path.realpath(os.environ["FLOWBOOK_HOME"])

    def of_store(number):
        try:
            return os.readlink(f"/proc/self/fd/{number}").startswith(own)
        except OSError:
            return False

    @task
    def close():
        for number in range(3, 256):
            if of_store(number):
                os.close(number)
        global taken
        taken = [open(f"{sys.argv[1]}/mine-{number}", "w+") for number in range(10)]
        return 1

    @task
    def after(x):
        return x + 1

    with Flow("closes") as flow:
        after(close())
    state = flow.run(record=True)
    print(type(state).__name__)
    print({key: type(each).__name__ for key, each in open_store().history.states(flow.last_run.run_id).items()})
    print([file.read() for file in taken])
    sys.stdout.flush()
    os._exit(0)
""")


@pytest.mark.skipif(sys.platform != "linux", reason="platform: /proc says which descriptors are the store's")
def test_a_run_whose_task_closes_the_store_s_descriptors_is_recorded_on(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CLOSE, str(tmp_path)], check=False, capture_output=True, text=True, timeout=60
    )

    assert done.stdout.splitlines() == [
        "Success",
        str({"": "Success", "close": "Success", "after": "Success"}),
        str([""] * 10),
    ], done.stderr


def test_the_lock_s_file_that_was_closed_is_opened_anew() -> None:
    with open_store() as store:
        recorder = begin(store)
        os.close(store._database._process_lock._descriptor)

        tell(recorder, ("a", Success(result=1)))
        recorder.close()

        assert (recorder.unrecorded, list(store.history.states("r1"))) == (None, ["a"])
