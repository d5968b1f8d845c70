"""`flowbook run logs --follow`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.cli import run
from flowbook.cli.main import main
from flowbook.engine.events import Logged
from flowbook.store import open_store
from tests.store.run_helpers import begin

if TYPE_CHECKING:
    import pytest


def test_what_is_stored_after_newer_events_is_written_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store()
    recorder = begin(store)
    for number in (1, 3):
        recorder.emit(Logged(number, "task", 1.0, 20, f"line {number}"))
    recorder.flush()
    states = iter(["Running", "Success"])

    def state_of(_: object) -> str:
        state = next(states)
        if state == "Success":
            recorder.emit(Logged(2, "task", 1.0, 20, "line 2"))
            recorder.close()
        return state

    monkeypatch.setattr(run, "shown_state", state_of)
    monkeypatch.setattr(run, "_FOLLOW_S", 0.0)

    assert main(["run", "logs", "r1", "--follow"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert [line.partition("  ")[2].split()[-1] for line in lines] == ["1", "3", "2"]
