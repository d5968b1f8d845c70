"""The store through the API, over a real server: calls, values, what is refused, and what both ends compare."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import pickle
import socket
import threading
import urllib.error
import urllib.request

import numpy as np
import pytest

from flowbook.api.server import listen
from flowbook.engine.events import StateChanged
from flowbook.engine.state import Running, Scheduled, Success
from flowbook.exceptions import DamagedValueError, ResultGoneError, RunClaimedError, StoreError, UnknownRunError
from flowbook.results import serializer
from flowbook.results.reference import ResultRef
from flowbook.store import RunRecord, api_client, open_store
from flowbook.store.event_encoder import EventEncoder
from flowbook.store.event_rows import EventRow, Urgency
from flowbook.store.records import Request
from flowbook.store.remote_store import RemoteStore
from tests.served import TOKEN, refuse, served


@pytest.fixture(autouse=True)
def _own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("FLOWBOOK_HOME", str(tmp_path / "client"))
    monkeypatch.setenv("FLOWBOOK_KEY_FILE", str(tmp_path / "store.key"))


@pytest.fixture
def both(tmp_path):
    with served(tmp_path / "server") as found:
        yield found


def _begin(store, run_id="r1"):
    store.runs.create(RunRecord(run_id, "f", "p", {"name": "f", "tasks": []}, owner="here"))
    return store.runs.recorder(run_id, 1)


def test_a_run_that_is_recorded_through_the_api_is_in_the_servers_store(both):
    recorder = _begin(both.remote)
    recorder.emit(StateChanged(1, "", Running()))
    recorder.emit(StateChanged(2, "a", Success(result=41)))
    recorder.emit(StateChanged(3, "", Success("all well")))
    recorder.close()
    both.remote.ownership.finish("r1", 1, Success())

    assert recorder.unrecorded is None
    assert both.local.history.states("r1")["a"].result == 41
    assert both.remote.history.states("r1")["a"].result == 41
    assert both.local.runs.summary("r1") == both.remote.runs.summary("r1")


def test_the_process_that_owns_a_run_is_the_clients(both):
    both.remote.runs.create(RunRecord("r1", "f", "p", {"name": "f", "tasks": []}, owner="there", process="other|1|2"))

    assert both.local.ownership.owner("r1").process == "other|1|2"
    assert both.local.history.snapshot("r1").is_owned  # by its heartbeat


@pytest.mark.parametrize(
    "value", [{"a": [1, 2]}, {1, 2}, np.arange(100_000), b"x" * 200_000], ids=lambda v: type(v).__name__
)
def test_values_come_back_as_they_were_from_either_end(both, value):
    ref = both.remote.values.put(value)

    for values in (both.remote.values, both.local.values):
        found = values.load(ResultRef(ref.digest, ref.size_bytes, values))
        assert type(found) is type(value)
        assert np.array_equal(found, value) if isinstance(value, np.ndarray) else found == value


def test_what_the_server_stored_is_read_through_the_api(both):
    ref = both.local.values.put(np.arange(50_000.0))

    found = both.remote.values.load(ref)

    assert found[-1] == 49_999
    assert both.remote.values.previews([ref]) == both.local.values.previews([ref])


class Poison:
    """Notes when somebody unpickles it."""

    def __init__(self, note):
        self.note = str(note)

    def __reduce__(self):
        return os.mkdir, (self.note,)


def _poison(note, padding=0):
    parts = []

    class Sink:
        def write(self, part):
            parts.append(bytes(part))

    serializer.dump([Poison(note), os.urandom(padding)], Sink())
    return b"".join(parts)


@pytest.mark.parametrize("padding", [10, 200_000], ids=["small", "a blob"])
def test_a_pickle_that_somebody_planted_in_the_servers_folder_is_not_sent(both, tmp_path, padding):
    content = _poison(tmp_path / "poisoned", padding)
    digest, is_small = hashlib.sha256(content).hexdigest(), len(content) < 64_000
    row = (bytes.fromhex(digest), len(content), content if is_small else None, os.urandom(32), None, 1.0)
    both.local._database.write(lambda connection: connection.execute(both.local.values.insert_statement, row))
    if not is_small:
        path = both.local._blobs.path(digest)
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    ref = ResultRef(digest, len(content), both.remote.values)

    with pytest.raises(DamagedValueError, match="could run code"):
        ref.load()

    assert not (tmp_path / "poisoned").exists()


def test_the_server_unpickles_nothing_that_is_sent_to_it(both, tmp_path):
    value = Poison(tmp_path / "poisoned")

    ref = both.remote.values.put([value, os.urandom(100_000)])
    small = both.remote.values.put(value)
    previews = both.local.values.previews([ref, small])

    assert both.remote.values.holds(ref)
    assert previews
    assert not (tmp_path / "poisoned").exists()


def test_a_copy_that_somebody_planted_on_this_machine_is_not_loaded(both, tmp_path):
    content = _poison(tmp_path / "poisoned", 200_000)
    digest = hashlib.sha256(content).hexdigest()
    path = both.remote.values._blobs._copies.path(digest)
    path.parent.mkdir(parents=True)
    path.write_bytes(content)

    with pytest.raises(ResultGoneError):
        ResultRef(digest, len(content), both.remote.values).load()

    assert not (tmp_path / "poisoned").exists()


def test_a_row_of_a_blob_that_was_not_uploaded_is_refused(both):
    row = (os.urandom(32), 100_000, None, os.urandom(32), None, 1.0)

    with pytest.raises(StoreError, match="weren't uploaded"):
        both.remote.values.put_rows([row])


def test_a_row_whose_bytes_do_not_match_is_refused(both):
    with pytest.raises(StoreError, match="don't match"):
        both.remote.values.put_rows([(os.urandom(32), 3, b"abc", None, None, 1.0)])


def test_the_servers_errors_are_those_of_the_store(both):
    with pytest.raises(UnknownRunError) as unknown:
        both.remote.runs.get("nothing")
    _begin(both.remote).close()
    both.remote.ownership.claim("r1", 1, "ada")
    with pytest.raises(RunClaimedError) as claimed:
        both.remote.ownership.claim("r1", 1, "bob")

    assert unknown.value.run_id == "nothing"
    assert claimed.value.owner == "ada"
    assert claimed.value.since.tzinfo is not None


def test_a_claim_that_is_repeated_because_its_answer_was_lost_is_the_same_claim(both):
    _begin(both.remote).close()
    client = both.remote._client
    call = api_client.call_of("ownership.claim")
    body = {"arguments": call.encode("r1", 1, "ada", process="p"), "again": True}

    answers = [
        client._exchange("POST", "/api/store/calls/ownership.claim", json.dumps(body).encode()) for _ in range(2)
    ]

    assert [json.loads(each.body)["answer"] for each in answers] == [2, 2]
    assert both.local.ownership.owner("r1").epoch == 2


def test_claims_of_a_batch_that_is_repeated_because_its_answer_was_lost_are_the_same_claims(both):
    due = dt.datetime.now(dt.UTC)
    for number in range(5):
        record = RunRecord(f"r{number}", "f", "p", {"name": "f", "tasks": []}, due=due)
        both.remote.runs.create_to_come(record, Scheduled(start_time=due))
    wanted = both.remote.runs.to_begin(due.timestamp())
    client = both.remote._client
    call = api_client.call_of("runs.claim_to_begin")
    body = {"arguments": call.encode(wanted, 3, "ada", "p"), "again": True}

    answers = [
        json.loads(client._exchange("POST", "/api/store/calls/runs.claim_to_begin", json.dumps(body).encode()).body)
        for _ in range(2)
    ]
    others = both.remote.runs.claim_to_begin(wanted, 3, "bert")

    found = [[each.record.run_id for each in call.decode_answer(each["answer"], None).claimed] for each in answers]
    assert found == [["r0", "r1", "r2"]] * 2
    assert [each.record.run_id for each in others.claimed] == ["r3", "r4"]
    assert [both.local.ownership.owner(f"r{number}").epoch for number in range(5)] == [2] * 5


def test_a_batch_of_events_that_is_sent_twice_is_written_once(both):
    _begin(both.remote).close()
    start = both.remote.values._client.call("recordings.begin", both.remote.values, "r1", 1)
    encoder = EventEncoder(both.remote.values, start.run, (), None, 0)
    rows = [encoder.encode(StateChanged(seq, f"t{seq}", Success(result=seq))) for seq in range(1, 6)]
    write = both.remote.values._client.call

    first = write("recordings.write", both.remote.values, "r1", 1, rows[:3])
    second = write("recordings.write", both.remote.values, "r1", 1, rows)

    assert (first.written, second.written) == (3, 5)
    assert [event.key for event in both.local.history.events("r1")] == [f"t{seq}" for seq in range(1, 6)]


def test_a_late_owner_records_nothing(both):
    recorder = _begin(both.remote)
    both.local.ownership.claim("r1", 1, "somebody")

    recorder.emit(StateChanged(1, "a", Success(result=1)))
    recorder.flush()

    assert recorder.is_lost
    assert both.local.history.events("r1") == []
    recorder.close()


def test_a_request_wakes_its_listener(both):
    _begin(both.remote).close()
    seen = both.remote.requests.version()
    number = both.local.requests.send("r1", Request("cancel"), 1)
    for _ in range(3000):
        if both.remote.requests.version()[0] != seen[0]:
            break
        threading.Event().wait(0.01)
    (request,) = both.remote.requests.open("r1", 1)
    both.remote.requests.answer(request.number, {"done": True})

    assert request.number == number
    assert both.local.requests.answer_to(number) == {"done": True}


def test_whoever_follows_a_run_reads_nothing_while_nothing_changes(both, monkeypatch):
    sink = _begin(both.remote)
    sink.emit(StateChanged(1, "", Running()))
    sink.flush()
    history, asked = both.remote.history, []
    history.snapshot("r1", 1)
    pause = threading.Event()
    while both.remote.version()[0] is None:
        pause.wait(0.01)
    read = history._read_snapshot
    monkeypatch.setattr(history, "_read_snapshot", lambda *given: asked.append(given) or read(*given))

    for _ in range(20):
        assert history.snapshot("r1", 1).events == []
    before = len(asked)
    sink.emit(StateChanged(2, "a", Success(result=1)))
    sink.flush()
    for _ in range(3000):
        if history.snapshot("r1", 1).events:
            break
        pause.wait(0.01)
    sink.close()

    assert before == 1
    assert 2 <= len(asked) <= 4


def test_another_flowbook_at_the_other_end_is_named(both, monkeypatch):
    monkeypatch.setattr(api_client, "fingerprint", lambda: "another")
    with RemoteStore(both.url, TOKEN, refuse) as store, pytest.raises(StoreError, match="don't understand each other"):
        store.runs.list()


def test_answers_are_sent_at_once():
    with listen("127.0.0.1", 0) as listener:
        assert listener.proto == socket.IPPROTO_TCP  # asyncio looks at it, and waits for more to send otherwise


def test_a_closed_store_says_so(both):
    both.remote.close()

    with pytest.raises(StoreError, match="is closed"):
        both.remote.runs.list()


def test_a_wrong_token_says_what_to_set(both):
    with RemoteStore(both.url, "wrong", refuse) as store, pytest.raises(StoreError, match="FLOWBOOK_API_TOKEN"):
        store.runs.list()


def test_a_server_that_is_not_there_fails_at_once():
    with RemoteStore("http://127.0.0.1:9", TOKEN, refuse) as store, pytest.raises(StoreError, match="can't be reached"):
        store.runs.list()


def test_open_store_takes_the_one_behind_the_api_if_it_is_set(both, monkeypatch, tmp_path):
    monkeypatch.setenv("FLOWBOOK_API_URL", f"{both.url}/")
    with pytest.raises(StoreError, match="FLOWBOOK_API_TOKEN isn't set"):
        open_store()
    monkeypatch.setenv("FLOWBOOK_API_TOKEN", TOKEN)

    with open_store() as store:
        assert store.location == both.url
        assert store.runs.list() == []
        assert pickle.loads(pickle.dumps(store.values)) is store.values
    with open_store(tmp_path / "own") as own:
        assert own.path == tmp_path / "own"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("calls/runs.get", b"{}", 422), ("calls/runs.get", b"[", 422), ("calls/runs.get", b'{"arguments":{"run_id":1}}', 422),
        ("calls/values.load", b"{}", 404), ("calls/runs.get", b'{"arguments":' * 1000, 422),
        ("calls/runs.get", b'{"arguments":{"run_id":"no"}}', 409),
    ],
)  # fmt: skip
def test_calls_that_make_no_sense_are_refused(both, path, body, status):
    request = urllib.request.Request(
        f"{both.url}/api/store/{path}",
        body,
        {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
    )

    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    refused.value.close()

    assert refused.value.code == status


@pytest.mark.parametrize(
    "event",
    [
        (0, 1, 0, "", 1e300, "Running", "{}", None, None),
        (0, 1, 0, "", float("nan"), "Running", "{}", None, None),
        (0, 1, 0, "", 1.0, "Nonsense", "{}", None, None),
        (0, 1, 0, "", 1.0, "Running", "{", None, None),
        (0, 1, 0, "", 1.0, "Paused", '{"deadline": "soon"}', None, None),
        (0, 1, 1, "a", 1.0, "loud", "text", None, None),
        (0, 1, 2, "a", 1.0, "resume", "{}", None, None),
        (0, 1, 7, "a", 1.0, "x", "{}", None, None),
    ],
)
def test_an_event_that_could_not_be_read_again_is_not_stored(both, event):
    both.remote.runs.create(RunRecord("r1", "f", "p", {"name": "f", "tasks": []}, owner="here"))
    row = EventRow(event, Urgency.NOW, "a")

    with pytest.raises(StoreError, match="can't be read"):
        both.remote.values._client.call("recordings.write", both.remote.values, "r1", 1, [row])

    assert both.local.history.events("r1") == []
    assert [each.run_id for each in both.local.runs.list()] == ["r1"]
