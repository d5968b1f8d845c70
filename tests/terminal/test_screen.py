"""The part of a terminal that is drawn again, and what others print above it."""

import io

import pytest

from flowbook.terminal.lines import Span
from flowbook.terminal.marks import Marks
from flowbook.terminal.screen import Screen
from tests.terminal.screens import seen


@pytest.fixture
def terminal():
    return io.StringIO()


@pytest.fixture
def screen(terminal, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("LINES", "24")
    return Screen(terminal, Marks(), has_colours=True)


def _seen(terminal):
    return seen(terminal.getvalue().replace("\n", "\r\n"))  # as a terminal's driver does


def _lines(*texts):
    return [(Span(text, "bold green"),) for text in texts]


def test_what_is_drawn_again_takes_the_place_of_what_was_drawn(screen, terminal):
    screen.draw(_lines("one", "two", "three"))
    screen.draw(_lines("four"))

    assert _seen(terminal) == "four"


def test_what_others_print_stands_above_it_whole(screen, terminal):
    screen.draw(_lines("delays  run 1"))
    screen.print_above(terminal, "loaded\nclean")
    screen.print_above(terminal, "ed\n")
    screen.draw(_lines("delays  run 1"))

    assert _seen(terminal) == "loaded\ncleaned\ndelays  run 1"


def test_a_line_that_is_not_ended_yet_stands_above_it(screen, terminal):
    screen.print_above(terminal, "10 of")
    screen.draw(_lines("delays  run 1"))
    between = _seen(terminal)
    screen.print_above(terminal, " 20\n")
    screen.draw(_lines("delays  run 1"))

    assert between == "10 of\ndelays  run 1"
    assert _seen(terminal) == "10 of 20\ndelays  run 1"


def test_a_bar_that_goes_back_to_its_beginning_keeps_its_line(screen, terminal):
    for step in ("\r10 %", "\r20 %", "\r30 %"):
        screen.print_above(terminal, step)
        screen.draw(_lines("delays  run 1"))
    screen.print_above(terminal, "\n")
    screen.close()

    assert _seen(terminal) == "30 %"


def test_a_long_line_without_an_end_is_erased_with_all_its_rows(screen, terminal):
    screen.print_above(terminal, "x" * 70)
    screen.draw(_lines("delays  run 1"))
    screen.draw(_lines("delays  run 2"))
    screen.close()

    assert terminal.getvalue().count("\r\x1b[3A\x1b[J") == 2


def test_nothing_of_it_is_left_when_it_is_closed(screen, terminal):
    screen.draw(_lines("one", "two"))
    screen.close()
    screen.print_lines([(Span("delays  run 1"),)])

    assert _seen(terminal) == "delays  run 1"


def test_what_is_said_at_the_end_begins_a_line_of_its_own(screen, terminal):
    screen.print_above(terminal, "no end")
    screen.print_lines([(Span("delays  run 1"),)])

    assert _seen(terminal) == "no end\ndelays  run 1"


def test_without_colours_there_are_none(terminal):
    Screen(terminal, Marks(), has_colours=False).draw(_lines("one"))

    assert terminal.getvalue() == "one\n"


def test_a_name_cant_colour_the_terminal(screen, terminal):
    screen.draw([(Span("a\x1b[31mb"),)])

    assert terminal.getvalue() == "a\\x1b[31mb\n"
