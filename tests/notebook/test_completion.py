"""Tab on the line of a magic."""

from __future__ import annotations

import pytest
from IPython.core.completer import provisionalcompleter

from flowbook.notebook import extension
from tests.homes import home
from tests.shells import opened

__all__ = ["home"]

CELL = """
from flowbook import Parameter, task

@task(cache=True)
def load(origin, year):
    return origin

@task
def clean(rows):
    return rows
"""
BODY = 'clean(load(Parameter("origin", default="JFK"), Parameter("year", default=2013)))'
DATED = 'load(Parameter("day", default=dt.date(2026, 1, 28)), 1)'


@pytest.fixture
def shell():
    with opened(CELL, f"%%flow delays --quiet\n{BODY}") as found:
        yield found


def _proposed(shell, text, cursor=None):
    """Return what a front end would show."""
    with provisionalcompleter():
        return [each.text for each in shell.Completer.completions(text, len(text) if cursor is None else cursor)]


def test_tab_proposes_a_default_that_has_no_literal_as_one_writes_it(shell):
    shell.run_cell("import datetime as dt")
    shell.run_cell_magic("flow", "dated --quiet", DATED)

    assert set(_proposed(shell, "%flow run dated --param day=")) == {"2026-01-28"}


@pytest.mark.parametrize(
    ("line", "proposed"),
    [
        ("%flow re", {"reject", "replay", "resume", "retry"}),
        ("%flow retry dela", {"delays"}),
        ("%flow resume delays ", {"load", "clean"}),
        ("%flow plan delays cl", {"clean"}),
        ("%flow cancel --", {"--now", "--note"}),
        ("%flow run delays --param o", {"origin="}),
        ("%flow run delays --below ", {"load", "clean"}),
        ("%flow run delays --below load --of ", {"1"}),
        ("%flow export d", {"delays.py"}),
        ("%flow export delays.py ", {"delays"}),
        ("%flow schedule delays --timezone Europe/Berl", {"Europe/Berlin"}),
        ("%flow run delays --param year=", {"2013"}),
        ("%%flow delays --param origin=", {"JFK"}),
        ("%flow deploy delays --on docker", {"docker:"}),
        ("%flow incremental ", {"on", "off"}),
        ("%%flow dela", {"delays"}),
        ("%%flow delays --exec", {"--executor"}),
        ("%%flow delays --executor thr", {"threads"}),
        ("%%flow delays --param ", {"origin=", "year="}),
        ("%%flow delays --start-at ", {"load", "clean"}),
        ("%cache ", {"load"}),
        ("%cache --", {"--at"}),
    ],
)
def test_tab_proposes_what_may_stand_there(shell, line, proposed):
    assert set(_proposed(shell, line)) == proposed


def test_runs_are_proposed_by_their_short_ids(shell):
    run = shell.user_ns["delays"].last_run
    line = f"%flow show {run.run_id[:3]}"

    assert _proposed(shell, line) == [run.run_id[:8]]


def test_in_a_cell_of_several_lines_the_line_of_the_cursor_counts(shell):
    line = "%%flow delays --exec\nclean(load(1, 2))"

    assert "--executor" in _proposed(shell, line, len("%%flow delays --exec"))


def test_after_unloading_nothing_is_proposed(shell):
    extension.unload(shell)

    assert shell.Completer.custom_matchers == []
