"""Mounts that would give a container the whole machine are refused unless that was allowed."""

import pytest

from flowbook.exceptions import FlowRunnerError
from flowbook.flow_runners.host_mounts import refuse_host_mounts

ENGINE = "unix:///tmp/engine/docker.sock"


@pytest.mark.parametrize(
    ("volume", "why"),
    [
        ("/:/host", "that is the root folder"),
        ("/tmp/..:/host:ro", "/tmp/.. is the root folder"),
        ("//:/host", "// is the root folder"),
        ("/tmp/engine/docker.sock:/docker.sock", "/tmp/engine/docker.sock is the Docker socket"),
        ("/tmp/engine:/engine", "/tmp/engine has /tmp/engine/docker.sock in it"),
        ("/var/run/docker.sock:/docker.sock", "/var/run/docker.sock is the Docker socket"),
        ("/run:/run", "/run has /var/run/docker.sock in it"),
    ],
)
def test_a_mount_of_the_whole_machine_is_refused(volume, why, monkeypatch):
    monkeypatch.setattr(
        "os.path.realpath", lambda path: __import__("os").path.normpath(path).replace("/var/run", "/run")
    )

    with pytest.raises(FlowRunnerError) as caught:
        refuse_host_mounts("DockerFlowRunner", ["/data:/data", volume], ENGINE)

    assert str(caught.value) == (
        f"DockerFlowRunner mounts {volume!r}, and {why}, which gives the container the whole machine. Mount less of it; or "
        "allow it where runs are started: flowbook agent start --allow-host-mounts, or FLOWBOOK_ALLOW_HOST_MOUNTS=1."
    )


def test_a_link_to_the_root_folder_is_followed(tmp_path):
    (tmp_path / "link").symlink_to("/")

    with pytest.raises(FlowRunnerError, match="link is the root folder"):
        refuse_host_mounts("DockerFlowRunner", [f"{tmp_path}/link:/host"], ENGINE)


def test_other_mounts_and_volumes_are_fine(tmp_path):
    refuse_host_mounts("DockerFlowRunner", [f"{tmp_path}:/data", "named:/var/run", "named:/"], ENGINE)


def test_they_are_allowed_where_runs_are_started(monkeypatch):
    monkeypatch.setenv("FLOWBOOK_ALLOW_HOST_MOUNTS", "1")

    refuse_host_mounts("DockerFlowRunner", ["/:/host"], ENGINE)
