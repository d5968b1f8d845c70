"""What the settings of all tests leave behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.scripts import ROOT

OWN = """
import os, pathlib, subprocess, sys
import tests.conftest
folder = pathlib.Path(os.environ["FLOWBOOK_HOME"]).parent
assert folder.name.startswith("flowbook-tests-")
print(folder)
"""
#: It goes on writing until the folder is gone.
WRITER = """
import itertools, pathlib, sys
folder = pathlib.Path(sys.argv[1])
try:
    for name in itertools.count():
        (folder / str(name % 1000)).touch()
        if name == 10:
            print("writes", flush=True)
except FileNotFoundError:
    pass
"""
BESIDE_A_WRITER = f"""{OWN}
writer = subprocess.Popen([sys.executable, "-c", {WRITER!r}, folder], stdout=subprocess.PIPE)
writer.stdout.readline()
"""
FORKED = f"""{OWN}
sys.stdout.flush()
if os.fork() == 0:
    sys.exit()
_, code = os.wait()
print(code, folder.exists())
"""


def _lines(program: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=180, cwd=ROOT
    )
    assert "Traceback" not in done.stderr
    return done.stdout.splitlines()


def test_the_folders_of_a_process_are_gone_when_it_ends_also_where_somebody_still_writes() -> None:
    [alone], [beside] = _lines(OWN), _lines(BESIDE_A_WRITER)

    assert alone != beside
    assert not Path(alone).exists()
    assert not Path(beside).exists()


def test_a_copy_of_the_process_leaves_them_to_it() -> None:
    folder, told = _lines(FORKED)

    assert told == "0 True"
    assert not Path(folder).exists()
