"""What becomes of a test that hangs."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

#: Nothing raised in the main thread ends it, as where a finalizer waits for a lock that its own thread has.
DEAF = """
import signal
import threading


def test_that_waits_for_ever():
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    threading.Event().wait()
"""


def test_what_no_signal_ends_ends_pytest_and_says_where_each_thread_is(tmp_path):
    (tmp_path / "test_deaf.py").write_text(DEAF)
    command = [sys.executable, "-m", "pytest", "-c", ROOT / "pyproject.toml", "-p", "no:cacheprovider"]
    limits = ["--timeout=1", "-o", "faulthandler_timeout=2"]

    done = subprocess.run(
        [*command, *limits, tmp_path / "test_deaf.py"],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )

    assert done.returncode == 1
    assert "Timeout" in done.stderr
    assert "in test_that_waits_for_ever" in done.stderr
