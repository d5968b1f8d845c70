"""Output caching: a stored output instead of a run, and the output of a run stored for others."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
from typing import TYPE_CHECKING

from flowbook._utils.secret_words import sounds_secret
from flowbook.engine.cache_validators import (
    UnforeseenError,
    comparable,
    compared_hashes,
    is_users_own,
    needs_inputs,
    never_use,
    reads_variables,
)
from flowbook.engine.ports import CacheScope, NewOutput
from flowbook.engine.remote_error import error_line
from flowbook.engine.short_text import short_text
from flowbook.engine.state import Cached, Failed, State
from flowbook.engine.state_kinds import UNSTORED
from flowbook.exceptions import FlowbookError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from flowbook.engine.cache_validators import ForeseenInputs, HashedInputs
    from flowbook.engine.graph import CachePolicy, TaskSpec
    from flowbook.engine.job import RunPort
    from flowbook.engine.ports import CachedOutput, OutputCache
    from flowbook.engine.task_code import TaskCode

__all__ = ["cached_state", "foreseen_state", "hash_inputs", "store_output", "task_code"]

#: As in `logging`, which is not loaded for this.
_WARNING = 30
#: Inputs of these kinds may be others than before the task ran.
_MUTABLE = (list, dict, set)
_ADVICE = "With @task(cache=True) a task runs again when its code or its inputs have changed."


def cached_state(spec: TaskSpec, cache: OutputCache, run: RunPort, inputs: HashedInputs) -> State | None:
    """Return Cached with the newest stored output that the task's validator accepts, or None.

    A validator that raises makes the task Failed. An entry whose value is damaged is skipped. A cache that fails costs its
    outputs, never the task.
    """
    try:
        return _accepted(spec, cache, run, inputs)
    except Exception as error:  # noqa: BLE001  # whatever keeps the index from answering, the task can run
        _warn(spec, cache, run, f"The cache was passed over: {error}")
        return None


def foreseen_state(
    spec: TaskSpec, cache: OutputCache, flow_name: str, inputs: ForeseenInputs, parameters: Mapping[str, object]
) -> Cached | None:
    """Return what `cached_state` will find, as far as hashes tell; loads no value and counts no use.

    Raises:
        UnforeseenError: if that depends on an input whose hash isn't known yet, or on a validator of the user's own.
        UnpicklableError: if the code reads a variable that can't be hashed.
    """
    validator = _policy(spec).validator
    if is_users_own(validator):
        raise UnforeseenError
    for entry, state in _candidates(spec, cache, flow_name, inputs):
        if validator(state, inputs, parameters):
            if not needs_inputs(validator):
                state.stale_inputs = _stale_inputs(spec, cache, entry, inputs)
            return state
    return None


def _candidates(
    spec: TaskSpec, cache: OutputCache, flow_name: str, inputs: HashedInputs
) -> Iterator[tuple[CachedOutput, Cached]]:
    """Yield the stored outputs that the validator is to be asked about, newest first, each with the state it would give."""
    policy = _policy(spec)
    validator = policy.validator
    if validator is never_use or not policy.is_read:
        return
    if reads_variables(validator):
        inputs.variables = task_code(spec, cache).variable_hashes()
    #: Children share a key, and no child may get the output of another element.
    own = spec.mapped_arguments() if spec.is_mapped else ()
    for entry in cache.index.find(_scope(spec, cache, flow_name), compared_hashes(validator, inputs, own)):
        yield entry, _as_state(entry, is_stale=_has_other_code(entry, spec, cache, validator))


def _accepted(spec: TaskSpec, cache: OutputCache, run: RunPort, inputs: HashedInputs) -> State | None:
    validator = _policy(spec).validator
    for entry, state in _candidates(spec, cache, run.flow_name, inputs):
        try:
            accepted = validator(state, inputs, run.parameters)
        except FlowbookError as error:
            run.logged(spec.key, _WARNING, f"A stored output was passed over: {error}")
            continue
        except BaseException as error:  # noqa: BLE001  # user code
            name = getattr(validator, "__name__", repr(validator))
            return Failed(f"Cache validator {name} raised {error_line(error)}", error)
        if accepted and _is_readable(state, spec, run):
            cache.index.used(entry.id)
            if not needs_inputs(validator):
                state.stale_inputs = _stale_inputs(spec, cache, entry, inputs)
            if state.stale_inputs or state.stale_code:
                _warn_of_stale(state, spec, cache, run)
            return state
    return None


def _scope(spec: TaskSpec, cache: OutputCache, flow_name: str) -> CacheScope:
    return CacheScope(cache.project, flow_name, spec.key, _policy(spec).key)


def task_code(spec: TaskSpec, cache: OutputCache) -> TaskCode:
    """Return the code of a task's function: for the whole run, that of when it was first asked for."""
    found = cache.codes.get(spec.run)
    if found is None:
        from flowbook.engine.task_code import TaskCode  # noqa: PLC0415  # with it `import flowbook` takes a third longer

        found = cache.codes[spec.run] = TaskCode(spec.run, cache.known)
    return found


def _has_other_code(entry: CachedOutput, spec: TaskSpec, cache: OutputCache, validator: object) -> bool:
    """Return whether other code made an entry. Hashes of other rules count only for validators that compare code."""
    then, now = entry.code_hash, task_code(spec, cache).hash
    if then is None or then == now:
        return False
    return reads_variables(validator) or then.partition("-")[0] == now.partition("-")[0]


# Stale inputs and code -------------------------------------------------------------------------------------------------


def _stale_inputs(spec: TaskSpec, cache: OutputCache, entry: CachedOutput, inputs: HashedInputs) -> dict[str, str]:
    """Return the inputs that the entry wasn't made from, each with what it was and is, as far as that is short and no secret."""
    then, secrets = entry.input_hashes, cache.secrets.get(spec.key, ())
    stale = {}
    for name in inputs if then else ():
        before = then.get(name)
        if before is not None and inputs.known_hash(name) not in {None, before}:
            is_secret = name in secrets or sounds_secret(name)
            stale[name] = "" if is_secret else _difference(entry.input_texts.get(name), inputs[name])
    return stale


def _difference(before: str | None, value: object) -> str:
    now = short_text(value)
    return f"{before}, now {now}" if before is not None and now is not None else ""


def _warn_of_stale(state: Cached, spec: TaskSpec, cache: OutputCache, run: RunPort) -> None:
    """Let the state say what it was made from, and the log once a task and run; the advice once a run."""
    found = ", ".join(f"{name} {text}".rstrip() for name, text in (state.stale_inputs or {}).items())
    sources = [f"other inputs: {found}"] if found else []
    made = "made from " + sources[0] if sources else "made"
    if state.stale_code:
        made += " by other code" if not sources else ", by other code"
    state.message = f"{(state.message or '').rstrip('.')}, {made}."
    if spec.key not in cache.warned:
        advice = "" if cache.warned else f" {_ADVICE}"
        _warn(spec, cache, run, f"{state.message}{advice}")


def _warn(spec: TaskSpec, cache: OutputCache, run: RunPort, text: str) -> None:
    """Log once a run for a task with all its children."""
    if spec.key not in cache.warned:
        cache.warned.add(spec.key)
        run.logged(spec.key, _WARNING, text)


# Storing ------------------------------------------------------------------------------------------------------------


def hash_inputs(spec: TaskSpec, inputs: HashedInputs) -> None:
    """Hash the inputs that `store_output` needs, before the task is called and can change them.

    What can't be hashed is left for `store_output` to say.
    """
    needed = needs_inputs(_policy(spec).validator)
    for name in inputs:
        with contextlib.suppress(Exception):
            inputs.hash_of(name) if needed else inputs.known_hash(name)


def store_output(spec: TaskSpec, cache: OutputCache, run: RunPort, inputs: HashedInputs, state: State) -> State:
    """Store a successful output, return Cached; if it can't be stored, the state as it is with the reason as message."""
    policy = _policy(spec)
    created = dt.datetime.now(dt.UTC)
    expires = None if policy.duration is None else created + policy.duration
    parameters = comparable(run.parameters)
    try:
        hashes = _stored_hashes(spec, cache, inputs)
        ref = state.reference
        if ref is None or ref.store is not cache.values:
            ref = cache.values.put(state.result)
        code, scope = task_code(spec, cache).hash, _scope(spec, cache, run.flow_name)
        secrets = cache.secrets.get(spec.key, ())
        tellable = [name for name in hashes if name in inputs and name not in secrets]
        texts = _texts({name: inputs[name] for name in tellable if type(inputs[name]) not in _MUTABLE})
        told = _texts({name: run.parameters[name] for name, each in parameters.items() if isinstance(each, dict)})
        output = NewOutput(scope, ref, created, expires, hashes, parameters, code, run.run_id, texts, told)
        entry = cache.index.record(output)
        lost = _never_found_again(policy, inputs)
    except Exception as error:  # noqa: BLE001  # a full disk, a value that can't be pickled: the task has succeeded
        unstored = state.copy()
        unstored.message = f"{UNSTORED}{error}"
        return unstored
    until = "for good" if expires is None else f"until {expires:%Y-%m-%d %H:%M} UTC"
    return Cached(
        f"Kept {until}{lost}.",
        state.raw_result,  # a reference stays one
        hashes,
        parameters,
        expires,
        entry=entry,
        created=created,
        made_here=True,
    )


def _texts(values: Mapping[str, object]) -> dict[str, str]:
    """Return values as text by name, if they are short and no secrets."""
    found = {name: short_text(value) for name, value in values.items() if not sounds_secret(name)}
    return {name: text for name, text in found.items() if text is not None}


def _stored_hashes(spec: TaskSpec, cache: OutputCache, inputs: HashedInputs) -> Mapping[str, str]:
    """Return the input hashes for a new entry; inputs that the validator doesn't compare may be unhashable."""
    validator = _policy(spec).validator
    if reads_variables(validator):
        inputs.variables = task_code(spec, cache).variable_hashes()
    if needs_inputs(validator):
        return inputs.hashes()
    compared = {name: inputs.hash_of(name) for name in spec.mapped_arguments() if name in inputs}
    told = {name: inputs.known_hash(name) for name in inputs}
    return {**{name: found for name, found in told.items() if found is not None}, **compared}


def _never_found_again(policy: CachePolicy, inputs: HashedInputs) -> str:
    """Return what is said of inputs whose hash differs with each copy; empty if there are none."""
    if not needs_inputs(policy.validator):
        return ""
    unstable = [f"{name} ({type(inputs[name]).__name__})" for name in inputs if not inputs.is_stable(name)]
    which = ", ".join(unstable)
    return f", but another run won't find it: {which} pickles differently each time" if which else ""


def _policy(spec: TaskSpec) -> CachePolicy:
    assert spec.cache is not None  # noqa: S101  # the caller looked
    return spec.cache


def _as_state(entry: CachedOutput, *, is_stale: bool) -> Cached:
    created = entry.created
    return Cached(
        _made(created.year, created.month, created.day, created.hour, created.minute),
        entry.ref,
        entry.input_hashes,
        entry.parameters,
        entry.expires,
        entry=entry.id,
        created=created,
        stale_code=is_stale,
    )


@functools.lru_cache(maxsize=100)
def _made(year: int, month: int, day: int, hour: int, minute: int) -> str:
    """Return what is said of an output; remembered, since a run's outputs were made within minutes."""
    return f"Output of {year:04}-{month:02}-{day:02} {hour:02}:{minute:02} UTC."


def _is_readable(state: Cached, spec: TaskSpec, run: RunPort) -> bool:
    try:
        state.result  # noqa: B018  # loads it
    except BaseException as error:  # noqa: BLE001  # unpickling runs user code; the task simply runs again
        run.logged(spec.key, _WARNING, f"A stored output was passed over: {error}")
        return False
    return True
