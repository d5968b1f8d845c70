"""The loop of a notebook: edit a task, see what it concerns, and go on with what it is now."""

from __future__ import annotations

import gc
import time
import weakref

import pytest
from IPython.core.interactiveshell import InteractiveShell

from flowbook.core.history import run as recorded_run
from flowbook.exceptions import DefinitionError
from flowbook.notebook.command_worker import RefusedError
from flowbook.notebook.edits import Edits
from flowbook.notebook.flow_cell import FlowCell
from flowbook.notebook.loop import Loop
from flowbook.notebook.notebook_flows import NotebookFlows
from flowbook.notebook.panel_actions import Decided
from flowbook.notebook.panel_session import PanelSession
from tests.pace import slowness

TASKS = """
from flowbook import Task, task, triggers

DIVISOR = 0
TABLE = {"a": 1}

def divide(x):
    return 12 // (x * DIVISOR)

@task
def load():
    return [1, 2, 3]

@task
def parse(x):
    return divide(x)

class Add(Task):
    def run(self, xs):
        return sum(xs)

@task(trigger=triggers.manual_only)
def approve(total):
    return total, TABLE["a"]

@task
def publish(total):
    return f"published {total}"
"""
BODY = """
import math

def local(x):
    return x

rows = load()
total = Add(name="total")(parse.map(rows))
publish(approve(total))
"""
WORKING = ("DIVISOR = 0", "DIVISOR = 2")


class _Notebook:
    def __init__(self):
        self.shell = InteractiveShell()
        self.flows = NotebookFlows(self.shell)
        self.loop = Loop(self.flows)
        self.define()

    def define(self, *changes):
        cell = TASKS
        for old, new in changes:
            assert old in cell
            cell = cell.replace(old, new)
        assert self.shell.run_cell(cell).success

    def write(self, body=BODY):
        flow, _ = self.flows.write(FlowCell("daily", body))
        self.flows.cell_ended()
        return flow

    def run(self):
        flow = self.write()
        flow.run(record=True)
        return flow.last_run

    @property
    def edits(self):
        return self.flows.edits(self.flows.flow("daily"))


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    monkeypatch.setenv("FLOWBOOK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FLOWBOOK_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("FLOWBOOK_PROJECT", "test")
    found = _Notebook()
    yield found
    found.shell.history_manager.end_session()


@pytest.mark.parametrize(
    ("change", "edited"),
    [
        (("return [1, 2, 3]", "return [1, 2]"), ("load",)),
        (WORKING, ("parse",)),
        (("12 // (x", "13 // (x"), ("parse",)),
        (("return sum(xs)", "return max(xs)"), ("total",)),
        (('{"a": 1}', '{"a": 2}'), ("approve",)),
        (("@task\ndef publish", "@task(max_retries=3, retry_delay=1)\ndef publish"), ("publish",)),
        (("def divide(x):", "def divide(x):\n    # a comment"), ()),
        (("return [1, 2, 3]", "return [\n        1, 2, 3\n    ]"), ()),
    ],
    ids=["a task", "a global", "a helper", "a class", "a table", "an option", "a comment", "the layout"],
)
def test_a_look_finds_the_tasks_whose_code_or_data_is_another_now(notebook, change, edited):
    notebook.write()
    assert notebook.edits == Edits()

    notebook.define(change)

    assert notebook.edits.edited == edited


def test_a_flow_that_was_written_again_is_let_go(notebook):
    old = weakref.ref(notebook.write())
    assert notebook.edits == Edits()

    notebook.write()

    gc.collect()
    assert old() is None


def test_what_lies_below_is_stale_and_an_edit_that_is_taken_back_is_none(notebook):
    notebook.write()

    notebook.define(WORKING)
    assert notebook.edits == Edits(("parse",), ("total", "approve", "publish"))
    notebook.define()
    assert notebook.edits == Edits()


@pytest.mark.parametrize(
    ("value", "other"),
    [
        ('pathlib.Path("data")', 'pathlib.Path("other")'),
        ("datetime.date(2026, 11, 30)", "datetime.date(2026, 12, 1)"),
        ("datetime.timedelta(hours=1)", "datetime.timedelta(hours=2)"),
    ],
)
def test_a_path_or_a_time_that_is_made_again_is_no_edit_unless_it_is_another(notebook, value, other):
    table = 'TABLE = {"a": 1}'
    same = (table, f"import datetime, pathlib\n\nTABLE = {{'a': 1}}\nDIVIDEND = {value}")
    uses = ("return 12 // (x * DIVISOR)", "return str(DIVIDEND)")
    notebook.define(same, uses)
    notebook.write()

    notebook.define(same, uses)
    assert notebook.edits == Edits()
    notebook.define((table, same[1].replace(value, other)), uses)
    assert notebook.edits.edited == ("parse",)


def test_retry_takes_the_mended_task_and_says_so(notebook):
    run = notebook.run()
    assert run["total"].is_failed()

    notebook.define(WORKING)
    gone_on = notebook.loop.retry(run)

    assert gone_on.text == "parse[0], parse[1] and parse[2] run again with the edited parse."
    assert gone_on.run.wait(20).is_paused()
    assert gone_on.run["total"].result == 6 + 3 + 2
    assert (gone_on.run.run_id, gone_on.run.number) == (run.run_id, 1)
    assert notebook.shell.user_ns["daily"].last_run is gone_on.run
    assert notebook.edits == Edits()


@pytest.mark.parametrize(
    ("action", "said", "ends_as"),
    [
        ("resume", "approve goes on.", "Success"),
        ("skip", "approve is skipped.", "Skipped"),
        ("reject", "approve is rejected.", "Failed"),
    ],
)
def test_what_waits_after_a_retry_with_a_mended_task_can_be_answered(notebook, action, said, ends_as):
    run = notebook.run()
    notebook.define(WORKING)
    retried = notebook.loop.retry(run).run
    assert retried.wait(20).is_paused()

    gone_on = notebook.loop.answer(retried, Decided(action))
    gone_on.run.wait(20)

    assert gone_on.text == said
    assert type(gone_on.run["approve"]).__name__ == ends_as


def test_a_mended_run_goes_on_as_recorded_with_the_code_that_was_recorded(notebook):
    run = notebook.run()
    notebook.define(WORKING, ('f"published {total}"', 'f"sent {total}"'))
    retried = notebook.loop.retry(run).run
    assert retried.wait(20).is_paused()

    gone_on = notebook.loop.answer(retried, Decided("resume"), as_recorded=True)

    assert gone_on.text == "approve goes on."
    assert gone_on.run.wait(20).is_successful()
    assert gone_on.run["publish"].result == "published (11, 1)"


def test_retry_as_recorded_takes_the_old_code(notebook):
    run = notebook.run()
    notebook.define(("return divide(x)", "return 1"))

    gone_on = notebook.loop.retry(run, as_recorded=True)

    assert gone_on.run is run
    assert gone_on.text == "parse[0], parse[1] and parse[2] run again."
    run.wait(20)
    assert run["total"].is_failed()


def test_what_was_edited_and_does_not_run_again_is_said(notebook):
    run = notebook.run()
    notebook.define(WORKING, ("return [1, 2, 3]", "return [1, 2]"))

    gone_on = notebook.loop.retry(run)

    assert gone_on.text == (
        "parse[0], parse[1] and parse[2] run again with the edited parse. "
        "load was edited too and keeps what it gave: a new run would run it."
    )
    assert gone_on.run.wait(20).is_paused()
    assert gone_on.run["total"].result == 11


def test_resume_takes_the_edited_tasks_below_what_waits(notebook):
    notebook.define(WORKING)
    run = notebook.run()
    assert run.state.is_paused()
    notebook.define(WORKING, ('f"published {total}"', 'f"sent {total}"'))

    gone_on = notebook.loop.answer(run, Decided("resume"))

    assert gone_on.text == "approve goes on with the edited publish."
    assert gone_on.run.wait(20).is_successful()
    assert gone_on.run["publish"].result == "sent (11, 1)"


def test_without_an_edit_the_run_itself_goes_on(notebook):
    notebook.define(WORKING)
    run = notebook.run()

    gone_on = notebook.loop.answer(run, Decided("resume"))

    assert gone_on == (run, "approve goes on.")
    assert run.wait(20).is_successful()


def test_a_renewed_flow_keeps_newer_definitions_of_what_its_cell_defines(notebook):
    flow = notebook.write("@task\ndef one():\n    return 1\n\none()")
    notebook.shell.run_cell("@task\ndef one():\n    return 2")

    renewed = notebook.flows.renew("daily")

    assert renewed.edits == Edits(("one",), ())
    assert renewed.flow is not flow
    assert renewed.flow.run(record=False).is_successful()
    assert renewed.flow.last_run["one"].result == 2
    assert notebook.shell.user_ns["daily"] is renewed.flow


def test_a_plan_of_the_edited_flow_leaves_the_edit_to_be_run(notebook):
    notebook.define(WORKING)
    run = notebook.run()
    notebook.define(WORKING, ("return sum(xs)", "return max(xs)"))

    notebook.flows.renew("daily").flow.plan()

    assert notebook.edits == Edits()
    assert notebook.flows.edits(run.flow).edited == ("total",)
    assert notebook.loop.changed(run).start == ("total",)


def test_an_edit_after_a_renewal_is_seen(notebook):
    notebook.run()
    notebook.define(WORKING)
    notebook.flows.renew("daily")

    notebook.define(WORKING, ("return sum(xs)", "return max(xs)"))

    assert notebook.edits.edited == ("total",)


def test_a_cell_that_can_not_be_evaluated_any_more_says_what_to_do(notebook):
    run = notebook.run()
    notebook.define(WORKING, ("def load():", "def load(path):"))

    with pytest.raises(DefinitionError) as caught:
        notebook.loop.retry(run)

    assert str(caught.value).startswith(
        "The cell of flow 'daily' can't be evaluated with today's definitions: ArgumentError: "
    )
    assert str(caught.value).endswith(
        "Run the cell itself to see where, or go on with the code as it was: --as-recorded."
    )


def test_a_run_of_another_kernel_goes_on_with_the_flow_of_this_one(notebook):
    run_id = notebook.run().run_id
    other = _Notebook()
    other.define(WORKING)
    other.write()

    gone_on = other.loop.retry(other.flows.run(run_id))

    assert gone_on.text == "parse[0], parse[1] and parse[2] run again with the edited parse."
    assert gone_on.run.wait(20).is_paused()
    other.shell.history_manager.end_session()


def test_only_what_was_edited_runs_over_the_states_of_the_run(notebook):
    notebook.define(WORKING)
    run = notebook.run()
    notebook.loop.answer(run, Decided("resume"))
    assert run.wait(20).is_successful()
    notebook.define(
        WORKING, ('f"published {total}"', 'f"sent {total}"'), ("return total, TABLE", "return 2 * total, TABLE")
    )

    changed = notebook.loop.changed(run)
    again = changed.flow.start(dict(run.parameters), start_tasks=changed.start, task_states=changed.states)

    assert (changed.start, changed.text) == (("approve",), "approve runs as edited, and what lies below.")
    assert again.wait(20).is_successful()
    assert again["publish"].result == "sent (22, 1)"
    assert [event.key for event in again.events() if type(event).__name__ == "StateChanged" and event.key][:1] == [
        "approve"
    ]


def test_what_did_not_run_with_what_was_edited_says_from_which_run_it_is_kept(notebook):
    notebook.define(WORKING)
    run = notebook.run()
    notebook.define(WORKING, ("return sum(xs)", "return max(xs)"))

    changed = notebook.loop.changed(run)
    again = changed.flow.start(dict(run.parameters), start_tasks=changed.start, task_states=changed.states)
    assert again.wait(20).is_paused()

    kept = {key: state.message for key, state in again.states.items() if key not in {"total", "approve", "publish"}}
    assert kept == dict.fromkeys(("load", "parse", "parse[0]", "parse[1]", "parse[2]"), "Kept from run 1.")
    assert again["parse"].result == [6, 3, 2]


def test_only_what_was_edited_is_refused_where_nothing_was_or_nothing_is_to_go_by(notebook):
    run = notebook.run()

    with pytest.raises(RefusedError) as nothing:
        notebook.loop.changed(run)
    notebook.define(('f"published {total}"', 'f"sent {total}"'))
    with pytest.raises(RefusedError) as lacking:
        notebook.loop.changed(run)

    assert str(nothing.value) == "Nothing of daily was edited since. Run runs all of it."
    assert str(lacking.value) == "approve gave nothing to go by in this run. Run all of it."


def test_a_list_that_is_gathered_is_no_task_below_an_edited_one(notebook):
    notebook.write('Add(name="total")([load(), load()])')

    notebook.define(("return [1, 2, 3]", "return [1, 2]"))

    assert notebook.edits == Edits(("load", "load-2"), ("total",))


def test_looking_at_a_hundred_tasks_takes_little_time(notebook):
    source = "from flowbook import task\ndef help(x):\n    return x\n" + "".join(
        f"@task\ndef t{n}(x):\n    return help(x) + {n} + {'+'.join(f'len(str({m}))' for m in range(9))}\n"
        for n in range(100)
    )
    assert notebook.shell.run_cell(source).success
    notebook.write("x0 = t0(1)\n" + "".join(f"x{n} = t{n}(x{n - 1})\n" for n in range(1, 100)))
    assert notebook.shell.run_cell("@task\ndef t50(x):\n    return -x\n").success

    took = []
    for _ in range(5):
        began = time.process_time()
        found = notebook.edits
        took.append(time.process_time() - began)

    assert (len(found.edited), len(found.stale)) == (1, 49)
    assert min(took) < 0.02 * slowness()


def test_other_panels_of_a_run_are_told_the_object_that_goes_on_and_nothing_is_logged(notebook, capfd):
    told = []
    loop = Loop(notebook.flows, told.append)
    run = notebook.run()
    notebook.define(WORKING)
    capfd.readouterr()

    gone_on = loop.retry(run)
    gone_on.run.wait()

    assert told == [gone_on.run]
    assert gone_on.run is not run
    assert "daily" not in capfd.readouterr().err


def test_an_edit_of_a_task_that_kept_its_result_stays_marked_after_an_answer(notebook):
    notebook.define(WORKING)
    run = notebook.run()
    notebook.define(WORKING, ("return [1, 2, 3]", "return [1, 2]"))

    gone_on = notebook.loop.answer(run, Decided("resume"))

    assert gone_on.run.wait(20).is_successful()
    assert notebook.loop.edits(gone_on.run) == Edits(("load",), ("parse", "total", "approve", "publish"))
    assert notebook.loop.changed(gone_on.run).start == ("load",)


def test_a_task_that_ran_again_as_edited_is_not_told_of_a_second_time(notebook):
    run = notebook.run()
    notebook.define(WORKING)
    retried = notebook.loop.retry(run).run
    assert retried.wait(20).is_paused()
    notebook.define(WORKING, ('f"published {total}"', 'f"sent {total}"'))

    gone_on = notebook.loop.answer(retried, Decided("resume"))

    assert gone_on.text == "approve goes on with the edited publish."
    assert gone_on.run.wait(20).is_successful()
    assert notebook.loop.edits(gone_on.run) == Edits()


def test_a_mapped_task_of_which_some_children_ran_as_edited_stays_marked(notebook):
    notebook.define(("return divide(x)", "return 6 // (x - 2)"))
    run = notebook.run()
    notebook.define(("return divide(x)", "return 6 // x"))

    gone_on = notebook.loop.retry(run)

    assert gone_on.text == (
        "parse[1] runs again with the edited parse. 2 of 3 children of parse keep what they gave before the edit."
    )
    assert gone_on.run.wait(20).is_paused()
    assert notebook.loop.edits(gone_on.run).edited == ("parse",)


def notes(run):
    """What nodes say below their states, by key, and what the inspector says of the mapped task and its children."""
    session = PanelSession(run)
    snapshot, details = session.reported()[0]["snapshot"], session.reported()[1]
    session.close()
    nodes = {key: each["note"] for key, each in snapshot["tasks"].items() if "edit" in each["note"]}
    said = {each["key"]: line[1] for each in details for line in each["why"] if line[0] == "Its code"}
    return nodes, said


def test_how_many_children_ran_before_the_edit_is_on_record(notebook):
    notebook.define(("return divide(x)", "return 6 // (x - 2)"))
    run = notebook.run()
    assert notes(run) == ({}, {})
    notebook.define(("return divide(x)", "return 6 // x"))

    gone_on = notebook.loop.retry(run)

    assert gone_on.run.wait(20).is_paused()
    kept = "It ran before the edit, and keeps what it gave."
    told = (
        {"parse": "2 ran before the edit"},
        {"parse": "2 of 3 children ran before the edit, and keep what they gave.", "parse[0]": kept, "parse[2]": kept},
    )
    assert notes(gone_on.run) == told
    assert notes(recorded_run(run.run_id)) == told


def test_a_task_that_kept_its_result_from_before_the_edit_says_so_for_good(notebook):
    run = notebook.run()
    notebook.define(WORKING, ("return [1, 2, 3]", "return [1, 2]"))

    gone_on = notebook.loop.retry(run)

    assert gone_on.run.wait(20).is_paused()
    told = ({"load": "ran before the edit"}, {"load": "It ran before the edit, and keeps what it gave."})
    assert notes(gone_on.run) == told
    assert notes(recorded_run(run.run_id)) == told


def test_what_kept_its_result_twice_is_marked_until_it_runs(notebook):
    run = notebook.run()
    notebook.define(WORKING, ("return [1, 2, 3]", "return [1, 2]"))
    retried = notebook.loop.retry(run).run
    assert retried.wait(20).is_paused()

    gone_on = notebook.loop.answer(retried, Decided("resume"))

    assert gone_on.run.wait(20).is_successful()
    assert notebook.loop.edits(gone_on.run).edited == ("load",)


def test_only_what_was_edited_runs_over_a_run_that_waits_and_goes_on_waiting(notebook):
    notebook.define(WORKING)
    run = notebook.run()
    notebook.define(WORKING, ("return sum(xs)", "return max(xs)"))

    changed = notebook.loop.changed(run)
    again = changed.flow.start(dict(run.parameters), start_tasks=changed.start, task_states=changed.states)

    assert changed.text == "total runs as edited, and what lies below. Run 1 still waits: %flow resume lists it."
    assert again.wait(20).is_paused()
    assert again["total"].result == 6
    assert again["approve"].is_paused()
    assert run.state.is_paused()


def test_a_run_that_is_looked_back_at_is_compared_with_the_flow_of_today(notebook):
    notebook.define(WORKING)
    run_id = notebook.run().run_id
    notebook.define(WORKING, ("return sum(xs)", "return max(xs)"))
    notebook.run()

    old = notebook.flows.shown(recorded_run(run_id))

    assert notebook.loop.edits(old).edited == ("total",)
    notebook.define(WORKING)
    notebook.flows.renew("daily")
    assert notebook.loop.edits(old) == Edits()
