"""A store whose large values lie at a place that fsspec reaches: kept, resumed, swept, and told apart from other stores."""

from __future__ import annotations

import datetime as dt
import os
import socket
import subprocess
import sys
import textwrap

import fsspec
import pytest

import flowbook
from flowbook import Flow, task, triggers
from flowbook.engine.state import Success
from flowbook.exceptions import InfrastructureError, ResultGoneError, StoreError
from flowbook.store import open_store

LARGE = bytes(range(256)) * 1000


@pytest.fixture(params=["memory", "file"])
def url(request, tmp_path, monkeypatch):
    """Point FLOWBOOK_BLOBS to one of fsspec's own backends; return its URL."""
    found = f"memory://{tmp_path.name}" if request.param == "memory" else (tmp_path / "bucket").as_uri()
    monkeypatch.setenv("FLOWBOOK_BLOBS", found)
    yield found
    open_store().close()
    fsspec.filesystem("memory").store.clear()


def files(url):
    system, root = fsspec.core.url_to_fs(url)
    return [path for path in system.find(root) if "/flowbook-" in path] if system.exists(root) else []


def test_large_values_lie_there_and_small_ones_in_the_database(url, tmp_path):
    store = open_store()

    refs = [store.values.put(value) for value in (1, (1, 2), LARGE)]

    assert [ref.load() for ref in refs] == [1, (1, 2), LARGE]
    assert len(files(url)) == 1
    assert not (tmp_path / "home" / "blobs").exists()


@pytest.mark.usefixtures("url")
def test_a_paused_run_goes_on_from_there_without_its_copies(tmp_path):
    @task
    def load():
        return LARGE

    @task(trigger=triggers.manual_only)
    def check(found):
        return len(found)

    with Flow("there") as flow:
        check(load())
    flow.run(record=True)
    run_id = flow.last_run.run_id
    for copy in (tmp_path / "home").glob("copies-*/??/*"):
        copy.unlink()

    run = flowbook.run(run_id).resume("check")

    assert run.wait().is_successful()
    assert run["check"].result == len(LARGE)
    assert flow.as_of(dt.datetime.now(dt.UTC))["load"] == LARGE


def test_a_process_that_was_not_told_reads_all_the_same(url, monkeypatch):
    ref = open_store().values.put(LARGE)
    open_store().close()
    monkeypatch.delenv("FLOWBOOK_BLOBS")

    store = open_store()
    here = store.values.put(LARGE[::-1])

    assert store.values.load(ref) == LARGE
    assert here.load() == LARGE[::-1]
    assert len(files(url)) == 1


def test_values_move_on_to_a_new_place_and_are_read_from_all(url, monkeypatch):
    monkeypatch.delenv("FLOWBOOK_BLOBS")
    refs = [open_store().values.put(LARGE)]
    for place in (url, f"{url}/second", url):
        open_store().close()
        monkeypatch.setenv("FLOWBOOK_BLOBS", place)
        refs.append(open_store().values.put(LARGE + place.encode() * len(refs)))

    found = [len(open_store().values.load(ref)) for ref in refs]

    assert found == [len(LARGE), len(LARGE + url.encode()), len(LARGE + b"/second" * 2 + url.encode() * 2), found[3]]
    assert len(open_store()._database.read("SELECT url FROM place")) == 2


def test_a_sweep_takes_what_is_there_and_nothing_of_another_store(url, tmp_path):
    with open_store(tmp_path / "other") as other:
        kept = other.values.put(LARGE)
        ref = open_store().values.put(LARGE)
        assert len(files(url)) == 2

        swept = open_store().sweep(older_than=dt.timedelta(0))

        assert (len(swept.dropped), swept.trouble) == (1, "")
        assert len(files(url)) == 1
        assert kept.load() == LARGE
        with pytest.raises(ResultGoneError, match="was dropped"):
            ref.load()


def test_what_belongs_to_nothing_is_swept(url):
    store = open_store()
    store.values.put(LARGE)
    store._database.write(lambda connection: connection.execute("DELETE FROM value"))

    swept = store.sweep(older_than=dt.timedelta(0))

    assert (swept.orphans, len(swept.dropped)) == (1, 0)
    assert swept.freed_bytes > len(LARGE)
    assert files(url) == []


@pytest.mark.usefixtures("url")
def test_a_run_is_exported_from_there(tmp_path):
    @task
    def load():
        return LARGE

    with Flow("there") as flow:
        load()
    flow.run(record=True)
    open_store().export_run(flow.last_run.run_id, tmp_path / "run.zip")

    with open_store(tmp_path / "other") as other:
        other.import_run(tmp_path / "run.zip")
        assert other.history.states(flow.last_run.run_id)["load"].result == LARGE


@pytest.fixture
def nobody(monkeypatch):
    """Keep a large value in the folder, then point FLOWBOOK_BLOBS to a port where nobody listens; return the value."""
    ref = open_store().values.put(LARGE)
    open_store().close()
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
    monkeypatch.setenv("FLOWBOOK_BLOBS", f"ftp://127.0.0.1:{port}/values")
    yield ref
    open_store().close()


def test_a_place_that_does_not_answer_is_named_and_earlier_results_stay_readable(nobody):
    store = open_store()

    with pytest.raises(StoreError, match=r"The remote folder of large values can't be written to: ftp://127.0.0.1"):
        store.values.put(LARGE * 2)

    assert store.values.load(nobody) == LARGE
    assert store.values.put([1]).load() == [1]
    assert store._database.read("SELECT count(*) FROM value") == [(2,)]


@pytest.mark.usefixtures("nobody")
def test_a_run_goes_on_in_memory_where_the_place_does_not_answer():
    @task(cache_for=dt.timedelta(hours=1))
    def load():
        return LARGE * 2

    @task
    def size(found):
        return len(found)

    with Flow("nobody") as flow:
        size(load())

    state = flow.run(record=True)

    states = open_store().history.states(flow.last_run.run_id)
    assert state.is_successful()
    assert state.result[flow.tasks[0]].message.startswith(
        "Not cached: The remote folder of large values can't be written to"
    )
    assert isinstance(states["load"], Success)
    assert states["size"].result == len(LARGE) * 2
    with pytest.raises(
        ResultGoneError, match=r"not kept: The remote folder of large values can't be written to: ftp://"
    ):
        states["load"].result  # noqa: B018  # loads it


@pytest.mark.usefixtures("nobody")
def test_a_sweep_says_what_it_could_not_reach():
    store = open_store()

    swept = store.sweep(older_than=dt.timedelta(0))

    assert len(swept.dropped) == 1
    assert "The remote folder of large values can't be" in swept.trouble


@pytest.mark.parametrize("given", ["bucket", "relative/folder", "s3", "./x"])
def test_a_place_that_is_none_is_refused(given, monkeypatch):
    monkeypatch.setenv("FLOWBOOK_BLOBS", given)

    with pytest.raises(InfrastructureError, match=r"FLOWBOOK_BLOBS is .* Give a URL"):
        open_store()


def test_a_path_is_a_place_too(tmp_path, monkeypatch):
    monkeypatch.setenv("FLOWBOOK_BLOBS", str(tmp_path / "nas"))

    ref = open_store().values.put(LARGE)
    open_store().close()

    assert next((tmp_path / "nas").glob("flowbook-*/??/*")).stat().st_size == ref.size_bytes


PEAK = textwrap.dedent("""
    import resource, sys, numpy as np
    from flowbook.store import open_store

    def peak():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

    store = open_store()
    store.values.put(np.ones(100_000)).load()
    before, count = peak(), 50_000_000
""")
WRITE = PEAK + textwrap.dedent("""
    value = np.arange(count)
    ref = store.values.put(value)
    print(ref.digest, ref.size_bytes, (peak() - before) / value.nbytes)
""")
READ = PEAK + textwrap.dedent("""
    from flowbook.results.reference import ResultRef
    found = store.values.load(ResultRef(sys.argv[1], int(sys.argv[2]), store.values))
    assert found.sum() == count * (count - 1) // 2
    print((peak() - before) / found.nbytes)
""")


def run(*arguments, **env):
    done = subprocess.run(
        [sys.executable, "-c", *arguments], env={**os.environ, **env}, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


@pytest.mark.parametrize("place", ["", "bucket"])
def test_a_value_of_400_mb_takes_less_than_1_2_times_its_size_in_memory(place, tmp_path):
    env = {"FLOWBOOK_BLOBS": str(tmp_path / place)} if place else {}

    digest, size, written = run(WRITE, **env)
    for copy in (tmp_path / "home").glob("copies-*/??/*"):
        copy.unlink()
    (read,) = run(READ, digest, size, **env)

    assert float(written) < 1.2
    assert float(read) < 1.2
