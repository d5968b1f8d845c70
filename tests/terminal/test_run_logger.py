"""What Python's `logging` gets of a run."""

import logging
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import flowbook
from flowbook import Flow, Parameter, task, triggers
from flowbook.engine.events import StateChanged
from flowbook.engine.state import Paused
from flowbook.terminal.reporting import TroubleSink
from tests.homes import home
from tests.scripts import ROOT
from tests.terminal.records import Records

__all__ = ["home"]

FLOW, TASK = "flowbook.flow_run", "flowbook.task_run"


@pytest.fixture
def records():
    """Return the records of runs, from INFO on, while the test goes on."""
    with Records(logging.INFO) as found:
        yield found


@task
def load(origin):
    flowbook.context.logger.info("loads %s", origin)
    return [1, 2, 3]


@task
def broken(rows):
    raise ValueError(f"no column in {len(rows)}")


@task
def publish(rows):
    return rows


@task
def odd(number):
    if number % 2:
        raise ValueError(f"{number} is odd")
    return number


def test_what_a_run_took_when_it_went_on_is_what_it_took_then(records):
    with Flow("delays") as flow:
        broken([1])
    flow.run(record=False)
    flow.last_run._control.started -= 3600

    flow.last_run.retry()
    flow.last_run.wait()

    assert records.lines(FLOW)[-1] == (
        FLOW,
        "ERROR",
        "delays Failed after T: broken failed: ValueError: no column in 1",
    )


def test_starts_ends_and_failures_are_told_in_order(records):
    with Flow("delays") as flow:
        rows = load(Parameter("origin", default="JFK"))
        publish(broken(rows))

    state = flow.run(record=False)

    assert records.lines() == [
        (FLOW, "INFO", "delays started, 3 tasks, local, one task at a time, origin='JFK'"),
        (TASK, "INFO", "load started"),
        (TASK, "INFO", "loads JFK"),
        (TASK, "INFO", "load Success in T"),
        (TASK, "INFO", "broken started"),
        (TASK, "ERROR", "broken Failed after T: ValueError: no column in 3"),
        (TASK, "INFO", f"publish TriggerFailed: {state.result[flow.get_tasks('publish')[0]].message}"),
        (FLOW, "ERROR", f"delays Failed after T: {state.message.rstrip('.')}"),
    ]


def test_a_record_says_of_which_run_task_and_attempt_it_is(records):
    with Flow("delays") as flow:
        broken(load("JFK"))

    flow.run(record=False)

    run = flow.last_run
    failed = next(record for record in records.found if record.levelname == "ERROR" and record.name == TASK)
    found = {name: getattr(failed, name) for name in ("flow", "run", "run_id", "task", "attempt", "state")}
    assert found == {
        "flow": "delays",
        "run": None,
        "run_id": run.run_id,
        "task": "broken",
        "attempt": 1,
        "state": "Failed",
    }
    assert failed.exc_info[1] is run["broken"].result
    said = next(record for record in records.found if record.getMessage() == "loads JFK")
    assert (said.task, said.attempt, said.levelname) == ("load", 1, "INFO")


def test_a_failure_is_formatted_with_the_users_line_first(records, monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[2])
    with Flow("delays") as flow:
        broken(load("JFK"))

    flow.run(record=False)

    failed = next(record for record in records.found if record.exc_info)
    text = logging.Formatter("%(message)s").format(failed)
    line = broken.run.__code__.co_firstlineno + 2
    assert text.splitlines()[1:4] == [
        f'  File "tests/terminal/test_run_logger.py", line {line}, in broken',
        f"{line - 2:>7} | @task",
        f"{line - 1:>7} | def broken(rows):",
    ]
    assert text.splitlines()[-1] == "ValueError: no column in 3"


def test_a_hundred_children_are_one_start_and_one_end(records):
    with Flow("numbers") as flow:
        odd.map([0] * 100)

    flow.run(record=False)

    assert records.lines(TASK) == [
        (TASK, "INFO", "odd started: 100 children"),
        (TASK, "INFO", "odd: 100 Success in T"),
    ]


def test_of_a_mapped_tasks_failures_the_first_are_told_and_all_are_counted(records):
    with Flow("numbers") as flow:
        odd.map([0, *[1] * 20])

    flow.run(record=False)

    assert records.lines(TASK) == [
        (TASK, "INFO", "odd started: 21 children"),
        *((TASK, "ERROR", f"odd[{i}] Failed after T: ValueError: 1 is odd") for i in range(1, 6)),
        (TASK, "INFO", "odd: 1 Success, 20 Failed in T"),
    ]


def test_retries_are_warnings_and_only_the_last_failure_is_an_error(records):
    @task(max_retries=2, retry_delay=0)
    def flaky():
        raise TimeoutError("no answer")

    with Flow("rates") as flow:
        flaky()

    flow.run(record=False)

    again = (TASK, "WARNING", "flaky Retrying: TimeoutError: no answer, again in T")
    assert [line for line in records.lines(TASK) if line[1] != "INFO"] == [
        again,
        again,
        (TASK, "ERROR", "flaky Failed after T: TimeoutError: no answer"),
    ]


def test_a_pause_is_a_warning_that_says_how_to_go_on(records):
    @task(trigger=triggers.manual_only)
    def approve():
        return 1

    with Flow("rates") as flow:
        approve()

    flow.run(record=True)

    assert [line for line in records.lines() if line[1] == "WARNING"] == [
        (TASK, "WARNING", f"approve Paused: {flow.last_run['approve'].message}"),
        (
            FLOW,
            "WARNING",
            "rates run N Paused after T: approve waits for a person. Go on with: flowbook run resume ID",
        ),
    ]


def test_what_a_task_logs_is_told_once_by_its_level(records):
    @task(log_stdout=True)
    def talk():
        print("printed")  # noqa: T201  # the task's
        flowbook.context.logger.warning("mind the gap")
        flowbook.context.logger.debug("never mind")

    with Flow("talk") as flow:
        talk()

    flow.run(record=False)

    said = [line for line in records.lines() if "talk" not in line[2]]
    assert said == [(TASK, "INFO", "printed"), (TASK, "WARNING", "mind the gap")]


def test_secrets_are_not_logged(records):
    @task
    def connect(user):
        password = flowbook.context.secrets["db"]
        raise ConnectionError(f"{user}:{password} was refused")

    with Flow("connect") as flow:
        connect("me")

    flow.run(record=False, context={"secrets": {"db": "hunter2"}})

    assert "hunter2" not in "".join(logging.Formatter().format(record) for record in records.found)


def test_no_password_in_a_url_is_logged_by_a_failure(records):
    @task(max_retries=1, retry_delay=0)
    def connect(address):
        raise ConnectionError(f"No answer from {address}")

    with Flow("connect") as flow:
        connect("postgres://me:hunter22@db.example/flights")

    flow.run(record=False)

    said = "".join(logging.Formatter().format(record) for record in records.found)
    assert said.count("postgres://me:*****@db.example/flights") >= 3
    assert "hunter22" not in said


SCRIPT = """
import sys
from flowbook import Flow, task, context

@task
def load():
    context.logger.warning("an old file")

@task
def collect(rows):
    raise ValueError("no rows")

with Flow("nightly") as flow:
    collect(load())

{before}
flow.run(record=False)
"""


def _script(tmp_path, before="", **env):
    path = tmp_path / "nightly.py"
    path.write_text(SCRIPT.format(before=before))
    clean = {**os.environ, "PYTHONPATH": str(ROOT), **env}
    done = subprocess.run([sys.executable, path], cwd=tmp_path, env=clean, capture_output=True, text=True, check=True)
    assert done.stdout == ""
    return done.stderr


FAILURE = """\
collect Failed: ValueError: no rows
  File "nightly.py", line 11, in collect
      9 | @task
     10 | def collect(rows):
  >  11 |     raise ValueError("no rows")
     rows  None
     2 frames of flowbook are folded: FLOWBOOK_TRACEBACK=full shows all
ValueError: no rows
"""


def test_a_script_that_set_up_nothing_shows_warnings_and_failures(tmp_path):
    stderr = _script(tmp_path)

    lines = re.sub(r"\d frames? of flowbook (is|are)", "2 frames of flowbook are", stderr).splitlines(keepends=True)
    assert "".join(lines[:-1]) == f"load: an old file\n{FAILURE}"
    assert lines[-1].startswith("nightly Failed after ")


def test_what_a_run_took_counts_from_its_beginning_where_only_its_end_is_told():
    run = SimpleNamespace(flow_name="rates", number=3, started=0.0, can_go_on_elsewhere=False, run_id="7c1f09e2")
    with Records(logging.WARNING) as records:
        sink = TroubleSink(run)
        end = Paused("approve waits for a person.")
        end.at += 75
        sink.emit(StateChanged(99, "", end))

    assert "Paused after 1:15" in records.found[-1].getMessage()


def test_a_script_that_set_up_logging_gets_records_as_it_wants_them(tmp_path):
    before = "import logging; logging.basicConfig(level=logging.INFO, format='%(name)s %(levelname)s %(message)s')"

    stderr = _script(tmp_path, before)

    assert [
        line.split(" after ")[0].split(" in ")[0] for line in stderr.splitlines() if line.startswith("flowbook")
    ] == [
        "flowbook.flow_run INFO nightly started, 2 tasks, local, one task at a time",
        "flowbook.task_run INFO load started",
        "flowbook.task_run WARNING an old file",
        "flowbook.task_run INFO load Success",
        "flowbook.task_run INFO collect started",
        "flowbook.task_run ERROR collect Failed",
        "flowbook.flow_run ERROR nightly Failed",
    ]


def test_the_variable_shows_all_a_line_each_with_time_and_mark(tmp_path):
    stderr = _script(tmp_path, FLOWBOOK_LOGGING_LEVEL="info")

    told = [line for line in stderr.splitlines() if line[2:3] == ":"]
    assert [line[8:].split(" after ")[0].split(" in ")[0] for line in told] == [
        " nightly started, 2 tasks, local, one task at a time",
        " > load started",
        " load: an old file",
        " + load Success",
        " > collect started",
        " x collect Failed",
        " nightly Failed",
    ]


def test_a_program_that_turned_logging_off_hears_nothing(tmp_path):
    assert _script(tmp_path, "import logging; logging.disable()") == ""


def test_a_level_that_is_none_is_refused(monkeypatch):
    monkeypatch.setenv("FLOWBOOK_LOGGING_LEVEL", "loud")
    with Flow("a") as flow:
        load("JFK")

    with pytest.raises(flowbook.exceptions.InfrastructureError) as refused:
        flow.run(record=False)

    assert str(refused.value) == (
        "FLOWBOOK_LOGGING_LEVEL is 'loud'. Give one of DEBUG, INFO, WARNING, ERROR, CRITICAL."
    )


def test_a_run_that_goes_well_loads_nothing_of_the_terminal():
    program = (
        "import sys\nfrom flowbook import Flow, task\n@task\ndef a(): return 1\nwith Flow('a') as f: a()\nf.run()\n"
    )
    program += "print([name for name in ('flowbook.terminal.run_logger', 'rich') if name in sys.modules])"

    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"
