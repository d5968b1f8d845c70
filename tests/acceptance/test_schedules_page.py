"""What `docs/schedules.md` tells a newcomer to do: done, with a kernel, an agent and a shell."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "schedules.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"<!-- (?P<name>[\w. -]+) -->\n\n```\w+\n(?P<text>.*?)```", PAGE, flags=re.DOTALL))
LONG_S = 50.0

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(600)]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a folder of its own, in which everything happens."""
    for name, value in {
        "FLOWBOOK_HOME": str(tmp_path / "home"),
        "FLOWBOOK_KEY_FILE": str(tmp_path / "key"),
        "JPY_SESSION_NAME": str(tmp_path / "quickstart.ipynb"),
        "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}",
        "USER": "ada",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("FLOWBOOK_PROJECT", raising=False)
    return tmp_path


@pytest.fixture
def shell(folder):
    """Return what does the commands of a block of the page, one after another, and gives what they write."""

    def run(block):
        written = []
        for line in BLOCKS[f"shell {block}"].splitlines():
            done = subprocess.run(
                [sys.executable, "-m", "flowbook", *shlex.split(line)[1:]],
                cwd=folder, capture_output=True, text=True, timeout=LONG_S, check=False,
            )  # fmt: skip
            assert (done.returncode, done.stderr) == (0, ""), line
            written.append(done.stdout)
        return written

    return run


@pytest.fixture
def agent(folder):
    """Start the agent as the page does, and end it as Ctrl-C does."""
    words = shlex.split(BLOCKS["shell agent"])
    process = subprocess.Popen(
        [sys.executable, "-m", "flowbook", *words[1:]],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    yield process
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=LONG_S)


@pytest.fixture
def cell(folder):
    """Return what runs a cell in the quickstart's notebook and gives its text; the quickstart itself has run by then."""
    notebook = nbformat.read(ROOT / "notebooks" / "quickstart.ipynb", as_version=4)
    sources = {each.id: each.source for each in notebook.cells if each.cell_type == "code"}
    client = NotebookClient(nbformat.v4.new_notebook(), timeout=LONG_S, resources={"metadata": {"path": str(folder)}})

    def run(source):
        made = nbformat.v4.new_code_cell(source)
        client.nb.cells.append(made)
        client.execute_cell(made, len(client.nb.cells) - 1)
        return "".join(each.get("text") or each["data"].get("text/plain", "") for each in made.outputs)

    with client.setup_kernel():
        for name, source in sources.items():
            run(source)
            if name == "flow":
                run(BLOCKS["cell resume"])  # the report is approved once
        yield run


def same(text):
    """Return a text without what differs from day to day."""
    return re.sub(r"next: .*\.", "next: DUE.", text).strip()


def test_from_the_quickstart_to_a_schedule_an_agent_a_pause_and_its_resume(cell, agent, shell, folder):
    report = folder / "published" / "delays-JFK.csv"
    report.unlink()

    scheduled = cell(BLOCKS["cell schedule"])
    asked, watched = shell("run")
    waiting = cell(BLOCKS["cell waiting"])
    cell(BLOCKS["cell resume"])
    listed, preview = shell("preview")
    paused = cell(BLOCKS["cell off"])

    assert same(scheduled) == same(BLOCKS["said schedule"])
    assert asked.startswith("delays run 2 of delays/quickstart waits for an agent. ")
    assert re.search(r"Paused +approve\n", watched)
    assert re.search(r"delays run 2 is paused\.", watched)
    assert "approve" in waiting
    assert report.read_text().startswith("carrier,name,flights,")
    assert "06:00 on Monday through Friday, Europe/Berlin" in listed
    assert len(re.findall(r"^  \w{3} \d+ \w{3}.* 06:00 CES?T, in ", preview, flags=re.MULTILINE)) == 5
    assert preview.endswith("-m flowbook.engine RUN_ID\n")
    assert paused.endswith("its schedule is paused.\n")
    assert agent.poll() is None


@pytest.fixture
def files(folder):
    """Write the files of the page."""
    for name in ("flows.py", "deployments.yaml", "specs.py", "serve.py"):
        (folder / name).write_text(BLOCKS[f"file {name}"])


@pytest.mark.usefixtures("files")
def test_deployments_of_a_file(shell, folder):
    created, executed = shell("create")
    again = subprocess.run(
        [sys.executable, "-m", "flowbook", "deployment", "create", "specs.py"],
        cwd=folder, capture_output=True, text=True, timeout=LONG_S, check=True,
    )  # fmt: skip

    assert [line.split(" (")[0] for line in created.splitlines()[:2]] == [
        "Created greetings/hourly",
        "Created greetings/mornings",
    ]
    assert executed.endswith("greetings run 1 succeeded.\n")
    assert [line.split(" (")[0] for line in again.stdout.splitlines()[:3]] == [
        "Changed greetings/hourly",
        "Changed greetings/mornings",
        "Created greetings/fridays",
    ]


@pytest.mark.usefixtures("files")
def test_a_flow_is_served_by_a_line(folder):
    line = f"{BLOCKS['file serve.py']}\nprint(served)\nserved.stop()\nserved.wait()\n"

    done = subprocess.run(
        [sys.executable, "-c", line], cwd=folder, capture_output=True, text=True, timeout=LONG_S, check=False
    )

    assert (done.returncode, done.stderr, same(done.stdout).split("; ")[0]) == (
        0,
        "",
        "greetings/served runs every 2 hours",
    )


def test_the_page_names_files_and_commands_that_are_there():
    assert set(BLOCKS) == {
        "cell off", "cell resume", "cell schedule", "cell waiting", "file deployments.yaml", "file flows.py", "file serve.py",
        "file specs.py", "said schedule", "shell agent", "shell create", "shell preview", "shell run",
    }  # fmt: skip
