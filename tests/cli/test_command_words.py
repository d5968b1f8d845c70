"""Messages name commands in a terminal, and no methods."""

from __future__ import annotations

import io

import pytest

from flowbook import Flow, task
from flowbook.agent.news import News
from flowbook.cli.agent import _Lines
from flowbook.cli.command_words import in_commands
from flowbook.cli.main import main
from flowbook.cli.output import Output
from flowbook.store.event_writer import EventWriter, UnwritableEventError


def test_the_method_is_replaced_by_the_command_with_the_run_as_it_was_named():
    text = in_commands("Its process ended. run.resume() goes on from what is stored.", "delays 4")

    assert text == "Its process ended. `flowbook run resume 'delays 4'` goes on from what is stored."


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "There is no run '9'; flowbook.runs() lists the runs.",
            "There is no run '9'; `flowbook run ls` lists the runs.",
        ),
        ("flowbook.cache.entries() lists those.", "`flowbook cache ls` lists those."),
        ("Look at it with flowbook.run('0a-1f').", "Look at it with `flowbook run inspect 0a-1f`."),
        ("Give it: flowbook.run('0a1f', flow=...).", "Give it: `flowbook run resume 0a1f --flow FILE`."),
        ("flowbook.run(...) and run.resume() stay.", "flowbook.run(...) and run.resume() stay."),
    ],
)
def test_calls_that_name_their_run_or_need_none_are_replaced_too(text, shown):
    assert in_commands(text) == shown


def test_an_agent_names_the_command_that_goes_on_with_a_run():
    to = io.StringIO()
    text = "delays run 4 is crashed. run.resume() goes on from what is stored."

    _Lines(Output(is_json=False, to=to, errors=to)).tell(News("crashed", text, "0a1b2c3d4e5f", "delays", 4))

    assert to.getvalue().partition("  ")[2] == (
        "delays run 4 is crashed. `flowbook run resume 0a1b2c3d` goes on from what is stored.\n"
    )


@pytest.mark.parametrize("words", [("run", "inspect", "nosuch"), ("cache", "show", "nosuch"), ("run", "logs", "9")])
def test_what_is_not_there_says_which_command_lists_what_there_is(words, capsys):
    Flow("here").run(record=True)

    code = main([*words])

    said = capsys.readouterr().err
    assert code == 1
    assert f"`flowbook {words[0]} ls` lists" in said
    assert "()" not in said


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
