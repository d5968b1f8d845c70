"""Links by which somebody without a login decides about one task, once."""

import concurrent.futures
import json
import time

import pytest

import flowbook
from flowbook import Flow, task
from flowbook.exceptions import RunClaimedError
from flowbook.notices.links import with_links
from flowbook.pages.approval import Said, decide_by_link
from flowbook.store.notices import WAITS
from flowbook.triggers import manual_only
from tests.pages import flows
from tests.pages.conftest import run_of

ROW = 1
TOKEN_OF_TESTS = "a-word-that-nobody-sees"


@task(trigger=manual_only)
def deploy(shell, api_token, url):
    return shell, api_token, url


@pytest.fixture
def token(store, waiting):
    """Return the token of a link for the task that waits, as a notice would have it."""
    return link_of(store, waiting)["approve"]


def link_of(store, run_id):
    """Return the tokens in a notice of a run, by the task's key."""
    row = store._database.read("SELECT id FROM run WHERE run_id = ?", (run_id,))[0][0]
    found = with_links(store, row, store.notices.run_to_tell_of(row, WAITS, 0), "https://flows.example.org/x")
    assert all(task.link.startswith("https://flows.example.org/x/approve/") for task in found.tasks if task.link)
    return {task.key: task.link.rpartition("/")[2] for task in found.tasks if task.link}


def test_a_link_shows_the_one_task_that_it_decides(anybody, token):
    shown = anybody("GET", f"/approve/{token}/shown").json()

    assert (shown["status"], shown["flow"], shown["key"], shown["state"]) == ("waits", "delays", "approve", "Paused")
    assert (shown["question"], shown["after"]) == ("Are the delays good enough?", ["publish"])
    assert (shown["asks"], shown["otherwise"]) == ("finance", "reject")
    assert shown["expires"] == shown["deadline"]
    assert [(each["name"], each["from"], each["literal"]) for each in shown["inputs"]] == [
        ("report", "load", ""),
        ("threshold", None, "20"),
    ]
    assert shown["inputs"][0]["preview"]["page"]["total"] == 300
    assert "load" not in [shown["key"], *shown["after"]]


def test_opening_a_link_decides_nothing_however_often(anybody, store, token, waiting):
    for path in (f"/approve/{token}", f"/approve/{token}/shown", f"/approve/{token}/decide"):
        for method in ("GET", "HEAD", "OPTIONS"):
            anybody(method, path)

    assert store.approvals.find(token).used is None
    assert store.history.decisions(waiting) == []


def test_a_link_decides_once_and_then_says_who_did(anybody, token, waiting):
    said = {"action": "resume", "by": "Finance desk", "note": "as agreed"}
    first = anybody("POST", f"/approve/{token}/decide", json=said).json()
    flowbook.run(waiting).wait(20)

    again = anybody("POST", f"/approve/{token}/decide", json={"action": "reject", "note": "no"}).json()
    shown = anybody("GET", f"/approve/{token}/shown").json()

    assert first == {"ok": True, "text": ""}
    assert again == {"ok": False, "text": "This link was used already. It is good for one decision."}
    assert shown["status"] == "used"
    assert {name: shown["decided"][name] for name in ("action", "by", "note")} == {
        "action": "resume",
        "by": "Finance desk",
        "note": "as agreed",
    }
    run = flowbook.run(waiting)
    assert (type(run.state).__name__, run["publish"].result) == ("Success", "published 300 rows above 20")
    assert [(each.action, each.by, each.note) for each in _decided(run)] == [("resume", "Finance desk", "as agreed")]


def test_of_many_who_decide_at_once_one_does(store, token, monkeypatch):
    carried_out = []
    monkeypatch.setattr(
        "flowbook.pages.approval.decide_recorded", lambda *args, **options: carried_out.append((args, options))
    )

    def decide(number):
        try:
            decide_by_link(store, token, Said("resume", f"person {number}"))
        except RunClaimedError:
            return 0
        return 1

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        done = list(pool.map(decide, range(64)))

    assert (sum(done), len(carried_out)) == (1, 1)
    assert store.approvals.find(token).used is not None


def test_a_decision_that_cant_be_carried_out_leaves_the_link_good(store, token, monkeypatch):
    def refuse(*_, **__):
        raise RunClaimedError("somebody was quicker")

    monkeypatch.setattr("flowbook.pages.approval.decide_recorded", refuse)

    with pytest.raises(RunClaimedError, match="quicker"):
        decide_by_link(store, token, Said("resume"))

    assert store.approvals.find(token).used is None


def test_a_link_is_good_again_if_the_server_died_before_it_could_decide(anybody, store, token, waiting, monkeypatch):
    store.approvals.use(token, "resume", "ana", "")
    early = anybody("GET", f"/approve/{token}/shown").json()
    monkeypatch.setattr("flowbook.pages.approval._LOST_S", 0.0)

    late = anybody("GET", f"/approve/{token}/shown").json()
    said = anybody("POST", f"/approve/{token}/decide", json={"action": "skip", "by": "ben"}).json()
    flowbook.run(waiting).wait(20)
    after = anybody("GET", f"/approve/{token}/shown").json()

    assert [each["status"] for each in (early, late, after)] == ["used", "waits", "used"]
    assert (late["decided"], said["ok"], after["decided"]["by"]) == (None, True, "ben")
    assert [(each.action, each.by) for each in store.history.decisions(waiting)] == [("skip", "ben")]


def test_neither_a_link_nor_the_api_shows_an_input_that_sounds_secret(anybody, call, store):
    with Flow("secrets") as flow:
        deploy("sh", api_token=TOKEN_OF_TESTS, url=f"postgres://ana:{TOKEN_OF_TESTS}@db/x")
    run_id = run_of(flow)
    token = link_of(store, run_id)["deploy"]

    shown = anybody("GET", f"/approve/{token}/shown").json()
    told = call("GET", f"/api/runs/{run_id}").json()

    assert {each["name"]: each["text"] for each in shown["inputs"] if each["name"] == "api_token"} == {
        "api_token": "It isn't shown: its name sounds secret."
    }
    assert told["waiting"][0]["inputs"]["api_token"] == "*****"
    assert TOKEN_OF_TESTS not in str(told)
    assert TOKEN_OF_TESTS not in str(call("GET", f"/api/runs/{run_id}/states").json()["tasks"][0]["inputs"])


def test_a_link_says_what_failed_above_its_task_and_what_it_would_get(anybody, store):
    @task
    def top():
        raise ValueError(f"password={TOKEN_OF_TESTS}")

    @task(trigger=manual_only)
    def decide(x):
        return x

    with Flow("held") as flow:
        decide(top())
    token = link_of(store, run_of(flow))["decide"]

    shown = anybody("GET", f"/approve/{token}/shown").json()

    assert shown["instead"].startswith("top failed. If resumed, decide gets ")
    assert TOKEN_OF_TESTS not in shown["instead"]


def test_a_rejection_needs_a_note(anybody, token, store):
    answer = anybody("POST", f"/approve/{token}/decide", json={"action": "reject", "note": "  "}).json()

    assert answer == {"ok": False, "text": "Write a note first: it becomes the message of the failure."}
    assert store.approvals.find(token).used is None


@pytest.mark.parametrize("action", ["cancel", "retry", "", None, ["resume"], {"a": 1}])
def test_a_link_is_good_for_no_other_action(anybody, token, store, action):
    answer = anybody("POST", f"/approve/{token}/decide", json={"action": action, "note": "x"})

    assert answer.status_code == 422
    assert store.approvals.find(token).used is None


def test_a_link_is_good_for_one_child_of_a_mapped_task(anybody, store):
    run_id = run_of(flows.asking_each())
    links = link_of(store, run_id)

    said = anybody("POST", f"/approve/{links['check[1]']}/decide", json={"action": "skip", "by": "ana"}).json()
    run = flowbook.run(run_id)
    run.wait(20)

    assert sorted(links) == ["check[0]", "check[1]", "check[2]"]
    assert said == {"ok": True, "text": ""}
    assert {key: type(run.states[key]).__name__ for key in links} == {
        "check[0]": "Paused",
        "check[1]": "Skipped",
        "check[2]": "Paused",
    }
    assert anybody("GET", f"/approve/{links['check[0]']}/shown").json()["status"] == "waits"


def test_a_link_of_an_earlier_waiting_decides_nothing_about_the_next(anybody, store, token, waiting):
    run = flowbook.run(waiting)
    run.reject("approve", by="ana", note="no")
    run.wait(20)
    run.retry(by="ana")
    run.wait(20)
    assert type(run["approve"]).__name__ == "Paused"

    shown = anybody("GET", f"/approve/{token}/shown").json()
    said = anybody("POST", f"/approve/{token}/decide", json={"action": "resume"}).json()

    assert (shown["status"], shown["decided"]["by"]) == ("answered", "ana")
    assert (said["ok"], store.approvals.find(token).used) == (False, None)
    assert type(flowbook.run(waiting)["approve"]).__name__ == "Paused"


def test_a_link_expires(anybody, store, token, waiting):
    store._database.write(
        lambda connection: connection.execute("UPDATE approval_link SET expires = ?", (time.time() - 1,))
    )

    shown = anybody("GET", f"/approve/{token}/shown").json()
    said = anybody("POST", f"/approve/{token}/decide", json={"action": "resume"}).json()

    assert shown["status"] == "expired"
    assert said["text"].startswith("This link has expired.")
    assert store.history.decisions(waiting) == []


def test_a_link_cant_be_guessed_and_isnt_stored(store, token):
    kept = json.dumps([[str(each) for each in row] for row in store._database.read("SELECT * FROM approval_link")])

    assert len(token) >= 43
    assert token not in kept


@pytest.mark.parametrize("guess", ["", "x", "../", "%2e%2e", "a" * 43, "'; DROP TABLE approval_link", "\u202e"])
@pytest.mark.usefixtures("waiting")
def test_a_wrong_link_shows_nothing(anybody, guess):
    shown = anybody("GET", f"/approve/{guess}/shown")

    assert shown.status_code in {401, 404}
    assert "delays" not in shown.text


def test_a_link_opens_no_other_page(anybody, waiting, token):
    for path in (
        "/",
        f"/runs/{waiting}",
        "/cache",
        "/live/runs",
        f"/live/stream?what=runs&connection={token}",
        "/api/runs",
    ):
        assert anybody("GET", path, headers={"Referer": f"/approve/{token}"}).status_code == 401


def test_rows_of_an_input_are_paged_and_of_nothing_else(anybody, token):
    found = anybody("GET", f"/approve/{token}/rows", params={"name": "report", "asked": '{"offset": 152, "limit": 3}'})
    other = anybody("GET", f"/approve/{token}/rows", params={"name": "load"})

    assert [row[0] for row in found.json()["rows"]] == ["B6", "EV", "MQ"]
    assert other.status_code == 422


def test_no_links_are_made_where_that_is_switched_off(store, waiting, monkeypatch):
    monkeypatch.setenv("FLOWBOOK_APPROVAL_DAYS", "0")

    assert link_of(store, waiting) == {}


def _decided(run):
    return [event for event in run.events() if type(event).__name__ == "Decided"]


@pytest.mark.parametrize("asked", ["x", "[", "[" * 999, '{"offset":true}', '{"offset":NaN}', '{"limit":1e400}'])
def test_rows_that_are_asked_for_in_no_such_way_are_refused(anybody, token, asked):
    answer = anybody("GET", f"/approve/{token}/rows", params={"name": "report", "asked": asked})

    assert answer.status_code in {409, 422}


def test_no_log_has_a_links_token_even_if_the_server_fails(anybody, token, monkeypatch, caplog):
    def fails(*_):
        raise ZeroDivisionError

    monkeypatch.setattr("flowbook.pages.approve_routes.shown_by_link", fails)

    answer = anybody("GET", f"/approve/{token}/shown")

    assert answer.status_code == 500
    assert "GET /approve/{token}/shown failed." in caplog.text
    assert token not in caplog.text
    assert token not in answer.text
