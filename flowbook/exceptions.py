"""Every error that flowbook raises, grouped by who must act.

`DefinitionError` is for whoever writes a flow, `RunError` for whoever runs it (their task or its data),
`InfrastructureError` for whoever runs the host, `TransitionError` for flowbook's own developers.
A message says what happened, with the value, and then what to do. The data of the message stays on the error as attributes.
Every error pickles, since some come from workers.
"""

from __future__ import annotations

__all__ = [
    "ArgumentError",
    "CacheEntryError",
    "ContextKeyError",
    "CycleError",
    "DamagedValueError",
    "DefinitionError",
    "DeploymentError",
    "ExecutorError",
    "FlowRunnerError",
    "FlowbookError",
    "HandlerError",
    "InfrastructureError",
    "MissingSecretError",
    "ParameterError",
    "RejectedError",
    "ResultGoneError",
    "RunChangedError",
    "RunClaimedError",
    "RunError",
    "RunFailedError",
    "RunIncompleteError",
    "ScheduleError",
    "StartTaskError",
    "StoreError",
    "TransitionError",
    "UnknownDeploymentError",
    "UnknownRunError",
    "UnknownTaskError",
    "UnpicklableError",
]


class FlowbookError(Exception):
    """Base of flowbook's errors. `details` holds the data of the message by name; each is an attribute too."""

    def __init__(self, message: str, **details: object) -> None:
        super().__init__(message)
        self.details = details

    def __getattr__(self, name: str) -> object:
        try:
            return self.__dict__["details"][name]
        except KeyError:
            raise AttributeError(name) from None

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), str(self), self.details)


def _rebuild(kind: type[FlowbookError], message: str, details: dict[str, object]) -> FlowbookError:
    return kind(message, **details)


class DefinitionError(FlowbookError, ValueError):
    """The flow or the call that runs it is wrong: change the code."""


class ArgumentError(DefinitionError, TypeError):
    """An argument is of the wrong type, unknown, missing or given twice: change the call."""


class CycleError(DefinitionError):
    """Tasks wait on each other; `ring` lists their keys, each waiting on the one before."""


class DeploymentError(DefinitionError):
    """A deployment can't be created as it is written; `deployment` and `field` say which and what of it."""


class ParameterError(DefinitionError):
    """A parameter is missing or unknown; `names` lists them."""


class ScheduleError(DefinitionError):
    """A schedule isn't one: its interval, cron line, recurrence rule or time zone; the field at fault is an attribute."""


class StartTaskError(DefinitionError):
    """A start task isn't in the flow, or an input that it needs has no value; `key` and `argument` say which."""


class UnknownTaskError(DefinitionError, KeyError):
    """No task has this `key`."""

    __str__ = Exception.__str__


class RunError(FlowbookError):
    """A task, its data or its run went wrong."""


class ContextKeyError(RunError, AttributeError, KeyError):
    """`flowbook.context` has no value of this `name`."""

    __str__ = Exception.__str__


class UnpicklableError(RunError):
    """A value can't be pickled, so it can't be stored, or its pickle can't be read; `member` is the path to the part at fault."""


class HandlerError(RunError):
    """A state handler raised, or returned something that isn't a state; the task isn't retried."""


class RejectedError(RunError):
    """A person rejected the task `key`, which waited; `by` says who, `note` why. It is the result of the task's state."""


class MissingSecretError(RunError, KeyError):
    """The secret `name` is in neither the context nor the environment `variable`, where a task or a resumed run needs it."""

    __str__ = Exception.__str__


class ResultGoneError(RunError):
    """A value was deleted, or was on a cluster that has closed. Run the task again to get it back."""


class DamagedValueError(RunError):
    """A stored value doesn't match its hash; `digest` and `path` say which."""


class PickledValueError(RunError):
    """A value is stored as a pickle, which runs code when it is loaded, and a server loads none; `digest` says which."""


class CacheEntryError(RunError):
    """No cache entry has this id."""


class RunClaimedError(RunError):
    """Another process runs this run; `owner` says which, `since` from when."""


class UnknownDeploymentError(RunError, KeyError):
    """The store has no deployment of this id or name, or several; `deployment` is what was asked for."""

    __str__ = Exception.__str__


class UnknownRunError(RunError, KeyError):
    """The store has no run of this id."""

    __str__ = Exception.__str__


class RunChangedError(RunError):
    """The flow differs from the one that the run was recorded with; `added`, `removed` and `changed` list keys."""


class RunFailedError(RunError):
    """A run failed, and `flow.run(raise_on_failure=True)` asked for an error; `keys` of the failed tasks, `state` of the flow.

    Its `__cause__` is the first exception that a task raised.
    """


class RunIncompleteError(RunError):
    """Arguments of the run couldn't be stored, and resuming it needs them again; `missing` lists their names."""


class InfrastructureError(FlowbookError):
    """The host lacks something: a package, a folder, a cluster."""


class ExecutorError(InfrastructureError, ValueError):
    """There is no such executor, or it can't be started."""


class FlowRunnerError(InfrastructureError):
    """A flow runner can't start a process: an environment, a Python or a package is missing; the message says which."""


class StoreError(InfrastructureError):
    """The store's folder can't be used; `path` says which."""


class TransitionError(FlowbookError):
    """A bug in flowbook: an event that can't follow the ones before it. Please report it."""
