"""Streams of events, over the real server."""

import asyncio
import json
import os
import random
import threading
from contextlib import contextmanager
from itertools import islice

import httpx
import pytest

from flowbook import Flow, task
from flowbook.api import event_buffer
from flowbook.api.app import create_app
from flowbook.api.settings import ApiSettings
from flowbook.engine.events import FLOW, Logged, StateChanged
from flowbook.engine.state import Running, Success
from flowbook.store.records import RunRecord
from tests.api.conftest import BEARER, TOKEN, approved, serving, simple

WAIT_S = 20.0
CUTS = 100
CLIENTS = 200 if os.environ.get("FLOWBOOK_SOAK") else 50
#: One for all, since making one takes long.
CLIENT = httpx.Client(timeout=WAIT_S, verify=False)


@pytest.fixture(scope="module", autouse=True)
def _client_is_closed():
    yield
    CLIENT.close()


@contextmanager
def streaming(url, **options):
    """Open a stream; give an iterator of its messages, as dicts of their fields."""
    headers = {**BEARER, **options.pop("headers", {})}
    with CLIENT.stream("GET", url, headers=headers, **options) as answer:
        assert answer.status_code == 200
        yield messages(answer.iter_lines())


def messages(lines):
    found = {}
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            found[name] = value
        elif found:
            if "data" in found:
                yield {**found, "data": json.loads(found["data"])}
            found = {}


class Recorded:
    """A run that the test records by hand, with this process as its owner."""

    def __init__(self, store, run_id="run-1"):
        record = RunRecord(run_id, "flow", "test", {"name": "flow", "tasks": [], "reference": []}, owner="test")
        self.store, self.run_id = store, store.runs.create(record).run_id
        self.recorder = store.runs.recorder(run_id, 1)
        self.seq = 0

    def state(self, state, key=FLOW):
        self.seq += 1
        self.recorder.emit(StateChanged(self.seq, key, state))

    def log(self, count):
        for _ in range(count):
            self.seq += 1
            key = f"task-{self.seq % 50}"  # the store keeps 10,000 lines of each
            self.recorder.emit(Logged(self.seq, key, 1_700_000_000.0, 20, f"line {self.seq}"))

    def end(self):
        self.state(Success())
        self.recorder.close()
        self.store.ownership.finish(self.run_id, 1, "Success")


def test_the_events_of_a_run_are_streamed_to_its_end(address):
    run = simple().start(record=True)
    run.wait()

    with streaming(f"{address}/api/runs/{run.run_id}/events/stream") as found:
        *events, end = found

    assert [each["data"]["seq"] for each in events] == list(range(1, len(events) + 1))
    assert [int(each["id"]) for each in events] == [each["data"]["seq"] for each in events]
    assert (end["event"], end["data"]) == ("end", {"state": "Success"})


def test_events_are_streamed_as_they_come(address, store):
    run = Recorded(store)
    run.state(Running())
    run.recorder.flush()

    with streaming(f"{address}/api/runs/run-1/events/stream") as found:
        first = next(found)
        run.log(1)
        second = next(found)
        run.end()
        rest = list(found)

    assert first["data"]["state"] == "Running"
    assert (second["event"], second["data"]["text"]) == ("log", "line 2")
    assert [each["event"] for each in rest] == ["state", "end"]


def test_an_event_that_is_stored_after_newer_ones_is_streamed_too(address, store):
    run = Recorded(store)
    run.recorder.emit(StateChanged(1, "first", Running()))
    run.recorder.emit(StateChanged(3, "first", Success()))
    run.recorder.flush()
    url = f"{address}/api/runs/run-1/events/stream"

    with (
        streaming(url) as found,
        streaming(url, params={"since": 3}) as found_later,
        streaming(f"{address}/api/events/stream") as found_of_all,
    ):
        first = [next(found), next(found)]
        run.recorder.emit(StateChanged(2, "second", Success()))
        run.recorder.flush()
        run.seq = 3
        late = [next(found), next(found_later)]
        of_all = next(found_of_all)
        run.end()
        rest = list(found)

    assert [(each["id"], each["data"]["seq"]) for each in first] == [("1", 1), ("3", 3)]
    assert [(each.get("id"), each["data"]["task"], each["data"]["seq"]) for each in late] == [(None, "second", 2)] * 2
    assert (of_all["data"]["task"], of_all["data"]["seq"]) == ("second", 2)
    assert [each["event"] for each in rest] == ["state", "end"]


def test_what_came_late_at_the_end_of_a_run_is_streamed_before_its_end(address, store):
    run = Recorded(store)
    run.recorder.emit(StateChanged(2, "first", Success()))
    run.recorder.flush()

    with streaming(f"{address}/api/runs/run-1/events/stream") as found:
        first = next(found)
        run.recorder.emit(StateChanged(1, "second", Success()))
        run.seq = 2
        run.end()
        rest = list(found)

    assert first["data"]["seq"] == 2
    assert sorted(each["data"]["seq"] for each in rest[:-1]) == [1, 3]
    assert rest[-1]["event"] == "end"


@pytest.mark.parametrize("how", ["since", "header"])
def test_a_stream_resumes_by_number(address, how):
    run = simple().start(record=True)
    run.wait()
    options = {"params": {"since": 3}} if how == "since" else {"headers": {"Last-Event-ID": "3"}}

    with streaming(f"{address}/api/runs/{run.run_id}/events/stream", **options) as found:
        first = next(found)

    assert first["data"]["seq"] == 4


def test_who_comes_back_after_the_end_is_told_to_stay_away(address, store):
    run = simple().start(record=True)
    run.wait()
    last = store.history.snapshot(run.run_id).last_seq

    answer = httpx.get(f"{address}/api/runs/{run.run_id}/events/stream", headers={**BEARER, "Last-Event-ID": str(last)})

    assert answer.status_code == 204


def test_a_stream_goes_on_while_a_run_waits_for_a_person(address):
    run = approved().start(record=True)
    run.wait()

    with streaming(f"{address}/api/runs/{run.run_id}/events/stream") as found:
        seen = []
        while not seen or seen[-1]["data"].get("state") != "Paused" or seen[-1]["data"]["task"]:
            seen.append(next(found))
        run.resume()
        rest = list(found)

    assert rest[-1] == {"event": "end", "data": {"state": "Success"}}


def test_a_run_that_is_deleted_ends_its_stream(address):
    run = approved().start(record=True)
    run.wait()

    with streaming(f"{address}/api/runs/{run.run_id}/events/stream") as found:
        next(found)
        answer = httpx.delete(f"{address}/api/runs/{run.run_id}", headers=BEARER)
        rest = list(found)

    assert answer.status_code == 200
    assert rest[-1]["data"] == {"state": "Deleted"}


def test_a_stream_that_is_cut_at_random_loses_and_doubles_nothing(address, store):
    run = Recorded(store)
    run.state(Running())
    dice = random.Random(7)
    over = threading.Event()

    def produce():
        while not over.wait(0.002):
            run.log(dice.randrange(1, 8))

    producer = threading.Thread(target=produce)
    producer.start()
    seen = []
    try:
        for _ in range(CUTS):
            headers = {"Last-Event-ID": str(seen[-1])} if seen else {}
            with streaming(f"{address}/api/runs/run-1/events/stream", headers=headers) as found:
                seen.extend(int(each["id"]) for each in islice(found, dice.randrange(1, 60)))
    finally:
        over.set()
        producer.join()
    run.end()
    with streaming(f"{address}/api/runs/run-1/events/stream", headers={"Last-Event-ID": str(seen[-1])}) as found:
        *rest, end = found
    seen += [int(each["id"]) for each in rest]

    assert seen == list(range(1, run.seq + 1))
    assert end["event"] == "end"


def test_a_stream_of_all_runs_that_is_cut_at_random_loses_and_doubles_nothing(address, store):
    runs = [Recorded(store, f"run-{number}") for number in range(3)]
    dice = random.Random(7)
    seen, last = [], None
    url = f"{address}/api/events/stream"

    for _ in range(CUTS):
        headers = {} if last is None else {"Last-Event-ID": last}
        with streaming(url, headers=headers) as found:
            for run in runs:
                run.log(dice.randrange(1, 6))
                run.recorder.flush()
            for _ in range(dice.randrange(1, 9)):
                each = next(found)
                last = each["id"]
                seen.append((each["data"]["run"], each["data"]["seq"]))
    produced = sum(run.seq for run in runs)
    with streaming(url, headers={"Last-Event-ID": last}) as found:
        while len(seen) < produced:
            each = next(found)
            seen.append((each["data"]["run"], each["data"]["seq"]))

    for run in runs:
        assert [seq for name, seq in seen if name == run.run_id] == list(range(1, run.seq + 1))
        run.end()


def test_states_of_runs_alone_are_streamed_where_asked_for(address, store):
    with streaming(f"{address}/api/events/stream?of=runs") as found:
        run = Recorded(store)
        run.state(Running())
        run.log(5)
        run.end()
        states = [next(found)["data"]["state"] for _ in range(2)]

    assert states == ["Running", "Success"]


def test_a_number_of_another_server_begins_anew_and_says_so(address, store):
    with streaming(f"{address}/api/events/stream?since=12345678-7") as found:
        first = next(found)
        run = Recorded(store)
        run.state(Running())
        second = next(found)
        run.end()

    assert first["event"] == "reset"
    assert second["data"]["state"] == "Running"


def test_a_mapped_runs_events_reach_many_readers(address):
    @task
    def double(number):
        return number * 2

    with Flow("mapped") as flow:
        double.map(list(range(200)))
    run = flow.start(record=True)
    counts = []

    def read():
        with streaming(f"{address}/api/runs/{run.run_id}/events/stream") as found:
            counts.append([each["id"] for each in found if "id" in each])

    readers = [threading.Thread(target=read) for _ in range(10)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    run.wait()

    assert len(counts) == 10
    assert all(each == counts[0] for each in counts)
    assert len(counts[0]) > 400


def test_a_reader_that_falls_behind_reads_the_store(address, store, monkeypatch):
    monkeypatch.setattr(event_buffer, "_MOST_BYTES", 2000)
    run = Recorded(store)
    run.state(Running())
    run.recorder.flush()

    with streaming(f"{address}/api/runs/run-1/events/stream") as found:
        next(found)
        for _ in range(50):
            run.log(20)
            run.recorder.flush()
        run.end()
        *rest, end = found

    assert [int(each["id"]) for each in rest] == list(range(2, run.seq + 1))
    assert end["event"] == "end"


def test_a_runs_stream_resumes_at_another_server(address, store):
    run = Recorded(store)
    run.state(Running())
    run.log(5)
    run.recorder.flush()

    with streaming(f"{address}/api/runs/run-1/events/stream") as found:
        first = [int(next(found)["id"]) for _ in range(3)]
    run.end()
    other = create_app(store, ApiSettings(token=TOKEN))
    with serving(other) as elsewhere, streaming(f"{elsewhere}/api/runs/run-1/events/stream?since=3") as found:
        *rest, _ = found

    assert first + [int(each["id"]) for each in rest] == list(range(1, run.seq + 1))


@pytest.mark.soak
def test_many_clients_get_every_event_at_once(address, store):
    run = Recorded(store)
    run.state(Running())
    run.recorder.flush()

    async def read(client, is_here):
        url = f"{address}/api/runs/run-1/events/stream"
        async with client.stream("GET", url, headers=BEARER, timeout=WAIT_S) as answer:
            is_here.release()
            return [int(line[4:]) async for line in answer.aiter_lines() if line.startswith("id: ")]

    async def read_all():
        is_here = asyncio.Semaphore(0)
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(limits=limits, verify=False) as client:
            readers = [asyncio.create_task(read(client, is_here)) for _ in range(CLIENTS)]
            for _ in readers:
                await is_here.acquire()
            await asyncio.to_thread(produce)
            return await asyncio.gather(*readers)

    def produce():
        for _ in range(50):
            run.log(10)
            run.recorder.flush()
        run.end()

    found = asyncio.run(read_all())

    assert len(found) == CLIENTS
    assert all(numbers == list(range(1, run.seq + 1)) for numbers in found)
