"""What the API costs: a list of runs, requests a second, events through a stream, and many clients at once.

python -m benchmarks.api [--runs 20000] [--seconds 10] [--clients 200] [--rate 2000] [--rounds 200] [--json]

The server is `flowbook server start` in a process of its own, over a store with 20,000 runs and a million events; events are
recorded by another process, as a run's owner records them. Lists: wall of a request on a connection that is open, the median;
and the server's processor time for each, all kinds together. Streams: what one client gets of events that are recorded at a
rate, none lost and none twice, how late (median, and 99 of 100), and the server's processor in percent of a core; then 200
clients of the same run; then how fast a client reads the events of a run that is over. The clients are one process, which
takes its part of the machine, too.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import psutil

from benchmarks.large_store import fill
from flowbook.engine.events import FLOW, Logged, StateChanged
from flowbook.engine.state import Running, Success
from flowbook.store import RunRecord, open_store

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).parents[1]
_GRAPH = {"name": "nothing", "tasks": [], "reference": []}
_EVENTS_OF_A_RUN = 50
#: How many tasks log, since the store keeps 10,000 lines of each; and how often events are recorded.
_KEYS, _STEP_S = 100, 0.01
_HEAD = "GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n"
_CONNECTIONS = 8
_NUMBER = re.compile(rb"^id: (\d+)$", re.MULTILINE)
#: What flowbook must reach.
_LIST_MS, _EVENTS_A_SECOND = 10.0, 2000.0


class Server:
    """The server, from `with` to its end."""

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "flowbook", "server", "start", "--port", "0", "--json"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert self._process.stdout is not None
        facts = json.loads(self._process.stdout.readline())
        self.token = facts["token"]
        found = urlsplit(facts["address"])
        self.host, self.port = str(found.hostname), int(found.port or 0)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()

    def cpu_s(self) -> float:
        """Return the processor time that it has taken so far, in seconds."""
        found = psutil.Process(self._process.pid).cpu_times()
        return float(found.user + found.system)

    async def opened(self, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Send a request; return what is answered, headers included, and what keeps the connection open."""
        reader, writer = await asyncio.open_connection(self.host, self.port, limit=1 << 24)
        writer.write(_HEAD.format(path=path, host=f"{self.host}:{self.port}", token=self.token).encode())
        await writer.drain()
        return reader, writer


def lists(server: Server, rounds: int) -> dict[str, float]:
    """Return the medians of requests on an open connection, in ms."""
    paths = {
        "list_ms": "/api/runs?limit=50",
        "list_of_flow_ms": "/api/runs?limit=50&flow=flow-7",
        "list_paused_ms": "/api/runs?limit=50&state=Paused",
        "run_ms": "/api/runs/run-17",
        "health_ms": "/api/health",
    }
    connection = HTTPConnection(server.host, server.port)
    found: dict[str, list[float]] = {name: [] for name in paths}
    before = server.cpu_s()
    for _ in range(rounds):
        for name, path in paths.items():
            began = time.perf_counter()
            connection.request("GET", path, headers={"Authorization": f"Bearer {server.token}"})
            answer = connection.getresponse()
            answer.read()
            found[name].append((time.perf_counter() - began) * 1000)
            assert answer.status == 200
    each_ms = (server.cpu_s() - before) * 1000 / rounds / len(paths)
    return {**{name: statistics.median(times) for name, times in found.items()}, "cpu_ms": each_ms}


async def requests_a_second(server: Server, path: str, seconds: float) -> float:
    """Return how many requests eight connections have answered in a second."""
    deadline, counts = time.perf_counter() + seconds, []
    head = _HEAD.format(path=path, host=f"{server.host}:{server.port}", token=server.token).encode()

    async def ask() -> None:
        reader, writer = await asyncio.open_connection(server.host, server.port)
        count = 0
        while time.perf_counter() < deadline:
            writer.write(head)
            headers = await reader.readuntil(b"\r\n\r\n")
            length = int(headers.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
            count += 1
        counts.append(count)
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(ask() for _ in range(_CONNECTIONS)))
    return sum(counts) / (time.perf_counter() - began)


async def read_stream(server: Server, run_id: str) -> tuple[list[int], list[float]]:
    """Read a run's stream to its end; return the numbers of its events, and how many seconds old each was."""
    reader, writer = await server.opened(f"/api/runs/{run_id}/events/stream")
    numbers: list[int] = []
    late: list[float] = []
    async for line in reader:
        if line.startswith(b"id: "):
            numbers.append(int(line[4:]))
        elif line.startswith(b"data: ") and b'"at":"' in line:
            at = line.partition(b'"at":"')[2].partition(b'"')[0].decode()
            late.append(time.time() - dt.datetime.fromisoformat(at).timestamp())
        elif line.startswith(b"event: end"):
            writer.close()
            return numbers, late
    msg = f"The stream of {run_id} was cut after {len(numbers)} events."
    raise RuntimeError(msg)


async def count_stream(server: Server, run_id: str) -> list[int]:
    """Read a run's stream to its end; return the numbers of its events. Takes little processor time: there are many."""
    reader, writer = await server.opened(f"/api/runs/{run_id}/events/stream")
    numbers: list[int] = []
    rest = b""
    while part := await reader.read(1 << 16):
        whole, _, rest = (rest + part).rpartition(b"\n\n")
        numbers += map(int, _NUMBER.findall(whole))
        if b"\nevent: end\n" in rest + whole:
            break
    writer.close()
    return numbers


def record(run_id: str, rate: float, seconds: float) -> None:
    """Record a run with log lines at a rate, as its owner does."""
    store = open_store()
    store.runs.create(RunRecord(run_id, "nothing", "api", _GRAPH, owner="nobody"))
    recorder = store.runs.recorder(run_id, 1, graph=_GRAPH)
    recorder.emit(StateChanged(1, FLOW, Running()))
    print("begun", flush=True)
    began, seq = time.monotonic(), 1
    while time.monotonic() - began < seconds:
        while seq < 1 + (time.monotonic() - began) * rate:
            seq += 1
            recorder.emit(Logged(seq, f"task-{seq % _KEYS}", time.time(), 20, f"line {seq} of a run that says much"))
        time.sleep(_STEP_S)
    recorder.emit(StateChanged(seq + 1, FLOW, Success("Done.")))
    recorder.close()
    store.ownership.finish(run_id, 1, "Success")
    print(seq + 1, flush=True)


async def watched(server: Server, name: str, clients: int, rate: float, seconds: float) -> dict[str, float]:
    """Let clients watch a run that is recorded at a rate; return how late they were, in ms, and the rate that they got."""
    command = [sys.executable, "-m", "benchmarks.api", "--record", name, "--rate", str(rate), "--seconds", str(seconds)]
    owner = await asyncio.to_thread(subprocess.Popen, command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert owner.stdout is not None
    await asyncio.to_thread(owner.stdout.readline)
    began, before = time.perf_counter(), server.cpu_s()
    others = [asyncio.create_task(count_stream(server, name)) for _ in range(clients - 1)]
    numbers, late = await read_stream(server, name)
    found = [numbers, *await asyncio.gather(*others)]
    took, cpu_s = time.perf_counter() - began, server.cpu_s() - before
    last = int((await asyncio.to_thread(owner.stdout.readline)).strip())
    owner.wait()
    assert all(each == list(range(1, last + 1)) for each in found), "events were lost or came twice"
    late = sorted(each * 1000 for each in late)
    return {
        "events_a_second": last / took,
        "late_ms": statistics.median(late),
        "late_99_ms": late[int(len(late) * 0.99)],
        "server_percent": cpu_s / took * 100,
    }


async def streams(server: Server, given: Any) -> dict[str, float]:  # argparse's
    one = await watched(server, "one", 1, given.rate, given.seconds)
    many = await watched(server, "many", given.clients, given.rate / 20, given.seconds)
    began = time.perf_counter()
    numbers, _ = await read_stream(server, "one")
    return {
        **{f"one_{name}": value for name, value in one.items()},
        **{f"many_{name}": value for name, value in many.items()},
        "replayed_events_a_second": len(numbers) / (time.perf_counter() - began),
        "health_requests_a_second": await requests_a_second(server, "/api/health", given.seconds / 2),
        "list_requests_a_second": await requests_a_second(server, "/api/runs?limit=50", given.seconds / 2),
    }


def measure(given: Any) -> dict[str, float]:  # as above
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(
            FLOWBOOK_HOME=f"{folder}/home", FLOWBOOK_KEY_FILE=f"{folder}/store.key", FLOWBOOK_PROJECT="api"
        )
        fill(open_store(), given.runs, _EVENTS_OF_A_RUN)
        with Server() as server:
            found = lists(server, given.rounds)
            found |= asyncio.run(streams(server, given))
        open_store().close()
    return found


def main(arguments: Iterable[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.api", description=__doc__)
    parser.add_argument("--runs", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--rate", type=float, default=2000.0)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--record", help=argparse.SUPPRESS)
    given = parser.parse_args(None if arguments is None else list(arguments))
    if given.record is not None:
        record(given.record, given.rate, given.seconds)
        return
    found = measure(given)
    for name, value in found.items():
        goal = ""
        if name == "list_ms":
            goal = f"  goal {_LIST_MS:g}: {'met' if value <= _LIST_MS else 'missed'}"
        elif name == "one_events_a_second":
            goal = f"  goal {_EVENTS_A_SECOND:g}: {'met' if value >= 0.95 * _EVENTS_A_SECOND else 'missed'}"
        print(f"{name:26} {value:10.2f}{goal}")
    if given.json:
        print(json.dumps({"benchmark": "api", "runs": given.runs, "clients": given.clients, **found}))


if __name__ == "__main__":
    main()
