import datetime as dt
import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from flowbook.notebook.cache_browser import CacheBrowser
from flowbook.results.reference import ResultRef
from tests.notebook.fakes import RecordedBrowser

NOW = dt.datetime(2026, 11, 23, 9, 0, tzinfo=dt.UTC)
PAGE = {"columns": [], "rows": [], "total": 3}


@dataclass
class Entry:
    id: str
    task: str
    created: dt.datetime
    expires: dt.datetime | None = None
    flow: str = "delays"
    project: str = "default"
    cache_key: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    ref: ResultRef = field(default_factory=lambda: ResultRef("ab", 41_200_000))
    run_id: str = "r1"
    uses: int = 11
    pinned: bool = False


class Cache:
    def __init__(self, *entries: Entry) -> None:
        self.kept = list(entries)

    def entries(self, *, at: Any = None, flow: Any = None, task: Any = None) -> list[Entry]:
        del at, flow, task
        return list(self.kept)


class Values:
    def __init__(self) -> None:
        self.loads = 0

    def load(self, ref: ResultRef) -> str:
        self.loads += 1
        return f"value {ref.digest}"

    def preview(self, ref: ResultRef) -> dict[str, Any]:
        return {"type": "pandas.DataFrame" if ref.digest == "ab" else "str", "page": PAGE}


class Turned:
    def __init__(self, value: object) -> None:
        self.value = value

    def page(self, **request: Any) -> dict[str, Any]:
        return {"value": self.value, **request}


def _hours(count: float) -> dt.timedelta:
    return dt.timedelta(hours=count)


@pytest.fixture
def values() -> Values:
    return Values()


@pytest.fixture
def browser(values: Values) -> RecordedBrowser:
    cache = Cache(
        Entry("e1", "clean", NOW - _hours(10), NOW - _hours(5), parameters={"origin": "JFK", "month": 7}),
        Entry("e2", "clean", NOW - _hours(4), NOW + _hours(20)),
        Entry("e3", "load", NOW - _hours(1), dt.datetime.max.replace(tzinfo=dt.UTC), ref=ResultRef("cd", 90)),
    )
    return RecordedBrowser(cache, values, pager=Turned, number={"r1": "14"}.__getitem__, now=NOW.timestamp)


def _seen(browser: RecordedBrowser) -> dict[str, Any]:
    """What the views were told last."""
    return next((message for message in reversed(browser.sent) if message["type"] == "snapshot"), browser.snapshot)


def _valid(browser: RecordedBrowser) -> dict[str, bool]:
    return {entry["id"]: entry["valid"] for entry in _seen(browser)["entries"]}


def test_it_opens_now_with_the_newest_first(browser: RecordedBrowser) -> None:
    snapshot = browser.snapshot

    assert json.dumps(snapshot)
    assert snapshot["at"] == snapshot["now"] == NOW.timestamp()
    assert snapshot["first"] == (NOW - _hours(10)).timestamp()
    assert _valid(browser) == {"e3": True, "e2": True, "e1": False}
    assert snapshot["filters"] == {
        "flows": ["delays"],
        "tasks": ["clean", "load"],
        "types": ["pandas.DataFrame", "str"],
    }
    assert snapshot["entries"][2] == {
        "id": "e1",
        "flow": "delays",
        "task": "clean",
        "parameters": "origin JFK, month 7",
        "size_bytes": 41_200_000,
        "size": "41.2 MB",
        "uses": 11,
        "created": (NOW - _hours(10)).timestamp(),
        "expires": (NOW - _hours(5)).timestamp(),
        "valid": False,
        "type": "pandas.DataFrame",
        "run": "14",
    }
    assert snapshot["entries"][0]["expires"] is None


def test_the_slider_tells_what_was_valid_then(browser: RecordedBrowser) -> None:
    ack = browser.hear("as-of", at=(NOW - _hours(6)).timestamp())

    assert ack["ok"]
    assert _valid(browser) == {"e3": False, "e2": False, "e1": True}


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        ({"task": "clean"}, ["e2", "e1"]),
        ({"kind": "str"}, ["e3"]),
        ({"parameters": "jfk"}, ["e1"]),
        ({"flow": "other"}, []),
        ({}, ["e3", "e2", "e1"]),
    ],
)
def test_filters_narrow_the_entries(browser: RecordedBrowser, wanted: dict[str, str], ids: list[str]) -> None:
    browser.hear("filter", **{"flow": "", "task": "", "kind": "", "parameters": "", **wanted})

    assert [entry["id"] for entry in _seen(browser)["entries"]] == ids


def test_selecting_shows_the_noted_page_and_loads_nothing(browser: RecordedBrowser, values: Values) -> None:
    browser.hear("select", entry="e2")

    sent = _seen(browser)
    assert (sent["selected"], sent["page"], sent["preview"]["type"]) == ("e2", PAGE, "pandas.DataFrame")
    assert values.loads == 0


def test_rows_never_get_into_a_trait(browser: RecordedBrowser) -> None:
    browser.hear("select", entry="e2")

    assert (browser.snapshot["page"], browser.snapshot["preview"]) == (None, None)


def test_it_opens_with_the_newest_output_that_is_valid(browser: RecordedBrowser) -> None:
    browser.hear("hello")

    assert _seen(browser)["selected"] == "e3"


def test_with_the_slider_the_version_of_that_moment_is_shown_and_back_again(browser: RecordedBrowser) -> None:
    browser.hear("select", entry="e2")
    browser.hear("as-of", "c2", at=(NOW - _hours(6)).timestamp())
    then = _seen(browser)["selected"]

    browser.hear("as-of", "c3", at=None)

    assert then == "e1"
    assert _seen(browser)["selected"] == "e2"


def test_a_row_that_was_clicked_is_shown_though_it_is_not_valid_then(browser: RecordedBrowser) -> None:
    browser.hear("as-of", at=(NOW - _hours(6)).timestamp())

    browser.hear("select", "c2", entry="e2")

    assert _seen(browser)["selected"] == "e2"


def test_pages_come_from_the_value_loaded_once(browser: RecordedBrowser, values: Values) -> None:
    for number in (1, 2):
        browser.hear("page", f"c{number}", source={"entry": "e2"}, offset=100, limit=50, sort=None, descending=False)

    pages = [message for message in browser.sent if message["type"] == "page"]
    assert [page["id"] for page in pages] == ["c1", "c2"]
    assert pages[0]["frame"] == {"value": "value ab", "offset": 100, "limit": 50, "sort": None, "descending": False}
    assert values.loads == 1


def test_a_version_goes_to_a_variable(values: Values) -> None:
    given: list[tuple[str, object]] = []

    def assign(name: str, value: object) -> str:
        given.append((name, value))
        return name

    browser = RecordedBrowser(Cache(Entry("e1", "clean", NOW)), values, assign=assign, now=NOW.timestamp)

    assert browser.hear("to-variable", entry="e1")["text"] == "Now in the variable clean."
    assert given == [("clean", "value ab")]


@pytest.mark.parametrize(
    ("command", "fields", "told"),
    [
        ("select", {"entry": "e9"}, "The cache has no entry 'e9' any more."),
        ("as-of", {"at": "noon"}, "A moment is a number of seconds since 1970, or null for now, not 'noon'."),
        ("page", {"source": None}, "The cache has no entry 'None' any more."),
        ("to-variable", {"entry": "e1"}, "There is no namespace to write to here."),
    ],
)
def test_what_can_not_be_done_is_refused(browser: RecordedBrowser, command: str, fields: Any, told: str) -> None:
    ack = browser.hear(command, **fields)

    assert not ack["ok"]
    assert ack["text"].startswith(told)


def test_an_empty_cache_is_shown_as_one(values: Values) -> None:
    browser = RecordedBrowser(Cache(), values, now=NOW.timestamp)

    assert browser.snapshot["entries"] == []
    assert browser.snapshot["first"] == NOW.timestamp()


def test_hello_is_answered_with_what_is_seen(browser: RecordedBrowser) -> None:
    ack = browser.hear("hello")
    while browser._worker.step() or browser._outbox._outbox:
        browser._outbox.step()

    assert ack["ok"]
    assert browser.sent[-1]["type"] == "snapshot"


def test_it_can_be_closed_twice(values: Values) -> None:
    browser = RecordedBrowser(Cache(), values, now=NOW.timestamp)

    browser.close()
    browser.close()

    assert isinstance(browser, CacheBrowser)
    assert browser.comm is None


def test_a_parameter_of_which_only_a_hash_is_kept_is_told_by_its_beginning(values: Values) -> None:
    entry = Entry("e1", "clean", NOW, parameters={"origin": "JFK", "frame": {"$hash": "0123456789abcdef"}})

    browser = RecordedBrowser(Cache(entry), values, now=NOW.timestamp)

    assert browser.snapshot["entries"][0]["parameters"] == "origin JFK, frame #01234567"
