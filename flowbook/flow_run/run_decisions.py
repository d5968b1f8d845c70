"""What people decide about a run: they cancel it, answer its tasks that wait, retry what failed; and what they decided."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Self

from flowbook.engine.answer import DEADLINE, answer_for_deadline, no_answer_by
from flowbook.exceptions import ArgumentError, RunClaimedError
from flowbook.flow_run.decision import Action, Decision
from flowbook.flow_run.location import AtRest
from flowbook.flow_run.new_inputs import NewInputs, read_new_inputs
from flowbook.flow_run.resume_plan import overdue

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd

    from flowbook.engine.state import Paused
    from flowbook.flow_run.location import Location
    from flowbook.flow_run.run_control import RunControl

__all__ = ["RunDecisions"]

_NOTHING_NEW = NewInputs()


class RunDecisions:
    """The methods of a run by which people decide. Each works wherever the run is: here, in another process, or at rest."""

    _control: RunControl

    def cancel(self, by: str = "", note: str = "", *, now: bool = False) -> None:
        """Start no more tasks. Running tasks go on to their end; until then the run is Cancelling. A finished run stays as it is.

        If another process has the run, it receives a request. A recorded run at rest that isn't over (it waits for a
        person, or crashed) becomes Cancelled.

        Args:
            by: who decides; recorded.
            note: the reason; recorded.
            now: stop tasks that run, too; a second `cancel` does the same. An exception is raised in their Python code, which
                can't stop a sleep or C code; worker processes of `LocalDaskExecutor("processes")` are ended. The tasks end
                Cancelled, and run again if the run is resumed.

        Raises:
            RunClaimedError: if the other process doesn't answer.
        """
        self._control.decide(Decision("cancel_now" if now else "cancel", by=by, note=note))

    def resume(  # noqa: PLR0913  # who, why, and what `flow.run` takes
        self,
        *tasks: object,
        by: str = "",
        note: str = "",
        inputs: Mapping[str, object] | None = None,
        force: bool = False,
        parameters: Mapping[str, object] | None = None,
        context: Mapping[str, object] | None = None,
        task_contexts: Mapping[object, Mapping[str, object]] | None = None,
        state_handlers: Sequence[Callable[..., object]] | None = None,
    ) -> Self:
        """Resume paused tasks (default: all that wait), or a cancelled or crashed run; return at once.

        If the run is live, here or in another process, it takes the decision as an event; otherwise a new epoch begins
        in the background. No task whose result is stored runs again. In a crashed run, tasks that wait for a person keep
        waiting unless they are named. The run keeps its original inputs; arguments passed here override them.

        Args:
            tasks: tasks or their keys.
            by: who decides; recorded.
            note: the reason; recorded.
            inputs: values by argument that the one task named here gets instead of those that it waits with. They are stored,
                and recorded with the content hashes of what they were and are. No other task gets them.
            force: resume even if the flow's code differs from the recorded one, or an input of the run is missing.
            parameters: values for parameters that couldn't be stored.
            context: values by name, added to the run's context.
            task_contexts: values by name for the contexts of single tasks.
            state_handlers: replace the run's own.

        Raises:
            StartTaskError: if a task named here doesn't wait.
            RunClaimedError: if another process has resumed it, or somebody answered before.
            RunChangedError: if the flow differs from the recorded one; says how.
            RunIncompleteError: if an input of the run couldn't be stored; says which, and how to pass it again.
            MissingSecretError: if a secret of its context is neither in the caller's context nor in the environment.
            DefinitionError: if inputs are passed to a run that is running already, or are invalid.
            UnpicklableError: if another process has the run, and a value in `inputs` can't be sent there.
        """
        new = read_new_inputs(self._control.run.graph, parameters, context, task_contexts, state_handlers)
        return self._answer("resume", tasks, by, note, inputs, new, force=force)

    def skip(self, *tasks: object, by: str = "", note: str = "", force: bool = False) -> Self:
        """Skip paused tasks (default: all that wait): they end Skipped without running; return at once.

        Tasks below are skipped too, unless they have `skip_on_upstream_skip=False`. The run goes on as after `resume`, and
        so do the arguments and errors.

        Args:
            tasks: tasks or their keys; a mapped task means all its children that wait.
            by: who decides; recorded.
            note: the reason; recorded, and part of the state's message.
            force: go on even if the flow's code differs from the recorded one, or an input of the run is missing.

        Raises:
            StartTaskError: if nothing waits.
            RunClaimedError: if a task named here doesn't wait, e.g. because somebody answered before.
        """
        return self._answer("skip", tasks, by, note, force=force)

    def reject(self, *tasks: object, by: str = "", note: str = "", force: bool = False) -> Self:
        """Reject paused tasks (default: all that wait): they end Failed without running, and aren't retried; return at once.

        The result of each is a `RejectedError`, which a task below can look at if its trigger lets it run after a failure:
        `triggers.any_failed`, `triggers.all_finished`. The run goes on as after `resume`. If what failed is retried later, a
        rejected task asks again.

        Args:
            tasks: tasks or their keys; a mapped task means all its children that wait.
            by: who decides; recorded.
            note: the reason; recorded, and part of the state's message.
            force: go on even if the flow's code differs from the recorded one, or an input of the run is missing.

        Raises:
            StartTaskError: if nothing waits.
            RunClaimedError: if a task named here doesn't wait, e.g. because somebody answered before.
        """
        return self._answer("reject", tasks, by, note, force=force)

    def _answer(  # noqa: PLR0913  # an answer
        self,
        action: Action,
        tasks: tuple[object, ...],
        by: str,
        note: str,
        inputs: Mapping[str, object] | None = None,
        new: NewInputs = _NOTHING_NEW,
        *,
        force: bool,
    ) -> Self:
        keys = tuple(self._control.run.graph.key_of(task) for task in tasks)
        if inputs is not None and (not isinstance(inputs, dict) or not all(isinstance(name, str) for name in inputs)):
            msg = f"inputs={inputs!r} isn't a dict by argument. Give e.g. inputs={{'threshold': 20}}."
            raise ArgumentError(msg, inputs=repr(inputs))
        if inputs and len(keys) != 1:
            count = f"{len(keys)} are" if keys else "none is"
            msg = f"Changed inputs are for one task, and {count} named. Name the one that gets them."
            raise ArgumentError(msg, keys=keys)
        if self._answer_overdue(time.time(), new, force=force):
            new = _NOTHING_NEW  # the run goes on with it
        self._control.decide(Decision(action, keys, by, note, dict(inputs or {})), new, force=force)
        return self

    def answer_overdue(self, now: float | None = None) -> tuple[str, ...]:
        """Answer the tasks that wait beyond their deadline, if the run is at rest: as `otherwise=` of each says.

        A process that has a run does so by itself; this is for a run that none has. Calling it twice, or in two processes at
        once, gives each answer once.

        Args:
            now: seconds since 1970; default: the present.

        Returns:
            The keys of the tasks that were overdue.

        Raises:
            RunChangedError, RunIncompleteError, MissingSecretError: as `resume` does.
        """
        return self._answer_overdue(time.time() if now is None else now)

    def _answer_overdue(self, now: float, new: NewInputs = _NOTHING_NEW, *, force: bool = False) -> tuple[str, ...]:
        control = self._control
        if not _overdue(control.location, now):
            return ()
        location = control.refresh(now=True)
        found = _overdue(location, now)
        for key, state in found.items():
            assert state.deadline is not None  # noqa: S101  # it has passed
            decision = Decision(answer_for_deadline(state), (key,), DEADLINE, no_answer_by(state.deadline))
            with contextlib.suppress(RunClaimedError):  # somebody else was first
                control.decide(decision, new if control.location is location else _NOTHING_NEW, force=force)
        return tuple(found)

    def retry(  # noqa: PLR0913  # as `resume`
        self,
        by: str = "",
        note: str = "",
        *,
        tasks: Sequence[object] = (),
        force: bool = False,
        parameters: Mapping[str, object] | None = None,
        context: Mapping[str, object] | None = None,
        task_contexts: Mapping[object, Mapping[str, object]] | None = None,
        state_handlers: Sequence[Callable[..., object]] | None = None,
    ) -> Self:
        """Run the failed tasks again with a fresh count of attempts, and the tasks that couldn't run because of them.

        A task that was rejected asks again. If the run is live, here or in another process, its other tasks go on meanwhile;
        otherwise a new epoch begins. `tasks` names those to run again, tasks or children (`clean[3]`), a mapped task for its
        failed children; default: all. Other arguments and errors are those of `resume`, and also:

        Raises:
            StartTaskError: if no task failed, or none of those named.
        """
        keys = tuple(self._control.run.graph.key_of(task) for task in tasks)
        new = read_new_inputs(self._control.run.graph, parameters, context, task_contexts, state_handlers)
        self._control.decide(Decision("retry", keys, by, note), new, force=force)
        return self

    def decisions(self, task: object = None) -> pd.DataFrame:
        """Return what people decided about a task, or about the whole run, as a table; the oldest first.

        Args:
            task: a task or its key; a mapped task means its children too. Default: all decisions.

        Returns:
            One row for each decision about each task; columns `at` (aware UTC), `task` (its key; "" for the whole run),
            `action` ("resume", "skip", "reject", "retry" or "cancel"), `by` ("deadline" where nobody answered in time),
            `note`, `changed` (by argument the content hashes of what it was and is) and `looked_at` (by argument the content
            hash of what the task waited with).
        """
        from flowbook.flow_run.decision_table import decision_table  # noqa: PLC0415  # pandas: only where somebody looks

        self._control.refresh()
        key = None if task is None else self._control.run.graph.key_of(task)
        return decision_table(self._control.log.in_order(), key)


def _overdue(location: Location, now: float) -> dict[str, Paused]:
    """Return the tasks of a run at rest that wait beyond their deadline, by key."""
    if not isinstance(location, AtRest) or not location.state.is_paused():
        return {}
    return overdue(location.states, now)
