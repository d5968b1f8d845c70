"""Writes a container image with this machine's Python and flowbook, where none can be pulled: a tar for `docker import`.

    python scripts/python_image.py | docker import --change 'ENV PATH=/usr/local/bin:/usr/bin:/bin' - flowbook:host

Holds the Python that the environment was made from, its standard library, flowbook as it is in this folder, what flowbook
needs with the extras `server` and `docker`, the C libraries of all that, and a shell. Linux only.
"""

from __future__ import annotations

import importlib.metadata as installed
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path
from typing import IO

from packaging.requirements import Requirement

REPOSITORY = Path(__file__).resolve().parents[1]
_PACKAGE, _EXTRAS = "jupyter-flowbook", frozenset({"server", "docker"})
_COMMANDS = ("dash", "env", "cat", "ls", "sleep", "id", "kill")
_LEFT_OUT = frozenset({"test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3", "site-packages"})
_FILES = ("/etc/passwd", "/etc/group", "/etc/nsswitch.conf", "/etc/ssl/certs/ca-certificates.crt")
_FOLDERS = {"tmp": 0o1777, "root": 0o700, "proc": 0o555, "sys": 0o555, "dev": 0o755, "run": 0o755, "etc": 0o755}
_LINKS = {"bin": "usr/bin", "lib": "usr/lib", "lib64": "usr/lib64", "sbin": "usr/sbin"}


def write_image(to: IO[bytes], repository: Path = REPOSITORY) -> None:
    """Write the image's root as a tar.

    Args:
        to: where to; needs no seeking.
        repository: the folder with the flowbook to put in.
    """
    python = Path(sys._base_executable).resolve()  # type: ignore[attr-defined]  # noqa: SLF001  # outside of any venv
    site = _site_packages(python)
    with tarfile.open(fileobj=to, mode="w|") as tar:
        for name, mode in _FOLDERS.items():
            _add_folder(tar, name, mode)
        for name, target in _LINKS.items():
            _add_link(tar, name, target)
        _add_link(tar, "usr/bin/sh", "dash")
        for name in ("python", "python3"):
            _add_link(tar, f"usr/local/bin/{name}", str(python))
        packages = _packages()
        for path in sorted(_system_files(python, packages)):
            tar.add(path, str(path).lstrip("/"), recursive=False)
        for path, inside in packages.items():
            tar.add(path, f"{site}/{inside}".lstrip("/"), recursive=False)
        for path in sorted((repository / "flowbook").rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                tar.add(path, f"{site}/{path.relative_to(repository)}".lstrip("/"), recursive=False)


def _site_packages(python: Path) -> str:
    command = [str(python), "-I", "-c", "import site; print(site.getsitepackages()[0])"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603  # our own


def _packages() -> dict[Path, str]:
    """Return the files of flowbook's dependencies, with their place below site-packages."""
    found: dict[Path, str] = {}
    for name in sorted(_needed(_PACKAGE, _EXTRAS, set())):
        for file in installed.distribution(name).files or ():
            path = Path(str(file.locate()))
            if ".." not in file.parts and path.is_file() and not file.name.endswith(".pth"):
                found[path] = str(file)
    return found


def _needed(name: str, extras: frozenset[str], seen: set[str]) -> set[str]:
    """Return the names of a distribution and of all that it needs here."""
    distribution = installed.distribution(name)
    if distribution.name.lower() in seen:
        return seen
    seen.add(distribution.name.lower())
    for text in distribution.requires or ():
        need = Requirement(text)
        if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            _needed(need.name, frozenset(need.extras), seen)
    return seen


def _system_files(python: Path, packages: dict[Path, str]) -> set[Path]:
    """Return Python, its standard library, a shell, and the C libraries that these and the packages need."""
    library = Path(sysconfig.get_path("stdlib", vars={"installed_base": sys.base_prefix}))
    files: set[Path] = set()
    for folder, inner, names in os.walk(library):
        inner[:] = [each for each in inner if each not in _LEFT_OUT]
        files |= {Path(folder, name) for name in names if not name.endswith(".a")}
    commands = [Path("/usr/bin", name) for name in _COMMANDS]
    loaded = [python, *commands, *(path for path in {*files, *packages} if ".so" in path.suffixes)]
    found = {*files, *loaded[: 1 + len(commands)], *map(Path, _FILES), *_libraries(loaded)}
    return {_real(path) for each in found for path in _with_targets(each)}


def _libraries(loaded: list[Path]) -> set[Path]:
    """Return the libraries that are loaded with these files, besides those of the packages themselves."""
    said = subprocess.run(["ldd", *map(str, loaded)], capture_output=True, text=True, check=False).stdout  # noqa: S603, S607
    found = {Path(path) for path in re.findall(r"^\s+(?:\S+ => )?(/\S+) \(", said, re.MULTILINE)}
    names = Path("/lib", f"{os.uname().machine}-linux-gnu").glob("libnss_*.so*")
    return {path for path in {*found, *names} if "site-packages" not in path.parts}


def _with_targets(path: Path) -> list[Path]:
    """Return a path and, if it is a link, all that it leads to."""
    found = [path]
    while found[-1].is_symlink():
        found.append(Path(os.path.normpath(found[-1].parent / found[-1].readlink())))
    return [each for each in found if each.exists()]


def _real(path: Path) -> Path:
    """Return the path below its real folder: /lib is a link on systems of today."""
    return path.parent.resolve() / path.name


def _add_folder(tar: tarfile.TarFile, name: str, mode: int) -> None:
    folder = tarfile.TarInfo(name)
    folder.type, folder.mode = tarfile.DIRTYPE, mode
    tar.addfile(folder)


def _add_link(tar: tarfile.TarFile, name: str, target: str) -> None:
    link = tarfile.TarInfo(name)
    link.type, link.linkname = tarfile.SYMTYPE, target
    tar.addfile(link)


if __name__ == "__main__":
    write_image(sys.stdout.buffer)
