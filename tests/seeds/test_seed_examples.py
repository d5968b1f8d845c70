"""The examples of two documents that users of another system know, run as they stand with the one word changed.

What an example takes for granted (imports, a function it calls) is supplied by its test, nothing else.
"""

from __future__ import annotations

import datetime  # noqa: ICN001  # the name that an example uses
import re
from pathlib import Path

import pytest

import flowbook
from flowbook import Flow, task
from flowbook.engine import cache_validators, signals, state
from flowbook.engine.state import Failed, Retrying, Success

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

    assert {name: len(found) for name, found in documents.items()} == {"engine.md": 1, "execution.md": 5}
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
