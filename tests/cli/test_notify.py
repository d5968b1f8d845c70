"""`flowbook notify`: adds, lists, tries and removes those who are told of all runs; shows no secret."""

from __future__ import annotations

import io
import json
import sys

import pytest

from flowbook import Flow, task
from flowbook.cli.main import main
from flowbook.notices.sender import sender_of
from flowbook.store import open_store
from tests.notices.servers import webhook

__all__ = ["webhook"]


@pytest.fixture
def notify(capsys):
    """Return what runs the command, and returns its exit code, what it wrote, and what it complained of."""

    def command(*words):
        code = main(["notify", *words])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return command


def test_a_receiver_is_added_listed_without_its_secrets_and_removed(notify):
    added = notify("add", "mailto://ana:s3cret@example.com")
    again = notify("add", "--on", "ended", "mailto://ana:s3cret@example.com")
    command = notify("add", "--json", "--", "env", "flowbook")
    _, listed, _ = notify("ls", "--json")
    _, table, _ = notify("ls")
    removed = notify("remove", "mailto://ana:s3cret@example.com")
    _, left, _ = notify("ls", "--json")

    assert added == (
        0,
        "mailto://ana:***@example.com is told of runs that wait for you or failed. Try it: flowbook notify test 1\n",
        "",
    )
    assert again == (0, "mailto://ana:***@example.com is told of runs that ended. Try it: flowbook notify test 1\n", "")
    assert json.loads(command[1]) == {"id": 2, "to": "env (with 1 argument)", "on": ["waits", "failed"]}
    assert [(each["id"], each["to"], each["on"]) for each in json.loads(listed)] == [
        (1, "mailto://ana:***@example.com", ["ended"]),
        (2, "env (with 1 argument)", ["waits", "failed"]),
    ]
    assert "s3cret" not in listed + table
    assert "waits, failed" in table
    assert removed == (0, "mailto://ana:***@example.com is told of no more runs.\n", "")
    assert [each["id"] for each in json.loads(left)] == [2]


def test_a_url_is_read_from_stdin(notify, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("json://localhost/hook\n"))

    assert notify("add", "-") == (
        0,
        "json://localhost is told of runs that wait for you or failed. Try it: flowbook notify test 1\n",
        "",
    )


def test_the_test_notice_says_who_could_not_be_reached(notify, webhook, tmp_path):
    notify("add", webhook.url)
    program = tmp_path / "gone"
    program.touch(mode=0o700)
    notify("add", "--", str(program))
    program.unlink()
    shown = json.loads(notify("ls", "--json")[1])[0]["to"]

    everybody, one = notify("test"), notify("test", "1")

    assert everybody == (
        1,
        (
            f"1  {shown}  The test notice was delivered.\n"
            f"2  {program}  It was not delivered: {program} can't be started: [Errno 2] No such file or "
            f"directory: '{program}'.\n"
        ),
        "",
    )
    assert one == (0, f"1  {shown}  The test notice was delivered.\n", "")
    assert [body["title"] for body in webhook.bodies] == ["flowbook can reach you"] * 2


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (
            ("add", "pigeon://roof"),
            2,
            (
                "flowbook: flowbook notify add: notify='pigeon://…' names the service pigeon://, which apprise doesn't have. "
                "See https://github.com/caronc/apprise/wiki for its services and their URLs.\n"
            ),
        ),
        (
            ("remove", "json://ana:s3cret@example.com"),
            2,
            "flowbook: No receiver is called 'json://…'. Give a number of `flowbook notify ls`.\n",
        ),
        (("test", "7"), 2, "flowbook: No receiver is called '7'. Give a number of `flowbook notify ls`.\n"),
    ],
)
def test_wrong_use_is_refused(notify, words, code, said):
    if words[0] == "test":
        notify("add", "json://localhost")

    assert notify(*words) == (code, "", said)


def test_nobody_is_told_at_first(notify):
    nobody = "Nobody is told of your runs yet. Add somebody: flowbook notify add mailto://ana:PASSWORD@example.com\n"

    assert notify("ls") == (0, nobody, "")
    assert notify("test") == (1, nobody, "")


def test_what_did_not_arrive_stands_in_the_runs_log(capsys, monkeypatch):
    monkeypatch.setenv("TZ", "UTC")

    @task
    def broken():
        raise ValueError("no such column")

    with Flow("delays", notify=["/no/such/program"]) as flow:
        broken()
    flow.run(record=True)
    assert sender_of(open_store()).wait(20)

    main(["run", "logs", "last", "--json"])

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["task"], line["level"], line["text"]) for line in lines][1:] == [
        (
            "",
            "WARNING",
            (
                "The notice for /no/such/program did not arrive: /no/such/program can't be started: [Errno 2] No such file or "
                "directory: '/no/such/program'; it is sent again in 30 s."
            ),
        )
    ]


def test_a_word_that_is_neither_a_url_nor_a_program_is_refused(notify):
    code, out, err = notify("add", "fooo")

    assert (code, out) == (2, "")
    assert err.startswith("flowbook: 'fooo' is neither a URL nor a program that is found here. Give a URL of apprise")
    assert notify("ls", "--json")[1].strip() == "[]"
