from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from flowbook.notebook.cache_browser import CacheBrowser
from flowbook.notebook.cache_session import CacheActions
from flowbook.notebook.value_comparison import Comparisons
from flowbook.results import table_diff
from flowbook.results.reference import ResultRef
from flowbook.store import CacheEntry, MemoryStore
from flowbook.store.cache import NEVER
from tests.notebook.recorded import RecordedBrowser

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flowbook.store.cache_listing import CacheListing

NOW = dt.datetime(2026, 11, 23, 9, 0, tzinfo=dt.UTC)
PAGE = {"columns": [], "rows": [], "total": 3}


FRAME, TEXT = "ab" * 32, "cd" * 32


def entry(entry_id: str, task: str, created: dt.datetime, expires: dt.datetime = NEVER, **given: Any) -> CacheEntry:
    kept = {"flow": "delays", "ref": ResultRef(FRAME, 41_200_000), "run_id": "r1", "uses": 11, **given}
    return CacheEntry("default", task=task, created=created, expires=expires, id=entry_id, **kept)


def browse(*entries: CacheEntry) -> CacheListing:
    store = MemoryStore()
    for each in entries:
        store.cache.add(each)
    return store.browse()


class Values:
    def __init__(self) -> None:
        self.loads = 0

    def load(self, ref: ResultRef) -> str:
        self.loads += 1
        return f"value {ref.digest[:2]}"

    def preview(self, ref: ResultRef) -> dict[str, Any]:
        return {"type": "pandas.DataFrame" if ref.digest == FRAME else "str", "page": PAGE}

    def previews(self, refs: Iterable[ResultRef]) -> dict[str, dict[str, Any]]:
        return {ref.digest: self.preview(ref) for ref in refs}


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
    cache = browse(
        entry("e1", "clean", NOW - _hours(10), NOW - _hours(5), parameters={"origin": "JFK", "month": 7}),
        entry("e2", "clean", NOW - _hours(4), NOW + _hours(20)),
        entry("e3", "load", NOW - _hours(1), ref=ResultRef(TEXT, 90)),
    )
    return RecordedBrowser(cache, values, pager=Turned, numbers=lambda _: {"r1": 14}, now=NOW.timestamp)


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
        "pinned": False,
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
        ({"parameters": "origin=JFK"}, ["e1"]),
        ({"parameters": "jfk", "task": "load"}, []),
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

    browser = RecordedBrowser(
        browse(entry("e1", "clean", NOW)), values, actions=CacheActions(assign=assign), now=NOW.timestamp
    )

    assert browser.hear("to-variable", entry="e1")["text"] == "Now in the variable clean."
    assert given == [("clean", "value ab")]


@pytest.mark.parametrize(
    ("command", "fields", "told"),
    [
        ("select", {"entry": "e9"}, "The cache has no entry 'e9' any more."),
        ("as-of", {"at": "noon"}, "A moment is a number of seconds since 1970, or null for now, not 'noon'."),
        ("as-of", {"at": 1e18}, "1e+18 seconds since 1970 are out of reach of the clock."),
        ("page", {"source": None}, "The cache has no entry 'None' any more."),
        ("to-variable", {"entry": "e1"}, "There is no namespace to write to here."),
    ],
)
def test_what_can_not_be_done_is_refused(browser: RecordedBrowser, command: str, fields: Any, told: str) -> None:
    ack = browser.hear(command, **fields)

    assert (ack["ok"], ack["text"][: len(told)]) == (False, told)


def test_an_empty_cache_is_shown_as_one(values: Values) -> None:
    browser = RecordedBrowser(browse(), values, now=NOW.timestamp)

    assert browser.snapshot["entries"] == []
    assert browser.snapshot["first"] == NOW.timestamp()


def test_hello_is_answered_with_what_is_seen(browser: RecordedBrowser) -> None:
    ack = browser.hear("hello")
    browser.settle()

    assert ack["ok"]
    assert browser.sent[-1]["type"] == "snapshot"


def test_it_can_be_closed_twice(values: Values) -> None:
    browser = RecordedBrowser(browse(), values, now=NOW.timestamp)

    browser.close()
    browser.close()

    assert isinstance(browser, CacheBrowser)
    assert browser.comm is None


def test_a_parameter_of_which_only_a_hash_is_kept_is_told_by_its_text_or_by_the_hashs_beginning(values: Values) -> None:
    given = {
        "origin": "JFK",
        "day": {"$hash": "fe"},
        "frame": {"$hash": "0123456789abcdef"},
        "api_token": {"$hash": "ab"},
        "pwd": {"$hash": "cd"},
    }
    texts = {"day": "2026-01-28", "api_token": "hunter2"}
    kept = entry("e1", "clean", NOW, parameters=given, parameter_texts=texts)

    browser = RecordedBrowser(browse(kept), values, now=NOW.timestamp)
    browser.hear("filter", parameters="day=2026-01")

    assert [each["parameters"] for each in browser.snapshot["entries"]] == [
        "origin JFK, day 2026-01-28, api_token *****, frame #01234567, pwd *****"
    ]


def _many(count: int = 2000) -> list[CacheEntry]:
    """Entries of three tasks in turn, one a minute; each serves for an hour and is of a run of its own."""
    return [
        entry(
            f"e{number}",
            ("clean", "load", "sum")[number % 3],
            NOW - dt.timedelta(minutes=count - number),
            NOW - dt.timedelta(minutes=count - number - 60),
            parameters={"minute": number},
            ref=ResultRef(f"{number:064x}", 5),
            run_id=f"r{number}",
        )
        for number in range(count)
    ]


@pytest.fixture
def large(values: Values) -> RecordedBrowser:
    return RecordedBrowser(
        browse(*_many()), values, numbers=lambda runs: {run: run[1:] for run in runs}, now=NOW.timestamp
    )


def test_of_many_entries_the_newest_at_the_moment_are_shown(large: RecordedBrowser) -> None:
    opened = [each["id"] for each in large.snapshot["entries"]]

    large.hear("as-of", at=(NOW - dt.timedelta(minutes=1000)).timestamp())

    then = _seen(large)
    assert opened == [f"e{number}" for number in range(1999, 1499, -1)]
    assert [each["id"] for each in then["entries"]] == [f"e{number}" for number in range(1000, 500, -1)]
    assert [each["run"] for each in then["entries"][:2]] == ["1000", "999"]
    assert sum(each["valid"] for each in then["entries"]) == 60
    assert (then["total"], large.snapshot["total"]) == (2000, 2000)


def test_at_the_first_moment_those_that_came_next_are_shown(large: RecordedBrowser) -> None:
    large.hear("as-of", at=large.snapshot["first"])

    seen = _seen(large)
    assert [each["id"] for each in seen["entries"]] == [f"e{number}" for number in range(499, -1, -1)]
    assert [each["id"] for each in seen["entries"] if each["valid"]] == ["e0"]
    assert seen["selected"] == "e0"


def test_the_chosen_output_goes_with_the_slider_however_far(large: RecordedBrowser) -> None:
    large.hear("select", entry="e1801")
    large.hear("as-of", "c2", at=(NOW - dt.timedelta(minutes=1500)).timestamp())
    then = _seen(large)

    large.hear("select", "c3", entry=None)
    large.hear("select", "c4", entry="e1801")

    # The newest of load's that served then; and what was clicked is shown though it is of another time.
    assert then["selected"] == "e499"
    assert _seen(large)["selected"] == "e1801"
    assert _seen(large)["entries"][0]["id"] == "e1801"
    assert len(_seen(large)["entries"]) == 500


@pytest.mark.parametrize(
    ("wanted", "total", "newest"),
    [
        ({"task": "clean"}, 667, "e498"),
        ({"flow": "delays"}, 2000, "e500"),
        ({"parameters": "minute=13"}, 111, "e139"),
        ({"parameters": "minute 4", "task": "sum"}, 36, "e497"),
        ({"kind": "str"}, 2000, "e500"),
    ],
)
def test_filters_find_what_is_far_back_and_go_with_the_slider(
    large: RecordedBrowser, wanted: dict[str, str], total: int, newest: str
) -> None:
    large.hear("filter", **wanted)
    large.hear("as-of", "c2", at=(NOW - dt.timedelta(minutes=1500)).timestamp())

    seen = _seen(large)
    ids = [each["id"] for each in seen["entries"]]
    assert (seen["total"], len(ids)) == (total, min(total, 500))
    assert max((each for each in ids if int(each[1:]) <= 500), key=lambda each: int(each[1:])) == newest


def test_an_entry_is_pinned_and_expired_where_it_is_shown(values: Values) -> None:
    store = MemoryStore()
    store.cache.add(entry("e1", "clean", NOW))
    browser = RecordedBrowser(
        store.browse(),
        values,
        actions=CacheActions(
            pin=lambda each, is_pinned: store.cache.pin(each, pinned=is_pinned),
            expire=store.cache.expire,
            renew=store.cache.renew,
        ),
        now=lambda: NOW.timestamp() + 60,
    )

    said = [
        browser.hear("pin", entry="e1", pinned=True)["text"],
        browser.hear("expire", "c2", entry="e1")["text"],
        browser.hear("pin", "c3", entry="e1", pinned=False)["text"],
    ]

    assert said == [
        "Pinned: no sweep deletes this value.",
        "Expired: the next run runs clean again.",
        "No longer pinned.",
    ]
    shown = [message["entries"][0]["pinned"] for message in browser.sent if message["type"] == "snapshot"]
    assert shown == [True, True, False]
    assert store.cache.get("e1").expires < NEVER
    browser.close()


def test_a_browser_that_only_shows_says_how_to_pin_and_expire(values: Values) -> None:
    browser = RecordedBrowser(browse(entry("e1", "clean", NOW)), values)

    said = {browser.hear(what, f"c-{what}", entry="e1")["text"] for what in ("pin", "expire")}

    assert said == {"This browser only shows. Use flowbook.cache.pin(...) or flowbook.cache.expire(...)."}
    browser.close()


class Tables(Values):
    """Values that are tables: the one of `TEXT` has a row more, and one that is another."""

    def load(self, ref: ResultRef) -> Any:
        table = pd.DataFrame({"carrier": ["B6", "MQ", "UA"], "flights": [1, 2, 3], "delay": [1.5, 2.5, 3.5]})
        if ref.digest == FRAME:
            return table
        return pd.concat(
            [pd.DataFrame({"carrier": ["AA"], "flights": 9, "delay": 0.5}), table.assign(flights=[1, 2, 4])]
        )


@pytest.fixture
def versions() -> RecordedBrowser:
    cache = browse(
        entry("e1", "clean", NOW - _hours(10)), entry("e2", "clean", NOW - _hours(4), ref=ResultRef(TEXT, 90))
    )
    return RecordedBrowser(cache, Tables(), numbers=lambda _: {"r1": 14}, now=NOW.timestamp)


def test_two_versions_are_compared_by_the_key_that_is_found_and_paged(versions: RecordedBrowser) -> None:
    said = versions.hear(
        "compare-values", first={"entry": "e1"}, second={"entry": "e2"}, key=None, kinds=["changed"], offset=0
    )

    assert said["ok"]
    (found,) = [message for message in versions.sent if message["type"] == "diff"]
    assert (found["id"], found["key"], found["kinds"]) == ("c1", ["carrier"], ["changed"])
    assert found["counts"] == {"same": 2, "changed": 1, "added": 1, "removed": 0}
    assert [row["cells"] for row in found["rows"]] == [["UA", ["3", "4", "+1, +33.3 %"], "3.5"]]
    assert found["keys"] == [[], ["carrier"], ["flights"], ["delay"]]
    assert [(each["id"], each["run"]) for each in found["versions"]] == [("e2", "14"), ("e1", "14")]
    json.dumps(found)


def test_another_key_is_chosen_and_one_that_is_no_key_says_why(versions: RecordedBrowser) -> None:
    asked = {"first": {"entry": "e1"}, "second": {"entry": "e2"}, "kinds": None, "offset": 0}

    by_index = versions.hear("compare-values", key=[], **asked)
    refused = versions.hear("compare-values", "c2", key=["nope"], **asked)

    assert (by_index["ok"], refused["ok"]) == (True, False)
    assert refused["text"].startswith("There is no column 'nope' to identify rows by.")
    assert [message["key"] for message in versions.sent if message["type"] == "diff"] == [[]]


@pytest.mark.parametrize("wrong", [{"first": 3}, {"second": {"entry": "gone"}}, {"key": 7}, {"offset": "x"}])
def test_what_cannot_be_compared_is_refused_in_words(versions: RecordedBrowser, wrong: dict[str, Any]) -> None:
    asked = {"first": {"entry": "e1"}, "second": {"entry": "e2"}, "key": None, "kinds": None, "offset": 0}

    said = versions.hear("compare-values", **{**asked, **wrong})

    assert not said["ok"]
    assert said["text"]


def test_a_difference_goes_into_a_variable() -> None:
    kept: dict[str, object] = {}
    cache = browse(entry("e1", "clean", NOW - _hours(10)), entry("e2", "clean", NOW, ref=ResultRef(TEXT, 90)))
    actions = CacheActions(assign=lambda name, value: kept.update({name: value}) or name)  # type: ignore[func-returns-value]
    browser = RecordedBrowser(cache, Tables(), actions=actions, now=NOW.timestamp)

    said = browser.hear("to-variable", what="difference", first={"entry": "e1"}, second={"entry": "e2"}, key=None)

    assert said["text"] == "Now in the variable clean_difference."
    assert repr(kept["clean_difference"]).startswith("<Difference: 1 rows added")
    browser.close()


def test_an_entry_that_expired_here_is_made_valid_again(values: Values) -> None:
    store = MemoryStore()
    store.cache.add(entry("e1", "clean", NOW, NOW + _hours(20)))
    actions = CacheActions(expire=store.cache.expire, renew=store.cache.renew)
    browser = RecordedBrowser(store.browse(), values, actions=actions, now=lambda: NOW.timestamp() + 60)

    browser.hear("expire", entry="e1")
    undo = _seen(browser)["entries"][0].get("undo")
    said = browser.hear("renew", "c2", entry="e1")
    again = browser.hear("renew", "c3", entry="e1")

    assert (undo, said["text"], again["ok"]) == (True, "Valid again, as it was.", False)
    assert store.cache.get("e1").expires == NOW + _hours(20)
    assert "undo" not in _seen(browser)["entries"][0]
    browser.close()


def test_a_browser_without_a_notebook_says_how_to_run_from_a_version(values: Values) -> None:
    browser = RecordedBrowser(browse(entry("e1", "clean", NOW)), values)

    said = browser.hear("plan-below", entry="e1")

    assert said["text"] == "This browser can't start runs. Use flow.as_of(...).run_below(...)."
    browser.close()


def test_versions_that_are_swapped_are_matched_once(monkeypatch):
    matched = []
    match = table_diff.match
    monkeypatch.setattr(table_diff, "match", lambda *given: matched.append(given) or match(*given))
    tables = {"a": pd.DataFrame({"n": [1, 2, 3, 5]}), "b": pd.DataFrame({"n": [9, 1, 2, 3]})}
    asked = {"id": "1", "first": {"entry": "a"}, "second": {"entry": "b"}}
    swapped = {**asked, "first": {"entry": "b"}, "second": {"entry": "a"}}

    here = Comparisons(lambda source: tables[source["entry"]])
    answers = [here.answer(each) for each in (asked, swapped)]
    anew = Comparisons(lambda source: tables[source["entry"]]).answer(swapped)

    assert len(matched) == 2  # once there and back, and once anew
    for each in (answers[1], anew):
        del each["took_ms"], each["compared_ms"]
    assert answers[1] == anew
    assert (answers[0]["counts"]["added"], anew["counts"]["removed"]) == (1, 1)
