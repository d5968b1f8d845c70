"""The options that every task has: how they are checked when they are set, and when a copy changes some of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowbook.core import cache_policy, checks, policies
from flowbook.engine import triggers
from flowbook.exceptions import DefinitionError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Collection, Iterable

    from flowbook.results.files import Result

__all__ = ["TaskOptions"]


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
    #: Tasks that an earlier flowbook stored have none of these three.
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
        self.max_retries, self.retry_delay = policies.retries(self.name, max_retries, delay, kinds)
        self.retry_on = policies.retry_on(self.name, kinds)

    def _set_trigger(self, trigger: Callable[..., bool] | None, *, skip_on_upstream_skip: bool) -> None:
        self.trigger = checks.trigger(self.name, trigger or triggers.all_successful)
        self.skip_on_upstream_skip = skip_on_upstream_skip

    def _set_approval(self, deadline: dt.timedelta | float | None, otherwise: str | None, asks: str | None) -> None:
        """Set how it waits for a person; `trigger` is set already."""
        self.deadline, self.otherwise, self.asks = policies.approval(self.name, self.trigger, deadline, otherwise, asks)

    def _set_cache(
        self, cache: object, cache_for: dt.timedelta | float | None, validator: Callable[..., bool] | None
    ) -> None:
        """Set how outputs are cached; `keep` is set already."""
        self.cache_for = cache_policy.duration(self.name, cache_for)
        self.cache = cache_policy.switch(self.name, cache, self.cache_for, keep=self.keep)
        self.cache_validator = cache_policy.validator(self.name, self.cache_for, validator, cache=self.cache)

    def _set_handlers(
        self, state_handlers: Iterable[Callable[..., object]] | None, on_failure: Callable[..., object] | None
    ) -> None:
        self.state_handlers = checks.handlers(self.name, state_handlers)
        checks.function(self.name, "on_failure", on_failure)
        self.on_failure = on_failure

    def _set_output(self, target: str | Callable[..., str] | None, result: Result | None, *, checkpoint: bool) -> None:
        """Set where outputs are written as files; `keep` is set already."""
        self.target = checks.target(self.name, target)
        self.result = checks.result(self.name, result)
        self.checkpoint = checkpoint
        if not self.keep and (target is not None or result is not None):
            which = "target" if target is not None else "result"
            msg = f"Task {self.name!r} has keep=False and a {which}, which would keep its value. Remove one."
            raise DefinitionError(msg, task=self.name)

    def _change_cache(self, before: TaskOptions, changes: Collection[str]) -> None:
        """Check what a copy changed of `before`; a validator that came with an option goes with it."""
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

    def _change_retries(self, before: TaskOptions, changes: Collection[str]) -> None:
        """Check the retry options of a copy of `before`; drop those that make no sense without retries."""
        keeps_delay = "retry_delay" in changes or (self.max_retries and before.max_retries)
        keeps_kinds = "retry_on" in changes or self.max_retries
        self._set_retries(
            self.max_retries, self.retry_delay if keeps_delay else None, self.retry_on if keeps_kinds else None
        )
