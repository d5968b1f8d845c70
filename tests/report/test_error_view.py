import json
import linecache
import traceback

import anywidget
import pytest

import flowbook.exceptions
from flowbook.engine.state import RemoteError
from flowbook.report.error_view import describe_error, is_mine

CELL = "/tmp/ipykernel_123/456.py"
SOURCE = """def clean(month):
    missing = 80
    if missing:
        raise ValueError(f"{missing} flights have no weather")
    return month
"""


@pytest.fixture
def error():
    linecache.cache[CELL] = (len(SOURCE), None, SOURCE.splitlines(keepends=True), CELL)
    names: dict[str, object] = {}
    exec(compile(SOURCE, CELL, "exec"), names)
    try:
        json.loads("1", parse_int=names["clean"])
    except ValueError as caught:
        yield caught
    del linecache.cache[CELL]


def test_the_users_line_comes_first_with_its_neighbours_and_is_marked(error: ValueError) -> None:
    described = describe_error(error, lambda file: "In [4]" if file == CELL else None)

    first = described.stack[0]
    assert (described.type, described.message) == ("ValueError", "80 flights have no weather")
    assert (first.where, first.mine) == ("In [4], line 4, in clean", True)
    assert first.lines == (
        (1, "def clean(month):", False),
        (2, "    missing = 80", False),
        (3, "    if missing:", False),
        (4, '        raise ValueError(f"{missing} flights have no weather")', True),
        (5, "    return month", False),
    )


def test_frames_of_the_library_come_after_the_users(error: ValueError) -> None:
    described = describe_error(error)

    assert [frame.mine for frame in described.stack] == sorted((frame.mine for frame in described.stack), reverse=True)
    assert described.stack[-1].mine is False
    assert "Traceback (most recent call last)" in described.text


def test_an_error_from_another_process_is_read_from_its_text(error: ValueError) -> None:
    remote = RemoteError.of(error)

    described = describe_error(remote, lambda file: "In [4]" if file == CELL else None)

    assert (described.type, described.message) == ("ValueError", "80 flights have no weather")
    assert described.stack[0].where == "In [4], line 4, in clean"
    assert described.stack[0].lines[3][2]


def test_an_error_that_lost_its_frames_is_read_from_the_cause_that_holds_their_text(error: ValueError) -> None:
    home = ValueError("80 flights have no weather")
    home.__cause__ = RemoteError.of(error)

    described = describe_error(home)

    assert described.type == "ValueError"
    assert described.stack[0].where.endswith("line 4, in clean")


def test_old_kernels_number_their_cells_in_the_file_name() -> None:
    text = 'Traceback (most recent call last):\n  File "<ipython-input-7-abc>", line 2, in f\nValueError: no\n'

    described = describe_error(RemoteError("ValueError", "no", text))

    assert described.stack[0].where == "In [7], line 2, in f"
    assert described.stack[0].mine
    assert described.stack[0].lines == ()


def test_an_error_that_can_not_be_shown_is_shown_all_the_same() -> None:
    class OddError(Exception):
        def __str__(self) -> str:
            raise KeyError

    described = describe_error(OddError())

    assert (described.type, described.message) == ("OddError", "(its message can't be shown: KeyError)")
    assert described.stack == ()


def test_what_is_installed_is_not_the_users(tmp_path) -> None:
    mine = str(tmp_path / "mine.py")
    files = [
        mine,
        linecache.__file__,
        anywidget.__file__,
        flowbook.exceptions.__file__,
        "<frozen importlib._bootstrap>",
    ]

    assert [file for file in files if is_mine(file)] == [mine]


def test_what_was_installed_into_a_folder_of_its_own_is_not_the_users(tmp_path, monkeypatch) -> None:
    (tmp_path / "tool-1.0.dist-info").mkdir()
    (tmp_path / "tool-1.0.dist-info" / "RECORD").write_text("tool/__init__.py,,\n")
    monkeypatch.syspath_prepend(tmp_path)

    assert [is_mine(str(tmp_path / file)) for file in ("tool/__init__.py", "steps.py")] == [False, True]


def _check(missing, api_key):
    if missing and api_key:
        raise ValueError(missing)


def _deeper(n):
    return _deeper(n - 1) if n else 1 / n


def test_names_on_a_users_lines_are_shown_with_their_values_and_secrets_are_hidden():
    try:
        _check(80, "sk-1234")
    except ValueError as error:
        found = describe_error(error, hide=lambda text: text.replace("80", "*****"))

    assert found.stack[0].values == (("missing", "*****"), ("api_key", "*****"))


def test_a_recursion_is_folded_with_its_count():
    try:
        _deeper(100)
    except ZeroDivisionError as error:
        shown = describe_error(error)
        told = describe_error(
            RemoteError("ZeroDivisionError", "division by zero", "".join(traceback.format_exception(error)))
        )

    assert [frame.times for frame in shown.stack if "_deeper" in frame.where] == [101]
    assert [frame.times for frame in told.stack if "_deeper" in frame.where] == [101]
