"""`make demo`: the quickstart without a screen, to its pause, and from there to its end in another kernel.

Everything it makes lies in artifacts/demo (the store, the published file), but for demo.html. Uses public names only.
"""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
from rich import box
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from flowbook import FlowRun

REPOSITORY = Path(__file__).parents[1]
QUICKSTART = REPOSITORY / "notebooks" / "quickstart.ipynb"
FOLDER = Path(os.environ.get("FLOWBOOK_DEMO_FOLDER", REPOSITORY / "artifacts" / "demo"))
PAGE = Path(os.environ.get("FLOWBOOK_DEMO_PAGE", REPOSITORY / "demo.html"))
#: The last cell that the first kernel runs: by then the flow waits for its approval.
PAUSE_CELL = "report"
RESUME_TEXT = """
*From here on another kernel runs the cells: the first one has ended, and the run was waiting in the store.*
"""
RESUME_CODE = """
import pandas as pd

import flowbook

%load_ext flowbook
%flow resume delays
"""
CELL_TIMEOUT_S = 120
#: The run's own events have no task's key.
RUN = ""
#: What a state looks like in the terminal; the word is always there too.
STYLES = {"Success": "green", "Mapped": "green", "Cached": "cyan", "Paused": "yellow", "Retrying": "magenta"}


class UnexpectedError(Exception):
    """The demo did not go as the quickstart says."""


@dataclass
class Passage:
    """What a task went through in a run."""

    state: str = "Pending"
    attempts: int = 0
    began: float | None = None
    ended: float | None = None

    @property
    def duration(self) -> str:
        """From the first start to the end, waiting between attempts included."""
        if self.began is None or self.ended is None:
            return ""
        return f"{self.ended - self.began:.2f} s"


def main() -> int:
    """Run the demo; 0 if all went as the quickstart says."""
    console = Console()
    try:
        _show(console)
    except UnexpectedError as error:
        console.print(f"[bold red]The demo failed.[/] {error}")
        return 1
    return 0


def _show(console: Console) -> None:
    _begin_anew(FOLDER)
    import flowbook  # noqa: PLC0415  # after FLOWBOOK_HOME is set

    before, after = _split(nbformat.read(QUICKSTART, as_version=4))

    console.print(f"[bold]1. A kernel runs[/] {QUICKSTART.relative_to(REPOSITORY)} [bold]as far as it goes.[/]")
    _execute(before)
    waiting = _newest_run(flowbook.runs("delays"))
    _expect_paused(waiting)
    earlier = _passages(waiting)
    console.print(_table(waiting, "It waits for an approval, and its kernel has ended"))
    console.print("\n[bold]What is to be approved[/]", waiting["summarise"].result.to_string(), sep="\n")

    console.print("\n[bold]2. Another kernel resumes it.[/]")
    _execute(after)
    run = _newest_run(flowbook.runs("delays"))
    _expect_finished(waiting, earlier, run)
    console.print(_table(run, "Only approve and publish were run"))
    published = Path(run["publish"].result)
    console.print(f"[bold]Published:[/] {_nearby(published)}")

    flights = run["load_flights"].result
    console.print(
        f"\n[bold]3. The output of load_flights, kept for a day:[/] {len(flights):,} rows. The first of them:"
    )
    console.print(flights.head().to_string())

    _write_page([*before.cells, *after.cells], before.metadata, PAGE)
    console.print(f"\n[bold]4. The notebook as it ran, with its graph:[/] {_nearby(PAGE)}")
    console.print("To see it live and press Resume yourself: [bold]make lab[/], then open quickstart.ipynb.")


def _begin_anew(folder: Path) -> None:
    """Empty the demo's folder and let flowbook, here and in the kernels, keep all it keeps there."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.environ["FLOWBOOK_HOME"] = str(folder / "store")
    os.environ["IPYTHONDIR"] = str(folder / "ipython")


def _split(notebook: nbformat.NotebookNode) -> tuple[nbformat.NotebookNode, nbformat.NotebookNode]:
    """Return the notebook's cells up to the pause, and those after it with the resume before them."""
    ids = [cell.id for cell in notebook.cells]
    cut = ids.index(PAUSE_CELL) + 1
    resume = [
        nbformat.v4.new_markdown_cell(RESUME_TEXT.strip(), id="other-kernel"),
        nbformat.v4.new_code_cell(RESUME_CODE.strip(), id="resume"),
    ]
    before = nbformat.v4.new_notebook(cells=notebook.cells[:cut], metadata=notebook.metadata)
    after = nbformat.v4.new_notebook(cells=resume + notebook.cells[cut:], metadata=notebook.metadata)
    return before, after


def _execute(notebook: nbformat.NotebookNode) -> None:
    """Run all cells in a kernel of their own, in the demo's folder."""
    from nbclient import NotebookClient  # noqa: PLC0415  # heavy
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError  # noqa: PLC0415

    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT_S,
        kernel_name="python3",
        extra_arguments=["--IPKernelApp.log_level=40"],
        resources={"metadata": {"path": str(FOLDER)}},
    )
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        raise UnexpectedError(f"A cell of the quickstart did not run:\n{error}") from error
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            # A magic that is used wrongly says so, but its cell counts as run.
            if output.output_type == "stream" and "UsageError" in output.text:
                raise UnexpectedError(f"Cell {cell.id!r} of the quickstart was refused:\n{output.text}")


def _newest_run(runs: pd.DataFrame) -> FlowRun:
    import flowbook  # noqa: PLC0415  # as in _show

    if len(runs) != 1:
        raise UnexpectedError(f"The store should hold one run of 'delays' but holds {len(runs)}. Look into {FOLDER}.")
    return flowbook.run(runs["run_id"].iloc[-1])


def _expect_paused(run: FlowRun) -> None:
    _expect("the run", run.state, "Paused")
    _expect("approve", run["approve"], "Paused")
    _expect("publish", run["publish"], "Pending")
    _expect("load_flights", run["load_flights"], "Cached")
    attempts = _passages(run)["fetch_airlines"].attempts
    if attempts != 2:  # the first fails, the second does not
        raise UnexpectedError(f"fetch_airlines should succeed on its second attempt but took {attempts}.")


def _expect_finished(waiting: FlowRun, earlier: dict[str, Passage], run: FlowRun) -> None:
    if run.run_id != waiting.run_id:
        raise UnexpectedError(f"Run {waiting.run_id} should have gone on, but {run.run_id} was begun.")
    _expect("the run", run.state, "Success")
    _expect("approve", run["approve"], "Success")
    _expect("publish", run["publish"], "Success")
    later = _passages(run)
    again = {key for key in later if key != RUN and later[key].attempts > earlier.get(key, Passage()).attempts}
    if again != {"approve", "publish"}:
        raise UnexpectedError(f"Resume should run approve and publish, and nothing else, but it ran {sorted(again)}.")
    if not Path(run["publish"].result).is_file():
        raise UnexpectedError(f"publish succeeded, but there is no file {run['publish'].result}.")


def _expect(what: str, state: object, name: str) -> None:
    if type(state).__name__ != name:
        reason = getattr(state, "message", None) or "without a message"
        raise UnexpectedError(f"{what} should be {name} but is {type(state).__name__}: {reason}")


def _passages(run: FlowRun) -> dict[str, Passage]:
    """Return what each task, and each child of a mapped one, went through; in order of their first event."""
    passages: dict[str, Passage] = {}
    for event in run.events():
        state = getattr(event, "state", None)
        if state is None:
            continue
        passage = passages.setdefault(event.key, Passage())
        passage.state = type(state).__name__
        if passage.state == "Running":
            passage.attempts += 1
            passage.began = passage.began or event.at
        elif state.is_finished() and passage.state != "Cached":
            passage.ended = event.at
    return passages


def _table(run: FlowRun, title: str) -> Table:
    passages = _passages(run)
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for name, justify in (("task", "left"), ("state", "left"), ("attempts", "right"), ("time", "right")):
        table.add_column(name, justify=justify)
    for key in run.graph.specs:
        passage = passages.get(key, Passage())
        children = [each for name, each in passages.items() if name.startswith(f"{key}[")]
        done = sum(each.state == "Success" for each in children)
        word = f"{passage.state}, {done} of {len(children)} Success" if children else passage.state
        attempts = passage.attempts or sum(each.attempts for each in children)
        table.add_row(
            key,
            f"[{STYLES.get(passage.state, 'default')}]{word}[/]",
            str(attempts or ""),
            _span(children) if children else passage.duration,
        )
    return table


def _span(children: Iterable[Passage]) -> str:
    ran = [each for each in children if each.began is not None and each.ended is not None]
    if not ran:
        return ""
    return Passage(began=min(each.began or 0 for each in ran), ended=max(each.ended or 0 for each in ran)).duration


def _write_page(cells: list[nbformat.NotebookNode], metadata: nbformat.NotebookNode, page: Path) -> None:
    """Write the executed cells as one HTML file that asks nobody for anything.

    The template's scripts for formulas, diagrams and widgets come from elsewhere, and none of these is in the page.
    """
    from jinja2 import DictLoader  # noqa: PLC0415  # heavy, as the exporter is
    from nbconvert import HTMLExporter  # noqa: PLC0415

    blocks = ("html_head_js_requirejs", "html_head_js_mathjax", "html_head_js_mermaidjs", "jupyter_widgets")
    plain = "{% extends 'lab/index.html.j2' %}" + "".join(f"{{% block {name} %}}{{% endblock %}}" for name in blocks)
    exporter = HTMLExporter(
        template_file="plain.html.j2", extra_loaders=[DictLoader({"plain.html.j2": plain})], embed_images=True
    )
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={**metadata, "title": "flowbook: the quickstart"})
    notebook.metadata.pop("widgets", None)
    html, _resources = exporter.from_notebook_node(notebook)
    if "<svg" not in html and "data:image/" not in html:
        raise UnexpectedError("The executed notebook has no picture of its graph.")
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(html, encoding="utf-8")


def _nearby(path: Path) -> Path:
    return path.relative_to(REPOSITORY) if path.is_relative_to(REPOSITORY) else path


if __name__ == "__main__":
    sys.exit(main())
