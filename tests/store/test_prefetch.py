from __future__ import annotations

import pytest

from flowbook.store.prefetch import Prefetch


class _Source:
    """Squares, and what was asked of it."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []
        self.version = 0

    def read(self, start: int, end: int) -> dict[int, int]:
        self.asked.append((start, end))
        return {place: place * place + self.version for place in range(start, end) if place != 3}


def ahead_of(source: _Source) -> Prefetch[int]:
    return Prefetch(source.read, lambda: source.version)


def test_questions_in_order_are_answered_by_ever_fewer_reads() -> None:
    source = _Source()
    ahead = ahead_of(source)

    answers = [ahead.get(place) for place in range(20)]

    assert answers == [None if place == 3 else place * place for place in range(20)]
    assert source.asked == [(0, 1), (1, 3), (3, 7), (7, 15), (15, 31)]


def test_questions_out_of_order_read_one_answer_each() -> None:
    source = _Source()
    ahead = ahead_of(source)

    answers = [ahead.get(place) for place in (50, 40, 30, 20, 10)]

    assert answers == [2500, 1600, 900, 400, 100]
    assert sum(end - start for start, end in source.asked) <= 2 * 5


def test_what_was_read_ahead_is_not_used_once_something_was_committed() -> None:
    source = _Source()
    ahead = ahead_of(source)
    before = [ahead.get(place) for place in range(4, 8)]

    source.version = 100

    assert (before, ahead.get(7), ahead.get(8)) == ([16, 25, 36, 49], 149, 164)


def test_what_could_not_be_read_is_read_again() -> None:
    source = _Source()
    answers: list[dict[int, int] | OSError] = [OSError("no disk"), {5: 25}]

    def read(_start: int, _end: int) -> dict[int, int]:
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    ahead = Prefetch(read, lambda: source.version)

    with pytest.raises(OSError, match="no disk"):
        ahead.get(5)
    assert ahead.get(5) == 25


def test_answers_stay_while_nothing_is_committed_and_not_more_than_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowbook.store.prefetch._MOST_CACHED", 10)
    source = _Source()
    ahead = ahead_of(source)
    few = [ahead.get(place) for place in (*range(7), *range(7))]
    asked = len(source.asked)

    many = [ahead.get(place) for place in (*range(7, 20), 0)]

    assert (few[:7], asked) == (few[7:], 3)
    assert many == [place * place for place in (*range(7, 20), 0)]
    assert source.asked[-1][0] == 0
