"""The pages' documents, their policies, and what a page is told."""

import asyncio
import json
import random
import re

import httpx
import pytest

import flowbook
from flowbook.exceptions import PickledValueError, StoreError
from flowbook.flow_run.decision import Decision
from flowbook.flow_run.recorded_decision import decide_recorded
from flowbook.flow_run.run_deletion import delete_run
from flowbook.pages import page_files
from flowbook.pages.connections import Connection
from flowbook.pages.stored_run import StoredRun
from tests.api.conftest import BEARER
from tests.pages import flows
from tests.pages.conftest import run_of

PAGES = ["/", "/runs/1", "/runs/1?compare=2", "/cache", "/deployments"]


@pytest.mark.parametrize("path", [*PAGES, "/approve/x"])
def test_a_page_allows_no_inline_script_or_style_and_nothing_from_elsewhere(call, path):
    answer = call("GET", path)

    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert (policy["default-src"], policy["script-src"], policy["style-src"]) == ("'none'", "'self'", "'self'")
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|style=", answer.text)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_needs_the_token(anybody, path):
    assert anybody("GET", path).status_code == 401


def test_the_views_modules_are_kept_by_browsers_and_found_by_relative_links(call):
    page = call("GET", "/runs/1").text
    address = re.search(r'src="\.\./(static/[\w/]+\.js)"', page)[1]

    answer = call("GET", f"/{address}")

    assert answer.headers["content-type"].startswith("text/javascript")
    assert "immutable" in answer.headers["cache-control"]


def test_a_module_under_another_versions_address_is_not_kept(call):
    answer = call("GET", "/static/0123456789abcdef/page_run.js")

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"


def test_an_upgrade_below_a_running_server_gives_modules_another_address(tmp_path, monkeypatch):
    (tmp_path / "panel.js").write_text("1", "utf-8")
    monkeypatch.setattr(page_files, "_folder", lambda: tmp_path)
    before = page_files.stamp()

    (tmp_path / "panel.js").write_text("22", "utf-8")

    assert page_files.stamp() != before


def test_a_browser_that_opens_a_wrong_address_gets_a_page_that_leads_to_the_runs(call):
    html, accept = "text/html", {**BEARER, "Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    opened = call("GET", "/runs/1/<img>", headers=accept)
    asked = [call("GET", "/runs/1/x"), call("GET", "/api/nope", headers=accept), call("PUT", "/cache", headers=accept)]

    assert (opened.status_code, opened.headers["content-type"].partition(";")[0]) == (404, html)
    assert "There is nothing at /runs/1/&lt;img&gt;." in opened.text
    assert '<a href="/">' in opened.text
    assert "default-src 'none'" in opened.headers["content-security-policy"]
    assert [each.headers["content-type"] for each in asked] == ["application/problem+json"] * 3


def test_the_page_of_a_run_that_does_not_exist_is_answered_as_that_with_the_page_that_says_so(call, waiting):
    there = [call("GET", f"/runs/{name}") for name in (waiting, waiting[:8], "delays", "last", "1")]
    missing = [call("GET", f"/runs/{name}") for name in ("nope", "0" * 32, "7", "delays%207")]

    assert [each.status_code for each in there] == [200] * 5
    assert [each.status_code for each in missing] == [404] * 4
    assert {each.text for each in missing} == {there[0].text}
    assert missing[0].headers["content-security-policy"] == there[0].headers["content-security-policy"]


def test_the_page_of_a_run_comes_too_while_the_store_can_not_be_read(call, app, monkeypatch):
    def unreadable(*_):
        raise StoreError("The disk is away.")

    monkeypatch.setattr(app.state.store.runs, "that_begin", unreadable)

    assert call("GET", "/runs/nope").status_code == 200


def test_a_page_says_that_its_run_was_deleted_meanwhile(app, store, waiting):
    live = app.state.hub.runs.open(waiting)
    delete_run(store, waiting)

    app.state.hub.runs.look(live)
    app.state.hub.runs.look(live)

    assert live.session.snapshot["run"]["notice"] == "This run was deleted. What is shown is how it was before."


@pytest.mark.parametrize(
    "path", ["../page_files.py", "..%2fpage_files.py", "%2e%2e/%2e%2e/config.py", "x/../../assets.py"]
)
def test_only_the_views_files_are_served(call, path):
    assert call("GET", f"/static/x/{path}").status_code in {404, 405}


def test_nothing_of_a_run_is_unpickled(store, waiting):
    run = StoredRun(store, waiting)

    assert run.graph.specs["approve"].constants == {"threshold": 20}
    assert {key: type(state).__name__ for key, state in run.states.items()} == {
        "load": "Success",
        "approve": "Paused",
        "publish": "Pending",
    }
    with pytest.raises(PickledValueError, match="stored as a pickle"):
        _ = run.states["load"].result


def test_what_a_task_raised_is_told_without_loading_it(store):
    run = StoredRun(store, run_of(flows.failing()))

    assert str(run.states["fail"].raw_result) == "ValueError: August is missing"


def test_a_run_at_rest_goes_on_in_a_process_of_its_own_with_another_input(store, waiting):
    decide_recorded(store, waiting, Decision("resume", ("approve",), "ana", "as agreed", {"threshold": 30}))

    run = flowbook.run(waiting)
    assert type(run.wait(30)).__name__ == "Success"
    assert run["publish"].result == "published 300 rows above 30"


def test_a_run_at_rest_is_cancelled_by_a_process_that_cleans_up(store, waiting):
    decide_recorded(store, waiting, Decision("cancel", by="ana"))
    flowbook.run(waiting).wait(30)

    assert store.runs.summary(waiting).state == "Cancelled"
    assert [each.by for each in store.history.decisions(waiting)] == ["ana"]


async def _told(connection, after, count):
    found = []
    stream = connection.told(after)
    async for event in stream:
        if event.startswith(":"):
            continue
        found.append(event)
        if len(found) == count:
            await stream.aclose()
            break
    return [_read(event) for event in found]


def _read(event):
    lines = dict(line.split(": ", 1) for line in event.strip().split("\n"))
    return int(lines.get("id", 0)), json.loads(lines["data"])


class Counter:
    """A subject that tells numbers."""

    def __init__(self):
        self.receivers = []
        self.heard = []

    def listen(self, receiver):
        self.receivers.append(receiver)
        return lambda: self.receivers.remove(receiver)

    def hear(self, content):
        self.heard.append(content)

    def opening(self):
        return [{"type": "start"}]

    def leave(self):
        self.heard.append("left")

    def tell(self, number):
        for receiver in self.receivers:
            receiver({"type": "number", "n": number})


def test_a_stream_that_is_cut_at_any_place_loses_and_doubles_nothing():
    subject, rng = Counter(), random.Random(1)
    connection = Connection("page-one", subject)

    async def watch():
        after, told = (await _told(connection, 0, 2))[-1][0], []
        for turn in range(100):
            for number in range(3):
                subject.tell(3 * turn + number)
            left = 3 * (turn + 1) - len(told)
            (_, opened), *events = await _told(connection, after, 1 + rng.randint(0, left))
            assert opened == {"type": "opened", "fresh": False}
            after = events[-1][0] if events else after
            told += [message["n"] for _, message in events]
        return told + [message["n"] for _, message in (await _told(connection, after, 1 + 300 - len(told)))[1:]]

    assert asyncio.run(watch()) == list(range(300))


def test_a_page_that_was_away_for_too_long_is_told_everything_anew():
    subject = Counter()
    connection = Connection("page-one", subject)

    async def watch():
        first = await _told(connection, 0, 2)
        for number in range(6000):
            subject.tell(number)
        return first, await _told(connection, first[-1][0], 2)

    first, again = asyncio.run(watch())

    assert [message for _, message in first] == [{"type": "opened", "fresh": True}, {"type": "start"}]
    assert [message for _, message in again] == [{"type": "opened", "fresh": True}, {"type": "start"}]
    assert again[-1][0] > first[-1][0]


def test_a_command_is_carried_out_once_and_names_who_clicked(app, store, waiting):
    async def click():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:4200") as client:
            client.headers["Authorization"] = "Bearer a-token-of-tests-0123456789"
            live = await asyncio.to_thread(
                app.state.hub.connections.open, "page-one", lambda: app.state.hub.subject(f"run:{waiting}")
            )
            said = {
                "type": "reject",
                "id": "c1",
                "view": "v",
                "key": "approve",
                "note": "August is missing",
                "by": "mallory",
            }
            for _ in range(5):
                await client.post(
                    "/live/say", json={"connection": "page-one", "by": " ana  maria ", "messages": [said]}
                )
            acks = []
            async for event in live.told(0):
                if '"ack"' in event:
                    acks.append(_read(event)[1])
                if len(acks) == 5:
                    break
            return acks

    acks = asyncio.run(click())
    flowbook.run(waiting).wait(30)

    assert [(ack["ok"], ack["text"]) for ack in acks] == [(True, "approve is rejected.")] * 5
    assert [(each.action, each.by) for each in store.history.decisions(waiting)] == [("reject", "ana maria")]


def test_what_failed_is_retried_from_a_page(store):
    run_id = run_of(flows.failing())

    StoredRun(store, run_id).retry(by="ana", tasks=("fail",))
    run = flowbook.run(run_id)
    run.wait(30)

    assert [(each.action, each.by) for each in store.history.decisions(run_id)] == [("retry", "ana")]
    assert type(run.state).__name__ == "Failed"


def test_what_no_connection_asked_is_refused(call):
    assert call("POST", "/live/say", json={"connection": "nobody-there", "messages": []}).status_code == 410
    assert call("GET", "/live/stream?what=runs&connection=x").status_code == 422
    assert call("GET", "/live/stream?what=run:0000&connection=page-one").status_code == 404


def test_a_page_shows_what_a_part_of_a_flow_kept_as_it_was(store, waiting):
    run = flowbook.run(waiting)
    run.resume("approve")
    run.wait(30)
    flow = flows.asking()
    flow.run(start_at="publish", based_on=flowbook.run(waiting), record=True, progress=False)

    shown = StoredRun(store, flow.last_run.run_id)

    assert {key: (type(state).__name__, state.message) for key, state in shown.states.items()} == {
        "load": ("Success", "Kept from run 1."),
        "approve": ("Success", "Kept from run 1."),
        "publish": ("Success", None),
    }
