"""`UniversalFlowRunner`: the settings that all flow runners have; whoever starts it runs it in a process of its machine."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, ClassVar

from flowbook.flow_run.ports import FlowRunnerSettings
from flowbook.flow_runners import fields
from flowbook.flow_runners.local_process import added_environment, command, end, environment, run_process
from flowbook.flow_runners.pythons import own_python

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flowbook.flow_run.ports import Outcome, RunToStart
    from flowbook.flow_runners.pythons import Interpreter

__all__ = ["UniversalFlowRunner"]


class UniversalFlowRunner:
    """Where a run's process lives is left to whoever starts it: an agent's default, which is a process of its machine.

    Args:
        env: environment variables for the run's process; they win over all others.

    Raises:
        ArgumentError: if there is no such field, or a value is not what it should be.
    """

    #: The name of this type in settings.
    type: ClassVar[str] = "universal"
    #: Whether whoever starts it sees its output.
    stream_output: bool = True
    #: Whether runs live where they are started, so that a deployment is checked where it is made.
    is_of_this_machine: ClassVar[bool] = True

    def __init__(self, *, env: Mapping[str, str] | None = None, **unknown: object) -> None:
        if unknown:
            raise fields.unknown(type(self).__name__, unknown, self._names())
        self.env: dict[str, str] = fields.env(type(self).__name__, env)

    def to_settings(self) -> FlowRunnerSettings:
        """Return the settings, from which `from_settings` makes an equal flow runner."""
        return FlowRunnerSettings(self.type, self._fields())

    def check(self) -> None:
        """Check that its environment is there, and that its Python has the same flowbook. Raises FlowRunnerError."""
        python = self._python()
        python.check(environment(python, self.env))

    def submit(self, run: RunToStart, started: Callable[[str], None]) -> Outcome:
        """Start the engine for a run, and wait until its process and all its children have ended.

        Args:
            run: a run that the caller has claimed.
            started: called with the process's name once it exists.

        Raises:
            FlowRunnerError: if it can't be started; `started` hasn't been called then.
        """
        python = self._python()
        env = environment(python, self.env)
        python.check(env)
        return run_process(run, python, env, started, is_streamed=self.stream_output)

    def end(self, identifier: str) -> None:
        """End the process of that name with all its children; does nothing if it is over.

        It is told to end (SIGTERM) and has 10 s to do so; then its process group is killed.
        """
        end(identifier)

    def preview(self, run: RunToStart) -> str:
        """Return the command that would be started, after the environment variables that it gets besides this process's.

        Those whose names sound secret, and passwords in URLs, are masked.
        """
        python = self._python()
        added = added_environment(python, fields.shown_env(self.env))
        lines = [f"{name}={shlex.quote(value)}" for name, value in sorted(added.items())]
        return "\n".join([*lines, shlex.join(command(python, run.run_id))])

    def _python(self) -> Interpreter:
        """Return the Python to start. Raises FlowRunnerError: if there is none."""
        return own_python()

    def _fields(self) -> dict[str, Any]:
        """Return the fields that have not their usual value, as plain JSON."""
        return {name: value for name in self._names() if (value := getattr(self, name)) != self._usual(name)}

    @classmethod
    def _names(cls) -> tuple[str, ...]:
        return ("env",)

    @classmethod
    def _usual(cls, name: str) -> object:
        return {} if name == "env" else None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, UniversalFlowRunner):
            return NotImplemented
        return self.to_settings() == other.to_settings()

    def __hash__(self) -> int:
        return hash((self.type, repr(sorted(self._fields().items()))))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self._fields().items())})"
