"""What a run needs from a flow and from a flow runner. `core` and `flow_runners` implement it; neither is imported here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from flowbook.engine.graph import Graph
    from flowbook.executors.base import Executor
    from flowbook.notices.receiver import Receiver

__all__ = ["FlowParameter", "FlowRunner", "FlowRunnerSettings", "Outcome", "RunToStart", "RunnableFlow"]


@dataclass(frozen=True, slots=True)
class FlowRunnerSettings:
    """A flow runner as plain JSON.

    Attributes:
        type: "subprocess", for example; `flowbook.flow_runners` lists the types.
        config: its fields by name, without those that have their usual value.
    """

    type: str
    config: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return it as a dict of plain JSON."""
        return {"type": self.type, "config": dict(self.config)}


class RunToStart(NamedTuple):
    """What a flow runner is told of a run. How its flow is stored is the engine's business.

    Attributes:
        run_id: the argument of `python -m flowbook.engine`.
        flow_name: the name of its flow.
        number: counted per flow.
        epoch: at which it was claimed in order to start it.
    """

    run_id: str
    flow_name: str
    number: int = 0
    epoch: int = 0


class Outcome(NamedTuple):
    """How an engine's process ended; it says nothing of the flow, whose state is in the store.

    Attributes:
        exit_code: 0: as it should; a negative number: the signal that ended it.
        last_lines: of its output, oldest first.
        how: a sentence, where more is known than the exit code tells: "Its pod was evicted: ..."; else "".
    """

    exit_code: int
    last_lines: tuple[str, ...] = ()
    how: str = ""


class FlowRunner(Protocol):
    """Makes the place where a run's process lives, and starts the engine there. Not `engine.FlowRunner`, which walks a graph.

    Attributes:
        env: environment variables that the process gets besides others.
        stream_output: whether this process shows what that one writes.
    """

    env: dict[str, str]
    stream_output: bool

    @property
    def is_of_this_machine(self) -> bool:
        """Whether the process lives here, and begins as soon as it is started."""
        ...

    def check(self) -> None:
        """Check that a process could be started here. Raises FlowRunnerError: if not; says what to do."""
        ...

    def submit(self, run: RunToStart, started: Callable[[str], None]) -> Outcome:
        """Start the engine for a run, and wait until its process has ended.

        Args:
            run: a run that the caller has claimed.
            started: called with the process's or container's name once it really exists.

        Raises:
            FlowRunnerError: if it can't be started; `started` hasn't been called then.
        """
        ...

    def end(self, identifier: str) -> None:
        """End the process of that name with all its children; does nothing if it is over."""
        ...

    def preview(self, run: RunToStart) -> str:
        """Return what `submit` would start, for people."""
        ...

    def to_settings(self) -> FlowRunnerSettings:
        """Return the settings, the only form in which a flow runner is stored or sent."""
        ...


class FlowParameter(Protocol):
    """One parameter of a flow."""

    name: str
    default: object
    required: bool

    def accept(self, value: object) -> object:
        """Return the value as tasks receive it. Raises ParameterError if the parameter doesn't accept it."""
        ...


class RunnableFlow(Protocol):
    """A flow that can be compiled and run."""

    name: str
    is_named: bool
    executor: Executor | None
    notify: tuple[Receiver, ...]

    @property
    def tasks(self) -> Collection[object]:
        """All tasks, in order of definition."""
        ...

    def compile(self) -> Graph:
        """Return the frozen graph that the engine runs."""
        ...

    def parameters(self) -> Collection[FlowParameter]:
        """Return the parameters."""
        ...

    def _own_fields(self, task: object) -> Mapping[str, object]:
        """Return the attributes that the author set on a task besides its options; two equal flows have equal ones."""
        ...
