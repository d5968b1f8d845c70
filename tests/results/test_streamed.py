from __future__ import annotations

import io
import subprocess
import sys
import textwrap

import numpy as np
import pandas as pd
import pytest

from flowbook.results.serializer import dump, load

WORDS = [f"row {number} é" for number in range(120_000)]
GRID = np.arange(2_000_000.0).reshape(1000, 2000)

LARGE = {
    "a text": "aé😀\ud800" * 400_000,
    "a list of texts": WORDS,
    "a list of plain cells": [1, None, 2.5, b"x", True, 1j, "a"] * 20_000,
    "an array of texts": np.array(WORDS, object),
    "a turned array of texts": np.array(WORDS, object).reshape(-1, 2).T,
    "every second text": np.array(WORDS * 2, object)[::2],
    "three dimensions of texts": np.array(WORDS, object).reshape(2, 3, -1),
    "every second row": GRID[::2],
    "every second column": GRID[:, ::2],
    "backwards": GRID[::-1, ::-1],
    "turned and cut": GRID.T[::3],
    "moments": np.arange(400_000).astype("M8[s]")[::2],
    "fixed texts": np.array(WORDS)[::2],
    "few long rows": np.ones((2, 3_000_000))[:, ::2],
}


def restored(value):
    out = io.BytesIO()
    dump(value, out)
    return load(bytearray(out.getvalue()))


@pytest.mark.parametrize("what", LARGE)
def test_a_large_value_written_by_parts_comes_back_as_it_was(what):
    value = LARGE[what]

    back = restored(value)

    assert type(back) is type(value)
    if isinstance(value, np.ndarray):
        assert (back.dtype, back.shape, back.flags.writeable) == (value.dtype, value.shape, True)
        assert np.array_equal(back, value)
    else:
        assert back == value


FRAMES = {
    "texts": pd.DataFrame({"a": WORDS, "b": WORDS[::-1]}, index=WORDS),
    "objects": pd.DataFrame({"a": np.array(WORDS, object), "b": np.array([1, None] * 60_000, object)}),
    "several kinds": pd.DataFrame({"a": np.array(WORDS, object), "n": range(120_000), "c": pd.Categorical(WORDS)}),
    "a part of another": pd.DataFrame({"a": WORDS, "n": range(120_000)})[::2],
    "turned": pd.DataFrame(GRID).T[::2],
}


@pytest.mark.parametrize("what", FRAMES)
def test_a_large_frame_comes_back_as_it_was(what):
    pd.testing.assert_frame_equal(restored(FRAMES[what]), FRAMES[what], check_exact=True)


def test_cells_that_are_one_object_stay_one():
    cell = [1]
    value = np.empty(200_000, object)
    value[:] = [cell] * 200_000

    back = restored([value, {"cell": cell}])

    assert back[0][0] is back[0][-1]
    assert back[0][0] is back[1]["cell"]


def test_a_large_text_that_a_function_reads_goes_along_with_it():
    text, words = LARGE["a text"], list(WORDS)

    def read():
        return text, words, words

    back = restored([read, read])

    assert back[0]() == (text, words, words)
    assert back[0]()[1] is back[0]()[2]


MEMORY = textwrap.dedent("""
    import os, sys, tempfile, tracemalloc
    os.environ["FLOWBOOK_HOME"] = os.environ["FLOWBOOK_KEY_FILE"] = tempfile.mkdtemp()
    os.environ["FLOWBOOK_KEY_FILE"] += "/key"
    import numpy as np, pandas as pd
    pd.set_option("mode.string_storage", "python")  # tracemalloc doesn't see what Arrow holds
    from flowbook import Flow, task
    from flowbook.store import open_store

    def words(n): return [f"row {i} of the frame" for i in range(n)]
    MAKE = {
        "bytes": lambda: os.urandom(30_000_000),
        "bytearray": lambda: bytearray(os.urandom(30_000_000)),
        "str": lambda: "x" * 30_000_000,
        "str, not ASCII": lambda: "\\u0107" * 15_000_000,
        "list of str": lambda: words(500_000),
        "object frame": lambda: pd.DataFrame({"a": np.array(words(500_000), object)}),
        "frame of text": lambda: pd.DataFrame({"a": words(500_000)}),
        "array": lambda: np.ones(4_000_000),
        "transposed": lambda: np.ones((2000, 2000)).T,
        "transposed and cut": lambda: np.ones((2000, 2000)).T[::2],
        "every second": lambda: np.ones(8_000_000)[::2],
        "fixed texts": lambda: np.array(words(400_000)),
        "frame of numbers": lambda: pd.DataFrame(np.ones((400_000, 10))),
    }

    @task
    def first(): return pd.DataFrame({"a": ["x"], "b": [np.ones(3)]})
    with Flow("first") as flow: first()
    flow.run(record=True)
    open_store().values.put([np.array(words(60_000), object), np.ones((2000, 200)).T[::2], "x" * 2_000_000])
    for name, make in MAKE.items():
        tracemalloc.start()
        value = make()
        size, _ = tracemalloc.get_traced_memory()
        @task
        def give(): return value
        with Flow("m") as flow: give()
        tracemalloc.reset_peak()
        state = flow.run(record=True)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert state.is_successful()
        print(name, round(peak / size, 2), sep="\\t")
""")


def test_storing_takes_at_most_a_fifth_of_memory_beside_the_value():
    done = subprocess.run([sys.executable, "-c", MEMORY], check=True, capture_output=True, text=True)
    found = dict(line.split("\t") for line in done.stdout.splitlines())

    assert len(found) == 13
    assert {name: share for name, share in found.items() if float(share) > 1.2} == {}
