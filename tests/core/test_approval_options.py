"""The options of a task that waits for a person: deadline, otherwise, asks."""

from __future__ import annotations

import copy
import datetime as dt

import pytest

from flowbook import Flow, task, triggers
from flowbook.engine.graph import ApprovalPolicy
from flowbook.exceptions import ArgumentError, DefinitionError

HOURS = dt.timedelta(hours=8)
MANUAL = {"trigger": triggers.manual_only}


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        (
            {"deadline": HOURS},
            DefinitionError,
            "Task 'approve' has deadline=28800 s, but waits for nobody. Add trigger=triggers.manual_only, or remove deadline.",
        ),
        (
            {"asks": "finance", "trigger": triggers.all_finished},
            DefinitionError,
            "Task 'approve' has asks='finance', but waits for nobody. Add trigger=triggers.manual_only, or remove asks.",
        ),
        (
            {"otherwise": "skip"},
            DefinitionError,
            "Task 'approve' has otherwise='skip', but waits for nobody. Add trigger=triggers.manual_only, or remove otherwise.",
        ),
        (
            {**MANUAL, "otherwise": "skip"},
            DefinitionError,
            "Task 'approve' has otherwise='skip' and no deadline. Add deadline=timedelta(hours=8).",
        ),
        (
            {**MANUAL, "deadline": HOURS, "otherwise": "maybe"},
            ArgumentError,
            "Task 'approve': otherwise='maybe' isn't an answer. Give 'reject', 'approve' or 'skip'.",
        ),
        (
            {**MANUAL, "deadline": HOURS, "otherwise": ["reject"]},
            ArgumentError,
            "Task 'approve': otherwise=['reject'] isn't an answer. Give 'reject', 'approve' or 'skip'.",
        ),
        (
            {**MANUAL, "deadline": -1},
            DefinitionError,
            "Task 'approve': deadline=-1 s leaves nobody time. Give more than zero.",
        ),
        (
            {**MANUAL, "deadline": dt.timedelta.max},
            DefinitionError,
            "Task 'approve': deadline=8.64e+13 s is beyond 100 years. Leave it out to wait for good.",
        ),
        (
            {**MANUAL, "deadline": dt.timedelta(0)},
            DefinitionError,
            "Task 'approve': deadline=0 s leaves nobody time. Give more than zero.",
        ),
        (
            {**MANUAL, "deadline": "8 hours"},
            ArgumentError,
            "Task 'approve': deadline='8 hours' isn't a duration. Give seconds or a timedelta, e.g. deadline=timedelta(hours=8).",
        ),
        (
            {**MANUAL, "asks": ""},
            ArgumentError,
            "Task 'approve': asks='' names nobody. Give a text, e.g. asks='finance'.",
        ),
        (
            {**MANUAL, "asks": 3},
            ArgumentError,
            "Task 'approve': asks=3 names nobody. Give a text, e.g. asks='finance'.",
        ),
    ],
)
def test_options_that_do_not_fit_are_refused(options, kind, message):
    with pytest.raises(DefinitionError) as refused:

        @task(**options)
        def approve():
            pass

    assert (type(refused.value), str(refused.value)) == (kind, message)


@task(trigger=triggers.manual_only, deadline=60)
def approve():
    pass


def policy(waits):
    with Flow("f") as flow:
        bound = waits()
    return flow.compile().specs[flow.key_of(bound)].approval


def test_without_more_a_deadline_rejects():
    plain = task(trigger=triggers.manual_only)(lambda: None)
    assert (approve.deadline, approve.otherwise, approve.asks) == (dt.timedelta(minutes=1), "reject", None)
    assert policy(approve) == ApprovalPolicy(60.0, "reject", "")
    assert policy(plain) is None


def test_a_copy_changes_what_it_is_told_to_and_is_checked_as_well():
    later = approve.copy(deadline=HOURS, otherwise="approve", asks="finance")

    assert policy(later) == ApprovalPolicy(28_800.0, "approve", "finance")
    assert policy(approve.copy(deadline=None)) is None
    assert policy(approve.copy(trigger=triggers.all_finished)) is None
    assert policy(approve.copy(name="other")) == policy(approve)
    with pytest.raises(DefinitionError, match="has otherwise='skip' and no deadline"):
        approve.copy(deadline=None, otherwise="skip")
    with pytest.raises(DefinitionError, match="has deadline=5, but waits for nobody"):
        approve.copy(trigger=triggers.all_finished, deadline=5)


def test_a_task_that_an_earlier_flowbook_stored_has_no_deadline():
    old = copy.copy(approve)
    for option in ("deadline", "otherwise", "asks"):
        old.__dict__.pop(option, None)

    assert policy(old) is None
