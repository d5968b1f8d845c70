"""Fixtures of the real thing: a JupyterLab server, a browser, and notebooks open in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import ipykernel
import pytest

from tests.acceptance.lab import JupyterServer, Notebook, running_browser, running_server

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from playwright.sync_api import Browser

#: Where pytest keeps a test's outcome, so that its fixtures can ask for it.
FAILED = pytest.StashKey[bool]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave what only ipykernel 6 does, and what it can't do, to the sessions that have the right one."""
    of_others = "subshells" if int(ipykernel.__version__.split(".")[0]) < 7 else "early_ipykernel"
    left_out = [item for item in items if item.get_closest_marker(of_others)]
    if left_out:
        items[:] = [item for item in items if not item.get_closest_marker(of_others)]
        config.hook.pytest_deselected(items=left_out)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return headless Chromium; a module's own, since while Playwright is there asyncio takes its loop for running."""
    try:
        with running_browser() as browser:
            yield browser
    except RuntimeError as error:
        pytest.fail(str(error))


@pytest.fixture(scope="module")
def jupyter_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    """Return a running JupyterLab with folders of its own, for one module's tests."""
    with running_server(tmp_path_factory.mktemp("jupyter")) as server:
        yield server


@pytest.fixture
def open_notebook(
    browser: Browser, jupyter_server: JupyterServer, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Notebook]]:
    """Return a function that opens a notebook: `open_notebook("quickstart.ipynb", theme="dark")`.

    After the test no page may have written an error to its console or asked anything but its server. A test that
    failed leaves a picture of each page.
    """
    opened: list[Notebook] = []

    def open_notebook(path: str, **options: Any) -> Notebook:
        notebook = Notebook(browser, jupyter_server)
        opened.append(notebook)
        notebook.open(path, **options)
        return notebook

    yield open_notebook

    name = re.sub(r"[^\w-]+", "-", request.node.name)
    for number, notebook in enumerate(opened):
        if request.node.stash.get(FAILED, False):
            notebook.screenshot(f"FAILED-{name}-{number}")
        notebook.close()
    assert [notebook.errors for notebook in opened if notebook.errors] == []
    assert [notebook.strangers for notebook in opened if notebook.strangers] == []
