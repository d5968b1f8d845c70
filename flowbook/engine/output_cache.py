"""Output caching: a stored output instead of a run, and the output of a run stored for others."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
from typing import TYPE_CHECKING

from flowbook.engine.cache_validators import HashedInputs, comparable, compared_hashes, needs_inputs, never_use
from flowbook.engine.ports import CacheScope, NewOutput
from flowbook.engine.remote_error import safe_str
from flowbook.engine.state import Cached, Failed, State
from flowbook.exceptions import FlowbookError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flowbook.engine.graph import CachePolicy, TaskSpec
    from flowbook.engine.job import RunFacts
    from flowbook.engine.ports import CachedOutput, OutputCache

__all__ = ["cached_state", "hash_inputs", "store_output"]

#: As in `logging`, which is not loaded for this.
_WARNING = 30


def cached_state(spec: TaskSpec, cache: OutputCache, run: RunFacts, inputs: HashedInputs) -> State | None:
    """Return Cached with the newest stored output that the task's validator accepts, or None.

    A validator that raises makes the task Failed. An entry whose value is damaged is passed over, and a cache that does
    not work costs its outputs, never the task.
    """
    try:
        return _accepted(spec, cache, run, inputs)
    except Exception as error:  # noqa: BLE001  # whatever keeps the index from answering, the task can run
        run.logged(spec.key, _WARNING, f"The cache was passed over: {error}")
        return None


def _accepted(spec: TaskSpec, cache: OutputCache, run: RunFacts, inputs: HashedInputs) -> State | None:
    validator = _policy(spec).validator
    if validator is never_use:
        return None
    #: Children share a key, and no child may get the output of another element.
    own = spec.mapped_arguments() if spec.is_mapped else ()
    for entry in cache.index.find(_scope(spec, cache, run), compared_hashes(validator, inputs, own)):
        code = entry.code_hash
        state = _as_state(entry, stale=code is not None and code != _code(spec, cache))
        try:
            accepted = validator(state, inputs, run.parameters)
        except FlowbookError as error:
            run.logged(spec.key, _WARNING, f"A stored output was passed over: {error}")
            continue
        except BaseException as error:  # noqa: BLE001  # user code
            name = getattr(validator, "__name__", repr(validator))
            return Failed(f"Cache validator {name} raised {type(error).__name__}: {safe_str(error)}", error)
        if accepted and _is_readable(state, spec, run):
            cache.index.used(entry.id)
            return state
    return None


def _scope(spec: TaskSpec, cache: OutputCache, run: RunFacts) -> CacheScope:
    return CacheScope(cache.project, run.flow_name, spec.key, _policy(spec).key)


def _code(spec: TaskSpec, cache: OutputCache) -> str:
    found = cache.codes.get(spec.run)
    if found is None:
        from flowbook.results.code_hash import code_hash  # noqa: PLC0415  # with it `import flowbook` takes a third longer

        found = cache.codes[spec.run] = code_hash(spec.run)
    return found


def hash_inputs(spec: TaskSpec, inputs: HashedInputs) -> None:
    """Hash what `store_output` will ask for before the task is called, as it may change what it is given.

    What can't be hashed is left for `store_output` to say.
    """
    with contextlib.suppress(Exception):
        for name in _kept(spec, inputs):
            inputs.hash_of(name)


def store_output(spec: TaskSpec, cache: OutputCache, run: RunFacts, inputs: HashedInputs, state: State) -> State:
    """Store a successful output, return Cached; if it can't be stored, the state as it is with the reason as message."""
    policy = _policy(spec)
    created = dt.datetime.now(dt.UTC)
    parameters = comparable(run.parameters)
    try:
        hashes = {name: inputs.hash_of(name) for name in _kept(spec, inputs)}
        ref = state.reference
        if ref is None or ref.store is not cache.values:
            ref = cache.values.put(state.result)
        code, scope = _code(spec, cache), _scope(spec, cache, run)
        expires = created + policy.duration
        output = NewOutput(scope, ref, created, expires, hashes, parameters, code, run.run_id)
        entry = cache.index.record(output)
    except Exception as error:  # noqa: BLE001  # a full disk, a value that can't be pickled: the task has succeeded
        kept = state.copy()
        kept.message = f"Not cached: {error}"
        return kept
    return Cached(
        f"Kept until {created + policy.duration:%Y-%m-%d %H:%M} UTC.",
        state.raw_result,  # a reference stays one
        hashes,
        parameters,
        created + policy.duration,
        entry=entry,
        created=created,
    )


def _kept(spec: TaskSpec, inputs: HashedInputs) -> Iterable[str]:
    """Return the inputs whose hashes an entry holds."""
    return inputs if needs_inputs(_policy(spec).validator) else spec.mapped_arguments()


def _policy(spec: TaskSpec) -> CachePolicy:
    assert spec.cache is not None  # noqa: S101  # the caller looked
    return spec.cache


def _as_state(entry: CachedOutput, *, stale: bool) -> Cached:
    created = entry.created
    return Cached(
        _made(created.year, created.month, created.day, created.hour, created.minute),
        entry.ref,
        entry.input_hashes,
        entry.parameters,
        entry.expires,
        entry=entry.id,
        created=created,
        stale_code=stale,
    )


@functools.lru_cache(maxsize=100)
def _made(year: int, month: int, day: int, hour: int, minute: int) -> str:
    """Return what is said of an output; remembered, since a run's outputs were made within minutes."""
    return f"Output of {year:04}-{month:02}-{day:02} {hour:02}:{minute:02} UTC."


def _is_readable(state: Cached, spec: TaskSpec, run: RunFacts) -> bool:
    try:
        state.result  # noqa: B018  # loads it
    except BaseException as error:  # noqa: BLE001  # unpickling runs user code; the task simply runs again
        run.logged(spec.key, _WARNING, f"A stored output was passed over: {error}")
        return False
    return True
