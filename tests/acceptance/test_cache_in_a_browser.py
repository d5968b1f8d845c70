"""The cache browser in a real browser, on a real store: versions compared."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from playwright.sync_api import expect

from flowbook import Flow, Parameter, task
from flowbook.core.run_below import below_entry
from flowbook.notebook.cache_session import BelowEntry, CacheActions
from flowbook.notebook.command_worker import RefusedError
from flowbook.store import open_store
from tests.acceptance.live_panel import served_cache
from tests.homes import home  # noqa: F401  # each test's own store

pytestmark = [pytest.mark.acceptance, pytest.mark.browser]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from playwright.sync_api import Page

DIFF = '[data-flowbook="diff"]'


def _flow() -> Flow:
    @task(cache=True)
    def clean(n: int) -> pd.DataFrame:
        table = pd.DataFrame({"day": range(300), "delay": 5.0})
        return table if n == 0 else table.assign(delay=table["delay"] + (table["day"] % 100 == 7)).iloc[2:]

    @task
    def total(table: pd.DataFrame) -> int:
        return len(table)

    with Flow("delays") as flow:
        total(clean(Parameter("n", default=0)))
    return flow


class _Below(BelowEntry):
    """Runs what lies below an entry, once."""

    def __init__(self, flow: Flow, options: dict[str, Any]) -> None:
        self._flow = flow
        self._options = options

    def plan(self) -> Mapping[str, Any]:
        return self._flow.plan(**self._options).plain()

    def start(self) -> str:
        if self._flow.last_run.number > 2:  # type: ignore[union-attr, operator]  # it has run
            msg = "The flow is gone."
            raise RefusedError(msg)
        self._flow.run(record=True, **self._options)
        return "delays run 3 runs what lies below clean."


@pytest.fixture
def show(browser: Any) -> Iterator[Callable[..., tuple[Page, dict[str, object]]]]:
    """Run a flow twice, and open the cache; return the page, and what was put into variables."""
    errors: list[str] = []
    with contextlib.ExitStack() as stack:

        def opened() -> tuple[Page, dict[str, object]]:
            flow = _flow()
            for n in range(2):
                flow.run(record=True, n=n)
            store, kept = open_store(), dict[str, object]()
            actions = CacheActions(
                assign=lambda name, value: kept.update({name: value}) or name,  # type: ignore[func-returns-value]
                pin=lambda entry, is_pinned: store.cache.pin(entry, pinned=is_pinned),
                expire=store.cache.expire,
                renew=store.cache.renew,
                below=lambda entry: _Below(flow, below_entry(flow, store.cache.get(entry.id))),
            )
            served = served_cache(store.browse(), store.values, numbers=store.runs.numbers, actions=actions)
            _, address = stack.enter_context(served)
            page = browser.new_page(viewport={"width": 1100, "height": 900})
            stack.callback(page.close)
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.goto(address)
            page.wait_for_selector('[data-flowbook="cache"][data-live="live"]')
            return page, kept

        yield opened
    assert errors == []


def test_two_versions_are_compared_filtered_and_kept(show: Callable[..., tuple[Page, dict[str, object]]]) -> None:
    page, kept = show()

    page.locator('[data-action="compare"]').click()
    page.wait_for_selector(f"{DIFF} tbody tr")
    signs = [page.locator(f"{DIFF} tr[data-diff={kind}]").count() for kind in ("changed", "removed", "same")]
    change = page.locator(f"{DIFF} td.chg").first.inner_text()
    page.locator(f"{DIFF} [data-action=show-removed]").uncheck()
    page.wait_for_function("!document.querySelector('tr[data-diff=removed]')")
    page.locator(f"{DIFF} [data-action=show-same]").check()
    page.wait_for_selector(f"{DIFF} tr[data-diff=same]")
    page.keyboard.press("n")
    page.wait_for_function(
        "document.querySelector('[data-flowbook=diff] .foot').textContent.includes('Rows 106 to 205')"
    )
    page.locator(f"{DIFF} [data-action=keep-difference]").click()
    page.wait_for_function(
        "document.querySelector('[data-flowbook=diff] .said').textContent.includes('clean_difference')"
    )
    page.locator(f"{DIFF} [data-action=swap]").click()
    page.wait_for_selector(f"{DIFF} tr[data-diff=added]")
    page.locator(f"{DIFF} [data-action=diff-beside]").click()
    page.locator(f"{DIFF} th[scope=colgroup]").nth(1).wait_for()
    sides = page.locator(f"{DIFF} th[scope=colgroup]").all_inner_texts()
    opposite = page.locator(f"{DIFF} tr[data-diff=added]").first.locator("td:not(.sign)")
    beside = [cell.get_attribute("class") or "" for cell in opposite.all()]
    page.locator(f"{DIFF} [data-action=close]").click()
    page.locator('.head [data-action="compare"]').wait_for()

    assert signs == [3, 2, 0]
    assert len(sides) == 2
    assert sides[0] != sides[1]
    assert [("void" in each) for each in beside] == [True] * (len(beside) // 2) + [False] * (len(beside) // 2)
    assert change.split() == ["5", "6", "+1,", "+20.0", "%"]
    assert repr(kept["clean_difference"]) == (
        "<Difference: 0 rows added, 2 removed, 3 cells changed in 3 rows, 0 columns differ>"
    )


def test_an_expiry_is_undone(show: Callable[..., tuple[Page, dict[str, object]]]) -> None:
    page, _ = show()

    page.locator('[data-action="expire"]').click()
    page.locator('[data-action="renew"]').click()

    page.wait_for_selector('[data-action="expire"]:not([aria-disabled])')
    expect(page.locator(".head .said").last).to_contain_text("Valid again")


def test_what_lies_below_runs_from_a_version_and_the_answer_stays(
    show: Callable[..., tuple[Page, dict[str, object]]],
) -> None:
    page, _ = show()
    said = page.locator(".head .said").last

    page.locator('[data-action="run-from"]').click()
    page.locator('[data-flowbook="plan"] tr[data-task="total"][data-outcome="run"]').wait_for()
    page.locator('[data-action="run-plan"]').click()
    page.wait_for_selector('.head [data-action="run-from"]')
    expect(said).to_have_text("delays run 3 runs what lies below clean.")
    page.locator('[data-action="pin"]').click()
    page.wait_for_function("document.querySelector('[data-flowbook=cache]').innerText.includes('Pinned: no sweep')")
    pinned = said.inner_text()
    page.locator('[data-action="run-from"]').click()
    page.locator('[data-action="run-plan"]').click()
    page.locator('[data-flowbook="plan"]').get_by_text("The flow is gone.").wait_for()

    assert pinned == "Pinned: no sweep deletes this value."
    expect(page.locator('[data-action="run-plan"]')).to_have_count(0)
