"""What the system refuses a command is said in words: a full disk for its output, a working folder that is gone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flowbook.cli.main import main
from tests.scripts import ROOT

FLOWS = "from flowbook import flow, task\n@task\ndef one():\n    return 1\n@flow\ndef f():\n    one()\n"
FULL = Path("/dev/full")
GONE = (
    "flowbook: The folder in which this process works is gone: No such file or directory. "
    "Go to another one: cd, or os.chdir in Python.\n"
)


def flowbook(*words, **options):
    """Run a command in a process of its own; return its exit code and what it wrote to stderr."""
    done = subprocess.run(
        [sys.executable, "-m", "flowbook", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        **options,
    )
    return done.returncode, done.stderr


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("words", [["run", "ls"], ["version"]])
def test_output_that_cannot_be_written_fails_in_one_sentence(words):
    with FULL.open("w") as full:
        said = flowbook(*words, stdout=full)

    why = "No space left on device"
    assert said == (1, f"flowbook: What is to be shown can't be written: {why}. Send it to another place.\n")


def test_a_command_without_any_output_does_its_work():
    command = '"$0" -m flowbook run ls --json >&-'

    done = subprocess.run(
        ["sh", "-c", command, sys.executable],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "words", [["run", "start", "flows.py:f"], ["run", "start", "FILE:f", "--detach"], ["run", "inspect", "last"]]
)
def test_a_working_folder_that_is_gone_is_said(words, tmp_path, monkeypatch):
    monkeypatch.delenv("FLOWBOOK_PROJECT", raising=False)
    (tmp_path / "flows.py").write_text(FLOWS)
    (tmp_path / "gone").mkdir()
    #: With -P, as for the installed command: where the working folder is on `sys.path`, Python 3.13.0 can't import `socket`.
    program = (
        "import os, sys; os.chdir(sys.argv.pop(1)); os.rmdir(os.getcwd()); "
        "from flowbook.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )

    done = subprocess.run(
        [
            sys.executable,
            "-P",
            "-c",
            program,
            "gone",
            *[word.replace("FILE", f"{tmp_path}/flows.py") for word in words],
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (1, "", GONE)


def test_a_file_that_exits_is_refused(tmp_path, capsys):
    file = tmp_path / "exits.py"
    file.write_text("import sys\nsys.exit(3)\n")

    code = main(["run", "start", f"{file}:f"])

    message = f"flowbook: {file} can't be run: SystemExit: 3 (line 2). Give a Python file that makes the flow.\n"
    assert (code, capsys.readouterr().err) == (2, message)


def test_a_colon_without_a_name_asks_for_the_name(tmp_path, capsys):
    file = tmp_path / "two.py"
    file.write_text(FLOWS + "@flow\ndef g():\n    one()\n")

    code = main(["run", "start", f"{file}:"])

    message = f"flowbook: {file} holds 2 flows: 'f', 'g'. Say which: give its name too.\n"
    assert (code, capsys.readouterr().err) == (2, message)
