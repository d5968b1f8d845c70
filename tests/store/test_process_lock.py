from __future__ import annotations

import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

from flowbook.store.process_lock import LibraryLock, ProcessLock, open_lock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WAIT = textwrap.dedent("""
    import sys
    from pathlib import Path
    from flowbook.store.process_lock import LibraryLock, open_lock

    lock = {"open_lock": open_lock, "LibraryLock": LibraryLock}[sys.argv[1]](Path(sys.argv[2]))
    print("ready", flush=True)
    lock.acquire()
    print(Path(sys.argv[3]).read_text(), flush=True)
    lock.release()
    lock.close()
""")


@pytest.mark.parametrize("make", [open_lock, LibraryLock], ids=["flock", "library"])
def test_another_process_waits_for_its_turn(tmp_path: Path, make: Callable[[Path], ProcessLock]) -> None:
    lock = make(tmp_path / "lock")
    lock.acquire()
    arguments = [sys.executable, "-c", WAIT, make.__name__, str(tmp_path / "lock"), str(tmp_path / "word")]
    other = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    other.stdout.readline()

    (tmp_path / "word").write_text("written under the lock")
    lock.release()

    assert other.stdout.read().strip() == "written under the lock"
    assert other.wait() == 0
    other.stdout.close()
    lock.close()
