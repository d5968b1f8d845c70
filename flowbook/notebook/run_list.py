"""The runs as a table that a person reads, in a cell's output; `flowbook.runs()` is the DataFrame."""

from __future__ import annotations

import datetime as dt
import html
import platform
from typing import TYPE_CHECKING

from flowbook.store import open_store
from flowbook.store.process_identity import shown_state
from flowbook.terminal.lines import plain_text, printable
from flowbook.terminal.marks import Marks
from flowbook.terminal.run_lines import RUN_COLUMNS, run_rows, table_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from flowbook.store import RunSummary

__all__ = ["RunList", "newest_runs"]

_AT_MOST = 20
_ID_LENGTH = 8


class RunList:
    """Runs, the newest first.

    Args:
        runs: what the store knows of them, the newest first.
        empty: the sentence that is shown if there are none.
        footer: a sentence that is shown below.
    """

    def __init__(self, runs: Sequence[RunSummary], empty: str, footer: str = "") -> None:
        self.runs = runs
        self._empty = empty
        self._footer = footer

    def __len__(self) -> int:
        return len(self.runs)

    def __iter__(self) -> Iterator[RunSummary]:
        return iter(self.runs)

    def _cells(self) -> tuple[list[str], list[tuple[str, ...]]]:
        states = [shown_state(run) for run in self.runs]
        rows = run_rows(self.runs, states, dt.datetime.now(dt.UTC), platform.node())
        return states, [(*row, run.run_id[:_ID_LENGTH]) for row, run in zip(rows, self.runs, strict=True)]

    def __repr__(self) -> str:
        if not self.runs:
            return self._empty
        states, rows = self._cells()
        lines = table_lines((*RUN_COLUMNS, "ID"), rows, states, Marks())
        return "\n".join([*(plain_text(line).rstrip() for line in lines), *filter(None, [self._footer])])

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        if not self.runs:
            return {"text/plain": self._empty}
        states, rows = self._cells()
        head = "".join(f"<th style='text-align:left'>{name.capitalize()}</th>" for name in (*RUN_COLUMNS, "ID"))
        body = "".join(
            f"<tr data-run='{html.escape(run.run_id)}' data-state='{html.escape(state)}'>"
            f"{''.join(f'<td style=text-align:left>{html.escape(printable(cell))}</td>' for cell in row)}</tr>"
            for run, state, row in zip(self.runs, states, rows, strict=True)
        )
        footer = f"<p>{html.escape(self._footer)}</p>" if self._footer else ""
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        return {"text/plain": repr(self), "text/html": f"<div data-flowbook='runs'>{table}{footer}</div>"}


def newest_runs(flow: str | None = None, state: str | None = None) -> RunList:
    """Return the newest runs, of one flow or in one state if given; a last line says if there are more."""
    found = open_store().runs.list(flow=flow, state=state, limit=_AT_MOST + 1)[::-1]
    wanted = {"flow": flow, "state": state}
    arguments = ", ".join(f"{name}={value!r}" for name, value in wanted.items() if value is not None)
    footer = f"The newest {_AT_MOST}; flowbook.runs({arguments}) lists all." if len(found) > _AT_MOST else ""
    which = f" of flow {flow!r}" if flow else ""
    empty = "Nothing waits for you." if state == "Paused" else f"No run{which} is recorded here yet."
    return RunList(found[:_AT_MOST], empty, footer)
