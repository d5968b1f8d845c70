"""Takes the pictures of README: the quickstart's panel while a task waits, in JupyterLab, light and dark (`make pictures`)."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.acceptance.lab import Notebook, running_browser, running_server  # noqa: E402  # found by the line above

QUICKSTART = ROOT / "notebooks" / "quickstart.ipynb"
PICTURES = ROOT / "docs" / "pictures"
CELLS = ("extension", "load-tasks", "work-tasks", "publish-tasks", "flow")
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
WINDOW = {"width": 1500, "height": 1300}


def main() -> None:
    """Run the quickstart to its pause, look at what waits, and write one picture for each theme."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, running_server(Path(folder)) as server, running_browser() as browser:
        path = server.folder / QUICKSTART.name
        shutil.copy(QUICKSTART, path)
        notebook = Notebook(browser, server)
        notebook.page.set_viewport_size(WINDOW)  # type: ignore[arg-type]  # as Playwright wants it
        notebook.open(path)
        for cell in CELLS:
            notebook.run_cell(cell)
        notebook.wait_state("approve", "Paused", cell="flow")
        notebook.wait_idle()
        notebook.inspect("approve", cell="flow").get_by_text("DataFrame").first.wait_for()
        for theme in THEMES:
            notebook.set_theme(theme)
            picture = PICTURES / f"panel-{theme}.png"
            notebook.panel("flow").screenshot(path=picture)
            print(picture.relative_to(ROOT))
        notebook.close()


if __name__ == "__main__":
    main()
