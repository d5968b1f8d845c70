"""Output caching: a stored output instead of a run, and the output of a run stored for others."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from flowbook.engine.cache_validators import HashedInputs, comparable, compared_hashes, hash_of, needs_inputs, never_use
from flowbook.engine.ports import CacheScope, NewOutput
from flowbook.engine.remote_error import safe_str
from flowbook.engine.state import Cached, Failed, State
from flowbook.exceptions import FlowbookError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowbook.engine.graph import CachePolicy, TaskSpec
    from flowbook.engine.job import RunFacts
    from flowbook.engine.ports import CachedOutput, OutputCache

__all__ = ["cached_state", "keep_output"]

#: As in `logging`, which is not loaded for this.
_WARNING = 30
#: Of an ISO date; `strftime` takes three times as long.
_MINUTES = len("2000-01-01 00:00")


def cached_state(spec: TaskSpec, cache: OutputCache, run: RunFacts, inputs: Mapping[str, object]) -> State | None:
    """Return Cached with the newest stored output that the task's validator accepts, or None.

    A validator that raises makes the task Failed. An entry whose value is damaged is passed over, and a cache that does
    not work costs its outputs, never the task.
    """
    try:
        return _accepted(spec, cache, run, inputs)
    except Exception as error:  # noqa: BLE001  # whatever keeps the index from answering, the task can run
        run.logged(spec.key, _WARNING, f"The cache was passed over: {error}")
        return None


def _accepted(spec: TaskSpec, cache: OutputCache, run: RunFacts, inputs: Mapping[str, object]) -> State | None:
    policy = _policy(spec)
    if policy.validator is never_use:
        return None
    hashed = HashedInputs(inputs)
    #: Children share a key, and no child may get the output of another element.
    own = spec.mapped_arguments() if spec.is_mapped else ()
    for entry in cache.index.find(_scope(spec, cache, run), compared_hashes(policy.validator, hashed, own)):
        code = entry.code_hash
        state = _as_state(entry, stale=code is not None and code != _code(spec, cache))
        try:
            accepted = policy.validator(state, hashed, run.parameters)
        except FlowbookError as error:
            run.logged(spec.key, _WARNING, f"A stored output was passed over: {error}")
            continue
        except BaseException as error:  # noqa: BLE001  # user code
            name = getattr(policy.validator, "__name__", repr(policy.validator))
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
        from flowbook.results.hashing import code_hash  # noqa: PLC0415  # with it `import flowbook` takes a third longer

        found = cache.codes[spec.run] = code_hash(spec.run)
    return found


def keep_output(spec: TaskSpec, cache: OutputCache, run: RunFacts, inputs: Mapping[str, object], state: State) -> State:
    """Store a successful output, return Cached; if it can't be stored, the state as it is with the reason as message."""
    policy = _policy(spec)
    created = dt.datetime.now(dt.UTC)
    parameters = comparable(run.parameters)
    try:
        hashed = inputs if needs_inputs(policy.validator) else spec.mapped_arguments()
        hashes = {name: hash_of(inputs[name]) for name in hashed}
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
        state._result,  # noqa: SLF001  # a reference stays one
        hashes,
        parameters,
        created + policy.duration,
        entry=entry,
        created=created,
    )


def _policy(spec: TaskSpec) -> CachePolicy:
    assert spec.cache is not None  # noqa: S101  # the caller looked
    return spec.cache


def _as_state(entry: CachedOutput, *, stale: bool) -> Cached:
    created = entry.created
    return Cached(
        f"Output of {str(created)[:_MINUTES]} UTC.",
        entry.ref,
        entry.input_hashes,
        entry.parameters,
        entry.expires,
        entry=entry.id,
        created=created,
        stale_code=stale,
    )


def _is_readable(state: Cached, spec: TaskSpec, run: RunFacts) -> bool:
    try:
        state.result  # noqa: B018  # loads it
    except BaseException as error:  # noqa: BLE001  # unpickling runs user code; the task simply runs again
        run.logged(spec.key, _WARNING, f"A stored output was passed over: {error}")
        return False
    return True
