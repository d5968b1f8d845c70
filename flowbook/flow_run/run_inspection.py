"""A closer look at a run: compared with another one, in the debugger, and its texts without secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self, cast

from flowbook._context import ContextLayer
from flowbook.engine.masks import Masks
from flowbook.engine.run_inputs import RunInputs
from flowbook.exceptions import DefinitionError

if TYPE_CHECKING:
    from flowbook.flow_run.run_comparison import ComparedRun, RunComparison
    from flowbook.flow_run.run_control import RunControl

__all__ = ["RunInspection"]


class RunInspection:
    """The methods of a run that look closer."""

    _control: RunControl

    def compare(self, other: ComparedRun) -> RunComparison:
        """Return what differs from this run to another one, both recorded: parameters, code, and each task.

        Args:
            other: e.g. `flowbook.run("last")`; it counts as the later one.

        Returns:
            For each task its states, how long it ran, its rows and the hash of its output in both runs, and why it differs:
            by itself ("parameter", "edited", "output"), or because of what it gets ("input"). Notebooks show the graph
            coloured by that; `.to_frame()` is a table, `.is_same` says whether nothing differs. No value is loaded.

        Raises:
            DefinitionError: if `other` isn't a run.
            UnknownRunError: if one of them isn't recorded.
        """
        if not hasattr(other, "run_id"):
            msg = f"other={other!r} isn't a run. Give one, e.g. run.compare(flowbook.run(12))."
            raise DefinitionError(msg, other=repr(other))
        from flowbook.flow_run.run_comparison import compared_runs  # noqa: PLC0415  # drawing, and the store

        return compared_runs(cast("ComparedRun", self), other)

    def debug(self, task: object) -> None:
        """Open Python's debugger in the frame in which a task failed, with its inputs and other names as they were.

        Args:
            task: a task, or its key; of a mapped task, its first child that failed.

        Raises:
            RunError: if it did not fail, or ran in another process, whose frames are gone.
        """
        import pdb  # noqa: PLC0415, T100  # what this is for

        from flowbook.flow_run.failed_frame import error_of, failed_traceback  # noqa: PLC0415  # only where something failed

        pdb.post_mortem(failed_traceback(error_of(cast("ComparedRun", self), self._control.run.graph.key_of(task))))

    def shown_in(self, origin: str) -> Self:
        """Note where a run that was loaded is shown: then it isn't logged to stderr as well. Return it."""
        control = self._control
        if not control.run.origin:
            control.run = control.run._replace(origin=origin)
        return self

    def why_unkept(self, key: str) -> str:
        """Return why the output of a task isn't kept in the store, by its newest state; "" if it is, or isn't recorded."""
        from flowbook.report.unkept import why_unkept  # noqa: PLC0415  # the store

        location = self._control.location
        state = location.states.get(key)
        if state is None or location.recording is None:
            return ""
        return why_unkept(state) or location.recording.why_unkept(key, state.at)

    def hide(self, text: str) -> str:
        """Return a text with the secrets masked that this process knows: of the run's context, and of its own environment."""
        inputs = self._control.inputs
        if not isinstance(inputs, RunInputs):
            return Masks.around(None).text(text)
        return Masks.around(ContextLayer(inputs.context), inputs.task_contexts.values()).text(text)
