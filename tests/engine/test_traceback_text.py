"""Tracebacks that are as deep as those of a recursion through C code: all is shown but most of their frames."""

from __future__ import annotations

import sys
import traceback
from typing import TYPE_CHECKING

import pytest

from flowbook.engine.remote_error import format_traceback
from flowbook.engine.traceback_text import traceback_text

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def _deep_recursion() -> Iterator[None]:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)
    yield
    sys.setrecursionlimit(before)


def down(depth: int, error: Exception) -> None:
    if depth == 0:
        raise error
    other(depth - 1, error)


def other(depth: int, error: Exception) -> None:
    if depth == 0:
        raise error
    down(depth - 1, error)


def raised(depth: int, error: Exception) -> Exception:
    """Return `error` with a traceback of `depth` frames."""
    try:
        down(depth - 2, error)
    except type(error):
        return error
    raise AssertionError


@pytest.mark.usefixtures("_deep_recursion")
@pytest.mark.parametrize("depth", [2, 150, 2_000])
def test_up_to_2000_frames_are_shown_as_python_shows_them(depth: int) -> None:
    error = raised(depth, ValueError("no disk"))

    assert traceback_text(error) == "".join(traceback.format_exception(error))


@pytest.mark.usefixtures("_deep_recursion")
def test_of_more_frames_the_first_and_the_last_are_shown() -> None:
    error = raised(2_001, ValueError("no disk"))
    error.add_note("Ask for more.")
    lines = "".join(traceback.format_exception(error)).splitlines()

    head, middle, tail = traceback_text(error).partition("  [1,801 more frames]\n")

    assert middle
    assert (head.count("  File "), tail.count("  File ")) == (100, 100)
    assert head.splitlines() == lines[: len(head.splitlines())]
    assert tail.splitlines() == lines[-len(tail.splitlines()) :]
    assert tail.endswith("ValueError: no disk\nAsk for more.\n")


@pytest.mark.usefixtures("_deep_recursion")
@pytest.mark.parametrize("depth", [2, 100, 101, 200])
def test_an_exception_beside_a_deep_one_is_shown_whole(depth: int) -> None:
    beside = raised(depth, KeyError("a"))
    alone = "".join(traceback.format_exception(beside))
    group = ExceptionGroup("two", [raised(2_500, ValueError("deep")), raised(depth, KeyError("b"))])
    group.__cause__ = beside

    text = traceback_text(group)

    assert text.startswith(alone)
    assert "  [2,300 more frames]\n" in text
    assert text.count("more frames]") == 1
    assert text.count("  File ") == depth + 200 + depth


@pytest.mark.usefixtures("_deep_recursion")
def test_causes_that_go_in_a_circle_are_shown_once() -> None:
    first, second = raised(3_000, ValueError("first")), raised(3, ValueError("second"))
    first.__cause__, second.__cause__ = second, first

    text = traceback_text(first)

    assert (text.count("ValueError: first"), text.count("ValueError: second")) == (1, 1)


@pytest.mark.usefixtures("_deep_recursion")
def test_what_travels_keeps_its_begin_and_its_end() -> None:
    error = raised(1_900, ValueError("no disk"))
    whole = "".join(traceback.format_exception(error))

    text = format_traceback(error)

    assert len(whole) > 110_000
    assert text.startswith(whole[:50_000])
    assert text.endswith(whole[-50_000:])
    assert f"… ({len(whole) - 100_000:,} more characters were cut) …" in text
