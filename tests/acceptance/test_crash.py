"""The store's promises, tried for real: processes that are killed, blobs that are damaged, disks that are full.

A short form by default; the long one with FLOWBOOK_SOAK=1 (`make soak`).
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
from collections import Counter
from pathlib import Path

import pytest

import flowbook
from flowbook import Flow, task, triggers
from flowbook.exceptions import DamagedValueError, ResultGoneError, RunClaimedError, StoreError
from flowbook.store import open_store
from tests.acceptance.trials import BEGIN, IS_LONG, LONG_S, ROOT, SEED, Trial, check_file, kill_and_go_on
from tests.homes import home

__all__ = ["home"]

pytestmark = [pytest.mark.acceptance, pytest.mark.soak]


@pytest.mark.timeout(0 if IS_LONG else 300)
@pytest.mark.parametrize("executor", ["local", "threads", "dask"])
def test_a_killed_run_goes_on_and_nothing_committed_runs_again(executor, home, tmp_path):
    kill_and_go_on(tmp_path, executor, 200 if IS_LONG else 8, random.Random(SEED), places=4)

    open_store().sweep(older_than=dt.timedelta(0))
    check_file(home)
    assert not list((home / "blobs").glob(".tmp-*"))


#: Where a process kills itself: the function, before or after it, and at which of its calls.
POINTS = [
    (f"{where}", when, nth)
    for where, nths in {
        "flowbook.store.runs.Runs.create": (1,),
        "flowbook.store.runs.Runs.store_flow": (1,),
        "flowbook.store.run_ownership.RunOwnership.finish": (1,),
        "flowbook.store.recorder.Recorder._commit": (2, 6, 12),
        "flowbook.store.event_writer.EventWriter._insert": (1, 5, 11),
        "flowbook.store.recorder.Recorder.close": (1,),
        "flowbook.store.values.Values.prepare": (3, 8),
        "flowbook.results.blobs._TemporaryFile.begin": (1, 3),
        "flowbook.results.blobs._TemporaryFile.append": (2,),
        "flowbook.results.blobs._TemporaryFile.commit": (1, 4),
        "flowbook.results.blobs._sync_folder": (2,),
        "flowbook.store.database.Database.sync": (1,),
        "flowbook.engine.machine.Machine.handle": (2, 12),
    }.items()
    for nth in nths
    for when in ("before", "after")
]
AT_POINT = textwrap.dedent("""
    import importlib, itertools, signal
    where, when, nth = {point!r}
    module, names = where, []
    while True:
        try:
            owner = importlib.import_module(module)
            break
        except ModuleNotFoundError:
            module, _, name = module.rpartition(".")
            names.insert(0, name)
    for name in names[:-1]:
        owner = getattr(owner, name)
    original = getattr(owner, names[-1])
    calls = itertools.count(1)

    def killing(*args, **kwargs):
        is_now = next(calls) == nth
        if is_now and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*args, **kwargs)
        if is_now:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, names[-1], killing)
""")


@pytest.mark.timeout(LONG_S * 2)
@pytest.mark.parametrize("point", POINTS if IS_LONG else POINTS[::6], ids=lambda point: "-".join(map(str, point)))
def test_a_run_killed_at_a_named_point_goes_on(point, home, tmp_path):
    trial = Trial(tmp_path, "local")

    process = trial.start(BEGIN, "local", POINT=AT_POINT.format(point=point))
    said, _ = process.communicate(timeout=LONG_S)

    _goes_on_after_its_kill(trial, process, said, home)


def _goes_on_after_its_kill(trial, process, said, home):
    runs = flowbook.runs()["run_id"]
    assert process.returncode == -signal.SIGKILL, said
    if runs.empty:
        assert trial.ran() == {}
        return
    trial.run_id = runs.iloc[-1]
    trial.check()
    assert trial.finish() == "Success"
    trial.check_end(home)


#: The same, where large values lie elsewhere.
POINTS_ELSEWHERE = [
    (where, when, nth)
    for where, nths in {
        "flowbook.store.blob_storage._note": (1,),
        "flowbook.results.remote_blobs.RemoteFolder.put": (1, 3),
        "flowbook.results.remote_blobs.RemoteBlobs._publish": (2,),
        "fsspec.implementations.local.LocalFileSystem.put_file": (1, 3),
        "fsspec.implementations.local.LocalFileSystem.mv": (1, 3),
    }.items()
    for nth in nths
    for when in ("before", "after")
]


@pytest.mark.timeout(LONG_S * 2)
@pytest.mark.parametrize(
    "point", POINTS_ELSEWHERE if IS_LONG else POINTS_ELSEWHERE[2::5], ids=lambda point: "-".join(map(str, point))
)
def test_a_run_killed_at_a_named_point_goes_on_where_large_values_lie_elsewhere(point, home, tmp_path, monkeypatch):
    monkeypatch.setenv("FLOWBOOK_BLOBS", str(tmp_path / "bucket"))
    trial = Trial(tmp_path, "local")

    process = trial.start(BEGIN, "local", POINT=AT_POINT.format(point=point))
    said, _ = process.communicate(timeout=LONG_S)
    for copy in home.glob("copies-*/??/*"):
        copy.unlink()

    _goes_on_after_its_kill(trial, process, said, home)
    open_store().sweep(older_than=dt.timedelta(0))
    assert list((tmp_path / "bucket").rglob(".tmp-*")) == []
    check_file(home)


def test_there_are_at_least_25_named_points():
    assert len(set(POINTS)) >= 25


#: A process that takes part in a race for each run that it is told of.
RACER = textwrap.dedent("""
    import sys
    import flowbook
    from flowbook.exceptions import RunClaimedError

    while line := sys.stdin.readline().strip():
        run = flowbook.run(line)
        print("ready", flush=True)
        sys.stdin.readline()
        try:
            run.resume("publish", by=sys.argv[1])
        except RunClaimedError as error:
            print("lost", error, flush=True)
        else:
            run.wait(30)
            print("won", flush=True)
""")


@contextlib.contextmanager
def racers(count):
    """Start so many processes; a function races them for a run with what else is to happen meanwhile."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, f"process-{number}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        for number in range(count)
    ]

    def tell(line):
        for racer in started:
            racer.stdin.write(f"{line}\n")
            racer.stdin.flush()

    def race(run_id, meanwhile):
        tell(run_id)
        assert [racer.stdout.readline() for racer in started] == ["ready\n"] * count
        meanwhile(lambda: tell("go"))
        return {f"process-{number}": racer.stdout.readline().strip() for number, racer in enumerate(started)}

    try:
        yield race
    finally:
        for racer in started:
            racer.stdin.close()
            racer.wait(LONG_S)
            racer.stdout.close()


def race_threads(runs, go):
    """Resume in as many threads at once; return what each was told."""
    told: dict[str, str] = {}
    barrier = threading.Barrier(len(runs) + 1)

    def resume(name, run):
        barrier.wait()
        try:
            run.resume("publish", by=name)
        except RunClaimedError as error:
            told[name] = f"lost {error}"
        else:
            told[name] = "won"

    threads = [threading.Thread(target=resume, args=(f"thread-{n}", run)) for n, run in enumerate(runs)]
    for thread in threads:
        thread.start()
    barrier.wait()
    go()
    for thread in threads:
        thread.join()
    return told


@pytest.mark.timeout(0 if IS_LONG else 300)
def test_of_50_threads_and_8_processes_that_resume_one_task_one_wins_and_all_others_are_told_who(tmp_path):
    ran = tmp_path / "ran"
    winners: Counter[str] = Counter()

    @task(trigger=triggers.manual_only)
    def publish(path):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write("published\n")

    with Flow("race") as flow:
        publish(str(ran))
    with racers(8) as race:
        for number in range(1, (100 if IS_LONG else 3) + 1):
            flow.run(record=True)
            one = flow.last_run
            clicked = [one] * 25 + [flowbook.run(one.run_id) for _ in range(25)]
            told: dict[str, str] = {}
            told |= race(one.run_id, lambda go, clicked=clicked, told=told: told.update(race_threads(clicked, go)))
            for run in clicked:
                run.wait(30)

            (winner,) = [name for name, said in told.items() if said == "won"]
            untold = {name: said for name, said in told.items() if name != winner and winner not in said}
            assert untold == {}
            assert len(told) == 58
            assert len(ran.read_text().splitlines()) == number
            assert all(run.state.is_successful() for run in clicked)
            assert [each.by for each in open_store().history.decisions(one.run_id)] == [winner]
            winners[winner.partition("-")[0]] += 1
    assert not IS_LONG or len(winners) == 2, winners


def test_a_damaged_blob_never_gives_wrong_data(home):
    chance = random.Random(SEED)
    store = open_store()
    values = [bytes([n]) * 70_000 + os.urandom(30_000) for n in range(4)] + [
        list(range(n, n + 40_000)) for n in range(4)
    ]
    outcomes: Counter[str] = Counter()

    for _ in range(1000 if IS_LONG else 120):
        value = chance.choice(values)
        ref = store.values.put(value)
        path = home / "blobs" / ref.digest[:2] / ref.digest[2:]
        damage = chance.choice(["flip", "cut", "delete", "grow", "none"])
        _damage(path, damage, chance)
        try:
            found = ref.load()
        except (DamagedValueError, ResultGoneError) as error:
            outcomes[type(error).__name__, damage != "none", "run its task again" in str(error).lower()] += 1
        else:
            assert found == value
            outcomes["whole", True, True] += 1

    assert set(outcomes) == {(kind, True, True) for kind in ("whole", "DamagedValueError", "ResultGoneError")}


def _damage(path: Path, damage: str, chance: random.Random) -> None:
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        path.write_bytes(content)
    elif damage == "cut":
        path.write_bytes(content[: chance.randrange(len(content))])
    elif damage == "grow":
        path.write_bytes(content + b"x")
    elif damage == "delete":
        path.unlink()


def test_a_damaged_row_never_gives_wrong_data():
    store = open_store()
    ref, plain = store.values.put((1, "a")), store.values.put({"a": 1})

    for each in (ref, plain):
        content = bytearray(
            store._database.read("SELECT content FROM value WHERE digest = ?", (bytes.fromhex(each.digest),))[0][0]
        )
        content[-2] ^= 1
        change = "UPDATE value SET content = ? WHERE digest = ?", (bytes(content), bytes.fromhex(each.digest))
        store._database.write(lambda connection, change=change: connection.execute(*change))

        with pytest.raises(DamagedValueError, match="its bytes changed"):
            each.load()


def test_a_task_whose_stored_output_is_damaged_runs_again(home):
    ran = []

    @task(cache_for=dt.timedelta(hours=1))
    def load():
        ran.append(1)
        return b"x" * 100_000

    with Flow("d") as flow:
        load()
    flow.run()
    for path in (home / "blobs").glob("??/*"):
        path.write_bytes(b"y" * path.stat().st_size)

    state = flow.run()

    assert len(ran) == 2
    assert state.result[flow.tasks[0]].result == b"x" * 100_000


@pytest.fixture
def small_disk(tmp_path, monkeypatch):
    """Return a folder on a disk of 4 MB, where root can mount one; elsewhere the largest file is limited instead."""
    folder = tmp_path / "disk"
    folder.mkdir(mode=0o700)
    command = ["mount", "-t", "tmpfs", "-o", "size=4m,mode=700", "tmpfs", str(folder)]
    is_mounted = os.geteuid() == 0 and subprocess.run(command, check=False, capture_output=True).returncode == 0
    monkeypatch.setenv("FLOWBOOK_HOME", str(folder / "home"))
    try:
        yield folder, is_mounted
        open_store().close()
    finally:
        if is_mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_leaves_earlier_results_readable_and_goes_on_when_there_is_room(small_disk):
    folder, is_mounted = small_disk
    store = open_store()
    earlier = store.values.put(b"e" * 500_000)
    filler = folder / "filler"
    with contextlib.ExitStack() as stack:
        if is_mounted:
            _fill(filler)
        else:
            _limit_file_size(stack, 600_000)

        with pytest.raises(StoreError, match=r"can't be written to"):
            store.values.put(os.urandom(3_000_000))
        during = earlier.load()
    filler.unlink(missing_ok=True)
    later = store.values.put(b"l" * 500_000)

    assert during == b"e" * 500_000
    assert later.load() == b"l" * 500_000
    assert not list((folder / "home" / "blobs").glob(".tmp-*"))
    assert store._database.read("PRAGMA integrity_check") == [("ok",)]


def test_a_store_that_is_opened_on_a_full_disk_can_be_read_and_is_written_when_there_is_room(small_disk):
    folder, is_mounted = small_disk
    if not is_mounted:
        pytest.skip("platform: no small disk can be mounted here")
    filler = folder / "filler"

    @task
    def load():
        return 5

    with Flow("earlier") as flow:
        load()
    flow.run(record=True)
    run_id = flow.last_run.run_id
    open_store().close()
    _fill(filler)

    during = flowbook.run(run_id)["load"].result
    with pytest.warns(UserWarning, match="is not recorded: .* make room if it is full"):
        state = flow.run(record=True)
    filler.unlink()
    flow.run(record=True)

    assert during == 5
    assert state.is_successful()
    assert list(flowbook.runs()["number"]) == [1, 2]


def _fill(path: Path) -> None:
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)


def _limit_file_size(stack: contextlib.ExitStack, size_bytes: int) -> None:
    import resource  # noqa: PLC0415

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    stack.callback(signal.signal, signal.SIGXFSZ, ignored)
    stack.callback(resource.setrlimit, resource.RLIMIT_FSIZE, before)


def test_a_run_goes_on_over_a_full_disk_and_is_recorded_when_there_is_room(small_disk):
    folder, is_mounted = small_disk
    if not is_mounted:
        pytest.skip("platform: no small disk can be mounted here")
    filler = folder / "filler"

    @task
    def fill():
        _fill(filler)
        return 1

    @task
    def work(x):
        return x + 1

    @task
    def free(x):
        filler.unlink()
        return x + 1

    with Flow("full") as flow:
        free(work(fill()))

    state = flow.run(record=True)

    assert state.is_successful()
    found = open_store().history.states(flow.last_run.run_id)
    assert [found[key].result for key in ("fill", "work", "free")] == [1, 2, 3]


def test_writers_from_many_processes_share_the_store_fairly(home):
    writers, seconds = 8, 60 if IS_LONG else 2
    script = textwrap.dedent("""
        import sys, time
        from flowbook.store import open_store
        store = open_store()
        store.values.put("ready")
        print("ready", flush=True)
        count = 0
        while sys.stdin.readline():
            end, before = time.monotonic() + float(sys.argv[2]), count
            while time.monotonic() < end:
                store.values.put((sys.argv[1], count, b"x" * 70_000 if count % 100 == 0 else b""))
                count += 1
            print(count - before, flush=True)
    """)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(number), str(seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        for number in range(writers)
    ]
    for process in processes:
        process.stdout.readline()
    rounds = []
    while not rounds or (min(rounds[-1]) < sum(rounds[-1]) / writers / 2 and len(rounds) < 5):
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        rounds.append([int(process.stdout.readline()) for process in processes])
    for process in processes:
        process.communicate(timeout=LONG_S)

    # Of a few rounds, as a busy machine may leave one of them out for a while: a store that is unfair always is.
    assert max(min(counts) / sum(counts) for counts in rounds) >= 1 / writers / 2, rounds
    assert open_store()._database.read("SELECT count(*) FROM value") == [(sum(map(sum, rounds)) + 1,)]
    for content, digest in open_store()._database.read("SELECT content, digest FROM value WHERE content IS NOT NULL"):
        assert hashlib.sha256(content).digest() == digest
    for path in (home / "blobs").glob("??/*"):
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.parent.name + path.name
    check_file(home)


def test_a_run_is_not_lost_when_its_thread_is_the_last_to_go(home, tmp_path):
    """A script that ends while a run goes on in the background leaves a run that can be resumed."""
    trial = Trial(tmp_path, "threads")
    process = trial.start(BEGIN.replace("print(type(run.wait()).__name__, flush=True)", ""), "threads")
    said, _ = process.communicate(timeout=LONG_S)
    trial.run_id = said.strip()

    before = flowbook.run(trial.run_id).state
    trial.check()
    end = trial.finish()

    assert process.returncode == 0
    assert type(before).__name__ in {"Crashed", "Success"}
    assert end == "Success"
    assert threading.active_count() >= 1
    trial.check_end(home)
