"""Which tasks and children ran before an edit is told by the decisions by which a run went on, and by nothing else."""

from __future__ import annotations

import pytest

from flowbook.engine.events import Decided, StateChanged
from flowbook.engine.state import Failed, Mapped, Pending, Running, Skipped, State, Success, TriggerFailed
from flowbook.flow_run.earlier_code import EarlierCode

WIDTH = 4


class _Run:
    """A run of `load` and of `parse`, which is mapped to children of which the last one failed."""

    def __init__(self) -> None:
        self.found = EarlierCode()
        self.states: dict[str, State] = {"load": Success(), "below": TriggerFailed(), "left": Skipped()}
        self.states |= {f"parse[{n}]": Success() for n in range(WIDTH)}
        self.states[f"parse[{WIDTH - 1}]"] = Failed()
        self.seq = 100

    def goes_on(self, **definitions: str) -> tuple[str, ...]:
        """Go on with definitions that aren't the recorded ones."""
        return self.decides(definitions)

    def decides(self, definitions: dict[str, str] | None) -> tuple[str, ...]:
        self.seq += 1
        event = Decided(self.seq, "parse[3]", 0.0, "retry", "ada", "", definitions=definitions)
        return self.found.decided(event, self._states_of)

    def runs(self, *keys: str, state: State | None = None) -> None:
        for key in keys:
            for each in (Pending(), Running(), Success()) if state is None else (state,):
                self.seq += 1
                self.found.state_changed(StateChanged(self.seq, key, each))
                self.states[key] = each

    def _states_of(self, task: str) -> list[tuple[str, State]]:
        return [(key, state) for key, state in self.states.items() if key.partition("[")[0] == task]

    @property
    def parse(self) -> str:
        return self.found.note("parse")


@pytest.fixture
def run() -> _Run:
    return _Run()


def test_the_children_that_run_again_are_of_the_edit_and_the_others_are_not(run: _Run) -> None:
    assert run.goes_on(parse="new") == ("parse",)
    run.runs("parse[3]")

    assert run.parse == "3 ran before the edit"
    assert run.found.sentence("parse", WIDTH) == "3 of 4 children ran before the edit, and keep what they gave."
    assert run.found.sentence("parse[0]", None) == "It ran before the edit, and keeps what it gave."
    assert run.found.sentence("parse[3]", None) == ""
    assert run.found.note("load") == ""


def test_what_never_ran_did_not_run_before_the_edit(run: _Run) -> None:
    run.goes_on(below="new", left="new")

    assert (run.found.note("below"), run.found.note("left")) == ("", "")


def test_nothing_is_said_once_all_of_them_have_run_again(run: _Run) -> None:
    run.goes_on(parse="new", load="new")

    run.runs("load", *(f"parse[{n}]" for n in range(WIDTH)))

    assert (run.parse, run.found.note("load")) == ("", "")


def test_a_run_that_goes_on_without_an_edit_says_nothing(run: _Run) -> None:
    run.goes_on()
    run.runs("parse[3]")

    assert run.parse == ""


def test_going_on_with_the_same_edit_once_more_changes_nothing(run: _Run) -> None:
    run.goes_on(parse="new")
    run.runs("parse[3]", "parse[2]")

    assert run.goes_on(parse="new") == ()
    run.runs("parse[1]")

    assert run.parse == "1 ran before the edit"


def test_a_second_edit_makes_the_first_one_old(run: _Run) -> None:
    run.goes_on(parse="new")
    run.runs("parse[3]")

    run.goes_on(parse="newer")

    assert run.parse == "4 ran before the edit"


def test_an_edit_that_is_taken_back_makes_what_ran_by_it_old(run: _Run) -> None:
    run.goes_on(parse="new")
    run.runs("parse[3]")

    run.goes_on()

    assert run.parse == "1 ran before the edit"
    assert run.found.sentence("parse[3]", None)


def test_a_decision_while_the_run_goes_on_changes_nothing(run: _Run) -> None:
    run.goes_on(parse="new")
    run.runs("parse[3]")

    assert run.decides(None) == ()

    assert run.parse == "3 ran before the edit"


def test_children_that_are_gone_are_not_counted(run: _Run) -> None:
    run.goes_on(parse="new")

    run.runs("parse", state=Mapped(n_map_states=2))

    assert run.parse == "2 ran before the edit"


def test_late_events_change_nothing(run: _Run) -> None:
    run.goes_on(parse="new")
    late = run.seq - 50

    run.found.state_changed(StateChanged(late, "parse[0]", Success()))
    again = run.found.decided(Decided(late, "parse[3]", 0.0, "retry", "", "", definitions={}), lambda _: [])

    assert again == ()
    assert run.parse == "4 ran before the edit"
