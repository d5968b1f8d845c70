"""`%%task NAME(a, b)` makes a task of a cell."""

from __future__ import annotations

import asyncio

import pytest
from IPython.core.error import UsageError

from tests.homes import home
from tests.shells import opened

__all__ = ["home"]


@pytest.fixture
def shell():
    with opened() as found:
        yield found


def _task(shell, line, cell):
    shell.run_cell_magic("task", line, cell)
    return shell.user_ns[line.partition("(")[0].strip()]


def test_the_last_expression_is_what_the_task_gives(shell):
    double = _task(shell, "double(x, times=2)", "y = x * times\ny")

    assert double.run(4) == 8
    assert "y" not in shell.user_ns


def test_a_return_counts_as_in_a_function(shell):
    sign = _task(shell, "sign(x)", "if x < 0:\n    return -1\nreturn 1")

    assert [sign.run(-5), sign.run(5)] == [-1, 1]


def test_it_sees_the_notebooks_names_of_the_moment(shell):
    shell.run_cell("LIMIT = 3")
    cap = _task(shell, "cap(x)", "min(x, LIMIT)")
    shell.run_cell("LIMIT = 2")

    assert cap.run(9) == 2


def test_options_follow_the_signature(shell):
    made = _task(shell, "fetch(url='a, b)'), cache=True, max_retries=2, retry_delay=1", "url")

    assert (made.run(), made.cache, made.max_retries) == ("a, b)", True, 2)


def test_a_cell_that_awaits_is_an_async_task(shell):
    wait = _task(shell, "wait(x)", "import asyncio\nawait asyncio.sleep(0)\nx + 1")

    assert asyncio.run(wait.run(1)) == 2


def test_it_runs_in_a_flow_and_a_traceback_counts_the_lines_of_the_cell(shell, capsys):
    _task(shell, "divide(x)", "y = 1\ny / x")
    shell.run_cell_magic("flow", "division", "divide(0)")
    run = shell.user_ns["division"].last_run

    error = run["divide"].result
    assert type(error) is ZeroDivisionError
    lines = []
    trace = error.__traceback__
    while trace is not None:
        lines.append((trace.tb_frame.f_code.co_name, trace.tb_lineno))
        trace = trace.tb_next
    assert lines[-1] == ("divide", 3)
    assert "division, run 1: Failed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "cell", "message"),
    [
        ("", "1", "%%task needs a name. "),
        ("double", "1", "%%task double: that isn't a name with its arguments. "),
        ("double(x", "1", "%%task double(x: that isn't a name with its arguments. "),
        ("double(x) cache", "1", "%%task double(x) cache: that isn't a name with its arguments. "),
        ("double(x), cache", "1", "%%task double: 'cache' aren't options: name 'cache' is not defined. "),
        ("double(x)", "# nothing", "%%task double(x): the cell is empty. Write what the task does."),
        ("double(x), chache=True", "x", "Task 'double' has no option 'chache'."),
    ],
)
def test_a_wrong_line_is_one_line(shell, line, cell, message):
    with pytest.raises(UsageError) as caught:
        shell.run_cell_magic("task", line or " ", cell)

    assert str(caught.value).startswith(message)


def test_a_cell_that_is_no_python_shows_its_own_line_only(shell, capsys):
    result = shell.run_cell("%%task clean(rows)\nkept = = 1\n")

    shown = capsys.readouterr()
    assert isinstance(result.error_in_exec, SyntaxError)
    assert "kept = = 1" in shown.out + shown.err
    assert "definition_of_cell" not in shown.out + shown.err
