"""An exception as terminal lines: the user's failing line first, with the values of its names; other frames are folded.

Reads source lines through `linecache`. Never runs the code of the values that it shows.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from flowbook._utils.installed_files import installed
from flowbook.engine.remote_error import RemoteError, safe_str
from flowbook.report.error_view import COMPILED, code_locations, describe_error, in_own_code, is_mine, source_lines
from flowbook.report.frame_values import frame_at, frame_values
from flowbook.report.secret_locals import SecretLocals
from flowbook.report.secret_names import shown_urls
from flowbook.terminal.lines import Span, padded, widest, wrapped

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from flowbook.report.error_view import CodeLocation
    from flowbook.terminal.lines import Line
    from flowbook.terminal.marks import Marks

__all__ = ["failing_line", "traceback_lines"]

_MOST_FRAMES = 5
_BEFORE, _AFTER = 2, 1
_MOST_NAMES = 6
_MOST_CAUSES = 3
_MOST_MESSAGE_LINES = 20
_UNLIMITED = 1_000_000
_DIM, _BOLD, _BAD = "dim", "bold", "bold red"


def traceback_lines(  # noqa: PLR0913  # what a terminal shows, and what it must not
    error: BaseException,
    marks: Marks,
    hide: Callable[[str], str] = str,
    *,
    is_full: bool = False,
    width: int | None = None,
    secret: Collection[str] = (),
) -> list[Line]:
    """Return the lines that show an error, its own message last.

    Args:
        error: the exception that a task raised, or its stand-in from another process.
        marks: the marks that the terminal can show.
        hide: masks secrets in a text.
        is_full: whether to return Python's own traceback, with nothing folded.
        width: of a line, in cells; messages are broken between words. None: not at all.
        secret: the arguments of the task's function that are secrets.
    """

    def masked(text: str) -> str:
        return shown_urls(hide(text))

    if is_full:
        return [(Span(masked(line)),) for line in describe_error(error).text.splitlines()]
    lines = _stack_lines(error, marks, SecretLocals(error, secret, is_mine))
    for cause in _causes(error):
        head: Line = (Span("  because of ", _DIM),)
        lines += wrapped(head, masked(f"{_headline(cause)[0]}{_where(cause)}"), width or _UNLIMITED, indent=4)
    for text in _headline(error):
        lines += wrapped((), masked(text), width or _UNLIMITED, indent=2, style=_BAD)
    return [tuple(Span(masked(span.text), span.style) for span in line) for line in lines]


def failing_line(error: BaseException) -> str:
    """Return where the user's code raised an error, "delays.py:12"; "" if that isn't known."""
    mine = in_own_code(code_locations(error))
    return f"{_path(mine[-1].file)}:{mine[-1].line}" if mine else ""


def _stack_lines(error: BaseException, marks: Marks, secrets: SecretLocals) -> list[Line]:
    locations = code_locations(error)
    mine = in_own_code(locations)
    lines: list[Line] = []
    for location in reversed(mine[-_MOST_FRAMES:]):
        lines.append((Span(f'  File "{_path(location.file)}", line {location.line}, in {location.function}', _DIM),))
        if location is mine[-1]:
            lines += _source(location, marks)
            lines += _values(error, location, secrets)
    if not mine:
        for location in locations[-_MOST_FRAMES:]:
            text = f'  File "{_path(location.file)}", line {location.line}, in {location.function}'
            lines.append((Span(text, _DIM),))
    shown = set(mine)
    folded = [location for location in locations if location not in shown] if mine else []
    if folded:
        lines.append((Span(f"     {_folded(folded)}", _DIM),))
    return lines


def _source(location: CodeLocation, marks: Marks) -> Iterator[Line]:
    for number, text, is_failing in _shown_lines(location):
        pointer = marks.pointer if is_failing else " "
        style = _BOLD if is_failing else ""
        yield (
            Span(f"  {pointer}{number:>4} ", style or _DIM),
            Span(f"{marks.rule} ", _DIM),
            Span(text.expandtabs(4), style),
        )


def _values(error: BaseException, location: CodeLocation, secrets: SecretLocals) -> Iterator[Line]:
    """Yield the values of the names in the failing lines; none if the error came from another process."""
    frame = frame_at(error, location.file, location.line)
    found = frame_values(frame, location.line, _shown_lines(location), _MOST_NAMES, secrets)
    width = widest(name for name, _ in found)
    for name, text in found:
        yield (Span(f"     {padded(name, width)}  {text}", _DIM),)


def _shown_lines(location: CodeLocation) -> list[tuple[int, str, bool]]:
    around = range(location.line - _BEFORE, location.line + _AFTER + 1)
    lines = [line for line in source_lines(location) if line[0] in around]
    return lines if not lines or lines[-1][1] else lines[:-1]


def _folded(locations: list[CodeLocation]) -> str:
    packages: Counter[str] = Counter()
    for file, times in Counter(location.file for location in locations).items():
        packages[_package(file)] += times
    count = len(locations)
    names = " and ".join(name for name, _ in packages.most_common(3))
    verb = "is" if count == 1 else "are"
    return f"{count} {'frame' if count == 1 else 'frames'} of {names} {verb} folded: FLOWBOOK_TRACEBACK=full shows all"


def _package(file: str) -> str:
    """Return the package that a file belongs to; "Python" for the standard library."""
    parts = Path(file).parts
    for folder in ("site-packages", "dist-packages"):
        if folder in parts:
            return Path(parts[len(parts) - parts[::-1].index(folder)]).stem
    if (found := installed(file)) is not None:
        return found.package
    if Path(file).suffix in COMPILED:
        return parts[0]  # such names are relative to the folder of packages
    return "flowbook" if "flowbook" in parts else "Python"


def _path(file: str) -> str:
    """Return a file's path, relative to the working folder if it lies inside."""
    try:
        return str(Path(file).relative_to(Path.cwd()))
    except (ValueError, OSError):
        return file


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the causes of an error, the nearest first."""
    seen = {id(error)}
    for _ in range(_MOST_CAUSES):
        cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if cause is None or id(cause) in seen:
            return
        seen.add(id(cause))
        if not isinstance(cause, RemoteError):
            yield cause
        error = cause


def _where(error: BaseException) -> str:
    mine = in_own_code(code_locations(error))
    return f' (File "{_path(mine[-1].file)}", line {mine[-1].line}, in {mine[-1].function})' if mine else ""


def _headline(error: BaseException) -> list[str]:
    """Return an error's type and message, with the notes that were added to it."""
    if isinstance(error, RemoteError):
        kind, message = error.type_name, error.message
    else:
        kind, message = type(error).__name__, safe_str(error)
    notes = [note for note in getattr(error, "__notes__", ()) if isinstance(note, str)]
    lines = "\n".join([f"{kind}: {message}" if message else kind, *notes]).splitlines()
    more = len(lines) - _MOST_MESSAGE_LINES
    return lines if more <= 0 else [*lines[:_MOST_MESSAGE_LINES], f"… {more:,} more lines"]
