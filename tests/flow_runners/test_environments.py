"""Runs in virtual environments, made by `venv` and by uv, and in conda environments, with real processes.

There is no conda on this machine. `CONDA` stands in for it, with what the real one does where flowbook calls it: `conda info
--json` writes an object with `root_prefix` and the prefixes of all environments in `envs`; `conda run --no-capture-output
--prefix PREFIX COMMAND` runs the command with the environment activated, and ends with its exit code.
"""

from __future__ import annotations

import json
import os
import shutil
import site
import subprocess
import sys
from pathlib import Path

import pytest

import flowbook
from flowbook import Flow, task
from flowbook.engine.state import Success
from flowbook.exceptions import FlowRunnerError
from flowbook.flow_runners import SubprocessFlowRunner
from tests.scripts import ROOT

LONG_S = 60
PACKAGE = "jupyter-flowbook==0.1.0"
CONDA = """#!/bin/sh
# Stands in for conda; its environments are the folders beside this script.
envs=$(dirname "$0")/envs
case "$1" in
    info) printf '{"root_prefix": "%s/root", "envs": ["%s/root", "%s/test", "%s/bare"]}' "$envs" "$envs" "$envs" "$envs" ;;
    run)
        [ "$2" = --no-capture-output ] && [ "$3" = --prefix ] || exit 64
        prefix=$4; shift 5
        CONDA_PREFIX=$prefix CONDA_WAS_RUN=yes exec "$prefix/opt/python" "$@" ;;
    *) exit 64 ;;
esac
"""


def make_venv(folder: Path, maker: str, *, has_flowbook: bool = True) -> Path:
    """Return a virtual environment with the packages of this one, flowbook among them."""
    command = {
        "venv": [sys.executable, "-m", "venv", "--without-pip", folder],
        "uv": [Path(sys.executable).with_name("uv"), "venv", "--offline", "--python", sys.executable, folder],
    }[maker]
    subprocess.run(command, check=True, capture_output=True)
    if has_flowbook:
        (site_packages(folder) / "flowbook.pth").write_text(f"{ROOT}\n{site.getsitepackages()[0]}\n")
    return folder


def site_packages(folder: Path) -> Path:
    return next((folder / "lib").glob("python3*")) / "site-packages"


@pytest.fixture(scope="module")
def venvs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("venvs")
    return {maker: make_venv(folder / maker, maker) for maker in ("venv", "uv")}


@pytest.fixture
def conda(tmp_path, monkeypatch, venvs):
    """Put the stand-in on the PATH, with an environment `test` and one, `bare`, whose Python lies elsewhere in it."""
    bin_, envs = tmp_path / "conda", tmp_path / "conda" / "envs"
    envs.mkdir(parents=True)
    (bin_ / "conda").write_text(CONDA)
    (bin_ / "conda").chmod(0o755)
    (envs / "root").mkdir()
    (envs / "test").symlink_to(venvs["venv"])
    (envs / "bare" / "opt").mkdir(parents=True)
    python = envs / "bare" / "opt" / "python"
    python.write_text(f'#!/bin/sh\nexec {venvs["venv"]}/bin/python "$@"\n')
    python.chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("CONDA_EXE", raising=False)
    return envs


def seen_by(flow_runner):
    """Return what a task sees of the Python and the environment that the flow runner gives it."""
    names = ("VIRTUAL_ENV", "PATH", "CONDA_PREFIX", "CONDA_DEFAULT_ENV", "CONDA_WAS_RUN", "MY_VARIABLE")

    @task
    def look():
        return {"prefix": sys.prefix, **{name: os.environ.get(name) for name in names}}

    with Flow("looks") as flow:
        look()
    run = flow.start(flow_runner=flow_runner)
    state = run.wait(LONG_S)
    assert type(state) is Success, state.message
    return run["look"].result


@pytest.mark.parametrize("maker", ["venv", "uv"])
def test_a_run_goes_through_a_virtual_environment(venvs, maker):
    seen = seen_by(SubprocessFlowRunner(virtualenv=venvs[maker], stream_output=False))

    assert seen["prefix"] == str(venvs[maker])
    assert seen["VIRTUAL_ENV"] == str(venvs[maker])
    assert seen["PATH"].split(os.pathsep)[0] == str(venvs[maker] / "bin")


def test_what_is_given_wins_over_what_the_environment_sets(venvs):
    env = {"VIRTUAL_ENV": "mine", "MY_VARIABLE": "FOO", "PATH": "/usr/bin"}

    seen = seen_by(SubprocessFlowRunner(virtualenv=venvs["venv"], env=env, stream_output=False))

    assert {name: seen[name] for name in env} == env
    assert seen["prefix"] == str(venvs["venv"])


@pytest.mark.parametrize("by_path", [False, True])
def test_a_run_goes_through_a_conda_environment(conda, by_path):
    name = str(conda / "test") if by_path else "test"

    seen = seen_by(SubprocessFlowRunner(condaenv=name, stream_output=False))

    assert (seen["CONDA_PREFIX"], seen["CONDA_DEFAULT_ENV"]) == (str(conda / "test"), name)
    assert (seen["PATH"].split(os.pathsep)[0], seen["CONDA_WAS_RUN"]) == (str(conda / "test" / "bin"), None)


def test_a_conda_environment_whose_python_is_not_in_its_usual_place_is_run_by_conda(conda):
    seen = seen_by(SubprocessFlowRunner(condaenv="bare", stream_output=False))

    assert (seen["CONDA_PREFIX"], seen["CONDA_WAS_RUN"]) == (str(conda / "bare"), "yes")


def refusal(flow_runner):
    """Return why a flow runner starts nothing; nothing is recorded then."""

    @task
    def one():
        return 1

    with Flow("refused") as flow:
        one()
    with pytest.raises(FlowRunnerError) as caught:
        flow.start(flow_runner=flow_runner)
    assert len(flowbook.runs()) == 0
    return str(caught.value)


def test_a_virtual_environment_that_is_not_there_is_refused(tmp_path):
    assert refusal(SubprocessFlowRunner(virtualenv=tmp_path / "no")) == (
        f"There is no virtual environment {tmp_path}/no. Make it: {Path(sys.executable).name} -m venv {tmp_path}/no"
    )


def test_a_folder_that_is_no_virtual_environment_is_refused(tmp_path):
    assert refusal(SubprocessFlowRunner(virtualenv=tmp_path)) == (
        f"{tmp_path} isn't a virtual environment: it has no bin/python. Make one: python -m venv {tmp_path}"
    )


def test_a_python_without_flowbook_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bare = make_venv(tmp_path / "bare", "venv", has_flowbook=False)

    said = refusal(SubprocessFlowRunner(virtualenv=bare, env={"PYTHONPATH": ""}))

    python = bare / "bin" / "python"
    assert said == f"{python} has no flowbook, which runs the flow there. Install it: {python} -m pip install {PACKAGE}"


def test_a_python_with_another_flowbook_is_refused(tmp_path):
    other = make_venv(tmp_path / "other", "venv")
    metadata = site_packages(other) / "jupyter_flowbook-9.9.9.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: jupyter-flowbook\nVersion: 9.9.9\n")

    said = refusal(SubprocessFlowRunner(virtualenv=other))

    python = other / "bin" / "python"
    assert said == (
        f"{python} has flowbook 9.9.9, and this is flowbook 0.1.0: both must read the same store. "
        f"Install the same there: {python} -m pip install {PACKAGE}"
    )


def stand_in(folder: Path, script: str) -> Path:
    """Make a folder that looks like a virtual environment, with this script as its Python."""
    python = folder / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    return python


def test_another_python_is_refused(tmp_path):
    python = stand_in(tmp_path / "old", """echo '[[3, 9], true, "0.1.0"]'""")

    said = refusal(SubprocessFlowRunner(virtualenv=tmp_path / "old"))

    here = ".".join(map(str, sys.version_info[:2]))
    assert said == (
        f"{python} is Python 3.9, and this is Python {here}: a flow that is stored with its code runs only on the same. "
        f"Make the environment with Python {here}."
    )


@pytest.mark.parametrize("script", ["echo 'no such library' >&2; exit 3", "echo what"])
def test_a_python_that_does_not_start_is_refused(tmp_path, script):
    python = stand_in(tmp_path / "broken", script)

    said = refusal(SubprocessFlowRunner(virtualenv=tmp_path / "broken"))

    assert said.startswith(f"{python} doesn't start: ")
    assert said.endswith(f". Repair the environment {tmp_path / 'broken'}, or make it anew.")


def test_a_conda_environment_that_is_not_there_is_refused(conda):
    assert refusal(SubprocessFlowRunner(condaenv="other")) == (
        "conda has no environment 'other', only 'base', 'test', 'bare'. Make it: conda create --name other python"
    )
    assert refusal(SubprocessFlowRunner(condaenv=f"{conda}/nowhere")) == (
        f"There is no conda environment at {conda}/nowhere. Make it: conda create --prefix {conda}/nowhere python"
    )


def test_a_machine_without_conda_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CONDA_EXE", raising=False)

    assert refusal(SubprocessFlowRunner(condaenv="test")) == (
        "There is no conda on the PATH, and CONDA_EXE isn't set. Install it, or give the environment's path: "
        "condaenv='/path/to/environment'."
    )


def test_a_conda_that_fails_is_refused(monkeypatch, tmp_path):
    conda = tmp_path / "conda"
    conda.write_text("#!/bin/sh\nexit 7\n")
    conda.chmod(0o755)
    monkeypatch.setenv("CONDA_EXE", str(conda))

    said = refusal(SubprocessFlowRunner(condaenv="test"))

    assert said.startswith(f"{conda} info --json fails: ")
    assert said.endswith(" Give the environment's path: condaenv='/path/to/test'.")


def test_a_preview_of_a_virtual_environment_names_its_python(venvs):
    from flowbook.flow_run.ports import RunToStart  # noqa: PLC0415

    shown = SubprocessFlowRunner(virtualenv=venvs["venv"]).preview(RunToStart("7c1f", "f")).splitlines()

    assert shown[-1] == f"{venvs['venv']}/bin/python -m flowbook.engine 7c1f"
    assert f"VIRTUAL_ENV={venvs['venv']}" in shown


def test_the_stand_in_writes_what_conda_writes(conda):
    done = subprocess.run([shutil.which("conda"), "info", "--json"], capture_output=True, check=True, text=True)

    assert json.loads(done.stdout) == {
        "root_prefix": str(conda / "root"),
        "envs": [str(conda / name) for name in ("root", "test", "bare")],
    }
