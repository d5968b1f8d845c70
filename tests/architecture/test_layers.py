"""The layers of docs/architecture.md, as import-linter's contracts in pyproject.toml say them."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: What must be refused: a file, a line added to it, and what import-linter says to that.
WRONG = {
    "an import upwards": (
        "executors/wrong.py",
        "import flowbook.core.wrong",
        "flowbook.executors.wrong -> flowbook.core",
    ),
    "one within a function": (
        "results/wrong.py",
        "def late():\n    import flowbook.engine.state",
        "flowbook.results.wrong -> flowbook.engine.state",
    ),
    "one between neighbours": (
        "results/beside.py",
        "import flowbook.executors",
        "flowbook.results.beside -> flowbook.executors",
    ),
    "one upwards within the engine": (
        "engine/state.py",
        "import flowbook.engine.graph",
        "flowbook.engine.state -> flowbook.engine.graph",
    ),
    "a module without a place": ("nowhere.py", "", "flowbook.nowhere\n"),
    "a module without a place in the engine": ("engine/nowhere.py", "", "flowbook.engine.nowhere\n"),
    "the top package from inside": (
        "core/wrong.py",
        "from flowbook import anything",
        "flowbook.core.wrong -> flowbook (",
    ),
}


def test_the_packages_keep_their_contracts():
    done = _lint(ROOT)

    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Return what import-linter says of a copy of the sources with all that is `WRONG` in it."""
    folder = tmp_path_factory.mktemp("wrong")
    shutil.copy(ROOT / "pyproject.toml", folder)
    shutil.copytree(ROOT / "flowbook", folder / "flowbook", ignore=shutil.ignore_patterns("__pycache__"))
    for path, line, _ in WRONG.values():
        with (folder / "flowbook" / path).open("a", encoding="utf-8") as file:
            file.write(f"\n{line}\n")
    return _lint(folder).stdout


@pytest.mark.parametrize("name", WRONG)
def test_an_import_against_the_layers_is_refused(name, report):
    said = WRONG[name][2]

    assert said in report


def _lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Return what import-linter says of the sources in `folder`; in a process of its own, since it sets up logging anew."""
    command = [Path(sys.executable).parent / "lint-imports", "--no-cache", "--no-logo"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
