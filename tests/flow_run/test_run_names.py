"""A recorded run is found by what people call it."""

from __future__ import annotations

import pytest

import flowbook
from flowbook import Flow, task
from flowbook.exceptions import UnknownRunError
from flowbook.flow_run.run_names import find_run_id
from flowbook.store import open_store


@task
def works():
    return 1


@task
def fails():
    raise ValueError


def recorded(name, *tasks):
    with Flow(name) as flow:
        for each in tasks:
            each()
    flow.run(record=True)
    return flow.last_run.run_id


@pytest.fixture
def ids():
    """Four runs of two flows, oldest first: delays 1, delays 2 (failed), prices 1, delays 3."""
    return [recorded("delays", works), recorded("delays", fails), recorded("prices", works), recorded("delays", works)]


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("last", 3),
        (" last ", 3),
        ("last failed", 1),
        ("delays last", 3),
        ("delays last failed", 1),
        ("prices last", 2),
        ("delays 2", 1),
        ("delays #2", 1),
        ("delays:3", 3),
        ("prices 1", 2),
        ("2", 1),
        ("prices", 2),
        ("delays", 3),
        ("last success", 3),
        ("last-failed", 1),
        (3, 3),
    ],
)
def test_a_run_is_found_by_its_flow_its_number_and_as_the_last_one(ids, name, index):
    assert find_run_id(open_store(), name) == ids[index]
    assert flowbook.run(name).run_id == ids[index]


def test_a_run_is_found_by_its_id_and_by_the_beginning_of_it(ids):
    store = open_store()

    assert [find_run_id(store, run_id) for run_id in ids] == ids
    assert [find_run_id(store, run_id[:12]) for run_id in ids] == ids


def test_a_flow_that_is_given_says_whose_runs_are_meant(ids):
    with Flow("prices") as prices:
        works()

    assert flowbook.run("last", flow=prices).run_id == ids[2]
    assert flowbook.run(1, flow=prices).run_id == ids[2]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("1", "Several runs are called '1': 'prices 1' ("),
        ("prices 2", "There is no run 'prices 2' in this store. Name it by its id, the beginning of that"),
        ("prices last failed", "There is no run 'prices last failed' in this store."),
        ("abc", "There is no run 'abc' in this store."),
        ("last month", "There is no run 'last month' in this store."),
        ("", "'' doesn't name a run. Name it by its id"),
        (None, "None doesn't name a run."),
        (True, "True doesn't name a run."),
        (4.5, "4.5 doesn't name a run."),
    ],
)
def test_what_names_no_run_or_several_is_refused(ids, name, message):
    assert len(ids) == 4

    with pytest.raises(UnknownRunError) as caught:
        flowbook.run(name)

    assert str(caught.value).startswith(message)


def test_runs_of_the_project_come_before_those_of_others(ids, monkeypatch):
    monkeypatch.setenv("FLOWBOOK_PROJECT", "other")
    other = recorded("delays", works)
    store = open_store()

    assert [find_run_id(store, name) for name in ("last", "delays 1", "delays 2")] == [other, other, ids[1]]


def test_a_beginning_of_several_ids_is_refused(ids, monkeypatch):
    store = open_store()
    monkeypatch.setattr(store.runs, "that_begin", lambda _, limit=6: ids[:limit])

    with pytest.raises(UnknownRunError, match="4 runs or more begin with 'aaaa'"):
        find_run_id(store, "aaaa")
