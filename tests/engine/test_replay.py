"""What a run's events say of its time."""

from flowbook.engine.replay import covered_s


def test_time_in_which_nothing_ran_and_time_that_several_share_counts_once_or_not_at_all():
    together = [(0.0, 2.0), (1.0, 3.0), (1.5, 1.75)]
    retried_after_a_wait = [*together, (100.0, 100.5), (3.0, 3.25)]

    assert [covered_s(periods) for periods in ([], together, retried_after_a_wait)] == [0.0, 3.0, 3.75]
