"""Outputs of other runs, taken from the cache."""

from __future__ import annotations

import datetime as dt
import enum
from collections import Counter
from uuid import UUID

import pytest

import flowbook
from flowbook import Flow, Parameter, task
from flowbook.engine import cache_validators, signals
from flowbook.store import open_store
from tests.core.run_programs import python, script

CACHED = """
    import datetime as dt
    import sys
    from pathlib import Path
    from flowbook import Flow, task

    @task(cache_for=dt.timedelta(hours=1))
    def load():
        with Path(sys.argv[1]).open("a") as file:
            file.write("ran\\n")
        return {value}

    with Flow("f") as flow:
        x = load()

    state = flow.run().result[x]
    print(type(state).__name__, state.result, state.stale_code)
"""


def test_a_cached_output_serves_another_process_and_says_when_other_code_made_it(tmp_path):
    counts = tmp_path / "counts"

    first = python(script(tmp_path, CACHED.format(value="[1, 2]")), str(counts))
    second = python(script(tmp_path, CACHED.format(value="[1, 2]")), str(counts))
    edited = python(script(tmp_path, CACHED.format(value="[1, 2, 3]")), str(counts))

    assert (first.stderr, second.stderr) == ("", "")
    assert edited.stderr.partition(" UTC, ")[2] == (
        "made by other code. With @task(cache=True) a task runs again when its code or its inputs have changed.\n"
    )
    assert first.stdout == "Cached [1, 2] False\n"
    assert second.stdout == "Cached [1, 2] False\n"
    assert edited.stdout == "Cached [1, 2] True\n"
    assert counts.read_text() == "ran\n"


def test_a_task_whose_cached_output_is_damaged_runs_again(home):
    ran = []

    @task(cache_for=dt.timedelta(hours=1))
    def load():
        ran.append(1)
        return list(range(40_000))

    with Flow("f") as flow:
        x = load()
    flow.run()

    open_store().close()
    blobs = [path for path in (home / "blobs").rglob("*") if path.is_file()]
    for blob in blobs:
        blob.chmod(0o600)
        blob.write_bytes(b"\0" * blob.stat().st_size)

    state = flow.run()

    assert len(blobs) >= 1
    assert (len(ran), len(state.result[x].result)) == (2, 40_000)
    assert [line.text.split(":")[0] for line in flow.last_run.logs()] == ["A stored output was passed over"]


class Level(enum.Enum):
    LOW = 1
    HIGH = 2


@pytest.mark.parametrize(
    "validator",
    [
        cache_validators.all_parameters,
        cache_validators.partial_parameters_only(["day", "level"]),
        cache_validators.all_inputs,
    ],
)
def test_of_a_date_and_an_enums_member_the_text_is_kept_beside_the_hash(validator):
    ran = []

    @task(cache_for=dt.timedelta(hours=1), cache_validator=validator)
    def load(day, level):
        ran.append((day, level))
        return level.name

    with Flow("f") as flow:
        day, level = Parameter("day", default=dt.date(2026, 1, 28)), Parameter("level", default=Level.LOW)
        Parameter("api_token", default=UUID(int=7))()
        load(day, level)
    given = {"day": dt.date(2026, 1, 28), "level": Level.LOW, "api_token": UUID(int=7), "carriers": ("EV", "MQ")}
    flow.add_task(Parameter("carriers", default=None))
    for _ in range(2):
        flow.run(given)
    flow.run({**given, "level": Level.HIGH})

    assert ran == [(dt.date(2026, 1, 28), Level.LOW), (dt.date(2026, 1, 28), Level.HIGH)]
    first, _ = open_store().cache.entries()
    assert (set(first.parameters), set(first.parameters["day"])) == (
        {"api_token", "carriers", "day", "level"},
        {"$hash"},
    )
    assert first.parameter_texts == {"carriers": "('EV', 'MQ')", "day": "2026-01-28", "level": "LOW"}
    assert [each["level"] for each in flowbook.cache.entries()["parameters"]] == ["LOW", "HIGH"]


def test_a_cached_output_is_not_used_where_the_trigger_fails():
    broken = [False]

    @task
    def source():
        if broken[0]:
            raise OSError("down")

    @task(cache_for=dt.timedelta(hours=1))
    def load():
        return 1

    with Flow("f") as flow:
        x = load(upstream_tasks=[source()])
    flow.run()
    broken[0] = True

    state = flow.run(record=False)

    assert type(state.result[x]).__name__ == "TriggerFailed"


def test_only_what_succeeded_and_was_not_skipped_is_cached():
    ran = Counter()

    @task(cache_for=dt.timedelta(hours=1))
    def works(how):
        ran[how] += 1
        if how == "fails":
            raise OSError
        if how == "skips":
            raise signals.SKIP

    with Flow("f") as flow:
        for how in ("fails", "skips", "succeeds"):
            works(how, task_args={"name": how})

    flow.run(record=False)
    flow.run(record=False)

    assert ran == {"fails": 2, "skips": 2, "succeeds": 1}
