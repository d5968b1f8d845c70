"""What a person asks to run of a flow, and the lines of a menu that say what each choice would run. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from flowbook.exceptions import FlowbookError
from flowbook.report.phrases import duration

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowbook.flow_run.plan import RunPlan
    from flowbook.flow_run.rest_plan import Way
    from flowbook.notebook.ports import RunLike

__all__ = ["OF_FLOW", "OF_REST", "OF_TASK", "Asked", "MenuEntry", "What", "menu_entries", "options_of"]

#: Everything; the same without the cache; what was edited; from a task on; a task alone; what a task needs; what lies below an
#: earlier output.
What = Literal["all", "without-cache", "only-changed", "run-from", "only-this", "up-to", "below"]
#: The choices of a task's menu, and of the flow's.
OF_TASK: tuple[What, ...] = ("only-this", "run-from", "up-to", "only-changed")
OF_FLOW: tuple[What, ...] = ("all", "only-changed", "without-cache")
#: How a run at rest goes on; these are planned, and not started as runs.
OF_REST: tuple[Way, ...] = ("resume", "retry")
#: Shorter times aren't told.
_TOLD_S = 0.05
_PARTS: dict[What, str] = {"run-from": "start_at", "only-this": "only", "up-to": "up_to"}


class Asked(NamedTuple):
    """What a person asks to run.

    Attributes:
        what: of the flow.
        key: of the task that it is about; None: about none.
        run: the run that they look at, whose results are kept.
        version: id of the run whose output of that task is taken, for what lies below it.
    """

    what: What = "all"
    key: str | None = None
    run: RunLike | None = None
    version: str = ""


class MenuEntry(NamedTuple):
    """A line of a menu: what it would run, or why it can't."""

    what: What
    text: str
    why: str = ""


def options_of(asked: Asked) -> dict[str, Any]:
    """Return the options of `flow.run` and `flow.plan` that mean this, except for "only-changed"."""
    if asked.what == "without-cache":
        return {"use_cache": False}
    way = _PARTS.get(asked.what)
    if way is None:
        return {}
    has_begun = asked.run is not None and asked.run.started is not None
    return {way: asked.key, **({"based_on": asked.run} if has_begun and way != "up_to" else {})}


def menu_entries(choices: tuple[What, ...], plan: Callable[[What], RunPlan]) -> list[MenuEntry]:
    """Return the lines of a menu.

    Args:
        choices: which lines.
        plan: returns what a choice would do; a FlowbookError says why it can't.
    """
    return [_entry(what, plan) for what in choices]


def _entry(what: What, plan: Callable[[What], RunPlan]) -> MenuEntry:
    try:
        return MenuEntry(what, _said_of(plan(what)))
    except FlowbookError as error:
        return MenuEntry(what, "nothing did" if what == "only-changed" else "can't", str(error))


def _said_of(plan: RunPlan) -> str:
    """Return "4 tasks, 3 cached, about 2 s"."""
    hits = len(plan.keys("hit"))
    count = hits + sum(len(plan.keys(outcome)) for outcome in ("run", "wait", "if failed"))
    expected_s = plan.expected_s or 0.0
    took = f"about {duration(expected_s)}" if expected_s >= _TOLD_S else ""
    tasks = f"{count:,} {'task' if count == 1 else 'tasks'}"
    return ", ".join(filter(None, (tasks, f"{hits:,} cached" if hits else "", took)))
