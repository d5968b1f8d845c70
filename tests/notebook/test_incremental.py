"""`--plan` and `--incremental`: after an edit only what changed runs, and it is said why."""

from __future__ import annotations

import time

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from flowbook.notebook import extension
from tests.pace import slowness

#: Tasks note that they ran in a file: a list that they read would be an input of theirs.
TASKS = """
from pathlib import Path
from flowbook import Parameter, task

def note(name):
    with open(NOTES, "a") as file:
        file.write(name + "\\n")

def scale(x):
    return 10 * x

UNUSED = 1
LIMIT = 100

@task
def load(n):
    note("load")
    return list(range(n))

@task
def clean(rows):
    note("clean")
    return [scale(row) for row in rows]

@task(cache_for=3600)
def report(rows):
    note("report")
    return min(sum(rows), LIMIT)
"""
BODY = 'report(clean(load(Parameter("n", default=4))))'
EDITED = {
    "a task": ("def clean(rows):", "def clean(rows, more=1):"),
    "a helper": ("return 10 * x", "return 11 * x"),
    "a global": ("LIMIT = 100", "LIMIT = 99"),
    "a comment": ("    return 10 * x", "    # ten times\n\n    return 10 * x"),
    "the layout": ("[scale(row) for row in rows]", "[\n        scale(row)\n        for row in rows\n    ]"),
    "a global that isn't used": ("UNUSED = 1", "UNUSED = 2"),
    "nothing": ("", ""),
}


class _Notebook:
    def __init__(self, tmp_path):
        self.notes = tmp_path / "notes"
        self.shell = InteractiveShell()
        extension.load(self.shell)
        self.shell.user_ns["NOTES"] = str(self.notes)
        self.define()

    def define(self, old="", new=""):
        assert self.shell.run_cell(TASKS.replace(old, new) if old else TASKS).success

    def flow(self, line="daily --incremental"):
        """Run the cell; return which tasks ran."""
        self.notes.write_text("")
        self.shell.run_cell_magic("flow", line, BODY)
        return self.notes.read_text().split()

    def close(self):
        self.shell.history_manager.end_session()
        extension.unload(self.shell)


@pytest.fixture
def opened(tmp_path, monkeypatch):
    monkeypatch.setenv("FLOWBOOK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FLOWBOOK_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("FLOWBOOK_PROJECT", "test")
    found = []

    def open_():
        found.append(_Notebook(tmp_path))
        return found[-1]

    yield open_
    for each in found:
        each.close()


@pytest.mark.parametrize(
    ("what", "ran"),
    [
        ("a task", ["clean"]),
        ("a helper", ["clean", "report"]),
        ("a global", ["report"]),
        ("a comment", []),
        ("the layout", []),
        ("a global that isn't used", []),
        ("nothing", []),
    ],
)
def test_only_what_was_edited_runs_and_what_gets_something_else_from_it(opened, what, ran):
    notebook = opened()
    assert notebook.flow() == ["load", "clean", "report"]

    notebook.define(*EDITED[what])

    assert notebook.flow() == ran


def test_a_helper_that_a_task_replaces_counts_as_it_is_when_the_next_one_runs(opened):
    notebook = opened()
    tasks = """
from flowbook import task
def helper(x):
    return x
@task
def choose(n):
    global helper
    helper = [lambda x: x + 1, lambda x: x + 2][n]
@task
def use(_):
    note("use")
    return helper(1)
"""
    ran = []
    for n in (0, 1):
        assert notebook.shell.run_cell(tasks).success
        notebook.notes.write_text("")
        notebook.shell.run_cell_magic("flow", "swapped --incremental --quiet", f"use(choose({n}))")
        ran.append(notebook.notes.read_text().split())

    assert ran == [["use"], ["use"]]


def test_in_another_kernel_nothing_runs_again(opened):
    opened().flow()

    assert opened().flow() == []


def test_the_result_says_how_many_ran_and_why(opened, capsys):
    notebook = opened()
    notebook.flow()
    notebook.define(*EDITED["a helper"])
    capsys.readouterr()

    notebook.flow()

    assert (
        "2 of 3 ran: clean, scale changed, line 9: return 11 * x; 1 below it." in capsys.readouterr().out.splitlines()
    )


def test_the_plan_names_the_line_that_was_edited(opened):
    notebook = opened()
    notebook.flow()
    notebook.define("return [scale(row) for row in rows]", "# all of them\n    return [scale(row + 1) for row in rows]")

    plan = notebook.shell.run_line_magic("flow", "plan daily")

    assert plan["clean"].why == "its code changed, line 23: return [scale(row + 1) for row in rows]"


def test_it_may_be_the_notebooks_default(opened, capsys):
    notebook = opened()
    notebook.flow("daily")
    notebook.shell.run_line_magic("flow", "incremental on")
    notebook.flow("daily")

    assert notebook.flow("daily") == []
    notebook.shell.run_line_magic("flow", "incremental off")
    assert notebook.flow("daily") == ["load", "clean"]
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Flows of this notebook")]
    assert told == [
        "Flows of this notebook run only what has changed, from the next %%flow cell on and until the kernel ends.",
        "Flows of this notebook run all tasks that aren't cached, from the next %%flow cell on.",
    ]


def test_a_default_is_on_or_off(opened):
    with pytest.raises(UsageError, match=r"^%flow incremental maybe: say on or off\.$"):
        opened().shell.run_line_magic("flow", "incremental maybe")


def test_the_plan_says_what_would_run_and_nothing_does(opened, capsys):
    notebook = opened()
    notebook.flow()
    notebook.define(*EDITED["a helper"])
    capsys.readouterr()

    assert notebook.flow("daily --incremental --plan") == []

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("daily, plan of run 2: 2 of 3 will run (1 with changed code, 1 below these), about ")
    assert [line.split()[0] for line in lines[1:]] == ["load", "clean", "report"]
    assert notebook.shell.user_ns["daily"].last_run is None


def test_a_flow_that_is_there_is_planned_with_other_parameters(opened):
    notebook = opened()
    notebook.flow()

    plan = notebook.shell.run_line_magic("flow", "plan daily --param n=5")

    assert plan["load"].why == "input n is 5, was 4"


def test_a_thousand_tasks_with_one_edit_take_little_more_than_the_task(opened):
    notebook = opened()
    names = range(1000)
    source = "from flowbook import task\n" + "".join(
        f"@task\ndef t{n}(x):\n    note('t{n}')\n    return x + {n}\n" for n in names
    )
    body = "x0 = t0(1)\n" + "".join(f"x{n} = t{n}(x{(n - 1) // 3})\n" for n in names[1:])
    for cell in (source, source.replace("x + 900\n", "x + 901\n")):
        assert notebook.shell.run_cell(cell).success
        notebook.notes.write_text("")
        began = time.process_time()
        notebook.shell.run_cell_magic("flow", "large --incremental --quiet", body)
        took = time.process_time() - began

    assert notebook.notes.read_text().split() == ["t900"]
    #: 0.2 s on a machine of its own; all of it runs in this process.
    assert took < 1.5 * slowness()


def test_the_help_says_how_long_the_default_lasts(opened):
    shell = opened().shell

    (line,) = [
        each
        for each in shell.magics_manager.magics["line"]["flow"].__doc__.splitlines()
        if "incremental on|off" in each
    ]

    assert (
        line.strip()
        == "incremental on|off: whether flows of this notebook run only what has changed, until the kernel ends"
    )
