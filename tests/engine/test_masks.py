from __future__ import annotations

import pickle
import sys
from collections import ChainMap, UserDict, UserList
from collections.abc import Mapping
from types import MappingProxyType

import pytest

from flowbook import Flow, Secret, context, task
from flowbook.engine.masks import Masks
from flowbook.engine.state import Failed, RemoteError, Success
from flowbook.engine.task_runner import TaskRunner
from flowbook.executors import LocalDaskExecutor
from tests.executors_of import everywhere

TOKEN = "hunter2-tok"
PASSWORD = "pass word/1"


class StubbornError(Exception):
    """Its text can't be changed."""

    def __str__(self):
        return f"no entry for {TOKEN}"


@task(log_stdout=True)
def log_in(token, password):
    sys.stdout.write(f"print {token.get()}\n")
    context.logger.warning("log %s", password.get())
    try:
        {}[token.get()]
    except KeyError as error:
        message = f"can't log in with {password.get()}"
        raise ValueError(message, {"token": token.get()}) from error


def said_by(run):
    return "\n".join([repr(run.events()), *(line.text for line in run.logs()), *map(str, run.states.values())])


def run_it(executor=None):
    notes = []
    with Flow("f") as flow:
        log_in(
            Secret("tok"), Secret("password"), task_args={"on_failure": lambda _, state: notes.append(state.message)}
        )
    with context(secrets={"password": PASSWORD}):
        flow.run(record=False, executor=executor)
    return flow.last_run, notes


@everywhere
def test_a_secret_that_a_task_says_is_hidden_in_logs_prints_messages_and_exceptions(executor, monkeypatch):
    monkeypatch.setenv("FLOWBOOK_SECRET_TOK", TOKEN)

    run, notes = run_it(executor)

    error = run["log_in"].result
    everything = said_by(run) + repr(error) + repr(error.__cause__) + str(notes)
    assert (TOKEN in everything, PASSWORD in everything) == (False, False)
    assert [line.text for line in run.logs("log_in")] == ["print *****", "log *****"]
    assert isinstance(error, ValueError)
    assert error.args == ("can't log in with *****", {"token": "*****"})


def test_a_secret_is_hidden_on_its_way_from_another_process(monkeypatch):
    monkeypatch.setenv("FLOWBOOK_SECRET_TOK", TOKEN)

    run, _ = run_it(LocalDaskExecutor("processes", num_workers=1))

    everything = said_by(run).encode() + pickle.dumps(run["log_in"])
    assert (TOKEN.encode() in everything, PASSWORD.encode() in everything) == (False, False)
    assert [line.text for line in run.logs("log_in")] == ["print *****", "log *****"]


def test_an_exception_whose_text_can_not_be_changed_gives_way_to_a_stand_in():
    error = Masks([TOKEN]).error(StubbornError())

    assert isinstance(error, RemoteError)
    assert (error.type_name, str(error)) == ("StubbornError", "StubbornError: no entry for *****")
    assert TOKEN not in error.formatted


def test_an_exception_group_is_searched_through():
    group = ExceptionGroup("several", [ValueError(TOKEN), OSError(2, "no such file", f"/tmp/{TOKEN}")])

    error = Masks([TOKEN]).error(group)

    assert TOKEN not in repr(error) + str(error)


@pytest.mark.parametrize(
    ("secret", "said", "shown"),
    [
        (TOKEN, f"as {TOKEN}.", "as *****."),
        (b"bytes-too", "as bytes-too.", "as *****."),
        ({"user": "ann-marie", "keys": ["k-1-k", None, True]}, "ann-marie k-1-k None True", "***** ***** None True"),
        (31415926, "pin 31415926", "pin *****"),
        ("a'b\tc", repr("a'b\tc"), '"*****"'),
        (PASSWORD, "https://me:pass%20word%2F1@host", "https://me:*****@host"),
        ("first line of key\nsecond line of key", "second line of key", "*****"),
        ("ab", "ab", "ab"),
        ("", "", ""),
    ],
)
def test_a_secret_is_found_in_whatever_shape_it_is_said(secret, said, shown):
    assert Masks([secret]).text(said) == shown


def test_of_two_secrets_the_longer_is_hidden_first():
    assert Masks(["abc", "abcdef"]).text("abcdef abc") == "***** *****"


def test_a_task_run_by_itself_hides_secrets_too(monkeypatch):
    monkeypatch.setenv("FLOWBOOK_SECRET_TOK", TOKEN)

    @task
    def leaks():
        raise ValueError(TOKEN)

    state = TaskRunner(leaks).run()

    assert (type(state), state.message) == (Failed, "ValueError: *****")


def test_values_are_left_alone():
    state = Success(result=TOKEN)

    Masks([TOKEN]).hide_in(state)

    assert state.result == TOKEN


class Vault(Mapping):
    """A mapping that isn't a dict."""

    def __init__(self, values):
        self._values = values

    def __getitem__(self, name):
        return self._values[name]

    def __iter__(self):
        return iter(self._values)

    def __len__(self):
        return len(self._values)


@everywhere
@pytest.mark.parametrize("kind", [dict, MappingProxyType, Vault, ChainMap, UserDict])
def test_secrets_in_any_kind_of_mapping_are_hidden(executor, kind):
    @task(log_stdout=True)
    def say():
        sys.stdout.write(f"print {context.secrets['db']['token']}\n")
        context.logger.info("log %s and %s", context.secrets["db"]["token"], context.secrets["list"][0])

    secrets = kind({"db": kind({"token": TOKEN}), "list": UserList([PASSWORD])})
    with Flow("f") as flow:
        say()

    flow.run(executor=executor, context={"secrets": secrets})

    assert [line.text for line in flow.last_run.logs()] == ["print *****", "log ***** and *****"]
