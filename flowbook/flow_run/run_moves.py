"""How a run moves between processes while it goes on: it is handed over, and taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from flowbook.flow_run.location import AtRest, Here

if TYPE_CHECKING:
    from flowbook.flow_run.ports import FlowRunner
    from flowbook.flow_run.run_control import RunControl

__all__ = ["RunMoves"]


class RunMoves:
    """The methods of a run by which it goes on in another process."""

    _control: RunControl

    def hand_over(self, flow_runner: FlowRunner, by: str = "", note: str = "") -> Self:
        """Let a process that the flow runner starts go on with the run; return once that process exists.

        No new task starts here, what runs ends, and then the other process goes on under the same id from what is stored; no
        task whose result is stored runs again. This object follows it. If the process dies before it has the run, the run stays
        here. A run at rest is resumed through this flow runner from now on.

        Args:
            flow_runner: such as `SubprocessFlowRunner()`.
            by: who decides; recorded.
            note: the reason; recorded.

        Raises:
            RunIncompleteError: if something of it can't go along (a value that can't be pickled, a secret); names it, and nothing
                has happened then.
            FlowRunnerError: if no process can be started; the run goes on where it is.
            RunError: if it isn't recorded, or is over.
            RunClaimedError: if another process has it and doesn't answer.
        """
        from flowbook.flow_run.hand_over import hand_over  # noqa: PLC0415  # few runs are handed over

        hand_over(self._control, flow_runner, by, note)
        return self

    def take_back(self, by: str = "", note: str = "", *, force: bool = False) -> Self:
        """Let the run go on in this process; return at once.

        No new task starts in the process that has it; once what runs there has ended, this one goes on. If it is being handed
        over, it stays here. A run at rest is resumed wherever somebody resumes it from now on.

        Args:
            by: who decides; recorded.
            note: the reason; recorded.
            force: take it at once if the process that has it doesn't answer (it was stopped, or its machine is gone): what that
                one still records is refused, and the tasks that it was running run again.

        Raises:
            RunClaimedError: if the process that has it doesn't answer, unless `force`.
        """
        from flowbook.flow_run.hand_over import take_back  # noqa: PLC0415  # as above

        take_back(self._control, by, note, force=force)
        return self

    @property
    def is_handing_over(self) -> bool:
        """Whether nothing new starts here because another process is to go on with it."""
        location = self._control.location
        is_draining = isinstance(location, Here) and location.epoch.is_draining
        return is_draining or (isinstance(location, AtRest) and location.is_on_its_way)
