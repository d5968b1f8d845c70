import contextvars
import threading

import pytest

from flowbook._utils import threads

_COLOUR = contextvars.ContextVar("colour", default="none")


class Painter:
    """Owns a thread."""


def test_a_thread_sees_the_context_of_whoever_started_it():
    seen = []
    token = _COLOUR.set("blue")

    threads.spawn(lambda what: seen.append((what, _COLOUR.get())), "sky", name="paint", owner="tests").join()
    _COLOUR.reset(token)

    assert seen == [("sky", "blue")]


@pytest.mark.parametrize("owner", [Painter(), "Painter"], ids=["object", "text"])
def test_a_thread_has_a_name_an_owner_and_does_not_keep_its_process_alive(owner):
    leave = threading.Event()

    thread = threads.spawn(leave.wait, name="paint", owner=owner)
    found = (thread.name, thread.owner, thread.daemon)
    leave.set()
    thread.join()

    assert found == ("flowbook-paint", "Painter", True)


def test_threads_are_counted_while_they_live():
    leave = threading.Event()
    thread = threads.prepare(leave.wait, name="paint", owner="tests")

    counts = [thread in threads.alive()]
    thread.start()
    counts.append(thread in threads.alive())
    leave.set()
    thread.join()
    counts.append(thread in threads.alive())

    assert counts == [False, True, False]
