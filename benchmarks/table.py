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
        trial = self.trial(cell)
        if trial is None:
            return None
        found = self._median(trial, cell.value)
        if cell.less_on is None:
            return found
        less = trial._replace(on=cell.less_on)
        return found - self._median(less, cell.value) if less in self.samples else None

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

    def _median(self, trial: Trial, value: Callable[[Sample], float]) -> float:
        return statistics.median(value(sample) for sample in self.samples[trial].values())


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
    return tuple(Trial(cell.peer, cell.work, cell.on, size) for size in dict.fromkeys(sizes))


def growth_choices(peers: Sequence[str], scale: float) -> list[tuple[Trial, ...]]:
    """Return what is to be run for the table of growth: flowbook at all sizes, Dask at the first two."""
    return [
        (Trial(peer, shape, "caller", _scaled(size, scale)),)
        for shape in GROWTH
        for peer, sizes in (("flowbook", GROWTH_SIZES), ("dask", GROWTH_SIZES[:2]))
        if peer in peers
        for size in sizes
    ]


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
            trials = [Trial(peer, shape, "caller", _scaled(size, results.scale)) for size in GROWTH_SIZES]
            found = [results.samples.get(trial, {}) for trial in trials]
            for part, clocks in parts.items():
                if shape == "map" and part == "build":
                    continue  # one task, whatever it is mapped over
                cpu_s = [statistics.median(clocks(s).cpu_s for s in each.values()) if each else None for each in found]
                if cpu_s[0] is not None:
                    lines.append(
                        [title, _TITLES.get(peer, peer), part, *_growth(cpu_s, [t.size for t in trials], peer)]
                    )
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


def _growth(cpu_s: Sequence[float | None], sizes: Sequence[int], peer: str) -> list[str]:
    per = ["" if each is None else f"{number(each / size * 1e6)} µs" for each, size in zip(cpu_s, sizes, strict=True)]
    ratios = [more / less if less and more is not None else None for less, more in itertools.pairwise(cpu_s)]
    known = [ratio for ratio in ratios if ratio is not None]
    verdict = "" if peer != "flowbook" or not known else "met" if max(known) <= GROWTH_GOAL else "**missed**"
    return [*per, *("" if ratio is None else f"× {ratio:.1f}" for ratio in ratios), verdict]


def _goal_text(goal: Goal | None) -> str:
    if goal is None:
        return ""
    return f"≤ {goal.limit:g}" + (f" × {goal.name}" if goal.against is not None else "")


def _reached(row: Row, results: Results) -> tuple[str, str]:
    ours = next((results.value(cell) for cell in row.cells if cell.peer == "flowbook"), None)
    if ours is None or row.goal is None:
        return "", ""
    against = row.goal.against
    theirs = 1.0 if against is None else against if isinstance(against, float) else results.value(against)
    if not theirs:
        return "", ""
    ratio = ours / theirs
    return f"{ratio:.3f}", "met" if ratio <= row.goal.limit else "**missed**"


def _markdown(lines: Sequence[Sequence[str]]) -> str:
    head, *rest = lines
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, ["---"] * len(head), *rest])
