"""What the notebook promises that no browser is needed to measure: medians of rounds, beside their goals.

python -m benchmarks.in_kernel [--rounds 5] [--json]

In processor time of this process, since each of them computes and waits for nothing.

Plan: `flow.plan()` of 1,000 recorded tasks, with predicted hits. Incremental: a `%%flow --incremental` cell of 1,000 tasks after
one function was edited, over the same cell with nothing edited; and the whole cell, which writes, records and looks up 1,000
tasks of three functions, or each of its own; and what IPython alone takes for 1,000 such lines. Progress: 100,000 reports in a
task, beside a loop with tqdm outside. Page: a page of a frame of 1,000,000 rows, sorted, after the first. Flood: a panel of a
recorded run with 100,000 changes of state: how long after the last one all is sent, and how many messages and changes there are a
second of wall-clock time. Code: what a page is sent of the views.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from IPython.core.interactiveshell import InteractiveShell

#: What flowbook must reach: the unit, and the most.
GOALS = {
    "plan": ("s", 0.3),
    "incremental": ("s", 0.2),
    "progress": ("ratio", 1.05),
    "page": ("ms", 50),
    "flood, behind": ("ms", 100),
    "flood, messages": ("/s", 30),
    "code, widget": ("kB", 80),
    "code, JupyterLab": ("kB", 80),
    "code, report": ("kB", 80),
}
#: Of figures without a goal.
UNITS = {"flood, changes": "/s", "code, JupyterLab, all of it": "kB"}
_TASKS = 1_000
_REPORTS = 100_000
_CHILDREN = 50_000
_DEFINITIONS = """
from flowbook import task

@task
def first(number):
    return number

@task
def step(number):
    return number + 1

@task
def last(number):
    return number * FACTOR
"""
_BODY = """
above = [first(n) for n in range(10)]
for layer in range(98):
    above = [step(one) for one in above]
for one in above:
    last(one)
"""


def plan() -> dict[str, float]:
    """Return how long a plan of recorded tasks takes, with what it predicts."""
    from flowbook import Flow, task  # noqa: PLC0415  # after the store's place is known

    @task
    def step(number: int) -> int:
        return number + 1

    with Flow("planned", cache="incremental") as flow:
        above = [step(n) for n in range(10)]
        for _ in range(_TASKS // 10 - 1):
            above = [step(one) for one in above]
    flow.run(record=True)
    begin = time.process_time()
    found = flow.plan()
    took = time.process_time() - begin
    assert len(found.keys("hit")) == _TASKS, found.summary()
    return {"plan": took}


def incremental() -> dict[str, float]:
    """Return what running the cell again costs after an edit, over running it with nothing edited."""
    shell = _shell()
    cell = f"%%flow edited --incremental --quiet\n{_BODY}"
    took = {}
    for name, factor in (("first", 1), ("nothing", 1), ("edited", 2)):
        _run(shell, _DEFINITIONS.replace("FACTOR", str(factor)))
        begin = time.process_time()
        _run(shell, cell)
        took[name] = time.process_time() - begin
    return {"incremental": took["edited"] - took["nothing"], "incremental, the whole cell": took["edited"]}


def incremental_many() -> dict[str, float]:
    """Return what the cell costs after an edit if each of its tasks has a function of its own, and what IPython alone takes."""
    shell = _shell()
    names = range(_TASKS)
    definitions = "from flowbook import task\n\ndef scale(x):\n    return 2 * x\n" + "".join(
        f"@task\ndef t{n}(x):\n    return scale(x) + {n}\n" for n in names
    )
    body = "x0 = t0(1)\n" + "".join(f"x{n} = t{n}(x{(n - 1) // 3})\n" for n in names[1:])
    took = 0.0
    for edit in range(3):
        _run(shell, definitions.replace("+ 900\n", f"+ 900 + {edit}\n"))
        begin = time.process_time()
        _run(shell, f"%%flow many --incremental --quiet\n{body}")
        took = time.process_time() - begin
    _run(shell, "".join(f"def t{n}(x): return x\n" for n in names))
    begin = time.process_time()
    _run(shell, body)
    return {"incremental, 1,000 functions": took, "incremental, IPython alone": time.process_time() - begin}


def progress() -> dict[str, float]:
    """Return the time of a loop that reports in a task over that of a loop with tqdm."""
    from tqdm import tqdm  # type: ignore[import-untyped]  # noqa: PLC0415

    import flowbook  # noqa: PLC0415
    from flowbook import Flow, task  # noqa: PLC0415

    taken: dict[str, float] = {}

    def loop(of: Callable[[range], object]) -> float:
        begin = time.process_time()
        total = 0
        for number in of(range(_REPORTS)):  # type: ignore[attr-defined]  # both give an iterator
            total += number * number % 7
        return time.process_time() - begin

    @task
    def counts() -> None:
        taken["here"] = loop(flowbook.progress)

    with Flow("counted") as flow:
        counts()
    flow.run(record=True)
    with contextlib.redirect_stderr(io.StringIO()):
        taken["tqdm"] = loop(lambda over: tqdm(over, file=io.StringIO()))
    return {"progress": taken["here"] / taken["tqdm"]}


def flood() -> dict[str, float]:
    """Return how long after 100,000 changes of state a panel has sent the last of them, and how many messages it sent."""
    from flowbook import Flow, task  # noqa: PLC0415
    from flowbook.notebook.panel_session import PanelSession  # noqa: PLC0415

    @task
    def nothing(number: int) -> int:
        return number

    with Flow("flood") as flow:
        nothing.map(list(range(_CHILDREN)))
    begin = time.perf_counter()
    run = flow.start(record=True)
    session = PanelSession(run)
    sent: list[object] = []
    session.listen(sent.append)
    session.start()
    run.wait()
    ended = time.perf_counter()
    session.drain()
    behind = time.perf_counter() - ended
    session.close()
    return {
        "flood, behind": behind * 1000,
        "flood, messages": len(sent) / (ended - begin),
        "flood, changes": 2 * _CHILDREN / (ended - begin),
    }


def page() -> dict[str, float]:
    """Return the slowest of some pages of a large frame, after the first."""
    import numpy as np  # noqa: PLC0415
    import pandas as pd  # noqa: PLC0415

    from flowbook.results.frame_pager import FramePager  # noqa: PLC0415

    rows = 1_000_000
    numbers = np.random.default_rng(7)
    frame = pd.DataFrame({"a": numbers.integers(0, 1000, rows), "b": numbers.random(rows)})
    pages = FramePager(frame)
    taken = []
    for offset in (0, 500_000, 999_900, 100):
        begin = time.process_time()
        pages.page(offset, sort="b")
        taken.append(time.process_time() - begin)
    return {"page": max(taken[1:]) * 1000}


def code() -> dict[str, float]:
    """Return what a page is sent of the views, in kB."""
    from flowbook.notebook import assets  # noqa: PLC0415
    from flowbook.notebook.kept_run import packed  # noqa: PLC0415
    from flowbook.notebook.views_code import pack, pack_lab  # noqa: PLC0415

    static = Path(assets.__file__).with_name("static")
    panel = assets.read_assets("panel")
    report = (
        assets.read_report_script() + assets.read_report_sheet() + packed(assets.read_views("panel", "host_report"))
    )
    return {
        "code, widget": (len(panel.esm) + len(panel.parts)) / 1000,
        "code, JupyterLab": len(pack(assets.read_views("panel", "host_lab"))) / 1000,
        "code, JupyterLab, all of it": (len(pack_lab(static)) + len(panel.esm)) / 1000,
        "code, report": len(report) * 3 / 4 / 1000,
    }


def _shell() -> InteractiveShell:
    from IPython.core.interactiveshell import InteractiveShell  # noqa: PLC0415

    from flowbook.notebook import extension  # noqa: PLC0415

    shell = InteractiveShell()
    extension.load(shell)
    return shell


def _run(shell: InteractiveShell, source: str) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        shell.run_cell(source).raise_error()


def measure(rounds: int) -> dict[str, float]:
    """Return the median of each figure."""
    found: dict[str, list[float]] = {}
    for work in (plan, incremental, incremental_many, progress, page, flood, code):
        for _ in range(rounds):
            for name, value in work().items():
                found.setdefault(name, []).append(value)
    return {name: statistics.median(values) for name, values in found.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["FLOWBOOK_HOME"] = str(Path(folder) / "home")
        os.environ["FLOWBOOK_KEY_FILE"] = str(Path(folder) / "key")
        found = measure(asked.rounds)
    if asked.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        unit, goal = GOALS.get(name) or (UNITS.get(name, "s"), None)
        said = "" if goal is None else f"  goal {goal:g}  {'reached' if value <= goal else 'NOT reached'}"
        print(f"{name:<28} {value:8.3f} {unit}{said}")


if __name__ == "__main__":
    main()
