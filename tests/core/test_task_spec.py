from __future__ import annotations

import inspect

import pytest

from flowbook import Flow, Task, task
from flowbook.core import task_spec
from flowbook.engine.graph import TaskSpec


@task
def same(x=1):
    return x


def test_every_option_of_a_task_is_compared_before_two_tasks_share_what_theirs_come_to():
    options = set(inspect.signature(Task.__init__).parameters) - {"self", "name", "slug", "nout", "unknown"}

    assert {*task_spec._VALUES, *task_spec._RARE, *task_spec._FUNCTIONS, "state_handlers"} == options


def test_copies_of_a_task_share_what_their_options_come_to():
    with Flow("f") as flow:
        first, second = same(), same()
    specs = flow.compile().specs

    place = TaskSpec._fields.index("trigger")
    assert specs[flow.key_of(first)][place:] == specs[flow.key_of(second)][place:]


@pytest.mark.parametrize(
    ("option", "value", "field"),
    [
        ("log_stdout", True, "log_stdout"),
        ("timeout", 3, "timeout_s"),
        ("tags", ["db"], "tags"),
        ("keep", False, "keep"),
        ("skip_on_upstream_skip", False, "skip_on_upstream_skip"),
        ("task_run_name", "x", "run_name"),
        ("cache", True, "cache"),
    ],
)
def test_a_copy_with_another_option_has_a_spec_of_its_own(option, value, field):
    with Flow("f") as flow:
        same()
        same(task_args={option: value})
        same()

    found = [getattr(spec, field) for spec in flow.compile().specs.values()]

    assert found[0] == found[2]
    assert found[1] != found[0]


@pytest.mark.parametrize(
    "options",
    [
        {"log_stdout": True},
        {"timeout": 3},
        {"cache": True},
        {"state_handlers": [print]},
        {"on_failure": print},
        {"task_run_name": "x"},
        {"target": "x.bin"},
        {"trigger": lambda _: True},
    ],
    ids=lambda options: next(iter(options)),
)
def test_a_task_that_needs_a_step_of_its_own_is_not_plain(options):
    with Flow("f") as flow:
        same()
        task(same.run, name="other", **options)()

    assert [spec.is_plain for spec in flow.compile().specs.values()] == [True, False]


def test_a_mapped_task_and_one_that_reads_its_children_whole_are_known():
    with Flow("f") as flow:
        same(same.map([1, 2]))

    found = [(spec.is_mapped, spec.reads_mapped) for spec in flow.compile().specs.values()]

    assert found == [(True, False), (False, True)]
