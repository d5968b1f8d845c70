"""Messages name commands in a terminal, and no methods."""

from __future__ import annotations

import pytest

from flowbook import Flow, task
from flowbook.cli.command_words import in_commands
from flowbook.cli.main import main
from flowbook.store.event_writer import EventWriter, UnwritableEventError


def test_the_method_is_replaced_by_the_command_with_the_run_as_it_was_named():
    text = in_commands("Its process ended. run.resume() goes on from what is stored.", "delays 4")

    assert text == "Its process ended. `flowbook run resume 'delays 4'` goes on from what is stored."


def test_a_record_that_ends_in_the_middle_says_why_and_how_to_go_on(monkeypatch, capsys):
    @task
    def one():
        monkeypatch.setattr(EventWriter, "write", _refuse)
        return 1

    with Flow("full") as flow:
        one()
    with pytest.warns(UserWarning, match=r"The end of run 1 was not recorded: The disk is full\."):
        flow.run(record=True)

    main(["run", "inspect", "last"])

    assert "Crashed" in (shown := capsys.readouterr().out)
    assert "Its record ends in the middle: The disk is full." in shown


def _refuse(*_):
    msg = "The disk is full."
    raise UnwritableEventError(msg)
