"""The panel and the cache browser in a real browser, on a fake model: clicks, acks, patches, keys, clean-up."""

from __future__ import annotations

import functools
import http.server
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from flowbook.notebook.views_code import compact_sheet

pytestmark = [pytest.mark.acceptance, pytest.mark.browser]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Locator, Page

ROOT = Path(__file__).parents[2]

HOSTILE = """
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9" onload="window.bad=1">
<script>window.bad=2</script><foreignObject><b>x</b></foreignObject>
<rect id="r" onclick="window.bad=3" style="fill:url(http://127.0.0.1/x)" mask="url(#r)"/>
</svg>
""".strip()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(ROOT)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/tests/js/harness.html"
    server.shutdown()
    server.server_close()


@pytest.fixture
def show(browser: Any, address: str) -> Iterator[Callable[..., Page]]:
    """Open the harness; a page that threw fails its test."""
    pages: list[Page] = []
    errors: list[str] = []

    def opened(query: str, *, is_clock_ours: bool = False) -> Page:
        page = browser.new_page(viewport={"width": 1100, "height": 800})
        if is_clock_ours:
            page.clock.install()
        page.on("pageerror", lambda error: errors.append(str(error)))
        pages.append(page)
        page.goto(f"{address}?{query}")
        page.wait_for_function("window.harness")
        return page

    yield opened
    for page in pages:
        page.close()
    assert errors == []


def sent(page: Page, kind: str) -> list[dict[str, Any]]:
    return page.evaluate("kind => harness.model.sent.filter(m => m.type === kind)", kind)


def node(key: str) -> str:
    return f'g.node[data-task="{key}"]'


def answer(page: Page, kind: str, *, ok: bool = True, text: str = "") -> None:
    page.evaluate(
        "([kind, ok, text]) => harness.model.tell("
        "{type: 'ack', id: harness.model.sent.findLast(m => m.type === kind).id, ok, text})",
        [kind, ok, text],
    )


@pytest.mark.parametrize("name", ["tokens.css", "flowbook.css", "lab.css", "report.css"])
def test_a_compact_sheet_has_the_rules_of_the_whole_one(show: Callable[..., Page], name: str) -> None:
    text = (ROOT / "flowbook" / "notebook" / "static" / name).read_text("utf-8")
    read = """text => {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(text);
      return [...sheet.cssRules].map((rule) => rule.cssText.replace(/([:,]) +/g, "$1"));
    }"""

    page = show("show=running")
    whole, compact = page.evaluate(read, text), page.evaluate(read, compact_sheet(text))

    assert len(whole) >= 5
    assert compact == whole


@pytest.mark.parametrize(
    ("meanwhile", "clicks"),
    [
        ("b => b.replaceWith(b.cloneNode(true))", 1),
        ("b => b.firstChild.replaceWith(b.firstChild.cloneNode(true))", 1),
        ("b => b", 1),
        ("b => { const other = b.cloneNode(true); other.dataset.task = 'clean'; b.replaceWith(other); }", 0),
        ("b => { const other = b.cloneNode(true); delete other.dataset.task; b.replaceWith(other); }", 0),
        ("b => b.remove()", 0),
    ],
    ids=["drawn-anew", "its-parts-drawn-anew", "left-alone", "another-in-its-place", "one-of-the-run", "gone"],
)
def test_a_press_counts_once_where_its_control_is_drawn_anew_before_the_button_is_released(
    show: Callable[..., Page], meanwhile: str, clicks: int
) -> None:
    page = show("show=running")
    page.wait_for_selector('[data-flowbook="panel"][data-live="live"]')
    resume = page.locator('.rail [data-action="resume"][data-task="approve"]')
    resume.evaluate("b => { const part = document.createElement('b'); part.append(...b.childNodes); b.append(part); }")

    resume.locator("b").hover()  # a person presses what is drawn: a part of the button
    page.mouse.down()
    resume.evaluate(meanwhile)
    page.mouse.up()
    page.evaluate("new Promise((done) => setTimeout(done))")  # what is due by then has been done

    assert len(sent(page, "resume")) == clicks


@pytest.mark.parametrize(("name", "clicks"), [("Change month", 1), ("Change year", 0)])
def test_a_press_on_a_button_of_one_row_is_none_on_that_of_another(
    show: Callable[..., Page], name: str, clicks: int
) -> None:
    page = show("show=running")
    panel = page.locator('[data-flowbook="panel"]')
    panel.evaluate("""panel => {
      panel.insertAdjacentHTML("afterbegin", '<button data-action="change" aria-label="Change month">Change</button>');
      panel.addEventListener("click", () => { window.clicks = (window.clicks ?? 0) + 1; });
    }""")
    change = panel.locator('[data-action="change"]')

    change.hover()
    page.mouse.down()
    change.evaluate(
        "(b, name) => { const other = b.cloneNode(true); other.ariaLabel = name; b.replaceWith(other); }", name
    )
    page.mouse.up()
    page.evaluate("new Promise((done) => setTimeout(done))")

    assert page.evaluate("window.clicks ?? 0") == clicks


def test_a_second_click_while_the_first_waits_sends_nothing(show: Callable[..., Page]) -> None:
    page = show("show=running&answers=no")
    answer(page, "hello")
    resume = page.locator('.rail [data-action="resume"][data-task="approve"]')
    page.wait_for_selector('[data-flowbook="panel"][data-live="live"]')

    resume.click()
    resume.click(force=True)
    page.locator(f'{node("approve")} [data-action="resume"]').click(force=True)

    assert [m["key"] for m in sent(page, "resume")] == ["approve"]
    assert resume.get_attribute("aria-disabled") == "true"
    assert "Waiting for an answer" in (resume.get_attribute("title") or "")


def test_a_refused_command_says_why_beside_its_button(show: Callable[..., Page]) -> None:
    page = show("show=running&answers=no")
    answer(page, "hello")
    page.wait_for_selector('[data-live="live"]')
    resume = page.locator('.rail [data-action="resume"][data-task="approve"]')

    resume.click()
    answer(page, "resume", ok=False, text="approve was resumed by another notebook.")

    page.wait_for_selector('.rail .said[data-ok="false"]')
    assert page.locator(".rail .said").inner_text() == "approve was resumed by another notebook."
    page.locator('[role="status"]', has_text="approve was resumed by another notebook.").first.wait_for(
        state="attached"
    )
    assert resume.get_attribute("aria-disabled") is None


def test_a_patch_changes_the_node_and_the_counts(show: Callable[..., Page]) -> None:
    page = show("show=running")
    page.wait_for_selector('[data-live="live"]')

    page.evaluate(
        "harness.model.tell({type: 'patch', seq: 18, tasks: {publish: {state: 'Running', since: Date.now() / 1000}}})"
    )

    page.wait_for_selector(f'{node("publish")}[data-state="Running"]')
    assert page.locator(f"{node('publish')} text.word").inner_html() == "Running"
    assert page.locator('.count[data-state="Running"] b').inner_text() == "3"


def test_a_gap_in_the_numbers_asks_for_everything(show: Callable[..., Page]) -> None:
    page = show("show=running")
    page.wait_for_selector('[data-live="live"]')
    before = len(sent(page, "hello"))

    page.evaluate("harness.model.tell({type: 'patch', seq: 30, tasks: {publish: {state: 'Success'}}})")

    assert len(sent(page, "hello")) == before + 1
    assert page.locator(node("publish")).get_attribute("data-state") == "Pending"


def test_keys_walk_along_edges_inspect_resume_and_close(show: Callable[..., Page]) -> None:
    page = show("show=running")
    page.wait_for_selector('[data-live="live"]')
    page.locator(node("load_flights")).focus()

    for key in ("ArrowDown", "ArrowDown", "ArrowDown", "ArrowDown"):
        page.keyboard.press(key)

    assert page.evaluate("document.activeElement.dataset.task") == "approve"
    expect(page.locator(node("fetch_rates"))).to_contain_class("far")
    page.keyboard.press("r")
    assert [m["key"] for m in sent(page, "resume")] == ["approve"]
    page.keyboard.press("Enter")
    page.wait_for_selector('[data-flowbook="inspector"][data-task="approve"] table')
    page.keyboard.press("Escape")
    page.wait_for_selector('[data-flowbook="inspector"]', state="hidden")
    assert sent(page, "inspect")[-1]["key"] is None


def open_menu(page: Page, key: str) -> Locator:
    page.wait_for_selector('[data-live="live"]')
    page.evaluate("document.body.append(Object.assign(document.createElement('input'), { id: 'next' }))")
    page.locator(node(key)).click(button="right", position={"x": 80, "y": 12})
    menu = page.locator('[role="menu"]')
    expect(menu.get_by_role("menuitem").first).to_be_focused()
    return menu


def test_an_open_menu_stays_and_hears_keys_when_a_program_takes_the_focus(show: Callable[..., Page]) -> None:
    page = show("show=finished")
    menu = open_menu(page, "load_flights")
    elsewhere = page.locator("#next")

    elsewhere.evaluate("field => field.focus()")
    page.keyboard.press("ArrowDown")
    expect(menu.get_by_role("menuitem").nth(1)).to_be_focused()
    elsewhere.evaluate("field => field.focus()")
    page.keyboard.press("Enter")

    page.wait_for_function("harness.model.sent.some(m => m.type === 'plan')")
    assert sent(page, "plan")[-1]["what"] == "run-from"
    expect(menu).to_be_hidden()


@pytest.mark.parametrize("leave", ["click", "Escape", "text", "shortcut"])
def test_a_menu_closes_when_a_person_turns_to_something_else(show: Callable[..., Page], leave: str) -> None:
    page = show("show=finished")
    menu = open_menu(page, "load_flights")
    elsewhere = page.locator("#next")

    if leave == "click":
        elsewhere.click()
    else:
        if leave != "shortcut":
            elsewhere.evaluate("field => field.focus()")
        page.keyboard.press({"text": "x", "shortcut": "Control+k"}.get(leave, leave))

    expect(menu).to_be_hidden()
    expect(elsewhere).to_have_value("x" if leave == "text" else "")
    if leave == "Escape":
        expect(page.locator(node("load_flights"))).to_be_focused()


def test_the_graph_is_one_tab_stop(show: Callable[..., Page]) -> None:
    page = show("show=running")

    stops = page.locator('.canvas [tabindex="0"]').count()

    assert stops == 1


def test_the_table_shows_the_same_tasks_and_states(show: Callable[..., Page]) -> None:
    page = show("show=running")
    nodes = page.eval_on_selector_all("g.node", "all => all.map(n => [n.dataset.task, n.dataset.state])")

    page.locator('[data-action="as-table"]').click()
    page.wait_for_selector(".listing tbody tr")

    rows = page.eval_on_selector_all(".listing tbody tr", "all => all.map(n => [n.dataset.task, n.dataset.state])")
    assert [row for row in rows if "[" not in row[0]] == nodes
    assert ["delays_by_carrier[7]", "Failed"] in rows


def test_a_form_with_a_wrong_value_sends_nothing_and_says_so(show: Callable[..., Page]) -> None:
    page = show("show=plan")
    page.wait_for_selector('[data-live="live"]')

    page.fill('[name="min_flights"]', "many")
    page.locator('.head [data-action="run"]').click()

    assert sent(page, "run") == []
    assert page.locator(".wrong").inner_text() == 'min_flights is an int: "many" is not a whole number.'
    page.fill('[name="min_flights"]', "50")
    page.locator('.head [data-action="run"]').click()
    assert sent(page, "run")[0]["parameters"] == {
        "origin": "EWR",
        "months": "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]",
        "min_flights": "50",
        "dry_run": "false",
    }


def test_what_stands_beside_the_word_of_a_node_is_cut_where_there_is_no_room(show: Callable[..., Page]) -> None:
    page = show("show=running")
    page.wait_for_selector(node("publish"))

    word_ends, value_begins, title = page.evaluate(
        """async () => {
          const { insideOf } = await import("/flowbook/notebook/static/node_view.js");
          const g = document.querySelector('g.node[data-task="publish"]');
          const task = { state: "Pending", told: { word: "Parameter", beside: "datetime.da…" } };
          const parts = insideOf({ key: "publish", w: 192, h: 44 }, task, { now: 0, svg: g.ownerSVGElement });
          g.replaceChildren(...parts);
          const [word, value] = [g.querySelector(".word").getBBox(), g.querySelector(".end.time").getBBox()];
          return [word.x + word.width, value.x, g.querySelector(".end.time title").textContent];
        }"""
    )

    assert word_ends < value_begins
    assert title == "datetime.da…"


def test_a_frame_is_sorted_by_the_kernel(show: Callable[..., Page]) -> None:
    page = show("show=finished&inspect=join_weather")
    page.wait_for_selector('[data-flowbook="inspector"] [data-column="distance"]')

    page.locator('[data-flowbook="inspector"] [data-column="distance"]').click()

    page.wait_for_selector('[data-flowbook="inspector"] th[aria-sort="ascending"]')
    request = sent(page, "page")[0]
    assert (request["source"], request["sort"], request["descending"]) == (
        {"key": "join_weather", "what": "output"},
        "distance",
        False,
    )


def test_a_dead_kernel_is_told_and_no_button_pretends(show: Callable[..., Page]) -> None:
    page = show("show=running")
    page.wait_for_selector('[data-live="live"]')

    page.evaluate("harness.model.comm_live = false; harness.model.trigger('comm_live_update')")

    page.wait_for_selector('[data-flowbook="panel"][data-live="unavailable"]')
    expect(page.locator(f"{node('delays_by_carrier')} text.word")).to_have_text("Was running")
    expect(page.locator(f"{node('fetch_rates')} text.word")).to_have_text("Was retrying")
    expect(page.locator('.count[data-state="Running"]')).to_have_count(0)
    expect(page.locator('.count[data-state="Was running"] b')).to_have_text("2")
    assert page.locator(".legend .link").inner_text() == "Unavailable"
    assert page.locator('.head [data-action="cancel"]').get_attribute("aria-disabled") == "true"


def test_without_an_answer_the_panel_says_that_it_waits(show: Callable[..., Page]) -> None:
    page = show("show=running&answers=no")

    page.wait_for_selector('[data-live="waiting"]')

    assert page.locator(".legend .link").inner_text() == "Waiting for the kernel"
    assert page.locator(node("load_flights")).get_attribute("data-state") == "Success"


def test_closing_undoes_every_listener_and_says_no_more(show: Callable[..., Page]) -> None:
    page = show("show=running&answers=no", is_clock_ours=True)
    page.clock.run_for(1500)
    before = len(sent(page, "hello"))
    assert before > 1

    page.evaluate("harness.close()")
    page.clock.run_for(5000)

    assert page.evaluate("harness.model.listeners") == 0
    assert len(sent(page, "hello")) == before
    assert page.locator('[data-flowbook="panel"]').count() == 0


def test_markup_in_names_and_messages_stays_text(show: Callable[..., Page]) -> None:
    page = show("show=running")
    page.wait_for_selector('[data-live="live"]')

    page.evaluate(
        "harness.model.tell({type: 'patch', seq: 18, tasks: {publish: {state: 'Failed',"
        " message: '<img src=x onerror=window.bad=1>'}}})"
    )

    page.wait_for_selector('.rail .item[data-task="publish"]')
    assert "<img src=x" in page.locator('.rail .item[data-task="publish"]').inner_text()
    assert page.evaluate("window.bad") is None


def test_the_slider_asks_for_another_moment_and_now_goes_back(show: Callable[..., Page]) -> None:
    page = show("show=cache")
    page.wait_for_selector('[data-flowbook="cache"][data-live="live"]')
    before = page.evaluate("harness.snapshot.at")

    page.locator('[data-action="as-of"]').focus()
    page.keyboard.press("ArrowLeft")
    page.wait_for_function("harness.model.sent.filter(m => m.type === 'as-of').length === 1")
    page.locator('[data-action="as-of-now"]').click()
    page.wait_for_function("harness.model.sent.filter(m => m.type === 'as-of').length === 2")

    first, last = sent(page, "as-of")[0], sent(page, "as-of")[-1]
    assert first["at"] < before
    assert last["at"] is None


def test_a_row_of_the_cache_selects_its_entry(show: Callable[..., Page]) -> None:
    page = show("show=cache")
    page.wait_for_selector('[data-flowbook="cache"][data-live="live"]')

    page.locator('tr[data-entry="77aa"] td').nth(1).click()

    assert [m["entry"] for m in sent(page, "select")] == ["77aa"]


MANY = """count => {
    const { now, entries } = harness.snapshot;
    const made = Array.from({ length: count }, (_, place) => ({
        ...entries[0], id: `m${place}`, task: `task_${place}`, size_bytes: place,
        parameters: place === 400 ? "a".repeat(30) : "b",
        created: now - place * 60, expires: null, valid: place > 2,
    }));
    harness.model.tell({ ...harness.snapshot, type: "snapshot", entries: made, total: 10001, selected: "m0" });
}"""
ENTRIES = '[data-flowbook="cache"] .entries'


def test_of_a_long_list_only_what_is_in_view_is_drawn(show: Callable[..., Page]) -> None:
    page = show("show=cache")
    page.wait_for_selector('[data-flowbook="cache"][data-live="live"]')
    widths = "() => [...document.querySelectorAll('.entries thead th')].map(th => th.offsetWidth)"

    page.evaluate(MANY, 500)
    at_first = page.evaluate(widths)
    height = page.eval_on_selector(ENTRIES, "list => list.scrollHeight")
    drawn = page.locator("tr[data-entry]").count()
    page.eval_on_selector(ENTRIES, "list => list.scrollTo(0, list.scrollHeight)")
    page.wait_for_selector('tr[data-entry="m499"] .times rect')

    assert drawn < 60
    assert page.locator("tr[data-entry]").count() < 60
    assert page.locator('tr[data-entry="m499"]').get_attribute("aria-rowindex") == "501"
    assert page.locator(".entries table").get_attribute("aria-rowcount") == "501"
    assert page.eval_on_selector(ENTRIES, "list => list.scrollHeight") == height > 500 * 20
    assert page.evaluate(widths) == at_first
    assert "500 of more than 10,000 entries" in page.locator('[data-flowbook="cache"] .foot').first.inner_text()
    assert "497 of 500 listed valid" in page.locator('[data-flowbook="cache"] .head').first.inner_text()


def test_a_long_list_is_sorted_as_a_whole_and_may_become_short(show: Callable[..., Page]) -> None:
    page = show("show=cache")
    page.wait_for_selector('[data-flowbook="cache"][data-live="live"]')
    page.evaluate(MANY, 500)

    page.locator('[data-action="order"][data-column="size"]').click()
    page.locator('[data-action="order"][data-column="size"]').click()
    page.wait_for_selector('tr[data-entry]:nth-child(1 of [data-entry])[data-entry="m499"]')
    page.eval_on_selector(ENTRIES, "list => list.scrollTo(0, list.scrollHeight)")
    page.wait_for_selector('tr[data-entry="m0"]')
    page.evaluate(MANY, 5)

    page.wait_for_function("document.querySelectorAll('tr[data-entry]').length === 5")
    assert page.locator("tr[data-entry] .times rect").count() == 5


def test_a_picture_that_would_act_is_disarmed(show: Callable[..., Page]) -> None:
    page = show("show=running")

    page.evaluate("svg => harness.model.set('graph', {...harness.graph, svg})", HOSTILE)

    page.wait_for_selector(".canvas rect", state="attached")
    left = page.eval_on_selector(".canvas svg", "svg => svg.innerHTML")
    assert page.evaluate("window.bad") is None
    assert "script" not in left
    assert "foreignObject" not in left
    assert "onclick" not in left
    assert "http" not in left.replace("http://www.w3.org/2000/svg", "")
    rect = page.locator(".canvas rect")
    assert rect.get_attribute("mask") == f"url(#{rect.get_attribute('id')})"


def test_a_picture_that_cannot_be_read_leaves_the_table(show: Callable[..., Page]) -> None:
    page = show("show=running")

    page.evaluate("harness.model.set('graph', {...harness.graph, svg: '<svg><g>'})")

    page.wait_for_selector(".canvas p")
    page.locator('[data-action="as-table"]').click()
    page.wait_for_function("document.querySelectorAll('.listing tbody tr').length === 11")


def test_two_views_of_one_panel_do_not_fight(show: Callable[..., Page]) -> None:
    page = show("show=running")
    page.evaluate("harness.again()")
    first, second = page.locator('[data-flowbook="panel"]').all()
    page.wait_for_function("document.querySelectorAll('[data-live=\"live\"][data-flowbook]').length === 2")

    first.locator(node("load_flights")).click()
    second.locator('.rail [data-action="inspect"][data-task="approve"]').click()
    page.wait_for_selector('[data-flowbook="inspector"][data-task="approve"] table')

    assert first.locator('[data-flowbook="inspector"]').get_attribute("data-task") == "load_flights"
    assert second.locator('[data-flowbook="inspector"]').get_attribute("data-task") == "approve"
    assert len({m["view"] for m in sent(page, "inspect")}) == 2
    assert len({m["id"] for m in sent(page, "inspect")}) == 2


def test_the_graph_grows_but_never_gets_smaller_than_its_text_can_be_read(show: Callable[..., Page]) -> None:
    page = show("show=running")
    out = page.locator('[data-action="zoom-out"]')
    width = page.locator(".canvas svg").get_attribute("width")
    assert out.get_attribute("aria-disabled") == "true"

    page.locator('[data-action="zoom-in"]').click()

    page.wait_for_function(f"Number(document.querySelector('.canvas svg').getAttribute('width')) > {width}")
    assert out.get_attribute("aria-disabled") is None
    out.click()
    page.wait_for_selector(f'.canvas svg[width="{width}"]')


def test_a_count_shows_only_its_state_until_it_is_clicked_again(show: Callable[..., Page]) -> None:
    page = show("show=running")
    retrying = page.locator('.count[data-state="Retrying"]')

    retrying.click()

    page.wait_for_selector(".node.far")
    bright = page.eval_on_selector_all("g.node:not(.far)", "all => all.map(n => n.dataset.task)")
    assert bright == ["fetch_rates"]
    retrying.click()
    page.wait_for_function("document.querySelectorAll('.node.far').length === 0")


def test_rejecting_needs_a_note_and_sends_it(show: Callable[..., Page]) -> None:
    page = show("show=paused&inspect=approve")
    page.wait_for_selector('[data-flowbook="inspector"] textarea')
    reject = page.locator('[data-action="reject"]')
    assert reject.get_attribute("title") == "Write a note first: it becomes the message of the failure"

    reject.click(force=True)
    page.locator("textarea").fill("August is missing")
    page.keyboard.press("Escape")
    reject.click()

    assert [(m["key"], m["note"]) for m in sent(page, "reject")] == [("approve", "August is missing")]


def test_the_chosen_output_is_pinned_and_what_is_over_can_not_expire(show: Callable[..., Page]) -> None:
    page = show("show=cache")
    page.wait_for_selector('[data-flowbook="cache"][data-live="live"]')
    pin, expire = (page.locator(f'[data-flowbook="cache"] [data-action="{action}"]') for action in ("pin", "expire"))
    entry = pin.get_attribute("data-entry")

    pin.click()

    assert [(each["entry"], each["pinned"]) for each in sent(page, "pin")] == [(entry, True)]
    assert expire.get_attribute("aria-disabled") == "true"
    assert expire.get_attribute("title") in {"Waiting for an answer", "It has expired already"}
