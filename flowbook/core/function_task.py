"""`@task`: a task made from a function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, overload

from flowbook.core.changes import HandlerList
from flowbook.core.task import Task
from flowbook.core.traceback_trim import without_library_frames
from flowbook.exceptions import ArgumentError, DefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FunctionTask", "task"]


class FunctionTask(Task):
    """A task made from a function, by `@task`.

    Args:
        fn: does the work; its arguments are the task's inputs.
        name: default: the function's.
        options: as for `Task`.
    """

    #: A cell may well define functions for the cells below.
    _warns_if_unused = False

    def __init__(self, fn: Callable[..., Any], name: str | None = None, **options: Any) -> None:  # noqa: ANN401
        if not callable(fn) or isinstance(fn, Task) or (isinstance(fn, type) and issubclass(fn, Task)):
            hint = " It is a task already: call it in a flow." if isinstance(fn, Task) else ""
            hint = f" Make a task of it: {fn.__name__}()." if isinstance(fn, type) else hint
            msg = f"@task needs a function, got {fn!r}.{hint}"
            raise ArgumentError(msg, value=repr(fn))
        self.run = fn  # type: ignore[method-assign]  # the function is the task's run
        self.__doc__ = fn.__doc__
        self.__wrapped__ = fn
        super().__init__(name=name or getattr(fn, "__name__", type(fn).__name__), **options)

    def _twin(self) -> Self:
        # What `copy.copy` does, in a third of the time.
        twin = object.__new__(type(self))
        own = twin.__dict__
        own.update(self.__dict__)
        own["state_handlers"] = HandlerList(own["state_handlers"])
        return twin


@overload
def task(fn: Callable[..., Any], /) -> FunctionTask: ...
@overload
def task(fn: None = None, /, **options: Any) -> Callable[[Callable[..., Any]], FunctionTask]: ...  # noqa: ANN401


def task(
    fn: Callable[..., Any] | None = None,
    /,
    **options: Any,
) -> FunctionTask | Callable[[Callable[..., Any]], FunctionTask]:
    """Make a task from a function: `@task`, or with options `@task(max_retries=3, retry_delay=10)`.

    Call the task inside a flow: that adds a copy to the flow, bound to these inputs, and runs nothing yet. Outside a flow,
    `my_task.run(...)` calls the function.

    Args:
        fn: does the work; its arguments are the task's inputs, its return value is the result. May be `async def`.
        options: as for `Task`: `name`, `slug`, `tags`, `max_retries`, `retry_delay`, `retry_on`, `timeout`, `trigger`,
            `skip_on_upstream_skip`, `cache`, `cache_for`, `cache_validator`, `cache_key`, `target`, `result`, `checkpoint`,
            `keep`, `state_handlers`, `on_failure`, `log_stdout`, `nout`, `task_run_name`.

    Raises:
        DefinitionError: if an option is unknown or its value is refused.
    """
    if fn is None:
        return lambda function: task(function, **options)
    try:
        return FunctionTask(fn, **options)
    except DefinitionError as error:
        raise without_library_frames(error) from error.__cause__
