"""What one run goes on with: what it was given when it began, here or elsewhere, and what was given again since."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from flowbook.exceptions import DefinitionError
from flowbook.flow_run.run_inputs import NewInputs, first_inputs, merge_inputs, refuse_incomplete

if TYPE_CHECKING:
    from flowbook.flow_run.recording import Recording
    from flowbook.flow_run.run import FlowRun
    from flowbook.flow_run.run_inputs import RunInputs
    from flowbook.flow_run.run_request import RunRequest
    from flowbook.flow_run.stored_inputs import StoredInputs

__all__ = ["NOTHING", "Giving", "called", "refuse_late"]

NOTHING = NewInputs()


class Giving:
    """Has it at hand, and keeps it with a recorded run. Whoever calls holds the run's lock.

    Args:
        asked: what the run was asked for, here.
        kept: what is kept of what it was given elsewhere.
        is_changed: whether it has more than is kept with it.
    """

    def __init__(self, asked: RunRequest, kept: StoredInputs | None = None, *, is_changed: bool = False) -> None:
        self._asked = asked
        self._kept = kept
        self._is_changed = is_changed
        self._given: RunInputs | None = None

    @property
    def at_hand(self) -> RunInputs | None:
        """What the run goes on with; None before that is known."""
        return self._given

    def begin(self) -> RunInputs:
        """Return what an epoch of the run is given."""
        self._given = self._given or first_inputs(self._asked)
        return self._given

    def take_over(self, run: FlowRun, recording: Recording | None, again: NewInputs, *, force: bool) -> RunInputs:
        """Have at hand what the run was given by now, maybe by another process, with what is given `again`.

        Raises:
            RunIncompleteError, MissingSecretError: if something is missing, unless by `force`.
        """
        if recording is not None and (kept := recording.given_since()) is not None:
            self._kept, self._given = kept, None
        given = self._given or (self._kept.load() if self._kept is not None else first_inputs(self._asked))
        given = merge_inputs(given, again, called(run))
        if not force:
            refuse_incomplete(given, called(run))
        if self._kept is not None and not self._asked.has_executor and self._kept.has_executor:
            _warn_of_executor(run)
        if self._asked.has_executor:
            given = given._replace(executor=run.executor)
        self._kept, self._given = None, given
        self._is_changed = self._is_changed or bool(again)
        return given

    def keep(self, run: FlowRun, recording: Recording) -> None:
        """Let what was given since the run began serve whoever goes on with it next."""
        if self._is_changed and self._given is not None:
            recording.keep_given(self._given, run.graph)
        self._is_changed = False


def called(run: FlowRun) -> str:
    """Return what people call a run, at the beginning of a sentence."""
    return f"Run {run.number} of {run.flow_name!r}"


def refuse_late(run: FlowRun, again: NewInputs, where: str) -> None:
    """See that nothing is given to a run that goes on already. Raises DefinitionError."""
    if again:
        msg = (
            f"{called(run)} goes on {where}, with what it was given before. Leave out {' and '.join(again.options)}, "
            "or cancel it first."
        )
        raise DefinitionError(msg, run=run.run_id)


def _warn_of_executor(run: FlowRun) -> None:
    msg = (
        f"The executor of run {run.number} of {run.flow_name!r} was not kept, so it goes on with {run.executor_text}. "
        f"For another one: flowbook.run({run.run_id!r}, executor=...)."
    )
    warnings.warn(msg, stacklevel=6)
