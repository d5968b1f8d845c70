"""What must not be in a store's files, and what must not run when somebody only looks."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

import flowbook
from flowbook import Flow, Parameter, Secret, task, triggers
from flowbook.cli.main import main
from flowbook.engine.state import RemoteError
from flowbook.store import open_store
from tests.executors_of import AWAY, HERE

HIDDEN, OTHER = "correct-horse-battery", "staple-5f1c"


@pytest.fixture
def run(monkeypatch):
    """Return a run that failed, went through a pause, and used two secrets in every way that a flow can."""
    monkeypatch.setenv("FLOWBOOK_SECRET_DB", OTHER)

    @task(cache_for=dt.timedelta(hours=1), log_stdout=True)
    def use(given, other):
        print(given, other)  # noqa: T201  # the task's
        return len(given.get()), len(other.get())

    @task(trigger=triggers.manual_only)
    def wait(found, given):
        return found, given

    @task(max_retries=1, retry_delay=0)
    def fail(given, found):
        raise ValueError(given, found)

    with Flow("secrets") as flow:
        given = Parameter("password")
        fail(Secret("pw"), wait(use(given, Secret("db")), given))
    with flowbook.context(secrets={"pw": HIDDEN}):
        flow.run(password=Secret("pw"), record=True)
        flow.last_run.resume("wait", by="ada").wait(30)
    assert flow.last_run.state.is_failed()
    return flow.last_run


def test_a_secret_is_in_no_file_of_the_store_and_in_no_export(run, tmp_path, capsys):
    open_store().export_run(run.run_id, tmp_path / "exported")
    open_store().close()

    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    for words in (["run", "ls"], ["run", "inspect", run.run_id], ["run", "logs", run.run_id], ["cache", "ls"]):
        main(words)
        main([*words, "--json"])
    said = capsys.readouterr()
    shown = said.out + said.err + flowbook.runs().to_csv() + flowbook.cache.entries().to_csv() + repr(run.events())

    assert {"exported", "store.sqlite"} <= {path.name for path in files}
    for hidden in (HIDDEN, OTHER):
        assert [path for path in files if hidden.encode() in path.read_bytes()] == []
        assert hidden not in shown
    assert "Secret('pw')" in shown


class Marks:
    """Unpickling it leaves a mark."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_looking_unpickles_no_value(tmp_path, capsys):
    mark = tmp_path / "mark"

    @task(cache_for=dt.timedelta(hours=1))
    def make():
        return [Marks(mark)] * 3

    with Flow("marks") as flow:
        copy = make()
    flow.run(record=True)
    run_id = flow.last_run.run_id
    entry = flowbook.cache.entries()["id"].iloc[0]

    flowbook.runs()
    copy.history()
    flow.as_of(dt.datetime.now(dt.UTC)).version("make")
    flow.last_run.timeline()
    open_store().history.states(run_id)
    open_store().history.events(run_id)
    open_store().export_run(run_id, tmp_path / "exported")
    open_store().sweep(dry_run=True)
    for words in (
        ["run", "ls"], ["run", "inspect", run_id], ["run", "logs", run_id], ["cache", "ls"], ["cache", "show", entry],
        ["cache", "gc", "--dry-run"], ["cache", "expire", entry],
    ):  # fmt: skip
        assert main(words) == 0
    capsys.readouterr()

    assert not mark.exists()
    flowbook.cache.load(entry)
    assert mark.exists()
    open_store().close()


TOKEN = "Tr0ub4dor-XYZZY"


class _Holder:
    """Gives the token as a secret does, and is none."""

    def get(self):
        return TOKEN


TOKEN_HOLDER = _Holder()


class Request:
    def __init__(self, headers):
        self.headers = headers


class AnswerError(Exception):
    """As HTTP libraries raise it: with the request, whose headers hold the token."""

    def __init__(self, text, request=None):
        super().__init__(text)
        self.request = request


@task
def call(token):
    message = "500"
    raise AnswerError(message, Request({"Authorization": [("Bearer", token.get().encode())]}))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("executor", [*HERE, *AWAY])
def test_a_secret_in_an_attribute_of_an_exception_reaches_neither_the_store_nor_an_exported_file(
    executor, tmp_path, monkeypatch
):
    monkeypatch.setenv("FLOWBOOK_SECRET_TOK", TOKEN)
    with Flow("calls") as flow:
        call(Secret("tok"))

    flow.run(record=True, executor=(HERE | AWAY)[executor]())
    open_store().export_run(flow.last_run.run_id, tmp_path / "run.flowbook")
    open_store().close()

    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path.name for path in files if TOKEN.encode() in path.read_bytes()] == []
    with open_store() as store:
        error = store.history.states(flow.last_run.run_id)["call"].result
        assert (type(error), str(error)) == (RemoteError, "AnswerError: 500")


def test_an_exception_without_the_secret_is_kept_as_it_is(monkeypatch):
    monkeypatch.setenv("FLOWBOOK_SECRET_TOK", "another-secret")
    with Flow("calls") as flow:
        call(TOKEN_HOLDER)

    flow.run(record=True)

    with open_store() as store:
        error = store.history.states(flow.last_run.run_id)["call"].result
        assert (type(error), error.request.headers) == (AnswerError, {"Authorization": [("Bearer", TOKEN.encode())]})
