"""A flow that keeps to the public names runs after `import flowbook as prefect`, in a process of its own."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[2]

FLOW = """
    import datetime

    import flowbook as prefect


    @prefect.task(max_retries=1, retry_delay=datetime.timedelta(0))
    def number(n):
        if prefect.context.task_run_count == 1:
            raise prefect.engine.signals.FAIL("not yet")
        return n


    @prefect.task(skip_on_upstream_skip=False, trigger=prefect.triggers.all_finished)
    def total(numbers):
        return sum(each for each in numbers if each is not None)


    @prefect.task
    def no_two(n):
        if prefect.context.get("map_index") == 1:
            raise prefect.engine.signals.SKIP("no two")
        return n


    class Add(prefect.Task):
        def run(self, x, y):
            return x + y


    def note(task, old, new):
        assert isinstance(new, prefect.engine.state.State)


    with prefect.Flow("sums", executor=prefect.executors.LocalDaskExecutor()) as flow:
        numbers = prefect.Parameter("numbers", default=[1, 2, 3])
        with prefect.tags("counted"):
            checked = no_two.map(number.map(numbers))
        found = total(checked)
        with prefect.case(found, 4):
            four = Add(state_handlers=[note])(found, 1)
        with prefect.case(found, 5):
            five = Add()(found, 2)
        answer = prefect.tasks.control_flow.merge(four, five)

    with prefect.context(key="abc"):
        state = flow.run()

    print(state.result[answer].result, [type(child).__name__ for child in state.result[checked].map_states])
    print(prefect.engine.cache_validators.all_inputs.__name__, prefect.engine.FlowRunner(flow).run(parameters={"numbers": [4]}))
"""


def test_a_flow_of_public_names_runs_under_the_name_of_the_seeds(tmp_path):
    script = tmp_path / "flow.py"
    script.write_text(textwrap.dedent(FLOW))

    done = subprocess.run(
        [sys.executable, script],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )

    # A retry is a warning, and a script that set up no logging shows those.
    assert sorted(line.partition(":")[0] for line in done.stderr.splitlines()) == [
        f"number[{index}] Retrying" for index in (0, 0, 1, 2)
    ]
    assert done.stdout.splitlines() == [
        "5 ['Success', 'Skipped', 'Success']",
        "all_inputs <Success: 'All tasks that decide the run succeeded.'>",
    ]
