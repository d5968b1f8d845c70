"""The feed of changes behind the API goes on, whatever is asked for at the same moment."""

from __future__ import annotations

import threading
import time

from flowbook.store.change_feed import ChangeFeed


class Client:
    """A server's answers; the feed is closed after the first."""

    def __init__(self):
        self.asked = []
        self.feed = ChangeFeed(self)

    def changes(self, known, wait_s):  # noqa: ARG002  # as the client has it
        self.asked.append(known)
        self.feed.close()
        return {"commits": "7", "requests": "8"}


class Moment(float):
    """When somebody asked; while the feed compares it with the present, somebody else asks for the first time."""

    meanwhile = staticmethod(lambda: None)

    def __rsub__(self, now):
        self.meanwhile()
        return now - float(self)


def test_a_feed_goes_on_when_something_else_is_asked_for_the_first_time():
    client = Client()
    feed = client.feed
    feed._thread = threading.current_thread()
    asked = Moment(time.monotonic())
    asked.meanwhile = lambda: feed.version("requests")
    feed._asked["commits"] = asked

    feed._follow()

    assert client.asked == [{"commits": ""}]
    assert feed._known == {"commits": "7"}
    assert feed._thread is None
