"""Flowbook's own warnings are one line in a terminal."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import pytest

import flowbook
from flowbook.cli.main import main
from flowbook.cli.output import Output
from flowbook.cli.plain_warnings import plain_warnings

OWN = str(Path(flowbook.__file__).parent / "flow_run" / "run.py")


@pytest.mark.parametrize(
    ("is_json", "line"),
    [
        (False, "flowbook: Run 1 of 'a\\x1b' is not recorded.\n"),
        (True, '{"warning": "Run 1 of \'a\\u001b\' is not recorded."}\n'),
    ],
)
def test_a_warning_of_flowbooks_is_a_sentence(is_json, line):
    errors = io.StringIO()

    with warnings.catch_warnings(), plain_warnings(Output(is_json, io.StringIO(), errors)):
        warnings.simplefilter("always")
        warnings.warn_explicit("Run 1 of 'a\x1b' is not recorded.", UserWarning, OWN, 345)

    assert errors.getvalue() == line


@pytest.mark.parametrize(("kind", "file"), [(UserWarning, "flows.py"), (ResourceWarning, OWN)])
def test_other_warnings_stay_as_they_are(kind, file, monkeypatch):
    errors, told = io.StringIO(), []
    monkeypatch.setattr(warnings, "showwarning", lambda *given: told.append((str(given[0]), *given[1:4])))

    with warnings.catch_warnings(), plain_warnings(Output(is_json=False, to=io.StringIO(), errors=errors)):
        warnings.simplefilter("always")
        warnings.warn_explicit("Look out.", kind, file, 3)

    assert errors.getvalue() == ""
    assert told == [("Look out.", kind, file, 3)]


def test_a_command_leaves_warnings_as_they_were(capsys):
    before = warnings.showwarning

    main(["version"])

    assert warnings.showwarning is before
    assert capsys.readouterr().err == ""
