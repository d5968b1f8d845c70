"""Two runs of a flow side by side: what differs in parameters and code, how each task ended, and the graph coloured by that."""

from __future__ import annotations

import dataclasses
import html
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from flowbook import config
from flowbook.draw.node_parts import NodeView
from flowbook.draw.still import image
from flowbook.draw.table_cells import name_cell
from flowbook.draw.told import told_svg
from flowbook.engine.replay import covered_s, spans
from flowbook.engine.state_kinds import name_in_words
from flowbook.engine.task_keys import is_child_key, parent_key
from flowbook.flow_run.begun_states import with_begun
from flowbook.flow_run.flow_changes import compare_graphs
from flowbook.flow_run.row_counts import rows_of
from flowbook.flow_run.run_differences import OWN_CAUSES, task_differences
from flowbook.flow_run.shown_code import shown_changed_line
from flowbook.report.phrases import duration, listed, message, shorten
from flowbook.report.secret_names import shown_value
from flowbook.results.code_source import read_sources
from flowbook.store import open_store
from flowbook.terminal.lines import padded, printable, widest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd

    from flowbook.draw.picture import Theme
    from flowbook.engine.events import Event
    from flowbook.engine.graph import Graph
    from flowbook.engine.state import State
    from flowbook.flow_run.run_differences import Cause, TaskDifference
    from flowbook.results.code_source import ChangedLine
    from flowbook.store import Store

__all__ = ["ComparedRun", "ComparedTask", "RunComparison", "compared_runs", "earlier_run"]

_ROWS_IN_TEXT, _ROWS_IN_PAGE = 40, 1000
_LINE_CHARACTERS = 60
_ENDS_IN_TEXT, _WHY_CHARACTERS = 3, 200
_WAITS = ("Paused", "Resume", "Retrying")
_HEAD = ("Task", "State", "Took", "Rows", "Output", "Differs")
_HASH_CHARACTERS = 6
#: Why a task differs, as its node says it.
_WORDS: Mapping[Cause, str] = {
    "parameter": "Parameter",
    "edited": "Code",
    "state": "State",
    "output": "Output",
    "new": "New",
    "gone": "Gone",
    "input": "Input",
    "": "The same",
}
#: The looks of nodes: by itself, because of others, the same.
_LOOKS: Mapping[Cause, str] = {"input": "because", "": "same"}
#: Differences in time below this aren't told.
_TOLD_S = 0.05


class ComparedRun(Protocol):
    """What is asked of a run."""

    @property
    def run_id(self) -> str: ...  # noqa: D102  # as in FlowRun
    @property
    def number(self) -> int: ...  # noqa: D102  # as in FlowRun
    @property
    def flow_name(self) -> str: ...  # noqa: D102  # as in FlowRun
    @property
    def graph(self) -> Graph: ...  # noqa: D102  # as in FlowRun
    @property
    def parameters(self) -> Mapping[str, object]: ...  # noqa: D102  # as in FlowRun
    @property
    def state(self) -> State: ...  # noqa: D102  # as in FlowRun
    @property
    def states(self) -> Mapping[str, State]: ...  # noqa: D102  # as in FlowRun

    def events(self) -> Sequence[Event]: ...  # noqa: D102  # as in FlowRun


@dataclass(frozen=True, slots=True)
class ComparedTask:
    """A task in two runs.

    Attributes:
        key: of it.
        states: names of its states in both, for a mapped task those of its children, counted; "" where the run has no such task.
        took_s: how long it ran in both; None where it didn't.
        differs: why, see `flow_run.run_differences.Cause`; "" if it doesn't.
        hashes: of its output in both; "" where none is known.
        rows: of its output in both; None where it is no frame.
        line: the first line of its code that is another one, "line 4: late = delay > 30"; "" if none is.
        code: the same line as its number, as it was, and as it is; None if none is known.
        children: of a mapped task, how many of its children differ, and how many there are; None for other tasks.
    """

    key: str
    states: tuple[str, str]
    took_s: tuple[float | None, float | None]
    differs: Cause = ""
    hashes: tuple[str, str] = ("", "")
    rows: tuple[int | None, int | None] = (None, None)
    line: str = ""
    code: tuple[int, str, str] | None = None
    children: tuple[int, int] | None = None

    @property
    def word(self) -> str:
        """Why it differs, as its node says it."""
        return _WORDS[self.differs]

    @property
    def view(self) -> NodeView:
        """What its node shows."""
        before, after = self.rows
        rows = f"{after:,}, was {before:,} rows" if before is not None and after is not None and before != after else ""
        note = f"{self.states[1]}, was {self.states[0]}" if self.differs == "state" else self.line or rows
        return NodeView(_LOOKS.get(self.differs, "own"), self.word, end=self._slower, note=note)

    @property
    def _slower(self) -> str:
        """By how much longer it took, with a sign; "" if that is next to nothing."""
        before, after = self.took_s
        if before is None or after is None or abs(after - before) < _TOLD_S:
            return ""
        return f"{'+' if after > before else chr(0x2212)}{duration(abs(after - before))}"

    @property
    def cells(self) -> tuple[str, ...]:
        """Its row."""
        took = ["" if each is None else duration(each) for each in self.took_s]
        rows = ["" if each is None else f"{each:,}" for each in self.rows]
        hashes = [each[:_HASH_CHARACTERS] for each in self.hashes]
        return self.key, _pair(*self.states), _pair(*took), _pair(*rows), _pair(*hashes), self.differs


@dataclass(frozen=True, slots=True)
class RunComparison:
    """What differs between two runs.

    Attributes:
        title: which runs.
        tasks: those that either has, in order.
        notes: sentences on parameters and code.
        runs: ids of both.
        graph: of the second run.
        parameters: those that differ: name, and what each run had, as text; None where it had none.
        aside: keys among `tasks` of what is no task to people: parameters, and collections that flowbook gathers.
    """

    title: str
    tasks: tuple[ComparedTask, ...]
    notes: tuple[str, ...] = ()
    runs: tuple[str, str] = ("", "")
    graph: Graph | None = field(default=None, repr=False, compare=False)
    parameters: tuple[tuple[str, str | None, str | None], ...] = ()
    aside: tuple[str, ...] = ()

    @property
    def is_same(self) -> bool:
        """Whether no task differs."""
        return not any(each.differs for each in self.tasks)

    def svg(self, *, theme: Theme = "auto") -> str:
        """Return the graph of the second run, coloured by what differs, as SVG text; more than 150 tasks as groups."""
        if self.graph is None:
            return ""
        views = {each.key: each.view for each in self.tasks}
        return told_svg(self.graph, views, tuple(_WORDS.values()), caption=self.title, theme=theme)

    @property
    def first(self) -> ComparedTask | None:
        """The first task that differs by itself; None if none does."""
        return next((each for each in self.tasks if each.differs in OWN_CAUSES), None)

    def plain(self) -> dict[str, Any]:
        """Return it as plain data, for JSON."""
        first = self.first
        tasks = [dataclasses.asdict(each) for each in self.tasks]
        return {
            "title": self.title,
            "runs": list(self.runs),
            "tasks": [{**task, "word": each.word} for task, each in zip(tasks, self.tasks, strict=True)],
            "notes": list(self.notes),
            "parameters": [list(each) for each in self.parameters],
            "aside": list(self.aside),
            "first": first.key if first else None,
        }

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each task: its states, durations, rows and hashes of the output in both runs, and why it differs."""
        import pandas as pd  # noqa: PLC0415  # heavy

        names = ("state", "took_s", "rows", "hash")
        columns = ["task", *(f"{name}_{when}" for name in names for when in ("before", "after")), "differs"]
        rows = [(each.key, *each.states, *each.took_s, *each.rows, *each.hashes, each.differs) for each in self.tasks]
        return pd.DataFrame(rows, columns=columns)

    def __iter__(self) -> Iterator[ComparedTask]:
        return iter(self.tasks)

    def __len__(self) -> int:
        return len(self.tasks)

    def __repr__(self) -> str:
        rows = [each.cells for each in self.tasks[:_ROWS_IN_TEXT]]
        widths = [widest(row[place] for row in rows) for place in range(len(_HEAD))]
        lines = [
            "  ".join(padded(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
        ]
        more = len(self.tasks) - _ROWS_IN_TEXT
        rest = [f"  and {more:,} more"] if more > 0 else []
        return "\n".join([self.title, *(f"  {line}" for line in lines), *rest, *self.notes])

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        head = "".join(f"<th style='text-align:left'>{name}</th>" for name in _HEAD)
        body = "".join(
            f"<tr data-task='{html.escape(each.key)}' data-differs='{each.differs}'>"
            f"{name_cell(printable(each.key))}"
            f"{''.join(f'<td style=text-align:left>{html.escape(printable(cell))}</td>' for cell in each.cells[1:])}</tr>"
            for each in self.tasks[:_ROWS_IN_PAGE]
        )
        notes = "".join(f"<p>{html.escape(printable(each))}</p>" for each in (self.title, *self.notes))
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        drawn = self.svg()
        picture = image(drawn, self.title) if drawn else ""
        return {"text/plain": repr(self), "text/html": f"<div data-flowbook='compare'>{notes}{picture}{table}</div>"}


def earlier_run(run: ComparedRun) -> str | None:
    """Return the id of the run of the flow before this one, in this project."""
    found = open_store().runs.of_number(run.number - 1, config.project(), run.flow_name, limit=1)
    return next(iter(found), None)


def compared_runs(first: ComparedRun, second: ComparedRun, store: Store | None = None) -> RunComparison:
    """Return what differs from the first to the second of two recorded runs. Loads no value.

    Args:
        first: counts as the earlier one.
        second: counts as the later one.
        store: has their records; default: that of this process.
    """
    store = open_store() if store is None else store
    before, after = (dict(store.runs.get(run.run_id).graph) for run in (first, second))
    changes = compare_graphs(before, after)
    others = set(_other_parameters(first.parameters, second.parameters))
    edited = {
        *changes.changed,
        *(each["key"] for each in after["tasks"] if each.get("parameter") and each["name"] in others),
    }
    # What is recorded has hashes; the run that this process ran has values.
    history = store.plain_history()
    recorded = [with_begun(store, run.run_id, history.states(run.run_id)) for run in (first, second)]
    differences = task_differences((before, recorded[0]), (after, recorded[1]), edited)
    changed = dict(_changed_lines(before, after))
    lines = {line.function: line for line in changed.values()}
    renamed: Mapping[str, str] = after.get("functions", {})
    edited_lines = {
        key: changed.get(renamed[key]) if key in renamed else _line_of(second, key, lines)
        for key, found in differences.items()
        if found.cause == "edited"
    }
    tasks = _compared_tasks(first, second, differences, edited_lines)
    specs = {**first.graph.specs, **second.graph.specs}
    others_than_tasks = {key for key, spec in specs.items() if spec.is_parameter or spec.gathers}
    aside = tuple(key for key in differences if key in others_than_tasks)
    parameters = tuple(_parameters(first.parameters, second.parameters))
    return RunComparison(
        _title(first, second),
        tasks,
        (
            *_said_parameters(parameters),
            *map(_said, lines.values()),
            *_said_states(tasks, (first.states, second.states)),
            *_causes([each for each in tasks if each.key not in others_than_tasks], has_others=bool(parameters)),
        ),
        (first.run_id, second.run_id),
        second.graph,
        parameters,
        aside,
    )


def _compared_tasks(
    first: ComparedRun,
    second: ComparedRun,
    differences: Mapping[str, TaskDifference],
    lines: Mapping[str, ChangedLine | None],
) -> tuple[ComparedTask, ...]:
    """Return the tasks that differ, with what each run knows of them; `lines` has the changed line of each edited one."""
    states = [_states(run) for run in (first, second)]
    took = [_took(run) for run in (first, second)]
    return tuple(
        ComparedTask(
            key,
            (states[0].get(key, ""), states[1].get(key, "")),
            (took[0].get(key), took[1].get(key)),
            found.cause,
            found.hashes,
            (_rows(first, key), _rows(second, key)),
            _said_of(lines.get(key)),
            _code_of(lines.get(key)),
            found.children,
        )
        for key, found in differences.items()
    )


def _causes(tasks: Sequence[ComparedTask], *, has_others: bool) -> Iterator[str]:
    """Yield how many tasks differ, by themselves and because of others, and which is the first.

    Args:
        tasks: without parameters.
        has_others: whether parameters differ.
    """
    own = [each.key for each in tasks if each.differs in OWN_CAUSES]
    because = sum(each.differs == "input" for each in tasks)
    total = f"{len(tasks):,} {'task' if len(tasks) == 1 else 'tasks'}"
    if not own and not because:
        same = f"They are the same: none of {total} differs by parameters, code, inputs or outputs."
        yield f"None of {total} differs." if has_others else same
        return
    differ = f"{len(own) + because:,} of {total} {'differs' if len(own) + because == 1 else 'differ'}"
    reason = f"because of what {'it gets' if because == 1 else 'they get'}"
    if not own:
        yield f"{differ} {reason}."
        return
    themselves = "itself" if len(own) == 1 else "themselves"
    yield f"{differ}; the first is {own[0]}: {len(own):,} by {themselves}, {because:,} {reason}."


def _said_states(
    tasks: Sequence[ComparedTask], states: tuple[Mapping[str, State], Mapping[str, State]]
) -> Iterator[str]:
    """Yield how the first tasks that ended in another way ended, and why: "approve: Success → Failed (Rejected by ada.)"."""
    for task in [each for each in tasks if each.differs == "state"][:_ENDS_IN_TEXT]:
        found = [run[task.key] for run in reversed(states) if task.key in run]
        why = next((message(state) for state in found if not state.is_successful() or state.is_skipped()), "")
        yield f"{task.key}: {_pair(*task.states)}{f' ({shorten(why, _WHY_CHARACTERS)})' if why else ''}"


def _title(first: ComparedRun, second: ComparedRun) -> str:
    """Return the names of two runs, the flow's once if both are of it, and how each ended."""
    flow = "" if first.flow_name == second.flow_name else f"{second.flow_name}, "
    states = " → ".join(type(run.state).__name__ for run in (first, second))
    return f"{first.flow_name}, run {first.number} and {flow}run {second.number}: {states}"


def _rows(run: ComparedRun, key: str) -> int | None:
    state = run.states.get(key)
    return None if state is None or state.is_mapped() else rows_of(state)


def _states(run: ComparedRun) -> dict[str, str]:
    """Return the states of the tasks in words; those of children are counted."""
    words: dict[str, str] = {}
    counts: dict[str, Counter[str]] = {}
    for key, state in run.states.items():
        name = words[key] = name_in_words(state)
        if is_child_key(key):
            counts.setdefault(parent_key(key), Counter())[name] += 1
    words |= {key: ", ".join(f"{n:,} {name}" for name, n in found.most_common()) for key, found in counts.items()}
    return words


def _took(run: ComparedRun) -> dict[str, float]:
    """Return how long each task ran, all its attempts together; a mapped one as long as any of its children did."""
    took: dict[str, float] = {}
    of_children: dict[str, list[tuple[float, float]]] = {}
    for span in spans(run.events()):
        if not span.attempt or span.end is None or span.state in _WAITS:
            continue
        took[span.key] = took.get(span.key, 0.0) + span.end - span.start
        if is_child_key(span.key):
            of_children.setdefault(parent_key(span.key), []).append((span.start, span.end))
    return took | {key: covered_s(periods) for key, periods in of_children.items()}


def _parameters(
    before: Mapping[str, object], after: Mapping[str, object]
) -> Iterator[tuple[str, str | None, str | None]]:
    for name in _other_parameters(before, after):
        was, now = (
            shorten(repr(shown_value(name, each[name])), _LINE_CHARACTERS) if name in each else None
            for each in (before, after)
        )
        yield name, was, now


def _said_parameters(parameters: Sequence[tuple[str, str | None, str | None]]) -> Iterator[str]:
    found = [f"{name} {was or 'none'} → {now or 'none'}" for name, was, now in parameters]
    if found:
        yield f"Parameters: {listed(found, 8)}."


def _other_parameters(before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    return [name for name in {**before, **after} if repr(before.get(name)) != repr(after.get(name))]


def _changed_lines(before: Mapping[str, object], after: Mapping[str, object]) -> Iterator[tuple[str, ChangedLine]]:
    """Yield the source name of each function of which a line is another one, and the first such line."""
    old, new = (read_sources(each.get("sources", {})) for each in (before, after))  # type: ignore[arg-type]  # JSON
    for name in new:
        line = shown_changed_line(old, new, [name])
        if line is not None:
            yield name, line


def _said(line: ChangedLine) -> str:
    return f"{line.function} changed, line {line.number}: {shorten(line.text, _LINE_CHARACTERS)}"


def _line_of(run: ComparedRun, key: str, lines: Mapping[str, ChangedLine]) -> ChangedLine | None:
    """Return the line of a task's own function that is another one."""
    spec = run.graph.specs.get(key)
    return lines.get(getattr(spec.run, "__name__", "")) if spec is not None else None


def _code_of(line: ChangedLine | None) -> tuple[int, str, str] | None:
    if line is None:
        return None
    return line.number, shorten(line.was, _LINE_CHARACTERS), shorten(line.text, _LINE_CHARACTERS)


def _said_of(line: ChangedLine | None) -> str:
    return "" if line is None else f"line {line.number}: {shorten(line.text, _LINE_CHARACTERS)}"


def _pair(before: str, after: str) -> str:
    return before if before == after else f"{before or 'none'} → {after or 'none'}"
