"""Connections that break at random: nothing that the store's callers do is lost, and nothing is done twice."""

from __future__ import annotations

import contextlib
import os
import threading

import numpy as np
import pytest

from flowbook.engine.events import FLOW, Logged, StateChanged
from flowbook.engine.state import Running, Scheduled, Success
from flowbook.exceptions import RunClaimedError
from flowbook.store import RunRecord, api_client, open_store, recorder
from flowbook.store.records import Request
from flowbook.store.remote_store import RemoteStore
from tests.cutting_proxy import cutting
from tests.served import TOKEN, refuse, served, serving

#: The short form, and the long one of `make soak`.
_TIMES = 20 if os.environ.get("FLOWBOOK_SOAK") == "1" else 1


@pytest.fixture(autouse=True)
def _own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("FLOWBOOK_HOME", str(tmp_path / "client"))
    monkeypatch.setenv("FLOWBOOK_KEY_FILE", str(tmp_path / "store.key"))
    monkeypatch.setenv("FLOWBOOK_API_PATIENCE_S", "60")
    monkeypatch.setattr(api_client, "_LONGEST_S", 0.02)
    monkeypatch.setattr(api_client, "_PAUSE_S", 0.01)
    monkeypatch.setattr(recorder, "_RETRY_S", 0.01)


def _record(run_id="r1", owner="here"):
    return RunRecord(run_id, "f", "p", {"name": "f", "tasks": []}, owner=owner)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(2 * _TIMES))
def test_a_recording_over_connections_that_break_has_each_event_once_and_in_order(tmp_path, seed):
    with served(tmp_path / "server") as both, cutting(both.url, 6000, seed) as proxy:
        with RemoteStore(proxy.url, TOKEN, refuse) as store:
            store.runs.create(_record())
            sink = store.runs.recorder("r1", 1)
            for seq in range(1, 301):
                sink.emit(StateChanged(seq, f"t{seq}", Success(result=seq)))
                if seq % 20 == 0:
                    sink.secure([f"t{seq}"])
            sink.emit(Logged(301, "t1", 1.0, 20, "the last"))
            sink.close()

        assert sink.unrecorded is None
        events = both.local.history.events("r1")
        assert proxy.cuts > 5
    assert [(event.seq, event.key) for event in events] == [*((seq, f"t{seq}") for seq in range(1, 301)), (301, "t1")]


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(_TIMES))
def test_what_is_done_over_connections_that_break_is_done_once(tmp_path, seed):
    with served(tmp_path / "server") as both, cutting(both.url, 3000, seed) as proxy:
        with RemoteStore(proxy.url, TOKEN, refuse) as store:
            for number in range(60):
                made = store.runs.create_to_come(_record(f"r{number}", ""), Scheduled())
                assert made.number == number + 1
                assert store.ownership.claim(f"r{number}", 1, "ada") == 2
                assert store.requests.send(f"r{number}", Request("cancel", by="bob"), 2) == number + 1
                assert store.requests.answer(number + 1, {"done": True})
        assert proxy.cuts > 10

        assert [each.epoch for each in both.local.runs.list()] == [2] * 60
        assert both.local.requests.newest() == 60


@pytest.mark.soak
def test_large_values_come_and_go_over_connections_that_break(tmp_path):
    value = np.arange(500_000)
    with served(tmp_path / "server") as both, cutting(both.url, 9_000_000, 3) as proxy:
        with RemoteStore(proxy.url, TOKEN, refuse) as store:
            ref = store.values.put(value)
        for file in (tmp_path / "client").glob("copies-api-*/??/*"):
            file.unlink()
        proxy.most_bytes = 3_000_000
        with RemoteStore(proxy.url, TOKEN, refuse) as store:
            found = store.values.load(type(ref)(ref.digest, ref.size_bytes, store.values))

        assert np.array_equal(found, value)
        assert proxy.cuts > 0


def test_a_claim_over_a_broken_connection_is_refused_to_the_second_process(tmp_path):
    with served(tmp_path / "server") as both, cutting(both.url, 2500, 7) as proxy:
        both.local.runs.create_to_come(_record(owner=""), Scheduled())
        with RemoteStore(proxy.url, TOKEN, refuse) as first, RemoteStore(proxy.url, TOKEN, refuse) as second:
            assert first.ownership.claim("r1", 1, "first") == 2
            with pytest.raises(RunClaimedError, match="first goes on"):
                second.ownership.claim("r1", 1, "second")


def test_a_run_goes_on_while_its_server_is_down_and_is_recorded_when_it_is_back(tmp_path):
    with open_store(tmp_path / "server") as local, contextlib.ExitStack() as later:
        with serving(local) as url:
            store = later.enter_context(RemoteStore(url, TOKEN, refuse))
            store.runs.create(_record())
            sink = store.runs.recorder("r1", 1)
            sink.emit(StateChanged(1, FLOW, Running()))
            sink.emit(StateChanged(2, "a", Success(result=1)))
            sink.flush()
        for seq in range(3, 50):
            sink.emit(StateChanged(seq, f"t{seq}", Success(result=seq)))
        sink.flush()
        assert sink.trouble is not None
        closing = threading.Thread(target=sink.close)
        closing.start()

        with serving(local, int(url.rpartition(":")[2])):
            closing.join(30)

        assert sink.unrecorded is None
        assert [event.seq for event in local.history.events("r1")] == list(range(1, 50))
