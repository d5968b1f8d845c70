"""Requests that wait for a change in the store: each of them hears of it, whoever looks first."""

from __future__ import annotations

import asyncio

from flowbook.api.store_changes import StoreChanges


class Store:
    """A store that changes when the test says so."""

    def __init__(self):
        self.number = 0
        self.requests = self

    def version(self):
        return self.number

    def newest(self):
        return 0


def test_whoever_waits_hears_of_a_change_that_another_request_has_seen_first():
    async def heard():
        store = Store()
        changes = StoreChanges(store)
        before = await changes.after({}, 0.0)
        waiting = asyncio.create_task(changes.after(before, 60.0))
        while not changes._waiting:  # noqa: ASYNC110  # it waits in a moment
            await asyncio.sleep(0)
        store.number = 1
        seen = await changes.after({}, 0.0)
        return seen, await asyncio.wait_for(waiting, 20.0)

    seen, told = asyncio.run(heard())

    assert seen == told == {"commits": "1", "requests": "0"}
