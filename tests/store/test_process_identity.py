"""Which process is meant, and whether it lives: also when its number was given to another, and when nobody knows."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from flowbook.store.process_identity import (
    PLACE,
    container_of,
    effective_state,
    is_alive,
    is_at,
    is_here,
    number_of,
    place_of_run,
    process_of,
    this_process,
)


def marked(number: int, started: str) -> str:
    """Return the mark of a process on this machine."""
    return f"{this_process().split('|')[0]}|{number}|{started}"


def child() -> subprocess.Popen[str]:
    """Start a process that says its mark and waits."""
    script = "from flowbook.store.process_identity import this_process; print(this_process(), flush=True); input()"
    return subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_a_process_knows_itself():
    assert (is_here(this_process()), is_alive(this_process(), None, 0.0)) == (True, True)


def test_another_process_lives_until_it_ends():
    process = child()
    mark = process.stdout.readline().strip()

    before = is_here(mark)
    process.communicate("\n")

    assert (before, is_here(mark)) == (True, False)


@pytest.mark.skipif(os.name == "nt", reason="platform: no zombies")
def test_a_process_that_ended_and_was_not_waited_for_is_dead():
    process = child()
    mark = process.stdout.readline().strip()

    process.stdin.close()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

    assert is_here(mark) is False
    process.wait()
    process.stdout.close()


def test_a_number_that_was_given_to_another_process_is_not_taken_for_the_first():
    assert is_here(marked(os.getpid(), "1")) is False


@pytest.mark.parametrize("mark", [None, "", "elsewhere|1|2", "no mark", "a|b|c", "elsewhere||"])
def test_a_process_elsewhere_is_alive_as_long_as_it_beats(mark):
    found = is_here(mark), is_alive(mark, 1000.0, 1059.0), is_alive(mark, 1000.0, 1061.0), is_alive(mark, None, 1.0)

    assert found == (None, mark is not None, False, False)


@pytest.mark.parametrize(
    ("state", "shown"), [("Running", "Crashed"), (None, "Crashed"), ("Success", "Success"), ("Paused", "Paused")]
)
def test_a_run_that_came_to_no_rest_and_has_nobody_crashed(state, shown):
    assert effective_state(state, None, None, 0.0) == shown


def test_a_process_that_keeps_a_container_is_known_with_it():
    keeper = process_of(os.getpid(), "docker:delays-run-4:0123456789ab")

    found = is_here(keeper), number_of(keeper), container_of(keeper), container_of(this_process())

    assert found == (True, os.getpid(), "docker:delays-run-4:0123456789ab", "")


def test_a_process_is_known_by_the_place_that_was_made_for_it(monkeypatch):
    outside = this_process()
    monkeypatch.setenv(PLACE, place_of_run("7c1f", 2))

    inside = this_process()

    assert [is_at(each, place_of_run("7c1f", 2)) for each in (outside, inside)] == [False, True]
    assert (is_at(inside, place_of_run("7c1f", 3)), is_here(inside), is_here(outside)) == (False, True, None)
