"""JupyterLab in a real browser, driven as a person would: a server of its own, and a notebook open in it.

Nothing here waits for time to pass: each wait is for something seen in the page, in a file or in the server's log.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote, urlsplit

from playwright.sync_api import expect, sync_playwright

from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request

__all__ = ["JupyterServer", "Notebook", "forbid_wait_for_function", "running_browser", "running_server"]

#: Debian's Chromium in a container: no sandbox, no graphics card, little shared memory, and nothing asked of the world.
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
]
REPOSITORY = Path(__file__).parents[2]
SCREENSHOTS = REPOSITORY / "artifacts" / "screenshots"
WIDGETS = Path(__file__).with_name("lab.js")
STARTED = "is running at:"
#: The server extension, on or off: whether an editable install brings its configuration depends on when it was made.
EXTENSION = "--ServerApp.jpserver_extensions={{'flowbook.pages.jupyter': {}}}"
PATIENCE_S = 90
#: How long `expect` looks again before it fails; its own 5 s are short on a busy machine.
expect.set_options(timeout=PATIENCE_S * 1000)
VIEWPORT = {"width": 1280, "height": 1000}
#: The inspector and the rows of the table name a task's state as well, each in its own time.
NODE = "[data-task][data-state]:not([data-flowbook], tr)"
#: The name on a node, from its corner: no button is there.
NAME = {"x": 80, "y": 12}
PRESSABLE = 'xpath=self::*[not(@disabled) and not(@aria-disabled="true")]'
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark", "contrast": "JupyterLab Dark High Contrast"}

#: What JupyterLab itself writes to the console, for reasons of its own: its debugger asks the kernel that is restarted.
#: Chromium notes a change of the machine's networks, e.g. a container's, though it talks to this machine only.
OF_JUPYTERLAB = (
    "Could not restore the debugger state: Canceled future",
    "Failed to load resource: net::ERR_NETWORK_CHANGED",
    "Error: Canceled future for debug_request message before replies were done",
)
#: What the browser says of an address that a test lets be missing.
OF_WITHOUT = "Failed to load resource: the server responded with a status of 404"

#: Every cell is in the page however far down it is, and nothing asks the world for news.
SETTINGS = {
    "@jupyterlab/apputils-extension/notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": True,
    },
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
}


@dataclass(frozen=True)
class JupyterServer:
    """A running server.

    Attributes:
        url: without a slash at its end.
        token: what a browser must show.
        folder: the notebooks' folder.
        home: FLOWBOOK_HOME of its kernels.
    """

    url: str
    token: str
    folder: Path
    home: Path


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Start headless Chromium; while it is there asyncio takes Playwright's loop for running.

    Raises:
        RuntimeError: if there is none on the PATH.
    """
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        msg = "There is no 'chromium' on the PATH. Install it, or leave these tests out with -m 'not browser'."
        raise RuntimeError(msg)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@contextmanager
def running_server(base: Path, prefix: str = "", *, with_extension: bool = False) -> Iterator[JupyterServer]:
    """Start JupyterLab with all it reads and writes below `base`; end it, and its kernels, on the way out.

    Args:
        base: a folder.
        prefix: path under which it is reached, as behind JupyterHub: "/user/ana".
        with_extension: whether it has flowbook's server extension.
    """
    server = JupyterServer(
        url=f"http://127.0.0.1:{free_port()}{prefix}",
        token=secrets.token_hex(16),
        folder=base / "notebooks",
        home=base / "flowbook",
    )
    server.folder.mkdir(parents=True)
    environment = _environment(base, server.home)
    _write_settings(Path(environment["JUPYTERLAB_SETTINGS_DIR"]))
    labextensions = base / "labextensions"
    subprocess.run([sys.executable, REPOSITORY / "scripts" / "labextension.py", labextensions], check=True)
    process = subprocess.Popen(
        [*_command(server, labextensions), EXTENSION.format(with_extension)],
        env=environment,
        cwd=server.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        _wait_until_started(process, base / "server.log")
        yield server
    finally:
        process.terminate()
        try:
            process.wait(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Notebook:
    """A notebook open in JupyterLab: `run_cell("flow")`, `wait_state("approve", "Paused")`, `click("resume", ...)`.

    A cell is named by its id, or by its place among all cells. `seen_states` tells every state that a node went
    through, also those between two looks. `errors` and `strangers` collect what must not be there: errors in the
    console, and requests to anything but this server.
    """

    def __init__(self, browser: Browser, server: JupyterServer) -> None:
        self._server = server
        self._context = browser.new_context(viewport=VIEWPORT)
        self._context.set_default_timeout(PATIENCE_S * 1000)
        self._context.add_init_script(path=WIDGETS)
        self.page: Page = self._context.new_page()
        self.errors: list[str] = []
        self._expected = OF_JUPYTERLAB
        self.strangers: list[str] = []
        self.page.on("console", self._note_console)
        self.page.on("pageerror", lambda error: self._note_error(error.stack or str(error)))
        self.page.on("request", self._note_request)

    def open(
        self,
        path: str | Path,
        theme: Literal["light", "dark", "contrast"] = "light",
        *,
        kernel: bool = True,
        without: str = "",
    ) -> None:
        """Open the notebook at `path` below the server's folder and wait until its kernel is connected and idle.

        With `kernel=False` no kernel is started: the dialog that asks for one is answered with "No Kernel", so the
        notebook must name one that does not exist (see `without_kernel`). Addresses like `without` aren't found.
        """
        if without:
            self._expected = (*OF_JUPYTERLAB, OF_WITHOUT)
            self.page.route(without, lambda route: route.fulfill(status=404))
        server = self._server
        within = server.folder.joinpath(path).relative_to(server.folder).as_posix()
        self._address = f"{server.url}/lab/tree/{quote(within)}?reset&token={server.token}"
        self.page.goto(self._address)
        self.page.wait_for_selector(".jp-Notebook .jp-Cell")
        self.set_theme(theme)
        if kernel:
            self.page.wait_for_function("lab.isReady()")
        else:
            self._refuse_kernel()

    def reload(self) -> None:
        """Load the page again and wait until the notebook is there; the kernel goes on."""
        self.page.goto(self._address)
        self.page.wait_for_selector(".jp-Notebook .jp-Cell")
        self.page.wait_for_function("lab.current()?.sessionContext?.session?.kernel")

    def beside(self) -> Page:
        """Return a second tab of the same notebook, with the same kernel."""
        page = self._context.new_page()
        page.on("console", self._note_console)
        page.goto(self._address)
        page.wait_for_selector(".jp-Notebook .jp-Cell")
        return page

    def set_theme(self, theme: Literal["light", "dark", "contrast"]) -> None:
        """Show JupyterLab in one of its themes."""
        self.page.evaluate("name => lab.execute('apputils:change-theme', { theme: name })", THEMES[theme])
        self.page.wait_for_function("name => document.body.dataset.jpThemeName === name", arg=THEMES[theme])
        # JupyterLab lays its splash over all while it changes its theme.
        self.page.wait_for_selector("#jupyterlab-splash", state="detached")

    def run_cell(self, cell: int | str) -> None:
        """Run a cell as Ctrl+Enter does, and return at once."""
        self.page.evaluate("cell => lab.runCell(cell)", cell)

    def rewrite(self, cell: int | str, source: str) -> None:
        """Write another text into a cell."""
        self.page.evaluate("([cell, source]) => lab.rewrite(cell, source)", [cell, source])

    def run_all(self) -> None:
        """Run all cells, and return at once."""
        self.page.evaluate("lab.runAll()")

    def wait_idle(self) -> None:
        """Wait until every cell that was asked to run has, the kernel is idle, and what it said is drawn."""
        self.page.wait_for_function("lab.isIdle()")
        self.page.evaluate("lab.drawn()")

    def output_text(self, cell: int | str) -> str:
        """Return what is to be read below a cell."""
        return self.output(cell).inner_text().strip()

    def output(self, cell: int | str) -> Locator:
        """Return the place below a cell where its outputs are."""
        return self.page.locator(f"[data-lab-cell={json.dumps(self._mark(cell))}] .jp-Cell-outputArea")

    def restart_kernel(self) -> None:
        """Restart the kernel and wait until it is idle again."""
        self.page.evaluate("lab.restart()")
        self.page.wait_for_function("lab.isReady()")

    def save(self) -> Path:
        """Save the notebook and return its file."""
        return self._server.folder / self.page.evaluate("lab.save()")

    def screenshot(self, name: str, of: Locator | None = None) -> Path:
        """Keep a picture of the page, or of a part of it, as artifacts/screenshots/NAME.png."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        path = SCREENSHOTS / f"{name}.png"
        if of is None:
            self.page.screenshot(path=path)
            return path
        # JupyterLab scrolls its notebook itself, so what is taller than the window would be cut.
        height = int(of.bounding_box()["height"]) + VIEWPORT["height"]
        self.page.set_viewport_size({**VIEWPORT, "height": height})
        of.screenshot(path=path)
        self.page.set_viewport_size(VIEWPORT)
        return path

    def panel(self, cell: int | str | None = None) -> Locator:
        """Return the panel below a cell, or the page's last one."""
        place = self.page if cell is None else self.output(cell)
        return place.locator('[data-flowbook="panel"]').last

    def node(self, key: str, cell: int | str | None = None) -> Locator:
        """Return the node of task `key` in a panel."""
        return self.panel(cell).locator(f"{NODE}[data-task={json.dumps(key)}]").first

    def wait_state(self, key: str, state: str, cell: int | str | None = None) -> None:
        """Wait until the node of task `key` says `state`."""
        chosen = f"{NODE}[data-task={json.dumps(key)}][data-state={json.dumps(state)}]"
        self.panel(cell).locator(chosen).first.wait_for(state="attached")

    def wait_run(self, state: str, cell: int | str | None = None) -> None:
        """Wait until the panel says that its run is in `state`."""
        place = self.page if cell is None else self.output(cell)
        place.locator(f'[data-flowbook="panel"][data-state={json.dumps(state)}]').last.wait_for(state="attached")

    def inspect(self, key: str, cell: int | str | None = None) -> Locator:
        """Click the name on a task's node and return the inspector that then shows the task."""
        self._click_name(key, cell, "left")
        inspector = self.panel(cell).locator('[data-flowbook="inspector"]')
        inspector.and_(self.page.locator(f"[data-task={json.dumps(key)}]")).wait_for()
        return inspector

    def open_menu(self, key: str, cell: int | str | None = None) -> Locator:
        """Click the name on a task's node with the other button and return the menu that then opens."""
        self._click_name(key, cell, "right")
        menu = self.panel(cell).locator('[role="menu"]:visible')
        menu.wait_for()
        return menu

    def _click_name(self, key: str, cell: int | str | None, button: Literal["left", "right"]) -> None:
        """Click once the node is where it stays: JupyterLab scrolls to a cell that runs, and lays out what it gave."""
        node = self.node(key, cell)
        node.scroll_into_view_if_needed()
        node.evaluate("node => lab.isStill(node)")
        node.click(button=button, position=NAME)

    def control(self, action: str, task: str | None = None, cell: int | str | None = None) -> Locator:
        """Return the first control of an action, of one task or of the whole run, that is to be seen."""
        whose = "" if task is None else f"[data-task={json.dumps(task)}]"
        return self.panel(cell).locator(f"[data-action={json.dumps(action)}]{whose}:visible").first

    def click(self, action: str, task: str | None = None, cell: int | str | None = None) -> None:
        """Press a control once it can be pressed."""
        self.control(action, task, cell).locator(PRESSABLE).click()

    def seen_states(self) -> dict[str, list[str]]:
        """Return every state that each node went through since the page was opened, or since `forget_states`."""
        return self.page.evaluate("lab.seen")

    def forget_states(self) -> None:
        """Begin anew what `seen_states` tells, with what the nodes say now."""
        self.page.evaluate("lab.forget()")

    def close(self) -> None:
        """End the kernel, and close the page and all that belongs to it. What is logged from here on is not noted."""
        self.page.remove_listener("console", self._note_console)
        self.page.evaluate("lab.shutdown()")
        self._context.close()

    def _mark(self, cell: int | str) -> str:
        return str(self.page.evaluate("cell => lab.mark(cell)", cell))

    def _refuse_kernel(self) -> None:
        dialog = self.page.locator(".jp-Dialog:has(select)")
        dialog.locator("select").select_option(label="No Kernel")
        dialog.locator(".jp-mod-accept").click()
        dialog.wait_for(state="detached")

    def _note_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._note_error(message.text)

    def _note_error(self, text: str) -> None:
        if not text.startswith(self._expected):
            self.errors.append(text)

    def _note_request(self, request: Request) -> None:
        if not request.url.startswith((self._server.url, "data:", "blob:")):
            self.strangers.append(request.url)


def forbid_wait_for_function(page: Page) -> None:
    """Fail a test that waits for a function on a page whose policy forbids that: it sees what holds at once, and no more."""
    page.wait_for_function = _not_allowed  # type: ignore[method-assign,assignment]  # see there


def _not_allowed(*_given: object, **_options: object) -> None:
    """Stand for `wait_for_function`, which evaluates a text whenever it looks again."""
    raise AssertionError("The page's policy forbids wait_for_function. Wait with expect() or a locator.")


def without_kernel(path: Path) -> Path:
    """Write a copy of a notebook, beside it, that names a kernel nobody has, and return it."""
    content = json.loads(path.read_text())
    content["metadata"] = {"kernelspec": {"name": "elsewhere", "display_name": "Elsewhere"}}
    copy = path.with_name(f"{path.stem}-elsewhere.ipynb")
    copy.write_text(json.dumps(content))
    return copy


def _command(server: JupyterServer, labextensions: Path) -> list[str]:
    options = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": str(urlsplit(server.url).port),
        "ServerApp.base_url": f"{urlsplit(server.url).path}/",
        "ServerApp.port_retries": "0",
        "ServerApp.root_dir": str(server.folder),
        "IdentityProvider.token": server.token,
        "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
        "LabApp.extension_manager": "readonly",
        "LabServerApp.extra_labextensions_path": str(labextensions),
    }
    flags = [f"--{name}={value}" for name, value in options.items()]
    # --allow-root: a container often has no other user; the server is this test's own and listens to nobody else.
    return [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--expose-app-in-browser", *flags]


def _environment(base: Path, home: Path) -> dict[str, str]:
    folders = {
        "FLOWBOOK_HOME": home,
        "HOME": base / "user",
        "IPYTHONDIR": base / "ipython",
        "JUPYTERLAB_SETTINGS_DIR": base / "settings",
        "JUPYTERLAB_WORKSPACES_DIR": base / "workspaces",
        "JUPYTER_CONFIG_DIR": base / "config",
        "JUPYTER_DATA_DIR": base / "data",
        "JUPYTER_RUNTIME_DIR": base / "runtime",
        "XDG_CACHE_HOME": base / "xdg-cache",
        "XDG_CONFIG_HOME": base / "xdg-config",
        "XDG_DATA_HOME": base / "xdg-data",
    }
    (base / "user").mkdir(parents=True)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("FLOWBOOK_", "JUPYTER"))}
    return inherited | {name: str(path) for name, path in folders.items()} | {"PYTHONPATH": str(REPOSITORY)}


def _write_settings(folder: Path) -> None:
    for name, values in SETTINGS.items():
        path = folder / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))


def _wait_until_started(process: subprocess.Popen[str], log: Path) -> None:
    heard = threading.Event()
    threading.Thread(target=_keep_log, args=(process, log, heard), daemon=True).start()
    if not heard.wait(PATIENCE_S) or STARTED not in log.read_text():
        message = f"JupyterLab did not start. Its log:\n{log.read_text()}"
        raise RuntimeError(message)


def _keep_log(process: subprocess.Popen[str], log: Path, heard: threading.Event) -> None:
    assert process.stderr is not None
    with process.stderr, log.open("w", buffering=1) as file:
        for line in process.stderr:
            file.write(line)
            if STARTED in line:
                heard.set()
    heard.set()
