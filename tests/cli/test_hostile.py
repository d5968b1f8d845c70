"""The command line takes any text: it is refused clearly or found, and nothing happens beside."""

from __future__ import annotations

import pytest

from flowbook import Flow, task, triggers
from flowbook.cli.main import main
from tests.hostile import HOSTILE

#: Where a person's text may stand.
PLACES = {
    "the run": lambda text: ["run", "inspect", "--", text],
    "the run of logs": lambda text: ["run", "logs", "--", text],
    "the run to resume": lambda text: ["run", "resume", "--", text],
    "the run to retry": lambda text: ["run", "retry", "--", text],
    "the run to cancel": lambda text: ["run", "cancel", "--", text],
    "the task to resume": lambda text: ["run", "resume", "RUN", "--", text],
    "the task of logs": lambda text: ["run", "logs", "RUN", f"--task={text}"],
    "the file with the flow": lambda text: ["run", "resume", "RUN", f"--flow={text}"],
    "the flow to list": lambda text: ["run", "ls", f"--flow={text}"],
    "the state to list": lambda text: ["run", "ls", f"--state={text}"],
    "the limit": lambda text: ["run", "ls", f"--limit={text}"],
    "the file to import": lambda text: ["run", "import", "--", text],
    "the entry": lambda text: ["cache", "show", "--", text],
    "the entry to expire": lambda text: ["cache", "expire", "--", text],
    "the task of entries": lambda text: ["cache", "ls", f"--task={text}"],
    "the moment": lambda text: ["cache", "ls", f"--at={text}"],
    "the age": lambda text: ["cache", "gc", "--dry-run", f"--older-than={text}"],
    "the room": lambda text: ["cache", "gc", "--dry-run", f"--total-bytes={text}"],
    "the command": lambda text: [text],
}


@pytest.fixture
def run_id(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    @task(trigger=triggers.manual_only)
    def waits():
        return 1

    with Flow("f") as flow:
        waits()
    flow.run(record=True)
    return flow.last_run.run_id


@pytest.mark.parametrize("place", PLACES)
def test_any_text_is_refused_clearly_or_found(place, run_id, capsys, tmp_path):
    before = sorted(path for path in tmp_path.rglob("*") if "home" not in path.parts)

    for text in HOSTILE:
        words = [run_id if word == "RUN" else word for word in PLACES[place](text)]
        try:
            code = main(words)
        except SystemExit as wrong_usage:
            code = wrong_usage.code
        said = capsys.readouterr()
        assert code in (0, 1, 2), text
        assert (code == 0) == (not said.err), text
        assert "Traceback" not in said.err
        assert "\x1b" not in said.out + said.err, text

    assert sorted(path for path in tmp_path.rglob("*") if "home" not in path.parts) == before
    assert main(["run", "inspect", run_id]) == 0
    assert "Paused" in capsys.readouterr().out
