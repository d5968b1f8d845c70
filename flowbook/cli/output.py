"""What commands write: tables for people, JSON for programs. Control characters in users' texts are escaped."""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from flowbook.cli.command_words import in_commands
from flowbook.exceptions import FlowbookError
from flowbook.terminal.lines import encodable, fit, padded, printable, styled, widest
from flowbook.terminal.marks import marks_for
from flowbook.terminal.size import size_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flowbook.terminal.lines import Line
    from flowbook.terminal.marks import Marks

__all__ = ["Output", "local_time", "standard"]


#: Later years stand for "never".
_FOR_GOOD = 9000


@dataclass(frozen=True, slots=True)
class Output:
    """Where a command writes, and how."""

    is_json: bool
    to: TextIO
    errors: TextIO

    def table(self, rows: Sequence[Mapping[str, object]], columns: Sequence[str], empty: str) -> None:
        """Write a table, or as JSON a list of objects with every field; without rows, write the sentence `empty`."""
        if self.is_json:
            self._json(list(rows))
        elif not rows:
            self.line(empty)
        else:
            cells = [[_cell(row.get(column)) for column in columns] for row in rows]
            (_rich_table if self.to.isatty() else _text_table)(self.to, columns, cells)

    @property
    def marks(self) -> Marks:
        """The marks that the stream can show."""
        return marks_for(getattr(self.to, "encoding", None), os.environ.get("TERM"))

    @property
    def width(self) -> int | None:
        """How many cells a line of the terminal has; None if it isn't one."""
        return size_of(self.to).columns if self.to.isatty() else None

    def lines(self, lines: Sequence[Line]) -> None:
        """Write lines with their styles on a terminal, cut to its width, and without them elsewhere."""
        is_terminal = self.to.isatty()
        width = self.width
        has_colours = is_terminal and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
        for line in lines:
            self.line(styled(line if width is None else fit(line, width), has_colours=has_colours).rstrip())

    def record(self, found: Mapping[str, object]) -> None:
        """Write one thing, a line for each field that has a value."""
        if self.is_json:
            self._json(found)
            return
        shown = {name: _cell(value) for name, value in found.items() if value not in (None, "", {}, [])}
        width = widest(shown)
        for name, value in shown.items():
            self.line(f"{padded(name, width)}  {value}")

    def done(self, sentence: str, **facts: object) -> None:
        """Say what was done: a sentence, or as JSON its facts."""
        if self.is_json:
            self._json(facts)
        else:
            self.line(sentence)

    def line(self, text: str) -> None:
        """Write one line for people."""
        self.to.write(f"{encodable(text, self.to.encoding)}\n")

    def error(self, error: BaseException, run: str = "") -> None:
        """Write what went wrong, and what to do; `run` is what the command line called the run, if it named one."""
        message = in_commands(str(error), run)
        if self.is_json:
            field = error.details.get("field") if isinstance(error, FlowbookError) else None
            known = {} if field is None else {"field": str(field)}
            self.errors.write(json.dumps({"error": type(error).__name__, "message": message, **known}) + "\n")
        else:
            self.errors.write(f"flowbook: {printable(message)}\n")

    def warning(self, message: str) -> None:
        """Write what the person should know, beside what the command gives."""
        said = json.dumps({"warning": message}) if self.is_json else f"flowbook: {printable(message)}"
        self.errors.write(f"{said}\n")

    def _json(self, found: object) -> None:
        self.to.write(json.dumps(found, default=_jsonable, indent=2 if self.to.isatty() else None) + "\n")


def local_time(moment: dt.datetime) -> str:
    """Return a moment as a person reads it: to the second, in local time."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, dt.datetime):
        return local_time(value) if value.year < _FOR_GOOD else "never"
    if isinstance(value, dict):
        return printable(", ".join(f"{name}={part}" for name, part in value.items()))
    if isinstance(value, bool):
        return "yes" if value else ""
    return printable(str(value))


def _jsonable(value: object) -> object:
    return value.isoformat() if isinstance(value, dt.datetime) else str(value)


def _text_table(to: TextIO, columns: Sequence[str], cells: list[list[str]]) -> None:
    widths = [widest([column, *(row[i] for row in cells)]) for i, column in enumerate(columns)]
    for row in [list(columns), *cells]:
        line = "  ".join(padded(cell, width) for cell, width in zip(row, widths, strict=True))
        print(line.rstrip(), file=to)


def _rich_table(to: TextIO, columns: Sequence[str], cells: list[list[str]]) -> None:
    from rich.console import Console  # noqa: PLC0415  # only on a terminal
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(Text(column), overflow="fold", no_wrap=column == "id")
    for row in cells:
        table.add_row(*map(Text, row))  # Text: what users named is never markup
    width = size_of(to).columns
    Console(file=to, width=width, no_color="NO_COLOR" in os.environ).print(table)


def standard(*, is_json: bool) -> Output:
    """Return the terminal's output."""
    return Output(is_json, sys.stdout or _nowhere(), sys.stderr or _nowhere())


def _nowhere() -> TextIO:
    """Return a stream in place of one that was closed before this process began, as by `>&-`."""
    return Path(os.devnull).open("w", encoding="utf-8")
