import contextlib
import os
from pathlib import Path

import pytest
from importlinter.cli import EXIT_STATUS_ERROR, EXIT_STATUS_SUCCESS, lint_imports

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _at_the_root() -> None:
    with contextlib.chdir(ROOT):
        yield


def test_every_package_imports_downwards_only(capsys):
    config = str(ROOT / "pyproject.toml")

    status = lint_imports(config_filename=config, no_cache=True)

    assert status == EXIT_STATUS_SUCCESS, capsys.readouterr().out


@pytest.mark.parametrize(
    ("module", "line", "broken"),
    [
        ("executors/wrong.py", "import flowbook.engine.state", "Packages import downwards only BROKEN"),
        ("results/wrong.py", "def f():\n    import flowbook.engine.state", "Packages import downwards only BROKEN"),
        ("nowhere.py", "", "Packages import downwards only BROKEN"),
        ("engine/state.py", "import flowbook.engine.graph", "The engine decides apart from doing BROKEN"),
        ("engine/nowhere.py", "", "The engine decides apart from doing BROKEN"),
        ("core/wrong.py", "from flowbook import anything", "Nothing inside imports the top package BROKEN"),
    ],
)
def test_an_import_upwards_is_refused(module, line, broken, tmp_path, monkeypatch, capfd):
    for source in (ROOT / "flowbook").rglob("*.py"):
        copy = tmp_path / source.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(source.read_text())
    with (tmp_path / "flowbook" / module).open("a") as wrong:
        wrong.write(f"\n{line}\n")
    monkeypatch.chdir(tmp_path)

    import subprocess, sys
    done = subprocess.run(
        [sys.executable, "-m", "importlinter.cli"], env=os.environ, capture_output=True, text=True, check=False)
    assert broken in done.stdout
