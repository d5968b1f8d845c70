from typing import Any

from flowbook.notebook.arguments import parse_value
from flowbook.notebook.command_worker import Command, CommandWorker, RefusedError


def _worker(**handlers: Any) -> tuple[CommandWorker, list[dict[str, Any]]]:
    sent: list[dict[str, Any]] = []
    return CommandWorker(sent.append, handlers, frozenset({"look"})), sent


def test_a_command_is_carried_out_once_however_often_it_comes() -> None:
    done: list[str] = []

    def press(command: Command) -> str:
        done.append(command["id"])
        return f"pressed {len(done)}"

    worker, sent = _worker(press=press)
    for _ in range(3):
        worker.take({"type": "press", "id": "c1", "view": "v"})
        worker.step()

    assert done == ["c1"]
    assert sent == [{"type": "ack", "id": "c1", "ok": True, "text": "pressed 1"}] * 3


def test_two_views_may_use_the_same_number() -> None:
    done: list[str] = []

    def press(command: Command) -> str:
        done.append(command["view"])
        return ""

    worker, _ = _worker(press=press)
    for view in "ab":
        worker.take({"type": "press", "id": "c1", "view": view})
        worker.step()

    assert done == ["a", "b"]


def test_what_changes_nothing_is_done_again() -> None:
    done: list[str] = []
    worker, _ = _worker(look=lambda command: done.append(command["id"]) or "")

    for _ in range(2):
        worker.take({"type": "look", "id": "c1"})
        worker.step()

    assert done == ["c1", "c1"]


def test_a_refusal_says_why_and_a_fault_is_told_too(caplog: Any) -> None:
    def refuse(_: Command) -> str:
        raise RefusedError("It does not wait.")

    def fail(_: Command) -> str:
        raise KeyError("oh")

    worker, sent = _worker(refuse=refuse, fail=fail)
    for number, kind in enumerate(["refuse", "fail", "unheard"]):
        worker.take({"type": kind, "id": f"c{number}"})
        worker.step()

    assert [(ack["ok"], ack["text"]) for ack in sent] == [
        (False, "It does not wait."),
        (False, "KeyError: 'oh'"),
        (False, "There is no command 'unheard' here. Run the cell again, so that view and kernel agree."),
    ]
    assert "A command of the panel failed: fail" in caplog.text


def test_what_a_person_wrote_wrongly_is_said_beside_the_button_and_is_no_fault(caplog: Any) -> None:
    worker, sent = _worker(resume=lambda command: parse_value(command["text"], {}))

    worker.take({"type": "resume", "id": "c1", "text": "$fixd"})
    worker.step()

    words = "$fixd names no variable of this notebook. Define fixd first, or write the value itself."
    assert sent == [{"type": "ack", "id": "c1", "ok": False, "text": words}]
    assert caplog.text == ""


def test_what_is_no_command_is_passed_over() -> None:
    worker, sent = _worker()

    for nonsense in (None, "hello", {"type": 3, "id": "c"}, {"type": "press"}):
        worker.take(nonsense)

    assert not worker.step()
    assert sent == []
