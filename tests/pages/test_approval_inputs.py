"""The inputs that a link shows: what was approved last beside them, what may be changed, and no secrets."""

import json
import uuid

import pytest

import flowbook
from tests.pages import flows
from tests.pages.conftest import run_of
from tests.pages.test_approval import link_of

WORDS = ("hunter2", "hunter3")


@pytest.fixture
def token(store):
    """Return the token of a link for a task that waits a second time, with other inputs than were approved the first time."""
    first = flowbook.run(run_of(flows.agreeing(1, 20)))
    first.resume("agree", by="ana")
    first.wait(20)
    return link_of(store, run_of(flows.agreeing(2, 15)))["agree"]


def shown_of(anybody, token):
    """Return what a link shows of each input, by name."""
    return {each["name"]: each for each in anybody("GET", f"/approve/{token}/shown").json()["inputs"]}


def test_inputs_are_shown_beside_what_was_approved_last(anybody, token):
    shown = anybody("GET", f"/approve/{token}/shown").json()

    assert {name: shown["approved"][name] for name in ("run", "by")} == {"run": 1, "by": "ana"}
    assert {each["name"]: each["before"] for each in shown["inputs"]} == {
        "report": {"same": False, "text": "DataFrame, 3 × 4", "compares": True},
        "threshold": {"same": False, "text": "20", "compares": False},
        "origin": {"same": True, "text": "", "compares": False},
        "options": {"same": False, "text": "{'months': [7, 8], 'password': '*****'}", "compares": True},
        "dsn": {"same": True, "text": "", "compares": False},
        "db_password": None,
    }


def test_without_an_approval_nothing_stands_beside(anybody, store):
    rejected = flowbook.run(run_of(flows.agreeing(1)))
    rejected.reject("agree", by="ana", note="no")
    rejected.wait(20)

    shown = anybody("GET", f"/approve/{link_of(store, run_of(flows.agreeing(2)))['agree']}/shown").json()

    assert shown["approved"] is None
    assert {each["before"] is None for each in shown["inputs"]} == {True}
    assert [each["action"] for each in shown["earlier"]] == ["reject"]


def test_what_was_approved_is_what_the_task_got_in_the_end(anybody, store):
    first = flowbook.run(run_of(flows.agreeing(1, 20)))
    first.resume("agree", by="ana", inputs={"threshold": 30})
    first.wait(20)

    shown = shown_of(anybody, link_of(store, run_of(flows.agreeing(1, 30)))["agree"])

    assert shown["threshold"]["before"] == {"same": True, "text": "", "compares": False}


def test_the_rows_that_differ_are_shown_without_secrets(anybody, token):
    found = anybody("GET", f"/approve/{token}/diff", params={"name": "report", "asked": '{"key": ["carrier"]}'}).json()

    assert found["kind"] == "table"
    assert {name: found["counts"][name] for name in ("added", "removed", "changed", "same")} == {
        "added": 1,
        "removed": 1,
        "changed": 1,
        "same": 1,
    }
    assert {row["sign"]: row["cells"][:2] for row in found["rows"]}["~"] == ["MQ", ["6,811", "6,838", "+27, +0.4 %"]]
    assert "hunter" not in json.dumps(found)


@pytest.mark.parametrize("name", ["threshold", "origin", "db_password", "load", "", "numbers"])
def test_other_values_are_not_compared(anybody, token, name):
    assert anybody("GET", f"/approve/{token}/diff", params={"name": name}).status_code == 422


@pytest.mark.parametrize("asked", ["[", "[1]", '{"key": [1]}', '{"kinds": 3, "offset": "x"}', '{"first": {"is": "x"}}'])
def test_a_comparison_that_is_asked_for_in_no_such_way_reads_nothing_else(anybody, token, asked):
    answer = anybody("GET", f"/approve/{token}/diff", params={"name": "report", "asked": asked})

    assert answer.status_code in {200, 409, 422}
    assert "hunter" not in answer.text


def test_no_secret_is_shown_wherever_it_lies(anybody, token):
    answers = [anybody("GET", f"/approve/{token}/shown").text]
    asked = ('{"query": "hunter2"}', '{"query": "api_token == hunter2"}', '{"sort": "api_token"}', "{}")
    rows = [anybody("GET", f"/approve/{token}/rows", params={"name": "report", "asked": each}) for each in asked]
    answers += [json.dumps({**each.json(), "query": ""}) for each in rows]
    page = json.loads(answers[-1])

    assert [(word, answer) for word in WORDS for answer in answers if word in answer] == []
    assert json.loads(answers[1])["fitting"] == 0
    assert {name: bool(each["hash"]) for name, each in shown_of(anybody, token).items()} == {
        "report": False,
        "threshold": True,
        "origin": True,
        "options": False,
        "dsn": False,
        "db_password": False,
    }
    assert [row[2:] for row in page["rows"]] == [
        ["*****", f"https://ana:*****@{name}.example"] for name in ("MQ", "B6", "EV")
    ]


def test_plain_inputs_without_a_secret_can_be_changed(anybody, token):
    shown = shown_of(anybody, token)

    assert {name: each["literal"] for name, each in shown.items() if each["changeable"]} == {
        "threshold": "15",
        "origin": "'JFK'",
    }


def test_a_changed_input_is_a_value_of_its_kind_and_is_recorded(anybody, store, token):
    typed = {"threshold": "17.5", "origin": "20"}

    said = anybody("POST", f"/approve/{token}/decide", json={"action": "resume", "by": "ben", "inputs": typed}).json()
    run_id = store.approvals.find(token).run_id
    flowbook.run(run_id).wait(20)
    shown = anybody("GET", f"/approve/{token}/shown").json()

    assert said == {"ok": True, "text": ""}
    assert flowbook.run(run_id)["agree"].result.startswith("3 17.5 '20' ")
    assert shown["decided"]["changed"] == "threshold 15 → 17.5 and origin 'JFK' → '20'"
    assert shown["decided"]["by"] == "ben"


def test_an_input_that_is_sent_as_it_was_is_no_change(anybody, store, token):
    anybody("POST", f"/approve/{token}/decide", json={"action": "resume", "inputs": {"threshold": " 15 "}})
    flowbook.run(store.approvals.find(token).run_id).wait(20)

    decided = store.history.decisions(store.approvals.find(token).run_id)

    assert [each.changes for each in decided] == [()]


@pytest.mark.parametrize(
    ("action", "typed", "why"),
    [
        ("resume", {"threshold": "many"}, "threshold is a number, and 'many' isn't. Write e.g. 20."),
        ("resume", {"threshold": "True"}, "threshold is a number"),
        ("resume", {"threshold": "__import__('os').system('true')"}, "threshold is a number"),
        ("resume", {"threshold": "[" * 900}, "threshold is a number"),
        ("resume", {"threshold": "9" * 1001}, "threshold takes a text of at most 1,000 characters"),
        ("resume", {"threshold": 20}, "threshold takes a text"),
        ("resume", {"report": "1"}, "agree has no input 'report' that a link can change"),
        ("resume", {"options": "{}"}, "agree has no input 'options' that a link can change"),
        ("resume", {"dsn": "x"}, "agree has no input 'dsn' that a link can change"),
        ("resume", {"db_password": "x"}, "agree has no input 'db_password' that a link can change"),
        ("resume", {"self": "1"}, "agree has no input 'self' that a link can change"),
        ("skip", {"threshold": "1"}, "A task that is to skip gets no inputs."),
    ],
)
def test_what_cant_be_changed_leaves_the_link_good(anybody, store, token, action, typed, why):  # noqa: PLR0913  # a table
    answer = anybody("POST", f"/approve/{token}/decide", json={"action": action, "inputs": typed}).json()

    assert answer["ok"] is False
    assert answer["text"].startswith(why)
    assert store.approvals.find(token).used is None


@pytest.fixture
def choice(store):
    """Return the token of a link for a task that waits with a date, an enum's member and a path."""
    return link_of(store, run_of(flows.choosing()))["choose"]


def test_a_date_and_an_enums_member_can_be_changed_unless_their_name_sounds_secret(anybody, choice):
    shown = shown_of(anybody, choice)

    assert {name: each["literal"] for name, each in shown.items() if each["changeable"]} == {
        "day": "2026-01-28",
        "level": "LOW",
        "folder": "data",
    }
    assert ("members" in shown["level"]["preview"], bool(shown["level"]["hash"])) == (False, True)


def test_a_date_and_an_enums_member_are_read_as_what_they_replace(anybody, store, choice):
    typed = {"day": "2026-02-01", "level": "Level.HIGH", "folder": " data "}

    said = anybody("POST", f"/approve/{choice}/decide", json={"action": "resume", "inputs": typed}).json()
    run = flowbook.run(store.approvals.find(choice).run_id)
    run.wait(20)

    assert said == {"ok": True, "text": ""}
    assert run["choose"].result == f"datetime.date(2026, 2, 1) Level.HIGH data {uuid.UUID(int=7)}"
    assert [[each.name for each in decided.changes] for decided in store.history.decisions(run.run_id)] == [
        ["day", "level"]
    ]


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ({"day": "tomorrow"}, "day is a date, and 'tomorrow' isn't. Write e.g. 2026-01-28."),
        ({"day": "None"}, "day can't be None here. Write e.g. 2026-01-28."),
        ({"level": "MIDDLE"}, "level is a Level, and 'MIDDLE' isn't. It is one of LOW, HIGH."),
        ({"api_token": "x"}, "choose has no input 'api_token' that a link can change. Change it on the run's page."),
    ],
)
def test_what_is_no_date_or_member_leaves_the_link_good(anybody, store, choice, typed, why):
    answer = anybody("POST", f"/approve/{choice}/decide", json={"action": "resume", "inputs": typed}).json()

    assert answer == {"ok": False, "text": why}
    assert store.approvals.find(choice).used is None


def test_a_secret_of_a_parameter_is_masked_whatever_the_argument_is_called(anybody, store):
    first = flowbook.run(run_of(flows.connecting()))
    first.resume("connect", by="ana")
    first.wait(20)
    token = link_of(store, run_of(flows.connecting()))["connect"]

    shown = anybody("GET", f"/approve/{token}/shown")
    refused = anybody("POST", f"/approve/{token}/decide", json={"action": "resume", "inputs": {"key": "x"}}).json()
    tables = [anybody("GET", f"/approve/{token}/{what}", params={"name": "table"}) for what in ("rows", "diff")]

    assert "hunter2" not in shown.text
    assert {each["name"]: (each["hash"], each["changeable"], each["before"]) for each in shown.json()["inputs"]} == {
        "key": ("", False, None),
        "table": ("", False, None),
    }
    assert refused["text"] == "connect has no input 'key' that a link can change. Change it on the run's page."
    assert [each.status_code for each in tables] == [422, 422]


def test_no_input_can_be_changed_where_that_is_switched_off(anybody, store, token, monkeypatch):
    monkeypatch.setenv("FLOWBOOK_APPROVAL_INPUTS", "0")

    shown = shown_of(anybody, token)
    answer = anybody("POST", f"/approve/{token}/decide", json={"action": "resume", "inputs": {"threshold": "1"}}).json()

    assert {each["changeable"] for each in shown.values()} == {False}
    assert answer["text"].startswith("agree has no input 'threshold' that a link can change")
    assert store.approvals.find(token).used is None


def test_tables_are_forgotten_once_nobody_asks_about_them(anybody, app, token, monkeypatch):
    for what in ("rows", "diff"):
        anybody("GET", f"/approve/{token}/{what}", params={"name": "report"})
    tables = app.state.hub.input_tables
    tables.forget_idle()
    before = tables._paged, tables._compared
    monkeypatch.setattr("flowbook.pages.input_tables._IDLE_S", 0.0)

    tables.forget_idle()

    assert None not in before
    assert (tables._paged, tables._compared) == (None, None)
