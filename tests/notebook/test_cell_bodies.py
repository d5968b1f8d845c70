"""What IPython does with a cell, `CellBodies` does with a body."""

from __future__ import annotations

import ast
import re

import pytest
from IPython.core.interactiveshell import InteractiveShell

from flowbook.notebook.cell_bodies import CellBodies

#: Beginning with a comment, as bodies of `%%flow` do.
BODIES = {
    "statements": "x = 1\ny = x + 1",
    "a last expression": "x = 1\nx + 1",
    "a last expression that is None": "x = 1\nprint(x)",
    "an expression that isn't the last": "x = 1\nx\ny = 2",
    "a semicolon at its end": "x = 1\nx;",
    "a text over lines": "x = '''\n%who\n!ls\n'''\nx",
    "a function": "def f(x):\n    return x\n\nf(2)",
    "nothing but a comment": "# nothing",
    "an error": "x = 1\n1 / 0\nx = 2",
    "an error in the last expression": "x = 1\nx / 0",
    "an error in a function": "def f():\n    raise KeyError('k')\n\nf()",
    "no Python": "x = = 1",
    "a wrong indent": "  x = 1\n y = 2",
    "a return": "x = 1\nreturn x",
    "a late import from the future": "x = 1\nfrom __future__ import annotations\nx",
    "an exit": "raise SystemExit(1)",
    "a magic": "%precision 3\nx = 1\n1 / 3",
    "a magic that is assigned": "x = %pwd\nlen(x) > 0",
    "an indent of all lines": "    x = 1\n    x",
    "no line break at its end": "x = 1\nx",
}


@pytest.fixture
def shell(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    opened = InteractiveShell()
    opened.colors = "nocolor"
    yield opened
    opened.history_manager.end_session()


def _seen(shell, capsys, run):
    """Return what a run shows, what it raised, which events came, and what the variables are."""
    events = []
    listeners = {
        name: (lambda *given, name=name: events.append((name, *(type(each).__name__ for each in given))))
        for name in ("pre_execute", "pre_run_cell", "post_execute", "post_run_cell")
    }
    for name, listener in listeners.items():
        shell.events.register(name, listener)
    shell.user_ns.pop("x", None)
    capsys.readouterr()
    error = run()
    for name, listener in listeners.items():
        shell.events.unregister(name, listener)
    shown = capsys.readouterr()
    last = shell.last_execution_result
    return (
        (
            #: Outside of a cell, IPython gives the number of the next one.
            re.sub(r"<ipython-input-\d+", "<ipython-input", shown.out),
            shown.err,
            type(error),
            str(error),
            events,
            repr(shell.user_ns.get("x")),
            repr(shell.user_ns.get("_")),
        ),
        (shell.last_execution_succeeded, type(last.error_in_exec), type(last.error_before_exec), repr(last.result)),
        #: Not the number of the cell, which IPython 8 leaves out here and IPython 9 gives.
        (last.info.raw_cell, last.info.store_history, last.info.silent),
    )


@pytest.mark.filterwarnings("ignore:To exit")  # IPython's own, of an exit
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_body_shows_and_raises_what_it_would_as_a_cell(shell, capsys, body):
    source = f"# %%flow daily\n{body}" + ("\n" if body != BODIES["no line break at its end"] else "")
    bodies = CellBodies(shell)

    def as_cell():
        result = shell.run_cell(source, store_history=False)
        return result.error_before_exec or result.error_in_exec

    expected = _seen(shell, capsys, as_cell)
    first, again = (_seen(shell, capsys, lambda: bodies.run("daily", source)) for _ in range(2))

    assert first == expected
    assert again == expected


def test_an_error_names_the_number_of_the_cell_that_it_is_in(shell, capsys):
    bodies = CellBodies(shell)
    shell.user_ns["run"] = lambda: bodies.run("daily", "# %%flow daily\n1 / 0\n")

    for number in (1, 2):
        shell.run_cell("run()", store_history=True)

        assert f"<ipython-input-{number}-" in capsys.readouterr().out


def _code_of_f(shell):
    return shell.user_ns["f"].__code__


def test_a_body_that_runs_again_is_not_compiled_again(shell):
    bodies = CellBodies(shell)
    source = "def f():\n    return 1\n"
    bodies.run("daily", source)
    before = _code_of_f(shell)

    bodies.run("daily", source)

    assert _code_of_f(shell) is before


def test_a_body_that_was_edited_runs_as_it_is_now(shell):
    bodies = CellBodies(shell)
    for number in (1, 2, 1):
        bodies.run("daily", f"x = {number}\n")

        assert shell.user_ns["x"] == number


def test_a_body_is_compiled_again_once_the_notebook_imports_from_the_future(shell):
    bodies = CellBodies(shell)
    source = "def f(x: int): ...\n"
    bodies.run("daily", source)
    before = shell.user_ns["f"].__annotations__

    shell.run_cell("from __future__ import annotations")
    bodies.run("daily", source)

    assert (before, shell.user_ns["f"].__annotations__) == ({"x": int}, {"x": "int"})


class _OneForTwo(ast.NodeTransformer):
    def visit_Constant(self, node):  # the name that `ast` asks for
        return ast.Constant(1) if node.value == 2 else node


def test_how_the_person_changes_what_cells_mean_counts_from_the_next_run_on(shell):
    bodies = CellBodies(shell)
    found = []

    def run():
        assert bodies.run("daily", "x = 2\n") is None
        found.append(shell.user_ns["x"])

    run()
    shell.ast_transformers.append(_OneForTwo())
    run()
    shell.ast_transformers.clear()
    shell.input_transformers_post.append(lambda lines: [line.replace("2", "3") for line in lines])
    run()
    shell.input_transformers_post.clear()
    shell.input_transformers_cleanup.append(lambda lines: [line.replace("2", "4") for line in lines])
    run()

    assert found == [2, 1, 3, 4]


def test_a_last_assignment_is_shown_where_the_person_wants_that(shell, capsys):
    bodies = CellBodies(shell)
    bodies.run("daily", "x = 2\n")
    before = capsys.readouterr().out

    shell.ast_node_interactivity = "last_expr_or_assign"
    bodies.run("daily", "x = 2\n")

    assert (before, capsys.readouterr().out.partition("]: ")[2]) == ("", "2\n")
