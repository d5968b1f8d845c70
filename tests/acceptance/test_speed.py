"""What a task costs, as a ratio to `dask.get` on the same graph in the same run; benchmarks/engine.py prints the table."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

pytestmark = [pytest.mark.acceptance]

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "engine.py"


def test_a_chain_of_5000_tasks_takes_at_most_0_7_of_dask_get():
    spec = importlib.util.spec_from_file_location("engine_benchmark", BENCHMARK)
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)

    ours_us, theirs_us = benchmark.measure("chain", 5_000, rounds=5)

    assert ours_us <= benchmark.GOAL * theirs_us
