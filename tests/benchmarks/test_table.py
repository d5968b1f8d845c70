"""What samples look like as a table."""

import pytest

from benchmarks.rows import PEERS, ROWS, Cell, Goal, Row
from benchmarks.runner import Trial
from benchmarks.sample import Clocks, Prepared, Sample, Setting, take
from benchmarks.table import Results, choices, growth_table, main_table, number


def _sample(trial, run_s, build_s=0.0):
    return Sample(*trial[:1], "1.0", *trial[1:3], trial.size, Clocks(build_s, build_s), Clocks(run_s, run_s), 0, 0)


def _run_s(sample):
    return sample.run.cpu_s


def _cell(peer, *sizes):
    return Cell(peer, "chain", "caller", sizes, _run_s)


OURS, THEIRS = _cell("flowbook", 5_000), _cell("dask", 5_000)
ROW = Row("chain", "a chain", "s", (OURS, THEIRS), Goal(0.7, THEIRS, "dask.get"))


def _results(failures=(), **times_s):
    trials = {Trial(peer, "chain", "caller", size): s for peer, (size, s) in times_s.items()}
    return Results(
        {trial: {i: _sample(trial, x) for i, x in enumerate(s)} for trial, s in trials.items()}, dict(failures)
    )


def test_a_cell_is_the_median_of_the_rounds():
    results = _results(flowbook=(5_000, [1.0, 9.0, 2.0]))

    assert results.text(OURS, 5_000) == "2.00"


@pytest.mark.parametrize(("ours_s", "verdict"), [(0.6, "met"), (0.8, "**missed**")])
def test_a_goal_is_a_ratio_to_a_peer_of_the_same_run(ours_s, verdict):
    table = main_table([ROW], _results(flowbook=(5_000, [2 * ours_s]), dask=(5_000, [2.0])))

    assert (
        table.splitlines()[2]
        == f"| a chain | s | ≤ 0.7 × dask.get | {ours_s:.3f} | {verdict} | {2 * ours_s:.2f} | 2.00 |"
    )


def test_the_ratio_is_the_median_of_the_rounds_ratios():
    results = _results(flowbook=(5_000, [1.0, 4.0, 1.0]), dask=(5_000, [2.0, 8.0, 4.0]))

    assert results.ratio(OURS, THEIRS) == 0.5


def test_a_peer_that_fails_at_one_size_shows_the_next_and_says_why():
    cell = _cell("hamilton", 5_000, 100)
    failed = {Trial("hamilton", "chain", "caller", 5_000): "RecursionError"}

    text = _results(failed, hamilton=(100, [8.0])).text(cell, 5_000)

    assert text == "8.00 at 100 (RecursionError at 5,000)"


def test_a_peer_that_fails_at_every_size_shows_why():
    failed = {Trial("hamilton", "chain", "caller", 5_000): "could not be installed"}

    text = _results(failed).text(_cell("hamilton", 5_000), 5_000)

    assert text == "could not be installed at 5,000"


def test_what_is_run_includes_what_goals_are_measured_by_and_what_is_taken_off():
    ours = Cell("flowbook", "chain", "recorded", (5_000,), _run_s, less_on="caller")

    found = choices([Row("recording", "more", "s", (ours,), Goal(1, THEIRS))], PEERS, 0.1)

    assert found == [
        (Trial("flowbook", "chain", "recorded", 500),),
        (Trial("flowbook", "chain", "caller", 500),),
        (Trial("dask", "chain", "caller", 500),),
    ]


def test_growth_compares_ten_times_more_with_once():
    sizes_s = {1_000: [0.01, 0.02, 0.01], 10_000: [0.1, 0.24, 0.09], 100_000: [1.3, 2.4, 1.8]}
    samples = {
        trial: {number: _sample(trial, s, s) for number, s in enumerate(rounds)}
        for trial, rounds in (
            (Trial("flowbook", "chain", "caller", size, is_once=True), rounds) for size, rounds in sizes_s.items()
        )
    }

    lines = growth_table(Results(samples, {})).splitlines()

    assert lines[2] == "| tasks in a chain | flowbook | build | 10.0 µs | 10.0 µs | 18.0 µs | × 10.0 | × 13.0 | met |"


@pytest.mark.parametrize(("value", "text"), [(1234.5, "1,234"), (12.34, "12.3"), (1.234, "1.23"), (0.01234, "0.0123")])
def test_a_number_has_three_digits(value, text):
    assert number(value) == text


def test_every_row_measures_flowbook_first():
    assert {row.cells[0].peer for row in ROWS} == {"flowbook"}


def test_each_small_flow_is_measured_in_its_first_run_in_its_second_and_with_being_written():
    small = [row for row in ROWS if row.group == "small" and row.cells[0].work != "empty"]

    titles = [row.title.rpartition(", ")[::2] for row in small]
    whens = ("run once", "run again", "written and run")
    flags = [{(cell.is_once, cell.is_again) for cell in row.cells} for row in small]

    assert titles == [(title, when) for title in dict.fromkeys(t for t, _ in titles) for when in whens]
    assert flags == [{(True, False)}, {(False, True)}, {(True, False)}] * 10


def test_the_second_run_of_the_same_work_is_measured_again(tmp_path):
    runs = []

    def prepare(_):
        runs.append("built")
        return Prepared(lambda: runs.append("run"), lambda _: True, lambda _: {"runs": runs.count("run")})

    *_, told = take(prepare, Setting(1, None, tmp_path), is_again=True)

    assert (runs, told) == (["built", "run", "run"], {"runs": 2})
