"""`flowbook deployment`: what it writes, its exit codes, and what it says when something is wrong."""

from __future__ import annotations

import datetime as dt
import json
import re

import pytest

import flowbook
from flowbook.cli.main import main, parser
from flowbook.store import open_store

FLOWS = """
from flowbook import flow, task


@task
def load(n):
    if n == 13:
        raise ValueError("unlucky")
    return n * 10


@flow
def nightly(n=2):
    load(n)
"""
SPECS = """
- name: daily
  flow_location: flows_of_cli.py
  schedule: {cron: 0 6 * * mon-fri, timezone: Europe/Berlin}
  parameters: {n: 4}
- name: by hand
  flow_location: flows_of_cli.py
"""
DUE = r"\w{3} \d+ \w{3}( \d{4})? 06:00 CES?T, in [\w. ]+?(?=[.\n]|$)"


@pytest.fixture
def specs(tmp_path):
    (tmp_path / "flows_of_cli.py").write_text(FLOWS)
    path = tmp_path / "specs.yaml"
    path.write_text(SPECS)
    return path


@pytest.fixture
def call(capsys):
    """Return what runs a command; gives its exit code and what it wrote, with ids and times replaced."""

    def run(*words):
        code = main(["deployment", *map(str, words)])
        captured = capsys.readouterr()
        text = re.sub(DUE, "DUE", re.sub(r"\b[0-9a-f]{8}\b|\b[0-9a-f]{32}\b", "ID", captured.out))
        return code, text, captured.err

    return run


@pytest.fixture
def as_json(capsys):
    def run(*words):
        assert main(["deployment", *map(str, words), "--json"]) == 0
        captured = capsys.readouterr()
        assert captured.err == ""
        return json.loads(captured.out)

    return run


@pytest.fixture
def made(specs, call):
    call("create", specs)


AGENT = "  An agent starts its runs. If none works here yet: flowbook agent start\n"
DAILY = "nightly/daily runs at 06:00 on Monday through Friday, Europe/Berlin; next: DUE.\n"


def test_a_file_of_specs_is_created_and_changed(call, specs):
    created, changed = call("create", specs), call("create", specs)

    assert created == (
        0,
        (
            f"Created nightly/daily (ID): {DAILY.removeprefix('nightly/daily ')}"
            f"Created nightly/by hand (ID): runs when somebody runs it.\n{AGENT}"
        ),
        "",
    )
    assert changed == (0, created[1].replace("Created", "Changed"), "")


@pytest.mark.usefixtures("made")
def test_deployments_are_listed_with_their_next_times(call, as_json):
    code, text, _ = call("ls")
    rows = as_json("ls")

    assert (code, [line.split()[0] for line in text.splitlines()]) == (0, ["name", "nightly/by", "nightly/daily"])
    assert [(row["name"], row["when"], row["next"] is None, row["runs_in"], row["parameters"]) for row in rows] == [
        ("nightly/by hand", "", True, "a process", {}),
        ("nightly/daily", "at 06:00 on Monday through Friday, Europe/Berlin", False, "a process", {"n": 4}),
    ]
    assert as_json("ls", "--flow", "other") == []


def test_an_empty_store_says_how_deployments_are_made(call):
    assert call("ls") == (
        0,
        "No deployment is made here yet. Make some of a file's DeploymentSpecs: flowbook deployment create FILE\n",
        "",
    )


@pytest.mark.usefixtures("made")
def test_one_is_shown_with_its_last_runs(call, as_json, specs):
    first = call("inspect", "nightly/daily")
    call("run", "nightly/daily")
    found = as_json("inspect", "nightly/daily")

    assert first[1].startswith(f"{DAILY}\nid          ID\nruns_in     a process\nparameters  n=4\n")
    assert first[1].endswith("\n\nIt has no runs yet.\n")
    assert f"flow        {specs.parent}/flows_of_cli.py:nightly\n" in first[1]
    assert [(run["number"], run["state"]) for run in found["runs"]] == [(1, "Scheduled")]


@pytest.mark.usefixtures("made")
def test_a_preview_shows_times_and_the_command_and_starts_nothing(call, as_json):
    code, text, _ = call("preview", "nightly/daily", "--count", 2)
    found = as_json("preview", "nightly/by hand")

    assert (code, text.startswith(f"{DAILY}  DUE\n  DUE\n\nEach run starts:\n")) == (0, True)
    assert text.endswith(" -m flowbook.engine RUN_ID\n")
    assert (found["times"], found["command"].endswith("flowbook.engine RUN_ID")) == ([], True)
    assert open_store().runs.list() == []


@pytest.mark.usefixtures("made")
def test_a_run_by_hand_waits_for_an_agent_or_its_time(call):
    now = call("run", "nightly/daily", "--param", "n=7")
    later = call("run", "nightly/daily", "--at", "2031-05-01T10:00+00:00")

    at = dt.datetime(2031, 5, 1, 10, tzinfo=dt.UTC)
    assert now == (
        0,
        f"nightly run 1 of nightly/daily waits for an agent. Watch it: flowbook run watch ID\n{AGENT}",
        "",
    )
    assert later[1].startswith(f"nightly run 2 of nightly/daily waits for {at.astimezone():%Y-%m-%d %H:%M}. ")
    assert [(each.parameters, each.due == at) for each in open_store().runs.list()] == [
        ({"n": 7}, False),
        ({"n": 4}, True),
    ]


@pytest.mark.acceptance
@pytest.mark.usefixtures("made")
def test_a_deployment_is_executed_without_an_agent(call):
    good = call("execute", "nightly/daily", "--param", "n=7")
    bad = call("execute", "nightly/daily", "--param", "n=13", "--json")

    clock = r"\d\d:\d\d:\d\d"
    assert re.fullmatch(rf"{clock}  Success   n\n{clock}  Success   load\nnightly run 1 succeeded.\n", good[1])
    events = [json.loads(line) for line in bad[1].splitlines()]
    assert (good[0], bad[0], events[-1]["state"]) == (0, 1, "Failed")
    assert flowbook.run("nightly 1")["load"].result == 70


@pytest.mark.usefixtures("made")
def test_runs_belong_to_the_project_of_their_deployment_wherever_they_are_started(as_json, monkeypatch):
    monkeypatch.setenv("FLOWBOOK_PROJECT", "another")

    assert "FLOWBOOK_PROJECT=test\n" in as_json("preview", "nightly/daily")["command"]


@pytest.mark.usefixtures("made")
def test_a_schedule_is_paused_and_goes_on(call):
    paused, listed, goes_on = call("pause", "nightly/daily"), call("ls"), call("resume", "nightly/daily")

    assert paused == (
        0,
        "nightly/daily runs at 06:00 on Monday through Friday, Europe/Berlin; its schedule is paused.\n",
        "",
    )
    assert " paused " in listed[1]
    assert goes_on == (0, DAILY, "")


@pytest.mark.usefixtures("made")
def test_a_deleted_deployment_leaves_its_runs(call, as_json):
    call("run", "nightly/daily")

    deleted = call("delete", "nightly/daily")

    assert deleted == (0, "nightly/daily is deleted; its runs stay. See them: flowbook run ls --flow nightly\n", "")
    assert ([row["name"] for row in as_json("ls")], len(open_store().runs.list())) == (["nightly/by hand"], 1)


WRONG = {
    "an unknown name": (
        ["inspect", "nightly/dayly"],
        1,
        "There is no deployment 'nightly/dayly' in this store. Did you mean 'nightly/daily'?",
    ),
    "a parameter too many": (
        ["run", "nightly/daily", "--param", "m=1"],
        2,
        "Flow 'nightly' has no parameter 'm'. Its parameters: n.",
    ),
    "no value": (["run", "nightly/daily", "--param", "n"], 2, "--param 'n' isn't NAME=VALUE. Write e.g. --param origin=JFK."),
    "no time": (
        ["run", "nightly/daily", "--at", "soon"],
        2,
        ("'soon' isn't a time. Write it like '2026-11-20 09:00', 'tomorrow 9:00' (local time), 'in 2 hours' "
        "or '2026-11-20T08:00:00+00:00'."),
    ),
    "no schedule": (
        ["pause", "nightly/by hand"],
        2,
        "nightly/by hand has no schedule to pause. It runs when somebody runs it.",
    ),
    "too many times": (
        ["preview", "nightly/daily", "--count", "5000"],
        2,
        "--count 5000 isn't a number of times. Give 0 to 1,000.",
    ),
    "no file": (
        ["create", "/none.yaml"],
        2,
        "/none.yaml can't be read: No such file or directory. Give a file of deployments.",
    ),
}  # fmt: skip


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize("case", WRONG)
def test_wrong_use_says_what_to_do(case, call):
    words, code, message = WRONG[case]

    assert call(*words) == (code, "", f"flowbook: {message}\n")


def test_each_command_has_help_with_an_example(capsys):
    with pytest.raises(SystemExit):
        parser().parse_args(["deployment", "--help"])
    verbs = re.findall(r"^    (\w+) ", capsys.readouterr().out, flags=re.MULTILINE)

    for verb in verbs:
        with pytest.raises(SystemExit):
            parser().parse_args(["deployment", verb, "--help"])
        assert f"Example: flowbook deployment {verb}" in capsys.readouterr().out
    assert verbs == ["create", "ls", "inspect", "preview", "run", "execute", "pause", "resume", "delete"]
