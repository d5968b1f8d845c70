"""Every error that flowbook raises, grouped by who must act.

`DefinitionError` is for whoever writes a flow, `RunError` for whoever runs it (their task or its data),
`InfrastructureError` for whoever keeps the host, `TransitionError` for flowbook's own developers.
A message says what happened, with the value, and then what to do. Data stays on the error as keyword fields, and every
error pickles, since some come home from workers.
"""

from __future__ import annotations

__all__ = [
    "ArgumentError",
    "CacheEntryError",
    "ContextKeyError",
    "CycleError",
    "DamagedValueError",
    "DefinitionError",
    "ExecutorError",
    "FlowbookError",
    "HandlerError",
    "InfrastructureError",
    "MissingSecretError",
    "ParameterError",
    "ResultGoneError",
    "RunChangedError",
    "RunClaimedError",
    "RunError",
    "RunFailedError",
    "RunIncompleteError",
    "StartTaskError",
    "StoreError",
    "TransitionError",
    "UnknownRunError",
    "UnknownTaskError",
    "UnpicklableError",
]


class FlowbookError(Exception):
    """Root of flowbook's errors; `details` holds what the message was made from."""

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
    """The flow, or the way it was asked to run, is not possible: change the code."""


class ArgumentError(DefinitionError, TypeError):
    """An argument is of the wrong type, unknown, missing or given twice: change the call."""


class CycleError(DefinitionError):
    """Tasks wait on each other; `ring` lists their keys in order."""


class ParameterError(DefinitionError):
    """A parameter is missing or unknown; `names` lists them."""


class StartTaskError(DefinitionError):
    """A start task isn't in the flow, or an input it needs is nowhere; `key` and `argument` say which."""


class UnknownTaskError(DefinitionError, KeyError):
    """No task of that key; `key` and the `known` keys."""

    __str__ = Exception.__str__


class RunError(FlowbookError):
    """A task or its data did not work out."""


class ContextKeyError(RunError, AttributeError, KeyError):
    """`flowbook.context` has nothing of that name; `name` says which."""

    __str__ = Exception.__str__


class UnpicklableError(RunError):
    """A value can't be pickled, so it can't be kept (`member` is the path to the part at fault), or not be read back."""


class HandlerError(RunError):
    """A state handler raised, or returned something that is not a state; never retried."""


class MissingSecretError(RunError, KeyError):
    """No secret of that name where it was asked for, or where a run is to go on; `name` and `variable` say which."""

    __str__ = Exception.__str__


class ResultGoneError(RunError):
    """A value was dropped, or lived on a cluster that has closed."""


class DamagedValueError(RunError):
    """A stored value does not match its hash; `digest` and `path` say which."""


class CacheEntryError(RunError):
    """No cache entry of that id."""


class RunClaimedError(RunError):
    """Somebody else goes on with this run; `owner` and `since` say who."""


class UnknownRunError(RunError, KeyError):
    """No run of that id in the store."""

    __str__ = Exception.__str__


class RunChangedError(RunError):
    """The flow given differs from the one the run was recorded with; `added`, `removed`, `changed` list keys."""


class RunFailedError(RunError):
    """A run failed, and `flow.run(raise_on_failure=True)` asked for an error; `keys` of the failed tasks, `state` of the flow.

    Its `__cause__` is the first exception that a task raised.
    """


class RunIncompleteError(RunError):
    """Some of what the run was given could not be kept and was not given again; `missing` lists the names."""


class InfrastructureError(FlowbookError):
    """The host does not give what is needed."""


class ExecutorError(InfrastructureError, ValueError):
    """No such executor, or it can't be started."""


class StoreError(InfrastructureError):
    """The store's folder can't be used; `path` says which."""


class TransitionError(FlowbookError):
    """Flowbook's own mistake: an event that can't follow what came before. Please report it."""
