"""Tasks that change what the whole process shares: the run goes on, and so does the next one, on every executor."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

SCRIPT = """
    import asyncio, contextlib, contextvars, io, json, logging, os, signal, sys, tempfile, threading, time, warnings
    from pathlib import Path

    from flowbook import Flow, context, task
    from tests.executors_of import AWAY, HERE

    def change_folder():
        os.chdir(tempfile.mkdtemp())

    def replace_stdout():
        sys.stdout = io.StringIO()
        print("nobody reads this")

    def remove_stdout():
        del sys.stdout

    def no_stdout():
        sys.stdout = None

    def close_stdout():
        stream = getattr(sys, "stdout", None)
        if stream is not None:
            stream.close()

    def close_descriptor():
        os.close(1)

    def errors_of_warnings():
        warnings.simplefilter("error")

    def disable_logging():
        logging.disable(logging.CRITICAL)
        logging.getLogger("flowbook.task").handlers.clear()

    def ignore_ctrl_c():
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, signal.SIG_IGN)

    def leave_a_thread():
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        copied = contextvars.copy_context()
        threading.Thread(target=copied.run, args=(print_on,), daemon=True).start()

    def print_on():
        with contextlib.suppress(Exception):
            for _ in range(100):
                print("still here")
                context.logger.info("still here")
                time.sleep(0.01)

    def leave_a_context():
        context(colour="red").__enter__()
        contextvars.ContextVar("own").set("mine")

    def leave_a_loop():
        asyncio.set_event_loop(asyncio.new_event_loop())

    def trace():
        sys.settrace(lambda *_: None)

    def raise_later():
        if threading.current_thread() is threading.main_thread():
            def late(*_):
                raise TimeoutError("late")
            signal.signal(signal.SIGALRM, late)

    DEEDS = [
        change_folder, replace_stdout, remove_stdout, no_stdout, close_stdout, errors_of_warnings, disable_logging,
        ignore_ctrl_c, leave_a_thread, leave_a_context, leave_a_loop, trace, raise_later,
    ]

    def below(x):
        return x

    def speak(x):
        print("spoken")
        context.logger.warning("logged")
        return x, context.get("colour"), context.task_name

    def misbehave(executor, deeds, logged):
        with Flow("misdeeds") as flow:
            done = [task(deed, name=deed.__name__, log_stdout=logged)() for deed in deeds]
            beside = [task(below, name="beside")(n) for n in range(3)]
        run = flow.start(executor=executor, record=False)
        state = run.wait(40)
        return [type(state).__name__, [type(run[each]).__name__ for each in [*done, *beside]].count("Success")]

    def behave(executor):
        with Flow("after") as flow:
            speak_again = task(speak, name="speak", log_stdout=True)
            found = speak_again(speak_again(1))
        state = flow.run(executor=executor, record=False)
        return [type(state).__name__, repr(state.result[found].result), [log.text for log in flow.last_run.logs("speak")]]

    if __name__ == "__main__":
        name, deeds = sys.argv[1], DEEDS if sys.argv[2] == "all" else [close_descriptor]
        executor = (HERE | AWAY)[name]()
        found = []
        # Once only: by the second time the number may be that of somebody else's file.
        for logged in (False, True) if sys.argv[2] == "all" else (True,):
            found.append(misbehave(executor, deeds, logged))
            found.append(behave(executor))
        Path(sys.argv[3]).write_text(json.dumps([found, context.get("colour")]))
        os._exit(0)
"""
EXECUTORS = ["local", "threads", "synchronous", "processes", "waves", "dask"]


@pytest.mark.parametrize("kind", EXECUTORS)
@pytest.mark.parametrize(("deeds", "count"), [("all", 13), ("descriptor", 1)])
def test_what_a_task_does_to_its_process_stops_neither_its_run_nor_the_next(tmp_path, kind, deeds, count):
    script = tmp_path / "surroundings.py"
    script.write_text(textwrap.dedent(SCRIPT))

    subprocess.run(
        [sys.executable, script, kind, deeds, tmp_path / "found.json"],
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=50,
    )

    runs, colour = json.loads((tmp_path / "found.json").read_text())
    # Logging stays disabled in the process where that was done; the next run has workers of its own.
    texts = ["spoken", "logged"] if kind == "processes" or deeds != "all" else ["spoken"]
    spoken = ["Success", "((1, None, 'speak'), None, 'speak')", texts]
    assert runs == [["Success", count + 3], spoken] * (2 if deeds == "all" else 1)
    assert colour is None
