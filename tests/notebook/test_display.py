"""What cells show, and when that ends."""

from __future__ import annotations

from flowbook.notebook.display import CellDisplays


class View:
    def __init__(self) -> None:
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


def test_a_cell_that_runs_again_closes_what_it_showed_before() -> None:
    displays, first, second, third = CellDisplays(), View(), View(), View()

    displays.add(first, "cell", "request 1")
    displays.add(second, "cell", "request 1")
    before = (first.closed, second.closed)
    displays.add(third, "cell", "request 2")

    assert before == (0, 0)
    assert (first.closed, second.closed, third.closed) == (1, 1, 0)


def test_another_cell_closes_nothing_and_neither_does_one_that_nobody_knows() -> None:
    displays, first, second, third = CellDisplays(), View(), View(), View()

    displays.add(first, "cell", "request 1")
    displays.add(second, "other", "request 2")
    displays.add(third, "", "request 3")
    displays.add(View(), "", "request 4")

    assert (first.closed, second.closed, third.closed) == (0, 0, 0)
