"""The magics in a shell without a front end: what they do, and what they say to a wrong word."""

from __future__ import annotations

import datetime as dt
import os
import re
import sys
import threading
from pathlib import Path

import pytest
from IPython.core.error import UsageError
from ipywidgets import Widget

import flowbook
from flowbook import Flow, Parameter, task, triggers
from flowbook.engine.events import Decided
from flowbook.engine.state import Running
from flowbook.notebook import extension
from flowbook.notebook.display import assign_variable
from flowbook.notebook.line_actions import ACTIONS
from flowbook.store import CacheEntry, RunRecord, graph_record, open_store
from tests.homes import home
from tests.shells import opened

__all__ = ["home"]

TASKS = """
from flowbook import Parameter, task, triggers
calls = []

@task
def load(origin):
    calls.append(f"load {origin}")
    return [1, 2, 3]

@task
def double(x):
    calls.append("double")
    return 2 * x

@task(trigger=triggers.manual_only)
def approve(values):
    calls.append("approve")
    return sum(values)

@task
def publish(total):
    calls.append("publish")
    return total
"""
BODY = """values = double.map(load(Parameter("origin", default="EWR")))
publish(approve(values))"""

QUOTES = "A parameter's value with spaces needs quotes around NAME=VALUE: --param 'months=[1, 2]'."
HELD = """%%flow held --wait
import threading
door = threading.Event()

@task
def hold():
    door.wait(20)

hold()"""
CACHED = """
import datetime as dt
from flowbook import Flow

@task(cache_for=dt.timedelta(hours=1))
def clean(x):
    return x

with Flow("kept") as kept:
    first, second = clean(1), clean(2)
kept.run()"""


@pytest.fixture
def shell():
    with opened(TASKS) as found:
        yield found


def _flow(shell, line="delays", body=BODY):
    shell.run_cell_magic("flow", line, body)
    return shell.user_ns["delays"]


def test_a_cell_becomes_a_flow_under_its_name_and_runs_to_its_pause(shell, capsys):
    flow = _flow(shell, "delays --param origin=JFK")

    assert flow.last_run.state.is_paused()
    assert flow.last_run.parameters == {"origin": "JFK"}
    assert shell.user_ns["calls"] == ["load JFK", "double", "double", "double"]
    assert "delays, run 1: Paused" in capsys.readouterr().out


DATED = """publish(load([
    Parameter("day", default=dt.date(2026, 1, 28)), Parameter("folder", default=Path("data")), Parameter("n", default=1)
]))"""


def test_a_text_on_a_line_becomes_a_value_of_the_kind_of_its_default(shell):
    shell.run_cell("import datetime as dt\nfrom pathlib import Path")
    flow = _flow(shell, "delays --param day=2026-02-01 --param folder=2024 --param n=three", DATED)
    first = flow.last_run.parameters
    shell.run_line_magic("flow", "run delays --param day=2026-03-01")

    assert first == {"day": dt.date(2026, 2, 1), "folder": Path("2024"), "n": "three"}
    assert flow.last_run.parameters["day"] == dt.date(2026, 3, 1)
    for line in ("run delays --param day=soon", "plan delays --param day=soon", "deploy delays --param day=soon"):
        with pytest.raises(UsageError, match=r"^day is a date, and 'soon' isn't\. Write e\.g\. 2026-01-28\.$"):
            shell.run_line_magic("flow", line)


def test_a_line_magic_resumes_it_and_only_what_waits_runs(shell):
    flow = _flow(shell)
    shell.user_ns["calls"].clear()

    shell.run_line_magic("flow", "resume delays")

    assert shell.user_ns["calls"] == ["approve", "publish"]
    assert flow.last_run["publish"].result == 12


def test_a_rejected_task_fails_with_the_note(shell, capsys):
    flow = _flow(shell)
    capsys.readouterr()

    shell.run_line_magic("flow", "reject delays approve --note 'the figures are wrong'")

    assert capsys.readouterr().out.splitlines()[0] == "approve is rejected."
    assert flow.last_run.wait(20).is_failed()
    assert "the figures are wrong" in flow.last_run["approve"].message


def test_a_skipped_task_takes_what_lies_below_with_it(shell):
    flow = _flow(shell)

    shell.run_line_magic("flow", "skip delays")

    assert flow.last_run.wait(20).is_successful()
    assert flow.last_run["publish"].is_skipped()


def test_an_input_may_be_changed_before_a_task_goes_on(shell):
    flow = _flow(shell)
    shell.user_ns["better"] = [5, 6]

    shell.run_line_magic("flow", "resume delays approve --input values=$better")

    assert flow.last_run.wait(20).is_successful()
    assert flow.last_run["publish"].result == 11


def test_an_input_is_read_as_what_the_task_waits_with(shell):
    shell.run_cell("import datetime as dt\nfrom flowbook import Flow, task, triggers")
    shell.run_cell("@task(trigger=triggers.manual_only)\ndef choose(day):\n    return day\n")
    shell.run_cell("with Flow('chosen') as chosen:\n    choose(dt.date(2026, 1, 28))\nchosen.run()")

    shell.run_line_magic("flow", "resume chosen choose --input day=2026-02-01")

    run = shell.user_ns["chosen"].last_run
    assert run.wait(20).is_successful()
    assert run["choose"].result == dt.date(2026, 2, 1)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("cancel delays --param n=1", "%flow cancel takes no --param; that is for deploy, plan, run, schedule."),
        ("run delays --parm n=1", "unrecognized arguments: --parm n=1. Did you mean --param?"),
        ("run delays --detach", "%flow takes no --detach; that is for the flow's cell: %%flow NAME --detach."),
        (
            "run delays --executor=threads",
            "%flow takes no --executor; that is for the flow's cell: %%flow NAME --executor.",
        ),
        (
            "run delays --note not this",
            "unrecognized arguments: this. What has spaces needs quotes: --note 'looks right'.",
        ),
        (
            "export delays.txt",
            "%flow export delays.txt: give a file that ends in .py, for the flow, or in .html, for a run.",
        ),
        ("run delays --frobnicate", "unrecognized arguments: --frobnicate. Tab lists the options."),
        ("export nope", "%flow export nope: give a file that ends in .py, for the flow, or in .html, for a run."),
        ("list ''", "%flow list: '' names nothing. Write %flow list [FLOW]."),
        ("cancel ' '", "%flow cancel: '' names nothing. Write %flow cancel RUN."),
        (
            "compare delays last failed",
            (
                "%flow compare: what is 'failed' for? Write %flow compare RUN [EARLIER]. "
                "A run that several words name needs quotes."
            ),
        ),
        ("cancel delays parse", "%flow cancel: what is 'parse' for? Write %flow cancel RUN."),
        ("resume delays approve --input values", "--input 'values' isn't NAME=VALUE. Write e.g. --input origin=JFK."),
        ("run delays --param 'n=1", "No closing quotation. Close it, as in --param 'city=New York'."),
        (
            "run delays --param city=New York",
            f"unrecognized arguments: York. {QUOTES}",
        ),
    ],
)
def test_what_an_action_does_not_take_is_refused_with_what_it_takes(shell, line, message):
    _flow(shell, "delays --no-run")

    with pytest.raises(UsageError) as caught:
        shell.run_line_magic("flow", line)

    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "Which name is the flow to have? Write %%flow NAME, and after it options: %%flow delays --wait."),
        (
            "new --on docker:x",
            "--on says where a run of its own process lives, so it needs --detach: --detach --on docker:x.",
        ),
        ("new --start-at aprove", "Flow 'new' has no task 'aprove'. Did you mean 'approve'?"),
        (
            "new --start-at approve",
            "new hasn't run yet, so there are no results that --start-at could keep. Run it once without.",
        ),
    ],
)
def test_what_a_cell_can_not_do_is_refused_in_one_line(shell, line, message):
    with pytest.raises(UsageError) as caught:
        _flow(shell, line)

    assert str(caught.value) == message


def test_an_executor_that_is_misspelt_is_told(shell):
    with pytest.raises(UsageError, match=r"name 'threds' is not defined\. Did you mean threads\?$"):
        _flow(shell, "delays --executor threds")


def test_the_cache_as_a_table_has_no_time_for_what_never_expires(shell):
    shell.run_cell("@task(cache=True)\ndef kept(x):\n    return x\n\n@task(cache_for=60)\ndef brief(x):\n    return x")
    shell.run_cell_magic("flow", "lasting --quiet", "kept(brief(1))")

    table = shell.run_line_magic("cache", "")

    assert table["task"].tolist() == ["kept", "brief"]
    assert table["expires"].isna().tolist() == [True, False]
    assert set(table["created"].dt.microsecond) == {0}
    assert table["expires"].iloc[1] > table["created"].iloc[1]


def test_a_moment_without_quotes_is_told_so(shell):
    with pytest.raises(UsageError, match=r"^What has spaces needs quotes: --at '2026-11-20 09:00'\.$"):
        shell.run_line_magic("cache", "--at 2026-11-20 09:00")


def test_a_run_may_be_named_by_several_words(shell, capsys):
    _flow(shell)
    _flow(shell)
    shell.run_line_magic("flow", "reject delays 1")
    capsys.readouterr()

    for name in ("delays 1", "last failed", "delays last failed", "delays"):
        shell.run_line_magic("flow", f"show {name}")
    shell.run_line_magic("flow", "skip delays 2 approve")

    said = capsys.readouterr().out
    assert said.count("delays, run 1: Failed") == 3
    assert said.count("delays, run 2: Paused") == 1
    assert "approve is skipped." in said


def test_a_run_that_is_over_or_here_is_not_taken_back(shell, capsys):
    _flow(shell)
    shell.run_line_magic("flow", "take-back delays")
    assert "delays, run 1, goes on in this kernel once it is resumed." in capsys.readouterr().out
    shell.run_line_magic("flow", "skip delays")

    with pytest.raises(UsageError, match=r"^delays, run 1, is over: it is Success\.$"):
        shell.run_line_magic("flow", "take-back delays")


def test_the_help_of_the_line_magic_lists_its_actions(shell):
    text = shell.magics_manager.magics["line"]["flow"].__doc__

    assert all(f"\n{action} " in text for action in ACTIONS)
    assert text.splitlines()[2].startswith("  %flow ")
    assert shell.magics_manager.magics["cell"]["flow"].__doc__.splitlines()[2].startswith("  %%flow ")


def test_a_detached_run_has_a_process_of_its_own_and_can_be_watched(shell, capsys):
    body = "import os\n\n@task\ndef where():\n    return os.getpid()\n\nwhere()"
    shell.run_cell_magic("flow", "apart --detach", body)
    run = shell.user_ns["apart"].last_run
    assert "apart, run 1, runs in a process of its own." in capsys.readouterr().out

    shell.run_line_magic("flow", "watch apart")

    assert "apart, run 1: Success" in capsys.readouterr().out
    assert run["where"].result != os.getpid()


def _wait_until_running(run, key):
    """Wait until a task has begun: what hasn't begun where the run is handed over runs in the new process."""
    begun = threading.Event()

    class Sink:
        def emit(self, event):
            if getattr(event, "key", None) == key and isinstance(getattr(event, "state", None), Running):
                begun.set()

    run.subscribe(Sink())
    if not isinstance(run[key], Running):
        assert begun.wait(20)


def test_a_run_goes_on_in_a_process_of_its_own_when_it_is_handed_over(shell, capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("FLOWBOOK_FRONTEND", "1")
    gate = tmp_path / "gate"
    body = (
        "import os, pathlib, time\n\n@task\ndef first():\n"
        f"    while not pathlib.Path({str(gate)!r}).exists():\n        time.sleep(0.01)\n    return os.getpid()\n\n"
        "@task\ndef second(_):\n    return os.getpid()\n\nsecond(first())"
    )
    shell.run_cell_magic("flow", "long --quiet", body)
    run = shell.user_ns["long"].last_run
    _wait_until_running(run, "first")

    shell.run_line_magic("flow", "hand-over long --note 'going home'")
    gate.touch()
    monkeypatch.delenv("FLOWBOOK_FRONTEND")
    shell.run_line_magic("flow", "watch long")

    said = capsys.readouterr().out
    assert "long, run 1, goes on in a process of its own. %flow watch long shows it." in said
    assert "long, run 1: Success" in said
    assert run["first"].result == os.getpid()
    assert run["second"].result != os.getpid()


def test_a_run_is_compared_with_the_one_before(shell):
    shell.run_cell(
        "from flowbook import Parameter, task\n\n@task\ndef load(n):\n    return n\n\n@task\ndef half(n):\n    return 1 / n"
    )
    shell.run_cell_magic("flow", "halves --param n=2", "half(load(Parameter('n')))")
    with pytest.raises(UsageError, match="There is no run of halves before run 1"):
        shell.run_line_magic("flow", "compare halves")
    shell.run_cell("@task\ndef load(n):\n    # as it was\n    return n * 1")
    shell.run_cell("@task\ndef report(n):\n    return n")
    shell.run_cell_magic("flow", "halves --param n=0", "report(half(load(Parameter('n'))))")

    found = shell.run_line_magic("flow", "compare halves")

    assert [(each.key, each.states, each.differs) for each in found] == [
        ("n", ("Success", "Success"), "parameter"),
        ("load", ("Success", "Success"), "edited"),
        ("half", ("Success", "Failed"), "input"),
        ("report", ("", "TriggerFailed"), "new"),
    ]
    text = repr(found)
    assert text.startswith("halves, run 1 and run 2: Success → Failed\n  n ")
    assert text.endswith(
        "Parameters: n 2 → 0.\nload changed, line 4: return n * 1\n"
        "3 of 3 tasks differ; the first is load: 2 by themselves, 1 because of what it gets."
    )
    assert "<td style=text-align:left>Success → Failed</td>" in found._repr_mimebundle_()["text/html"]


def test_a_run_that_waits_is_handed_over_for_its_resume(shell, capsys):
    _flow(shell)

    shell.run_line_magic("flow", "hand-over delays")

    assert "delays, run 1, goes on in a process of its own once it is resumed." in capsys.readouterr().out


def test_a_run_that_is_over_can_not_be_handed_over(shell):
    shell.run_cell_magic("flow", "over", "@task\ndef one():\n    return 1\n\none()")

    with pytest.raises(UsageError, match="is over: it is Success"):
        shell.run_line_magic("flow", "hand-over over")


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (
            "cloud",
            "--on 'cloud' isn't subprocess, docker:IMAGE, kubernetes:IMAGE, nor a valid expression: name 'cloud' is not defined.",
        ),
        ("5", "--on '5' is 5, not a flow runner. Use subprocess, or e.g. SubprocessFlowRunner(virtualenv='./venv')."),
    ],
)
def test_what_is_no_flow_runner_is_refused(shell, where, message):
    with pytest.raises(UsageError) as caught:
        _flow(shell, f"delays --detach --on {where}")

    assert str(caught.value) == message


def test_a_cell_may_start_at_a_task_over_the_states_of_the_newest_run(shell):
    _flow(shell)
    shell.user_ns["calls"].clear()

    flow = _flow(shell, "delays --start-at approve")

    assert flow.last_run.wait(20).is_successful()
    assert shell.user_ns["calls"] == ["approve", "publish"]
    kept = {key for key, state in flow.last_run.states.items() if state.message == "Kept from run 1."}
    assert kept == {"load", "double", "double[0]", "double[1]", "double[2]"}


def test_showing_a_run_says_how_it_stands(shell, capsys):
    _flow(shell)
    capsys.readouterr()

    shell.run_line_magic("flow", "show delays")

    assert "delays, run 1: Paused" in capsys.readouterr().out


def test_what_waits_is_listed_with_its_sentence(shell):
    _flow(shell)

    waiting = shell.run_line_magic("flow", "resume")

    assert [(run.flow, run.number, run.message) for run in waiting] == [("delays", 1, "approve waits for a person.")]


def test_flow_lists_the_newest_run_first(shell):
    _flow(shell)
    _flow(shell)

    listed = shell.run_line_magic("flow", "")

    assert [(run.number, run.state) for run in listed] == [(2, "Paused"), (1, "Paused")]


def test_nothing_runs_when_that_was_asked_for(shell):
    flow = _flow(shell, "delays --no-run")

    assert flow.last_run is None
    assert shell.user_ns["calls"] == []


def test_a_parameter_may_come_from_a_variable_a_literal_or_be_a_text(shell):
    shell.user_ns["home"] = ["LGA"]
    found = []
    for given in ("origin=$home", "origin=[1,2]", "origin=JFK", "'origin=New York'"):
        flow = _flow(shell, f"delays --param {given}")
        found.append(flow.last_run.parameters["origin"])

    assert found == [["LGA"], [1, 2], "JFK", "New York"]


def test_an_executor_may_be_named_or_be_an_expression(shell):
    shell.user_ns["LocalDaskExecutor"] = flowbook.executors.LocalDaskExecutor
    found = [
        _flow(shell, f"delays --executor {given}").last_run.executor_text
        for given in ("local", "synchronous", "LocalDaskExecutor(num_workers=3)")
    ]

    assert found == ["local, one task at a time", "synchronous, 1 worker", "threads, 3 workers"]


def test_running_the_cell_again_keeps_the_paused_run_and_says_so(shell):
    first = _flow(shell).last_run

    second = _flow(shell).last_run

    assert first.state.is_paused()
    assert (first.number, second.number) == (1, 2)
    assert [run.number for run in shell.run_line_magic("flow", "resume")] == [2, 1]


def test_a_body_that_raises_leaves_everything_as_it_was(shell):
    before = _flow(shell)
    runs = len(flowbook.runs())

    with pytest.raises(ZeroDivisionError):
        shell.run_cell_magic("flow", "delays", "load('EWR')\n1 / 0")

    assert shell.user_ns["delays"] is before
    assert len(flowbook.runs()) == runs


def test_a_traceback_counts_the_lines_of_the_cell(shell, capsys):
    shell.colors = "nocolor"
    with pytest.raises(ZeroDivisionError):
        shell.run_cell_magic("flow", "delays", "load('EWR')\n\n1 / 0")

    assert "----> 4 1 / 0" in capsys.readouterr().out


def test_an_error_of_the_body_is_shown_once_and_is_the_cells_error(shell, capsys):
    shell.colors = "nocolor"

    result = shell.run_cell("%%flow delays\nload('EWR')\n1 / 0")

    out = capsys.readouterr().out
    assert type(result.error_in_exec) is ZeroDivisionError
    assert (out.count("ZeroDivisionError: division by zero"), out.count("Traceback")) == (1, 1)


@pytest.mark.parametrize(
    ("options", "error"), [("--raise", "RunFailedError"), ("--wait --raise", "RunFailedError"), ("--wait", "")]
)
def test_a_cell_ends_with_the_error_of_a_run_that_failed_where_that_was_asked_for(shell, capsys, options, error):
    shell.colors = "nocolor"
    shell.run_cell("@task\ndef fail(x):\n    raise ValueError('August is missing')")

    result = shell.run_cell(f"%%flow delays {options} --quiet\npublish(fail(load('EWR')))")

    lines = capsys.readouterr().out.splitlines()
    assert type(result.error_in_exec).__name__ == (error or "NoneType")
    assert ("ValueError: August is missing" in lines, lines[-1:] != [] and lines[-1].startswith(error)) == (
        bool(error),
    ) * 2
    assert [line for line in lines if "magics.py" in line or "interactiveshell.py" in line] == []


def test_every_task_is_cached_by_code_and_inputs_where_that_was_asked_for(shell):
    shell.run_cell("@task\ndef plain(x):\n    return x")
    entries = []
    for value in (5, 5, 77):
        shell.run_cell_magic("flow", "delays --cache", f"plain({value})")
        entries.append(shell.user_ns["delays"].last_run["plain"].entry)

    assert entries[0] == entries[1] != entries[2]


def test_tasks_of_operators_are_named_after_the_variables_of_the_cell(shell):
    flow = _flow(shell, "delays --no-run", "both = load('EWR')\nfirst, rest = both[0], both[1:]")

    assert sorted(flow.compile().specs) == ["first", "load", "rest"]


@pytest.mark.parametrize(
    ("body", "error"),
    [("load('EWR'))", SyntaxError), ("nowhere", NameError), ("raise KeyboardInterrupt", KeyboardInterrupt)],
    ids=["syntax", "name", "interrupt"],
)
def test_whatever_the_body_raises_ends_the_cell(shell, capsys, body, error):
    shell.colors = "nocolor"

    result = shell.run_cell(f"%%flow delays\n{body}")

    lines = capsys.readouterr().out.splitlines()
    assert type(result.error_in_exec) is error
    assert len([line for line in lines if line.startswith(f"{error.__name__}:")]) == 1


def test_an_error_after_one_in_a_body_is_shown_as_any_other(shell, capsys):
    shell.colors = "nocolor"
    with pytest.raises(ZeroDivisionError):
        shell.run_cell_magic("flow", "delays", "1 / 0")
    capsys.readouterr()

    shell.run_cell("[][1]")

    assert "IndexError: list index out of range" in capsys.readouterr().out


@pytest.mark.parametrize("cell", ["load.map()", "%%flow delays\nload.map()"])
def test_a_definition_error_ends_at_the_writers_own_line(shell, capsys, cell):
    shell.colors = "nocolor"

    shell.run_cell(cell)

    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if "/flowbook/" in line] == []
    assert [line for line in lines if "load.map()" in line and "->" in line] != []
    assert lines[-1].startswith(("DefinitionError: ", "ArgumentError: "))


@pytest.mark.parametrize(
    ("body", "out"),
    [
        ("load('EWR')\n6 * 7", "42"),
        ("load('EWR')\n6 * 7;", ""),
        ("x = load('EWR')", ""),
        ("load('EWR')", ""),
        ("load('EWR'), 1", ""),
    ],
)
def test_the_last_expression_is_shown_as_in_any_cell_but_for_tasks(shell, capsys, body, out):
    shell.run_cell(f"%%flow delays --no-run --quiet\n{body}")

    assert capsys.readouterr().out.strip().removeprefix("Out[0]: ") == out


@pytest.mark.parametrize(
    ("line", "body", "message"),
    [
        ("delays --colour red", BODY, "unrecognized arguments: --colour red"),
        ("my late delays --wait", BODY, "The name of a flow is one word: %%flow my_late_delays."),
        ("", BODY, "Which name is the flow to have? Write %%flow NAME, and after it options: %%flow delays --wait."),
        (
            "delays --param origin=[1, 2]",
            BODY,
            "unrecognized arguments: 2]. A parameter's value with spaces needs quotes around NAME=VALUE: --param 'months=",
        ),
        ("delays --param origin='a b'", BODY, "needs quotes around NAME=VALUE: --param 'months=[1, 2]'."),
        (
            "my-flow",
            BODY,
            "'my-flow' can't name a flow here, since a variable of that name will hold it. Use letters, digits and _.",
        ),
        ("delays", "x = 1", "Flow 'delays' has no tasks. Call at least one @task in the cell's body."),
        (
            "delays --executor cloud",
            BODY,
            "--executor 'cloud' isn't one of local, processes, synchronous, threads, dask",
        ),
        ("delays --executor 1+1", BODY, "--executor '1+1' is 2, not an executor. Use one of"),
        ("delays --param origin", BODY, "--param 'origin' isn't NAME=VALUE. Write e.g. --param origin=JFK."),
        ("delays --param origin=$nowhere", BODY, "$nowhere names no variable of this notebook. Define nowhere first"),
        ("delays --param month=3", BODY, "Flow 'delays' has no parameter 'month'. Its parameters: origin."),
        (
            "delays",
            "x = await something",
            "Line 2 awaits at the top of a %%flow cell: the flow is only written here.",
        ),
        (
            "delays",
            "load(Parameter('origin'))",
            "Flow 'delays' needs a value for 'origin'. Give it: flow.run(origin=...), or a default in Parameter.",
        ),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_a_wrong_word_is_one_line_and_nothing_runs(shell, line, body, message):
    with pytest.raises(UsageError) as raised:
        shell.run_cell_magic("flow", line, body)

    assert message in str(raised.value)
    assert shell.user_ns["calls"] == []


@pytest.mark.parametrize(
    ("held", "message"),
    [
        ("", "double is a task of this notebook, and the variable of a flow 'double' would replace it."),
        ("double = [1, 2]", "double is a list of this notebook, and the variable of a flow 'double' would replace it."),
    ],
)
def test_a_flow_does_not_take_the_name_of_something_else(shell, held, message):
    shell.run_cell(held)
    before = shell.user_ns["double"]

    with pytest.raises(UsageError) as raised:
        shell.run_cell_magic("flow", "double", "load('EWR')")

    assert str(raised.value) == f"{message} Name the flow otherwise: %%flow double_flow."
    assert shell.user_ns["double"] is before


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("print", "print is a name that Python has for itself, and the variable of a flow 'print' would hide it."),
        ("class", "class is a word of Python's, so no variable can have that name."),
    ],
)
def test_a_flow_does_not_take_a_name_of_python(shell, name, message):
    with pytest.raises(UsageError) as raised:
        shell.run_cell_magic("flow", name, "load('EWR')")

    assert str(raised.value) == f"{message} Name the flow otherwise: %%flow {name}_flow."
    assert name not in shell.user_ns
    assert shell.user_ns["calls"] == []


def test_a_cell_with_two_flows_is_refused_with_the_line_of_the_second(shell):
    with pytest.raises(UsageError) as raised:
        shell.run_cell_magic("flow", "first", "load('EWR')\n\n%%flow second --wait\nload('JFK')")

    assert str(raised.value) == "Line 4 begins another flow: %%flow second --wait. Write it in a cell of its own."
    assert shell.user_ns["calls"] == []


def test_a_text_in_a_cell_may_have_a_line_that_begins_as_a_flow_does(shell):
    shell.run_cell_magic("flow", "first --no-run", 'load("""EWR\n%%flow second""")')

    assert len(shell.user_ns["first"]) == 1


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        ("delays", "delays is a flow: %flow show delays shows its newest run, %flow run delays runs it."),
        ("LIST", "Did you mean list?"),
    ],
)
def test_an_action_that_there_is_not_is_told_what_was_meant(shell, line, advice):
    shell.run_cell_magic("flow", "delays --no-run", "load('EWR')")

    with pytest.raises(UsageError) as raised:
        shell.run_line_magic("flow", line)

    assert str(raised.value) == f"%flow {line}: no such action. {advice}"


def test_a_flow_may_have_the_name_that_a_cell_gave_a_task_or_a_flow(shell):
    for line in ("one", "found", "one", "found"):
        shell.run_cell_magic("flow", f"{line} --no-run", "found = load('EWR')\none = double(found)")

    assert [type(shell.user_ns[name]).__name__ for name in ("one", "found")] == ["FunctionTask", "Flow"]


def test_a_value_asked_of_a_task_is_refused_at_the_writers_own_line(shell, capsys):
    shell.run_cell_magic("flow", "numbers --no-run", "load('EWR')")
    capsys.readouterr()

    shell.run_cell("load.head()")
    of_a_task = capsys.readouterr()
    shell.run_cell("import json\njson.dumps({}, default=[].head)")
    of_another = capsys.readouterr()

    text = re.sub(r"\x1b\[[\d;]*m", "", of_a_task.out + of_a_task.err)
    assert "----> 1 load.head()" in text
    assert "numbers.last_run['load'].result.head" in text
    assert "task.py" not in text
    assert "'list' object has no attribute 'head'" in of_another.out + of_another.err


HOW_TO_NAME_A_RUN = (
    "Name it by its id, the beginning of that, 'FLOW 4', 'last' or 'last failed'; flowbook.runs() lists the runs."
)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("dance", f"%flow dance: no such action. Use one of {', '.join(ACTIONS)}."),
        ("shedule delays", "%flow shedule: no such action. Did you mean schedule?"),
        ("run", "Which flow? Name one: delays."),
        ("run nobody", "There is no flow 'nobody' in this notebook. Those there are: delays."),
        ("show", "Which run? Give the name of a flow or the id of a run; %flow lists them."),
        ("resume nobody", "There is no run 'nobody' in this store. " + HOW_TO_NAME_A_RUN),
        ("resume delays publish", "publish isn't waiting yet: it is Pending. What waits: approve."),
        ("retry delays", "Nothing failed in run 1 of 'delays': it is Paused."),
        (
            "compare last failed",
            (
                f"There is no run 'failed' in this store. {HOW_TO_NAME_A_RUN} "
                "A run that several words name needs quotes: %flow compare 'last failed'."
            ),
        ),
        (
            "compare delays 1",
            (
                "delays and 1 are both delays, run 1. "
                "A run that several words name needs quotes: %flow compare 'delays 1'."
            ),
        ),
        ("compare delays nobody", "There is no run 'nobody' in this store. " + HOW_TO_NAME_A_RUN),
        ("resume delays aprove", "Flow 'delays' has no task 'aprove'. Did you mean 'approve'?"),
    ],
)
def test_a_wrong_word_to_the_line_magic_is_one_line(shell, line, message):
    _flow(shell)

    with pytest.raises(UsageError) as raised:
        shell.run_line_magic("flow", line)

    assert str(raised.value) == message


def test_cancel_returns_at_once_and_says_what_still_runs(shell, capsys, monkeypatch):
    monkeypatch.setenv("FLOWBOOK_FRONTEND", "1")
    shell.run_cell(HELD.replace("--wait", "--quiet"))
    run = shell.user_ns["held"].last_run
    while type(run.states["hold"]).__name__ != "Running":
        pass
    shell.run_line_magic("flow", "cancel held")
    said = capsys.readouterr().out
    shell.user_ns["door"].set()

    assert type(run.wait(20)).__name__ == "Cancelled"
    assert said == f"held, run {run.number} is being cancelled: hold goes on to the end, nothing else starts.\n"


def test_cancel_now_says_what_is_stopped(shell, capsys, monkeypatch):
    monkeypatch.setenv("FLOWBOOK_FRONTEND", "1")
    shell.run_cell(HELD.replace("--wait", "--quiet"))
    run = shell.user_ns["held"].last_run
    while type(run.states["hold"]).__name__ != "Running":
        pass
    monkeypatch.setattr(type(run), "cancel", lambda _run, **_options: None)
    shell.run_line_magic("flow", "cancel held --now")
    said = capsys.readouterr().out
    monkeypatch.undo()
    shell.user_ns["door"].set()

    assert run.wait(20).is_successful()
    assert said == f"held, run {run.number} is being cancelled: hold is stopped, nothing else starts.\n"


def test_cancel_finds_an_older_run_that_waits(shell, capsys):
    _flow(shell)
    waiting = shell.user_ns["delays"].last_run
    shell.run_cell_magic("flow", "delays", "load('EWR')")
    capsys.readouterr()

    shell.run_line_magic("flow", "cancel delays")

    assert type(flowbook.run(waiting.run_id).state).__name__ == "Cancelled"
    assert capsys.readouterr().out == "delays, run 1 is over: Cancelled.\n"


def test_cancel_needs_no_flow_that_could_not_be_stored(shell, capsys):
    lock = threading.Lock()

    @task(trigger=triggers.manual_only)
    def approve(_lock=lock): ...

    with Flow("locked") as flow:
        approve()
    flow.run(record=True)

    shell.run_line_magic("flow", "cancel locked")

    assert flow.last_run.state.is_cancelled()
    assert capsys.readouterr().out == f"locked, run {flow.last_run.number} is over: Cancelled.\n"


def test_resume_finds_an_older_run_that_waits(shell):
    _flow(shell)
    shell.run_cell_magic("flow", "delays", "load('EWR')")

    shell.run_line_magic("flow", "resume delays")

    assert flowbook.run(flowbook.runs(flow="delays")["run_id"].iloc[0])["publish"].result == 12


def test_an_interrupt_while_the_cell_waits_cancels_the_run_and_says_so_in_one_line(shell, capsys, monkeypatch):
    monkeypatch.setattr("flowbook.flow_run.run.FlowRun.wait", _interrupted)

    result = shell.run_cell(HELD)

    monkeypatch.undo()
    shell.user_ns["door"].set()
    run = shell.user_ns["held"].last_run
    assert type(run.wait(20)).__name__ == "Cancelled"
    assert type(result.error_in_exec) is KeyboardInterrupt
    assert capsys.readouterr().out.splitlines()[-1] == (
        f"held, run {run.number} is being cancelled: hold goes on to the end, nothing else starts."
    )


def _interrupted(run):
    assert run.flow.state_handlers == []
    while type(run.states["hold"]).__name__ != "Running":
        pass
    raise KeyboardInterrupt


def test_who_acts_is_the_user_of_this_machine_where_it_has_a_name(shell, monkeypatch):
    def nameless():
        raise KeyError("getpwuid(): uid not found: 12345")

    flow = _flow(shell)
    monkeypatch.setattr("getpass.getuser", nameless)

    shell.run_line_magic("flow", "resume delays")

    decided = [event.by for event in flow.last_run.events() if isinstance(event, Decided)]
    assert decided == [""]


def test_the_cache_of_a_variable_is_that_of_its_own_copy(shell):
    shell.run_cell(CACHED)

    found = shell.run_line_magic("cache", "second")

    assert found["task"].tolist() == ["clean-2"]


@pytest.mark.parametrize(
    ("before", "message"),
    [
        ("", "The cache has no output of a task 'nosuch'. No task has an output there yet."),
        ("CACHED", "The cache has no output of a task 'nosuch'. Tasks with stored outputs: clean and clean-2."),
    ],
)
def test_a_task_without_stored_outputs_is_refused_by_the_cache_with_those_that_have_some(shell, before, message):
    shell.run_cell(CACHED if before else "")

    with pytest.raises(UsageError) as raised:
        shell.run_line_magic("cache", "nosuch")

    assert str(raised.value) == f"{message} @task(cache=True) stores outputs there."


NO_OUTPUT = (
    "The cache has no output of a task {!r}. No task has an output there yet. @task(cache=True) stores outputs there."
)
OF_RUNS = "delays.history({!r}) lists what runs of delays stored, %flow show delays shows the newest run."
OF_A_FLOW = (
    "delays is a flow, and %cache takes a task. No task has an output there yet. "
    "delays.history() lists what its runs stored, %flow show delays shows its newest run."
)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("load", f"{NO_OUTPUT.format('load')} {OF_RUNS.format('load')}"),
        ("double[1]", f"{NO_OUTPUT.format('double[1]')} {OF_RUNS.format('double[1]')}"),
        ("publish", NO_OUTPUT.format("publish")),  # it has none: the run waits above it
        ("delays", OF_A_FLOW),
    ],
)
def test_outputs_that_only_runs_stored_are_found_from_the_cache(shell, name, message):
    _flow(shell)

    with pytest.raises(UsageError) as raised:
        shell.run_line_magic("cache", name)

    assert str(raised.value) == message


def test_a_flow_that_only_the_store_knows_is_told_from_a_task(shell):
    _flow(shell)
    del shell.user_ns["delays"]
    extension.unload(shell)
    extension.load(shell)

    with pytest.raises(
        UsageError, match=r"^delays is a flow, and %cache takes a task\..* yet\. %flow show delays shows"
    ):
        shell.run_line_magic("cache", "delays")


@pytest.mark.parametrize(("wanted", "chosen"), [("list", "list_value"), ("class", "class_value"), ("total", "total_2")])
def test_a_variable_that_is_written_hides_nothing(shell, wanted, chosen):
    shell.user_ns["total"] = 1

    name = assign_variable(shell, wanted, [5])

    assert (name, shell.user_ns[chosen], shell.user_ns["total"]) == (chosen, [5], 1)
    assert wanted == "total" or wanted not in shell.user_ns


def test_what_is_no_time_is_refused_by_the_cache(shell):
    with pytest.raises(UsageError) as raised:
        shell.run_line_magic("cache", "--at tomorrow")

    assert str(raised.value) == (
        "--at 'tomorrow' isn't a time. Write it like '2026-11-20 09:00', 'yesterday 9:00' (local time), '2 hours ago' or "
        "'2026-11-20T08:00:00+00:00'."
    )


def test_a_moment_in_quotes_is_taken_by_the_cache(shell, capsys):
    found = shell.run_line_magic("cache", "--at '2020-11-20 09:00'")

    assert found is None
    assert capsys.readouterr().out == (
        "The cache has no output at 2020-11-20 09:00. @task(cache=True) stores outputs; "
        "flow.history(TASK) lists those of runs.\n"
    )


def test_a_flow_may_be_named_in_quotes(shell):
    _flow(shell)

    with pytest.raises(UsageError, match="There is no run 'two words'"):
        shell.run_line_magic("flow", "show 'two words'")


def test_help_says_what_the_options_are(shell):
    text = shell.magics_manager.magics["cell"]["flow"].__doc__

    assert all(option in text for option in ("--no-run", "--wait", "--executor", "--param"))


def test_unloading_takes_the_magics_away(shell):
    extension.unload(shell)

    assert "flow" not in shell.magics_manager.magics["cell"]
    assert not {"flow", "cache"} & set(shell.magics_manager.magics["line"])


def _keep_paused(count: int, first: int = 0) -> None:
    """Record that many runs of a flow, all of which wait, and as many cache entries."""
    store = open_store()
    with Flow("kept") as flow:
        Parameter("x", default=1)()
    flow_ref, _ = store.runs.store_flow(flow)
    graph = graph_record(flow.compile())
    for number in range(first, first + count):
        store.runs.create(RunRecord(f"kept-{number}", "kept", "test", graph, flow_ref=flow_ref, executor="local"))
        store.ownership.finish(f"kept-{number}", 1, "Paused")
        store.cache.add(CacheEntry("test", "kept", "x", store.values.put(number), run_id=f"kept-{number}"))


def test_runs_are_listed_as_far_as_one_reads_and_where_the_others_are(shell):
    _keep_paused(25)

    listed, waiting = shell.run_line_magic("flow", ""), shell.run_line_magic("flow", "resume")

    newest = [f"kept-{number}" for number in range(24, 4, -1)]
    assert [run.run_id for run in listed] == [run.run_id for run in waiting] == newest
    assert repr(listed).splitlines()[-1] == "The newest 20; flowbook.runs() lists all."
    assert repr(waiting).splitlines()[-1] == "The newest 20; flowbook.runs(state='Paused') lists all."


def test_the_list_of_runs_is_for_people(shell):
    assert repr(shell.run_line_magic("flow", "")) == "No run is recorded here yet."
    run = _flow(shell).last_run

    lines = repr(shell.run_line_magic("flow", "list delays")).splitlines()

    assert lines[0].split() == ["RUN", "FLOW", "STATE", "STARTED", "TOOK", "TASKS", "WHERE", "ID"]
    assert lines[1].split()[:4] == ["1", "delays", "‖", "Paused"]
    assert "just now" in lines[1]
    assert "2 done, approve" in lines[1]
    assert lines[1].endswith(run.run_id[:8])


def test_entries_are_listed_as_far_as_the_browser_would_and_where_the_others_are(shell, capsys, monkeypatch):
    monkeypatch.setattr("flowbook.notebook.cache_display.MOST_ENTRIES", 4)
    _keep_paused(6)

    listed = shell.run_line_magic("cache", "")

    assert listed["created"].is_monotonic_decreasing
    assert len(listed) == 4
    assert capsys.readouterr().out == "The newest 4 entries; flowbook.cache.entries() lists all.\n"


def test_what_is_opened_reads_as_much_however_much_is_kept(shell, monkeypatch):
    monkeypatch.setenv("FLOWBOOK_FRONTEND", "1")
    read = {}
    for first in (0, 600):
        _keep_paused(600, first)
        database = open_store()._database
        rows, reading = [0], database.read

        def counting(*given, rows=rows, reading=reading):
            found = reading(*given)
            rows[0] += len(found)
            return found

        with monkeypatch.context() as patch:
            patch.setattr(database, "read", counting)
            for magic, line in (("flow", ""), ("flow", "resume"), ("cache", ""), ("cache", "x")):
                shell.run_line_magic(magic, line)
                read.setdefault(f"%{magic} {line}", {})[first] = rows[0]
                rows[0] = 0
            Widget.close_all()

    assert all(by[0] > 0 for by in read.values())
    # The panels' own threads look into the store from time to time: a row more or less.
    assert {name: by[600] - by[0] for name, by in read.items() if abs(by[600] - by[0]) > 6} == {}


def test_the_debugger_opens_in_the_frame_that_failed(shell, capsys):
    shell.run_cell("from flowbook import task\n@task\ndef check(missing):\n    return 1 / missing\n")
    shell.run_cell_magic("flow", "broken", "check(0)")

    shell.run_line_magic("flow", "debug broken")

    assert "check failed in" in capsys.readouterr().out
    assert sys.last_traceback.tb_frame.f_locals == {"missing": 0}
    shell.run_cell_magic("flow", "fine", "check(1)")
    with pytest.raises(UsageError, match="Nothing failed in fine, run"):
        shell.run_line_magic("flow", "debug fine")
