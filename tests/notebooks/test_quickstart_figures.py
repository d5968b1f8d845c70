"""The figures in the quickstart's text are those that its tasks work out from the flights."""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pytest

import flowbook

#: Numbers in the text that are not worked out: the year of the data.
GIVEN = {"2013"}


@dataclass(frozen=True)
class Worked:
    """What the quickstart's tasks return for JFK."""

    flights: pd.DataFrame
    flown: pd.DataFrame
    joined: pd.DataFrame
    report: pd.DataFrame


@pytest.fixture(scope="module")
def worked(tasks: dict[str, Any]) -> Worked:
    """Call the tasks' functions one after the other, without an engine."""
    flights = tasks["load_flights"].run("JFK")
    flown = tasks["drop_cancelled"].run(flights)
    joined = tasks["join_weather"].run(flown, tasks["load_weather"].run())
    months = [tasks["delays_by_carrier"].run(month, joined) for month in range(1, 13)]
    with flowbook.context(task_run_count=2):
        airlines = tasks["fetch_airlines"].run()
    return Worked(flights, flown, joined, tasks["summarise"].run(months, airlines))


@pytest.fixture(scope="module")
def figures(tasks: dict[str, Any], worked: Worked) -> dict[str, str]:
    """Return each claim of the text, in its words, with the numbers worked out from the data."""
    with zipfile.ZipFile(tasks["DATA"] / "flights.csv.zip") as archive:
        rows = pd.read_csv(archive.open("flights.csv"), usecols=["month"])
    joined, report = worked.joined, worked.report
    delay, rain = joined["arr_delay"], joined["precip"] > 0
    worst, most, best = report.iloc[0], report.loc[report["flights"].idxmax()], report.iloc[-1]
    cancelled = len(worked.flights) - len(worked.flown)
    unknown = int(joined["precip"].isna().sum())
    return {
        "title": f"In 2013, {len(rows):,} flights left the three airports",
        "cancelled": f"Of {len(worked.flights):,} flights, {cancelled:,} were cancelled or diverted;",
        "flown": f"{len(worked.flown):,} arrived where they were meant to",
        "late": f"They were {delay.mean():.1f} minutes late on average.",
        "rain": f"In an hour with rain ({rain.sum():,} flights) it was {delay[rain].mean():.1f} minutes,",
        "dry": f"in a dry one {delay[joined['precip'] == 0].mean():.1f}.",
        "unknown": f"For {unknown:,} flights there is no record of the weather.",
        "worst": f"Of {len(report)} airlines, {worst['name']} was the latest, "
        f"with {worst.mean_delay:.2f} minutes on {worst.flights:,} flights.",
        "most": f"{most['name']} flew most: {most.flights:,} flights, {most.mean_delay:.2f} minutes late.",
        "best": f"{best['name']} came {-best.mean_delay:.2f} minutes early.",
    }


@pytest.fixture(scope="module")
def text(quickstart: Any) -> str:  # nbformat has no types
    """Return all the prose, each run of white space as one blank."""
    prose = " ".join(cell.source for cell in quickstart.cells if cell.cell_type == "markdown")
    return re.sub(r"\s+", " ", prose)


def test_every_figure_of_the_text_is_what_the_tasks_work_out(figures: dict[str, str], text: str) -> None:
    missing = {name: claim for name, claim in figures.items() if claim not in text}

    assert missing == {}


def test_the_text_has_no_figure_that_is_not_worked_out(figures: dict[str, str], text: str) -> None:
    prose = re.sub(r"`[^`]*`", "", text)

    in_text = set(re.findall(r"\d[\d,]*(?:\.\d+)?", prose))

    assert in_text - GIVEN == set(re.findall(r"\d[\d,]*(?:\.\d+)?", " ".join(figures.values()))) - GIVEN


def test_the_report_counts_every_flight_that_arrived_once(worked: Worked) -> None:
    report = worked.report

    assert report["flights"].sum() == len(worked.flown)
    assert list(report.columns) == ["carrier", "name", "flights", "mean_delay", "late15", "rain_delay"]
    assert report["name"].notna().all()
    assert report["mean_delay"].is_monotonic_decreasing


def test_the_months_add_up_to_what_one_look_at_the_year_gives(worked: Worked) -> None:
    joined = worked.joined.assign(late=worked.joined["arr_delay"] >= 15)
    year = joined.groupby("carrier").agg(mean_delay=("arr_delay", "mean"), late15=("late", "mean")).round(2)
    year["rain_delay"] = joined[joined["precip"] > 0].groupby("carrier")["arr_delay"].mean().round(2)

    months = worked.report.set_index("carrier").sort_index()[["mean_delay", "late15", "rain_delay"]]

    pd.testing.assert_frame_equal(months, year)


def test_the_service_for_airlines_is_not_up_at_the_first_attempt_of_a_run(tasks: dict[str, Any]) -> None:
    fetch = tasks["fetch_airlines"].run

    with flowbook.context(task_run_count=1), pytest.raises(ConnectionError, match="not up yet"):
        fetch()
    with flowbook.context(task_run_count=2):
        names = fetch()

    assert names["B6"] == "JetBlue Airways"


def test_publishing_writes_the_report_as_it_was_approved(tasks: dict[str, Any], worked: Worked) -> None:
    path = tasks["publish"].run(worked.report, "JFK")

    pd.testing.assert_frame_equal(pd.read_csv(path), worked.report)
