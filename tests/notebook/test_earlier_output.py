"""`%flow run FLOW --below TASK`: what lies below an earlier output, from a cell."""

from __future__ import annotations

import pytest
from IPython.core.error import UsageError

from flowbook.flow_run.run_names import _SAY_HOW
from flowbook.flow_run.times import _EXAMPLES
from flowbook.store import open_store
from tests.homes import home
from tests.shells import opened

__all__ = ["home"]

TASKS = """
from flowbook import Flow, Parameter, task
calls = []

@task(cache=True)
def load(n):
    calls.append("load")
    return [n] * 3

@task
def total(rows, n):
    calls.append("total")
    return sum(rows), n

@task
def publish(found):
    calls.append("publish")
    return found
"""
BODY = 'n = Parameter("n", default=1)\npublish(total(load(n), n))'


@pytest.fixture
def shell():
    with opened(TASKS, f"%%flow sums --quiet --param n=5\n{BODY}", f"%%flow sums --quiet\n{BODY}") as found:
        found.user_ns["calls"].clear()
        yield found


def _found(shell):
    return shell.user_ns["calls"], shell.user_ns["sums"].last_run["publish"].result


def test_what_lies_below_runs_with_the_output_and_the_parameters_of_a_run(shell, capsys):
    shell.run_line_magic("flow", "run sums --below load --of 1")

    assert _found(shell) == (["total", "publish"], (15, 5))
    said = capsys.readouterr().out.splitlines()[0]
    assert said.startswith("sums run 3 runs what lies below load, from ")
    assert said.endswith(" (load of run 1).")


def test_a_parameter_on_the_line_comes_before_that_of_the_run(shell):
    shell.run_line_magic("flow", "run sums --below load --of 1 --param n=7")

    assert _found(shell) == (["total", "publish"], (15, 7))


def test_a_moment_names_the_output_that_was_the_newest_then(shell):
    first = min(open_store().runs.list(flow="sums"), key=lambda run: run.number)

    shell.run_line_magic("flow", f"run sums --below load --at {first.ended.isoformat()}")

    assert _found(shell) == (["total", "publish"], (15, 5))


def test_without_a_moment_it_is_the_newest_output(shell):
    shell.run_line_magic("flow", "run sums --below load")

    assert _found(shell) == (["total", "publish"], (3, 1))


def test_the_plan_says_the_same_and_runs_nothing(shell):
    plan = shell.run_line_magic("flow", "plan sums --below load --of 1")

    assert [(each.key, each.outcome) for each in plan.tasks] == [
        ("load", "keep"),
        ("total", "run"),
        ("publish", "run"),
    ]
    assert shell.user_ns["calls"] == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("run sums --of 1", "--of says which output --below TASK takes. Write --below TASK --of '1'."),
        ("plan sums --at yesterday", "--at says which output --below TASK takes. Write --below TASK --at 'yesterday'."),
        (
            "run sums --below load --at now --of 1",
            "--at and --of both say which output to take. Give one of them.",
        ),
        (
            "run sums --below load --only total",
            "--below already says what runs: all that lies below load. Leave out --only, or --below.",
        ),
        (
            "plan sums total --below load",
            "--below already says what runs: all that lies below load. Leave out total, or --below.",
        ),
        (
            "run sums --below publish",
            "Nothing lies below publish, so there is nothing to run with an earlier output of it.",
        ),
        (
            "run sums --below load --at soon",
            f"--at 'soon' isn't a time. Write it like {_EXAMPLES}.",
        ),
        ("run sums --below laod", "Flow 'sums' has no task 'laod'. Did you mean 'load'?"),
        (
            "run sums --below load --of 9",
            f"There is no run '9' in this store. {_SAY_HOW}",
        ),
        (
            "run sums --below load --of 'other 1'",
            "--of other 1 is run 1 of other, not of sums. %flow list sums lists its runs.",
        ),
        ("show sums --below load", "%flow show takes no --below; that is for plan, run."),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(shell, line, message):
    shell.run_cell_magic("flow", "other --quiet", "load(1)")

    with pytest.raises(UsageError) as caught:
        shell.run_line_magic("flow", line)

    assert str(caught.value) == message
