"""Cache validators: functions that decide whether a stored output may be used instead of running the task.

A validator is `(entry: Cached, inputs, parameters) -> bool`. `inputs` are values by argument; `entry.input_hashes` are the
content hashes of the inputs it was made from, `entry.parameters` the flow's parameters then. The newest entry that passes wins.
"""

from __future__ import annotations

import datetime as dt
import functools
from typing import TYPE_CHECKING

from flowbook.exceptions import UnpicklableError
from flowbook.results.reference import is_reference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from flowbook.engine.state import Cached

    Validator = Callable[[Cached, Mapping[str, object], Mapping[str, object]], bool]

__all__ = [
    "ForeseenInputs",
    "UnforeseenError",
    "all_inputs",
    "all_parameters",
    "code_and_inputs",
    "comparable",
    "duration_only",
    "hash_of",
    "is_users_own",
    "needs_inputs",
    "never_use",
    "partial_inputs_only",
    "partial_parameters_only",
    "reads_variables",
    "takes_references",
]

_PLAIN = (str, int, float, bool, type(None))


class HashedInputs(dict[str, object]):
    """A task's inputs by argument; each is hashed at most once for all entries that it is compared with.

    Attributes:
        variables: content hashes of the variables that the task's code reads, by name.
    """

    __slots__ = ("_known", "_pickled", "variables")

    def __init__(self, inputs: Mapping[str, object]) -> None:
        super().__init__(inputs)
        self.variables: Mapping[str, str] = {}
        self._known: dict[str, str] = {}
        #: Names of the inputs that are hashed by their pickle.
        self._pickled: set[str] | None = None

    def hash_of(self, name: str) -> str:
        """Return the content hash of an input. Raises UnpicklableError; OSError if it is a file that isn't there."""
        found = self._known.get(name)
        if found is None:
            found, is_pickled = _hash_input(self[name])
            self._known[name] = found
            if is_pickled:
                self._pickled = {name, *(self._pickled or ())}
        return found

    def known_hash(self, name: str) -> str | None:
        """Return the content hash of an input; None if it can't be hashed, or would have to be loaded first."""
        found = self._known.get(name)
        if found is not None:
            return found
        value = self[name]
        if is_reference(value) and value.content_hash is None:
            return None
        try:
            return self.hash_of(name)
        except (UnpicklableError, OSError):
            return None

    def hashes(self) -> dict[str, str]:
        """Return the content hash of every input, and of every variable that the code reads."""
        found = {name: self.hash_of(name) for name in self}
        if self.variables:
            found.update(self.variables)
        return found

    def is_stable(self, name: str) -> bool:
        """Return whether another process finds the hash of an input again."""
        if not self._pickled or name not in self._pickled:
            return True
        from flowbook.results.content_hash import is_stable  # noqa: PLC0415  # heavy

        return is_stable(self[name])


class UnforeseenError(Exception):
    """Whether a stored output will be accepted can't be told before the run.

    Attributes:
        name: the input that isn't known yet; "" if it isn't an input that decides.
    """

    def __init__(self, name: str = "") -> None:
        super().__init__(name)
        self.name = name


class ForeseenInputs(HashedInputs):
    """Inputs that a task will get, as far as they are known before the run: their hashes, and values written in the flow.

    Args:
        inputs: by argument the value, or a stand-in for one that isn't there yet.
        hashes: by argument, where the hash is known.
    """

    __slots__ = ()

    def __init__(self, inputs: Mapping[str, object], hashes: Mapping[str, str]) -> None:
        super().__init__(inputs)
        self._known.update(hashes)

    def hash_of(self, name: str) -> str:
        """Return the content hash of an input. Raises UnforeseenError if it isn't known yet."""
        try:
            return self._known[name]
        except KeyError:
            raise UnforeseenError(name) from None

    def known_hash(self, name: str) -> str | None:
        """Return the content hash of an input; None if it isn't known yet."""
        return self._known.get(name)


def never_use(entry: Cached, inputs: Mapping[str, object], parameters: Mapping[str, object]) -> bool:
    """Never use a stored output."""
    del entry, inputs, parameters
    return False


def duration_only(entry: Cached, inputs: Mapping[str, object], parameters: Mapping[str, object]) -> bool:
    """Use it until it expires; the default when `cache_for` is given."""
    del inputs, parameters
    return _is_current(entry)


def all_inputs(entry: Cached, inputs: Mapping[str, object], parameters: Mapping[str, object]) -> bool:
    """Use it until it expires, if no input's content has changed."""
    del parameters
    return _is_current(entry) and (entry.input_hashes or {}) == _hashed(inputs).hashes()


def all_parameters(entry: Cached, inputs: Mapping[str, object], parameters: Mapping[str, object]) -> bool:
    """Use it until it expires, if the flow runs with the same parameters."""
    del inputs
    return _is_current(entry) and dict(entry.parameters or {}) == comparable(parameters)


def code_and_inputs(entry: Cached, inputs: Mapping[str, object], parameters: Mapping[str, object]) -> bool:
    """Use it until it expires, if the task's code, the variables that it reads and all inputs are unchanged.

    Variables are constants, lists, dicts, sets, frames, arrays and objects of the code's module or of an enclosing function.
    """
    return not entry.stale_code and all_inputs(entry, inputs, parameters)


def partial_inputs_only(validate_on: Iterable[str] | None = None) -> Validator:
    """Return a validator that compares only the inputs named in `validate_on`; without names it is `duration_only`."""
    names = tuple(validate_on or ())

    def partial_inputs_only(entry: Cached, inputs: Mapping[str, object], parameters: Mapping[str, object]) -> bool:
        del parameters
        kept = entry.input_hashes or {}
        now = _hashes(inputs, names)
        return _is_current(entry) and {name: kept[name] for name in names if name in kept} == now

    partial_inputs_only.needs_inputs = bool(names)  # type: ignore[attr-defined]  # read by `needs_inputs`
    partial_inputs_only.compares = names  # type: ignore[attr-defined]  # read by `compared_hashes`
    return partial_inputs_only


def partial_parameters_only(validate_on: Iterable[str] | None = None) -> Validator:
    """Return a validator that compares only the parameters named in `validate_on`; without names it is `duration_only`."""
    names = tuple(validate_on or ())

    def partial_parameters_only(entry: Cached, inputs: Mapping[str, object], parameters: Mapping[str, object]) -> bool:
        del inputs
        kept = entry.parameters or {}
        now = comparable({name: parameters[name] for name in names if name in parameters})
        return _is_current(entry) and {name: kept[name] for name in names if name in kept} == now

    partial_parameters_only.needs_inputs = False  # type: ignore[attr-defined]  # read by `needs_inputs`
    return partial_parameters_only


for _with in (all_inputs, code_and_inputs):
    _with.compares = None  # type: ignore[attr-defined]  # all of them; read by `compared_hashes`
code_and_inputs.reads_variables = True  # type: ignore[attr-defined]  # read by `reads_variables`
for _without in (never_use, duration_only, all_parameters):
    _without.needs_inputs = False  # type: ignore[attr-defined]  # read by `needs_inputs`


def takes_references(validator: Validator) -> bool:
    """Return whether the validator takes references that aren't loaded; a user's own validator gets values."""
    return hasattr(validator, "compares")


def reads_variables(validator: object) -> bool:
    """Return whether the validator compares the variables that the task's code reads."""
    return hasattr(validator, "reads_variables")


def is_users_own(validator: object) -> bool:
    """Return whether the validator is a function of the user's, which gets values."""
    return not (hasattr(validator, "compares") or hasattr(validator, "needs_inputs"))


def needs_inputs(validator: Validator) -> bool:
    """Return whether the validator needs hashes of the inputs; a user's own validator gets them."""
    return getattr(validator, "needs_inputs", True)


def compared_hashes(validator: Validator, inputs: HashedInputs, always: Iterable[str] = ()) -> dict[str, str] | None:
    """Return the hashes that an entry must have for the validator to accept it; None if only calling it can tell.

    Args:
        validator: the task's validator.
        inputs: the task's inputs.
        always: inputs that must be the same whatever the validator compares.

    Raises:
        UnpicklableError: if an input that it compares can't be hashed.
    """
    names = getattr(validator, "compares", ())
    return (inputs.hashes() if names is None else _hashes(inputs, dict.fromkeys((*names, *always)))) or None


def comparable(parameters: Mapping[str, object]) -> dict[str, object]:
    """Return the parameters as plain data that can be stored and compared: scalars as they are, others as their hashes."""
    return {
        name: value if type(value) in _PLAIN else {"$hash": hash_of(value)}
        for name, value in sorted(parameters.items())
    }


def _hashes(inputs: Mapping[str, object], names: Iterable[str]) -> dict[str, str]:
    hashed = _hashed(inputs)
    return {name: hashed.hash_of(name) for name in names if name in hashed}


def _hashed(inputs: Mapping[str, object]) -> HashedInputs:
    return inputs if isinstance(inputs, HashedInputs) else HashedInputs(inputs)


def hash_of(value: object) -> str:
    """Return the content hash of a value or reference; a reference without a known hash is loaded."""
    return _hash_input(value)[0]


def _hash_input(value: object) -> tuple[str, bool]:
    if is_reference(value):
        return (value.content_hash, False) if value.content_hash else _hasher()(value.load())
    return _hasher()(value)


@functools.cache
def _hasher() -> Callable[[object], tuple[str, bool]]:
    """Return the function; found once, as an import costs as much as a hash."""
    from flowbook.results.content_hash import hash_value  # noqa: PLC0415  # with it `import flowbook` takes a third longer

    return hash_value


def _is_current(entry: Cached) -> bool:
    now = dt.datetime.now(dt.UTC)
    created = entry.created
    return (entry.expiry is None or now < entry.expiry) and (created is None or created <= now)
