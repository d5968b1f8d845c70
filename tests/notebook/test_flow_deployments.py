"""A notebook's flow is deployed by value, and told what runs it."""

from __future__ import annotations

import re

import pytest
from IPython.core.error import UsageError

from flowbook.executors import LocalDaskExecutor
from flowbook.notebook.flow_deployments import _name_of
from flowbook.store import open_store
from tests.homes import home
from tests.shells import opened

__all__ = ["home"]


@pytest.fixture
def shell(tmp_path, monkeypatch):
    """Return a shell without a front end, in which a flow was written."""
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "flights.ipynb"))
    tasks = "from flowbook import Parameter, task\n\n@task\ndef load(limit):\n    return limit * 10"
    with opened(tasks, "%%flow delays --no-run --quiet\nload(Parameter('limit', default=3))") as found:
        yield found


@pytest.fixture
def say(shell, capsys):
    """Return what runs `%flow` with a line and gives what it prints, with times left out."""

    def run(line):
        capsys.readouterr()
        shell.run_line_magic("flow", line)
        return re.sub(r"next: .*\.", "next: DUE.", capsys.readouterr().out)

    return run


AGENT = (
    "The code is kept as it is now: write this line again after a change.\n"
    "An agent of this machine runs it, also without this notebook. Start one in a terminal: flowbook agent start\n"
)
DAILY = "delays/flights runs at 06:00 every day, Europe/Berlin; next: DUE.\n"


def test_a_scheduled_flow_is_deployed_by_value_and_says_what_runs_it(say):
    text = say("schedule delays '0 6 * * *' --timezone Europe/Berlin --param limit=5")

    (made,) = open_store().deployments.list()
    assert (made.title, made.flow_ref.load().name, made.parameters) == ("delays/flights", "delays", {"limit": 5})
    assert text == (
        f"{DAILY}{AGENT}"
        "To keep an agent running, with systemd, launchd or the Task Scheduler: flowbook agent unit\n"
        "Pause it: %flow schedule delays off\n"
    )


def test_the_executor_of_the_cell_goes_along(say, shell):
    shell.run_cell("%%flow delays --no-run --quiet --executor threads\nload(Parameter('limit', default=3))")

    say("deploy delays")

    (made,) = open_store().deployments.list()
    assert made.executor == LocalDaskExecutor("threads").describe()
    assert made.flow_ref.load().executor.describe() == made.executor
    assert shell.user_ns["delays"].executor is None


def test_a_schedule_is_paused_and_goes_on(say):
    say('schedule delays "0 6 * * *" --timezone Europe/Berlin')

    assert say("schedule delays off") == (
        "delays/flights runs at 06:00 every day, Europe/Berlin; its schedule is paused.\n"
    )
    assert say("schedule delays on") == DAILY


def test_a_deployed_flow_says_how_it_is_run(say):
    text = say(
        "deploy delays --name 'by hand' --on \"__import__('flowbook.flow_runners').flow_runners.SubprocessFlowRunner()\""
    )

    (made,) = open_store().deployments.list()
    assert (made.title, made.flow_runner) == ("delays/by hand", {"type": "subprocess", "config": {}})
    assert text == (
        "delays/by hand runs when somebody runs it.\n"
        f"{AGENT}Ask for a run in a terminal: flowbook deployment run 'delays/by hand'\n"
    )


WRONG = {
    "schedule delays": "When is delays to run? Write %flow schedule delays '0 6 * * *', or 'every 2 hours'.",
    "schedule delays off": (
        "There is no deployment 'delays/flights': none is made here yet. `flowbook deployment create FILE` makes one."
    ),
    "schedule delays '0 25 * * *'": (
        "cron='0 25 * * *': '25' can't be the hour. Allowed: 0-23, with '*', ',', '-' and '/'. Write five fields, "
        "'minute hour day month weekday', e.g. '0 6 * * mon-fri' for 6:00 on working days."
    ),
    "schedule delays '0 6 * * *' --timezone Berlin": "There is no time zone 'Berlin'. Did you mean 'Europe/Berlin'?",
    "schedule nobody '0 6 * * *'": "There is no flow 'nobody' in this notebook. Those there are: delays.",
    "deploy delays --param day=1": "Deployment 'flights': flow 'delays' has no parameter 'day'. Its parameters: limit.",
    "deploy delays --name a/b": "Deployment name 'a/b' has '/' in it. Use any characters but / % & > <.",
    "deploy delays --timezone UTC": "%flow deploy takes no --timezone; that is for schedule.",
    "deploy": "Which flow? Name one: delays.",
}


@pytest.mark.parametrize("line", WRONG)
def test_a_wrong_line_is_one_line_of_text(line, shell):
    with pytest.raises(UsageError) as caught:
        shell.run_line_magic("flow", line)

    assert (str(caught.value), open_store().deployments.list()) == (WRONG[line], [])


@pytest.mark.parametrize(
    ("notebook", "name"), [("a/b.ipynb", "a-b"), ("flights.ipynb", "flights"), ("", "notebook"), ("50%.ipynb", "50-")]
)
def test_a_deployment_is_named_after_its_notebook(notebook, name):
    assert _name_of(notebook) == name
