"""The tests are dealt out to two processes, which have to agree on what there is."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

TESTS = '''
import os
import pytest

@pytest.mark.parametrize("letters", [frozenset("abcdefghij")], ids=repr)
def test_of_a_set(letters):
    """Has an order in its name that hangs on how the process hashes text."""
    assert len(letters) == 10

def test_of_a_child():
    """What a test starts hashes in its own way."""
    assert "PYTHONHASHSEED" not in os.environ
'''


def test_names_that_hang_on_the_order_of_a_set_are_the_same_in_both_workers(tmp_path: Path) -> None:
    shutil.copy(Path(__file__).parent.parent / "conftest.py", tmp_path)
    (tmp_path / "test_sets.py").write_text(TESTS)

    run = subprocess.run(
        [sys.executable, "-m", "pytest", "--numprocesses=2", "--dist=loadscope", "-p", "no:cacheprovider", "."],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
    )

    assert "2 passed" in run.stdout, run.stdout
