"""The peers' environments: made when they are first needed, from `peers.toml`, in a folder that git ignores."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

__all__ = ["PeerError", "interpreter_of", "surroundings"]

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".cache" / "benchmarks"
PINS = Path(__file__).with_name("peers.toml")

_INSTALL_S = 600
_SETTINGS = {
    "DO_NOT_TRACK": "1",
    "HAMILTON_TELEMETRY_ENABLED": "false",
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT__LOGGING__LEVEL": "CRITICAL",
    "PYTHONDONTWRITEBYTECODE": "",
    "FLOWBOOK_PROJECT": "benchmarks",
}


class PeerError(Exception):
    """A peer could not be installed, or failed; its text is what the table's cell says."""


def interpreter_of(peer: str) -> Path:
    """Return the Python that has this peer installed; the first time, that takes a while.

    Raises:
        PeerError: if it can't be installed.
    """
    wanted = tomllib.loads(PINS.read_text(encoding="utf-8")).get(peer)
    if wanted is None:
        return Path(sys.executable)
    python = _python(wanted.get("python"))
    text = f"{python}\n" + "\n".join(wanted["packages"])
    folder = FOLDER / "peers" / f"{peer}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    found = folder / "bin" / "python"
    if not (folder / ".ready").exists():
        _make(folder, python, wanted["packages"])
        (folder / ".ready").touch()
    return found


def surroundings(peer: str, home: Path) -> dict[str, str]:
    """Return the environment variables a peer gets: every folder that it writes to lies in `home`, and nobody is told."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT", "FLOWBOOK"))}
    is_ours = Path(interpreter_of(peer)) == Path(sys.executable)
    if not is_ours:
        kept.pop("PYTHONPATH", None)
    folders = {
        "HOME": home,
        "XDG_CACHE_HOME": home / "cache",
        "FLOWBOOK_HOME": home / "flowbook",
        "FLOWBOOK_KEY_FILE": home / "key",
        "PREFECT_HOME": home / "prefect",
        "PREFECT__HOME_DIR": home / "prefect1",
    }
    return {**kept, **_SETTINGS, **{name: str(folder) for name, folder in folders.items()}}


def _python(release: str | None) -> str:
    if release is None or sys.version_info[:2] == tuple(map(int, release.split("."))):
        return sys.executable
    found = shutil.which(f"python{release}")
    if found is None:
        raise PeerError(f"needs Python {release}, which is not here")
    return found


def _make(folder: Path, python: str, packages: list[str]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if uv is not None:
        _do([uv, "venv", "--quiet", "--python", python, str(folder)])
        _do([uv, "pip", "install", "--quiet", "--python", str(folder / "bin" / "python"), *packages])
    else:
        _do([python, "-m", "venv", str(folder)])
        _do([str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *packages])


def _do(command: list[str]) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_INSTALL_S)
    except subprocess.CalledProcessError as error:
        print(error.stderr, file=sys.stderr)
        raise PeerError("could not be installed") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PeerError(f"could not be installed ({type(error).__name__})") from error
