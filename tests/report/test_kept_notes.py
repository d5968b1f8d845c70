"""What is said of a result that a run of a part of its flow kept."""

from __future__ import annotations

import pytest

from flowbook.engine.state import Success
from flowbook.report.kept_notes import kept_briefly, kept_note


@pytest.mark.parametrize(
    ("message", "note", "briefly"),
    [
        ("Kept from run 4.", "kept from run 4", "kept from run 4"),
        ("Kept from the last run.", "kept from the last run", "kept from the last run"),
        (
            "Kept from 20 Nov 09:06 (load (x) of run 11).",
            "kept from 20 Nov 09:06 (load (x) of run 11)",
            "kept from run 11",
        ),
        ("Kept from 20 Nov 09:06 (load).", "kept from 20 Nov 09:06 (load)", "kept from 20 Nov 09:06"),
        ("Done.", "", ""),
    ],
)
def test_a_node_says_from_which_run_a_result_is_kept_and_the_card_from_which_output(
    message: str, note: str, briefly: str
) -> None:
    state = Success(message)

    assert (kept_note(state), kept_briefly(state)) == (note, briefly)
