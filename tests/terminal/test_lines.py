"""Lines fitted to a terminal's width."""

from hypothesis import given
from hypothesis import strategies as st

from flowbook.terminal.lines import Span, cut_middle, fit, padded, plain_text, printable, spread, widest, width_of


def test_a_long_name_loses_its_middle():
    assert cut_middle("delays_by_carrier[7]", 11) == "delay…er[7]"


def test_a_name_that_fits_stays():
    assert cut_middle("load", 4) == "load"


def test_wide_characters_take_two_cells():
    assert cut_middle("漢字漢字漢字", 7) == "漢…字"


def test_what_is_too_much_at_the_end_becomes_dots():
    line = fit((Span("delays", "bold"), Span(" is slow")), 10)

    assert line == (Span("delays", "bold"), Span(" is"), Span("…", "dim"))


def test_left_and_right_stand_at_both_ends():
    line = spread((Span("delays"),), (Span("0:41"),), 14)

    assert plain_text(line) == "delays    0:41"


def test_the_left_gives_way_to_the_right():
    line = spread((Span("delays_by_carrier"),), (Span("0:41"),), 14)

    assert plain_text(line) == "delays_…  0:41"


def test_nobodys_text_moves_the_cursor():
    assert printable("a\x1b[2Jb\r\n\u202e") == "a\\x1b[2Jb\\r\\n\\u202e"


def test_joiners_and_spaces_of_scripts_and_emoji_stay_and_no_name_hides_one():
    assert printable("\U0001f469\u200d\U0001f4bb 売上\u3000集計 می\u200cشود") == (
        "\U0001f469\u200d\U0001f4bb 売上\u3000集計 می\u200cشود"
    )
    assert printable("lo\u200dad 売\u200dx") == "lo\\u200dad 売\\u200dx"


def test_columns_count_cells_and_not_characters():
    names = ("load", "売上集計", "שלום")

    width = widest(names)

    assert [padded(name, width) for name in names] == ["load    ", "売上集計", "שלום    "]
    assert [padded(name, width, to_the_right=True) for name in names] == ["    load", "売上集計", "    שלום"]
    assert (widest(()), padded("売上集計", 3)) == (0, "売上集計")


@given(st.lists(st.text(max_size=20), max_size=4), st.lists(st.text(max_size=8), max_size=2), st.integers(4, 40))
def test_no_line_is_wider_than_the_terminal(left, right, width):
    line = spread(tuple(map(Span, map(printable, left))), tuple(map(Span, map(printable, right))), width)

    assert width_of(line) <= width


@given(st.text(max_size=40).map(printable), st.integers(0, 20))
def test_no_name_is_wider_than_it_may_be(name, width):
    assert width_of((Span(cut_middle(name, width)),)) <= width
