"""What a list says of a run from a script: where it was started."""

import os
import subprocess
import sys

import pytest

from flowbook.cli.main import main
from flowbook.flow_run.program_name import program_name
from tests.scripts import ROOT

SCRIPT = """
from flowbook import Flow, task

@task
def load():
    return 1

with Flow("delays") as flow:
    load()
flow.run(record=True)
"""


@pytest.mark.parametrize(
    ("argv", "name"),
    [
        (["/scripts/nightly.py", "--all"], "nightly.py"),
        (["nightly.py"], "nightly.py"),
        (["/usr/bin/flowbook", "run", "start"], "flowbook"),
        (["/site/reports/__main__.py"], "reports"),
        (["-c"], "python -c"),
        ([""], "Python prompt"),
        ([], "Python prompt"),
    ],
)
def test_a_program_is_called_by_its_file(argv, name, monkeypatch):
    monkeypatch.setattr(sys, "argv", argv)
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)

    assert program_name() == name


@pytest.mark.parametrize(("session", "name"), [("work/delays.ipynb", "delays.ipynb"), ("", "notebook")])
def test_a_kernel_is_called_by_its_notebook(session, name, monkeypatch):
    monkeypatch.setitem(sys.modules, "ipykernel", sys)
    monkeypatch.setenv("JPY_SESSION_NAME", session)

    assert program_name() == name


def test_a_run_from_a_script_says_so_in_the_list(tmp_path, capsys):
    (tmp_path / "nightly.py").write_text(SCRIPT)
    command = [sys.executable, "nightly.py"]

    subprocess.run(command, check=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert main(["run", "ls"]) == 0

    heading, line, *_ = capsys.readouterr().out.splitlines()
    assert (heading.split()[-1], line.split()[-1]) == ("WHERE", "nightly.py")
