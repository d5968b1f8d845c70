"""The one command: `python -m benchmarks` measures everybody in turn and prints the tables."""

from __future__ import annotations

import argparse
import os
import platform
import time
from pathlib import Path

from benchmarks.environments import FOLDER, ROOT
from benchmarks.rows import PEERS, ROWS
from benchmarks.runner import Runner, say
from benchmarks.table import Results, choices, growth_choices, growth_table, main_table, versions

RESULTS = Path(__file__).with_name("RESULTS.md")
GROUPS = tuple(dict.fromkeys(row.group for row in ROWS))
_NOTES = "## Notes"
_QUICK_PEERS = ("flowbook", "loop", "dask", "distributed", "joblib")


def main(arguments: list[str] | None = None) -> None:
    """Measure what is asked for, print the tables, write them."""
    asked = _parser().parse_args(arguments)
    rounds = asked.rounds or (3 if asked.quick else 5)
    scale = asked.scale or (0.1 if asked.quick else 1.0)
    peers = asked.peers or (_QUICK_PEERS if asked.quick else PEERS)
    is_whole = not (asked.only or asked.peers or asked.quick or asked.rounds or asked.scale)
    groups = asked.only or (*GROUPS, "growth")
    rows = [row for row in ROWS if row.group in groups]
    with Runner(asked.samples, resume=asked.resume or asked.report, say=say) as runner:
        for group in () if asked.report else groups:
            began = time.monotonic()
            wanted = choices([row for row in rows if row.group == group], peers, scale)
            runner.run(growth_choices(peers, scale) if group == "growth" else wanted, rounds)
            say(f"{group}: {time.monotonic() - began:.0f} s")
        results = Results(runner.samples, runner.failures, scale)
    text = main_table(rows, results)
    if "growth" in groups:
        text += f"\n\n## Growth\n\n{growth_table(results)}"
    text = _described(text, versions(results), rounds, scale)
    print(text)
    path = asked.out or (RESULTS if is_whole else ROOT / "artifacts" / "benchmarks.md")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n\n{_notes(path)}", encoding="utf-8")
    say(f"Written to {path}.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--only", nargs="+", metavar="ROW", choices=[*GROUPS, "growth"], help=", ".join([*GROUPS, "growth"])
    )
    parser.add_argument("--peers", nargs="+", metavar="PEER", choices=PEERS, help=", ".join(PEERS))
    parser.add_argument("--quick", action="store_true", help="a tenth of the tasks, 3 rounds, without the slow peers")
    parser.add_argument("--rounds", type=int, help="default: 5")
    parser.add_argument("--scale", type=float, help="of all sizes over 100; default: 1")
    parser.add_argument("--resume", action="store_true", help="go on with what was measured before")
    parser.add_argument("--report", action="store_true", help="measure nothing, write what was measured before")
    parser.add_argument("--samples", type=Path, default=FOLDER / "samples.jsonl", help="where measurements are kept")
    parser.add_argument(
        "--out", type=Path, help="where the tables go; default: RESULTS.md beside this file if all is asked for"
    )
    return parser


def _described(tables: str, who: str, rounds: int, scale: float) -> str:
    sizes = "" if scale == 1 else f" Sizes over 100 are {scale:g} of the usual ones; titles name the usual ones."
    return (
        "# Results\n\n"
        f"Written by `python -m benchmarks`; `docs/performance.md` says how to read it.\n\n"
        f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}; "
        f"median of {rounds} rounds, everybody in turn.{sizes} Measured: {who}.\n\n{tables}"
    )


def _notes(path: Path) -> str:
    """Return what people wrote below the tables, which stays."""
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    return _NOTES + before.split(_NOTES, 1)[1] if _NOTES in before else f"{_NOTES}\n\nNone.\n"


if __name__ == "__main__":
    main()
