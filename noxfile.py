"""The one door to every check: `nox -s lint types js tests`.

The everyday sessions use the environment that nox itself runs in (`make setup` made it from the lock), so nothing is
installed twice. Only `all`, `kernels` and `labs` make environments of their own: other Pythons, ipykernels, JupyterLabs.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import nox

HERE = Path(__file__).parent
#: Locked versions work on all of these; the first is the oldest that pyproject.toml allows.
PYTHONS = ["3.11", "3.12", "3.13"]
#: The oldest supported, and both behaviours of subshells (see docs/architecture.md).
KERNELS = ["6.31", "7.3", "7.4"]
#: The oldest supported JupyterLab, and the Notebook that goes with it; the lock holds the newest.
LABS = ["4.3"]
NOTEBOOKS = {"4.3": "7.3"}

#: Two workers: tests wait for processes and disks most of the time. What belongs together is said in tests/conftest.py.
BESIDE = ("--numprocesses=2", "--dist=loadscope", "--no-loadscope-reorder")

nox.needs_version = ">=2024.10"
nox.options.sessions = ["lint", "types", "js", "tests"]
nox.options.error_on_missing_interpreters = False


def _pyenv_folders() -> list[str]:
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    return [str(found / "bin") for wanted in PYTHONS for found in sorted(root.glob(f"versions/{wanted}.*"))]


os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), *_pyenv_folders(), os.environ["PATH"]])


@nox.session(venv_backend="none")
def lint(session: nox.Session) -> None:
    """Style of the Python files, and who may import whom."""
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports", "--no-logo")


@nox.session(venv_backend="none")
def types(session: nox.Session) -> None:
    """Types of the Python files."""
    session.run("mypy")


@nox.session(venv_backend="none")
def js(session: nox.Session) -> None:
    """Style, types and tests of the JavaScript files; `make lint` puts the tools into node_modules."""
    if not any(HERE.joinpath("flowbook").rglob("*.js")):
        session.skip("flowbook holds no JavaScript")
    tools = HERE / "node_modules" / ".bin"
    session.run(str(tools / "biome"), "ci", external=True)
    session.run(str(tools / "tsc"), "--project", "tsconfig.json", external=True)
    session.run("node", "--test", *sorted(str(found) for found in HERE.joinpath("tests/js").rglob("*.test.*js")))


@nox.session(venv_backend="none")
def tests(session: nox.Session) -> None:
    """All tests, those with a browser on one worker and the others beside them; arguments after `--` go to pytest."""
    session.run("pytest", *BESIDE, "--junitxml=artifacts/junit.xml", *session.posargs)


@nox.session(venv_backend="none")
def soak(session: nox.Session) -> None:
    """The long form of the tests that kill, flip and race: about a quarter of an hour."""
    limits = ("--timeout=0", "-o", "faulthandler_timeout=0")
    session.run("pytest", "-m", "soak", *limits, *session.posargs, env={"FLOWBOOK_SOAK": "1"})


@nox.session(venv_backend="none")
def docker(session: nox.Session) -> None:
    """The tests of containers, against a Docker engine of their own; none is left out."""
    session.run("pytest", "-m", "docker", "tests/flow_runners", *session.posargs, env={"FLOWBOOK_DOCKER": "1"})


@nox.session(name="all", python=PYTHONS, venv_backend="venv", reuse_venv=True)
def every_python(session: nox.Session) -> None:
    """All tests on each Python that is found."""
    _install(session)
    session.run("pytest", *BESIDE, *session.posargs)


@nox.session(venv_backend="venv", reuse_venv=True)
@nox.parametrize("ipykernel", KERNELS)
def kernels(session: nox.Session, ipykernel: str) -> None:
    """What touches a kernel, on each supported ipykernel."""
    _install(session)
    session.install(f"ipykernel=={ipykernel}.*")
    session.run("pytest", "-m", "acceptance or browser", *session.posargs)


@nox.session(venv_backend="venv", reuse_venv=True)
@nox.parametrize("jupyterlab", LABS)
def labs(session: nox.Session, jupyterlab: str) -> None:
    """What a browser shows, in the oldest supported JupyterLab and Notebook."""
    _install(session)
    session.install(f"jupyterlab=={jupyterlab}.*", f"notebook=={NOTEBOOKS[jupyterlab]}.*")
    session.run("pytest", "-m", "browser", *session.posargs)


def _install(session: nox.Session) -> None:
    session.install("--require-hashes", "--use-pep517", "--requirement", "requirements.lock")
    session.install("--no-deps", "--no-build-isolation", "--editable", ".")
