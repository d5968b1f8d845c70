"""Objects that are listed while other threads add to them."""

from __future__ import annotations

import sys

from flowbook._utils.live_objects import LiveObjects


class Thing:
    """Something that can be held weakly."""


def test_objects_are_there_in_order_for_as_long_as_somebody_else_holds_them():
    objects: LiveObjects[Thing] = LiveObjects()
    first, second, third = Thing(), Thing(), Thing()
    for each in (first, second, third, first):
        objects.add(each)
    objects.discard(second)
    objects.discard(second)

    before = objects.listed(), len(objects)
    del third
    before[0].pop()

    assert before == ([first], 2)
    assert objects.listed() == [first]
    assert len(objects) == 1


def test_they_can_be_listed_while_another_thread_adds_to_them():
    objects: LiveObjects[Thing] = LiveObjects()
    known = [Thing() for _ in range(3)]
    for each in known:
        objects.add(each)
    added = []

    def trace(*_):  # at each line, another thread may be next
        added.append(Thing())
        objects.add(added[-1])
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        found = objects.listed()
    finally:
        sys.settrace(before)

    assert found[:3] == known
    assert len(added) > 3
