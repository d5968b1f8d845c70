"""What `flowbook run inspect` says of a task: what it got, why it failed, where its output came from, who decided."""

import io
import json
import subprocess
import sys
import threading

import pandas as pd
import pytest

import flowbook
from flowbook import Flow, Parameter, flatten, task, triggers, unmapped
from flowbook.cli.main import main
from flowbook.cli.output import Output
from flowbook.engine.cache_validators import duration_only
from flowbook.terminal.census import TaskNow
from flowbook.terminal.lines import Span, plain_text
from flowbook.terminal.marks import Marks
from flowbook.terminal.paused_inputs import input_lines
from flowbook.terminal.run_lines import TaskRow, task_table
from tests.homes import home

__all__ = ["home"]


@task
def files():
    return ["July.csv", "August.csv", "September.csv"]


@task
def named(name):
    return name.upper()


@task
def parse(path, region):
    if path.lower().startswith("aug"):
        raise KeyError(path)
    return path, region


@task
def table():
    return pd.DataFrame({"a": [1, 2]})


@task(trigger=triggers.manual_only)
def approve(report, region):
    return report, region


def _out(capsys, *words):
    capsys.readouterr()
    assert main(words) == 0
    return capsys.readouterr().out.splitlines()


def _inputs(capsys, task_key):
    (found,) = [
        each
        for each in json.loads("".join(_out(capsys, "run", "inspect", "last", task_key, "--json")))["states"]
        if each["task"] == task_key
    ]
    return found["inputs"]


def test_an_output_that_could_not_be_kept_says_so_before_anybody_misses_it(capsys):
    @task
    def lock():
        return threading.Lock()

    @task(keep=False)
    def scratch():
        return 1

    with Flow("held") as flow:
        approve(lock(), scratch())
    flow.run(record=True)

    rows = {line.split()[0]: line for line in _out(capsys, "run", "inspect", "last") if line.strip()}
    assert "its output isn't kept: A _thread.lock can't be pickled" in rows["lock"]
    assert rows["scratch"].endswith("its output isn't kept: task 'scratch' is marked keep=False")


@pytest.mark.parametrize("source", ["a list", "a mapped task"])
def test_a_failed_child_is_shown_with_the_element_that_it_got(capsys, source):
    with Flow("months") as flow:
        paths = files() if source == "a list" else named.map(files())
        parse.map(paths, unmapped(Parameter("region", default="north")))
    flow.run(record=True)

    element = "'August.csv'" if source == "a list" else "'AUGUST.CSV'"
    assert _inputs(capsys, "parse[1]") == {"path": element, "region": "'north'"}


def test_a_failed_child_of_a_mapped_task_is_labelled_by_its_only_input(capsys):
    @task
    def read(path):
        return parse.run(path, "north")

    with Flow("months") as flow:
        read.map(files())
    flow.run(record=True)

    lines = _out(capsys, "run", "inspect", "last", "read")
    assert [line.split(maxsplit=3)[3].split("  ")[-1] for line in lines if "read[" in line and "Failed" in line] == [
        "('August.csv') KeyError: 'August.csv'"
    ]


def test_what_a_waiting_task_got_is_shown(capsys):
    with Flow("reports") as flow:
        approve(table(), Parameter("region", default="north"))
    flow.run(record=True)

    assert _inputs(capsys, "approve") == {
        "report": "DataFrame, 2 \u00d7 1, from table",
        "region": "'north', from region",
    }


def test_a_flattened_element_is_not_guessed(capsys):
    @task
    def nested():
        return [["July.csv"], ["August.csv"]]

    with Flow("months") as flow:
        parse.map(flatten(nested()), unmapped("north"))
    flow.run(record=True)

    assert _inputs(capsys, "parse[1]") == {"path": "[['July.csv'], ['August.csv']]"}


def test_a_stale_hit_says_by_what_and_by_which_run_it_was_made(capsys):
    @task(cache=True, cache_validator=duration_only)
    def double(x):
        return 2 * x

    with Flow("stale") as flow:
        double(Parameter("x"))
    flow.run(x=5, record=True)
    flow.run(x=7, record=True)

    row = next(line for line in _out(capsys, "run", "inspect", "last") if "Cached" in line)
    assert row.endswith(" ago in run 1 from other inputs (x was 5, is 7)")


def test_who_decided_and_why_is_shown(capsys):
    with Flow("reports") as flow:
        approve(table(), "north")
    flow.run(record=True)
    main(("run", "resume", "last", "--by", "ada", "--note", "looks right"))

    lines = _out(capsys, "run", "inspect", "last")
    decisions = json.loads("".join(_out(capsys, "run", "inspect", "last", "--json")))["decisions"]
    assert "  resumed approve by ada, just now: looks right" in lines
    assert [{name: each[name] for name in ("action", "key", "by", "note")} for each in decisions] == [
        {"action": "resume", "key": "approve", "by": "ada", "note": "looks right"}
    ]


def test_the_second_failure_has_a_line_of_its_own(capsys):
    @task
    def first():
        raise ValueError("one")

    @task
    def second():
        raise KeyError("two")

    with Flow("both") as flow:
        first()
        second()
    flow.run(record=True)

    line = second.run.__code__.co_firstlineno + 2
    assert f"  ✗ second  tests/cli/test_inspect.py:{line}  KeyError: 'two'" in _out(capsys, "run", "inspect", "last")


@pytest.mark.parametrize("name", ["failed", "FAILED", "Failed"])
def test_a_state_is_found_in_any_case(capsys, name):
    with Flow("months") as flow:
        parse("august", "north")
    flow.run(record=True)

    assert len(json.loads("".join(_out(capsys, "run", "ls", "--state", name, "--json")))) == 1


def test_a_state_that_is_none_is_refused_with_those_that_there_are(capsys):
    assert main(("run", "ls", "--state", "Foo")) == 2
    assert capsys.readouterr().err == (
        "flowbook: No run is ever in the state 'Foo'. Give one of Success, Running, Cancelling, Paused, Failed, Crashed, "
        "Cancelled, Scheduled, Submitted, Pending.\n"
    )


def test_a_row_ends_where_its_text_ends():
    rows = [TaskRow("a", "Success", 1.0, "", ""), TaskRow("b", "Failed", 1.0, "", "w" * 200)]

    assert [plain_text(line) for line in task_table(rows, Marks(is_plain=True))][1:] == [
        "  a     + Success  1.0 s        ",
        f"  b     x Failed   1.0 s        {'w' * 200}",
    ]


def test_tables_and_records_of_wide_names_are_straight():
    stream = io.StringIO()
    out = Output(is_json=False, to=stream, errors=stream)

    out.table([{"flow": "売上", "runs": 1}, {"flow": "delays", "runs": 2}], ("flow", "runs"), empty="none")
    out.record({"都市": "東京", "day": 3})

    assert stream.getvalue() == "flow    runs\n売上    1\ndelays  2\n都市  東京\nday   3\n"


def test_an_ascii_terminal_gets_no_escapes():
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="backslashreplace")

    Output(is_json=False, to=stream, errors=stream).lines([(Span("DataFrame, 2 \u00d7 3…"),)])

    stream.flush()
    assert stream.buffer.getvalue() == b"DataFrame, 2 x 3...\n"


def test_the_lines_of_a_waiting_task_describe_stored_inputs_without_loading_them():
    with Flow("reports") as flow:
        approve(table(), "north")
    flow.run(record=True)
    state = flowbook.run(flow.last_run.run_id)["approve"]

    lines = input_lines(TaskNow("approve", state), flow.compile(), str)

    assert "  report   DataFrame, 2 \u00d7 1, from table" in [plain_text(line) for line in lines]


@task
def log_in():
    password = "hunter2"
    url = "postgres://ana:s3cret@db/flights"
    raise ConnectionError(len(password + url))


def test_inspect_and_logs_hide_what_source_lines_give_away_by_its_name(capsys):
    with Flow("logs_in") as flow:
        log_in()
    flow.run(record=True)

    shown = [
        _out(capsys, "run", *words)
        for words in (("inspect", "last"), ("inspect", "last", "--traceback"), ("logs", "last"))
    ]

    text = "\n".join("".join(each) for each in shown)
    assert "hunter2" not in text
    assert "s3cret" not in text
    assert 'password = "*****"' in text
    assert "ConnectionError" in text


def test_what_a_part_of_a_flow_kept_is_shown_as_it_was_not_as_pending(capsys):
    with Flow("weather") as flow:
        parse.map(named.map(files()), region=unmapped("west"))
    flow.run(record=True)
    flow.run(only="named[1]", record=True)

    rows = {line.split()[0]: line.split()[2] for line in _out(capsys, "run", "inspect", "last", "--all")[3:-3] if line}

    assert rows["files"] == "Success"
    assert rows["named"] == "Success"
    assert {rows[f"named[{place}]"] for place in range(3)} == {"Success"}
    assert "kept from run 1" in "\n".join(_out(capsys, "run", "inspect", "last"))


def test_a_run_whose_process_died_says_so_and_how_to_go_on(capsys):
    script = (
        "import os\nfrom flowbook import Flow, task\n@task\ndef die(): os._exit(3)\n"
        "with Flow('dies') as flow: die()\nflow.run(record=True)"
    )
    died = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True)

    main(["run", "inspect", "dies"])
    shown = capsys.readouterr().out
    main(["run", "inspect", "dies", "--json"])
    found = json.loads(capsys.readouterr().out)

    assert died.returncode == 3
    assert "Its process ended in the middle. `flowbook run resume dies` goes on from what is stored." in shown
    assert "The flow runs." not in shown
    assert "Running" not in shown
    assert found["message"] == "Its process ended in the middle. run.resume() goes on from what is stored."
