"""What a run would do: which tasks would run and why, which would be taken from the cache, what would wait for a person."""

from __future__ import annotations

import html
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from flowbook.report.phrases import duration, listed
from flowbook.terminal.lines import padded, widest

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping

    import pandas as pd

    from flowbook.draw.picture import Theme
    from flowbook.engine.graph import Graph

__all__ = ["FAILURE_TRIGGERS", "Cause", "Outcome", "PlannedTask", "RunPlan"]

#: What will become of a task: taken from the cache; run; waits for a person; runs only if something fails; stays; is left out.
Outcome = Literal["hit", "run", "wait", "if failed", "keep", "out"]
#: Why a task will run, in one word, so that tasks can be counted by it; the last three of a run that goes on.
Cause = Literal[
    "", "new", "code", "input", "variable", "parameter", "expired", "deleted", "not cached", "above", "unknown", "asked",
    "waits", "failed", "open",
]  # fmt: skip
#: Triggers with which a task runs only if something above it fails, by name.
FAILURE_TRIGGERS = frozenset({"all_failed", "any_failed", "some_failed"})

_WORDS: Mapping[str, str] = {
    "hit": "from the cache",
    "run": "will run",
    "wait": "will wait",
    "if failed": "if something fails",
    "keep": "stays",
    "out": "left out",
}
_CAUSES: Mapping[Cause, str] = {
    "new": "{} new",
    "code": "{} with changed code",
    "input": "{} with other inputs",
    "variable": "{} with changed variables",
    "parameter": "{} with other parameters",
    "expired": "{} expired",
    "deleted": "{} deleted",
    "not cached": "{} not cached",
    "above": "{} below these",
    "unknown": "{} that can't be foreseen",
    "asked": "{} asked for",
    "waits": "{} that waits for you",
    "failed": "{} that failed",
    "open": "{} yet to run",
}
_ROWS_SHOWN = 60


@dataclass(frozen=True, slots=True)
class PlannedTask:
    """What will become of one task.

    Attributes:
        key: of the task.
        outcome: "hit", "run", "wait", "if failed", "keep" or "out".
        why: in words: "made 2 h ago by run 12", "its code changed, line 3".
        cause: why it will run, in one word: "code", "input", "expired", …; "" if it won't.
        made: when the output in the cache was made, aware UTC.
        made_by: number of the run that made it.
        entry: id of its cache entry.
        expected_s: how long it will run, going by earlier runs; None if it never ran. All children of a mapped task.
        width: how many children a mapped task will have; None if it isn't mapped, or that isn't known.
        hits: how many children will be taken from the cache.
        keeps: how many children keep their results, where only others were asked for.
        stays: how a task that stays had ended, where that was no success: "failed" or "skipped".
    """

    key: str
    outcome: Outcome
    why: str = ""
    cause: Cause = ""
    made: dt.datetime | None = None
    made_by: int | None = None
    entry: str | None = None
    expected_s: float | None = None
    width: int | None = None
    hits: int = 0
    keeps: int = 0
    stays: Literal["", "failed", "skipped"] = ""

    @property
    def share(self) -> str:
        """How many children of a mapped task will run, where some don't: "1 of 200"; else ""."""
        if self.outcome != "run" or self.width is None or not (self.hits or self.keeps):
            return ""
        return f"{self.width - self.hits - self.keeps:,} of {self.width:,}"

    @property
    def words(self) -> str:
        """The outcome in words."""
        if self.stays:
            return f"stays {self.stays}"
        return f"{self.share} will run" if self.share else _WORDS[self.outcome]


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What a run would do, from `flow.plan()`; nothing has run, and no value was loaded.

    `plan["clean"]` is one task, `plan.to_frame()` a DataFrame, `plan.plain()` plain data. Parameters aren't listed.

    Attributes:
        flow: name of the flow.
        number: of the run that would come next, if it is recorded.
        tasks: all tasks in an order in which they can run.
        expected_s: how long the run will take, going by earlier ones; None if no task that will run ever ran.
        least_s: the same if every task is as quick as it ever was.
        most_s: the same if every task is as slow as it ever was.
        runs: the number of earlier runs that this is expected from.
        waits_after_s: how long it takes until a task waits for a person, by key.
        part: to which part of the flow the run is limited: "from clean on"; "" if to none.
        graph: of the flow.
    """

    flow: str
    number: int
    tasks: tuple[PlannedTask, ...]
    expected_s: float | None = None
    least_s: float | None = None
    most_s: float | None = None
    runs: int = 0
    waits_after_s: Mapping[str, float] = field(default_factory=dict)
    part: str = ""
    graph: Graph | None = field(default=None, repr=False, compare=False)

    def __getitem__(self, key: str) -> PlannedTask:
        """Return what will become of one task. Raises KeyError."""
        for task in self.tasks:
            if task.key == key:
                return task
        raise KeyError(key)

    def __iter__(self) -> Iterator[PlannedTask]:
        return iter(self.tasks)

    def __len__(self) -> int:
        return len(self.tasks)

    def keys(self, outcome: Outcome) -> tuple[str, ...]:
        """Return the keys of the tasks that this will become of."""
        return tuple(task.key for task in self.tasks if task.outcome == outcome)

    def to_frame(self) -> pd.DataFrame:
        """Return a table, a row for each task.

        Returns:
            Columns `task`, `outcome` ("hit", "run", "wait", "if failed", "keep"), `why`, `expected` (timedelta; NaT if it
            never ran), `made` (aware UTC), `made_by` (number of the run), `width` and `hits` (of mapped tasks).
        """
        import pandas as pd  # noqa: PLC0415  # heavy

        rows = [
            (
                task.key, task.outcome, task.why, pd.NaT if task.expected_s is None else pd.Timedelta(seconds=task.expected_s),
                task.made, task.made_by, task.width, task.hits,
            )
            for task in self.tasks
        ]  # fmt: skip
        names = ["task", "outcome", "why", "expected", "made", "made_by", "width", "hits"]
        found = pd.DataFrame(rows, columns=names)
        return found.astype({"made_by": "Int64", "width": "Int64"})

    def plain(self) -> dict[str, Any]:
        """Return it as plain data: texts, numbers, lists and dicts; times are seconds since 1970."""
        return {
            "flow": self.flow,
            "number": self.number,
            "expected_s": self.expected_s,
            "least_s": self.least_s,
            "most_s": self.most_s,
            "runs": self.runs,
            "part": self.part,
            "summary": self.summary(),
            "tasks": {task.key: self._plain_task(task) for task in self.tasks},
        }

    def _plain_task(self, task: PlannedTask) -> dict[str, Any]:
        return {
            "outcome": task.outcome,
            "words": task.words,
            "why": task.why,
            "cause": task.cause,
            "made": None if task.made is None else task.made.timestamp(),
            "made_by": task.made_by,
            "expected_s": task.expected_s,
            "width": task.width,
            "hits": task.hits,
            "keeps": task.keeps,
            "stays": task.stays,
            "waits_after_s": self.waits_after_s.get(task.key),
        }

    @property
    def title(self) -> str:
        """Which run it is of: "plan of run 15, only clean"."""
        return f"plan of run {self.number}{f', {self.part}' if self.part else ''}"

    def summary(self) -> str:
        """Return one line: "3 of 40 will run (1 with changed code, 2 below these), about 2.1 s; 36 from the cache"."""
        counts = Counter(task.outcome for task in self.tasks)
        causes = Counter(task.cause for task in self.tasks if task.outcome == "run")
        told = ", ".join(words.format(f"{causes[cause]:,}") for cause, words in _CAUSES.items() if causes[cause])
        will_run = f"{counts['run']:,} of {len(self.tasks):,} will run{f' ({told})' if told else ''}{self._took()}"
        rest = [
            f"{counts['hit']:,} from the cache" if counts["hit"] else "",
            f"{listed(self.keys('wait'))} will wait for you" if counts["wait"] else "",
            f"{listed(self.keys('if failed'))} only if something fails" if counts["if failed"] else "",
            f"{counts['keep']:,} {'stays as it is' if counts['keep'] == 1 else 'stay as they are'}"
            if counts["keep"]
            else "",
            f"{counts['out']:,} left out" if counts["out"] else "",
        ]
        return "; ".join((will_run, *filter(None, rest)))

    def _took(self) -> str:
        if self.expected_s is None:
            return ""
        return f", about {duration(self.expected_s)}"

    def __str__(self) -> str:
        rows = [(task.key, task.words, _expected(task), task.why) for task in self.tasks]
        widths = [widest(row[column] for row in rows) for column in range(3)]
        lines = [
            f"  {padded(key, widths[0])}  {padded(words, widths[1])}  {took:>{widths[2]}}  {why}".rstrip()
            for key, words, took, why in rows
        ]
        more = [f"  … {len(lines) - _ROWS_SHOWN:,} more: plan.to_frame() has all"] if len(lines) > _ROWS_SHOWN else []
        return "\n".join((f"{self.flow}, {self.title}: {self.summary()}.", *lines[:_ROWS_SHOWN], *more))

    def __repr__(self) -> str:
        return f"<RunPlan of {self.flow!r}: {self.summary()}>"

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        from flowbook.draw.table_cells import name_cell  # noqa: PLC0415  # drawing, which few need

        head = "".join(map(_cell, ("task", "", "expected", "why")))
        body = "".join(
            f"<tr data-task='{html.escape(task.key)}' data-outcome='{task.outcome}'>"
            f"{name_cell(task.key)}{''.join(map(_cell, (task.words, _expected(task))))}{_long_cell(task.why)}</tr>"
            for task in self.tasks[:_ROWS_SHOWN]
        )
        more = len(self.tasks) - _ROWS_SHOWN
        rest = f"<p>… {more:,} more: <code>plan.to_frame()</code> has all</p>" if more > 0 else ""
        title = f"<p><b>{html.escape(self.flow)}</b>, {html.escape(self.title)}: {html.escape(self.summary())}.</p>"
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        return {
            "text/plain": str(self),
            "text/html": f"<div data-flowbook='plan'>{title}{self._picture()}{table}{rest}</div>",
        }

    def svg(self, theme: Theme = "auto") -> str:
        """Return the flow's graph with what will become of each task, as SVG text; more than 150 tasks as groups."""
        from flowbook.flow_run.plan_picture import plan_svg  # noqa: PLC0415  # drawing, which few need

        return "" if self.graph is None else plan_svg(self.graph, self.tasks, title=self.title, theme=theme)

    def _picture(self) -> str:
        from flowbook.draw.still import image  # noqa: PLC0415  # likewise

        return image(self.svg(), f"{self.flow}, {self.title}: {self.summary()}") if self.graph else ""


def _cell(text: str) -> str:
    return f"<td style='text-align:left;white-space:nowrap'>{html.escape(text)}</td>"


def _long_cell(text: str) -> str:
    return f"<td style='text-align:left;min-width:16em;overflow-wrap:anywhere'>{html.escape(text)}</td>"


def _expected(task: PlannedTask) -> str:
    return "" if task.expected_s is None or task.outcome in {"hit", "keep", "out"} else duration(task.expected_s)
