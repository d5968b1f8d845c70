"""What a Docker flow runner refuses before it starts anything, and how it says so."""

import hashlib
import json
import sys

import pytest

from flowbook.exceptions import FlowRunnerError
from flowbook.flow_run.ports import RunToStart
from flowbook.flow_runners import DockerFlowRunner
from flowbook.flow_runners.container_keeper import as_outcome

RUN = RunToStart("7c1f09e2", "delays", 4, 3)


@pytest.fixture
def api(monkeypatch):
    monkeypatch.setenv("FLOWBOOK_API_URL", "http://127.0.0.1:4200")
    monkeypatch.setenv("FLOWBOOK_API_TOKEN", "t0ken-0123456789")


def refused(flow_runner):
    """Return why a run is refused; nothing of it was started."""
    started = []
    with pytest.raises(FlowRunnerError) as caught:
        flow_runner.submit(RUN, started.append)
    assert started == []
    with pytest.raises(FlowRunnerError) as checked:
        flow_runner.check()
    assert str(checked.value) == str(caught.value)
    return str(caught.value)


def test_without_an_api_it_says_how_to_start_one(monkeypatch):
    monkeypatch.delenv("FLOWBOOK_API_URL", raising=False)

    assert refused(DockerFlowRunner()) == (
        "DockerFlowRunner needs flowbook's API, since a process there can't reach this machine's files, and FLOWBOOK_API_URL "
        "isn't set. Start the API, flowbook server start, and set FLOWBOOK_API_URL to its address as that process reaches it."
    )


def test_a_file_of_this_machine_is_no_api(monkeypatch):
    monkeypatch.setenv("FLOWBOOK_API_URL", "file:///srv/flowbook")

    assert refused(DockerFlowRunner()).startswith("FLOWBOOK_API_URL is 'file:///srv/flowbook', which isn't an address")


@pytest.mark.usefixtures("api")
def test_without_a_token_it_says_where_that_is(monkeypatch):
    monkeypatch.delenv("FLOWBOOK_API_TOKEN")

    assert refused(DockerFlowRunner()) == (
        "DockerFlowRunner needs the token of flowbook's API at http://127.0.0.1:4200, and FLOWBOOK_API_TOKEN isn't set here. "
        "Set it to the server's: what is in api.token in the folder of its store."
    )


@pytest.mark.usefixtures("api")
def test_without_an_engine_it_names_the_address_and_what_the_system_says(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")

    assert refused(DockerFlowRunner()) == (
        "No Docker engine answers at unix:///nowhere/docker.sock: No such file or directory. Start it (Docker Desktop, or "
        "systemctl start docker), or set DOCKER_HOST to the address of one that runs."
    )


@pytest.mark.usefixtures("api")
def test_an_engine_that_refuses_is_named_too(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")

    assert refused(DockerFlowRunner()).startswith("No Docker engine answers at tcp://127.0.0.1:9: Connection refused.")


@pytest.mark.usefixtures("api")
def test_a_context_of_dockers_own_names_the_engine(monkeypatch, tmp_path):
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "config.json").write_text('{"currentContext": "west"}')
    folder = tmp_path / "contexts" / "meta" / hashlib.sha256(b"west").hexdigest()
    folder.mkdir(parents=True)
    meta = {
        "Name": "west",
        "Metadata": {},
        "Endpoints": {"docker": {"Host": "unix:///west.sock", "SkipTLSVerify": False}},
    }
    (folder / "meta.json").write_text(json.dumps(meta))

    said = refused(DockerFlowRunner())

    assert said.startswith("No Docker engine answers at unix:///west.sock: No such file")


@pytest.mark.usefixtures("api")
def test_without_the_library_it_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "docker", None)

    assert refused(DockerFlowRunner()) == (
        "DockerFlowRunner needs the library docker. Install it: pip install 'jupyter-flowbook[docker]'"
    )


@pytest.mark.usefixtures("api")
def test_a_container_without_a_network_can_not_reach_the_api():
    assert refused(DockerFlowRunner(network_mode="none")) == (
        "DockerFlowRunner(network_mode='none') has no network, and a run needs flowbook's API, http://127.0.0.1:4200. "
        "Give another one."
    )


@pytest.mark.usefixtures("api")
def test_a_preview_needs_no_engine_and_no_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "docker", None)

    shown = DockerFlowRunner(image="flows:2").preview(RUN)

    assert shown.startswith("docker run --detach \\\n    --name delays-run-4 \\\n")
    assert shown.endswith("flows:2 python -m flowbook.engine 7c1f09e2")
    assert "t0ken" not in shown


@pytest.mark.parametrize(("code", "outcome"), [(0, 0), (1, 1), (127, 127), (137, -9), (143, -15), (255, 255)])
def test_an_exit_code_above_128_is_the_signal_beyond_it(code, outcome):
    assert as_outcome(code) == outcome
