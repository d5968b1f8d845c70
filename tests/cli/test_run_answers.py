"""`flowbook run resume|skip|reject`, and what `inspect` shows of tasks that wait."""

from __future__ import annotations

import datetime as dt
import json
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import flowbook
from flowbook import Flow, task, triggers
from flowbook.cli.main import main
from flowbook.store import open_store
from flowbook.terminal.lines import plain_text
from flowbook.terminal.waiting_lines import Earlier, WaitingTask, answer_lines, waiting_lines

NOON = dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC).timestamp()


def _run(capsys, *words):
    code = main(words)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@task
def table():
    return pd.DataFrame({"carrier": ["EV", "MQ"]})


@task(trigger=triggers.manual_only, deadline=dt.timedelta(hours=3, minutes=12, seconds=30), asks="finance")
def approve(report, threshold=15):
    """Are the delays good enough to be published?"""
    return len(report) * threshold


@task(trigger=triggers.manual_only)
def choose(day, folder):
    return [day, folder]


@task
def publish(x):
    return x


@task(trigger=triggers.any_failed)
def breaks():
    raise ValueError("no disk")


@pytest.fixture
def run():
    with Flow("delays") as flow:
        publish(approve(table()))
    flow.run(record=True)
    return flow.last_run


def _decisions(run):
    return [(each.key, each.action, each.by, each.note) for each in open_store().history.decisions(run.run_id)]


def test_a_task_is_skipped(capsys, run):
    code, out, err = _run(capsys, "run", "skip", "delays", "approve", "--by", "ada", "--note", "nothing new")

    assert (code, out, err) == (0, f"delays run {run.number} succeeded.\n", "")
    assert _decisions(run) == [("approve", "skip", "ada", "nothing new")]


def test_a_task_is_rejected_which_is_what_was_asked_for(capsys, run):
    code, out, err = _run(capsys, "run", "reject", "delays", "--by", "ada", "--note", "August is missing", "--json")

    message = "approve was rejected by ada: August is missing; 1 task below it did not run."
    assert (code, err) == (0, "")
    assert json.loads(out) == {"run_id": run.run_id, "flow": "delays", "state": "Failed", "message": message}
    assert _decisions(run) == [("approve", "reject", "ada", "August is missing")]


def test_a_task_that_fails_because_another_was_rejected_is_exit_code_1(capsys):
    with Flow("breaks") as flow:
        breaks(upstream_tasks=[approve([1])])
    flow.run(record=True)

    code, _, _ = _run(capsys, "run", "reject", "breaks")

    assert code == 1


def test_a_task_is_resumed_with_other_inputs(capsys, run):
    words = ("--by", "bob", "--input", "threshold=100", "--input", "report='abc'")
    code, out, _ = _run(capsys, "run", "resume", "delays", "approve", *words)

    loaded = flowbook.run(run.run_id)
    _, shown, _ = _run(capsys, "run", "inspect", "delays")
    _, noted, _ = _run(capsys, "run", "inspect", "delays", "--json")
    _, one, _ = _run(capsys, "run", "inspect", "delays", "approve")

    assert "  threshold  100, changed by bob" in one
    assert re.search(r"^  report +'abc', changed by bob$", one, re.MULTILINE)
    assert (code, out, loaded["publish"].result) == (0, f"delays run {run.number} succeeded.\n", 300)
    assert "  resumed approve by bob with threshold 100 and another report, just now\n" in shown
    (decided,) = json.loads(noted)["decisions"]
    assert (list(decided["changed"]), list(decided["looked_at"])) == (["threshold", "report"], ["report"])
    assert decided["changed"]["report"]["before"] == decided["looked_at"]["report"]


def test_a_text_that_is_no_literal_is_a_text(capsys, run):
    code, _, _ = _run(
        capsys, "run", "resume", "delays", "approve", "--input", "report=EV, MQ", "--input", "threshold=1"
    )

    assert (code, flowbook.run(run.run_id)["publish"].result) == (0, len("EV, MQ"))


def test_an_input_is_read_as_what_the_task_waits_with(capsys):
    with Flow("chosen") as flow:
        choose(dt.date(2026, 1, 28), Path("data"))
    flow.run(record=True)

    refused = _run(capsys, "run", "resume", "chosen", "choose", "--input", "day=tomorrow")
    words = ("--input", "day=2026-02-01", "--input", "folder=2024")
    code, _, _ = _run(capsys, "run", "resume", "chosen", "choose", *words)

    assert (refused[0], refused[2]) == (2, "flowbook: day is a date, and 'tomorrow' isn't. Write e.g. 2026-01-28.\n")
    assert (code, flowbook.run(flow.last_run.run_id)["choose"].result) == (0, [dt.date(2026, 2, 1), Path("2024")])


LEVELS = """
import enum

from flowbook import Flow, task, triggers


class Level(enum.Enum):
    LOW = 1
    HIGH = 2


@task
def level():
    return Level.LOW


@task(trigger=triggers.manual_only)
def choose(level):
    return level


with Flow("levels") as flow:
    choose(level())
"""


def test_a_member_of_a_class_that_is_not_here_is_refused_and_the_file_of_the_flow_has_it(capsys, tmp_path):
    file = tmp_path / "levels_of_a_file.py"
    file.write_text(LEVELS, "utf-8")
    subprocess.run([sys.executable, "-m", "flowbook", "run", "start", str(file)], check=True, capture_output=True)

    refused = _run(capsys, "run", "resume", "levels", "choose", "--input", "level=HIGH")
    done = _run(capsys, "run", "resume", "levels", "choose", "--input", "level=HIGH", "--flow", str(file))

    assert refused[0] != 0
    assert refused[2].startswith(
        "flowbook: level is a member of Level, an enum that isn't loaded here. A stored value can't be read here: "
    )
    assert done[0] == 0
    assert flowbook.run("levels")["choose"].result.name == "HIGH"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (
            ("resume", "delays", "approve", "--input", "3"),
            2,
            "--input '3' names no input. Write NAME=VALUE, e.g. --input threshold=20.",
        ),
        (
            ("resume", "delays", "approve", "--input", "treshold=3"),
            2,
            "Task 'approve' has no input 'treshold'. Its inputs: report, threshold.",
        ),
        (
            ("resume", "delays", "--input", "threshold=3"),
            2,
            "Changed inputs are for one task, and none is named. Name the one that gets them.",
        ),
        (("skip", "delays", "table"), 1, "table doesn't wait for a decision: it is Success. What waits: approve."),
        (("reject", "delays", "aprove"), 1, "Flow 'delays' has no task 'aprove'. Did you mean 'approve'?"),
    ],
)
def test_wrong_words_are_refused(capsys, run, words, code, message):
    found, out, err = _run(capsys, "run", *words)

    assert (found, out) == (code, "")
    assert err.startswith(f"flowbook: {message}")
    assert _decisions(run) == []


def test_the_second_answer_says_who_was_first(capsys, run):
    run.reject("approve", by="ada").wait(30)

    code, _, err = _run(capsys, "run", "resume", "delays", "approve")

    assert (code, err) == (1, "flowbook: approve does not wait any more: it is Failed, rejected by ada.\n")


def test_inspect_shows_what_waits_and_how_to_answer(capsys, run):
    run.reject("approve", by="ada", note="August is missing").wait(30)
    run.flow.run(record=True)

    _, shown, _ = _run(capsys, "run", "inspect", "delays")
    _, one, _ = _run(capsys, "run", "inspect", "delays", "approve")
    _, noted, _ = _run(capsys, "run", "inspect", "delays", "--json")

    told = re.sub(r"(\b\d+ [A-Z][a-z]{2} (\d{4} )?)?\d\d:\d\d", "HH:MM", shown)  # with the day, after midnight
    assert told[told.index("  approve  Are") :] == (
        "  approve  Are the delays good enough to be published?\n"
        "           asks finance\n"
        "  report   DataFrame, 2 × 1, from table\n"
        "  if nobody answers by HH:MM, in 3 h 12 min, it is rejected\n"
        "  in run 1, HH:MM: rejected by ada: August is missing\n"
        "\n"
        "  one task   flowbook run inspect delays TASK\n"
        "  its logs   flowbook run logs delays\n"
        "  go on      flowbook run resume delays\n"
        '  reject     flowbook run reject delays --note "…"\n'
        "  skip       flowbook run skip delays\n"
    )
    assert one.endswith(
        "\n\n  go on      flowbook run resume delays approve [--input NAME=VALUE]\n"
        '  reject     flowbook run reject delays approve --note "…"\n'
        "  skip       flowbook run skip delays approve\n"
    )
    (waiting,) = json.loads(noted)["waiting"]
    earlier = waiting.pop("earlier")
    since, deadline = waiting.pop("since"), waiting.pop("deadline")
    assert deadline - since == pytest.approx(3 * 3600 + 12 * 60 + 30)
    assert waiting == {
        "task": "approve",
        "question": "Are the delays good enough to be published?",
        "asks": "finance",
        "otherwise": "reject",
        "overdue": False,
        "inputs": {"report": "DataFrame, 2 × 1, from table"},
        "instead": "",
    }
    assert [(each["run"], each["action"], each["by"], each["note"]) for each in earlier] == [
        (1, "reject", "ada", "August is missing")
    ]


def test_inspect_says_what_a_task_would_get_whose_upstream_failed(capsys):
    @task
    def top():
        raise ValueError("no weather")

    @task
    def mid(x):
        return x

    @task(trigger=triggers.manual_only)
    def decide(x, y):
        return x, y

    with Flow("held") as flow:
        first = top()
        decide(first, mid(first))
    flow.run(record=True)

    _, shown, _ = _run(capsys, "run", "inspect", "held", "decide")

    assert (
        "  x       ValueError('no weather'), from top\n"
        "  y       None, from mid\n"
        "  top failed, mid did not run. If resumed, decide gets ValueError('no weather') for x and None for y.\n"
    ) in shown


def test_of_many_tasks_that_wait_the_first_are_shown():
    tasks = [WaitingTask(f"approve[{n}]", "", "", NOON, None, "", {}) for n in range(5)]

    lines = [plain_text(line) for line in waiting_lines(tasks, NOON)]

    assert [line for line in lines if line] == ["  approve[0]  ", "  approve[1]  ", "  approve[2]  ", "  and 2 more"]


def test_a_task_beyond_its_deadline_says_so_and_what_was_decided_before():
    task_ = WaitingTask(
        "approve", "Publish?", "", NOON, NOON + 60, "skip", {"x": "3"}, [Earlier(3, NOON - 60, "skip", "", "")]
    )

    lines = [plain_text(line) for line in waiting_lines([task_], NOON + 61)]

    when = dt.datetime.fromtimestamp(NOON + 60).astimezone()
    assert lines == [
        "",
        "  approve  Publish?",
        "  x        3",
        f"  nobody answered by {when:%H:%M}: it is skipped as soon as a process takes up the run",
        f"  in run 3, {when - dt.timedelta(minutes=2):%H:%M}: skipped",
    ]
    assert [plain_text(line) for line in answer_lines("18", None)] == [
        "  go on      flowbook run resume 18",
        '  reject     flowbook run reject 18 --note "…"',
        "  skip       flowbook run skip 18",
    ]
