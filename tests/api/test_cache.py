"""`/api/cache` and `/api/receivers`."""

import pandas as pd
import pytest

from flowbook import Flow, Parameter, task


@pytest.fixture(autouse=True)
def _entries():
    @task(cache=True)
    def table(n):
        return pd.DataFrame({"a": range(n)})

    with Flow("cached") as flow:
        table(Parameter("n")())
    for n in (2, 3):
        flow.start({"n": n}, record=True).wait()


def test_entries_are_listed_the_newest_first(call):
    found = call("GET", "/api/cache").json()

    assert found["total"] == 2
    assert [each["parameters"] for each in found["entries"]] == [{"n": 3}, {"n": 2}]
    assert {each["state"] for each in found["entries"]} == {"valid"}
    assert call("GET", "/api/cache?flow=other").json()["entries"] == []


def test_one_is_shown_with_its_preview(call):
    entry = call("GET", "/api/cache?limit=1").json()["entries"][0]

    found = call("GET", f"/api/cache/{entry['id']}").json()

    assert found["preview"]["text"] == "DataFrame, 3 × 1"
    assert found["preview"]["page"]["rows"][0] == ["0"]


def test_one_is_pinned_and_expires(call):
    entry = call("GET", "/api/cache?limit=1").json()["entries"][0]["id"]

    pinned = call("POST", f"/api/cache/{entry}/pin", json={"pinned": True}).json()
    unpinned = call("POST", f"/api/cache/{entry}/pin", json={"pinned": False}).json()
    expired = call("POST", f"/api/cache/{entry}/expire").json()

    assert (pinned["pinned"], unpinned["pinned"], expired["state"]) == (True, False, "expired")


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("POST", "/expire"), ("POST", "/pin")])
def test_one_that_is_not_there_is_not_found(call, method, path):
    answer = call(method, f"/api/cache/nothing{path}", json={} if path == "/pin" else None)

    assert (answer.status_code, answer.json()["error"]) == (404, "CacheEntryError")


def test_receivers_are_added_listed_without_secrets_and_removed(call):
    url = "mailto://ana:hunter2@example.com"

    added = call("POST", "/api/receivers", json={"to": url, "on": ["failed"]})
    listed = call("GET", "/api/receivers")
    removed = call("DELETE", f"/api/receivers/{added.json()['id']}")

    assert (added.status_code, added.json()["on"]) == (201, ["failed"])
    assert "hunter2" not in added.text + listed.text + removed.text
    assert call("GET", "/api/receivers").json()["receivers"] == []
    assert call("DELETE", "/api/receivers/7").status_code == 404


@pytest.mark.parametrize("to", ["notify-send", "nothing://x:hunter2@y"])
def test_a_receiver_that_is_no_url_is_refused_without_its_secret(call, to):
    answer = call("POST", "/api/receivers", json={"to": to})

    assert answer.status_code == 422
    assert "hunter2" not in answer.text
