"""The command `flowbook`: what it writes, its exit codes, and what it says when something is wrong."""

from __future__ import annotations

import datetime as dt
import json
import os
import pty
import subprocess
import sys
import threading
import time
from pathlib import Path

import pandas as pd
import pytest

import flowbook
from flowbook import Flow, Parameter, task, triggers
from flowbook.cli.main import _COMMANDS, _command, main, parser
from flowbook.engine.state import Paused
from flowbook.flow_run.reported_run import ControlledRun
from flowbook.store import open_store
from flowbook.terminal.run_history import usual_time

ROOT = Path(__file__).parents[2]
HOUR = dt.timedelta(hours=1)


def _run(capsys, *words):
    """Return exit code, what was written, and what was complained."""
    code = main(words)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def _json(capsys, *words):
    code, out, err = _run(capsys, *words, "--json")
    assert (code, err) == (0, "")
    return json.loads(out)


@pytest.fixture
def run():
    """Return a recorded run that waits for a person; its first task is cached and printed something."""

    @task(cache_for=HOUR, log_stdout=True)
    def load(day):
        print(f"loaded {day}")  # noqa: T201  # the task's
        return pd.DataFrame({"a": [1, 2], "b": ["x", None]})

    @task(trigger=triggers.manual_only)
    def publish(rows):
        return len(rows)

    with Flow("delays") as flow:
        publish(load(Parameter("day", default=3)))
    flow.run(record=True)
    return flow.last_run


@pytest.fixture
def failed():
    """Return a recorded run that failed, and fails again."""

    @task
    def broken():
        raise ValueError("no such column")

    with Flow("broken") as flow:
        broken()
    flow.run(record=True)
    return flow.last_run


def test_version_says_where_the_store_is_and_does_not_open_it(capsys, home):
    found = _json(capsys, "version")

    assert set(found) == {"flowbook", "python", "store"}
    assert found["store"] == str(home)
    assert not home.exists()


def test_the_version_is_told_to_who_asks_as_of_other_commands_and_of_the_module(capsys, home):
    _, expected, _ = _run(capsys, "version")
    command = [sys.executable, "-m", "flowbook", "--version"]

    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=50, cwd=ROOT)

    assert done.stdout == expected
    assert not home.exists()


def test_runs_are_listed(capsys, run, failed):
    code, out, _ = _run(capsys, "run", "ls")
    found = _json(capsys, "run", "ls")

    assert code == 0
    assert [line.split()[:4] for line in out.splitlines()] == [
        ["RUN", "FLOW", "STATE", "STARTED"],
        ["1", "broken", "✗", "Failed"],
        ["1", "delays", "‖", "Paused"],
        ["2", "runs.", "What", "waits"],
    ]
    assert [(each["run_id"], each["state"]) for each in found] == [(run.run_id, "Paused"), (failed.run_id, "Failed")]
    assert [each["flow"] for each in _json(capsys, "run", "ls", "--flow", "broken")] == ["broken"]
    assert [each["flow"] for each in _json(capsys, "run", "ls", "--state", "Paused")] == ["delays"]
    assert [each["flow"] for each in _json(capsys, "run", "ls", "--limit", "1")] == ["broken"]
    assert "\nThe newest run. What waits" in _run(capsys, "run", "ls", "--limit", "1")[1]
    assert [each["flow"] for each in _json(capsys, "run", "ls", "--limit", "1", "--state", "Paused")] == ["delays"]
    assert _json(capsys, "run", "ls", "--limit", "1", "--state", "Crashed") == []


@pytest.mark.usefixtures("failed")
def test_runs_that_wait_for_a_person_are_listed(capsys, run):
    waiting = _json(capsys, "run", "ls", "--waiting")
    _run(capsys, "run", "cancel", "delays")

    assert [each["run_id"] for each in waiting] == [run.run_id]
    assert _run(capsys, "run", "ls", "--waiting")[1] == "No run waits for you.\n"


@pytest.mark.parametrize("name", ["delays", "delays 1", "last paused", "last-paused", "Last Paused"])
@pytest.mark.usefixtures("failed")
def test_a_run_is_found_by_the_names_that_people_call_it(capsys, run, name):
    assert _json(capsys, "run", "inspect", name)["run_id"] == run.run_id


@pytest.mark.parametrize("name", ["last", "last failed", "broken"])
@pytest.mark.usefixtures("run")
def test_the_last_run_is_found(capsys, failed, name):
    assert _json(capsys, "run", "inspect", name)["run_id"] == failed.run_id


def test_a_number_that_two_flows_have_is_refused_with_the_names_to_use(capsys, run, failed):
    code, _, err = _run(capsys, "run", "inspect", "1")

    assert code == 1
    assert err == (
        f"flowbook: Several runs are called '1': 'broken 1' ({failed.run_id[:8]}), 'delays 1' ({run.run_id[:8]}). "
        "Name one of them so, or by its id.\n"
    )


@pytest.mark.usefixtures("failed")
def test_a_failed_run_is_inspected_with_the_users_line(capsys):
    _, out, _ = _run(capsys, "run", "inspect", "last")
    (task,) = _json(capsys, "run", "inspect", "last")["states"]

    lines = out.splitlines()
    assert lines[0].startswith("broken  run 1  ✗ Failed just now, took ")
    assert "  broken  ✗ Failed" in out
    assert '  ▸  68 │         raise ValueError("no such column")' in lines
    assert "ValueError: no such column" in lines
    assert "  go on      flowbook run retry last" in lines
    assert (task["error"]["type"], task["error"]["message"]) == ("ValueError", "no such column")
    assert task["error"]["traceback"].startswith("Traceback (most recent call last):\n")


def test_what_a_run_made_and_stored_is_told_from_what_it_reused(capsys):
    @task(cache_for=HOUR)
    def load(day):
        return day

    @task(cache_for=HOUR)
    def double(x):
        return 2 * x

    with Flow("sums") as flow:
        double.map(load.map([1, 2]))
        load(3)
    flow.run(record=True)
    flow.run(record=True)

    told = []
    for number, counts in zip((1, 2), flowbook.runs()["tasks"], strict=True):
        states = [line.split()[2:] for line in _run(capsys, "run", "inspect", f"sums {number}")[1].splitlines()[4:7]]
        shown = _run(capsys, "run", "inspect", f"sums {number}", "load-2")[1]
        told.append((counts, [words[0] for words in states], "kept until" in shown, "made" in shown))
    rows = [line.split("  ") for line in _run(capsys, "run", "ls")[1].splitlines()]
    classes = {
        each["state"] for number in (1, 2) for each in _json(capsys, "run", "inspect", f"sums {number}")["states"]
    }

    assert told == [
        ("2 Mapped, 1 Success", ["Success", "Success", "Success"], True, False),
        ("1 Cached, 2 Mapped", ["Cached", "Cached", "Cached"], False, True),
    ]
    assert [any("cached" in cell for cell in row) for row in rows[1:3]] == [True, False]
    assert classes == {"Cached", "Mapped"}


def test_a_run_took_as_long_as_it_ran_without_the_time_in_between(capsys, monkeypatch):
    is_good = False

    @task
    def sometimes():
        if not is_good:
            raise ValueError("no")

    with Flow("sometimes") as flow:
        sometimes()
    flow.run(record=True)
    run = flow.last_run
    monkeypatch.setattr("flowbook.engine.state_base._now", lambda: time.time() + HOUR.total_seconds())
    is_good = True
    run.retry()
    run.wait()

    listed = _json(capsys, "run", "inspect", run.run_id)

    assert listed["state"] == "Success"
    assert listed["seconds"] < 60
    assert usual_time(ControlledRun(run._control)) is None


def test_one_task_is_inspected(capsys, run):
    _, out, _ = _run(capsys, "run", "inspect", run.run_id, "load")
    code, _, err = _run(capsys, "run", "inspect", run.run_id, "nothing")

    told, cost = out[out.index("TASK") :].split("  cost  ")  # longer, and of two lines, where load took 10 ms
    assert [line.split()[:3] for line in told.splitlines()] == [
        ["TASK", "STATE", "TOOK"],
        ["load", "✓", "Success"],
        [],
        ["day", "3,", "from"],
        [],
    ]
    assert "output " in cost
    assert code == 1
    assert err == (
        f"flowbook: Run 1 of 'delays' has no task 'nothing'. `flowbook run inspect {run.run_id}` lists them.\n"
    )
    assert _run(capsys, "run", "logs", run.run_id, "--task", "nothing") == (1, "", err)
    assert _run(capsys, "run", "logs", run.run_id, "--task", "load")[0] == 0


def _tasks(out):
    table = out.partition("WHY\n")[2].partition("\n\n")[0]
    return [line.split()[0] for line in table.splitlines() if " child" not in line]


def test_children_that_went_well_are_left_out(capsys):
    @task
    def odd(number):
        if number % 2:
            raise ValueError(f"{number} is odd")
        return number

    with Flow("numbers") as flow:
        odd.map([0, 1, 2])
    flow.run(record=True)

    _, out, _ = _run(capsys, "run", "inspect", "last")
    _, every, _ = _run(capsys, "run", "inspect", "last", "--all")

    assert _tasks(out) == ["odd", "odd[1]"]
    assert _tasks(every) == ["odd", "odd[0]", "odd[1]", "odd[2]"]
    assert "  2 children that went well are left out: --all" in out.splitlines()


@pytest.mark.usefixtures("failed")
def test_the_logs_of_a_failed_run_end_with_its_traceback(capsys):
    _, out, _ = _run(capsys, "run", "logs", "last")
    _, line, _ = _run(capsys, "run", "logs", "last", "--json")

    assert [each.split(maxsplit=3)[1:3] for each in out.splitlines()[:1]] == [["ERROR", "broken"]]
    assert out.splitlines()[-1].endswith("  ERROR    broken  ValueError: no such column")
    assert json.loads(line)["text"].endswith("\nValueError: no such column\n")


def test_an_empty_store_says_how_it_comes_to_hold_something(capsys):
    assert _run(capsys, "run", "ls")[1] == (
        "No such runs are recorded here. Runs are recorded in notebooks, and by flow.run(record=True).\n"
    )
    assert (
        _run(capsys, "cache", "ls")[1]
        == "No such outputs are cached here. Tasks with cache=True or cache_for keep theirs.\n"
    )
    assert _json(capsys, "run", "ls") == _json(capsys, "cache", "ls") == []


def test_a_run_is_inspected_by_the_first_digits_of_its_id(capsys, run):
    code, out, _ = _run(capsys, "run", "inspect", run.run_id[:6])
    found = _json(capsys, "run", "inspect", run.run_id)

    assert code == 0
    assert "publish" in out
    assert found["parameters"] == {"day": 3}
    assert [(each["task"], each["state"], each["attempt"]) for each in found["states"]] == [
        ("day", "Success", 1),
        ("load", "Cached", 1),
        ("publish", "Paused", 0),
    ]


def test_what_a_task_printed_is_written(capsys, run):
    _, out, _ = _run(capsys, "run", "logs", run.run_id)
    _, lines, _ = _run(capsys, "run", "logs", run.run_id, "--task", "load", "--follow", "--json")
    nothing = _run(capsys, "run", "logs", run.run_id, "--task", "publish")
    no_json = _run(capsys, "run", "logs", run.run_id, "--task", "publish", "--json")

    assert out.split()[1:] == ["INFO", "load", "loaded", "3"]
    assert [json.loads(line)["text"].strip() for line in lines.splitlines()] == ["loaded 3"]
    assert nothing == (0, "", "publish has logged nothing. Prints are logged where a task has log_stdout=True.\n")
    assert no_json == (0, "", "")


def test_a_paused_run_is_resumed_and_waited_for(capsys, run):
    code, out, _ = _run(capsys, "run", "resume", run.run_id, "publish", "--by", "ada", "--note", "looks right")

    assert code == 0
    assert out == f"delays run {run.number} succeeded.\n"
    assert flowbook.run(run.run_id)["publish"].result == 2
    (decided,) = open_store().history.decisions(run.run_id)
    assert (decided.action, decided.by, decided.note) == ("resume", "ada", "looks right")


def test_a_run_that_fails_again_is_exit_code_1(capsys, failed):
    code, out, _ = _run(capsys, "run", "retry", failed.run_id, "--json")

    assert code == 1
    assert json.loads(out)["state"] == "Failed"


def test_of_what_failed_only_the_tasks_named_run_again(capsys, tmp_path):
    folder = str(tmp_path)

    @task
    def read(name):
        with (Path(folder) / "tries").open("a") as tries:
            tries.write(f"{name} ")
        return (Path(folder) / name).read_text()

    with Flow("reading") as flow:
        read.map(["one", "two"])
    flow.run(record=True)
    (tmp_path / "tries").unlink()
    (tmp_path / "two").write_text("2")

    code, _, _ = _run(capsys, "run", "retry", "reading", "read[1]")
    names = [type(state).__name__ for state in flowbook.run("reading")["read"].map_states]
    wrong, _, err = _run(capsys, "run", "retry", "reading", "read[1]")

    assert (code, names) == (1, ["Failed", "Success"])
    assert (tmp_path / "tries").read_text() == "two "
    assert wrong == 2
    assert err.startswith("flowbook: read[1] has not failed in run 1 of 'reading'. Name what has: read[0].")


def test_a_paused_run_is_cancelled(capsys, run):
    found = _json(capsys, "run", "cancel", run.run_id)

    assert found["state"] == "Cancelled"
    assert flowbook.run(run.run_id).state.is_cancelled()


def test_a_run_is_exported_and_imported_elsewhere(capsys, run, tmp_path, monkeypatch):
    file = tmp_path / "run.flowbook"
    exported = _json(capsys, "run", "export", run.run_id, str(file))
    monkeypatch.setenv("FLOWBOOK_HOME", str(tmp_path / "other"))

    imported = _json(capsys, "run", "import", str(file))

    assert exported["values"] >= 3
    assert imported == {"run_id": run.run_id}
    assert isinstance(flowbook.run(run.run_id)["publish"], Paused)
    open_store().close()


def test_entries_are_listed_shown_expired_and_swept(capsys, run):
    (entry,) = _json(capsys, "cache", "ls", "--flow", "delays", "--task", "load")
    code, shown, _ = _run(capsys, "cache", "show", entry["id"])
    described = _json(capsys, "cache", "show", entry["id"])
    gone_by = _json(capsys, "cache", "ls", "--at", "2020-01-01")
    _, said, _ = _run(capsys, "cache", "expire", entry["id"])
    (expired,) = _json(capsys, "cache", "ls")
    planned = _json(capsys, "cache", "gc", "--older-than", "0", "--dry-run")
    _, swept, _ = _run(capsys, "cache", "gc", "--older-than", "0", "--total-bytes", "1_000")

    assert code == 0
    assert "DataFrame, 2 × 2" in shown
    assert shown.splitlines()[-3].split() == ["a", "b"]
    assert described["preview"]["text"] == "DataFrame, 2 × 2"
    assert gone_by == []
    assert said == "1 entry expired.\n"
    assert (entry["state"], expired["state"]) == ("valid", "expired")
    assert planned["dropped"] == []
    assert swept.startswith("Dropped 0 values")
    assert run.run_id == entry["run_id"]


WRONG = {
    ("run", "inspect", "nothing"): (1, "There is no run 'nothing': no run is recorded here yet. Notebooks record runs"),
    ("run", "resume", "nothing"): (1, "There is no run 'nothing': no run is recorded here yet. Notebooks record runs"),
    ("run", "export", "nothing", "x"): (
        1,
        "There is no run 'nothing': no run is recorded here yet. Notebooks record runs",
    ),
    ("run", "import", "no-such-file"): (1, "no-such-file can't be read: No such file"),
    ("run", "import", __file__): (1, "is damaged, or no exported run"),
    ("cache", "show", "nothing"): (
        1,
        "There is no cache entry 'nothing' in this store. `flowbook cache ls` lists",
    ),
    ("cache", "expire", "nothing"): (1, "There is no cache entry 'nothing'"),
    ("cache", "ls", "--at", "tomorrow"): (2, "'tomorrow' isn't a time. Write it like '2026-11-20 09:00'"),
}


@pytest.mark.parametrize("words", WRONG, ids=" ".join)
def test_what_is_wrong_is_said_with_what_to_do(words, capsys):
    code, sentence = WRONG[words]

    got, out, err = _run(capsys, *words)
    as_json = _run(capsys, *words, "--json")

    assert (got, out) == (code, "")
    assert err.startswith("flowbook: ")
    assert sentence in err
    assert as_json[:2] == (code, "")
    assert sentence in json.loads(as_json[2])["message"]


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["cache"],
        ["run"],
        ["walk"],
        ["run", "inspect"],
        ["cache", "gc", "--older-than", "-1"],
        ["cache", "gc", "--older-than", "nan"],
        ["cache", "gc", "--total-bytes", "1GB"],
        ["run", "ls", "--limit", "0"],
        ["cache", "ls", "--nope"],
    ],
)
def test_wrong_usage_is_exit_code_2(words, capsys):
    with pytest.raises(SystemExit) as left:
        main(words)

    assert left.value.code == 2
    assert "usage: flowbook" in capsys.readouterr().err


@pytest.mark.usefixtures("failed")
def test_what_does_not_wait_can_t_be_resumed(capsys, run):
    _run(capsys, "run", "resume", run.run_id)

    code, _, err = _run(capsys, "run", "resume", run.run_id)
    no_task, _, unknown = _run(capsys, "run", "retry", "nothing")

    assert code in {1, 2}
    assert "Nothing waits in run 1 of 'delays': it is Success." in err
    assert no_task == 1
    assert "There is no run" in unknown


FLOW_FILE = """
from flowbook import Flow, task, triggers

@task
def load():
    return VALUE

@task(trigger=triggers.manual_only)
def publish(x):
    return x

with Flow("filed") as flow:
    publish(load())
"""


@pytest.fixture
def filed(tmp_path, capsys):
    """Return a paused run of a flow in a file, and the file."""
    path = tmp_path / "flows.py"
    path.write_text(FLOW_FILE.replace("VALUE", "1") + "\nflow.run(record=True)\n")
    subprocess.run([sys.executable, path], check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    path.write_text(FLOW_FILE.replace("VALUE", "1"))
    return _json(capsys, "run", "ls")[0]["run_id"], path


def test_a_run_goes_on_with_the_flow_in_a_file(capsys, filed):
    run_id, path = filed

    code, out, err = _run(capsys, "run", "resume", run_id, "publish", "--flow", str(path), "--by", "ada")

    assert (code, err) == (0, "")
    assert out == "filed run 1 succeeded.\n"
    assert flowbook.run(run_id)["publish"].result == 1


def test_a_flow_in_a_file_that_changed_is_refused_unless_forced(capsys, filed):
    run_id, path = filed
    path.write_text(FLOW_FILE.replace("VALUE", "2"))

    refused = _run(capsys, "run", "resume", run_id, "--flow", str(path))
    forced = _run(capsys, "run", "resume", run_id, "--flow", str(path), "--force")

    assert refused[0] == 1
    assert "(changed: load). Go on all the same with force=True (on the command line: --force)" in refused[2]
    assert forced[0] == 0
    assert flowbook.run(run_id)["publish"].result == 1  # load had run before


def test_a_run_of_which_something_could_not_be_kept_is_refused_unless_forced(capsys):
    with Flow("lacks") as flow:
        task(lambda: flowbook.context.get("lock"), name="look", trigger=triggers.manual_only)()
    flow.run(record=True, context={"lock": threading.Lock()})
    run_id = flow.last_run.run_id

    refused = _run(capsys, "run", "resume", run_id)
    forced = _run(capsys, "run", "resume", run_id, "--force")

    assert refused[0] == 1
    assert "can't resume here without inputs that couldn't be stored: 'lock' of the context" in refused[2]
    assert "force=True (on the command line: --force)" in refused[2]
    assert forced[0] == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("1/0", "can't be run: ZeroDivisionError: division by zero (line 1). Give a Python file"),
        ("def:", "can't be run: SyntaxError"),
        ("x = 1", "holds no flow. Give the file that makes it, at its top level"),
        ("from flowbook import Flow\na, b = Flow('filed'), Flow('filed')", "holds 2 flows named 'filed'"),
        ("from flowbook import Flow\na = Flow('other')", "holds no flow named 'filed'. Those in it: 'other'."),
        (None, "can't be read: No such file or directory"),
    ],
)
def test_a_file_without_the_flow_is_wrong_usage(content, said, capsys, filed):
    run_id, path = filed
    path.unlink()
    if content is not None:
        path.write_text(content)

    code, _, err = _run(capsys, "run", "retry", run_id, "--flow", str(path))

    assert code == 2
    assert said in err


def test_version_says_where_large_values_go_without_the_password(capsys, monkeypatch):
    monkeypatch.setenv("FLOWBOOK_BLOBS", "sftp://ada:secret@host/values")

    assert _json(capsys, "version")["blobs"] == "sftp://…@host/values"


def test_help_names_every_command(capsys):
    texts = []
    for words in (["--help"], ["cache", "--help"], ["run", "--help"]):
        with pytest.raises(SystemExit):
            parser().parse_args(words)
        texts.append(capsys.readouterr().out)

    assert all(word in texts[0] for word in ("cache", "run", "version", "Exit codes"))
    assert all(word in texts[1] for word in ("ls", "show", "expire", "gc"))
    assert all(word in texts[2] for word in ["ls", "inspect", "logs", "cancel", "resume", "retry", "export", "import"])


def test_the_command_works_in_a_terminal_with_tables_and_names_that_are_no_markup():
    @task(name="evil\x07\rline")
    def evil():
        return 1

    with Flow("[bold]f[/bold]\x1b]0;title\x07") as flow:
        evil()
    flow.run(record=True)
    controller, terminal = pty.openpty()

    done = subprocess.run(
        [sys.executable, "-m", "flowbook", "run", "inspect", flow.last_run.run_id],
        stdout=terminal,
        stderr=subprocess.PIPE,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200", "NO_COLOR": "1", "TERM": "xterm"},
    )
    os.close(terminal)
    written = os.read(controller, 100_000).decode()
    os.close(controller)

    assert (done.returncode, done.stderr) == (0, b"")
    assert "evil\\x07\\rline" in written
    assert "\x1b]0;title" not in written
    assert "\x1b[31m" not in written


def test_a_reader_that_has_seen_enough_is_no_error(run):
    process = subprocess.Popen(
        [sys.executable, "-m", "flowbook", "run", "inspect", run.run_id],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    process.stdout.close()

    complaint = process.stderr.read()
    process.stderr.close()

    assert process.wait() in {0, 120}
    assert b"Traceback" not in complaint


def test_every_command_of_the_parser_has_a_function_that_is_loaded_when_it_is_asked_for():
    def commands(parsers):
        for each in parsers:
            subparsers = [action.choices.values() for action in each._actions if hasattr(action, "_name_parser_map")]
            yield from (name for below in subparsers for name in commands(below))
            if "command" in each._defaults:
                yield each._defaults["command"]

    asked = set(commands([parser()]))

    assert asked == set(_COMMANDS)
    assert [name for name in asked if not callable(_command(name))] == []


def test_listing_runs_loads_no_flow_runner_and_no_pandas():
    program = "import sys; from flowbook.cli.main import _command; _command('run ls'); print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    loaded = {"flowbook.flow_runners", "flowbook.agent", "pandas", "dask", "apprise"} & set(done.stdout.split())
    assert loaded == set()


def test_a_run_is_exported_as_a_report_for_people(capsys, run, tmp_path):
    file = tmp_path / "report.html"

    found = _json(capsys, "run", "export", run.run_id, str(file))

    assert found == {"run_id": run.run_id, "file": str(file)}
    assert file.read_text("utf-8").startswith("<!doctype html>\n<!-- flowbook report -->\n")
