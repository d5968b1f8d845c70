from __future__ import annotations

import pytest

from tests.homes import home  # noqa: F401  # each test's own store
from tests.scripts import start

CLASSES = """
import collections, enum, sys
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple
import flowbook
from flowbook import Flow, task
from flowbook.results import Result

class Colour(enum.Enum):
    RED = 1
class Level(enum.IntFlag):
    LOW = 1
@dataclass(frozen=True)
class Point:
    x: int
class Pair(NamedTuple):
    a: int
Old = collections.namedtuple("Old", "a")
class Outer:
    class Inner(enum.Enum):
        A = "a"
class Row:
    scale = 1
    def __init__(self, n): self.n = n
    def __eq__(self, other): return type(other) is Row and other.n == self.n
    def __hash__(self): return hash(self.n)

def values():
    return [Colour.RED, Level.LOW, Point(1), Pair(1), Old(1), Outer.Inner.A, Row(1)]

@task(cache_for=timedelta(days=1))
def cached(): return values()
@task(target="out.bin", result=Result("."))
def written(): return values()
@task
def compared(found):
    live = dict.fromkeys(values())
    return [(each in live, isinstance(each, type(own)), each == own) for each, own in zip(found, values())]
with Flow("f") as flow:
    made = {"cached": cached(), "written": written()}
    answers = {name: compared(each) for name, each in made.items()}
found = []
if sys.argv[1] == "later":
    found.append(compared.run(flow.as_of("2100-01-01")["cached"]))
state = flow.run(record=True)
found += [state.result[each].result for each in answers.values()]
found.append(compared.run(flowbook.run(flow.last_run.run_id).states["cached"].result))
print([type(state.result[each]).__name__ for each in made.values()], *sorted({str(one) for each in found for one in each}))
"""


def test_a_class_of_a_script_is_its_own_class_when_read_in_another_process(home, tmp_path):  # noqa: F811, ARG001
    first, _ = start(CLASSES, tmp_path, "first", cwd=tmp_path).communicate()
    later, _ = start(CLASSES, tmp_path, "later", cwd=tmp_path).communicate()

    assert first == "['Cached', 'Success'] (True, True, True)\n"
    assert later == "['Cached', 'Cached'] (True, True, True)\n"


def test_a_class_of_another_definition_is_not_taken_for_the_one_that_was_stored(home, tmp_path):  # noqa: F811, ARG001
    text = CLASSES.replace("print(", "print(type(state.result[made['cached']].result[-1]).scale, ")
    start(text, tmp_path, "first", cwd=tmp_path).communicate()
    later, _ = start(text.replace("scale = 1", "scale = 2"), tmp_path, "later", cwd=tmp_path).communicate()

    assert later == "1 ['Cached', 'Cached'] (False, False, False) (True, True, True)\n"


POOL = """
import multiprocessing, sys
import flowbook
from flowbook import Flow, task, triggers

class Row:
    def __init__(self, n): self.n = n
def work(row): return Row(row.n * 2)
@task(trigger=triggers.manual_only)
def approve(): pass
@task
def spread(method):
    with multiprocessing.get_context(method).Pool(2) as pool:
        return [row.n for row in pool.map(work, [Row(1), Row(2)])]
if __name__ == "__main__":
    with Flow("f") as flow:
        spread(sys.argv[1], upstream_tasks=[approve()])
    flow.run(record=True)
    print(flow.last_run.run_id)
"""

RESUME = """
import sys
import flowbook

if __name__ == "__main__":
    run = flowbook.run(sys.argv[1])
    run.resume("approve")
    run.wait(60)
    print(run["spread"].result)
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_flow_read_from_the_store_may_use_a_pool_of_processes(method, home, tmp_path):  # noqa: F811, ARG001
    run_id, _ = start(POOL, tmp_path, method).communicate()
    printed, _ = start(RESUME, tmp_path, run_id.strip()).communicate()

    assert printed == "[2, 4]\n"
