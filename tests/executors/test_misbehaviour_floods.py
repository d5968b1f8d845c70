"""Tasks that print without end: cut with a notice, in flat memory and little time, on every executor (store.md, promise 11)."""

import resource
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from flowbook import Flow, context, task
from tests.executors_of import AWAY, HERE, POOL, any_executor
from tests.pace import slowness

ROOT = Path(__file__).parents[2]
PATIENCE_S = 40


@pytest.fixture(scope="module", params=[*HERE, *AWAY, *POOL, "cluster"])
def executor(request):
    return any_executor(request)


@task(log_stdout=True)
def print_lines(count, size):
    text = "x" * size
    for _ in range(count):
        print(text)  # noqa: T201
    return "printed"


@task(log_stdout=True)
def print_dots(count):
    for _ in range(count):
        print(".", end="")  # noqa: T201
    return "printed"


@task
def log_lines(count):
    logger = context.logger
    for number in range(count):
        logger.info("line %d", number)
    return "logged"


def test_a_flood_is_cut_with_a_notice_on_every_executor(executor):
    with Flow("flood") as flow:
        floods = [print_lines(15_000, 10), print_lines(1_500, 10_000), print_dots(15_000), log_lines(12_000)]

    run = flow.start(executor=executor, record=False)
    run.wait(PATIENCE_S)
    many, large, dots, logged = ([log.text for log in run.logs(run.graph.key_of(each))] for each in floods)

    assert {run[each].result for each in floods} == {"printed", "logged"}
    assert (len(many), many[-1]) == (10_001, "More than 10,000 lines: the rest is dropped.")
    assert (len(large), large[-1]) == (1_001, "More than 10,000,000 characters: the rest is dropped.")
    assert dots == ["." * 10_000 + "… (5,000 more characters were cut)"]
    assert (len(logged), logged[-1]) == (10_001, "More than 10,000 lines: the rest is dropped.")


SCRIPT = """
    import re, sys
    from pathlib import Path
    from flowbook import Flow, task
    from flowbook.executors import LocalDaskExecutor, LocalExecutor

    def peak_mb():
        return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1000

    def flood(count, size):
        text = "x" * size
        for _ in range(count):
            print(text)

    if __name__ == "__main__":
        executor = LocalExecutor() if sys.argv[1] == "local" else LocalDaskExecutor(sys.argv[1], num_workers=2)
        with Flow("flood") as flow:
            for lines, size in ((100, 1_000_000), (100_000, 1_000), (10, 10_000_000)):
                task(flood, name="flood", log_stdout=sys.argv[2] == "logged")(lines, size)
        before = peak_mb()
        state = flow.run(executor=executor)
        print(type(state).__name__, peak_mb() - before, len(flow.last_run.logs()), file=sys.stderr)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak of memory from /proc")
@pytest.mark.parametrize("logged", ["logged", "not"])
@pytest.mark.parametrize("kind", ["local", "threads", "processes"])
def test_three_times_100_mb_of_prints_take_little_memory_and_time(tmp_path, kind, logged):
    script = tmp_path / "flood.py"
    script.write_text(textwrap.dedent(SCRIPT))
    used_s = _children_s()

    done = subprocess.run(
        [sys.executable, script, kind, logged],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=True,
        env={"PYTHONPATH": str(ROOT), "FLOWBOOK_HOME": str(tmp_path / "home"), "PATH": ""},
        timeout=150,
    )

    state, grown_mb, lines = done.stderr.split()[-3:]
    assert state == "Success"
    # What the log keeps: 1 + 10 + 0.1 MB at most; and a text of 10 MB, once more while it is encoded for the terminal.
    assert int(grown_mb) < 60
    assert int(lines) == ((100 + 10_001 + 10) if logged == "logged" else 0)
    assert _children_s() - used_s < 30 * slowness()


def _children_s():
    """Return the processor time of what this process started and saw to its end."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime
