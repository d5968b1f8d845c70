"""Answers to tasks that wait: resumed with other inputs, skipped, rejected; once each, wherever the run is."""

from __future__ import annotations

import threading
from contextlib import contextmanager

import pandas as pd
import pytest

import flowbook
from flowbook import Flow, task, triggers, unmapped
from flowbook.engine.events import FLOW, Decided, StateChanged
from flowbook.engine.signals import PAUSE
from flowbook.engine.state import Failed, Mapped, Paused, Pending, Resume, Skipped, Success, TriggerFailed
from flowbook.exceptions import (
    ArgumentError,
    RejectedError,
    RunClaimedError,
    StartTaskError,
    UnknownTaskError,
    UnpicklableError,
)
from flowbook.executors import LocalDaskExecutor
from flowbook.flow_run import answers
from flowbook.results.content_hash import content_hash
from tests.executors_of import AWAY, MAKE

LONG_S = 30
GATE = threading.Event()
PLACES = ["at rest", "loaded", "here", "elsewhere", "unrecorded"]


@task
def gate():
    GATE.wait(LONG_S)


@task
def load():
    return [1, 2]


@task(trigger=triggers.manual_only, max_retries=2, retry_delay=0)
def approve(report, threshold=15):
    return sum(report) * threshold


@task
def publish(x):
    return x


@task(trigger=triggers.all_finished, skip_on_upstream_skip=False)
def tell(x):
    return repr(x)


@task(trigger=triggers.any_failed)
def clean_up():
    return "cleaned"


def approval(*, is_live):
    with Flow("approval") as flow:
        if is_live:
            gate()
        approved = approve(load())
        publish(approved)
        tell(approved)
        clean_up(upstream_tasks=[approved])
    return flow


class Waits:
    """Sets an event once as many tasks wait."""

    def __init__(self, count):
        self.over = threading.Event()
        self.count = count

    def emit(self, event):
        if isinstance(event, StateChanged) and event.key and isinstance(event.state, Paused):
            self.count -= 1
            if not self.count:
                self.over.set()


@contextmanager
def waiting(flow, place, count=1):
    """Run a flow until its tasks wait, and give the run as one sees it from that place."""
    GATE.clear()
    if place in {"at rest", "loaded", "unrecorded"}:
        flow.run(record=place != "unrecorded")
        run = flow.last_run
        yield run if place != "loaded" else flowbook.run(run.run_id, flow=flow)
        return
    waits = Waits(count)
    run = flow.start(executor=LocalDaskExecutor("threads", num_workers=3), record=True)
    stop = run.subscribe(waits)
    if sum(isinstance(state, Paused) for state in run.states.values()) < count:
        assert waits.over.wait(LONG_S)
    stop()
    try:
        yield run if place == "here" else flowbook.run(run.run_id, flow=flow)
    finally:
        GATE.set()
        run.wait(LONG_S)


def ended(run):
    GATE.set()
    run.wait(LONG_S)
    return {key: type(state) for key, state in run.states.items() if key != "gate"}


def told(run, key="approve"):
    """Return what the record says of a task since it began to wait."""
    events = [event for event in run.events() if event.key == key]
    begin = max(n for n, event in enumerate(events) if isinstance(event, StateChanged) and type(event.state) is Paused)
    return [
        (event.action, event.by, event.note) if isinstance(event, Decided) else type(event.state)
        for event in events[begin + 1 :]
    ]


@pytest.mark.parametrize("place", PLACES)
def test_a_skipped_task_takes_along_what_follows_skips(place):
    flow = approval(is_live=place in {"here", "elsewhere"})

    with waiting(flow, place) as run:
        answered = run.skip("approve", by="ada", note="nothing new")
        states = ended(run)

    assert answered is run
    assert states == {
        "load": Success, "approve": Skipped, "publish": Skipped, "tell": Success, "clean_up": Skipped,
    }  # fmt: skip
    assert (run["approve"].message, run["tell"].result) == ("Skipped by ada: nothing new", "None")
    assert told(run) == [("skip", "ada", "nothing new"), Resume, Skipped]
    assert type(run.state) is Success


@pytest.mark.parametrize("place", PLACES)
def test_a_rejected_task_has_failed_and_those_below_can_look_at_why(place):
    flow = approval(is_live=place in {"here", "elsewhere"})

    with waiting(flow, place) as run:
        run.reject("approve", by="ada", note="August is missing")
        states = ended(run)

    assert states == {
        "load": Success, "approve": Failed, "publish": TriggerFailed, "tell": Success, "clean_up": Success,
    }  # fmt: skip
    error = run["approve"].result
    assert (type(error), error.key, error.by, error.note) == (RejectedError, "approve", "ada", "August is missing")
    assert (run["approve"].message, run["tell"].result) == (
        "Rejected by ada: August is missing",
        "RejectedError('Rejected by ada: August is missing')",
    )
    assert told(run) == [("reject", "ada", "August is missing"), Resume, Failed]
    assert type(run.state) is Failed
    assert run.state.message == ("approve was rejected by ada: August is missing; 1 task below it did not run.")


@pytest.mark.parametrize("place", PLACES)
def test_a_task_resumes_with_other_inputs_which_no_other_task_gets(place):
    flow = approval(is_live=place in {"here", "elsewhere"})

    with waiting(flow, place) as run:
        run.resume("approve", by="ada", inputs={"report": [5], "threshold": 2})
        states = ended(run)

    assert states == {
        "load": Success, "approve": Success, "publish": Success, "tell": Success, "clean_up": TriggerFailed,
    }  # fmt: skip
    assert (run["load"].result, run["approve"].result, run["publish"].result) == ([1, 2], 10, 10)
    assert told(run)[:2] == [("resume", "ada", ""), Resume]
    (decided,) = [event for event in run.events() if isinstance(event, Decided)]
    assert decided.changes == (
        ("report", content_hash([1, 2]), content_hash([5]), ""),
        ("threshold", "", content_hash(2), "2"),
    )
    assert decided.looked_at == {"report": content_hash([1, 2])}


@pytest.mark.parametrize("place", PLACES)
def test_the_second_answer_is_refused_and_says_who_gave_the_first(place):
    flow = approval(is_live=place in {"here", "elsewhere"})

    with waiting(flow, place) as run:
        run.reject("approve", by="ada")
        with pytest.raises(RunClaimedError, match=r"approve does not wait any more: it is \w+, rejected by ada\."):
            run.resume("approve", by="bob")
        with pytest.raises(StartTaskError, match="Nothing waits in run"):
            run.skip(by="eve")
        ended(run)

    assert [event.action for event in run.events() if isinstance(event, Decided)] == ["reject"]


@pytest.mark.parametrize("place", ["here", "at rest", "elsewhere"])
@pytest.mark.parametrize("count", [8])
def test_of_many_who_answer_at_once_one_does(place, count):
    flow = approval(is_live=place in {"here", "elsewhere"})
    acts = ["resume", "skip", "reject"]
    said, refused = [], []
    together = threading.Barrier(count)

    def answer(run, number):
        together.wait(LONG_S)
        try:
            getattr(run, acts[number % 3])("approve", by=f"person {number}")
            said.append(number)
        except (RunClaimedError, StartTaskError):
            refused.append(number)

    with waiting(flow, place) as run:
        seen_by = [run if place == "here" else flowbook.run(run.run_id, flow=flow) for _ in range(count)]
        people = [threading.Thread(target=answer, args=(each, number)) for number, each in enumerate(seen_by)]
        for person in people:
            person.start()
        for person in people:
            person.join()
        GATE.set()
        for each in seen_by:
            each.wait(LONG_S)
    after = flowbook.run(run.run_id, flow=flow)

    (who,) = said
    assert len(refused) == count - 1
    decided = [(event.action, event.by) for event in after.events() if isinstance(event, Decided)]
    assert decided == [(acts[who % 3], f"person {who}")]
    kinds = {"resume": Success, "skip": Skipped, "reject": Failed}
    assert type(after["approve"]) is kinds[acts[who % 3]]


@pytest.mark.parametrize("delay_s", [0, 0.0005, 0.002])
def test_an_answer_at_the_moment_at_which_the_run_comes_to_rest_is_taken_once(delay_s):
    flow = approval(is_live=True)
    for _ in range(8):
        with waiting(flow, "here") as run:
            opener = threading.Timer(delay_s, GATE.set)
            opener.start()
            run.skip("approve", by="ada")
            opener.join()
            states = ended(run)

        assert states["approve"] is Skipped
        assert [event.action for event in run.events() if isinstance(event, Decided)] == ["skip"]
        assert type(flowbook.run(run.run_id, flow=flow)["approve"]) is Skipped


@task(trigger=triggers.manual_only)
def check(x, factor):
    return x * factor


def checks(*, is_live):
    with Flow("checks") as flow:
        if is_live:
            gate()
        tell(check.map([1, 2, 3, 4], factor=unmapped(10)))
    return flow


@pytest.mark.parametrize("place", ["at rest", "loaded", "here", "elsewhere"])
def test_children_are_answered_one_by_one_and_then_all_that_still_wait(place):
    flow = checks(is_live=place in {"here", "elsewhere"})

    with waiting(flow, place, count=4) as run:
        run.reject("check[1]", by="ada", note="odd")
        run.wait(LONG_S if place in {"at rest", "loaded"} else 0)
        run.resume("check[3]", inputs={"factor": 100})
        run.wait(LONG_S if place in {"at rest", "loaded"} else 0)
        run.skip("check", by="bob")
        ended(run)

    children = run["check"].map_states
    assert [type(child) for child in children] == [Skipped, Failed, Skipped, Success]
    assert children[3].result == 400
    assert type(run["check"]) is Mapped
    table = run.decisions("check")
    assert list(zip(table["task"], table["action"], table["by"], strict=True)) == [
        ("check[1]", "reject", "ada"),
        ("check[3]", "resume", ""),
        ("check[0]", "skip", "bob"),
        ("check[2]", "skip", "bob"),
    ]
    assert run.decisions("check[3]")["changed"].tolist() == [{"factor": (content_hash(10), content_hash(100))}]


def test_a_task_that_paused_itself_can_be_answered_too():
    @task
    def asks():
        raise PAUSE("Is January complete?")

    with Flow("asks") as flow:
        tell(asks())
    flow.run(record=True)
    run = flow.last_run

    run.reject(by="ada").wait(LONG_S)

    assert (run["asks"].message, run["tell"].result) == ("Rejected by ada.", "RejectedError('Rejected by ada.')")


def test_a_retry_of_a_rejected_task_asks_again():
    flow = approval(is_live=False)
    flow.run(record=True)
    run = flow.last_run
    run.reject("approve", note="no").wait(LONG_S)
    loaded = flowbook.run(run.run_id, flow=flow)

    loaded.retry(by="bob").wait(LONG_S)
    asked = type(loaded["approve"]), type(loaded.state), dict(loaded["approve"].cached_inputs)
    loaded.resume("approve").wait(LONG_S)

    assert asked == (Paused, Paused, {"report": [1, 2]})
    assert (type(loaded["approve"]), loaded["publish"].result) == (Success, 45)


def test_a_retry_of_a_rejected_task_asks_again_while_the_run_is_live():
    flow = approval(is_live=True)

    with waiting(flow, "here") as run:
        seen = Waits(1)
        run.subscribe(seen)
        run.reject("approve")
        while not run["clean_up"].is_finished():
            run.wait(0.01)
        run.retry(by="bob")
        assert seen.over.wait(LONG_S)
        run.resume("approve")
        states = ended(run)

    assert states["approve"] is Success
    assert [event.action for event in run.events() if isinstance(event, Decided)] == ["reject", "retry", "resume"]


def test_state_handlers_see_how_a_task_was_ended():
    seen = []

    def handler(_, old, new):
        seen.append((type(old), type(new)))

    failures = []

    @task(
        trigger=triggers.manual_only,
        state_handlers=[handler],
        on_failure=lambda _, state: failures.append(state.message),
    )
    def decides():
        pass

    with Flow("handled") as flow:
        decides()
    flow.run(record=False)

    flow.last_run.reject(by="ada", note="no").wait(LONG_S)

    assert seen == [(flowbook.engine.state.Pending, Paused), (Resume, Failed)]
    assert failures == ["Rejected by ada: no"]


@pytest.mark.parametrize("where", ["processes", "waves", "threads", "synchronous"])
@pytest.mark.parametrize(("act", "ends"), [("resume", Success), ("skip", Skipped), ("reject", Failed)])
def test_answers_are_carried_out_wherever_tasks_run(where, act, ends):
    flow = approval(is_live=False)
    executor = {**MAKE, **AWAY}[where]()
    flow.run(executor=executor, record=True)
    run = flowbook.run(flow.last_run.run_id, flow=flow, executor=executor)
    more = {"inputs": {"report": [4]}} if act == "resume" else {}

    getattr(run, act)("approve", by="ada", **more).wait(LONG_S)

    told = {Success: "60", Skipped: "None", Failed: "RejectedError('Rejected by ada.')"}
    assert (type(run["approve"]), run["tell"].result) == (ends, told[ends])


def test_a_mapped_task_that_waits_as_a_whole_is_skipped_as_one():
    def waits(_, old, new):
        return Paused("Too many?") if isinstance(new, Mapped) and type(old) is Pending else None

    @task(state_handlers=[waits])
    def each(x):
        return x

    with Flow("whole") as flow:
        tell(each.map([1, 2]))
    flow.run(record=True)
    run = flow.last_run
    waiting = type(run["each"])

    run.skip("each", by="ada").wait(LONG_S)

    assert (waiting, type(run["each"]), type(run["tell"])) == (Paused, Skipped, Success)


def test_a_cancel_leaves_standing_what_was_rejected_and_not_carried_out():
    begun, go = threading.Event(), threading.Event()

    @task
    def blocks():
        begun.set()
        go.wait(LONG_S)

    with Flow("one thread") as flow:
        approve(load())
        blocks()
    run = flow.start(record=True)
    assert begun.wait(LONG_S)

    run.reject("approve", by="ada", note="no")
    between = type(run["approve"])
    run.cancel()
    go.set()
    run.wait(LONG_S)

    assert (between, type(run["approve"]), run["approve"].message) == (Resume, Failed, "Rejected by ada: no")
    assert type(flowbook.run(run.run_id, flow=flow)["approve"]) is Failed


def test_a_run_that_is_being_cancelled_takes_no_answers():
    flow = approval(is_live=True)

    with waiting(flow, "here") as run:
        run.cancel()
        with pytest.raises(StartTaskError) as refused:
            run.skip("approve")
        ended(run)

    assert str(refused.value) == (
        f"Run {run.number} of 'approval' is being cancelled. Wait for its end; run.resume() then goes on with it."
    )


# What is refused


@pytest.mark.parametrize(
    ("inputs", "kind", "message"),
    [
        ({"treshold": 1}, ArgumentError, "Task 'approve' has no input 'treshold'. Its inputs: report, threshold."),
        (
            [("report", 1)],
            ArgumentError,
            "inputs=[('report', 1)] isn't a dict by argument. Give e.g. inputs={'threshold': 20}.",
        ),
        ({1: 2}, ArgumentError, "inputs={1: 2} isn't a dict by argument. Give e.g. inputs={'threshold': 20}."),
    ],
)
@pytest.mark.parametrize("place", ["at rest", "here", "elsewhere"])
def test_inputs_that_the_task_does_not_have_are_refused(place, inputs, kind, message):
    flow = approval(is_live=place in {"here", "elsewhere"})

    with waiting(flow, place) as run:
        with pytest.raises(kind) as refused:
            run.resume("approve", inputs=inputs)
        still = type(run["approve"])

    assert (str(refused.value), still) == (message, Paused)
    assert [event for event in run.events() if isinstance(event, Decided)] == []


def test_inputs_for_no_task_or_several_are_refused():
    flow = checks(is_live=False)
    flow.run(record=False)
    run = flow.last_run

    with pytest.raises(ArgumentError) as unnamed:
        run.resume(inputs={"factor": 1})
    with pytest.raises(ArgumentError) as several:
        run.resume("check", inputs={"factor": 1})
    with pytest.raises(UnknownTaskError):
        run.skip("chekc")

    assert str(unnamed.value) == ("Changed inputs are for one task, and none is named. Name the one that gets them.")
    assert str(several.value) == (
        "inputs= changes what one task gets, and 4 wait here: check[0], check[1], check[2] and 1 more. "
        "Resume them one by one."
    )


def test_an_input_that_can_not_be_pickled_is_refused_by_name_where_another_process_has_the_run():
    flow = approval(is_live=True)

    with waiting(flow, "elsewhere") as run, pytest.raises(UnpicklableError) as refused:
        run.resume("approve", inputs={"report": (n for n in range(3))})

    assert str(refused.value) == (
        f"Run {run.number} of 'approval' goes on in another process, and input 'report' of approve can't be sent there: "
        "a generator can't be pickled (cannot pickle 'generator' object). Give plain data instead."
    )


def test_an_input_that_can_not_be_pickled_is_taken_where_the_run_goes_on_here():
    flow = approval(is_live=False)
    flow.run(record=True)
    run = flow.last_run

    run.resume("approve", inputs={"report": (n for n in range(3))}).wait(LONG_S)

    assert run["approve"].result == 45


def test_a_task_that_does_not_wait_can_not_be_skipped():
    flow = approval(is_live=False)
    flow.run(record=True)

    with pytest.raises(RunClaimedError) as refused:
        flow.last_run.skip("load")
    with pytest.raises(RunClaimedError) as early:
        flow.last_run.reject("publish")

    assert str(refused.value) == "load doesn't wait for a decision: it is Success. What waits: approve."
    assert str(early.value) == "publish isn't waiting yet: it is Pending. What waits: approve."


def test_a_task_that_failed_can_not_be_skipped_and_what_runs_it_again_is_said():
    @task
    def half(x):
        return 1 / x

    with Flow("halves") as flow:
        half.map([1, 0])
    flow.run(record=True)

    with pytest.raises(RunClaimedError) as refused:
        flow.last_run.skip("half[1]")

    assert str(refused.value) == "half[1] doesn't wait for a decision: it is Failed. A retry runs it again."


# What is known of it


def test_decisions_are_a_table_for_a_run_and_for_all_runs_of_a_flow():
    flow = approval(is_live=False)
    for act, by, note in (("reject", "ada", "August is missing"), ("resume", "bob", "")):
        flow.run(record=True)
        getattr(flow.last_run, act)("approve", by=by, note=note).wait(LONG_S)

    one, every = flow.last_run.decisions(), flow.decisions("approve")

    columns = ["at", "task", "action", "by", "note", "changed", "looked_at"]
    assert list(one.columns) == columns
    assert list(every.columns) == ["run_id", "number", *columns]
    assert every[["number", "task", "action", "by", "note"]].to_numpy().tolist() == [
        [1, "approve", "reject", "ada", "August is missing"],
        [2, "approve", "resume", "bob", ""],
    ]
    assert every["looked_at"].tolist() == [{"report": content_hash([1, 2])}] * 2
    assert every["run_id"].iloc[1] == flow.last_run.run_id
    assert isinstance(every["at"].dtype, pd.DatetimeTZDtype)
    assert flow.decisions("publish").empty
    assert flow.decisions().equals(every)


def test_answers_are_known_at_any_time_and_in_a_bundle(tmp_path, monkeypatch):
    flow = approval(is_live=False)
    flow.run(record=True)
    run = flow.last_run
    run.resume("approve", by="ada", inputs={"threshold": 2}).wait(LONG_S)
    decided = next(event for event in run.events() if isinstance(event, Decided))

    moment = flowbook.run(run.run_id, flow=flow).states(at=pd.Timestamp(decided.at + 1e-5, unit="s", tz="UTC"))
    store = flowbook.store.open_store()
    store.export_run(run.run_id, tmp_path / "run.zip")
    monkeypatch.setenv("FLOWBOOK_HOME", str(tmp_path / "other"))
    other = flowbook.store.open_store()
    other.import_run(tmp_path / "run.zip", trust=True)
    imported = flowbook.run(run.run_id, flow=flow)

    assert type(moment["approve"]) in {Paused, Resume}
    assert imported.decisions().equals(run.decisions())
    assert [type(e.state) for e in imported.events() if isinstance(e, StateChanged) and e.key == "approve"] == [
        type(e.state) for e in run.events() if isinstance(e, StateChanged) and e.key == "approve"
    ]
    assert [event.key for event in imported.events() if event.key == FLOW] != []


def test_what_is_large_in_the_store_is_not_loaded_to_be_hashed(monkeypatch):
    flow = approval(is_live=False)
    flow.run(record=True)
    run = flowbook.run(flow.last_run.run_id, flow=flow)
    monkeypatch.setattr(answers, "_MOST_BYTES", 1)
    reference = run.states["approve"].cached_inputs["report"]

    run.skip("approve").wait(LONG_S)

    assert run.decisions()["looked_at"].tolist() == [{"report": f"sha256:{reference.digest}"}]


def test_inputs_that_can_not_be_hashed_are_left_out():
    @task
    def opens():
        return threading.Lock()

    with Flow("odd") as flow:
        approve(opens(), 2)
    flow.run(record=False)
    run = flow.last_run

    run.skip("approve").wait(LONG_S)

    assert run.decisions()["looked_at"].tolist() == [{"threshold": content_hash(2)}]


def test_secrets_in_notes_and_changes_are_hidden_while_the_run_has_them():
    flow = approval(is_live=True)
    GATE.clear()
    run = flow.start(
        executor=LocalDaskExecutor("threads", num_workers=3),
        record=True,
        context={"secrets": {"key": "hunter2-hunter2"}},
    )
    while not isinstance(run.states["approve"], Paused):
        run.wait(0.005)

    run.resume("approve", note="with hunter2-hunter2", inputs={"threshold": "hunter2-hunter2"})
    ended(run)

    (decided,) = [event for event in run.events() if isinstance(event, Decided)]
    assert (decided.note, [each.text for each in decided.changes]) == ("with *****", ["'*****'"])


@pytest.mark.parametrize("is_loaded", [False, True], ids=["here", "loaded"])
def test_what_waited_while_a_task_above_had_failed_gets_its_value_after_a_retry(tmp_path, is_loaded):
    broken = tmp_path / "broken"
    broken.touch()

    @task
    def read(path):
        if path.exists():
            raise OSError(path.name)
        return [1, 2]

    with Flow("mended") as flow:
        publish(approve(read(broken)))
    flow.run(record=True)
    run = flow.last_run
    assert (run["read"].is_failed(), run["approve"].is_paused()) == (True, True)
    broken.unlink()

    run.retry()
    assert run.wait(LONG_S).is_paused()
    run = flowbook.run(run.run_id) if is_loaded else run
    run.resume("approve")

    assert run.wait(LONG_S).is_successful()
    assert run["publish"].result == 45
