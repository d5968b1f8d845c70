"""`%flow export flow.py`: a module that runs as a script, and finds what the notebook has cached."""

from __future__ import annotations

import ast
import os
import subprocess
import sys

import pytest
from IPython.core.error import UsageError

import flowbook
from tests.homes import home
from tests.shells import opened

__all__ = ["home"]

SHELL_LINE = "files = get_ipython().getoutput('echo a')"
CELLS = [
    "import math, json\nimport collections as unused\nfrom pathlib import Path\nfrom flowbook import Parameter, task",
    "NOTES = __import__('os').environ['NOTES']  # where tasks note that they ran\nSTALE = 1",
    'RATES = {"EUR": 1}',
    'RATES["USD"] = 2; RATES.update(GBP=3)',
    "1 / 2\nprint('not part of it')",
    '''
def note(name):
    """Say that a task ran."""
    with Path(NOTES).open("a") as file:
        file.write(name + "\\n")
''',
    """
@task
def load(n):
    note("load")
    return [0] * n  # the old version
""",
    """
# Numbers up to n.
@task
def load(n):
    note("load")
    return list(range(n))
""",
    "%%task scale(xs, by=2)\nnote('scale')\ntext = '''a\n  b'''\nys = [x * by * RATES['USD'] for x in xs]\nys",
    "def unneeded():\n    return json",
]
BODY = '''
class Root:
    def of(self, x):
        return math.sqrt(x)

@task
def total(xs):
    note("total")
    return Root().of(sum(xs)), """several
lines"""

rows = load(Parameter("n", default=4))
scaled = scale(rows,
               by=3)
total(scaled)
'''


@pytest.fixture
def shell(tmp_path, monkeypatch):
    monkeypatch.setenv("NOTES", str(tmp_path / "notes"))
    monkeypatch.chdir(tmp_path)
    with opened() as found:
        yield found


def _cells(shell, *cells):
    for cell in cells:
        assert shell.run_cell(cell, store_history=True).success


def _export(shell, capsys, line="export flow.py"):
    capsys.readouterr()
    shell.run_line_magic("flow", line)
    return capsys.readouterr().out.strip()


def test_the_first_run_of_the_module_takes_all_from_the_notebooks_cache(shell, capsys, tmp_path):
    _cells(shell, *CELLS, "%%flow daily --cache --executor threads --param n=5" + BODY)
    assert (tmp_path / "notes").read_text().split() == ["load", "scale", "total"]

    said = _export(shell, capsys)
    done = subprocess.run([sys.executable, "flow.py"], check=True, capture_output=True, text=True, env=dict(os.environ))

    assert said == "Wrote flow.py: flow daily, 3 tasks, from 8 cells. Run it: python flow.py"
    assert (tmp_path / "notes").read_text().split() == ["load", "scale", "total"]
    run = flowbook.run("daily last")
    assert (run.number, run.parameters, run.executor_text.partition(",")[0]) == (2, {"n": 5}, "threads")
    assert {key: type(state).__name__ for key, state in run.states.items()} == {
        "n": "Success",
        "load": "Cached",
        "scale": "Cached",
        "total": "Cached",
    }
    assert done.stdout == ""


def test_the_script_ends_with_1_if_its_run_fails(shell, capsys):
    _cells(
        shell, "from flowbook import task\n\n@task\ndef half(n):\n    return 1 / n", "%%flow halves --no-run\nhalf(0)"
    )
    _export(shell, capsys)

    done = subprocess.run(
        [sys.executable, "flow.py"], check=False, capture_output=True, text=True, env=dict(os.environ)
    )

    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr


def test_a_module_names_the_notebook_that_it_came_from(shell, capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("JPY_SESSION_NAME", "work/delays.ipynb")
    _cells(shell, *CELLS, "%%flow daily" + BODY)
    _export(shell, capsys)

    first = (tmp_path / "flow.py").read_text().splitlines()[0]

    assert first == '"""Flow daily, exported from a notebook by flowbook: delays.ipynb.'


def test_only_what_matters_is_in_it_imports_first(shell, capsys, tmp_path):
    _cells(shell, *CELLS, "%%flow daily --incremental" + BODY)
    _export(shell, capsys)

    text = (tmp_path / "flow.py").read_text()
    names = [getattr(each, "name", None) for each in ast.parse(text).body if hasattr(each, "name")]

    assert text.startswith('"""Flow daily, exported from a notebook by flowbook')
    assert "import math\nfrom pathlib import Path\n\nfrom flowbook import Flow, Parameter, task\n" in text
    assert names == ["note", "load", "scale", "Root", "total"]
    assert "# Numbers up to n.\n@task\ndef load(n):" in text
    assert "NOTES = __import__('os').environ['NOTES']  # where tasks note that they ran\n" in text
    assert all(word not in text for word in ("unused", "json", "STALE", "old version", "not part of it", "get_ipython"))
    assert "with Flow('daily', cache='incremental') as daily:\n    rows = load(Parameter(\"n\", default=4))\n" in text
    assert text.endswith('if __name__ == "__main__":\n    raise SystemExit(daily.run(record=True).is_failed())\n')


def test_an_import_of_everything_becomes_one_of_what_is_needed(shell, capsys, tmp_path):
    cell = "from flowbook import *\nfrom math import *\n\n@task\ndef root(x):\n    return sqrt(x)"
    _cells(shell, cell, "%%flow roots --no-run\nroot(4)")
    _export(shell, capsys)

    text = (tmp_path / "flow.py").read_text()

    assert "from math import sqrt\n\nfrom flowbook import Flow, task\n" in text


def test_it_may_be_exported_again_and_replaces_no_other_file(shell, capsys, tmp_path):
    (tmp_path / "mine.py").write_text("x = 1\n")
    _cells(shell, *CELLS, "%%flow daily --no-run" + BODY)
    _export(shell, capsys)
    _export(shell, capsys)

    with pytest.raises(UsageError) as refused:
        shell.run_line_magic("flow", "export mine.py daily")

    assert (
        str(refused.value)
        == "mine.py is there already and wasn't exported by flowbook. Give another file, or move it away."
    )
    assert (tmp_path / "mine.py").read_text() == "x = 1\n"


@pytest.mark.parametrize(
    ("cells", "lines"),
    [
        (["x = 1", "x = x + 1"], ["x = 1", "x = x + 1"]),
        (["x = 1", "y = 5", "x += y", "x -= 1"], ["x = 1", "y = 5", "x += y", "x -= 1"]),
        (
            ["x = [1]", "x.append(2)", "x = sorted(x)", "x.append(3)"],
            ["x = [1]", "x.append(2)", "x = sorted(x)", "x.append(3)"],
        ),
        (["x = 1", "if True:\n    x = 2\nelse:\n    x = 3"], ["if True:", "    x = 2", "else:", "    x = 3"]),
        (["x = 1", "if False:\n    x = 2"], ["x = 1", "if False:", "    x = 2"]),
        (["x = 1", "for n in range(2):\n    x += n"], ["x = 1", "for n in range(2):", "    x += n"]),
        (["for x in 'ab':\n    print(x)", "for x in range(2):\n    print(x)"], ["for x in range(2):", "    print(x)"]),
        (["x = 1", "try:\n    import nowhere as x\nexcept ImportError:\n    pass"], None),
        (["x = 1", "with open('f', 'w') as x:\n    pass", "x = 4"], ["x = 4"]),
        (["%%time\nx = 1"], ["x = 1"]),
        (["%%capture caught\nx = 2\nprint(x)"], ["x = 2"]),
        (["%time x = 3"], ["x = 3"]),
        (["def x():\n    return 1", "def x(n=1):\n    return x(n - 1) if n else 1"], None),
    ],
)
def test_a_name_comes_with_what_it_goes_on_from_and_nothing_older(shell, capsys, tmp_path, cells, lines):
    _cells(
        shell, *cells, "from flowbook import task\n@task\ndef read(name):\n    return str(x(2) if callable(x) else x)"
    )
    _cells(shell, "%%flow daily --cache\nread(1)")

    _export(shell, capsys)
    subprocess.run([sys.executable, "flow.py"], check=True, capture_output=True, env=dict(os.environ))

    text = (tmp_path / "flow.py").read_text()
    found = text.partition("from flowbook import Flow, task\n")[2].partition("\n@task")[0]
    assert lines is None or [line for line in found.splitlines() if line.strip()] == lines
    assert type(flowbook.run("daily 2")["read"]).__name__ == "Cached"


def test_a_flow_may_go_on_from_what_a_cell_sets(shell, capsys):
    _cells(shell, "from flowbook import task\n@task\ndef read(name):\n    return name", "name = 'a'")
    _cells(shell, "%%flow daily --cache\nname = name.upper()\nread(name)")

    said = _export(shell, capsys)
    subprocess.run([sys.executable, "flow.py"], check=True, capture_output=True, env=dict(os.environ))

    assert said == "Wrote flow.py: flow daily, 1 task, from 3 cells. Run it: python flow.py"
    assert type(flowbook.run("daily 2")["read"]).__name__ == "Cached"


@pytest.mark.parametrize(
    ("cells", "body", "line"),
    [
        (
            ["files = await __import__('asyncio').sleep(0, 'a')"],
            "read(1)",
            "files = await __import__('asyncio').sleep(0, 'a')",
        ),
        (["files = 1"], "names = !echo a\nread(names)", "names = get_ipython().getoutput('echo a')"),
    ],
)
def test_what_only_a_notebook_can_run_is_not_written(shell, tmp_path, cells, body, line):
    _cells(shell, "from flowbook import task\n@task\ndef read(name):\n    return files", *cells)
    _cells(shell, f"%%flow daily --no-run\n{body}")

    with pytest.raises(UsageError) as refused:
        shell.run_line_magic("flow", "export flow.py daily")

    assert str(refused.value).startswith("Only a notebook can run this, and flow 'daily' needs what it gives: ")
    assert line[:50] in str(refused.value)
    assert not (tmp_path / "flow.py").exists()


@pytest.mark.parametrize(
    ("cells", "line", "message"),
    [
        ([], "export", "%flow export: where to? Write %flow export FILE.py [FLOW] | FILE.html [RUN]."),
        (
            [],
            "export flow.txt daily",
            "%flow export flow.txt: give a file that ends in .py, for the flow, or in .html, for a run.",
        ),
        ([], "export nowhere/flow.py daily", "There is no folder nowhere. Make it first, or give another file."),
        ([], "export flow.py nobody", "There is no flow 'nobody' in this notebook. Those there are: daily."),
        (
            ["files = !echo a"],
            "export flow.py daily",
            f"Only a notebook can run this, and flow 'daily' needs what it gives: {SHELL_LINE}. Write it in Python.",
        ),
        (
            [],
            "export flow.py daily",
            "No cell of this kernel sets files, which flow 'daily' needs. Run the cells that do, then export again.",
        ),
    ],
)
def test_what_can_not_be_exported_is_said_in_one_line(shell, cells, line, message):
    shell.user_ns["files"] = ["a"]
    _cells(shell, "from flowbook import task\n@task\ndef read(name):\n    return files", *cells)
    _cells(shell, "%%flow daily --no-run\nread(1)")

    with pytest.raises(UsageError) as refused:
        shell.run_line_magic("flow", line)

    assert str(refused.value) == message


def test_a_run_is_exported_as_a_report(shell, capsys, tmp_path):
    _cells(shell, *CELLS)
    shell.run_cell_magic("flow", "daily --wait --quiet", BODY)

    said = _export(shell, capsys, "export report.html")

    assert said.startswith("Wrote report.html: run 1 of daily, 0.")
    assert "<!-- flowbook report -->" in (tmp_path / "report.html").read_text("utf-8")


def test_a_wrong_file_is_refused_before_a_flow_is_asked_for(shell):
    with pytest.raises(UsageError) as refused:
        shell.run_line_magic("flow", "export nope")

    assert (
        str(refused.value) == "%flow export nope: give a file that ends in .py, for the flow, or in .html, for a run."
    )
