from flowbook.draw import palette
from flowbook.draw.glyphs import GLYPHS
from flowbook.engine import state as states


def test_every_state_that_can_be_shown_has_a_look_and_a_glyph() -> None:
    shown = {name for name in states.__all__ if name not in {"State", "Finished", "RemoteError"}}

    assert set(palette.STATES) == shown
    assert set(GLYPHS) == shown


def test_bars_begin_with_what_went_well_and_end_with_what_waits() -> None:
    names = ["Pending", "Failed", "Success", "MyOwn", "Paused", "Cached"]

    assert palette.in_order(names) == ["Success", "Cached", "Paused", "Failed", "Pending", "MyOwn"]


def test_a_state_of_a_users_own_is_drawn_as_waiting() -> None:
    assert palette.style_of("MyOwn").family == "waiting"
    assert palette.shades("MyOwn", "dark") == palette.shades("Pending", "dark")
