"""The tables, as Markdown. Pure: samples go in, text comes out."""

from __future__ import annotations

import itertools
import statistics
from typing import TYPE_CHECKING

from benchmarks.rows import GROWTH, GROWTH_GOAL, GROWTH_SIZES, PEERS
from benchmarks.runner import Trial

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from benchmarks.rows import Cell, Goal, Row
    from benchmarks.sample import Clocks, Sample

__all__ = ["Results", "choices", "growth_choices", "growth_table", "main_table", "versions"]

_TITLES = {"loop": "plain Python", "flowbook": "flowbook", "prefect1": "Prefect 1", "prefect3": "Prefect 3"}


class Results:
    """What came of the trials.

    Args:
        samples: of each trial, by round.
        failures: why a trial came to nothing.
        scale: of all sizes, 1 for the sizes that the rows name.
    """

    def __init__(
        self, samples: Mapping[Trial, Mapping[int, Sample]], failures: Mapping[Trial, str], scale: float = 1.0
    ) -> None:
        self.samples = samples
        self.failures = failures
        self.scale = scale

    def value(self, cell: Cell) -> float | None:
        """Return the median, or None where there is none."""
        found = self.by_round(cell)
        return statistics.median(found.values()) if found else None

    def ratio(self, cell: Cell, against: Cell) -> float | None:
        """Return the median of the rounds' ratios, or None: a shared machine has another pace some minutes later."""
        theirs = self.by_round(against)
        ratios = [value / theirs[number] for number, value in self.by_round(cell).items() if theirs.get(number)]
        return statistics.median(ratios) if ratios else None

    def by_round(self, cell: Cell) -> dict[int, float]:
        """Return the value of each round."""
        trial = self.trial(cell)
        if trial is None:
            return {}
        found = {number: cell.value(sample) for number, sample in self.samples[trial].items()}
        if cell.less_on is None:
            return found
        less = self.samples.get(trial._replace(on=cell.less_on), {})
        return {number: value - cell.value(less[number]) for number, value in found.items() if number in less}

    def trial(self, cell: Cell) -> Trial | None:
        """Return the first trial of a cell that worked."""
        return next((trial for trial in choices_of(cell, self.scale) if trial in self.samples), None)

    def text(self, cell: Cell, usual: int) -> str:
        """Return what stands in the table: the value, its size where that is not the row's, and what failed."""
        trials = choices_of(cell, self.scale)
        failed = [f"{self.failures[each]} at {each.size:,}" for each in trials if each in self.failures]
        value, trial = self.value(cell), self.trial(cell)
        if value is None or trial is None:
            return failed[-1] if failed else ""
        size = f" at {trial.size:,}" if trial.size != usual else ""
        return f"{number(value)}{size}" + (f" ({'; '.join(failed)})" if failed else "")


def choices(rows: Iterable[Row], peers: Sequence[str], scale: float) -> list[tuple[Trial, ...]]:
    """Return what is to be run for these rows: trials that stand for each other, and what goals are measured by."""
    found: list[tuple[Trial, ...]] = []
    for row in rows:
        cells = [*row.cells]
        if row.goal is not None and row.goal.against is not None and not isinstance(row.goal.against, float):
            cells.append(row.goal.against)
        for cell in cells:
            if cell.peer in peers:
                trials = choices_of(cell, scale)
                found.append(trials)
                if cell.less_on is not None:
                    found.append(tuple(trial._replace(on=cell.less_on) for trial in trials))
    return found


def choices_of(cell: Cell, scale: float) -> tuple[Trial, ...]:
    """Return the trials of a cell, the one wished for first."""
    sizes = [_scaled(size, scale) for size in cell.sizes]
    return tuple(
        Trial(cell.peer, cell.work, cell.on, size, cell.is_once, cell.is_again) for size in dict.fromkeys(sizes)
    )


def growth_choices(peers: Sequence[str], scale: float) -> list[tuple[Trial, ...]]:
    """Return what is to be run for the table of growth: flowbook at all sizes, Dask at the first two."""
    return [
        (trial,)
        for shape in GROWTH
        for peer, count in (("flowbook", len(GROWTH_SIZES)), ("dask", 2))
        if peer in peers
        for trial in _growing(peer, shape, scale)[:count]
    ]


def _growing(peer: str, shape: str, scale: float) -> list[Trial]:
    return [Trial(peer, shape, "caller", _scaled(size, scale), is_once=True) for size in GROWTH_SIZES]


def main_table(rows: Iterable[Row], results: Results) -> str:
    """Return the table of work by peer, with flowbook's ratio to what its goal is measured by."""
    shown = [row for row in rows if any(results.text(cell, 0) for cell in row.cells)]
    peers = [
        peer
        for peer in PEERS
        if any(cell.peer == peer and results.text(cell, 0) for row in shown for cell in row.cells)
    ]
    lines = [["work", "unit", "goal", "reached", "", *(_TITLES.get(peer, peer) for peer in peers)]]
    for row in shown:
        cells = {cell.peer: cell for cell in row.cells}
        usual = choices_of(row.cells[0], results.scale)[0].size
        reached, verdict = _reached(row, results)
        texts = [results.text(cells[peer], usual) if peer in cells else "" for peer in peers]
        lines.append([row.title, row.unit, _goal_text(row.goal), reached, verdict, *texts])
    return _markdown(lines)


def growth_table(results: Results) -> str:
    """Return how the time grows with ten times more, building and running apart."""
    lines = [
        [
            "ten times more",
            "of",
            "",
            *(f"{_scaled(size, results.scale):,}" for size in GROWTH_SIZES),
            "first ten",
            "second ten",
            "",
        ]
    ]
    parts: dict[str, Callable[[Sample], Clocks]] = {"build": lambda found: found.build, "run": lambda found: found.run}
    for shape, title in GROWTH.items():
        for peer in ("flowbook", "dask"):
            trials = _growing(peer, shape, results.scale)
            for part, clocks in parts.items():
                if shape == "map" and part == "build":
                    continue  # one task, whatever it is mapped over
                rounds = [
                    {number: clocks(sample).cpu_s for number, sample in results.samples.get(trial, {}).items()}
                    for trial in trials
                ]
                if rounds[0]:
                    sizes = [trial.size for trial in trials]
                    lines.append([title, _TITLES.get(peer, peer), part, *_growth(rounds, sizes, peer)])
    return _markdown(lines)


def versions(results: Results) -> str:
    """Return who was measured, in which version."""
    found = {trial.peer: next(iter(samples.values())).version for trial, samples in results.samples.items() if samples}
    return ", ".join(f"{_TITLES.get(peer, peer)} {found[peer]}" for peer in PEERS if peer in found)


def number(value: float) -> str:
    """Return a number with three digits that say something."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}" if abs(value) < 0.1 else f"{value:.2f}"


def _scaled(size: int, scale: float) -> int:
    return size if size <= 100 else max(100, round(size * scale))


def _growth(rounds: Sequence[Mapping[int, float]], sizes: Sequence[int], peer: str) -> list[str]:
    """Return the times, by how much each is more than the one before, the median of the rounds, and the verdict on the first."""
    per = [
        f"{number(statistics.median(each.values()) / size * 1e6)} µs" if each else ""
        for each, size in zip(rounds, sizes, strict=True)
    ]
    ratios = []
    for less, more in itertools.pairwise(rounds):
        found = [more[each] / less[each] for each in less if each in more]
        ratios.append(statistics.median(found) if found else None)
    verdict = "" if peer != "flowbook" or ratios[0] is None else "met" if ratios[0] <= GROWTH_GOAL else "**missed**"
    return [*per, *("" if ratio is None else f"× {ratio:.1f}" for ratio in ratios), verdict]


def _goal_text(goal: Goal | None) -> str:
    if goal is None:
        return ""
    return f"≤ {goal.limit:g}" + (f" × {goal.name}" if goal.against is not None else "")


def _reached(row: Row, results: Results) -> tuple[str, str]:
    ours = next((cell for cell in row.cells if cell.peer == "flowbook"), None)
    if ours is None or row.goal is None:
        return "", ""
    against = row.goal.against
    if against is None or isinstance(against, float):
        value = results.value(ours)
        ratio = None if value is None else value / (against or 1.0)
    else:
        ratio = results.ratio(ours, against)
    if ratio is None:
        return "", ""
    return f"{ratio:.3f}", "met" if ratio <= row.goal.limit else "**missed**"


def _markdown(lines: Sequence[Sequence[str]]) -> str:
    head, *rest = lines
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, ["---"] * len(head), *rest])
