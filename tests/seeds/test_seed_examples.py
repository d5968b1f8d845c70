"""The examples of three documents that users of another system know, run as they stand with the one word changed.

What an example takes for granted (imports, a function it calls) is supplied by its test, nothing else.
"""

from __future__ import annotations

import datetime  # noqa: ICN001  # the name that an example uses
import re
from pathlib import Path

import pytest

import flowbook
from flowbook import Flow, task
from flowbook.deployments import DeploymentSpec
from flowbook.deployments.creation import create_deployments_in
from flowbook.deployments.due_runs import create_run
from flowbook.deployments.spec_files import read_spec_file
from flowbook.engine import cache_validators, signals, state
from flowbook.engine.state import Failed, Retrying, Success
from flowbook.flow_runners import SubprocessFlowRunner, UniversalFlowRunner
from flowbook.store import open_store

HERE = Path(__file__).parent
#: Waits for the executor that it is about.
NEEDS_A_CLUSTER = "DaskExecutor"


def examples(document):
    text = (HERE / document).read_text(encoding="utf-8").replace("prefect", "flowbook")
    return re.findall(r"```python[^\n]*\n(.*?)```", text, flags=re.DOTALL)


def example(document, words):
    (found,) = [each for each in examples(document) if words in each]
    return found


def run(document, words, **given):
    names = {"flowbook": flowbook, **given}
    exec(compile(example(document, words), document, "exec"), names)
    return names


def test_each_example_has_its_test():
    documents = {document.name: examples(document.name) for document in sorted(HERE.glob("*.md"))}

    assert {name: len(found) for name, found in documents.items()} == {
        "engine.md": 1,
        "execution.md": 5,
        "flow_runners.md": 3,
    }
    assert NEEDS_A_CLUSTER in documents["engine.md"][0]


def test_outputs_are_cached_for_a_duration_or_by_a_validator():
    names = run("execution.md", "task_1 = flowbook.Task", datetime=datetime)

    first, second = names["task_1"], names["task_2"]
    assert (first.cache_for, first.cache_validator) == (datetime.timedelta(hours=1), cache_validators.duration_only)
    assert (second.cache_for, second.cache_validator) == (datetime.timedelta(hours=1), cache_validators.all_parameters)


@pytest.mark.parametrize(("x", "expected"), [(-1, Retrying), (3, Success)])
def test_a_signal_decides_the_state(x, expected):
    names = run("execution.md", "def retry_if_negative")

    once = flowbook.engine.task_runner.TaskRunner(_with_input(task(names["retry_if_negative"]), x)).run()

    assert type(once) is expected


def test_the_context_of_whoever_runs_the_flow_is_seen_by_its_tasks():
    states = []

    class Watched(Flow):
        def run(self, *args, **options):
            states.append(super().run(*args, **options))
            return states[-1]

    run("execution.md", "def try_unlock", task=task, Flow=Watched, signals=signals)

    assert [type(each) for each in states] == [Failed, Success]


def test_a_state_handler_has_the_signature_that_is_shown():
    found = example("execution.md", "def state_handler(obj")
    names: dict[str, object] = {}
    exec("from __future__ import annotations\n" + _dedent(found), names)
    seen = names["state_handler"]
    with Flow("f", state_handlers=[seen]) as flow:
        task(lambda: 1, name="one", state_handlers=[seen])()

    final = flow.run()

    assert type(final).__name__ == "Success"


def test_a_notification_is_sent_whenever_a_task_is_retried():
    sent = []
    names = run(
        "execution.md",
        "def notify_on_retry",
        state=state,
        Task=flowbook.Task,
        send_notification=lambda: sent.append("retry"),
    )

    class Flaky(flowbook.Task):
        def run(self):
            if len(sent) < 2:
                raise OSError("busy")

    handlers = names["task_that_notifies"].state_handlers
    with Flow("f") as flow:
        Flaky(max_retries=3, retry_delay=datetime.timedelta(0), state_handlers=handlers)()
    final = flow.run()

    assert (final.is_successful(), sent) == (True, ["retry", "retry"])


def _with_input(made, x):
    return task(lambda: made.run(x), name=made.name)


def _dedent(text):
    import textwrap  # noqa: PLC0415

    return textwrap.dedent(text)


@pytest.mark.parametrize(
    ("words", "flow_runner"),
    [
        ("SubprocessFlowRunner()", SubprocessFlowRunner()),
        ('condaenv="test"', SubprocessFlowRunner(env={"MY_VARIABLE": "FOO"}, condaenv="test")),
        ("UniversalFlowRunner(", UniversalFlowRunner(env={"MY_VARIABLE": "FOO"})),
    ],
)
def test_a_deployment_specification_in_a_file_names_the_flow_runner(words, flow_runner, tmp_path):
    path = tmp_path / "specs_of_mine.py"
    path.write_text(example("flow_runners.md", words))

    (spec,) = read_spec_file(path).specs

    assert (spec.name, spec.flow.name, spec.flow_runner) == ("test", "my_flow", flow_runner)
    assert spec.flow_runner.to_settings() == flow_runner.to_settings()


@pytest.mark.parametrize("words", ["SubprocessFlowRunner()", "UniversalFlowRunner("])
def test_a_deployment_keeps_its_flow_runner_and_its_runs_have_it(words, tmp_path):
    path = tmp_path / "specs_of_mine.py"
    path.write_text(example("flow_runners.md", words))
    store = open_store()

    (made,) = create_deployments_in(store, path)
    run = create_run(store, made)

    assert (made.title, store.runs.get(run.run_id).flow_runner) == ("my_flow/test", made.flow_runner)
    assert made.flow_runner["config"] == ({"env": {"MY_VARIABLE": "FOO"}} if "Universal" in words else {})


def test_a_deployment_without_flow_runner_has_the_universal_one():
    assert DeploymentSpec(name="test", flow=Flow("my_flow")).flow_runner == UniversalFlowRunner()
