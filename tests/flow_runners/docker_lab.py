"""A Docker engine, a registry and an image for tests of containers: made for one session of pytest, gone with it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import docker

from tests.scripts import ROOT

__all__ = ["Lab", "why_not"]

IMAGE = "flowbook-test:1"
_LONG_S = 60
_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin", "/usr/bin"])


def why_not() -> str | None:
    """Return why no engine can be started here; None if one can."""
    if sys.platform != "linux":
        return "they need Linux"
    if os.geteuid():
        return "a Docker engine is started by root"
    missing = [name for name in ("dockerd", "containerd", "docker-registry") if not shutil.which(name, path=_PATH)]
    if missing:
        return f"there is no {missing[0]}: apt-get install --no-install-recommends docker.io iptables docker-registry"
    if not any(Path("/sys/fs/cgroup", name).exists() for name in ("memory", "cgroup.controllers")):
        return "no control groups are mounted"
    return None


class Lab:
    """An engine with an image of this Python and this flowbook, and a registry on 127.0.0.1.

    Attributes:
        address: of the engine.
        client: of the library, for looking and for interfering.
        registry: "127.0.0.1:PORT"; "" before it is started.
    """

    #: What containers know this machine by; the first network that is made has it.
    gateway = "10.213.0.1"

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="fbd-"))  # the path of a socket is short
        self._processes: list[subprocess.Popen[bytes]] = []
        self.address = f"unix://{self.folder}/docker.sock"
        self.registry = ""
        self._networks: list[str] = []

    def network(self, name: str) -> str:
        """Make a network unless there is one; return its name. On the first one, this machine is at `gateway`."""
        if name not in self._networks:
            subnet = self.gateway.rpartition(".")[0].rpartition(".")[0] + f".{len(self._networks)}"
            pool = docker.types.IPAMPool(subnet=f"{subnet}.0/24", gateway=f"{subnet}.1")
            self.client.networks.create(name, ipam=docker.types.IPAMConfig(pool_configs=[pool]))
            self._networks.append(name)
        return name

    def start(self) -> None:
        """Start the engine and make the image."""
        self._start_engine()
        self.client = docker.DockerClient(base_url=self.address, timeout=_LONG_S)
        self._import_image()

    def _start_engine(self) -> None:
        script = ROOT / "scripts" / "docker_engine.sh"
        # What an engine finds in the environment of its starter it takes for its own.
        env = {"PATH": _PATH, "HOME": str(self.folder)}
        command = ["sh", str(script), str(self.folder), f"--host-gateway-ip={self.gateway}"]
        (self.folder / "dockerd.pid").unlink(missing_ok=True)
        self._engine = self._spawn(command, "engine", env)
        self._until(lambda: (self.folder / "docker.sock").exists() and self._answers(), "engine")

    def _answers(self) -> bool:
        with contextlib.suppress(Exception), contextlib.closing(docker.APIClient(self.address)) as client:
            return bool(client.ping())
        return False

    def _import_image(self) -> None:
        maker = subprocess.Popen([sys.executable, ROOT / "scripts" / "python_image.py"], stdout=subprocess.PIPE)
        repository, tag = IMAGE.split(":")
        change = ["ENV PATH=/usr/local/bin:/usr/bin:/bin"]
        with maker, maker.stdout as tar:
            said = self.client.api.import_image_from_stream(tar, repository=repository, tag=tag, changes=change)
        assert "error" not in said, said
        assert maker.returncode == 0

    def start_registry(self) -> str:
        """Start a registry unless there is one; return its address."""
        if not self.registry:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            settings = {
                "version": "0.1",
                "storage": {"filesystem": {"rootdirectory": str(self.folder / "registry")}},
                "http": {"addr": f"127.0.0.1:{port}"},
            }
            file = self.folder / "registry.yml"
            file.write_text(json.dumps(settings))  # JSON is YAML
            self._spawn(["docker-registry", "serve", str(file)], "registry", {"PATH": _PATH})
            self.registry = f"127.0.0.1:{port}"
            self._until(self._registry_answers, "registry")
        return self.registry

    def _registry_answers(self) -> bool:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://{self.registry}/v2/", timeout=5) as answer:
            return answer.status == 200
        return False

    def restart(self) -> None:
        """End the engine, which ends its containers, and start it again."""
        self._engine.terminate()
        self._engine.wait(_LONG_S)
        self._start_engine()

    def _spawn(self, command: list[str], name: str, env: dict[str, str]) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            found = subprocess.Popen(command, stdout=log, stderr=log, env=env, start_new_session=True)
        self._processes.append(found)
        return found

    def _until(self, is_so, name: str) -> None:
        deadline = time.monotonic() + _LONG_S
        while not is_so():
            said = (self.folder / f"{name}.log").read_text(errors="replace")[-2000:]
            assert self._processes[-1].poll() is None, said
            assert time.monotonic() < deadline, said
            time.sleep(0.05)

    def clear(self) -> None:
        """Remove all containers."""
        for each in self.client.containers.list(all=True):
            with contextlib.suppress(docker.errors.APIError):
                each.remove(force=True, v=True)

    def close(self) -> None:
        """End all that was started, and remove what it kept."""
        with contextlib.suppress(Exception):
            self.clear()
            for name in self._networks:
                self.client.networks.get(name).remove()
            self.client.close()
        for process in reversed(self._processes):
            process.terminate()
        for process in self._processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        for line in reversed(Path("/proc/mounts").read_text().splitlines()):
            if line.split()[1].startswith(f"{self.folder}/"):
                subprocess.run(["umount", "--lazy", line.split()[1]], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)
