"""Flows are found in Python files, which are run once for it."""

from __future__ import annotations

import pickle
import sys

import pytest

from flowbook.core.flow_files import flow_at, read_flow_file, split_location
from flowbook.exceptions import DefinitionError

TWO = """
from dataclasses import dataclass

from flowbook import Flow, flow, task

@dataclass
class Row:
    number: int

@task
def load():
    return Row(1)

@flow
def nightly():
    load()

again = nightly

with Flow("hourly"):
    load()

with Flow("weekly") as weekly:
    load()
"""
ONE = "from flowbook import flow\n\n@flow\ndef nightly():\n    pass\n"


@pytest.fixture(autouse=True)
def _modules_and_path_as_before():
    modules, path = dict(sys.modules), list(sys.path)
    yield
    for name in set(sys.modules) - set(modules):
        del sys.modules[name]
    sys.path[:] = path


@pytest.fixture
def write(tmp_path):
    def write_file(text, name="flows_of_mine.py"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write_file


def test_the_flows_at_the_top_level_of_a_file_are_found_by_their_names(write):
    file = read_flow_file(write(TWO))

    assert [flow.name for flow in file.flows] == ["nightly", "weekly"]
    assert (file.flow("weekly").name, file.flow("again").name) == ("weekly", "nightly")


def test_a_changed_file_is_run_anew_and_has_another_digest(write):
    path = write(ONE)

    before = read_flow_file(path)
    write(ONE.replace("nightly", "daily"))
    after = read_flow_file(path)

    assert (before.flow().name, after.flow().name, before.digest == after.digest) == ("nightly", "daily", False)


def test_a_file_may_import_what_lies_beside_it_and_leaves_the_path_as_it_was(write):
    write("NAME = 'from beside'\n", "module_beside.py")
    path = write("import module_beside\nfrom flowbook import Flow\nit = Flow(module_beside.NAME)\n")
    before = list(sys.path)

    file = read_flow_file(path)

    assert (file.flow().name, sys.path) == ("from beside", before)


def test_a_flow_at_a_location_finds_what_lies_beside_it_later_too(write, tmp_path):
    path = write(ONE)

    flow = flow_at(f"{path}:nightly")

    assert (flow.name, sys.path[0]) == ("nightly", str(tmp_path))
    assert flow_at(str(path)).name == "nightly"


@pytest.mark.parametrize(
    ("location", "parts"),
    [
        ("flows.py:nightly", ("flows.py", "nightly")),
        ("flows.py", ("flows.py", None)),
        ("/a:b/flows.py", ("/a:b/flows.py", None)),
        ("C:\\flows.py:nightly", ("C:\\flows.py", "nightly")),
    ],
)
def test_a_location_is_a_file_and_a_name(location, parts):
    assert split_location(location) == parts


def test_what_stands_under_main_does_not_run(write):
    path = write(ONE + "\nif __name__ == '__main__':\n    raise SystemExit('ran')\n")

    assert read_flow_file(path).flow().name == "nightly"


def test_a_class_of_the_file_pickles_by_its_name(write):
    file = read_flow_file(write(TWO))
    row = sys.modules["flows_of_mine"].Row(3)

    assert (pickle.loads(pickle.dumps(row)), type(row).__module__, len(file.flows)) == (row, "flows_of_mine", 2)


@pytest.mark.parametrize("name", ["queue.py", "flowbook.py", "pytest.py", "my flows.py"])
def test_a_file_with_the_name_of_a_module_takes_its_place_from_none(write, name):
    before = sys.modules.get(name.removesuffix(".py"))

    file = read_flow_file(write(ONE, name))

    assert (file.flow().name, sys.modules.get(name.removesuffix(".py"))) == ("nightly", before)


WRONG = {
    "a name that isn't there": (TWO, "daily", "{file} holds no flow named 'daily'. Those in it: 'nightly', 'weekly'."),
    "no name where there are two": (
        TWO,
        None,
        "{file} holds 2 flows: 'nightly', 'weekly'. Say which: give its name too.",
    ),
    "a name twice": (
        f"{ONE}\nfirst = nightly\n{ONE}",
        "nightly",
        "{file} holds 2 flows named 'nightly'. Give each a name of its own.",
    ),
    "no flow": (
        "x = 1\n",
        None,
        "{file} holds no flow. Give the file that makes it, at its top level: `with Flow(...)` or `@flow`.",
    ),
    "an error": (
        "def f():\n    return 1 / 0\n\n\nf()\n",
        None,
        "{file} can't be run: ZeroDivisionError: division by zero (line 2). Give a Python file that makes the flow.",
    ),
    "an error of flowbook's": (
        "from flowbook import Flow\n\nFlow(5)\n",
        None,
        "{file}, line 3: Flow name 5 isn't a name. Give a text, e.g. Flow('delays').",
    ),
    "no Python": (
        "x = = 1\n",
        None,
        (
            "{file} can't be run: SyntaxError: invalid syntax (flows_of_mine.py, line 1). "
            "Give a Python file that makes the flow."
        ),
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_file_without_the_flow_says_what_there_is(case, write):
    text, name, message = WRONG[case]
    path = write(text)

    with pytest.raises(DefinitionError) as caught:
        read_flow_file(path).flow(name)

    assert str(caught.value) == message.format(file=path)


def test_a_file_that_fails_leaves_no_module_behind(write):
    with pytest.raises(DefinitionError):
        read_flow_file(write("1 / 0"))

    assert "flows_of_mine" not in sys.modules


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DefinitionError) as caught:
        read_flow_file(tmp_path / "none.py")

    assert str(caught.value) == (
        f"{tmp_path / 'none.py'} can't be read: No such file or directory. Give the Python file that makes the flow."
    )
