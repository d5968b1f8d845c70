"""What a notice says: pure, so its whole text is compared."""

from __future__ import annotations

import json

from flowbook.notices.notice import make_notice
from flowbook.store.notices import RunToTellOf, TaskToTellOf

RUN_ID = "7c1f09e2aaaa"


def _made(cause, state, *tasks, flow="delays", message="", **options):
    found = RunToTellOf(RUN_ID, flow, 18, state, message, tasks, is_cut=options.pop("is_cut", False))
    return make_notice(found, cause, options.pop("hide", str), options.pop("api_url", None), **options)


def test_a_notice_of_a_waiting_task_says_what_it_asks_and_how_to_answer():
    notice = _made("waits", "Running", TaskToTellOf("approve", "Paused", {"message": "Are they good enough?"}))

    assert notice.text == (
        "delays run 18 waits for you: approve.\n"
        "  approve: Are they good enough?\n"
        "\n"
        "flowbook run resume 7c1f09e2\n"
        "flowbook run skip 7c1f09e2\n"
        "flowbook run reject 7c1f09e2\n"
        "flowbook run inspect 7c1f09e2"
    )
    assert notice.state == "Paused"


def test_a_notice_names_whom_a_task_asks_and_its_deadline():
    body = {"message": "Publish them?", "asks": "finance", "deadline": 1_796_060_520.0, "otherwise": "reject"}

    notice = _made("waits", "Paused", TaskToTellOf("approve", "Paused", body))

    assert notice.text.splitlines()[1] == (
        "  approve: Publish them? It asks finance. Without an answer by 2026-11-30 17:42:00 UTC it is rejected."
    )
    assert json.loads(notice.to_json())["tasks"] == [
        {
            "key": "approve",
            "state": "Paused",
            "message": "Publish them?",
            "asks": "finance",
            "deadline": "2026-11-30T17:42:00Z",
            "otherwise": "reject",
            "link": "",
        }
    ]


def test_a_notice_of_a_failure_names_the_children_that_failed_and_the_link():
    error = {"error": {"type": "ValueError", "message": "80 flights have no weather"}}
    notice = _made(
        "failed", "Failed", TaskToTellOf("clean[7]", "Failed", error), TaskToTellOf("clean", "Failed", {}),
        message="clean[7] failed.", api_url="https://flows.example.com/",
    )  # fmt: skip

    assert notice.text == (
        "delays run 18 failed: clean[7].\n"
        "clean[7] failed.\n"
        "  clean[7]: ValueError: 80 flights have no weather\n"
        "\n"
        "flowbook run retry 7c1f09e2\n"
        "flowbook run inspect 7c1f09e2\n"
        "https://flows.example.com/runs/7c1f09e2aaaa"
    )


def test_a_notice_of_very_many_waiting_tasks_stays_short():
    tasks = [TaskToTellOf(f"look[{number}]", "Paused", {"message": "Look."}) for number in range(100)]

    notice = _made("waits", "Paused", *tasks, is_cut=True)

    assert notice.title == "delays run 18 waits for you: look[0], look[1], look[2] and many more"
    assert notice.text.splitlines()[-6:] == [
        "  and many more",
        "",
        "flowbook run resume 7c1f09e2",
        "flowbook run skip 7c1f09e2",
        "flowbook run reject 7c1f09e2",
        "flowbook run inspect 7c1f09e2",
    ]
    assert len(notice.tasks) == 100


def test_a_notice_of_an_unrecorded_run_has_nothing_to_answer_with():
    notice = _made("ended", "Success", message="All reference tasks succeeded.", is_recorded=False)

    assert (notice.run, notice.answer, notice.link) == (None, (), None)
    assert notice.text == "delays succeeded.\nAll reference tasks succeeded."


def test_secrets_are_hidden_and_control_characters_are_escaped_in_every_text():
    hostile = "a\r\nBcc: eve@example.com\x1b[31m s3cret \udce4 \u202e"
    notice = _made(
        "failed", "Failed", TaskToTellOf(hostile, "Failed", {"message": hostile}), flow=hostile, message=hostile,
        hide=lambda text: text.replace("s3cret", "*****"),
    )  # fmt: skip

    told = json.loads(notice.to_json())
    lines = [notice.title, *notice.text.splitlines(), told["tasks"][0]["key"], told["flow"]]
    assert [line for line in lines if not line.isprintable()] == []
    assert "s3cret" not in notice.to_json()
    assert told["flow"] == "a Bcc: eve@example.com\\x1b[31m ***** \\udce4 \\u202e"
