"""What a large store costs whoever watches: ms from a key to what is painted, in JupyterLab, beside 100 runs and 20,000.

python -m benchmarks.large_panel [--runs 20000] [--events 50] [--rounds 5] [--pictures FOLDER] [--json]

A page and a kernel each round and store, in turn; needs Chromium and the project's development environment. About two
minutes, 20 s of it for the stores.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.large_store import MINUTE, PROJECT, fill, tell
from flowbook.store import open_store
from tests.acceptance.books import write_notebook
from tests.acceptance.lab import Notebook, running_browser, running_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from tests.acceptance.lab import JupyterServer

FLOW = """
%%flow small
a = step(0)
b = step(a)
c = step(b)
"""
TASK = """
from flowbook import task


@task
def step(x):
    return x
"""
CELLS = {
    "task": TASK,
    "flow": FLOW,
    "runs": "%flow",
    "resume": "%flow resume",
    "cache": "%cache",
    "pause": "%flow show run-7",
}
#: Resolves with the ms from an act to the frame in which what it leads to was painted.
WATCH = """
([act, wanted]) => new Promise((resolve) => {
  const isThere = new Function(`return (${wanted})`);
  const begin = performance.now();
  const look = () => isThere() ? requestAnimationFrame(() => resolve(performance.now() - begin)) : requestAnimationFrame(look);
  new Function(act)();
  look();
})
"""
CACHE = "document.querySelector('[data-flowbook=cache]')"
#: What the kernel's answer changes; the view itself follows the hand at once.
SAID = f"{CACHE}?.querySelector('.name + span b')?.textContent"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20_000)
    parser.add_argument("--events", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pictures", type=Path, help="keep pictures of the large store here, light and dark")
    parser.add_argument("--json", action="store_true", help="one line of JSON after the table")
    given = parser.parse_args()
    found: dict[str, dict[int, list[float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        os.environ["FLOWBOOK_KEY_FILE"], os.environ["FLOWBOOK_PROJECT"] = f"{folder}/key", PROJECT
        for runs in (100, given.runs):
            with open_store(f"{folder}/{runs}") as store:
                fill(store, runs, given.events, time.time() - runs * MINUTE)
        with running_server(Path(folder) / "lab") as server, running_browser() as browser:
            for _ in range(given.rounds):
                for runs in (100, given.runs):
                    for name, took in _round(browser, server, Path(folder), runs):
                        print(f"{runs:>8,}  {name:32} {took:8.0f} ms", file=sys.stderr, flush=True)
                        found.setdefault(name, {}).setdefault(runs, []).append(took)
            if given.pictures:
                _keep_pictures(browser, server, Path(folder), given.runs, given.pictures)
    tell("large_panel", given.runs, found, as_json=given.json)


def _round(browser: Browser, server: JupyterServer, folder: Path, runs: int) -> Iterator[tuple[str, float]]:
    """Yield what each act took, in a new kernel."""
    notebook = _opened(browser, server, folder, runs)
    yield "%%flow to the panel", _run(notebook, "flow", "[data-flowbook=panel] g.node")
    yield "... the run's end on the screen", _run(notebook, "flow", "[data-flowbook=panel][data-state=Success]")
    yield "%flow to the table", _run(notebook, "runs", "table.dataframe")
    yield "%flow resume to the first panel", _run(notebook, "resume", "[data-flowbook=panel] g.node")
    yield "%cache to the rows", _run(notebook, "cache", "[data-flowbook=cache][data-live=live] tr[data-entry]")
    notebook.page.locator("[data-flowbook=cache] [role=slider]").focus()
    for name, key in (("slider, a little", "ArrowLeft"), ("slider, far", "PageDown"), ("slider, to its begin", "Home")):
        yield name, _move(notebook, key)
    notebook.close()


def _opened(browser: Browser, server: JupyterServer, folder: Path, runs: int, theme: str = "light") -> Notebook:
    """Open a notebook beside a copy of the store, so that all rounds begin alike."""
    home = folder / "home"
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(folder / str(runs), home)
    settings = {"HOME": home, "KEY_FILE": folder / "key", "PROJECT": PROJECT}
    begin = [f"os.environ['FLOWBOOK_{name}'] = {str(value)!r}" for name, value in settings.items()]
    write_notebook(
        server.folder / "large.ipynb", {"begin": "\n".join(["import os", *begin, "%load_ext flowbook"]), **CELLS}
    )
    notebook = Notebook(browser, server)
    notebook.open("large.ipynb", theme=theme)  # type: ignore[arg-type]  # one of the two
    for cell in ("begin", "task"):
        notebook.run_cell(cell)
        notebook.wait_idle()
    return notebook


def _run(notebook: Notebook, cell: str, wanted: str) -> float:
    """Run a cell and return when `wanted` was painted below it; then wait until nothing goes on."""
    where = f"[data-lab-cell={notebook.page.evaluate('cell => lab.mark(cell)', cell)}]"
    notebook.page.evaluate("cell => { lab.current().content.widgets[lab.index(cell)].model.clearExecution() }", cell)
    notebook.page.wait_for_function("where => !document.querySelector(where)", arg=f"{where} .jp-OutputArea-output")
    took = notebook.page.evaluate(WATCH, [f"lab.runCell('{cell}')", f"document.querySelector('{where} :is({wanted})')"])
    notebook.wait_idle()
    return float(took)


def _move(notebook: Notebook, key: str) -> float:
    """Press a key on the slider; return when what the kernel answered was painted."""
    said = json.dumps(notebook.page.evaluate(f"() => {SAID}"))
    press = f"{CACHE}.querySelector('[role=slider]').dispatchEvent(new KeyboardEvent('keydown', {{key: '{key}', bubbles: true}}))"
    return float(notebook.page.evaluate(WATCH, [press, f"{SAID} !== {said}"]))


def _keep_pictures(browser: Browser, server: JupyterServer, folder: Path, runs: int, pictures: Path) -> None:
    pictures.mkdir(parents=True, exist_ok=True)
    for theme in ("light", "dark"):
        notebook = _opened(browser, server, folder, runs, theme)
        for cell, wanted in (("flow", "panel"), ("runs", None), ("resume", "panel"), ("cache", "cache")):
            notebook.run_cell(cell)
            if wanted:
                notebook.output(cell).locator(f"[data-flowbook={wanted}][data-live]").first.wait_for()
            notebook.wait_idle()
            shutil.copy(notebook.screenshot(f"large-{cell}-{theme}", notebook.output(cell)), pictures)
        slider = notebook.page.locator("[data-flowbook=cache] [role=slider]")
        slider.focus()
        for _ in range(4):
            _move(notebook, "PageDown")
        shutil.copy(notebook.screenshot(f"large-moved-{theme}", notebook.output("cache")), pictures)
        notebook.close()


if __name__ == "__main__":
    main()
