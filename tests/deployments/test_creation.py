"""Deployments are created from Python files, YAML files and notebooks' flows; what doesn't fit is refused, whole."""

from __future__ import annotations

import datetime as dt
import json
import platform
import threading
from pathlib import Path

import pytest

from flowbook import Flow, Parameter, task
from flowbook.deployments import CronSchedule, DeploymentSpec, IntervalSchedule, deploy
from flowbook.deployments.creation import create_deployments, create_deployments_in
from flowbook.deployments.due_runs import create_run
from flowbook.deployments.spec_files import read_spec_file
from flowbook.exceptions import DefinitionError, DeploymentError, FlowbookError
from flowbook.flow_runners import SubprocessFlowRunner, UniversalFlowRunner

PY = """
from datetime import timedelta
from flowbook.deployments import DeploymentSpec
from flowbook.flow_runners import SubprocessFlowRunner
from flows import nightly

DeploymentSpec(name="plain", flow_location="flows.py", flow_name="weekly")
DeploymentSpec(
    name="full", flow_location="flows.py", flow_name="nightly", parameters={"origin": "JFK"}, tags=["db"],
    schedule=timedelta(hours=1), flow_runner=SubprocessFlowRunner(env={"A": "1"}),
)
"""
YAML = """
- name: plain
  flow_location: flows.py
  flow_name: weekly
- name: full
  flow_location: ./flows.py
  flow_name: nightly
  parameters: {origin: JFK}
  tags: [db]
  schedule:
    interval: 3600
  flow_runner:
    type: subprocess
    env: {A: "1"}
"""


def facts(record):
    """Return what a person wrote of a deployment."""
    return {
        "title": record.title,
        "location": record.flow_location,
        "parameters": (dict(record.parameters), record.parameters_ref.load()),
        "tags": record.tags,
        "schedule": record.schedule,
        "flow_runner": record.flow_runner,
    }


@pytest.mark.parametrize(("name", "text"), [("specs.py", PY), ("specs.yaml", YAML), ("specs.yml", YAML)])
def test_the_specs_of_a_file_are_created(name, text, store, write, tmp_path):
    made = create_deployments_in(store, write(name, text))

    hourly = IntervalSchedule(3600).to_settings()
    assert [facts(each) for each in made] == [
        {
            "title": "weekly/plain",
            "location": f"{tmp_path}/flows.py:weekly",
            "parameters": ({}, {}),
            "tags": (),
            "schedule": None,
            "flow_runner": UniversalFlowRunner().to_settings().as_json(),
        },
        {
            "title": "nightly/full",
            "location": f"{tmp_path}/flows.py:nightly",
            "parameters": ({"origin": "JFK"}, {"origin": "JFK"}),
            "tags": ("db",),
            "schedule": hourly,
            "flow_runner": SubprocessFlowRunner(env={"A": "1"}).to_settings().as_json(),
        },
    ]
    assert store.deployments.list() == [made[1], made[0]]
    assert [(each.flow_ref.load().name, len(each.file_digest)) for each in made] == [("weekly", 64), ("nightly", 64)]


@pytest.mark.parametrize("before", ["", "- "])
def test_yaml_says_of_what_somebody_is_told_without_quotes(before, write):
    path = write(
        "specs.yaml", f"- name: d\n  flow_location: flows.py\n  notify:\n    {before}{{to: [say, it], on: [ended]}}\n"
    )

    (spec,) = read_spec_file(path).specs

    assert [(each.to, each.causes) for each in spec.notify] == [(("say", "it"), ("ended",))]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-5", 1e-5),
        ("-2E+3", -2000.0),
        ("1.5e3", 1500.0),
        (".5", 0.5),
        ("1_000", 1000),
        ("-7", -7),
        ("0x1f", 31),
        ("12:30", "12:30"),
        ("12:30:45.5", "12:30:45.5"),
        ("e5", "e5"),
        ("1e", "1e"),
    ],
)
def test_yaml_holds_numbers_and_times_of_day_as_people_write_them(text, value, write):
    path = write("specs.yaml", f"- name: d\n  flow_location: flows.py\n  parameters: {{n: {text}}}\n")

    (spec,) = read_spec_file(path).specs

    assert repr(spec.parameters) == repr({"n": value})


def test_a_flow_in_the_file_of_its_spec_is_read_from_that_file(store, write):
    path = write(
        "whole.py",
        "from flowbook import flow\nfrom flowbook.deployments import DeploymentSpec\n\n"
        "@flow\ndef mine():\n    pass\n\nDeploymentSpec(name='d', flow=mine)\n",
    )

    (made,) = create_deployments_in(store, path)

    assert (made.flow_location, made.flow_ref.load().name) == (f"{path}:mine", "mine")


def test_a_flow_whose_runs_live_in_containers_is_kept_by_value_and_no_engine_is_needed_here(store, write, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    path = write(
        "boxed.py",
        "from flowbook import flow, task\nfrom flowbook.deployments import DeploymentSpec\n"
        "from flowbook.flow_runners import DockerFlowRunner\n\n"
        "@flow\ndef mine():\n    pass\n\nDeploymentSpec(name='d', flow=mine, flow_runner=DockerFlowRunner(image='flows:1'))\n",
    )

    (made,) = create_deployments_in(store, path)

    assert (made.flow_location, made.flow_ref.load().name) == (None, "mine")


@pytest.mark.usefixtures("write")
def test_a_location_may_name_the_flow(store, tmp_path):
    spec = DeploymentSpec("d", flow_location=f"{tmp_path}/flows.py:weekly")

    (made,) = create_deployments(store, [spec])

    assert (made.title, made.flow_location) == ("weekly/d", f"{tmp_path}/flows.py:weekly")


def test_a_file_is_run_once_however_many_specs_name_it(store, write, tmp_path):
    write(
        "flows.py",
        "with open('ran', 'a') as file:\n    file.write('x')\nfrom flowbook import Flow\na, b = Flow('a'), Flow('b')\n",
    )
    path = write(
        "specs.yaml",
        "".join(f"- {{name: d, flow_location: flows.py, flow_name: {name}}}\n" for name in "ab"),
    )

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        create_deployments_in(store, path)

    assert (tmp_path / "ran").read_text() == "x"


def test_a_flow_that_is_in_no_file_is_kept_by_value_with_the_versions_that_made_it(store):
    factor = 3
    with Flow("mine") as flow:
        task(lambda x: x * factor, name="times")(Parameter("x"))

    (made,) = create_deployments(store, [DeploymentSpec("d", flow, parameters={"x": dt.date(2026, 1, 1)})])

    assert (made.flow_location, made.file_digest, made.parameters) == (None, None, {"x": "datetime.date(2026, 1, 1)"})
    assert made.made_by["python"] == platform.python_version()
    assert (set(made.made_by), made.made_by["folder"]) == ({"python", "flowbook", "folder"}, str(Path.cwd()))
    state = made.flow_ref.load().run(x=2)
    assert [each.result for task, each in state.result.items() if task.name == "times"] == [6]
    assert made.parameters_ref.load() == {"x": dt.date(2026, 1, 1)}


def test_whoever_the_flow_or_the_spec_names_is_told_of_its_runs(store):
    flow = Flow("mine", notify=["echo", "flow"])
    spec = DeploymentSpec("d", flow, notify={"to": len, "on": ["ended"]})

    (made,) = create_deployments(store, [spec])
    run = create_run(store, made)

    assert [(each.shown, each.causes) for each in made.receivers] == [
        ("echo (with 1 argument)", ("waits", "failed")),
        ("len()", ("ended",)),
    ]
    assert store.runs.get(run.run_id).flow == "mine"
    assert store.deployments.get(made.id) == made


def test_a_deployment_that_is_created_again_keeps_its_id_its_pause_and_its_schedules_place(store):
    flow = Flow("mine")
    spec = DeploymentSpec("d", flow, schedule="0 6 * * *")
    (first,) = create_deployments(store, [spec])
    store.deployments.pause(first.id)

    (same,) = create_deployments(store, [DeploymentSpec("d", flow, schedule="0 6 * * *", tags=["new"])])
    (other,) = create_deployments(store, [DeploymentSpec("d", flow, schedule="0 7 * * *")])

    assert (same.id, same.created, same.tags, same.is_paused, same.mark) == (
        first.id,
        first.created,
        ("new",),
        True,
        first.mark,
    )
    assert (other.id, other.is_paused, other.mark > first.mark) == (first.id, True, True)
    assert [each.title for each in store.deployments.list()] == ["mine/d"]


def test_nothing_is_created_if_one_of_several_is_wrong(store, write):
    path = write("specs.yaml", YAML + "- {name: wrong, flow_location: flows.py, flow_name: monthly}\n")

    with pytest.raises(DefinitionError):
        create_deployments_in(store, path)

    assert store.deployments.list() == []


FLOW = Flow("mine")
NEEDS = "from flowbook.deployments import DeploymentSpec\nfrom flowbook import Flow\n"
WRONG_SPECS = {
    "no name": (
        lambda: DeploymentSpec(flow=FLOW),
        "Deployment name None isn't a name. Give a text, e.g. DeploymentSpec(name='nightly', ...).",
    ),
    "a slash": (
        lambda: DeploymentSpec("a/b", FLOW),
        "Deployment name 'a/b' has '/' in it. Use any characters but / % & > <.",
    ),
    "a less-than": (
        lambda: DeploymentSpec("<b", FLOW),
        "Deployment name '<b' has '<' in it. Use any characters but / % & > <.",
    ),
    "no flow": (
        lambda: DeploymentSpec("d"),
        "Deployment 'd': there is no flow. Give flow=..., or flow_location='flows.py' for the file that makes it.",
    ),
    "a function": (
        lambda: DeploymentSpec("d", print),
        "Deployment 'd': flow=<built-in function print> isn't a flow. Give the flow itself, not its function or name.",
    ),
    "both": (
        lambda: DeploymentSpec("d", FLOW, "flows.py"),
        "Deployment 'd': there are both flow and flow_location. Give one of them.",
    ),
    "another name": (
        lambda: DeploymentSpec("d", FLOW, flow_name="yours"),
        "Deployment 'd': flow_name='yours', but the flow is named 'mine'. Leave flow_name out.",
    ),
    "a misspelt field": (
        lambda: DeploymentSpec("d", FLOW, shedule="0 6 * * *"),
        "Deployment 'd': a DeploymentSpec has no field 'shedule'. Did you mean 'schedule'?",
    ),
    "a foreign field": (
        lambda: DeploymentSpec("d", FLOW, work_queue="q"),
        ("Deployment 'd': a DeploymentSpec has no field 'work_queue'. Its fields: name, flow, flow_location, flow_name, "
        "parameters, tags, schedule, flow_runner, notify."),
    ),
    "parameters in a list": (
        lambda: DeploymentSpec("d", FLOW, parameters=["x"]),
        "Deployment 'd': parameters=['x'] isn't a dict by name. Give e.g. {'origin': 'JFK'}.",
    ),
    "a tag": (
        lambda: DeploymentSpec("d", FLOW, tags="db"),
        "Deployment 'd': tags='db' isn't a list of texts. Give e.g. ['db'].",
    ),
    "a bad cron line": (
        lambda: DeploymentSpec("d", FLOW, schedule="0 25 * * *"),
        ("Deployment 'd': cron='0 25 * * *': '25' can't be the hour. Allowed: 0-23, with '*', ',', '-' and '/'. Write five "
        "fields, 'minute hour day month weekday', e.g. '0 6 * * mon-fri' for 6:00 on working days."),
    ),
    "a class for a flow runner": (
        lambda: DeploymentSpec("d", FLOW, flow_runner=SubprocessFlowRunner),
        "Deployment 'd': flow_runner=SubprocessFlowRunner is a class. Make a flow runner of it: SubprocessFlowRunner().",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG_SPECS)
def test_what_is_no_spec_is_refused_in_words(case):
    wrong, message = WRONG_SPECS[case]

    with pytest.raises(DefinitionError) as caught:
        wrong()

    assert str(caught.value) == message


WRONG_FLOWS = {
    "a parameter too many": (
        {"parameters": {"origin": "JFK", "day": 1}},
        "Deployment 'd': flow 'nightly' has no parameter 'day'. Its parameters: origin, limit.",
    ),
    "a parameter too few": (
        {},
        "Deployment 'd': flow 'nightly' needs a value for 'origin'. Give it: parameters={'origin': ...}.",
    ),
    "another flow": (
        {"flow_name": "monthly"},
        "Deployment 'd': {folder}/flows.py holds no flow named 'monthly'. Those in it: 'nightly', 'weekly'.",
    ),
    "no name where there are two flows": (
        {"flow_name": None},
        "Deployment 'd': {folder}/flows.py holds 2 flows: 'nightly', 'weekly'. Say which: give its name too.",
    ),
    "no such file": (
        {"flow_location": "none.py"},
        "Deployment 'd': {folder}/none.py can't be read: No such file or directory. Give the Python file that makes the flow.",
    ),
    "a value of the wrong type": (
        {"flow_name": "weekly", "parameters": {"day": "tomorrow"}},
        "Deployment 'd': Parameter 'day': 'tomorrow' isn't a time. Give a datetime, or ISO text such as '2024-02-29T12:00'.",
    ),
    "a value that can't be kept": (
        {"parameters": {"origin": (each for each in "ab")}},
        "Deployment 'd': parameter 'origin' is a generator, which can't be stored. Give plain data.",
    ),
}


@pytest.mark.usefixtures("write")
@pytest.mark.parametrize("case", WRONG_FLOWS)
def test_a_spec_that_does_not_fit_its_flow_is_refused_in_words(case, store, tmp_path, monkeypatch):
    fields, message = WRONG_FLOWS[case]
    monkeypatch.chdir(tmp_path)
    spec = DeploymentSpec(**{"name": "d", "flow_location": "flows.py", "flow_name": "nightly", **fields})

    with pytest.raises(FlowbookError) as caught:
        create_deployments(store, [spec])

    assert str(caught.value) == message.replace("{folder}", str(tmp_path))
    assert store.deployments.list() == []


def test_a_flow_that_can_not_be_kept_by_value_says_why_and_what_to_do(store):
    lock = threading.Lock()

    @task
    def look():
        return [lock]

    with Flow("mine") as flow:
        look()

    with pytest.raises(DeploymentError) as caught:
        create_deployments(store, [DeploymentSpec("d", flow)])

    message = str(caught.value)
    assert message.startswith("Deployment 'd': flow 'mine' can't be kept by value: ")
    assert "lock" in message
    assert message.endswith(" Or write it in a file, and give flow_location.")


WRONG_FILES = {
    "two specs of one name": (
        "specs.py",
        NEEDS + "f = Flow('f')\nDeploymentSpec('d', f)\nDeploymentSpec('d', f)\n",
        "{file}: Deployment 'd': two deployments of flow 'f' have this name. Give each a name of its own.",
    ),
    "a wrong spec in a Python file": (
        "specs.py",
        NEEDS + "\nDeploymentSpec('d')\n",
        ("{file}, line 4: Deployment 'd': there is no flow. Give flow=..., or flow_location='flows.py' for the file that "
        "makes it."),
    ),
    "no spec": (
        "specs.py",
        NEEDS,
        "{file} holds no DeploymentSpec. Make one at its top level, e.g. DeploymentSpec(name='nightly', flow=...).",
    ),
    "another kind of file": (
        "specs.toml",
        "",
        "{file} is neither a .py nor a .yaml file. Give one that has DeploymentSpecs.",
    ),
    "an unknown field": (
        "specs.yaml",
        "- name: d\n  flow_location: flows.py\n  shedule: x\n",
        ("{file}, line 3: a deployment has no field 'shedule'. Its fields: name, flow_location, flow_name, parameters, tags, "
        "schedule, flow_runner, notify."),
    ),
    "a flow": (
        "specs.yaml",
        "name: d\nflow: nightly\n",
        "{file}, line 2: a deployment has no field 'flow'. A file can't hold a flow itself; give flow_location.",
    ),
    "a wrong schedule": (
        "specs.yaml",
        "- name: d\n  flow_location: flows.py\n  schedule:\n    cron: 0 6 * *\n",
        ("{file}, line 3: Deployment 'd': cron='0 6 * *' has 4 fields, not five. Write five fields, 'minute hour day month "
        "weekday', e.g. '0 6 * * mon-fri' for 6:00 on working days."),
    ),
    "an unknown time zone": (
        "specs.yaml",
        "- name: d\n  flow_location: flows.py\n  schedule: {cron: 0 6 * * *, timezone: Europe/Berln}\n",
        ("{file}, line 3: Deployment 'd': There is no time zone 'Europe/Berln'. "
        "Did you mean 'Europe/Berlin' or 'Europe/Dublin' or 'Europe/Belfast'?"),
    ),
    "an unknown flow runner": (
        "specs.yaml",
        "- name: d\n  flow_location: flows.py\n  flow_runner: {type: lambda}\n",
        ("{file}, line 3: There is no flow runner of type 'lambda'. "
        "The types are 'universal', 'subprocess', 'docker', 'kubernetes'."),
    ),
    "a flow runner without a type": (
        "specs.yaml",
        "- name: d\n  flow_location: flows.py\n  flow_runner: {env: {A: B}}\n",
        ("{file}, line 3: flow_runner={'env': {'A': 'B'}} has no type. Write e.g. "
        "`flow_runner: {type: subprocess, condaenv: test}`."),
    ),
    "a wrong receiver": (
        "specs.yaml",
        "- name: d\n  flow_location: flows.py\n  notify: 5\n",
        ("{file}, line 3: Deployment 'd': notify=5 names nobody. Give a URL of apprise, e.g. "
        "'mailto://ana:password@example.com', a command as a list, "
        "e.g. ['notify-send', 'flowbook'], or a function that takes the notice."),
    ),
    "nested without an end": (
        "specs.yaml",
        "- " * 5000 + "x\n",
        ("{file} isn't YAML: it is nested too deep. "
        "Write e.g. `- {name: nightly, flow_location: flows.py, schedule: {cron: '0 6 * * *'}}`."),
    ),
    "a field twice": (
        "specs.yaml",
        "- name: d\n  flow_location: flows.py\n  name: e\n",
        "{file}, line 3: 'name' is there twice, first in line 1. Give it once.",
    ),
    "no YAML": (
        "specs.yaml",
        "- name: [d\n",
        ("{file} isn't YAML: while parsing a flow sequence in \"<unicode string>\", line 1, column 9: - name: [d ^ expected "
        "',' or ']', but got '<stream end>' in \"<unicode string>\", line 2, column 1: ^. "
        "Write e.g. `- {name: nightly, flow_location: flows.py, schedule: {cron: '0 6 * * *'}}`."),
    ),
    "code": (
        "specs.yaml",
        "- name: !!python/object/apply:os.system ['true']\n",
        ("{file}, line 1: could not determine a constructor for the tag 'tag:yaml.org,2002:python/object/apply:os.system' in "
        '"<unicode string>", line 1, column 9: - name: !!python/object/apply:os.system ... ^. '
        "Write e.g. `- {name: nightly, flow_location: flows.py, schedule: {cron: '0 6 * * *'}}`."),
    ),
    "an empty file": (
        "specs.yaml",
        "",
        "{file} is empty. Write e.g. `- {name: nightly, flow_location: flows.py, schedule: {cron: '0 6 * * *'}}`.",
    ),
    "a text": (
        "specs.yaml",
        "- nightly\n",
        ("{file}, line 1: item 1 isn't a deployment. "
        "Write e.g. `- {name: nightly, flow_location: flows.py, schedule: {cron: '0 6 * * *'}}`."),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG_FILES)
def test_a_wrong_file_is_refused_with_file_and_line(case, store, write):
    name, text, message = WRONG_FILES[case]
    path = write(name, text)

    with pytest.raises(FlowbookError) as caught:
        create_deployments_in(store, path)

    assert str(caught.value) == message.replace("{file}", str(path))


def test_a_spec_outside_a_file_registers_nothing(store):
    DeploymentSpec("d", FLOW, schedule=CronSchedule("0 6 * * *"))

    assert store.deployments.list() == []


def test_a_spec_is_created_in_the_usual_store(store):
    (made,) = deploy(DeploymentSpec("d", FLOW))

    assert store.deployments.list() == [made]
    assert json.loads(json.dumps(dict(made.flow_runner))) == {"type": "universal", "config": {}}
