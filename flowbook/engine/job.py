"""One task to run, and the facts about its run that it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from flowbook.engine.state import Resume

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from flowbook._context import ContextLayer
    from flowbook.engine.cache_validators import HashedInputs
    from flowbook.engine.graph import TaskSpec
    from flowbook.engine.masks import Masks
    from flowbook.engine.ports import OutputCache
    from flowbook.engine.state import State
    from flowbook.engine.task_progress import TaskProgress

__all__ = ["ComparesInputs", "Job", "RunPort"]


class ComparesInputs(Protocol):
    """Compares a task's inputs before and after it ran."""

    def begin(self, job: Job, inputs: Mapping[str, object]) -> Sequence[Any]:
        """Look at what a task is about to get; return what `end` is to be given."""
        ...

    def end(self, readings: Sequence[Any]) -> list[str]:
        """Return what to say of the inputs that changed."""
        ...


class RunPort(Protocol):
    """The part of a run that a running task uses."""

    run_id: str
    flow_name: str
    parameters: Mapping[str, object]
    handlers: tuple[Callable[..., object], ...]
    layer: ContextLayer | None
    cache: OutputCache | None
    interrupted: bool
    #: The secrets to mask; None, the common case made cheap, if there are none.
    masks: Masks | None
    #: Whether tasks change their inputs; None where nothing is recorded.
    input_checks: ComparesInputs | None

    def state_changed(self, key: str, state: State) -> None:
        """Receive a change of the task's state."""
        ...

    def logged(self, key: str, level: int, text: str, shown: object = None) -> None:
        """Receive a log line or a print; `shown` is the preview of what the task displayed."""
        ...

    def progressed(self, key: str, progress: TaskProgress) -> None:
        """Receive how far the task is."""
        ...


class Job:
    """One task to run. Slots by hand: one is made for every task.

    Attributes:
        upstream: states aligned with `spec.bindings`.
        inputs: values by argument from upstream and constants, or None: take them from `upstream`.
        hashed: the inputs with their hashes, made before the call can change them; only if the output is cached.
        index: the index of this child in its mapped task.
        judged: the spec and states that triggers and skips see, if not `spec` and `upstream`: see `gathering`.
        loop_count: the next round of its loop, counted from 1.
        loop_result: the result of the round before; None in the first.
        is_start: whether a person started this task, so that no check holds it back.
    """

    __slots__ = (
        "hashed",
        "index",
        "inputs",
        "is_start",
        "judged",
        "key",
        "loop_count",
        "loop_result",
        "spec",
        "state",
        "upstream",
    )

    def __init__(  # noqa: PLR0913
        self,
        spec: TaskSpec,
        key: str,
        state: State,
        upstream: Sequence[State],
        inputs: dict[str, object] | None = None,
        index: int | None = None,
        *,
        is_start: bool = False,
    ) -> None:
        self.spec = spec
        self.key = key
        self.state = state
        self.upstream = upstream
        self.inputs = inputs
        self.hashed: HashedInputs | None = None
        self.index = index
        self.is_start = is_start
        self.judged: tuple[TaskSpec, Sequence[State]] | None = None
        self.loop_count = 1
        self.loop_result: object = None

    @property
    def is_resumed(self) -> bool:
        """Whether a person resumed it, so that no trigger holds it back."""
        return self.is_start or type(self.state) is Resume
