"""What tasks print on a terminal while a run is shown there, wherever they run; and what the shown part asks of it."""

import pytest

from tests.homes import home
from tests.terminal.screens import Terminal

__all__ = ["home"]

SCRIPT = """
import subprocess, sys
from flowbook import Flow, task
from flowbook.executors import DaskExecutor, LocalDaskExecutor, LocalExecutor

EXECUTORS = {
    "local": LocalExecutor,
    "processes": lambda: LocalDaskExecutor("processes", num_workers=2),
    "dask": lambda: DaskExecutor(cluster_kwargs={"n_workers": 1, "processes": True, "dashboard_address": None}),
}

@task
def talk():
    print("said by a task")
    print("warned by a task", file=sys.stderr)
    subprocess.run([sys.executable, "-c", "print('said by its program')"], check=True)

if __name__ == "__main__":
    with Flow("talks", executor=EXECUTORS[sys.argv[1]]()) as flow:
        talk()
    flow.run(progress=True)
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "talks.py").write_text(SCRIPT)
    return tmp_path


@pytest.mark.parametrize("executor", ["processes", "dask"])
def test_what_tasks_print_in_worker_processes_stands_above_the_shown_run(folder, executor):
    code, screen = Terminal(folder, "talks.py", executor).wait(90)

    lines = screen.splitlines()
    assert code == 0
    assert lines[:3] == ["said by a task", "warned by a task", "said by its program"]
    assert [line for line in lines if line.startswith("talks")] == lines[3:4]


def test_the_width_is_that_of_the_terminal_where_the_run_is_shown(folder):
    with (folder / "out.txt").open("w") as file:
        code, screen = Terminal(folder, "talks.py", "local", columns=60, stdout=file).wait()

    title = next(line for line in screen.splitlines() if line.startswith("talks"))
    assert (code, len(title)) == (0, 59)


def test_a_refused_resume_shows_the_refusal_only(folder):
    (folder / "done.py").write_text(
        "from flowbook import Flow, task\n\n@task\ndef one():\n    return 1\n\n"
        "with Flow('done') as flow:\n    one()\nflow.run(record=True)\n"
    )
    Terminal(folder, "done.py").wait()

    refused = [Terminal(folder, "-m", "flowbook", "run", action, "1").wait() for action in ("resume", "retry")]

    assert refused == [
        (2, "flowbook: Nothing waits in run 1 of 'done': it is Success."),
        (2, "flowbook: Nothing failed in run 1 of 'done': it is Success."),
    ]
