"""A task's code: its hash, and the hashes of the variables that it reads. One for each run and function."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.exceptions import UnpicklableError
from flowbook.results.code_hash import known_code
from flowbook.results.content_hash import content_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import FunctionType

    from flowbook.results.code_hash import Code

__all__ = ["TaskCode"]


class TaskCode:
    """The code of one function. `hash` is the hash of the code alone, `functions` are those that it reaches, itself first.

    Args:
        function: the function.
        known: what was read for its flow; see `known_code`.
    """

    __slots__ = ("_error", "_hashes", "_variables", "functions", "hash")

    functions: Sequence[FunctionType]

    def __init__(self, function: Callable[..., object], known: dict[Callable[..., object], Code]) -> None:
        found = known_code(function, known)
        self.hash, self._variables, self.functions = found.hash, found.variables, found.functions
        self._hashes: Mapping[str, str] | None = None
        self._error: UnpicklableError | None = None

    def variable_hashes(self) -> Mapping[str, str]:
        """Return the content hashes of the variables that the code reads, by name, as they were when first asked for.

        Raises:
            UnpicklableError: if one can't be hashed; names it.
        """
        if self._error is not None:
            raise self._error
        if self._hashes is None:
            try:
                self._hashes = {name: _variable_hash(name, value) for name, value in self._variables.items()}
            except UnpicklableError as error:
                self._error = error
                raise
        return self._hashes


def _variable_hash(name: str, value: object) -> str:
    try:
        return content_hash(value)
    except (UnpicklableError, OSError) as error:
        msg = (
            f"Its code reads {name}, a {type(value).__name__} that can't be hashed, so nobody can tell whether it changed "
            f"({error}). Make it in the task, or choose cache_validator=all_inputs."
        )
        raise UnpicklableError(msg, name=name) from error
