"""An exception as people read it: the user's own lines first.

Reads source lines through `linecache`, so that notebook cells work; does no other I/O. Takes exceptions as they were
raised, and those that another process sent as text.
"""

from __future__ import annotations

import linecache
import os
import re
import site
import sysconfig
import traceback
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from flowbook._utils.installed_files import installed
from flowbook.engine.remote_error import RemoteError
from flowbook.engine.traceback_text import traceback_text
from flowbook.report.frame_values import frame_at, frame_values
from flowbook.report.secret_literals import without_secrets
from flowbook.report.secret_locals import SecretLocals
from flowbook.report.secret_names import shown_urls

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from types import FrameType

__all__ = [
    "COMPILED",
    "CodeLocation",
    "ErrorView",
    "StackFrame",
    "code_locations",
    "describe_error",
    "in_own_code",
    "is_mine",
    "source_lines",
]

_AROUND = 3
_MOST_FRAMES = 40
_MOST_NAMES = 8
#: What an error passed this often is a recursion.
_RECURSION, _MOST_REPEATED = 3, 10_000
#: Python folds the lines of a recursion in its own text.
_REPEATED = re.compile(r"\[Previous line repeated (?P<count>\d+) more times?\]")
_MESSAGE_LENGTH, _TEXT_LENGTH, _LINE_LENGTH = 2000, 50_000, 400
_OUTSIDE = tuple(
    f"{Path(folder).resolve()}{os.sep}"
    for folder in {
        sysconfig.get_path("stdlib"),
        sysconfig.get_path("platstdlib"),
        sysconfig.get_path("purelib"),
        sysconfig.get_path("platlib"),
        *(site.getsitepackages() if hasattr(site, "getsitepackages") else ()),
        str(Path(__file__).parent.parent),
    }
)
#: The first line of a frame in a formatted traceback of any Python version.
_HEAD = re.compile(r'^ +(?:\| +)?File "(?P<file>.+)", line (?P<line>\d+), in (?P<function>.+)$', re.MULTILINE)
#: A frame of flowbook where it is installed elsewhere than here, as on a worker.
_FLOWBOOK = re.compile(
    r"[\\/]flowbook[\\/](?:_utils|cli|core|engine|executors|flow_run|notebook|results|store|terminal)[\\/]\w+\.py$"
)
#: Frames of compiled libraries name their sources, which users don't have.
COMPILED = (".pyx", ".pxi", ".pxd")
_CELL = re.compile(r"ipykernel_\d+[\\/]|^<ipython-input-(?P<number>\d+)-")


@dataclass(frozen=True, slots=True)
class StackFrame:
    """A location in the code.

    Attributes:
        where: in words.
        mine: whether it is the user's.
        lines: (number, text, is the failing one).
        values: names on these lines and what they stood for, as text; empty where the frame is gone, as in another process.
        times: how often the error passed it; more than once in a recursion.
    """

    where: str
    mine: bool
    lines: tuple[tuple[int, str, bool], ...]
    values: tuple[tuple[str, str], ...] = ()
    times: int = 1


@dataclass(frozen=True, slots=True)
class ErrorView:
    """An exception: its type and message, stack frames (the user's first, the failing one foremost), and the whole text."""

    type: str
    message: str
    stack: tuple[StackFrame, ...]
    text: str


@dataclass(frozen=True, slots=True)
class CodeLocation:
    """The place in the code where a frame of a traceback is."""

    file: str
    line: int
    function: str


def describe_error(
    error: BaseException,
    cell_name: Callable[[str], str | None] | None = None,
    hide: Callable[[str], str] = str,
    secret: Collection[str] = (),
) -> ErrorView:
    """Return the view of `error` that the inspector shows.

    Args:
        error: the exception as it was raised, or a stand-in with the text of its traceback.
        cell_name: returns "In [4]" for the file name of a notebook's cell, None for any other file.
        hide: masks secrets in a text.
        secret: the arguments of the task's function that are secrets.
    """
    text = hide(without_secrets(_formatted(error)))
    passed = code_locations(error, text)
    times = Counter(passed)
    locations = _folded(passed, times)
    name_of = cell_name or (lambda _: None)
    secrets = SecretLocals(error, secret, lambda file: is_mine(file) or name_of(file) is not None)
    stack = [
        _with_values(_frame(each, name_of, hide), each, frame_at(error, each.file, each.line), hide, secrets)
        for each in reversed(locations[-_MOST_FRAMES:])
    ]
    stack = [
        replace(frame, times=times[each])
        for frame, each in zip(stack, reversed(locations[-_MOST_FRAMES:]), strict=True)
    ]
    ordered = [frame for frame in stack if frame.mine] + [frame for frame in stack if not frame.mine]
    if isinstance(error, RemoteError):
        kind, message = error.type_name, error.message
    else:
        kind, message = type(error).__name__, _message(error)
    return ErrorView(kind, hide(shown_urls(message))[:_MESSAGE_LENGTH], tuple(ordered), text[-_TEXT_LENGTH:])


def _folded(locations: list[CodeLocation], times: Mapping[CodeLocation, int]) -> list[CodeLocation]:
    """Return each place of a recursion once, where it was passed last."""
    seen: set[CodeLocation] = set()
    kept = []
    for each in reversed(locations):
        if each not in seen or times[each] < _RECURSION:
            kept.append(each)
        seen.add(each)
    return kept[::-1]


def _with_values(
    frame: StackFrame,
    location: CodeLocation,
    passed: FrameType | None,
    hide: Callable[[str], str],
    secrets: SecretLocals,
) -> StackFrame:
    if not frame.mine:
        return frame
    found = frame_values(passed, location.line, frame.lines, _MOST_NAMES, secrets)
    return replace(frame, values=tuple((name, shown_urls(hide(text))) for name, text in found))


def code_locations(error: BaseException, text: str | None = None) -> list[CodeLocation]:
    """Return the frames that an error passed through, outermost first.

    Args:
        error: as for `describe_error`.
        text: its formatted traceback, if the caller has it.
    """
    if error.__traceback__ is not None:
        frames = traceback.walk_tb(error.__traceback__)
        own = [CodeLocation(frame.f_code.co_filename, line or 0, frame.f_code.co_name) for frame, line in frames]
        if in_own_code(own) or not isinstance(error.__cause__, BaseException):
            return own
    #: From another process: its cause, or the stand-in itself, holds the traceback there as text.
    text = _formatted(error) if text is None else text
    heads = list(_HEAD.finditer(text))
    ends = [*(head.start() for head in heads), len(text)][1:]
    places = []
    for head, end in zip(heads, ends, strict=True):
        again = _REPEATED.search(text, head.end(), end)
        count = 1 + min(_MOST_REPEATED, int(again["count"]) if again else 0)
        places += [CodeLocation(head["file"], int(head["line"]), head["function"])] * count
    return places


def in_own_code(locations: Sequence[CodeLocation]) -> list[CodeLocation]:
    """Return those of the locations that are the user's, in their order.

    A file is looked at once: since Python 3.12 a recursion through C code may pass it 200,000 times.
    """
    mine = {file for file in {each.file for each in locations} if is_mine(file)}
    return [each for each in locations if each.file in mine]


def source_lines(location: CodeLocation) -> tuple[tuple[int, str, bool], ...]:
    """Return the source around a frame as (number, text, is the failing one); empty where it can't be read.

    Texts that names give away as secrets are hidden.
    """
    source = linecache.getlines(location.file)
    first = max(1, location.line - _AROUND)
    last = min(len(source), location.line + _AROUND - 1)
    numbers = range(first, last + 1) if location.line <= len(source) else ()
    found = [(n, without_secrets(source[n - 1].rstrip()[:_LINE_LENGTH]), n == location.line) for n in numbers]
    told = [at for at, (_, text, is_failing) in enumerate(found) if text or is_failing]
    return tuple(found[told[0] : told[-1] + 1]) if told else ()


def is_mine(file: str) -> bool:
    """Return whether `file` is the user's: not the standard library, an installed package, or flowbook."""
    if _CELL.search(file):
        return True
    if file.startswith("<"):
        return False
    if file.endswith(COMPILED) and not Path(file).exists():
        return False
    path = str(Path(file).resolve())
    return (
        "site-packages" not in path
        and "dist-packages" not in path
        and not path.startswith(_OUTSIDE)
        and not _FLOWBOOK.search(path)
        and installed(file) is None
    )


def _formatted(error: BaseException) -> str:
    if isinstance(error, RemoteError):
        return error.formatted
    #: From another process, the traceback there comes as text, on a stand-in that is the cause.
    before = f"{error.__cause__.formatted}\n" if isinstance(error.__cause__, RemoteError) else ""
    try:
        return before + traceback_text(error)
    except Exception as exc:  # noqa: BLE001  # a user's exception may not like being shown
        return f"{type(error).__name__} (its traceback can't be shown: {type(exc).__name__})"


def _frame(location: CodeLocation, cell_name: Callable[[str], str | None], hide: Callable[[str], str]) -> StackFrame:
    cell = cell_name(location.file) or _numbered(location.file)
    where = f"{cell or location.file}, line {location.line}, in {location.function}"
    lines = tuple((number, hide(text), is_failing) for number, text, is_failing in source_lines(location))
    return StackFrame(where, is_mine(location.file) or cell is not None, lines)


def _numbered(file: str) -> str | None:
    """Return the cell's name where its number is part of the file name, as old kernels have it."""
    found = _CELL.search(file)
    return f"In [{found['number']}]" if found and found["number"] else None


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException as exc:  # noqa: BLE001  # a user's __str__ may raise, or exit
        return f"(its message can't be shown: {type(exc).__name__})"
