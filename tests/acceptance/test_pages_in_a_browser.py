"""The server's pages in Chromium: a run watched live, approved with another input, its frame paged, on a screen and a phone."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.acceptance.lab import REPOSITORY, SCREENSHOTS, forbid_wait_for_function

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.acceptance, pytest.mark.browser, pytest.mark.timeout(600)]

TOKEN = "a-token-of-tests-0123456789"
AXE = REPOSITORY / "node_modules" / "axe-core" / "axe.min.js"
LIVE = '[data-flowbook="panel"][data-live="live"]'
HURT = "<img src=x onerror=window.hurt=1><script>window.hurt=1</script>"


class Server:
    """`flowbook server start`, and Python beside its store.

    Attributes:
        url: of its pages, without a slash at the end.
        folder: of its own.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {name: each for name, each in os.environ.items() if not name.startswith("FLOWBOOK_")}
        self.environment |= {
            "FLOWBOOK_HOME": str(folder / "home"),
            "FLOWBOOK_KEY_FILE": str(folder / "key"),
            "FLOWBOOK_PROJECT": "pages",
            "FLOWBOOK_API_TOKEN": TOKEN,
            "PYTHONPATH": str(REPOSITORY),
        }
        self.url = ""
        self._port = "0"

    def start(self) -> None:
        """Start it, at the port that it had before, if any; return once it answers."""
        command = [sys.executable, "-m", "flowbook", "server", "start", "--port", self._port, "--json"]
        self.process = subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url = json.loads(self.process.stdout.readline())["address"].rstrip("/")
        self._port = self.url.rpartition(":")[2]

    def end(self) -> None:
        """End it as a service manager does."""
        self.process.terminate()
        self.process.communicate(timeout=30)

    def python(self, code: str) -> str:
        """Run Python beside its store; return what it writes."""
        done = subprocess.run(
            [sys.executable, "-c", code], env=self.environment, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def run_of(self, flow: str, *given: object) -> str:
        """Run a flow of `tests.pages.flows`, recorded; return the run's id."""
        code = f"from tests.pages import flows\nf = flows.{flow}(*{given!r})\nf.run(record=True, progress=False)\n"
        return self.python(f"{code}print(f.last_run.run_id)").splitlines()[-1]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a running server with a store of its own."""
    made = Server(tmp_path_factory.mktemp("pages"))
    made.start()
    yield made
    made.end()


@pytest.fixture
def open_page(browser: Browser, server: Server) -> Iterator[Callable[..., Page]]:
    """Return what opens a page of the server as a person who is logged in; afterwards no page may have complained."""
    opened, complaints, contexts = [], [], []

    def open_page(path: str, *, width: int = 1400, theme: str = "light", has_token: bool = True) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)  # type: ignore[arg-type]  # one of two
        context.set_default_timeout(30_000)
        contexts.append(context)
        page = context.new_page()
        forbid_wait_for_function(page)
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: opened.append(request.url))
        page.goto(f"{server.url}/{'?token=' + TOKEN if has_token else ''}") if has_token else None
        page.goto(f"{server.url}{path}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    # The server is down for a while in one test, and another tries to run an inline script.
    expected = ("Failed to load resource", "ERR_", "Executing inline")
    assert [text for text in complaints if not any(each in text for each in expected)] == []
    assert {url for url in opened if not url.startswith((server.url, "data:", "blob:"))} == set()


def picture(page: Page, name: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


def link_of(server: Server, run_id: str) -> str:
    """Return the link to approve of the task that waits in a run."""
    return server.python(
        "from flowbook.notices.links import with_links\nfrom flowbook.store import open_store\nstore = open_store()\n"
        f"row = store._database.read('SELECT id FROM run WHERE run_id = ?', ({run_id!r},))[0][0]\n"
        "found = with_links(store, row, store.notices.run_to_tell_of(row, 'waits', 0), '')\nprint(found.tasks[0].link)"
    )


def serious_faults(page: Page) -> list[str]:
    """Return what axe finds that is serious; it comes in by the debugger, so the page's policy doesn't matter."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{each['id']}: {node['html'][:150]}"
        for each in found["violations"]
        if each["impact"] in {"serious", "critical"}
        for node in each["nodes"]
    ]


def test_a_run_is_watched_live_and_approved_with_another_input(open_page: Callable[..., Page], server: Server) -> None:
    runs = open_page("/")
    runs.get_by_text("No run is recorded yet.").wait_for()
    run_id = server.run_of("asking")

    runs.locator(f'tr[data-run="{run_id}"]').get_by_text("Decide").click()
    runs.locator(f'{LIVE}[data-state="Paused"]').wait_for()
    expect(runs).to_have_title("delays run 1: Paused · flowbook")
    beside = open_page(f"/runs/{run_id}", width=400, theme="dark")
    beside.locator(f'{LIVE}[data-state="Paused"]').wait_for()
    runs.get_by_label("Your name").fill("Ana Lima")
    card = runs.locator('[data-flowbook="inspector"]')
    card.get_by_role("button", name="Next 100 rows").click()
    card.get_by_text("Rows 101 to 200 of 300").wait_for()
    card.get_by_label("Find rows").fill("flights > 290")
    card.get_by_text("Rows 1 to 9 of 9 that match").wait_for()
    picture(runs, "page-run-light-1400")
    picture(beside, "page-run-dark-400")
    faults = serious_faults(runs) + serious_faults(beside)
    end_of = "each => each.getBoundingClientRect().bottom"
    is_in_sight = card.locator(".answers").evaluate(end_of) <= card.evaluate(end_of)
    card.get_by_label("Value of threshold").fill("30")
    card.get_by_role("button", name="Resume with another threshold").click()
    for page in (runs, beside):
        page.locator(f'{LIVE}[data-state="Success"]').wait_for()
    expect(runs).to_have_title("delays run 1: Success · flowbook")

    told = server.python(
        f"import flowbook; r = flowbook.run({run_id!r}); print(r['publish'].result, list(r.decisions().by), sep='|')"
    )
    assert is_in_sight
    assert told == "published 300 rows above 30|['Ana Lima']"
    assert faults == []


def test_a_page_goes_on_by_itself_when_the_server_is_back(open_page: Callable[..., Page], server: Server) -> None:
    run_id = server.run_of("asking")
    page = open_page(f"/runs/{run_id}")
    page.locator(LIVE).wait_for()

    server.end()
    page.locator('[data-flowbook="panel"][data-live="waiting"]').wait_for()
    said = page.locator(".legend .link").inner_text()
    resume = page.locator('.head [data-action="resume"]')
    expect(resume).to_have_attribute("aria-disabled", "true")
    server.start()
    page.locator(LIVE).wait_for()
    page.locator('.head [data-action="resume"]:not([aria-disabled])').click()
    page.locator(f'{LIVE}[data-state="Success"]').wait_for()

    assert said == "Waiting for the server"


def test_a_link_decides_on_a_phone_and_then_says_who_did(open_page: Callable[..., Page], server: Server) -> None:
    link = link_of(server, server.run_of("asking"))
    wide = open_page(link, has_token=False)
    wide.get_by_role("button", name="Approve").wait_for()
    phone = open_page(link, width=400, theme="dark", has_token=False)
    phone.get_by_role("button", name="Approve").wait_for()
    picture(wide, "page-approve-light-1400")
    picture(phone, "page-approve-dark-400")
    faults = serious_faults(wide) + serious_faults(phone)
    reject = phone.get_by_role("button", name="Reject")
    phone.locator('[data-action="reject"][aria-disabled="true"]').wait_for()

    wide.get_by_role("button", name="Next 100 rows").click()
    wide.get_by_text("Rows 101 to 200 of 300").wait_for()
    phone.get_by_label("Your name").fill(f"Finance {HURT}")
    phone.get_by_label("Note").fill(f"August is missing {HURT}")
    reject.click()
    for page in (phone, wide):
        page.get_by_text("this link was used").wait_for()
    picture(phone, "page-approve-used-dark-400")
    faults += serious_faults(phone)

    assert "Rejected at" in phone.locator(".ask").inner_text()
    assert f"by “Finance {HURT}”: “August is missing {HURT}”" in phone.locator(".ask").inner_text()
    assert [page.evaluate("window.hurt") for page in (phone, wide)] == [None, None]
    assert faults == []


def test_a_link_shows_what_differs_from_the_last_approval_and_takes_another_input(
    open_page: Callable[..., Page], server: Server
) -> None:
    first = server.run_of("agreeing")
    server.python(f"import flowbook; r = flowbook.run({first!r}); r.resume('agree', by='ana'); r.wait(20)")
    run_id = server.run_of("agreeing", 2, 15)
    wide, phone = (
        open_page(link_of(server, run_id), width=width, theme=theme, has_token=False)
        for width, theme in ((1400, "light"), (400, "dark"))
    )
    for page in (wide, phone):
        page.locator('[data-flowbook="diff"] [data-diff="changed"]').first.wait_for()
    wide.get_by_label("Rows matched by").first.select_option(label="carrier")
    wide.locator('[data-diff="added"]').get_by_text("EV", exact=True).wait_for()
    picture(wide, "page-approve-differences-light-1400")
    picture(phone, "page-approve-differences-dark-400")
    faults = serious_faults(wide) + serious_faults(phone)
    beside = wide.locator("dd", has_text="was").inner_text()

    phone.get_by_role("button", name="Data only").first.click()
    phone.get_by_role("button", name="Change threshold").click()
    phone.get_by_label("Value of threshold").fill("many")
    phone.get_by_role("button", name="Approve with another threshold").click()
    phone.get_by_text("threshold is a number, and 'many' isn't.").wait_for()
    phone.get_by_label("Value of threshold").fill("30")
    phone.get_by_role("button", name="Approve with another threshold").click()
    phone.locator(".ask", has_text="with threshold 15 → 30").wait_for()

    assert beside.startswith("15, was 20")
    assert "hunter" not in wide.content() + phone.content()
    assert faults == []


def test_hostile_texts_run_nothing_and_a_values_own_scripts_only_in_their_frame(
    open_page: Callable[..., Page], server: Server
) -> None:
    other, run_id = server.run_of("hostile"), server.run_of("hostile")
    page = open_page(f"/runs/{run_id}")
    page.locator(f'{LIVE}[data-state="Failed"]').wait_for()
    page.locator('g.node[data-task="drawing"]').click(position={"x": 80, "y": 12})
    inside = page.frame_locator("iframe.html").locator("#ran")
    inside.get_by_text("ran in null").wait_for()
    for tab in ("logs", "timeline", "runs", "plan"):
        page.locator(f'.tablist [data-tab="{tab}"]').click()
    page.locator('[data-flowbook="plan"]').get_by_text("Retrying run").wait_for()
    page.goto(f"{server.url}/runs/{run_id}?compare={other}")
    page.locator('[data-flowbook="compare"] tbody tr[data-task="hurt"]').wait_for()
    page.goto(f"{server.url}/")
    page.locator(f'tr[data-run="{run_id}"]').wait_for()

    assert page.evaluate("window.hurt") is None
    #: The same text, put into a page without a policy as a careless view would, does run.
    careless = page.context.browser.new_page()
    careless.goto("about:blank")
    for each in (careless, page):
        each.evaluate("text => document.body.insertAdjacentHTML('beforeend', text)", HURT)
    careless.wait_for_function("window.hurt === 1")
    script = "const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.head.append(s)"
    assert [each.evaluate(f"() => {{ {script}; return window.ran ?? null; }}") for each in (careless, page)] == [
        1,
        None,
    ]
    assert page.evaluate("window.hurt") is None
    careless.close()


def test_a_press_on_a_run_chooses_no_other_one_that_comes_to_stand_there(
    server: Server, open_page: Callable[..., Page]
) -> None:
    before = server.run_of("partly")
    page = open_page("/")

    page.locator(f'tr[data-run="{before}"]').get_by_role("checkbox").hover()
    page.mouse.down()
    later = server.run_of("partly")
    page.locator(f'tr[data-run="{later}"]').wait_for()
    page.mouse.up()
    page.evaluate("new Promise((done) => setTimeout(done))")  # what is due by then has been done

    assert page.locator("input:checked").count() == 0


def test_two_runs_are_chosen_and_compared_without_running_what_they_gave(
    open_page: Callable[..., Page], server: Server
) -> None:
    first, second = server.run_of("differing", 1), server.run_of("differing", 2)
    page = open_page("/")
    for run_id in (second, first):
        page.locator(f'tr[data-run="{run_id}"]').get_by_role("checkbox").check()
    page.locator("a", has_text="Compare run").click()
    compare = page.locator('[data-flowbook="compare"]')
    compare.locator('g.node[data-task="numbers"][data-state="own"]').wait_for()
    phone = open_page(f"/runs/{second}?compare={first}", width=400, theme="dark")
    phone.locator('[data-flowbook="compare"] tbody tr[data-task="show"]').wait_for()
    faults = serious_faults(page) + serious_faults(phone)
    picture(page, "page-compare-light-1400")
    picture(phone, "page-compare-dark-400")
    row = 'tbody tr[data-task="{}"] button'
    compare.locator(row.format("numbers")).press("Enter")
    compare.get_by_role("button", name="Compare the outputs").press("Enter")
    compare.locator('[data-flowbook="diff"] [data-diff="changed"]').first.wait_for()
    compare.get_by_role("button", name="Back to the graph").click()
    compare.locator(row.format("trapped")).click()
    compare.get_by_role("button", name="Compare the outputs").click()
    compare.get_by_text("this server runs none").wait_for()
    picture(page, "page-compare-outputs-light-1400")
    faults += serious_faults(page)

    assert page.evaluate("window.hurt") is None
    assert phone.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert faults == []


def test_what_resume_would_run_is_shown_before_it_is_pressed(open_page: Callable[..., Page], server: Server) -> None:
    page = open_page(f"/runs/{server.run_of('asking')}")
    page.locator('[data-flowbook="inspector"] .answers').wait_for()
    page.locator('.tablist [data-tab="plan"]').click()
    plan = page.locator('[data-flowbook="plan"]')
    plan.get_by_text("Resuming run").wait_for()
    plan.get_by_text("without the flow's code").wait_for()
    plan.locator('g.node[data-task="publish"]', has_text="Will run").wait_for()
    picture(page, "page-plan-light-1400")
    faults = serious_faults(page)

    plan.get_by_role("button", name="Resume").press("Enter")
    page.locator(f'{LIVE}[data-state="Success"]').wait_for()
    page.locator('.tablist [data-tab="graph"][aria-selected="true"]').wait_for()
    page.locator('.tablist [data-tab="plan"]').wait_for(state="hidden")

    assert faults == []


IS_WIDER_THAN_THE_PAGE = """(element, text) => {
  element.textContent = text;
  return document.documentElement.scrollWidth > innerWidth;
}"""


def test_a_run_whose_process_was_killed_is_resumed_from_its_page(
    open_page: Callable[..., Page], server: Server
) -> None:
    place = server.folder / "died"
    code = f"from tests.pages import flows\nflows.broken_off({str(place)!r}).run(record=True, progress=False)\n"
    died = subprocess.run([sys.executable, "-c", code], env=server.environment, capture_output=True, check=False)
    run_id = place.read_text("utf-8")
    page = open_page(f"/runs/{run_id}")
    page.locator(f'{LIVE}[data-state="Crashed"]').wait_for()
    picture(page, "page-crashed-light-1400")
    expect(page.locator(".head .saying")).to_contain_text(" Resume goes on from what is stored.")
    assert page.locator(".head .saying").evaluate(IS_WIDER_THAN_THE_PAGE, "word " * 400) is False
    assert page.locator(".head .saying").evaluate(IS_WIDER_THAN_THE_PAGE, "w" * 2000) is False

    page.locator('.head [data-action="resume"]:not([aria-disabled])').click()
    page.locator(f'{LIVE}[data-state="Success"]').wait_for()

    told = server.python(f"import flowbook; print(flowbook.run({run_id!r})['publish'].result)")
    assert died.returncode == -signal.SIGKILL
    assert told == "published 6"


DEPLOY = """
from flowbook.deployments import DeploymentSpec, IntervalSchedule, deploy
from tests.pages import flows
deploy(DeploymentSpec("nightly", flows.asking(), schedule=IntervalSchedule(3600)), DeploymentSpec("by-hand", flows.failing()))
"""


def test_a_deployment_is_paused_and_run_from_its_page(open_page: Callable[..., Page], server: Server) -> None:
    server.python(DEPLOY)
    page = open_page("/deployments")
    nightly = page.locator('tr:has-text("delays/nightly")')

    nightly.get_by_role("button", name="Pause").click()
    page.locator('tr[data-paused="true"]').wait_for()
    nightly.get_by_role("button", name="Run now").click()
    nightly.get_by_role("link", name="Show").click()
    page.locator(f'{LIVE}[data-state="Paused"][data-flow="delays"]').wait_for()

    expect(page).to_have_title(re.compile(r"^delays run \d+: Paused · flowbook$"))


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 400])
def test_every_page_has_no_serious_fault(
    open_page: Callable[..., Page], server: Server, width: int, theme: str
) -> None:
    if (width, theme) == (1400, "light"):
        server.run_of("caching")
        server.run_of("failing")
        server.python(DEPLOY)
    page = open_page("/", width=width, theme=theme)
    faults = {}
    for name, path, seen in (
        ("runs", "/", "table.runs"),
        ("cache", "/cache", '[data-flowbook="cache"]'),
        ("deployments", "/deployments", ".foot"),
    ):
        page.goto(f"{server.url}{path}")
        page.locator(seen).first.wait_for()
        picture(page, f"page-{name}-{theme}-{width}")
        faults[name] = serious_faults(page)
        overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert overflow <= 0, name

    assert faults == {"runs": [], "cache": [], "deployments": []}
