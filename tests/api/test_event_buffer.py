"""The buffer of a stream gives whoever reads it all that came after a number, once."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from flowbook.api import event_buffer
from flowbook.api.event_buffer import EventBuffer


def _pushed(buffer, *numbers):
    buffer.push([(number, b"%d;" % number) for number in numbers])


def test_what_came_after_a_number_is_given_in_one_piece():
    buffer = EventBuffer(3)
    _pushed(buffer, 4, 5, 7)

    assert buffer.after(3) == (7, b"4;5;7;")
    assert buffer.after(5) == (7, b"7;")
    assert buffer.after(7) == (7, b"")
    assert buffer.after(2) is None


def test_what_is_not_held_any_more_is_said(monkeypatch):
    monkeypatch.setattr(event_buffer, "_MOST_BYTES", 20)
    buffer = EventBuffer(0)

    for number in range(1, 30):
        _pushed(buffer, number)

    assert buffer.after(0) is None
    assert buffer.after(28) == (29, b"29;")


def test_numbers_without_messages_are_passed_over():
    buffer = EventBuffer(0)

    buffer.push([], 5)
    _pushed(buffer, 6)

    assert buffer.after(2) == (6, b"6;")


@given(st.lists(st.integers(1, 6), max_size=60))
def test_a_reader_gets_each_message_once_however_it_reads(steps):
    buffer, numbers = EventBuffer(0), []
    position, read = 0, b""
    for number, step in enumerate(steps, 1):
        _pushed(buffer, number)
        numbers.append(number)
        if step > 3:
            position, text = buffer.after(position)
            read += text
    _, rest = buffer.after(position)

    assert read + rest == b"".join(b"%d;" % number for number in numbers)


def test_very_much_is_given_in_parts(monkeypatch):
    monkeypatch.setattr(event_buffer, "_MOST_AT_ONCE_BYTES", 6)
    buffer = EventBuffer(0)
    _pushed(buffer, *range(1, 8))

    first = buffer.after(0)

    assert first == (3, b"1;2;3;")
    assert buffer.after(3) == (6, b"4;5;6;")
    assert buffer.after(6) == (7, b"7;")


def test_a_reader_waits_for_the_next_message_and_for_the_end():
    async def wait():
        buffer = EventBuffer(0)
        late = await buffer.wait(0, 0.001)
        asyncio.get_running_loop().call_soon(_pushed, buffer, 1)
        came = await buffer.wait(0, 5.0)
        asyncio.get_running_loop().call_soon(buffer.finish, b"end")
        ended = await buffer.wait(1, 5.0)
        return late, came, ended, buffer.end

    assert asyncio.run(wait()) == (False, True, True, b"end")


def test_what_comes_late_is_given_to_those_who_read_then():
    buffer = EventBuffer(0)
    buffer.push_late([b"a;"])
    begun = buffer.late
    buffer.push_late([b"b;", b"c;"])

    assert (buffer.late_after(begun), buffer.late_after(0), buffer.late_after(buffer.late)) == (b"b;c;", b"a;b;c;", b"")


def test_of_very_many_late_messages_the_newest_are_held(monkeypatch):
    monkeypatch.setattr(event_buffer, "_MOST_LATE", 2)
    buffer = EventBuffer(0)

    buffer.push_late([b"a;"])
    buffer.push_late([b"b;", b"c;"])

    assert (buffer.late_after(0), buffer.late_after(2), buffer.late) == (b"b;c;", b"c;", 3)


def test_a_reader_waits_for_what_comes_late_too():
    async def wait():
        buffer = EventBuffer(0)
        asyncio.get_running_loop().call_soon(buffer.push_late, [b"a;"])
        return await buffer.wait(0, 5.0, 0), await buffer.wait(0, 0.001, 1)

    assert asyncio.run(wait()) == (True, False)
