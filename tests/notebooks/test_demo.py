"""`make demo`, as somebody runs it who has just cloned the project."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pandas as pd
import pytest

from flowbook.engine.state import Failed, Paused, Retrying, Running, Success

DEMO = Path(__file__).parents[2] / "notebooks" / "demo.py"


@pytest.fixture
def demo() -> ModuleType:
    spec = importlib.util.spec_from_file_location("quickstart_demo", DEMO)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.mark.acceptance
@pytest.mark.timeout(300)
def test_the_demo_pauses_in_one_kernel_goes_on_in_another_and_writes_a_page_that_asks_nobody(tmp_path: Path) -> None:
    page, folder = tmp_path / "demo.html", tmp_path / "demo"
    own = {"FLOWBOOK_DEMO_FOLDER": str(folder), "FLOWBOOK_DEMO_PAGE": str(page), "PYTHONPATH": str(DEMO.parents[1])}

    ended = subprocess.run(
        [sys.executable, str(DEMO)],
        env=os.environ | own | {"COLUMNS": "200"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert re.search(r"approve\s+Paused", ended.stdout)
    assert re.search(r"publish\s+Success\s+1", ended.stdout)
    assert re.search(r"fetch_airlines\s+Success\s+2", ended.stdout)
    assert "load_flights, kept for a day: 111,279 rows" in ended.stdout
    assert len(pd.read_csv(folder / "published" / "delays-JFK.csv")) == 10
    html = page.read_text(encoding="utf-8")
    assert re.findall(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=[\"']?(?:https?:)?//[^>]*>", html) == []
    assert "UsageError" not in html


def test_a_demo_that_goes_otherwise_says_what_was_expected_and_what_came(demo: ModuleType) -> None:
    with pytest.raises(demo.UnexpectedError, match=r"^approve should be Paused but is Failed: ValueError: no report$"):
        demo._expect("approve", Failed("ValueError: no report"), "Paused")

    demo._expect("approve", Paused("waits"), "Paused")


def test_a_demo_that_fails_ends_with_1(
    demo: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("FLOWBOOK_HOME", "")
    monkeypatch.setenv("IPYTHONDIR", "")
    monkeypatch.setattr(demo, "FOLDER", tmp_path / "demo")
    broken = tmp_path / "quickstart.ipynb"
    broken.write_text(demo.QUICKSTART.read_text().replace('"%load_ext flowbook"', '"%load_ext flowbooks"'))
    monkeypatch.setattr(demo, "QUICKSTART", broken)
    monkeypatch.setattr(demo, "REPOSITORY", tmp_path)

    code = demo.main()

    assert code == 1
    assert "The demo failed." in capsys.readouterr().out


def test_a_task_that_is_tried_twice_counts_two_attempts_and_the_time_between(demo: ModuleType) -> None:
    went = [(Running(), 1.0), (Failed("no"), 2.0), (Retrying("again"), 2.0), (Running(), 4.0), (Success("yes"), 4.5)]
    run = SimpleNamespace(events=lambda: [SimpleNamespace(key="fetch", state=state, at=at) for state, at in went])

    passages = demo._passages(run)

    assert passages == {"fetch": demo.Passage(state="Success", attempts=2, began=1.0, ended=4.5)}
    assert passages["fetch"].duration == "3.50 s"
