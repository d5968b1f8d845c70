"""A store that is closed while other threads read it refuses them; it doesn't crash the process."""

from __future__ import annotations

import subprocess
import sys
import textwrap

PROGRAM = textwrap.dedent("""
    import os, sys, tempfile, threading
    os.environ["FLOWBOOK_HOME"] = tempfile.mkdtemp()
    os.environ["FLOWBOOK_KEY_FILE"] = os.environ["FLOWBOOK_HOME"] + "/key"
    from flowbook.exceptions import StoreError
    from flowbook.store import open_store

    refused = []

    def read(store, reading):
        try:
            while True:
                store.runs.list()
                reading.set()
        except StoreError as error:
            refused.append(str(error))

    for _ in range(15):
        store = open_store()
        readings = [threading.Event() for _ in range(4)]
        readers = [threading.Thread(target=read, args=(store, reading)) for reading in readings]
        for reader in readers:
            reader.start()
        for reading in readings:
            reading.wait()
        store.close()
        for reader in readers:
            reader.join()
    print(len(refused), {text.partition(" ")[0] for text in refused})
""")


def test_a_store_may_be_closed_while_other_threads_read_it():
    command = [sys.executable, "-X", "faulthandler", "-c", PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, "60 {'The'}\n", "")


AT_EXIT = textwrap.dedent("""
    import atexit, gc, os, sqlite3, tempfile

    def look():  # after all others, as the first that was registered
        for found in gc.get_objects():
            if isinstance(found, sqlite3.Connection):
                try:
                    found.execute("SELECT 1")
                except sqlite3.ProgrammingError as error:
                    print(error)
                else:
                    print("open")

    atexit.register(look)
    os.environ["FLOWBOOK_HOME"] = tempfile.mkdtemp()
    os.environ["FLOWBOOK_KEY_FILE"] = os.environ["FLOWBOOK_HOME"] + "/key"
    from flowbook.store import open_store

    store = open_store()
    store.runs.list()
""")


def test_the_end_of_the_process_closes_every_connection():
    done = subprocess.run([sys.executable, "-c", AT_EXIT], capture_output=True, text=True, timeout=50, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, "Cannot operate on a closed database.\n" * 2, "")
