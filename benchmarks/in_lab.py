"""What the notebook promises, measured in JupyterLab in Chromium: medians of rounds, beside their goals.

python -m benchmarks.in_lab [--rounds 3] [--only paint saved ...] [--json]

Page, kernel and tasks read one clock, since they are on one machine. Paint: from a press that runs a `%%flow` cell, the active
one as for a person who wrote it, to the frame that shows its panel, of 100 tasks and of 1,000 (as groups). Colour: from a
task's change of state to the frame that shows it, here and in a process of its own. Flood: a mapped task of 30,000 children
that do nothing; how long after its end the panel shows it, and the longest that the page shows no frame meanwhile. Resume:
from a click, beside a busy cell, to the task's first line; with JupyterLab's own subshells and without; and of a run in a
process of its own. Saved: from the notebook's first cell on the screen to five panels of 100 tasks, without a kernel.
Detached: from a press to the first task's first line, over a run of the kernel.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import statistics
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.large_panel import WATCH
from tests.acceptance.books import write_notebook
from tests.acceptance.lab import Notebook, running_browser, running_server, without_kernel
from tests.acceptance.test_saved_lab import FLOWS, TASKS, saved_notebook

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from tests.acceptance.lab import JupyterServer

#: What flowbook must reach, in ms.
GOALS = {
    "paint, 100 tasks": 300,
    "paint, 1,000 tasks": 1500,
    "colour": 100,
    "colour, other process": 300,
    "flood, shown after its end": 500,
    "flood, longest frame": 500,
    "resume, busy": 150,
    "resume, busy, JupyterLab without subshells": 150,
    "resume, other process": 500,
    "saved, five panels": 1000,
    "detached": 1000,
}
CHILDREN = 30_000
STEPS = """
import time
from flowbook import task, triggers

@task
def step(*, x=0, of=None):
    began = time.time()
    time.sleep(0.1)
    return began

@task
def nothing(x):
    return x

@task(trigger=triggers.manual_only)
def approve(x):
    return time.time()

def busy():
    print("begins", flush=True)
    while not Path("busy.go").exists():
        time.sleep(0.01)

from pathlib import Path
"""
#: When tasks began and ended, and the run, in ms since the epoch.
TOLD = """
import json
run = NAME.last_run
table = run.timeline()
print("told", json.dumps({
    "ended": (run.ended or 0) * 1000,
    "tasks": [[key, start.timestamp() * 1000, end.timestamp() * 1000]
              for key, start, end in zip(table.task.head(20), table.start.head(20), table.end.head(20))],
}))
"""
#: Notes the frame in which each node shows each state, in ms since the epoch.
NOTE = """(flow) => {
  window.shownAt = {};
  const look = () => {
    for (const node of document.querySelectorAll(`[data-flow="${flow}"] g.node`)) {
      window.shownAt[`${node.dataset.task} ${node.dataset.state}`] ??= Date.now();
    }
    window.noting = requestAnimationFrame(look);
  };
  look();
}"""
#: Makes a cell the active one, and returns once that is drawn.
ACTIVATE = """(cell) => {
  lab.current().content.activeCellIndex = lab.index(cell);
  return new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
}"""
#: Resumes what waits, and returns when.
CLICK = """() => {
  const button = document.querySelector('[data-flowbook="panel"] g.node [data-action="resume"]');
  button.dispatchEvent(new MouseEvent("click", { bubbles: true }));
  return Date.now();
}"""
#: Notes the longest time between two frames.
FRAMES = """() => {
  window.longest = 0;
  let last = performance.now();
  const look = () => {
    const now = performance.now();
    window.longest = Math.max(window.longest, now - last);
    last = now;
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}"""
#: Run before the page's own scripts: when the first cell was there, and when five panels were.
SAVED = """
(() => {
  let first = null;
  const look = () => {
    if (first === null && document.querySelector(".jp-Notebook .jp-Cell")) first = performance.now();
    const panels = [...document.querySelectorAll('[data-flowbook="panel"][data-live="saved"]')];
    if (panels.filter((panel) => panel.querySelector("g.node")).length === 5) window.savedTook = performance.now() - first;
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})()
"""


def paint(place: Place) -> Iterator[tuple[str, float]]:
    """Yield how long panels take to be there."""
    layers = "above = [step(of=n) for n in range(10)]\nfor _ in range({}):\n    above = [step(x=one) for one in above]"
    cells = {f"f{count}": f"%%flow f{count} --no-run\n{layers.format(count // 10 - 1)}" for count in (100, 1000)}
    with place.opened(cells) as notebook:
        for count in (100, 1000):
            yield f"paint, {count:,} tasks", _run(notebook, f"f{count}", "[data-flowbook=panel] g.node")


def colour(place: Place) -> Iterator[tuple[str, float]]:
    """Yield how long changes of state take to the screen: the median of ten tasks, one after another."""
    chain = "at = step()\nfor n in range(9):\n    at = step(x=at)"
    flows = {"here": f"%%flow here --executor threads\n{chain}", "apart": f"%%flow apart --detach\n{chain}"}
    with place.opened(flows | {f"told-{name}": TOLD.replace("NAME", name) for name in flows}) as notebook:
        for name, row in (("here", "colour"), ("apart", "colour, other process")):
            notebook.page.evaluate(NOTE, name)
            notebook.run_cell(name)
            notebook.wait_run("Success", name)
            notebook.page.evaluate("cancelAnimationFrame(window.noting)")
            shown = notebook.page.evaluate("window.shownAt")
            told = _told(notebook, f"told-{name}")
            yield row, statistics.median(shown[f"{key} Success"] - ended for key, _, ended in told["tasks"])


def flood(place: Place) -> Iterator[tuple[str, float]]:
    """Yield whether the page keeps up with very many changes of state."""
    flow = f"%%flow flood --executor threads\nnothing.map(list(range({CHILDREN})))"
    with place.opened({"flood": flow, "told": TOLD.replace("NAME", "flood")}) as notebook:
        notebook.page.evaluate(FRAMES)
        took = notebook.page.evaluate(
            WATCH, ["lab.runCell('flood')", "document.querySelector('[data-flowbook=panel][data-state=Success]')"]
        )
        shown, longest = notebook.page.evaluate("[Date.now(), window.longest]")
        told = _told(notebook, "told")
        yield "flood, changes a second", 2 * CHILDREN / (took / 1000)
        yield "flood, shown after its end", shown - told["ended"]
        yield "flood, longest frame", longest


def resume(place: Place) -> Iterator[tuple[str, float]]:
    """Yield how long a task takes to run after a click."""
    for setting, row in (("perCommTarget", "resume, busy"), ("disabled", "resume, busy, JupyterLab without subshells")):
        cells = {
            "flow": "%%flow waits --executor threads\napprove(step())",
            "busy": "busy()",
            "told": TOLD.replace("NAME", "waits"),
        }
        with place.opened(cells) as notebook:
            notebook.page.evaluate("setting => lab.setSubshells(setting)", setting)
            yield row, _resume(notebook, place, "flow", "busy")
    with place.opened(
        {"flow": "%%flow waits --detach\napprove(step())", "told": TOLD.replace("NAME", "waits")}
    ) as notebook:
        yield "resume, other process", _resume(notebook, place, "flow", None)


def saved(place: Place) -> Iterator[tuple[str, float]]:
    """Yield how long five saved panels take to be there."""
    if place.five is None:
        path = write_notebook(
            place.server.folder / "five.ipynb", {"extension": "%load_ext flowbook", "tasks": TASKS, **FLOWS}
        )
        notebook = Notebook(place.browser, place.server)
        notebook.open(path)
        place.five = without_kernel(saved_notebook(notebook))
        notebook.close()
    notebook = Notebook(place.browser, place.server)
    notebook.page.add_init_script(SAVED)
    notebook.open(place.five, kernel=False)
    notebook.page.wait_for_function("window.savedTook")
    yield "saved, five panels", notebook.page.evaluate("window.savedTook")
    notebook.close()


def detached(place: Place) -> Iterator[tuple[str, float]]:
    """Yield how much later the first task begins in a process of its own."""
    flows = {
        name: f"%%flow {name} {option}\nstep()"
        for name, option in (("here", "--executor threads"), ("apart", "--detach"))
    }
    began = {}
    with place.opened(flows | {f"told-{name}": TOLD.replace("NAME", name) for name in flows}) as notebook:
        for name in flows:
            asked = notebook.page.evaluate("name => { lab.runCell(name); return Date.now(); }", name)
            notebook.wait_run("Success", name)
            began[name] = _told(notebook, f"told-{name}")["tasks"][0][1] - asked
    yield "detached", began["apart"] - began["here"]
    yield "detached, until its first task", began["apart"]


ROWS = {each.__name__: each for each in (paint, colour, flood, resume, saved, detached)}


@dataclass
class Place:
    """Where to measure; `five` is the notebook with five saved panels, once it is written."""

    browser: Browser
    server: JupyterServer
    five: Path | None = None
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @contextlib.contextmanager
    def opened(self, cells: dict[str, str]) -> Iterator[Notebook]:
        """Open a notebook with a kernel and a store of its own, the tasks defined."""
        home = self.server.home / str(next(self._numbers))
        begin = f"import os\nos.environ['FLOWBOOK_HOME'] = {str(home)!r}\n%load_ext flowbook"
        path = write_notebook(self.server.folder / f"{home.name}.ipynb", {"begin": begin, "steps": STEPS, **cells})
        notebook = Notebook(self.browser, self.server)
        notebook.open(path)
        for cell in ("begin", "steps"):
            notebook.run_cell(cell)
            notebook.wait_idle()
        yield notebook
        notebook.close()


def _run(notebook: Notebook, cell: str, wanted: str) -> float:
    """Run a cell and return the ms until `wanted` was painted below it."""
    where = f"[data-lab-cell={notebook.page.evaluate('cell => lab.mark(cell)', cell)}]"
    notebook.page.evaluate(ACTIVATE, cell)
    took = notebook.page.evaluate(WATCH, [f"lab.runCell('{cell}')", f"document.querySelector('{where} :is({wanted})')"])
    notebook.wait_idle()
    return float(took)


def _told(notebook: Notebook, cell: str) -> dict[str, Any]:
    notebook.run_cell(cell)
    notebook.wait_idle()
    lines = notebook.output(cell).get_by_text("told {").inner_text()
    found: dict[str, Any] = json.loads(lines[lines.index("{") : lines.rindex("}") + 1])
    return found


def _resume(notebook: Notebook, place: Place, flow: str, busy: str | None) -> float:
    notebook.run_cell(flow)
    notebook.wait_state("approve", "Paused", flow)
    notebook.wait_idle()
    if busy:
        notebook.run_cell(busy)
        notebook.output(busy).get_by_text("begins").wait_for()
    clicked = notebook.page.evaluate(CLICK)
    notebook.wait_state("approve", "Success", flow)
    (place.server.folder / "busy.go").touch()
    notebook.wait_idle()
    (place.server.folder / "busy.go").unlink()
    notebook.wait_run("Success", flow)
    *_, began = (start for key, start, _ in _told(notebook, "told")["tasks"] if key == "approve")
    return float(began - clicked)


def measure(place: Place, rounds: int, only: list[str]) -> dict[str, float]:
    """Return the median of each figure."""
    found: dict[str, list[float]] = {}
    for name in only:
        for _ in range(rounds):
            for row, value in ROWS[name](place):
                print(f"{row:<44} {value:9.1f}", file=sys.stderr, flush=True)
                found.setdefault(row, []).append(value)
    return {row: statistics.median(values) for row, values in found.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=[*ROWS], default=[*ROWS])
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running_server(Path(folder)) as server, running_browser() as browser:
        found = measure(Place(browser, server), asked.rounds, asked.only)
    if asked.json:
        print(json.dumps(found))
        return
    for row, value in found.items():
        goal = GOALS.get(row)
        said = "" if goal is None else f"  goal {goal:,}  {'reached' if value <= goal else 'NOT reached'}"
        print(f"{row:<44} {value:9,.1f}{said}")


if __name__ == "__main__":
    main()
