from __future__ import annotations

import datetime as dt
import pickle
import subprocess
import sys
import textwrap
import threading
import time
import types

import pytest

from flowbook.engine.events import FLOW, Decided
from flowbook.engine.state import Cancelled, Paused, Running, State, Success
from flowbook.exceptions import RunClaimedError, StoreError, UnknownRunError
from flowbook.store import RunRecord, Store
from tests.store.run_helpers import begin, tell


def test_a_run_gets_the_next_number_of_its_flow_in_its_project(store: Store) -> None:
    wanted = [("f", "p"), ("f", "p"), ("g", "p"), ("f", "q")]

    records = [
        store.runs.create(RunRecord(run_id=f"r{index}", flow=flow, project=project, graph={}))
        for index, (flow, project) in enumerate(wanted)
    ]

    assert [record.number for record in records] == [1, 2, 1, 1]
    assert [store.runs.get(record.run_id) for record in records] == records


def test_a_record_comes_back_as_it_was_given(store: Store) -> None:
    ref = store.values.put({"origin": "JFK"})
    given = RunRecord(
        run_id="r1",
        flow="delays",
        project="p",
        graph={"name": "delays", "tasks": [{"key": "a"}]},
        created=dt.datetime(2026, 11, 20, 9, 30, tzinfo=dt.UTC),
        parameters={"origin": "JFK"},
        parameters_ref=ref,
        flow_unkept="it holds a lock",
        executor="threads, 2 workers",
        origin="delays.ipynb",
        owner="here:1",
    )

    kept = store.runs.create(given)

    back = store.runs.get("r1")
    assert back == kept
    assert back.parameters_ref is not None
    assert back.parameters_ref.load() == {"origin": "JFK"}


@pytest.mark.parametrize("run_id", ["", "../x", "a b", "a/b", "x" * 101, "-a", "a\n", "é"])
def test_an_id_that_could_be_something_else_is_refused(store: Store, run_id: str) -> None:
    with pytest.raises(StoreError, match="can't be a run's id"):
        store.runs.create(RunRecord(run_id=run_id, flow="f", project="p", graph={}))


def test_a_second_run_of_one_id_is_refused(store: Store) -> None:
    begin(store).close()

    with pytest.raises(StoreError, match="There is a run r1 already"):
        begin(store)


def test_a_run_that_is_not_there_is_named(store: Store) -> None:
    with pytest.raises(UnknownRunError, match="There is no run 'nope'"):
        store.runs.get("nope")
    for ask in (
        store.history.states,
        store.history.events,
        store.history.logs,
        store.runs.summary,
        store.history.decisions,
    ):
        with pytest.raises(UnknownRunError):
            ask("nope")
    with pytest.raises(UnknownRunError):
        store.ownership.claim("nope", 1, "me")


def test_of_many_who_claim_a_run_one_wins_and_the_others_are_told_who(store: Store) -> None:
    begin(store).close()
    won: list[str] = []
    told: list[RunClaimedError] = []

    def claim(owner: str) -> None:
        try:
            store.ownership.claim("r1", 1, owner)
            won.append(owner)
        except RunClaimedError as exc:
            told.append(exc)

    threads = [threading.Thread(target=claim, args=(f"here:{index}",)) for index in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(won), len(told)) == (1, 9)
    assert {exc.owner for exc in told} == set(won)
    assert pickle.loads(pickle.dumps(told[0])).since == told[0].since


def test_finishing_a_run_lets_go_of_it(store: Store) -> None:
    begin(store).close()

    store.ownership.finish("r1", 1, Success())

    summary = store.runs.summary("r1")
    assert (summary.state, summary.owner, summary.ended is not None) == ("Success", None, True)
    with pytest.raises(RunClaimedError):
        store.ownership.finish("r1", 7, "Failed")


def test_a_run_that_was_released_shows_nobody_at_it(store: Store) -> None:
    begin(store).close()

    store.ownership.release("r1", 1)

    assert (store.runs.summary("r1").owner, store.ownership.claim("r1", 1, "there:2")) == (None, 2)


def test_runs_are_listed_oldest_first_by_flow_project_and_state(store: Store) -> None:
    for run_id, flow in (("r1", "a"), ("r2", "b"), ("r3", "a")):
        recorder = begin(store, run_id, flow)
        tell(recorder, (FLOW, Running() if run_id == "r1" else Paused()))
        recorder.close()

    runs = store.runs

    assert [run.run_id for run in runs.list()] == ["r1", "r2", "r3"]
    assert [run.run_id for run in runs.list(flow="a")] == ["r1", "r3"]
    assert [run.run_id for run in runs.list(state="Paused", project="p")] == ["r2", "r3"]
    assert [run.run_id for run in runs.list(limit=2)] == ["r2", "r3"]
    assert runs.list(project="'; DROP TABLE run; --") == []


@pytest.mark.parametrize(
    ("before", "order", "after", "shown"),
    [
        (Running(), "cancel", None, "Cancelling"),
        (Running(), "cancel", Cancelled(), "Cancelled"),
        (Running(), "cancel", Success(), "Success"),
        (Running(), "hand_over", None, "Running"),
        (Paused(), "cancel", None, "Paused"),
    ],
    ids=["goes on", "ended", "its last task ended well", "another order", "waits at rest"],
)
def test_a_run_is_cancelling_from_the_order_until_its_flows_next_state(
    store: Store, before: State, order: str, after: State | None, shown: str
) -> None:
    recorder = begin(store)
    tell(recorder, (FLOW, before))

    recorder.emit(Decided(recorder.last_seq + 2, FLOW, time.time(), order, "ana", ""))
    if after is not None:
        tell(recorder, (FLOW, after), after=2)
    recorder.flush()

    assert store.runs.summary("r1").state == shown


def test_a_task_of_the_name_that_orders_have_cancels_nothing(store: Store) -> None:
    recorder = begin(store, graph={"name": "delays", "tasks": [{"key": "cancel"}]})
    tell(recorder, (FLOW, Running()))

    recorder.emit(Decided(2, "cancel", time.time(), "cancel", "ana", ""))
    recorder.flush()

    assert store.runs.summary("r1").state == "Running"


def test_a_flow_that_cannot_be_kept_says_why(store: Store) -> None:
    ref, why = store.runs.store_flow({"lock": threading.Lock()})

    assert ref is None
    assert why is not None
    assert "['lock']" in why


def test_a_flow_is_kept_with_the_users_modules(store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    module = types.ModuleType("users_own")
    module.__file__ = f"{tmp_path}/users_own.py"
    exec("def double(x): return 2 * x", module.__dict__)
    monkeypatch.setitem(sys.modules, "users_own", module)

    ref, why = store.runs.store_flow(module.double)

    monkeypatch.delitem(sys.modules, "users_own")
    assert why is None
    assert ref is not None
    assert ref.load()(21) == 42


def test_a_run_that_paused_in_one_process_is_read_in_another(disk_store: Store) -> None:
    script = """
        import pandas as pd
        from flowbook.engine.events import FLOW, StateChanged
        from flowbook.engine.state import *
        from flowbook.store import RunRecord, open_store

        class Own:
            def __init__(self, n): self.n = n

        store = open_store()
        frame = pd.DataFrame({"dep": [1.5, None], "to": ["JFK", "EWR"]})
        flow_ref, why = store.runs.store_flow(lambda x: Own(x).n + 1)
        graph = {"name": "delays", "tasks": []}
        store.runs.create(RunRecord("r1", "delays", "p", graph, flow_ref=flow_ref, flow_unkept=why))
        recorder = store.runs.recorder("r1", 1)
        recorder.emit(StateChanged(1, FLOW, Running()))
        recorder.emit(StateChanged(2, "clean", Success(result=frame)))
        recorder.emit(StateChanged(3, "approve", Paused("Waits.", cached_inputs={"report": frame, "own": Own(3)})))
        recorder.emit(StateChanged(4, FLOW, Paused("Waits for approve.")))
        recorder.close()
    """

    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True)

    states = disk_store.history.states("r1")
    assert {key: type(state) for key, state in states.items()} == {FLOW: Paused, "clean": Success, "approve": Paused}
    inputs = states["approve"].cached_inputs
    assert inputs is not None
    assert inputs["own"].load().n == 3
    assert states["clean"].result.equals(inputs["report"].load())
    flow_ref = disk_store.runs.get("r1").flow_ref
    assert flow_ref is not None
    assert flow_ref.load()(1) == 2


def test_a_tasks_outcomes_in_the_newest_runs_come_without_its_values(store: Store) -> None:
    for number in range(1, 17):
        recorder = begin(store, f"r{number}")
        running, done = Running(), Success(result={"big": number})
        running.at, done.at = 100.0 * number, 100.0 * number + 2.5
        tell(recorder, ("clean", running), ("other", Running()), ("clean", done))
        recorder.close()
    begin(store, "elsewhere", flow="another").close()

    found = store.history.task_history("delays", "clean", project="p", besides="r15")

    assert [each.number for each in found] == [16, *range(14, 1, -1)]
    assert (found[0].run_id, found[0].state) == ("r16", "Success")
    assert [moment.timestamp() for moment in (found[0].at, found[0].running_at) if moment] == [1602.5, 1600.0]
    assert store.history.task_history("delays", "nobody", project="p") == []
