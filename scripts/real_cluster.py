"""Builds and runs a Kubernetes cluster of one node, where none can be downloaded: from Debian's source package, by its own Go.

    sudo scripts/real_cluster.py FOLDER build    # 20 minutes on 2 cores; a second call goes on where the first stopped
    sudo scripts/real_cluster.py FOLDER start    # a minute; then KUBECONFIG=FOLDER/admin.kubeconfig
    sudo scripts/real_cluster.py FOLDER image    # makes flowbook:host of this machine's Python and flowbook
    sudo scripts/real_cluster.py FOLDER stop     # ends all that it started, and removes the pods' containers

For Debian 12, as root. All is in FOLDER, outside of the repository, whose path must be short; it listens on loopback and on
a bridge of its own. Never part of `make test`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGES = "golang-go etcd-server etcd-client rsync dpkg-dev docker.io iptables iproute2 gcc libc6-dev openssl"
#: The binaries, in the order in which they are made; each call of make takes those of one line.
BINARIES = (("kube-apiserver",), ("kube-controller-manager", "kube-scheduler"), ("kubelet",))
#: The bridge between the pods and this machine: where pods reach an API that listens here.
BRIDGE, BRIDGE_ADDRESS = "flowbook0", "172.30.231.1"
ETCD, ETCD_PEER, API = "http://127.0.0.1:23790", "http://127.0.0.1:23800", "https://127.0.0.1:26443"
PAUSE, IMAGE = "flowbook-pause:1", "flowbook:host"
_READY_S = 90.0
_STARTED = ("kubelet", "kube-scheduler", "kube-controller-manager", "kube-apiserver", "etcd", "dockerd")

#: Who may talk to the cluster: its own parts and people, and an agent with the rights of docs/kubernetes.md alone.
_TOKENS = 'admin-token,admin,admin,"system:masters"\nagent-token,agent,agent\n'
_RUNTIME = """#!/usr/bin/python3
# Calls runc without a negative oomScoreAdj, which needs a capability that containers of build machines lack.
import json, os, sys
words = sys.argv[1:]
for number, word in enumerate(words):
    folder = words[number + 1] if word in ("--bundle", "-b") else word[9:] if word.startswith("--bundle=") else None
    if folder:
        path = os.path.join(folder, "config.json")
        with open(path) as file:
            config = json.load(file)
        if (config.get("process") or {}).get("oomScoreAdj", 0) < 0:
            del config["process"]["oomScoreAdj"]
            with open(path, "w") as file:
                json.dump(config, file)
os.execvp("runc", ["runc", *words])
"""


class Cluster:
    """The cluster of one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.tree = self.folder / "k8s"
        self.kubeconfig = self.folder / "admin.kubeconfig"
        self._docker = f"unix://{self.folder}/docker/docker.sock"

    # Build

    def build(self) -> None:
        """Get the sources, install what builds them, and build; what is done already isn't done again."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._once("packages", self._install)
        self._once("sources", self._get_sources)
        for names in BINARIES:
            self._once("-".join(names), lambda names=names: self._make(names))

    def _once(self, name: str, action: object) -> None:
        stamp = self.folder / f".done-{name}"
        if not stamp.exists():
            began = time.monotonic()
            say(f"{name} …")
            action()  # type: ignore[operator]  # called at once
            stamp.touch()
            say(f"{name}: {time.monotonic() - began:.0f} s")

    def _install(self) -> None:
        options = ["-o", "DPkg::Lock::Timeout=900"]
        run("apt-get", *options, "-qq", "update")
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        run("apt-get", *options, "install", "-qq", "-y", "--no-install-recommends", *PACKAGES.split(), env=environment)

    def _get_sources(self) -> None:
        """Get the source package, by a source list of its own made of the machine's."""
        apt = self.folder / "apt"
        (apt / "lists" / "partial").mkdir(parents=True, exist_ok=True)
        listed = Path("/etc/apt/sources.list.d/debian.sources").read_text(encoding="utf-8")
        lines = ["Types: deb-src" if line.startswith("Types:") else line for line in listed.splitlines()]
        (apt / "debian.sources").write_text("\n".join(lines) + "\n", encoding="utf-8")
        options = [
            *("-o", f"Dir::Etc::sourcelist={apt}/debian.sources", "-o", "Dir::Etc::sourceparts=/dev/null"),
            *("-o", f"Dir::State::lists={apt}/lists"),
        ]
        run("apt-get", *options, "-qq", "update")
        run("apt-get", *options, "-qq", "source", "--download-only", "kubernetes", cwd=self.folder)
        if not self.tree.exists():
            (description,) = self.folder.glob("kubernetes_*.dsc")
            run("dpkg-source", "--no-check", "-x", description.name, "k8s", cwd=self.folder)

    def _make(self, names: tuple[str, ...]) -> None:
        """Build some of the servers, in the layout of folders that their old makefiles want, without a network."""
        place = self.tree / ".go" / "src" / "k8s.io"
        place.mkdir(parents=True, exist_ok=True)
        if not (place / "kubernetes").exists():
            (place / "kubernetes").symlink_to(self.tree)
        environment = {**os.environ, "GOPATH": str(self.tree / ".go"), "GOPROXY": "off", "CGO_ENABLED": "0"}
        environment |= {"GOCACHE": str(self.folder / "go-cache"), "PWD": str(place / "kubernetes")}
        what = " ".join(f"cmd/{name}" for name in names)
        run("sh", "-c", f'cd {place}/kubernetes && nice -n 15 make WHAT="{what}"', env=environment)

    # Start

    def start(self) -> None:
        """Start everything; return once the node is ready."""
        self._write_settings()
        self._start_docker()
        self._spawn("etcd", "etcd", *self._etcd_options())
        self._spawn("kube-apiserver", self._binary("kube-apiserver"), *self._api_options())
        self.wait_for("the API server", lambda: self.kubectl("get", "--raw", "/readyz").returncode == 0)
        settings = f"--kubeconfig={self.kubeconfig}"
        ends = "--feature-gates=TTLAfterFinished=true"
        without = "--controllers=*,-serviceaccount,-serviceaccount-token,-root-ca-cert-publisher"
        manager = self._binary("kube-controller-manager")
        self._spawn("kube-controller-manager", manager, settings, "--leader-elect=false", without, ends)
        self._spawn("kube-scheduler", self._binary("kube-scheduler"), settings, "--leader-elect=false")
        self._spawn("kubelet", self._binary("kubelet"), settings, *self._kubelet_options())
        ready = '{.items[0].status.conditions[?(@.type=="Ready")].status}'
        self.wait_for("the node", lambda: self.kubectl("get", "nodes", "-o", f"jsonpath={ready}").stdout == "True")
        say(f"The cluster is ready. KUBECONFIG={self.kubeconfig}; this machine is {BRIDGE_ADDRESS} to its pods.")

    def _write_settings(self) -> None:
        (self.folder / "log").mkdir(parents=True, exist_ok=True)
        self.folder.joinpath("tokens.csv").write_text(_TOKENS, encoding="utf-8")
        runtime = self.folder / "runtime"
        runtime.write_text(_RUNTIME, encoding="utf-8")
        runtime.chmod(0o755)
        key = self.folder / "accounts.key"
        if not key.exists():
            run("openssl", "genrsa", "-out", str(key), "2048")
        for name in ("admin", "agent"):
            user = {"name": name, "user": {"token": f"{name}-token"}}
            cluster = {"name": "one", "cluster": {"server": API, "insecure-skip-tls-verify": True}}
            context = {"name": "one", "context": {"cluster": "one", "user": name}}
            settings = {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [cluster],
                "users": [user],
                "contexts": [context],
            }
            file = self.folder / f"{name}.kubeconfig"
            file.write_text(json.dumps({**settings, "current-context": "one"}), encoding="utf-8")

    def _start_docker(self) -> None:
        engine = REPOSITORY / "scripts" / "docker_engine.sh"
        shim = ["--add-runtime", f"nooom={self.folder}/runtime", "--default-runtime", "nooom"]
        self._add_bridge()
        self._spawn("dockerd", str(engine), str(self.folder / "docker"), f"--bridge={BRIDGE}", *shim)
        self.wait_for("Docker", lambda: self.docker("version").returncode == 0)
        if self.docker("image", "inspect", PAUSE).returncode:
            self._make_pause_image()

    def _add_bridge(self) -> None:
        """Add a bridge of a name of its own: a Docker engine without one removes that of the usual name, whoever uses it."""
        if not Path("/sys/class/net", BRIDGE).exists():
            run("ip", "link", "add", BRIDGE, "type", "bridge")
            run("ip", "address", "add", f"{BRIDGE_ADDRESS}/24", "dev", BRIDGE)
        run("ip", "link", "set", BRIDGE, "up")

    def _make_pause_image(self) -> None:
        """Make the image of the process that holds a pod's namespaces: its source is in the tree."""
        folder = self.folder / "pause"
        folder.mkdir(exist_ok=True)
        source = self.tree / "build" / "pause" / "linux" / "pause.c"
        run("gcc", "-static", "-Os", "-DVERSION=1", "-o", str(folder / "pause"), str(source))
        run("tar", "-C", str(folder), "-cf", str(folder / "pause.tar"), "pause")
        run(
            "docker",
            "-H",
            self._docker,
            "import",
            "--change",
            'ENTRYPOINT ["/pause"]',
            str(folder / "pause.tar"),
            PAUSE,
        )

    def _etcd_options(self) -> list[str]:
        return [
            f"--data-dir={self.folder}/etcd",
            f"--listen-client-urls={ETCD}",
            f"--advertise-client-urls={ETCD}",
            f"--listen-peer-urls={ETCD_PEER}",
            f"--initial-advertise-peer-urls={ETCD_PEER}",
            f"--initial-cluster=default={ETCD_PEER}",
        ]

    def _api_options(self) -> list[str]:
        return [
            f"--etcd-servers={ETCD}",
            "--bind-address=127.0.0.1",
            "--secure-port=26443",
            f"--cert-dir={self.folder}/certificates",
            f"--token-auth-file={self.folder}/tokens.csv",
            "--authorization-mode=RBAC",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={self.folder}/accounts.key",
            f"--service-account-signing-key-file={self.folder}/accounts.key",
            "--service-cluster-ip-range=10.231.0.0/24",
            "--disable-admission-plugins=ServiceAccount",
            "--kubelet-preferred-address-types=Hostname",
            "--feature-gates=TTLAfterFinished=true",
        ]

    def _kubelet_options(self) -> list[str]:
        return [
            "--container-runtime=docker",
            f"--docker-endpoint={self._docker}",
            f"--pod-infra-container-image={PAUSE}",
            f"--root-dir={self.folder}/kubelet",
            f"--cert-dir={self.folder}/certificates",
            "--hostname-override=localhost",
            "--address=127.0.0.1",
            "--anonymous-auth=true",
            "--authorization-mode=AlwaysAllow",
            "--cgroup-driver=cgroupfs",
            "--cgroups-per-qos=false",
            "--enforce-node-allocatable=",
            "--make-iptables-util-chains=false",
            "--eviction-hard=memory.available<50Mi",
            "--fail-swap-on=false",
            "--read-only-port=0",
        ]

    def _binary(self, name: str) -> str:
        return str(self.tree / "_output" / "bin" / name)

    def _spawn(self, name: str, *command: str) -> None:
        """Start a part of the cluster, unless it runs already; its output goes to a file, its process id to another."""
        if self._pid(name) is not None:
            return
        with (self.folder / "log" / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(  # noqa: S603  # our own command
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, start_new_session=True
            )
        (self.folder / f"{name}.pid").write_text(str(process.pid), encoding="ascii")

    def _pid(self, name: str) -> int | None:
        """Return the process id of a part that runs."""
        try:
            number = int((self.folder / f"{name}.pid").read_text(encoding="ascii"))
            command = Path(f"/proc/{number}/cmdline").read_bytes()
        except (OSError, ValueError):
            return None
        return number if name.encode() in command else None

    # Use

    def image(self) -> None:
        """Make the image of this machine's Python and flowbook anew."""
        maker = subprocess.Popen(  # noqa: S603  # our own script
            [sys.executable, str(REPOSITORY / "scripts" / "python_image.py")], stdout=subprocess.PIPE
        )
        path = "ENV PATH=/usr/local/bin:/usr/bin:/bin"
        run("docker", "-H", self._docker, "import", "--change", path, "-", IMAGE, stdin=maker.stdout)
        if maker.wait():
            sys.exit("The image could not be made.")

    def stop(self) -> None:
        """End what was started here, the pods' containers first."""
        if self._pid("kubelet") is not None:
            self._end("kubelet")
        if self._pid("dockerd") is not None:
            containers = self.docker("ps", "-q").stdout.split()
            if containers:
                self.docker("kill", *containers)
        for name in _STARTED:
            self._end(name)
        if Path("/sys/class/net", BRIDGE).exists():
            run("ip", "link", "delete", BRIDGE)
        mounts = Path("/proc/mounts").read_text(encoding="utf-8")
        for place in {line.split()[1] for line in mounts.splitlines() if f" {self.folder}/kubelet/" in line}:
            subprocess.run(["umount", place], check=False)  # noqa: S603, S607  # volumes of pods

    def _end(self, name: str) -> None:
        number = self._pid(name)
        if number is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, signal.SIGTERM)
            self.wait_for(f"the end of {name}", lambda: self._pid(name) is None)

    def kubectl(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Call kubectl for this cluster, as its administrator."""
        settings = f"--kubeconfig={self.kubeconfig}"
        return subprocess.run(["kubectl", settings, *words], capture_output=True, text=True, check=False)  # noqa: S603, S607  # our own

    def docker(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Call docker for this cluster's engine."""
        return subprocess.run(["docker", "-H", self._docker, *words], capture_output=True, text=True, check=False)  # noqa: S603, S607  # our own

    def wait_for(self, what: str, is_there: object) -> None:
        """Wait until something is there; end this program if it takes too long."""
        deadline = time.monotonic() + _READY_S
        while not is_there():  # type: ignore[operator]  # called at once
            if time.monotonic() > deadline:
                sys.exit(f"{what} didn't come within {_READY_S:.0f} s: see {self.folder}/log")
            time.sleep(0.3)


def run(*command: str, **options: object) -> None:
    """Run a command; end this program if it fails."""
    done = subprocess.run(command, check=False, **options)  # type: ignore[call-overload]  # noqa: S603  # our own
    if done.returncode:
        sys.exit(f"{command[0]} ended with {done.returncode}: {' '.join(command)}")


def say(text: str) -> None:
    """Tell what happens."""
    print(time.strftime("%H:%M:%S"), text, flush=True)


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where everything is kept, outside of the repository")
    parser.add_argument("action", choices=("build", "start", "image", "stop"))
    args = parser.parse_args()
    if os.geteuid():
        sys.exit(f"A cluster is started by root: sudo {' '.join(sys.argv)}")
    getattr(Cluster(args.folder), args.action)()


if __name__ == "__main__":
    main()
