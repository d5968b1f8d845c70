"""The harness itself, on a widget of five lines that keeps to the panel's contract with the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nbformat
import pytest

from tests.acceptance.lab import SCREENSHOTS, without_kernel

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.acceptance.lab import JupyterServer, Notebook

pytestmark = [pytest.mark.acceptance, pytest.mark.browser, pytest.mark.timeout(600)]

WIDGET = '''
import anywidget, threading, traitlets

ESM = """
export default {
  render({ model, el }) {
    el.dataset.flowbook = "panel";
    const node = document.createElement("div");
    node.dataset.task = "wait";
    const button = document.createElement("button");
    button.dataset.action = "resume";
    button.dataset.task = "wait";
    button.textContent = "Resume";
    button.addEventListener("click", () => model.send({ type: "resume" }));
    const paint = () => {
      el.dataset.state = node.dataset.state = node.textContent = model.get("state");
      button.setAttribute("aria-disabled", String(model.get("state") !== "Paused"));
    };
    model.on("change:state", paint);
    model.on("msg:custom", (states) => { for (const state of states) node.dataset.state = state; });
    el.append(node, button);
    paint();
  }
};
"""

class Panel(anywidget.AnyWidget):
    _esm = ESM
    state = traitlets.Unicode("Pending").tag(sync=True)

panel = Panel()
panel.on_msg(lambda *_: setattr(panel, "state", "Success"))
panel
'''


@pytest.fixture
def notebook_file(jupyter_server: JupyterServer, request: pytest.FixtureRequest) -> str:
    cells = [
        nbformat.v4.new_code_cell(WIDGET, id="widget"),
        nbformat.v4.new_markdown_cell("Between the cells", id="words"),
        nbformat.v4.new_code_cell(
            "panel.send(['Running', 'Retrying', 'Running', 'Paused']); panel.state = 'Paused'", id="pause"
        ),
        nbformat.v4.new_code_cell("print('seen as', panel.state)", id="ask"),
    ]
    name = f"{request.node.originalname}.ipynb"
    kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    content = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernelspec})
    nbformat.write(content, jupyter_server.folder / name)
    return name


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_cell_is_run_states_are_seen_and_a_click_reaches_the_kernel(
    open_notebook: Callable[..., Notebook], notebook_file: str, theme: str
) -> None:
    notebook = open_notebook(notebook_file, theme=theme)

    notebook.run_cell("widget")
    notebook.wait_state("wait", "Pending")
    notebook.run_cell(2)
    notebook.wait_state("wait", "Paused", cell="widget")
    notebook.wait_idle()
    paused = notebook.screenshot(f"harness-{theme}")
    notebook.click("resume", "wait")
    notebook.wait_run("Success")
    notebook.run_cell("ask")
    notebook.wait_idle()

    assert notebook.seen_states() == {"wait": ["Pending", "Running", "Retrying", "Running", "Paused", "Success"]}
    assert notebook.node("wait").inner_text() == "Success"
    assert notebook.output_text("ask") == "seen as Success"
    assert paused == SCREENSHOTS / f"harness-{theme}.png"
    assert paused.stat().st_size > 10_000


def test_all_cells_run_the_notebook_is_saved_and_a_restart_forgets(
    open_notebook: Callable[..., Notebook], notebook_file: str
) -> None:
    notebook = open_notebook(notebook_file)

    notebook.run_all()
    notebook.wait_idle()
    saved = nbformat.read(notebook.save(), as_version=4)
    notebook.restart_kernel()
    notebook.forget_states()
    notebook.run_cell("ask")
    notebook.wait_idle()

    assert saved.cells[3].outputs[0]["text"] == "seen as Paused\n"
    assert "NameError: name 'panel' is not defined" in notebook.output_text("ask")


def test_a_saved_notebook_opens_without_a_kernel(
    open_notebook: Callable[..., Notebook], notebook_file: str, jupyter_server: JupyterServer
) -> None:
    first = open_notebook(notebook_file)
    first.run_all()
    first.wait_idle()
    saved = without_kernel(first.save())

    second = open_notebook(saved.relative_to(jupyter_server.folder).as_posix(), kernel=False)

    assert second.output_text("ask") == "seen as Paused"


def test_an_error_in_the_console_and_a_request_to_somebody_else_are_noted(
    open_notebook: Callable[..., Notebook], notebook_file: str
) -> None:
    notebook = open_notebook(notebook_file)

    with notebook.page.expect_event("requestfailed"):
        notebook.page.evaluate("console.error('wrong'); fetch('http://127.0.0.2:9/').catch(() => 0)")
    errors, strangers = notebook.errors[:], notebook.strangers[:]
    notebook.errors.clear()
    notebook.strangers.clear()

    assert "wrong" in errors
    assert strangers == ["http://127.0.0.2:9/"]
