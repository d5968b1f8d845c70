"""The views of a real panel in a real browser, without Jupyter: what Python knows is what a person sees."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

import flowbook
from flowbook import Flow, task, triggers
from flowbook.notebook.panel_actions import PanelActions
from flowbook.notebook.panel_records import PanelRecords, run_that_made
from tests.acceptance.live_panel import served
from tests.homes import home  # noqa: F401  # each test's own store

pytestmark = [pytest.mark.acceptance, pytest.mark.browser]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Page

BROKEN = (17, 90, 151)
#: Whether a name shows whole: text is cut by an ellipsis as soon as it has a fraction of a pixel too little.
IS_WHOLE = """name => {
  const range = document.createRange();
  range.selectNodeContents(name.firstElementChild);
  return range.getBoundingClientRect().width <= name.firstElementChild.getBoundingClientRect().width + 0.02;
}"""
LONG_NAME = "a_task_whose_name_is_longer_than_any_card_or_node_can_show_2013_07"


def _flow(width: int = 200) -> Flow:
    @task
    def list_files() -> list[str]:
        return [f"day_{index}.csv" for index in range(width)]

    @task
    def parse(path: str) -> str:
        if path in {f"day_{index}.csv" for index in BROKEN}:
            msg = "could not convert string to float: 'n/a'"
            raise ValueError(msg)
        return path

    @task(trigger=triggers.all_finished, log_stdout=True)
    def combine(parts: list[object]) -> int:
        print("combining <b>all</b> files")  # noqa: T201  # what tasks print is in the logs
        return len(parts)

    @task(trigger=triggers.manual_only, name=LONG_NAME)
    def approve(count: int) -> int:
        return count

    with Flow("jfk_days") as flow:
        approve(combine(parse.map(list_files())))
    return flow


@pytest.fixture
def show(browser: Any) -> Iterator[Callable[..., Page]]:
    """Run a flow, and open its panel."""
    errors: list[str] = []
    with contextlib.ExitStack() as stack:

        def opened(flow: Flow, *, width: int = 1400, begin: str = "") -> Page:
            if flow.last_run is None:
                flow.run(record=True)
            assert flow.last_run is not None
            run = flow.last_run
            records = PanelRecords(flow.name, lambda: run)
            actions = PanelActions(
                history=records.history,
                decisions_before=records.decisions,
                why_ran=records.why_ran,
                maker=run_that_made,
                runs=records.runs,
                open_run=flowbook.run,
                rows_before=records.rows,
                by="ada",
            )
            _, address = stack.enter_context(served(run, actions, begin=begin))
            page = browser.new_page(viewport={"width": width, "height": 900})
            stack.callback(page.close)
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.goto(address)
            page.wait_for_selector('[data-flowbook="panel"][data-live="live"]')
            return page

        yield opened
    assert errors == []


def _node(key: str) -> str:
    return f'g.node[data-task="{key}"]'


def _tab(name: str) -> str:
    return f'.tablist [data-tab="{name}"]'


def test_the_card_stands_beside_the_graph_and_in_sight(show: Callable[..., Page]) -> None:
    page = show(_flow())

    page.locator(_node("combine")).click()
    page.wait_for_selector('[data-flowbook="inspector"] [data-tab="output"]')
    card, graph = (
        page.locator('[data-flowbook="inspector"]').bounding_box(),
        page.locator(".canvas:visible").bounding_box(),
    )
    page.locator(".grip").focus()
    page.keyboard.press("End")
    wider = page.locator('[data-flowbook="inspector"]').bounding_box()

    assert card is not None
    assert graph is not None
    assert wider is not None
    assert (round(card["width"]), round(wider["width"])) == (440, 560)
    assert abs(card["x"] - (graph["x"] + graph["width"])) < 2
    # It fills what is beside the card, which is no reason for the panel to be higher.
    assert graph["height"] <= max(480, card["height"])
    assert card["y"] + 200 < 900


def test_in_a_narrow_panel_the_card_stands_below_a_low_graph(show: Callable[..., Page]) -> None:
    page = show(_flow(), width=700)

    page.locator(_node("combine")).click()
    page.wait_for_selector('[data-flowbook="inspector"] [data-tab="output"]')
    card, graph = (
        page.locator('[data-flowbook="inspector"]').bounding_box(),
        page.locator(".canvas:visible").bounding_box(),
    )
    node = page.locator(_node("combine")).bounding_box()

    assert card is not None
    assert graph is not None
    assert node is not None
    assert graph["height"] <= 320
    assert abs(card["y"] - (graph["y"] + graph["height"])) < 2
    assert graph["y"] <= node["y"]
    assert node["y"] + node["height"] <= graph["y"] + graph["height"]


def test_a_graph_is_not_cut_where_there_is_room_and_begins_at_its_first_task(show: Callable[..., Page]) -> None:
    @task
    def begin() -> int:
        return 0

    @task
    def one_of_many(n: int) -> int:
        return 1 // n

    @task
    def after(n: int) -> int:
        return n

    with Flow("wide") as flow:
        first = begin()
        for _ in range(9):
            after(after(after(after(after(after(one_of_many(first)))))))

    wide = show(flow)
    wide.locator(_node("one_of_many")).wait_for()
    canvas, rail = wide.locator(".canvas:visible").bounding_box(), wide.locator(".rail:visible").bounding_box()
    narrow = show(flow, width=700)
    narrow.wait_for_function("() => document.querySelector('.canvas').scrollLeft > 0")
    node = narrow.locator(_node("begin")).bounding_box()

    assert canvas is not None
    assert rail is not None
    assert node is not None
    assert canvas["height"] == rail["height"] > 480
    assert node["x"] > 0
    assert node["x"] + node["width"] < 700


def test_the_card_takes_the_whole_width_and_gives_it_back(show: Callable[..., Page]) -> None:
    page = show(_flow())
    page.locator(_node("combine")).click()
    page.wait_for_selector('[data-flowbook="inspector"] [data-tab="output"]')

    page.locator('[data-action="widen"]').click()
    wide = page.locator('[data-flowbook="inspector"]').bounding_box()
    page.locator('[data-action="widen"]').click()

    assert wide is not None
    assert wide["width"] > 1300
    assert page.locator(_node("combine")).is_visible()


def test_a_long_name_shows_its_end_and_its_title_all_of_it(show: Callable[..., Page]) -> None:
    page = show(_flow())

    page.locator(_node(LONG_NAME)).click()
    page.locator('[data-flowbook="inspector"]').get_by_text("What it would get").wait_for()

    name = page.locator('[data-flowbook="inspector"] h3 .mid')
    assert name.get_attribute("title") == LONG_NAME
    assert name.text_content() == LONG_NAME
    last = name.locator("span").last.bounding_box()
    whole = name.bounding_box()
    assert last is not None
    assert whole is not None
    assert last["x"] + last["width"] <= whole["x"] + whole["width"] + 1
    assert page.locator(f"{_node(LONG_NAME)} text.name").text_content().endswith("2013_07")  # type: ignore[union-attr]


def test_a_mapped_task_opens_as_squares_and_as_a_table_by_its_inputs(show: Callable[..., Page]) -> None:
    page = show(_flow())

    page.locator(_node("parse")).click()
    page.wait_for_selector('[data-flowbook="children"] tbody tr')

    rows = page.eval_on_selector_all(
        '[data-flowbook="children"] tbody tr',
        "all => all.slice(0, 4).map(r => [r.dataset.task, r.cells[0].textContent])",
    )
    assert rows[:3] == [[f"parse[{index}]", f"day_{index}.csv"] for index in BROKEN]
    assert page.locator('[data-flowbook="children"] i[data-state="Failed"]').count() == 3
    assert page.locator('[data-flowbook="children"] i[role="gridcell"]').count() == 200
    assert page.locator('[data-flowbook="children"] .foot').inner_text().startswith("1 to 25 of 200; fastest ")


def test_each_child_has_its_own_card_and_the_arrows_of_the_card_go_on_to_the_next(show: Callable[..., Page]) -> None:
    page = show(_flow())
    page.locator(_node("parse")).click()
    page.wait_for_selector('[data-flowbook="children"] tbody tr')

    page.locator('[data-flowbook="children"] i[data-task="parse[90]"]').click()
    page.wait_for_selector('[data-flowbook="inspector"][data-task="parse[90]"] [data-tab="traceback"]')
    title = page.locator('[data-flowbook="inspector"] h3').text_content()
    page.locator('[data-action="child-step"][data-step="1"]').click()

    page.wait_for_selector('[data-flowbook="inspector"][data-task="parse[151]"]')
    assert title == "day_90.csv"
    assert page.locator('i[data-task="parse[151]"]').get_attribute("class") == "at"


def test_a_failed_child_keeps_the_name_of_its_input_beside_a_long_name_of_its_task(show: Callable[..., Page]) -> None:
    @task(name=LONG_NAME)
    def parse(path: str) -> str:
        if path == "day_3.csv":
            raise ValueError(path)
        return path

    with Flow("days") as flow:
        parse.map(["day_2.csv", "day_3.csv"])
    page = show(flow)

    page.locator('.item [data-action="inspect"]').click()
    page.locator('[data-flowbook="inspector"] h3', has_text="day_3.csv").wait_for()
    card = page.locator('[data-flowbook="inspector"] h3 .mid').evaluate(IS_WHOLE)
    page.keyboard.press("Escape")
    page.locator('[data-action="back-to-graph"]').click()
    item = page.locator(".item .name > .mid").first
    item.wait_for()

    assert (card, item.evaluate(IS_WHOLE), item.inner_text()) == (True, True, "day_3.csv")
    assert page.locator(".item .key").inner_text().replace("\n", "") == f"{LONG_NAME}[1]"


def test_children_are_filtered_searched_paged_and_left_by_keys(show: Callable[..., Page]) -> None:
    page = show(_flow())
    page.locator(_node("parse")).click()
    page.wait_for_selector('[data-flowbook="children"] tbody tr')
    rows = '[data-flowbook="children"] tbody tr'

    page.locator('[data-action="child-page"][data-step="1"]').click()
    page.wait_for_function("document.querySelector('.stack .foot').textContent.startsWith('26 to 50')")
    page.locator('[data-action="child-state"][data-only="Failed"]').click()
    page.wait_for_function(f"document.querySelectorAll('{rows}').length === 3")
    page.fill('[data-action="child-query"]', "day_90")
    page.wait_for_function(f"document.querySelectorAll('{rows}').length === 1")
    page.locator('i[role="gridcell"][tabindex="0"]').focus()
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    page.wait_for_selector('[data-flowbook="inspector"][data-task="parse[199]"]')
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")

    page.wait_for_selector('[data-flowbook="children"]', state="hidden")
    assert page.locator(_node("parse")).is_visible()


def test_the_tab_of_the_graph_leads_back_from_a_tasks_children(show: Callable[..., Page]) -> None:
    page = show(_flow())
    page.locator(_node("parse")).click()
    page.wait_for_selector('[data-flowbook="children"] tbody tr')

    page.locator(_tab("graph")).click()

    page.wait_for_selector('[data-flowbook="children"]', state="hidden")
    assert page.locator(_node("parse")).is_visible()


def test_ten_thousand_children_are_squares_of_which_only_those_in_view_are_drawn(show: Callable[..., Page]) -> None:
    page = show(_flow(10_000))

    page.locator(_node("parse")).click()
    page.wait_for_selector('[data-flowbook="children"] tbody tr')
    drawn = page.locator('i[role="gridcell"]').count()
    page.eval_on_selector(".cells", "cells => cells.scrollTo(0, cells.scrollHeight)")

    page.wait_for_selector('i[data-task="parse[9999]"]')
    assert drawn < 1500
    assert page.locator(".cells").get_attribute("aria-rowcount") == "250"


def test_the_timeline_has_a_row_for_each_task_and_opens_its_card(show: Callable[..., Page]) -> None:
    page = show(_flow())

    page.locator(_tab("timeline")).click()
    page.wait_for_selector('[data-flowbook="timeline"] .lane[data-task="combine"] .gbar')
    page.locator('[data-flowbook="timeline"] .lane[data-task="combine"] [data-action="inspect"]').click()

    page.wait_for_selector('[data-flowbook="inspector"][data-task="combine"]')
    labels = page.eval_on_selector_all(".lane", "all => all.map(l => [l.dataset.task, l.getAttribute('aria-label')])")
    assert ["parse", "parse: 197 Success, 3 Failed"] in labels
    assert page.locator(f'.lane[data-task="{LONG_NAME}"] .gbar.wait').count() == 1


def test_logs_of_all_tasks_are_filtered_and_hits_are_underlined(show: Callable[..., Page]) -> None:
    page = show(_flow())

    page.locator(_tab("logs")).click()
    page.wait_for_selector('[data-flowbook="logs"] [data-kind="log"]')
    page.select_option('[data-action="log-level"]', "ERROR")
    page.wait_for_function("document.querySelectorAll('.logs.all > div').length === 3")
    page.select_option('[data-action="log-level"]', "INFO")
    page.fill('[data-action="log-query"]', "<b>all</b>")

    page.wait_for_selector(".logs mark")
    assert page.locator(".logs mark").inner_text() == "<b>all</b>"
    assert page.locator(".logs.all > div").count() == 1
    assert page.locator(".logs.all b").count() == 0


def test_in_a_narrow_panel_the_text_of_a_log_line_stands_below_its_time_and_task(show: Callable[..., Page]) -> None:
    page = show(_flow(), width=440)

    page.locator(_tab("logs")).click()
    line = page.locator('.logs.all [data-level="error"]').first
    line.wait_for()
    time, text = (line.locator(f":scope > :{which}-child").bounding_box() for which in ("first", "last"))

    assert text["width"] > 380  # type: ignore[index]  # it is there
    assert text["y"] >= time["y"] + time["height"]  # type: ignore[index]


def test_the_field_of_a_parameter_with_a_long_name_has_room(show: Callable[..., Page]) -> None:
    name = "share_of_the_rows_that_may_be_missing_before_the_run_fails_and_somebody_is_told"

    @task
    def check(share: float) -> float:
        return share

    with Flow("shares") as flow:
        check(flowbook.Parameter(name, default=0.25))
    page = show(flow, width=1000)

    page.locator(_tab("plan")).click()
    field = page.locator('[data-flowbook="parameters"] input:visible').first
    field.wait_for()
    box, label = field.bounding_box(), page.locator('[data-flowbook="parameters"] label:visible').first

    assert box["width"] >= 96  # type: ignore[index]  # it is there
    assert label.locator(".mid").get_attribute("title") == name


def test_the_field_of_a_secret_parameter_shows_nothing_and_keeps_it(show: Callable[..., Page]) -> None:
    @task
    def load(origin: str, db_password: str) -> int:
        return len(origin + db_password)

    with Flow("secrets") as flow:
        load(flowbook.Parameter("origin", default="JFK"), flowbook.Parameter("db_password", default="hunter2"))
    page = show(flow)

    page.locator(_tab("plan")).click()
    field = page.locator('[data-flowbook="parameters"] input[name="db_password"]')
    field.wait_for()
    shown = [field.get_attribute(name) for name in ("type", "placeholder")]

    assert (shown, field.input_value()) == (["password", "unchanged"], "")
    assert page.locator('[data-flowbook="parameters"] input[name="origin"]').input_value() == "JFK"
    assert "hunter2" not in page.content()


def test_a_click_on_a_run_shows_it(show: Callable[..., Page]) -> None:
    flow = _flow(3)
    flow.run(record=True)
    flow.run(record=True)
    page = show(flow)

    page.locator(_tab("runs")).click()
    page.wait_for_selector('[data-flowbook="runs"] tr[data-run="1"]')
    page.locator('[data-flowbook="runs"] tr[data-run="1"] button').click()

    page.wait_for_selector('[data-flowbook="panel"][data-run="1"]')
    page.wait_for_selector('[data-flowbook="runs"] tr[data-run="1"][aria-selected="true"]')


def test_the_replay_shows_the_graph_as_it_was_and_offers_no_deed_there(show: Callable[..., Page]) -> None:
    page = show(_flow())
    page.locator('[data-action="replay-toggle"]').click()
    page.wait_for_function("document.querySelector('[data-action=replay]').max > 1")

    page.locator('[data-action="replay"]').focus()
    page.keyboard.press("Home")
    page.wait_for_selector(f'{_node("combine")}[data-state="Pending"]')
    page.locator('[data-action="replay-before"]').click()
    page.locator('[data-action="replay-now"]').click()

    page.wait_for_selector(f'{_node("combine")}[data-state="Success"]')
    page.locator(".replay .counts").wait_for(state="hidden")
    page.wait_for_selector(f'{_node(LONG_NAME)} [data-action="resume"]:not([aria-disabled])')


@pytest.mark.parametrize("width", [700, 1400])
def test_the_replay_is_in_sight_beside_an_open_card(show: Callable[..., Page], width: int) -> None:
    page = show(_flow(), width=width)
    page.locator(_node("combine")).click()
    page.wait_for_selector('[data-flowbook="inspector"] [data-tab="output"]')

    page.locator('[data-action="replay-toggle"]').click()
    replay = page.locator(".replay:visible")
    replay.wait_for()
    slider, graph, card = (
        each.bounding_box()
        for each in (replay, page.locator(".canvas:visible"), page.locator('[data-flowbook="inspector"]'))
    )

    assert slider["y"] + slider["height"] <= 900  # type: ignore[index]  # all are there
    below = graph if width == 700 else card
    assert abs(slider["y"] - (below["y"] + below["height"])) < 2  # type: ignore[index]


def test_a_view_that_is_told_to_begins_with_the_replay_playing_from_its_start(show: Callable[..., Page]) -> None:
    page = show(_flow(3), begin="replay")
    slider = "document.querySelector('input[data-action=replay]')"

    page.wait_for_selector('[data-action="replay-play"][aria-pressed="true"]')
    page.wait_for_function(f"{slider}.max > 1 && Number({slider}.value) < {slider}.max / 2")
    before = float(page.evaluate(f"{slider}.value"))
    page.wait_for_function(f"Number({slider}.value) > {before}")
    page.locator('[data-action="replay-play"]').click()

    page.wait_for_selector('[data-action="replay-play"][aria-pressed="false"]')
    assert page.locator(".replay").is_visible()


def test_tabs_are_one_stop_and_turned_by_arrows(show: Callable[..., Page]) -> None:
    page = show(_flow(3))

    page.locator(_tab("graph")).focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")

    assert page.evaluate("document.activeElement.dataset.tab") == "logs"
    page.locator('[data-flowbook="logs"]').wait_for()
    assert page.locator('.tablist [tabindex="0"]').count() == 1


def _copies(count: int) -> Flow:
    @task
    def load() -> int:
        return 1

    @task
    def parse(x: int, n: int) -> int:
        if n in BROKEN:
            raise ValueError(n)
        return n + x

    @task(trigger=triggers.all_finished)
    def gather(parts: list[int]) -> int:
        return len(parts)

    with Flow("copies") as flow:
        x = load()
        gather([parse(x, n) for n in range(count)])
    return flow


def test_a_thousand_tasks_are_groups_that_open_on_demand(show: Callable[..., Page]) -> None:
    page = show(_copies(1000))
    group = page.locator('g.node[data-group="parse (all)"]')
    nodes = page.locator("g.node").count()
    state = group.get_attribute("data-state")

    group.click()
    page.wait_for_selector('[data-flowbook="children"] tbody tr')
    first = page.locator('[data-flowbook="children"] tbody tr').first.get_attribute("data-task")
    page.locator('[data-flowbook="children"] tbody tr button').first.click()
    page.wait_for_selector(f'[data-flowbook="inspector"][data-task="{first}"] [data-tab="traceback"]')

    assert nodes < 10
    assert state == "Failed"
    assert first == "parse-18"
    assert page.locator('[data-flowbook="children"]').is_visible()
    assert page.locator('[data-flowbook="children"] i[data-state="Failed"]').count() == 3


def test_a_person_may_ask_for_groups_and_for_every_task(show: Callable[..., Page]) -> None:
    page = show(_copies(40))
    before = page.locator("g.node").count()

    page.select_option('[data-action="group-by"]', "layer")
    page.wait_for_selector('g.node[data-group="layer 2"]')
    groups = page.locator("g.node").count()
    page.select_option('[data-action="group-by"]', "task")
    page.wait_for_function(f"document.querySelectorAll('g.node').length === {before}")

    assert (before > groups, page.locator("g.node[data-group]").count()) == (True, 0)


def test_rows_stand_on_the_edges_and_a_large_loss_is_in_needs_you(show: Callable[..., Page]) -> None:
    @task
    def load() -> pd.DataFrame:
        return pd.DataFrame({"a": range(1000)})

    @task
    def drop(frame: pd.DataFrame, share: float) -> pd.DataFrame:
        return frame.iloc[: int(len(frame) * share)]

    @task
    def count(frame: pd.DataFrame) -> int:
        return len(frame)

    with Flow("frames") as flow:
        count(drop(load(), flowbook.Parameter("share", default=0.9)))
    flow.run(record=True)
    flow.run({"share": 0.5}, record=True)

    page = show(flow)
    page.wait_for_selector('path.edge[data-from="drop"][data-rows="500"]', state="attached")

    texts = page.eval_on_selector_all("g.rows text", "all => all.map(t => t.textContent)")
    assert sorted(texts) == ["1,000 rows", "500 rows"]
    assert page.locator(f"{_node('drop')} text.note").text_content() == "500 of 1,000500 of 1,000"
    need = page.locator('.rail .item[data-task="drop"]')
    assert "Lost 500 of 1,000 rows, 50.0%; at most 10.0% in 1 earlier run" in (need.text_content() or "")


def _approval() -> Flow:
    @task
    def summarise() -> pd.DataFrame:
        return pd.DataFrame({"carrier": ["EV", "MQ"], "late": [0.3, 0.2]})

    @task(trigger=triggers.manual_only)
    def approve(report: pd.DataFrame, threshold: int) -> int:
        return len(report) * threshold

    @task
    def publish(count: int) -> int:
        return count

    with Flow("approval") as flow:
        publish(approve(summarise(), 15))
    return flow


def test_an_input_is_changed_in_the_card_and_the_task_goes_on_with_it(show: Callable[..., Page]) -> None:
    flow = _approval()
    page = show(flow)
    page.locator(f"{_node('approve')} .name").click()
    card = page.locator('[data-flowbook="inspector"]')

    card.locator('input[name="threshold"]').fill("20")
    label = card.locator('.answers [data-action="resume"]').inner_text()
    card.locator('.answers [data-action="resume"]').click()
    page.wait_for_selector(f'{_node("publish")}[data-state="Success"]')

    assert label == "Resume with another threshold"
    assert flow.last_run is not None
    assert flow.last_run["publish"].result == 40


def test_a_task_is_rejected_with_a_note_and_the_next_run_shows_that_decision(show: Callable[..., Page]) -> None:
    flow = _approval()
    page = show(flow)
    page.locator(f"{_node('approve')} .name").click()
    card = page.locator('[data-flowbook="inspector"]')
    reject = card.locator('[data-action="reject"]')
    card.locator('[data-action="reject"][aria-disabled="true"]').wait_for()

    card.locator("textarea").fill("August is missing")
    reject.click()
    page.wait_for_selector(f'{_node("approve")}[data-state="Failed"]')
    flow.run(record=True)
    page = show(flow)
    page.locator(f"{_node('approve')} .name").click()

    page.wait_for_selector(".earlier")
    assert "August is missing" in page.locator(".earlier dd").inner_text()
    assert page.locator(".earlier dd").inner_text().startswith("ada rejected")


def test_a_note_on_one_decision_is_not_said_of_the_next(show: Callable[..., Page]) -> None:
    flow = _approval()
    page = show(flow)
    page.locator(f"{_node('approve')} .name").click()
    card = page.locator('[data-flowbook="inspector"]')
    card.locator("textarea").fill("August is missing")
    card.locator('[data-action="reject"]').click()
    page.wait_for_selector(f'{_node("approve")}[data-state="Failed"]')

    card.locator('[data-action="retry"]').click()
    page.wait_for_selector(f'{_node("approve")}[data-state="Paused"]')
    card.locator("textarea").wait_for()
    page.locator(f'{_node("approve")} [data-action="resume"]').click()
    page.wait_for_selector(f'{_node("publish")}[data-state="Success"]')

    assert flow.last_run is not None
    assert list(flow.last_run.decisions("approve")["note"])[::2] == ["August is missing", ""]


def test_an_input_from_another_task_is_changed_only_if_somebody_asks_to(show: Callable[..., Page]) -> None:
    page = show(_approval())
    page.locator(f"{_node('approve')} .name").click()
    card = page.locator('[data-flowbook="inspector"]')
    card.locator('[data-action="change-input"][data-input="report"]').wait_for()
    before = card.locator('input[name="report"]').count()

    card.locator('[data-action="change-input"][data-input="report"]').click()

    card.locator('input[name="report"]').wait_for()
    page.wait_for_function("document.activeElement.name === 'report'")
    assert (before, card.locator('input[name="report"]').count()) == (0, 1)


def test_a_task_is_skipped(show: Callable[..., Page]) -> None:
    page = show(_approval())
    page.locator(f"{_node('approve')} .name").click()

    page.locator('[data-flowbook="inspector"] [data-action="skip"]').click()

    page.wait_for_selector(f'{_node("approve")}[data-state="Skipped"]')
    page.wait_for_selector(f'{_node("publish")}[data-state="Skipped"]')
    assert page.locator('[data-task="approve"] [data-action="resume"]').locator("visible=true").count() == 0


def test_many_failed_children_are_one_line_that_opens_them(show: Callable[..., Page]) -> None:
    @task
    def parse(n: int) -> int:
        raise ValueError(n)

    with Flow("all_broken") as flow:
        parse.map(list(range(60)))
    page = show(flow)
    need = page.locator('.rail .item[data-task="parse[0]"], .rail .item[data-task="parse"]')

    text, said = need.locator(".name").text_content(), need.locator(".sentence").text_content()
    head = page.locator('.head [data-action="retry"]').inner_text()
    need.locator('[data-action="inspect"]').first.click()

    page.wait_for_selector('[data-flowbook="children"] tbody tr')
    assert (text, said) == ("parse, 60 of 60", "Failed ValueError: 0, and 59 others")
    assert head == "Retry failed (60)"
