"""The options that every task has: how they are checked when they are set, and when a copy changes some of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowbook.core import cache_policy, checks, policies
from flowbook.core.changes import HandlerList
from flowbook.engine import triggers
from flowbook.exceptions import DefinitionError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Collection, Iterable, Mapping

    from flowbook.results.files import Result

__all__ = ["OPTION_CHECKS", "TaskOptions"]

#: The check of each option by itself: it returns what is stored, or refuses the value. The options that aren't here are switches.
OPTION_CHECKS: Mapping[str, Callable[[str, Any], object]] = {
    **dict.fromkeys(("asks", "deadline", "keep", "otherwise"), lambda _, value: value),  # these with others only
    "cache": lambda task, value: cache_policy.switch(task, value, None, keep=True),
    "cache_for": cache_policy.duration,
    "cache_key": checks.cache_key,
    "cache_validator": lambda task, value: checks.function(task, "cache_validator", value),
    "max_retries": policies.max_retries,
    "name": lambda _, value: checks.name(value),
    "nout": checks.nout,
    "on_failure": lambda task, value: checks.function(task, "on_failure", value),
    "result": checks.result,
    "retry_delay": policies.retry_delay,
    "retry_on": policies.retry_on,
    "slug": checks.slug,
    "state_handlers": lambda task, value: HandlerList(checks.handlers(task, value)),
    "tags": checks.tags,
    "target": checks.target,
    "task_run_name": checks.run_name,
    "timeout": checks.timeout,
    "trigger": lambda task, value: checks.trigger(task, value if value is not None else triggers.all_successful),
}
#: Options that are checked together.
_APPROVAL = frozenset({"asks", "deadline", "otherwise", "trigger"})
_CACHING = frozenset({"cache", "cache_for", "cache_validator"})
_FILES = frozenset({"keep", "result", "target"})
_RETRIES = frozenset({"max_retries", "retry_delay", "retry_on"})
#: Those that may change with others.
_GO_ALONG = frozenset({"asks", "cache_validator", "deadline", "otherwise"})


class TaskOptions:
    """The options of a task, documented at `Task`, of which this is a base class."""

    name: str
    slug: str | None
    run: Callable[..., Any]
    tags: frozenset[str]
    max_retries: int
    retry_delay: dt.timedelta
    retry_on: tuple[type[BaseException], ...] | None
    trigger: Callable[..., bool]
    skip_on_upstream_skip: bool
    #: A task has these three as attributes of its own only if they were given.
    deadline: dt.timedelta | None = None
    otherwise: str | None = None
    asks: str | None = None
    cache: bool | None
    cache_for: dt.timedelta | None
    cache_validator: Callable[..., bool]
    cache_key: str | None
    state_handlers: list[Callable[..., object]]
    on_failure: Callable[..., object] | None
    log_stdout: bool
    timeout: dt.timedelta | None
    nout: int | None
    task_run_name: str | Callable[..., str] | None
    target: str | Callable[..., str] | None
    result: Result | None
    checkpoint: bool
    keep: bool

    _is_parameter = False
    #: Whether it runs in a run that was cancelled, if its inputs are there.
    _cleans_up = False
    #: Whether it only gathers other tasks' results: who takes them is judged by those.
    _gathers = False

    def _set_retries(
        self,
        max_retries: int | None,
        delay: dt.timedelta | float | None,
        kinds: type[BaseException] | Iterable[type[BaseException]] | None,
    ) -> None:
        count, checked_delay = policies.retries(self.name, max_retries, delay, kinds)
        self._store(max_retries=count, retry_delay=checked_delay, retry_on=policies.retry_on(self.name, kinds))

    def _set_trigger(self, trigger: Callable[..., bool] | None, *, skip_on_upstream_skip: bool) -> None:
        self.trigger = checks.trigger(self.name, trigger or triggers.all_successful)
        self.skip_on_upstream_skip = skip_on_upstream_skip

    def _set_approval(self, deadline: dt.timedelta | float | None, otherwise: str | None, asks: str | None) -> None:
        """Set how it waits for a person; `trigger` is set already."""
        found = policies.approval(self.name, self.trigger, deadline, otherwise, asks)
        options = dict(zip(("deadline", "otherwise", "asks"), found, strict=True))
        self._store(**{option: value for option, value in options.items() if value is not None or option in vars(self)})

    def _set_handlers(
        self, state_handlers: Iterable[Callable[..., object]] | None, on_failure: Callable[..., object] | None
    ) -> None:
        self.state_handlers = HandlerList(checks.handlers(self.name, state_handlers))
        checks.function(self.name, "on_failure", on_failure)
        self.on_failure = on_failure

    def _set_cache(
        self, cache: object, cache_for: dt.timedelta | float | None, validator: Callable[..., bool] | None
    ) -> None:
        """Set how outputs are cached; `keep` is set already."""
        duration = cache_policy.duration(self.name, cache_for)
        switch = cache_policy.switch(self.name, cache, duration, keep=self.keep)
        fits = cache_policy.validator(self.name, duration, validator, cache=switch)
        self._store(cache_for=duration, cache=switch, cache_validator=fits)

    def _set_output(self, target: str | Callable[..., str] | None, result: Result | None, *, checkpoint: bool) -> None:
        """Set where outputs are written as files; `keep` is set already."""
        if not self.keep and (target is not None or result is not None):
            which = "target" if target is not None else "result"
            msg = f"Task {self.name!r} has keep=False and a {which}, which would keep its value. Remove one."
            raise DefinitionError(msg, task=self.name)
        where, result = checks.target(self.name, target), checks.result(self.name, result)
        self._store(target=where, result=result, checkpoint=checkpoint)

    def _store(self, /, **options: object) -> None:
        """Store options that were checked."""
        for option, value in options.items():
            object.__setattr__(self, option, value)

    def _checked(self, option: str, value: object) -> dict[str, object]:
        """Return `option` with its value as it is stored, and what changes with it, for a task that is set up.

        An option of retries is checked by itself: it can't be set at the same moment as the one that it needs.
        """
        changed = {option: OPTION_CHECKS[option](self.name, value)}
        if option not in _APPROVAL | _CACHING | _FILES:
            return changed
        trial = TaskOptions()
        trial._store(**self.__dict__ | changed)
        trial._change_together(self, changed)
        return {**changed, **{each: value for each, value in vars(trial).items() if each in _GO_ALONG}}

    def _change_together(self, before: TaskOptions, changes: Mapping[str, object]) -> None:
        """Check changed options of a copy of `before` with those that they depend on; drop what goes with a change."""
        if changes.keys() & _RETRIES:
            self._change_retries(before, changes)
        if changes.keys() & _APPROVAL:
            self._change_approval(changes)
        if changes.keys() & _CACHING or "keep" in changes:
            self._change_cache(before, changes)
        if changes.keys() & _FILES:
            self._set_output(self.target, self.result, checkpoint=self.checkpoint)

    def _change_cache(self, before: TaskOptions, changes: Collection[str]) -> None:
        """Check how a copy of `before` is cached; a validator that came with an option goes with it."""
        was_cached = before.cache or before.cache_for is not None
        is_default = "cache_validator" not in changes and (
            "cache" in changes or not was_cached or not (self.cache or self.cache_for is not None)
        )
        self._set_cache(self.cache, self.cache_for, None if is_default else self.cache_validator)

    def _change_approval(self, changes: Collection[str]) -> None:
        """Check how a copy waits for a person; drop what makes no sense with its new trigger or without a deadline."""
        is_manual = self.trigger is triggers.manual_only
        deadline = self.deadline if is_manual or "deadline" in changes else None
        keeps = (is_manual and deadline is not None) or "otherwise" in changes
        asks = self.asks if is_manual or "asks" in changes else None
        self._set_approval(deadline, self.otherwise if keeps else None, asks)

    def _change_retries(self, before: TaskOptions, changes: Mapping[str, Any]) -> None:
        """Check the retry options of a copy of `before`; drop those that make no sense without retries."""
        delay = self.retry_delay if self.max_retries and before.max_retries else None
        kinds = self.retry_on if self.max_retries else None
        self._set_retries(self.max_retries, changes.get("retry_delay", delay), changes.get("retry_on", kinds))
