"""One notice a cause of a run, whoever records it and whoever sends it; sending never holds a run up."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import cloudpickle
import psutil
import pytest

import flowbook
from flowbook import Flow, Parameter, task, triggers
from flowbook.engine.events import FLOW, StateChanged
from flowbook.engine.state import Crashed, Running
from flowbook.flow_runners import SubprocessFlowRunner
from flowbook.notices import attempts, delivery
from flowbook.notices.sender import BACK_OFF_S, NoticeSender, send_pending, sender_of
from flowbook.store import open_store
from flowbook.store.records import ReceiverRow
from tests.scripts import start

DAY_S = 86_400.0


@task
def load(year):
    return [year] * 3


@task
def broken(rows):
    raise ValueError(f"{len(rows)} rows have no weather")


@task(trigger=triggers.manual_only)
def approve(rows):
    return rows


def _flow(last, notify, name="delays"):
    with Flow(name, notify=notify) as flow:
        last(load(Parameter("year", default=2013)))
    return flow


def _settled():
    assert sender_of(open_store()).wait(20)


def _sent(run_id):
    return [(row.cause, row.sent is not None, row.trouble) for row in open_store().notices.of_run(run_id)]


def test_a_run_that_waits_and_then_fails_tells_a_webhook_each_once(webhook):
    @task
    def fails(rows):
        raise ValueError(f"no such column in {len(rows)} rows")

    with Flow("delays", notify=webhook.url) as flow:
        fails(approve(load(Parameter("year", default=2013))))
    flow.run(record=True)
    run = flow.last_run
    webhook.wait()
    _settled()
    run.resume()
    run.wait()
    webhook.wait()
    _settled()

    titles = [body["title"] for body in webhook.bodies]
    assert titles == ["delays run 1 waits for you: approve", "delays run 1 failed: fails"]
    assert "ValueError: no such column in 3 rows" in webhook.bodies[1]["message"]
    assert f"flowbook run resume {run.run_id[:8]}" in webhook.bodies[0]["message"]
    assert _sent(run.run_id) == [("waits", True, None), ("failed", True, None)]
    assert run.logs(FLOW) == []


def test_a_mail_says_what_waits_and_holds_no_line_of_a_users_own(mail):
    flow = _flow(approve, mail.url, name="delays\r\nBcc: eve@example.com")

    flow.run(record=True)
    (message,) = mail.wait()
    _settled()

    assert message["subject"] == "delays Bcc: eve@example.com run 1 waits for you: approve"
    assert (message["to"], message["bcc"]) == ("ana@example.com", None)
    assert "flowbook run resume" in message.get_body(("plain",)).get_content()
    assert len(mail.messages) == 1


def test_tasks_that_begin_to_wait_together_are_told_of_in_one_notice(webhook):
    with Flow("delays", notify=webhook.url) as flow:
        approve.map(load(Parameter("year", default=2013)))
    flow.run(record=True)
    webhook.wait()
    _settled()

    assert [body["title"] for body in webhook.bodies] == [
        "delays run 1 waits for you: approve[0], approve[1] and approve[2]"
    ]


def test_a_task_that_waits_is_told_of_while_others_run(webhook):
    @task
    def long():
        assert webhook.came.acquire(timeout=20)

    with Flow("delays", notify=webhook.url) as flow:
        approve(load(Parameter("year", default=2013)))
        long()
    state = flow.run(record=True, executor=flowbook.executors.LocalDaskExecutor("threads", num_workers=2))
    _settled()

    assert state.is_paused()
    assert len(webhook.bodies) == 1


def test_only_what_was_asked_for_is_told(webhook):
    ended, failed = {"to": webhook.url, "on": ["ended"]}, {"to": f"{webhook.url}/2", "on": ["failed", "ended"]}

    _flow(load_again, [ended, failed]).run(record=True)
    webhook.wait(2)
    _settled()
    _flow(broken, [ended, failed]).run(record=True)
    webhook.wait(2)
    _settled()

    assert sorted(body["title"] for body in webhook.bodies) == [
        "delays run 1 succeeded", "delays run 1 succeeded", "delays run 2 failed: broken", "delays run 2 failed: broken"
    ]  # fmt: skip


@task
def load_again(rows):
    return rows


def test_whoever_is_told_of_all_runs_and_of_this_one_is_told_once(webhook):
    store = open_store()
    spec = json.dumps({"url": webhook.url})
    number = store.notices.add_receiver(ReceiverRow(spec, "json://127.0.0.1", ("failed",)))

    _flow(broken, webhook.url).run(record=True)
    _flow(broken, None).run(record=True)
    webhook.wait(2)
    _settled()
    store.notices.remove_receiver(number)
    _flow(broken, None).run(record=True)
    _settled()

    titles = sorted(str(body["title"]) for body in webhook.bodies)
    assert titles == ["delays run 1 failed: broken", "delays run 2 failed: broken"]


def test_a_function_is_called_itself_and_gets_the_notice():
    told = []
    flow = _flow(broken, told.append)

    flow.run(record=True)
    _settled()

    assert [(notice.cause, notice.flow, notice.run, [each.key for each in notice.tasks]) for notice in told] == [
        ("failed", "delays", 1, ["broken"])
    ]


def test_a_notice_of_a_task_that_waits_has_a_link_that_decides_about_it_alone(monkeypatch):
    monkeypatch.setenv("FLOWBOOK_API_PUBLIC_URL", "https://flows.example.org/")
    told = []
    flow = _flow(approve, told.append)

    flow.run(record=True)
    _settled()

    (notice,), run_id = told, flow.last_run.run_id
    (waiting,) = notice.tasks
    token = waiting.link.removeprefix("https://flows.example.org/approve/")
    link = open_store().approvals.find(token)
    assert notice.link == f"https://flows.example.org/runs/{run_id}"
    assert (link.run_id, link.key, link.used) == (run_id, "approve", None)
    assert f"\n    Decide: {waiting.link}\n" in notice.text
    assert token not in "".join(line.text for line in flow.last_run.logs())


def test_a_notice_of_a_task_that_waits_says_what_its_docstring_asks():
    @task(trigger=triggers.manual_only)
    def publish(rows):
        """Are the delays good enough to be published?"""

    told = []
    _flow(publish, told.append).run(record=True)
    _settled()

    assert [waiting.message for waiting in told[0].tasks] == ["Are the delays good enough to be published?"]


def test_a_command_gets_the_notice_on_stdin_and_in_variables(tmp_path):
    script = tmp_path / "told.py"
    script.write_text(
        "import json, os, sys\n"
        "told = {k: v for k, v in os.environ.items() if k.startswith('FLOWBOOK_NOTICE_')}\n"
        "json.dump([json.load(sys.stdin), told], open(sys.argv[1], 'w'))\n"
    )
    flow = _flow(broken, [sys.executable, str(script), str(tmp_path / "told.json")])

    flow.run(record=True)
    _settled()

    told, variables = json.loads((tmp_path / "told.json").read_text())
    run_id = flow.last_run.run_id
    assert (told["title"], told["run_id"]) == ("delays run 1 failed: broken", run_id)
    assert variables == {
        "FLOWBOOK_NOTICE_CAUSE": "failed",
        "FLOWBOOK_NOTICE_FLOW": "delays",
        "FLOWBOOK_NOTICE_RUN": "1",
        "FLOWBOOK_NOTICE_RUN_ID": run_id,
        "FLOWBOOK_NOTICE_STATE": "Failed",
        "FLOWBOOK_NOTICE_TASK": "broken",
        "FLOWBOOK_NOTICE_MESSAGE": "ValueError: 3 rows have no weather",
        "FLOWBOOK_NOTICE_TITLE": "delays run 1 failed: broken",
        "FLOWBOOK_NOTICE_LINK": "",
    }


def test_no_notice_holds_a_secret_or_a_value(webhook, monkeypatch):
    monkeypatch.setenv("FLOWBOOK_SECRET_DB", "hunter2-x")

    @task
    def leaky(rows):
        login = flowbook.Secret("db").get(), flowbook.context.secrets["token"]
        raise ValueError(f"no login with {login} for {len(rows)} rows")

    flow = _flow(leaky, webhook.url)
    flow.run(record=True, context={"secrets": {"token": "tok-123456"}})
    webhook.wait()
    _settled()

    assert "ValueError: no login with ('*****', '*****') for 3 rows" in webhook.bodies[0]["message"]
    assert "hunter2-x" not in str(webhook.bodies)
    assert "2013" not in str(webhook.bodies)


def test_a_receiver_that_hangs_holds_no_run_up_and_is_left_alone(webhook, monkeypatch, caplog):
    webhook.answers.clear()
    monkeypatch.setattr(attempts, "TIMEOUT_S", 0.5)
    flow = _flow(broken, webhook.url)

    flow.run(record=True)
    is_over_before_the_answer = webhook.came.acquire(timeout=20) and not webhook.answers.is_set()
    assert sender_of(open_store()).wait(20)
    send_pending(open_store(), time.time() + 10 * DAY_S)

    assert is_over_before_the_answer
    trouble = (
        "it gave no answer within 30 s, so it may or may not have been delivered; it isn't sent again, as that could send "
        "it twice"
    )
    assert _sent(flow.last_run.run_id) == [("failed", False, trouble)]
    assert [line.text for line in flow.last_run.logs(FLOW)] == [
        f"The notice for {flow.notify[0].shown} did not arrive: {trouble}."
    ]
    assert len(webhook.bodies) == 1
    assert caplog.messages[-1] == (
        f"Run {flow.last_run.run_id}: its notice for {flow.notify[0].shown} did not arrive: {trouble}."
    )


def test_what_did_not_arrive_is_sent_again_later_and_later_and_then_given_up(webhook, caplog):
    webhook.status = 500
    flow = _flow(broken, webhook.url)
    flow.run(record=True)
    webhook.wait()
    _settled()
    store, now = open_store(), time.time()

    begun = []
    for pause_s in BACK_OFF_S:
        begun += [send_pending(store, now + pause_s - 20), send_pending(store, now + pause_s + 5)]
        _settled()
    begun.append(send_pending(store, now + DAY_S * 9))

    assert begun == [0, 1] * len(BACK_OFF_S) + [0]
    assert len(webhook.bodies) == 1 + len(BACK_OFF_S)
    ((_, _, trouble),) = _sent(flow.last_run.run_id)
    assert trouble.endswith("; it isn't sent again")
    assert "s3cret-word" not in trouble
    assert "hook-7f3a" not in trouble
    said = [record.message for record in caplog.records if record.name == "flowbook.notices"]
    why = "Failed to send JSON POST notification: Internal server error., error=500"
    assert [text.partition("did not arrive: ")[2] for text in said] == [
        f"{why}; it is sent again in 30 s.",
        f"{why}; it isn't sent again.",
    ]


def test_what_did_not_arrive_at_first_arrives_once(webhook):
    webhook.status = 503
    flow = _flow(broken, webhook.url)
    flow.run(record=True)
    webhook.wait()
    _settled()
    webhook.status = 200

    send_pending(open_store(), time.time() + BACK_OFF_S[0] + 1)
    webhook.wait()
    _settled()
    send_pending(open_store(), time.time() + DAY_S)
    _settled()

    assert len(webhook.bodies) == 2
    assert _sent(flow.last_run.run_id) == [("failed", True, None)]


def test_an_answer_that_comes_before_the_notice_makes_it_needless(webhook):
    webhook.status = 503
    flow = _flow(approve, webhook.url)
    flow.run(record=True)
    webhook.wait()
    _settled()
    flow.last_run.resume()
    flow.last_run.wait()

    send_pending(open_store(), time.time() + BACK_OFF_S[0] + 1)
    _settled()

    assert len(webhook.bodies) == 1


def test_a_clock_that_is_set_back_holds_up_no_notice_that_was_not_tried_yet(webhook):
    store = open_store()
    flow = _flow(broken, None)
    flow.run(record=True)
    store.notices.add_receiver(ReceiverRow(json.dumps({"url": webhook.url}), "json://", ("failed",)))
    run_id = flow.last_run.run_id
    recorder = store.runs.recorder(run_id, store.ownership.claim(run_id, 1, "tests"))
    recorder.emit(StateChanged(51, FLOW, Crashed("Its process ended: SIGKILL.")))
    recorder.close()

    begun = send_pending(store, time.time() - DAY_S)
    webhook.wait()
    _settled()

    assert begun == 1


def test_a_sender_goes_on_after_an_error(webhook, monkeypatch, caplog):
    real, failed = NoticeSender.send_due, []

    def send_due(self, now):
        if not failed:
            failed.append(now)
            raise ValueError("no such thing")
        return real(self, now)

    monkeypatch.setattr(NoticeSender, "send_due", send_due)
    _flow(broken, webhook.url).run(record=True)
    _settled()
    _flow(broken, webhook.url).run(record=True)
    webhook.wait(2)
    _settled()

    assert "Notices can't be sent now: no such thing" in caplog.messages
    assert sorted(str(body["title"]) for body in webhook.bodies) == [
        "delays run 1 failed: broken",
        "delays run 2 failed: broken",
    ]


def test_two_senders_send_a_notice_once(webhook):
    flow = _flow(broken, None)
    flow.run(record=True)
    store = open_store()
    store.notices.add_receiver(ReceiverRow(json.dumps({"url": webhook.url}), "json://", ("failed",)))
    run = flow.last_run
    epoch = store.ownership.claim(run.run_id, 1, "tests")
    recorder = store.runs.recorder(run.run_id, epoch)
    recorder.emit(StateChanged(50, FLOW, Running()))
    recorder.emit(StateChanged(51, FLOW, Crashed("Its process ended: SIGKILL.")))
    recorder.close()

    (due,) = store.notices.due(time.time())
    claimed = [store.notices.claim(due, token, time.time() + 60) for token in ("a", "b")]

    assert claimed == [51, None]
    assert store.notices.settle("b") is False
    assert store.notices.due(time.time()) == []


_KILLED = """
import os, signal, sys
from flowbook import Flow, task

@task
def broken():
    raise ValueError("no such column")

with Flow("delays", notify=sys.argv[1]) as flow:
    broken()
flow.run(record=True)
if sys.argv[2] == "early":
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.acceptance
def test_a_process_that_is_killed_before_it_sends_leaves_the_notice_to_the_next_one(webhook, tmp_path):
    process = start(_KILLED, tmp_path, webhook.url, "early")
    assert process.wait() == -signal.SIGKILL
    process.stdout.close()
    store = open_store()

    begun = [send_pending(store, time.time()), send_pending(store, time.time())]
    webhook.wait()
    _settled()

    assert begun == [1, 0]
    assert len(webhook.bodies) == 1


@pytest.mark.acceptance
def test_a_process_that_is_killed_while_it_sends_does_not_send_twice(webhook, tmp_path):
    webhook.answers.clear()
    process = start(_KILLED, tmp_path, webhook.url, "")
    webhook.wait()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    webhook.answers.set()
    store, run_id = open_store(), flowbook.runs()["run_id"].iloc[0]

    begun = [send_pending(store, time.time()), send_pending(store, time.time() + DAY_S)]
    _settled()

    assert begun == [0, 0]
    assert len(webhook.bodies) == 1
    assert _sent(run_id) == [
        (
            "failed",
            False,
            (
                "the process that sent it ended before it could note an answer, so it may or may not have been delivered; "
                "it isn't sent again"
            ),
        )
    ]


@pytest.mark.acceptance
def test_a_run_in_a_process_of_its_own_sends_its_notice_before_that_ends(webhook):
    flow = _flow(broken, webhook.url)
    run = flow.start(flow_runner=SubprocessFlowRunner(stream_output=False))
    run.wait(50)
    while not run._control.own_process.submission.is_over:
        threading.Event().wait(0.01)

    assert ([body["type"] for body in webhook.bodies], [line.text for line in run.logs()]) == (["failure"], [])


def test_a_script_that_ends_waits_for_its_notice(webhook, tmp_path):
    process = start(_KILLED, tmp_path, webhook.url, "", stderr=-3)
    output, _ = process.communicate()

    assert (process.returncode, output) == (0, "")
    assert [body["title"] for body in webhook.bodies] == ["delays run 1 failed: broken"]
    assert [sent for _, sent, _ in _sent(flowbook.runs()["run_id"].iloc[0])] == [True]


def test_a_flow_is_stored_without_whom_it_tells_and_goes_on_elsewhere_telling_them(webhook):
    lock, told = threading.Lock(), []

    def tell(notice):
        with lock:
            told.append(notice.title)

    flow = _flow(approve, [webhook.url, tell])
    flow.run(record=True)
    webhook.wait()
    _settled()
    store, run_id = open_store(), flow.last_run.run_id

    again = flowbook.run(run_id)
    again.resume()
    again.wait()

    assert (again.state.is_successful(), again.flow.notify) == (True, ())
    assert b"s3cret-word" not in cloudpickle.dumps(flow)
    assert told == ["delays run 1 waits for you: approve"]
    assert flow.copy().notify == flow.notify
    assert {row.shown for row in store.notices.of_run(run_id)} == {each.shown for each in flow.notify}


# Runs that no store has


def test_an_unrecorded_run_tells_once_and_leaves_no_store(webhook, home):
    flow = _flow(broken, webhook.url)

    flow.run(record=False)
    webhook.wait()
    assert attempts._unrecorded.attempts.wait(20)

    assert webhook.bodies[0]["title"] == "delays failed: broken"
    assert "flowbook run" not in webhook.bodies[0]["message"]
    assert not Path(home, "store.sqlite").exists()


def test_an_unrecorded_run_that_is_recorded_because_it_waits_tells_once(webhook):
    flow = _flow(approve, webhook.url)

    flow.run()
    webhook.wait()
    _settled()

    assert [body["title"] for body in webhook.bodies] == ["delays run 1 waits for you: approve"]


def test_what_an_unrecorded_run_could_not_send_is_logged(caplog):
    def tell(notice):
        raise OSError(f"no route for {notice.flow}")

    _flow(broken, tell).run(record=False)
    assert attempts._unrecorded.attempts.wait(20)

    assert caplog.record_tuples[-1] == (
        "flowbook.notices",
        logging.WARNING,
        (
            "delays failed: broken: the notice for test_what_an_unrecorded_run_could_not_send_is_logged.<locals>.tell() "
            "did not arrive: it raised OSError: no route for delays."
        ),
    )


# Mail


def test_a_mail_server_that_cannot_be_reached_is_tried_again(mail):
    flow = _flow(broken, mail.url)
    mail.close()

    flow.run(record=True)
    _settled()

    ((_, is_sent, trouble),) = _sent(flow.last_run.run_id)
    assert not is_sent
    assert trouble == (
        f"its mail server, 127.0.0.1:{mail.port}, can't be reached: [Errno 111] Connection refused; it is sent again in 30 s"
    )


def test_a_mail_server_that_never_answers_holds_no_run_up(monkeypatch):
    monkeypatch.setattr(attempts, "TIMEOUT_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        flow = _flow(
            broken, f"mailto://127.0.0.1:{silent.getsockname()[1]}?from=a@example.com&to=b@example.com&mode=insecure"
        )
        flow.run(record=True)
        _settled()

    assert [trouble.partition(",")[0] for _, _, trouble in _sent(flow.last_run.run_id)] == [
        "it gave no answer within 30 s"
    ]


# Commands


def _deliver(command):
    from flowbook.notices.notice import trial_notice  # noqa: PLC0415

    with pytest.raises(delivery.NotDeliveredError) as caught:
        delivery.deliver(command, trial_notice())
    return str(caught.value), caught.value.is_certain


def test_a_command_that_fails_says_why():
    program = "import sys; sys.exit('no\\nroute\\x1b[2J')"

    assert _deliver((sys.executable, "-c", program)) == (
        f"{sys.executable} ended with exit code 1: no route\\x1b[2J",
        True,
    )


def test_a_command_that_is_not_there_says_so():
    assert _deliver(("/no/such/program",)) == (
        "/no/such/program can't be started: [Errno 2] No such file or directory: '/no/such/program'",
        True,
    )


def test_a_command_that_hangs_is_ended_with_all_that_it_started(monkeypatch, tmp_path):
    monkeypatch.setattr(delivery, "TIMEOUT_S", 2.0)
    pid = tmp_path / "pid"
    program = f"sleep 60 & echo $! > {pid}; sleep 60"

    assert _deliver(("sh", "-c", program)) == (
        "sh was ended after 2 s, so it may or may not have been delivered",
        False,
    )
    child = psutil.Process(int(pid.read_text())) if psutil.pid_exists(int(pid.read_text())) else None
    assert child is None or child.wait(50) is None


@pytest.mark.acceptance
@pytest.mark.soak
def test_processes_that_are_killed_at_random_moments_never_send_a_notice_twice(webhook, tmp_path):
    rounds = 30 if os.environ.get("FLOWBOOK_SOAK") == "1" else 3
    store, dice = open_store(), random.Random(7)
    for number in range(rounds):
        process = start(_KILLED, tmp_path, f"{webhook.url}/{number}", "")
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(dice.uniform(0.3, 1.6))
        process.kill()
        process.wait()
        process.stdout.close()
    for seconds in (0, 1, DAY_S, DAY_S):
        send_pending(store, time.time() + seconds)
        _settled()

    caused = [row for run in store.runs.list() for row in store.notices.of_run(run.run_id)]
    titles = [body["title"] for body in webhook.bodies]
    assert len(titles) == len(set(titles))
    assert len(titles) >= sum(row.sent is not None for row in caused)
    assert [row for row in caused if row.sent is None and not row.is_lost] == []
