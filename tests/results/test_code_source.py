"""The source of functions, and the first line of it that is another one."""

from __future__ import annotations

import importlib.util

import pytest

from flowbook.results.code_source import ChangedLine, changed_line, read_sources, source_name, sources_of

BEFORE = """
def helper(x):
    return x

def work(x):
    # doubles it
    y = 2 * x

    return helper(y)
"""


@pytest.fixture
def module(tmp_path):
    count = 0

    def made(text):
        nonlocal count
        count += 1
        path = tmp_path / f"made{count}.py"
        path.write_text(text)
        spec = importlib.util.spec_from_file_location("made", path)
        found = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(found)
        return [found.work, found.helper]

    return made


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("y = 2 * x", "y = 3 * x", ChangedLine("work", 7, "y = 3 * x", "y = 2 * x")),
        ("return x", "return -x", ChangedLine("helper", 3, "return -x", "return x")),
        ("    y = 2 * x\n", "    y = 2 * x\n    y += 1\n", ChangedLine("work", 8, "y += 1", "return helper(y)")),
        ("    y = 2 * x\n", "", ChangedLine("work", 8, "return helper(y)", "y = 2 * x")),
        ("# doubles it", "# makes it twice as large", None),
        ("\n\n    return helper(y)", "\n    return helper(y)", None),
    ],
)
def test_the_first_line_that_does_something_else_is_found(module, old, new, line):
    assert old in BEFORE
    before, after = module(BEFORE), module(BEFORE.replace(old, new))

    found = changed_line(sources_of(before), sources_of(after), [source_name(each) for each in after])

    assert found == line


def test_what_has_no_source_and_what_is_very_long_is_left_out(module):
    namespace = {}
    exec("def unknown():\n    return 1", namespace)
    (long, _) = module("def work():\n    return 0\n" + "    #\n" * 2000 + "\ndef helper():\n    return 1\n")
    (many, _) = module("def work():\n" + "    x = 1\n" * 1000 + "    return x\n\ndef helper():\n    return 1\n")

    assert sources_of([namespace["unknown"], many]) == {}
    assert list(sources_of([long])) == ["made:work"]


def test_sources_come_back_from_json():
    assert read_sources({"a:f": [3, "def f(): ..."], "b:g": "odd", "c:h": [1]}) == {"a:f": (3, "def f(): ...")}
