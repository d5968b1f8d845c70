from hypothesis import example, given
from hypothesis import strategies as st

from flowbook.draw.text_width import fit_end, fit_middle, width_px


def test_a_name_that_fits_stays_as_it_is() -> None:
    assert fit_middle("join_weather", 152, 13) == "join_weather"


def test_a_name_that_does_not_fit_loses_its_middle_and_keeps_its_end() -> None:
    fitted = fit_middle("approve_the_monthly_report_before_noon_2", 152, 13)

    assert fitted == "approve_…e_noon_2"


def test_a_note_that_does_not_fit_loses_its_end() -> None:
    fitted = fit_end("ValueError: 80 of 9,870 flights have no weather", 152, 12)

    assert fitted == "ValueError: 80 of 9,870…"


@example("00\u0ace\u0bce0\u0e5c0", 78)
@given(st.text(max_size=300), st.integers(min_value=20, max_value=400))
def test_what_is_left_is_never_wider_than_the_room(text: str, room: int) -> None:
    assert width_px(fit_middle(text, room, 13), 13) <= room
    assert width_px(fit_end(text, room, 12), 12, bold=False) <= room
