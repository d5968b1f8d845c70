"""What a task costs, as a ratio to `dask.get` on the same graph in the same run; `make bench` prints the whole table."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest

from benchmarks.peers import dask, flowbook
from benchmarks.sample import Setting, take

pytestmark = [pytest.mark.acceptance]

GOAL = 0.7
ROUNDS = 5


def test_a_chain_of_5000_tasks_takes_at_most_0_7_of_dask_get():
    setting = Setting(5_000, None, Path())

    rounds = [[_cpu_s(peer, setting) for peer in (flowbook, dask)] for _ in range(ROUNDS)]

    ours_s, theirs_s = (statistics.median(column) for column in zip(*rounds, strict=True))
    assert ours_s <= GOAL * theirs_s


def _cpu_s(peer, setting):
    _, run, _, _ = take(peer.WORKS["chain", "caller"], setting)
    return run.cpu_s
