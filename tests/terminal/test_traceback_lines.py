"""An error in a terminal: the user's lines first."""

import datetime as dt
import linecache
import os
import re
import sys
import traceback
import types
from decimal import Decimal
from enum import Enum
from pathlib import Path

import pandas as pd
import pytest

from flowbook.engine.remote_error import error_line
from flowbook.engine.state import RemoteError
from flowbook.report import error_view
from flowbook.report.value_text import value_text
from flowbook.terminal.lines import plain_text
from flowbook.terminal.marks import Marks
from flowbook.terminal.traceback_lines import traceback_lines

FILE = "/somewhere/delays.py"
SOURCE = """def by_carrier(month, password):
    carriers = list(month)
    missing = 80
    if missing > 5:
        raise ValueError(f"{missing} of {len(month):,} flights have no weather, {password}")
    return carriers

def again(month):
    try:
        {}["rates"]
    except KeyError as error:
        raise RuntimeError("no rates") from error
"""


@pytest.fixture
def written():
    """Return the functions of a file that a user wrote."""
    linecache.cache[FILE] = (len(SOURCE), None, SOURCE.splitlines(keepends=True), FILE)
    names: dict[str, object] = {}
    exec(compile(SOURCE, FILE, "exec"), names)
    yield names
    del linecache.cache[FILE]


def _raised(function, *arguments):
    try:
        function(*arguments)
    except (ValueError, RuntimeError) as error:
        return error
    raise AssertionError


def _text(error, **options):
    return "\n".join(map(plain_text, traceback_lines(error, Marks(), **options)))


def _without_test(text):
    """Return the lines without the frame of this file, in which the function is called."""
    lines = text.splitlines()
    return "\n".join(line for line in lines if "test_traceback_lines.py" not in line)


def test_the_users_line_comes_first_with_its_neighbours_and_what_its_names_hold(written):
    error = _raised(written["by_carrier"], pd.DataFrame({"a": range(9870)}), "x")

    assert _without_test(_text(error)) == (
        '  File "/somewhere/delays.py", line 5, in by_carrier\n'
        "      3 │     missing = 80\n"
        "      4 │     if missing > 5:\n"
        '  ▸   5 │         raise ValueError(f"{missing} of {len(month):,} flights have no weather, {password}")\n'
        "      6 │     return carriers\n"
        "     missing   80\n"
        "     month     DataFrame, 9,870 × 1\n"
        "     password  *****\n"
        "ValueError: 80 of 9,870 flights have no weather, x"
    )


def test_what_led_to_an_error_is_named(written):
    error = _raised(written["again"], 1)

    assert _without_test(_text(error)).splitlines()[-2:] == [
        "  because of KeyError: 'rates' (File \"/somewhere/delays.py\", line 10, in again)",
        "RuntimeError: no rates",
    ]


def test_frames_of_libraries_are_counted(written):
    error = _raised(pd.Series([1]).map, lambda _: written["by_carrier"]([], ""))

    folded = _text(error).splitlines()[-2]
    assert re.sub(r"\d+", "N", folded) == "     N frames of pandas are folded: FLOWBOOK_TRACEBACK=full shows all"


def test_a_file_that_a_recursion_passed_often_is_looked_at_once(monkeypatch):
    looked, is_mine = [], error_view.is_mine
    monkeypatch.setattr(error_view, "is_mine", lambda file: looked.append(file) or is_mine(file))
    passed = None
    for _ in range(20_000):  # as of a deep copy since Python 3.12
        passed = types.TracebackType(passed, sys._getframe(), 0, 1)

    said = [plain_text(line) for line in traceback_lines(RecursionError("deep").with_traceback(passed), Marks())]

    assert said[-1] == "RecursionError: deep"
    assert len(looked) < 100


def test_an_error_from_another_process_has_lines_and_no_values(written):
    error = RemoteError.of(_raised(written["by_carrier"], [1, 2], ""))

    assert _without_test(_text(error)) == (
        '  File "/somewhere/delays.py", line 5, in by_carrier\n'
        "      3 │     missing = 80\n"
        "      4 │     if missing > 5:\n"
        '  ▸   5 │         raise ValueError(f"{missing} of {len(month):,} flights have no weather, {password}")\n'
        "      6 │     return carriers\n"
        "ValueError: 80 of 2 flights have no weather, "
    )


def test_secrets_are_hidden_everywhere(written):
    error = _raised(written["by_carrier"], "hunter2", "hunter2")

    assert "hunter2" not in _text(error, hide=lambda text: text.replace("hunter2", "*****"))


@pytest.mark.parametrize("is_full", [False, True])
def test_passwords_in_urls_are_hidden(is_full):
    error = ValueError("no answer from postgres://me:hunter22@db.example")
    error.add_note("see http://me:hunter22@wiki.example")

    text = _text(error, is_full=is_full)

    assert "hunter22" not in text
    assert "http://me:*****@wiki.example" in text


def test_all_of_it_is_pythons_own_traceback(written):
    error = _raised(written["by_carrier"], [1], "")

    assert _text(error, is_full=True) == "".join(traceback.format_exception(error)).rstrip("\n")


def test_notes_of_an_error_stand_below_it(written):
    error = _raised(written["again"], 1)
    error.add_note("in August")

    assert _text(error).splitlines()[-2:] == ["RuntimeError: no rates", "in August"]


class Hostile:
    def __repr__(self):
        raise SystemExit

    __str__ = __len__ = __repr__

    @property
    def shape(self):
        raise SystemExit


class HostileZone(dt.tzinfo):
    def __repr__(self):
        raise SystemExit


class Level(Enum):
    HIGH = 2

    def __repr__(self):
        raise SystemExit


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "None"),
        (3, "3"),
        (10**100, "int of 333 bits"),
        ("JFK", "'JFK'"),
        ("x" * 100, f"'{'x' * 60}'… (100 characters)"),
        ([1, 2], "[1, 2]"),
        ([1, object()], "list of 2"),
        ({"flights": 920}, "{'flights': 920}"),
        ({"password": "hunter2"}, "dict of 1"),
        (list(range(9)), "list of 9"),
        ({}, "{}"),
        (b"abc", "bytes of 3"),
        (pd.Series([1, 2]), "Series, 2"),
        (Hostile(), "a Hostile"),
        (Path("data/station_07.csv"), repr(Path("data/station_07.csv"))),
        (Path("x" * 200, "station_07.csv"), f"{type(Path()).__name__}('…{'x' * 104}{os.sep}station_07.csv')"),
        (dt.date(2026, 1, 28), "datetime.date(2026, 1, 28)"),
        (dt.datetime(2026, 1, 28, tzinfo=dt.UTC), "datetime.datetime(2026, 1, 28, 0, 0, tzinfo=datetime.timezone.utc)"),
        (dt.datetime(2026, 1, 28, tzinfo=HostileZone()), "a datetime"),
        (dt.timedelta(days=1), "datetime.timedelta(days=1)"),
        (Decimal("1.50"), "Decimal('1.50')"),
        (Decimal("1" * 100), "a Decimal"),
        (Level.HIGH, "Level.HIGH"),
    ],
)
def test_values_are_shown_without_running_anybodys_code(value, text):
    assert value_text("value", value) == text


@pytest.mark.parametrize("name", ["password", "api_key", "TOKEN", "db_secret", "pwd"])
def test_what_sounds_like_a_secret_is_hidden(name):
    assert value_text(name, "hunter2") == "*****"


@pytest.mark.parametrize("value", [True, None])
def test_true_false_and_none_are_no_secrets(value):
    assert value_text("api_token", value) == repr(value)


@pytest.mark.parametrize(("text", "said"), [("no disk", "OSError: no disk"), ("", "OSError")])
def test_an_error_without_a_text_is_its_type_alone(text, said):
    error = OSError(text)

    assert [str(RemoteError.of(error)), error_line(error)] == [said, said]
    assert _text(error).splitlines()[-1] == said
