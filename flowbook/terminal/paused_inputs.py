"""The inputs of a paused task as lines. Loads no value from the store; shows tables, and only the types of other objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook._utils.loaded import LoadedClasses
from flowbook.engine.secret_inputs import judged_by
from flowbook.engine.task_keys import parent_key
from flowbook.report.masked_values import named_preview
from flowbook.report.secret_names import sounds_secret
from flowbook.report.value_text import value_text
from flowbook.results.reference import ResultRef
from flowbook.terminal.lines import Span, padded, widest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pandas as pd

    from flowbook.engine.graph import Graph
    from flowbook.terminal.census import TaskNow
    from flowbook.terminal.lines import Line

__all__ = ["input_lines"]

_DIM = "dim"
_ROWS, _COLUMNS, _CELLS = 3, 6, 90
_MOST_INPUTS = 4
_FRAME = LoadedClasses("pandas", "DataFrame")


def input_lines(task: TaskNow, graph: Graph, hide: Callable[[str], str]) -> list[Line]:
    """Return the lines that help a person decide about a paused task: the task and its inputs."""
    spec = graph.specs[parent_key(task.key)]
    inputs = dict(list((task.state.cached_inputs or {}).items())[:_MOST_INPUTS])
    width = widest((task.key, *inputs))
    said = task.state.message if not spec.is_manual else spec.question()
    lines: list[Line] = [(Span(f"  {padded(task.key, width)}  "), Span(hide(said or "")))] if said else []
    for argument, value in inputs.items():
        above = next((bound.upstream for bound in spec.bindings if bound.argument == argument), "")
        source = f", from {above}" if above else ""
        judged = judged_by(graph, task.key, argument)
        lines.append((Span(f"  {padded(argument, width)}  "), Span(f"{hide(_what(judged, value))}{source}")))
        rows = () if sounds_secret(judged) else _first_rows(value)
        lines += [(Span(f"  {'':<{width}}  {hide(text)}", _DIM),) for text in rows]
    return lines


def _what(name: str, value: object) -> str:
    if isinstance(value, ResultRef):
        preview = named_preview(name, None if value.store is None else value.store.preview(value))
        return "a value in the store" if preview is None else str(preview.get("text", ""))
    return value_text(name, value)


def _first_rows(value: object) -> Iterator[str]:
    """Yield a table's first rows, as far as they fit."""
    if not isinstance(value, _FRAME.now()) or not len(value.columns):
        return
    table = value.iloc[:_ROWS, :_COLUMNS]
    columns = [_cells_of(table.iloc[:, [place]]) for place in range(len(table.columns))]
    for row in zip(*columns, strict=True):
        yield "  ".join(row)[:_CELLS].rstrip()
    if (more := len(value) - _ROWS) > 0:
        yield f"… {more:,} more {'row' if more == 1 else 'rows'}"


def _cells_of(column: pd.DataFrame) -> list[str]:
    """Return the head and the values of a frame's only column; pandas counts characters, not cells."""
    texts = [line.strip() for line in column.to_string(index=False, max_colwidth=30).splitlines()]
    width = widest(texts)
    return [padded(text, width, to_the_right=True) for text in texts]
