"""Any tqdm in a task is the task's progress, on every executor, and draws nothing; outside of tasks it stays as it is."""

from __future__ import annotations

import io
import sys
import types

import pandas as pd
import pytest
from tqdm import auto, notebook
from tqdm import tqdm as plain

import flowbook
from flowbook import Flow, task
from flowbook.engine.progress_bars import watch_progress_bars
from flowbook.executors import LocalDaskExecutor, LocalExecutor
from flowbook.store import open_store

ROWS = 30


@task
def one_bar(kind):
    make = {"plain": plain, "auto": auto.tqdm, "notebook": notebook.tqdm}[kind]
    for _ in make(range(ROWS), desc="rows", unit="row"):
        pass


@task
def applied():
    plain.pandas(desc="apply")
    return int(pd.Series(range(ROWS)).progress_apply(lambda row: row + 1).sum())


@task
def by_hand():
    bar = notebook.tqdm(total=10)
    bar.update(4)
    bar.set_description("files")
    bar.reset()
    bar.update(10)
    bar.close()


@task
def to_a_file(path):
    with path.open("w") as file:
        for _ in plain(range(ROWS), desc="rows", file=file):
            pass


def progress_of(step, *inputs, executor=None):
    with Flow("bars", executor=executor or LocalExecutor()) as flow:
        step(*inputs)
    run = flow.start(record=False)
    run.wait()
    assert run.state.is_successful(), run.state
    return [(each.done, each.total, each.text, each.unit) for each in run.progress().values()]


@pytest.mark.parametrize("kind", ["plain", "auto", "notebook"])
@pytest.mark.parametrize("executor", [LocalExecutor(), LocalDaskExecutor("threads"), LocalDaskExecutor("processes")])
def test_a_bar_of_every_kind_is_the_task_s_progress_on_every_executor(kind, executor):
    assert progress_of(one_bar, kind, executor=executor) == [(ROWS, ROWS, "rows", "row")]


def test_a_bar_of_pandas_is_the_task_s_progress():
    assert progress_of(applied) == [(ROWS, ROWS, "apply", "it")]


def test_a_bar_for_notebooks_that_is_set_by_hand_makes_no_widget():
    assert progress_of(by_hand) == [(10, 10, "files", "it")]


def test_a_bar_in_a_task_draws_nothing(capsys):
    progress_of(one_bar, "plain")

    assert capsys.readouterr() == ("", "")


def test_a_bar_with_a_file_of_its_own_reports_too(tmp_path):
    assert progress_of(to_a_file, tmp_path / "bar.txt") == [(ROWS, ROWS, "rows", "it")]


def test_a_bar_outside_of_tasks_is_drawn_as_before():
    progress_of(one_bar, "plain")
    stream = io.StringIO()

    for _ in plain(range(3), desc="mine", file=stream):
        pass

    assert "mine: 100%" in stream.getvalue()


def test_a_recorded_run_keeps_the_last_progress_for_other_processes():
    with Flow("bars") as flow:
        one_bar("plain")
    run = flow.start(record=True)
    run.wait()

    stored = open_store().history.snapshot(run.run_id).progress
    read = flowbook.run(run.run_id).progress()

    assert [(each.done, each.text) for each in stored.values()] == [(ROWS, "rows")]
    assert read == stored


def test_a_run_begins_while_another_thread_loads_tqdm_and_the_next_one_changes_its_bars(monkeypatch):
    class Bar:
        def display(self):
            return "drawn"

        def close(self):
            return None

    drawn = Bar.display
    module = types.ModuleType("tqdm.std")
    monkeypatch.setitem(sys.modules, "tqdm.std", module)  # as it is at first

    watch_progress_bars()
    module.tqdm = Bar
    watch_progress_bars()
    once = Bar.display
    watch_progress_bars()

    assert once is not drawn
    assert Bar.display is once
    assert Bar().display() == "drawn"
