"""Runs trials: each in a process of its own, all in turn, several rounds; what fails becomes a text, never an abort."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.environments import ROOT, PeerError, interpreter_of, surroundings
from benchmarks.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType
    from typing import Self

__all__ = ["Runner", "Trial", "say"]

_LONGEST_S = 120
#: Peers that need another process beside them, a module that prints its settings and ends with its standard input.
_SERVERS = {"prefect3": "benchmarks.peers.prefect3_server"}


class Trial(NamedTuple):
    """What one process measures.

    Attributes:
        is_once: whether it is done once only, also where that is over in no time: then all sizes begin with new memory.
        is_again: whether the second run of what was built is measured, not the first.
    """

    peer: str
    work: str
    on: str
    size: int
    is_once: bool = False
    is_again: bool = False


class Runner:
    """Runs trials and keeps what came of them, in a file as well. Use it as a context manager.

    Args:
        kept: a line of JSON each; None: nothing is kept.
        resume: go on from what that file holds.
        say: told what is going on.
    """

    def __init__(self, kept: Path | None, *, resume: bool, say: Callable[[str], None]) -> None:
        self.samples: dict[Trial, dict[int, Sample]] = {}
        #: What a trial failed with; it is not tried again.
        self.failures: dict[Trial, str] = {}
        self._kept = kept
        self._say = say
        self._stack = ExitStack()
        self._homes: dict[str, Path] = {}
        self._servers: dict[str, dict[str, str]] = {}
        #: Why a peer is not there; it is not installed again and again.
        self._missing: dict[str, str] = {}
        if kept is not None:
            kept.parent.mkdir(parents=True, exist_ok=True)
            if resume and kept.exists():
                for line in kept.read_text(encoding="utf-8").splitlines():
                    self._load(line)
            else:
                kept.write_text("", encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    def run(self, choices: Iterable[tuple[Trial, ...]], rounds: int) -> None:
        """Run each choice's first trial that works, one after another, then all again.

        Args:
            choices: trials that stand for each other, the one that is wished for first.
        """
        ordered = list(dict.fromkeys(choices))
        for number in range(rounds):
            for choice in ordered:
                for trial in choice:
                    if self._has(trial, number):
                        break

    def _has(self, trial: Trial, number: int) -> bool:
        if trial in self.failures:
            return False
        if number in self.samples.get(trial, {}):
            return True
        try:
            sample = self._measure(trial)
        except PeerError as error:
            self._say(f"{trial.peer} {trial.work} {trial.size:,} on {trial.on}: {error}")
            self._keep({"trial": trial, "failure": str(error)})
            return False
        self._say(
            f"round {number + 1}: {trial.peer} {trial.work} {trial.size:,} on {trial.on}: CPU {sample.run.cpu_s:.3f} s, "
            f"wall {sample.run.wall_s:.3f} s"
        )
        self._keep({"trial": trial, "round": number, "sample": sample.to_json()})
        return True

    def _measure(self, trial: Trial) -> Sample:
        command = [self._python(trial.peer), "-m", f"benchmarks.peers.{trial.peer}"]
        command += [trial.work, str(trial.size), "--on", trial.on]
        command += [*(["--once"] if trial.is_once else []), *(["--again"] if trial.is_again else [])]
        try:
            done = subprocess.run(
                command,
                cwd=ROOT,
                env=self._environment(trial.peer),
                capture_output=True,
                text=True,
                timeout=_LONGEST_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise PeerError(f"more than {_LONGEST_S} s") from error
        if done.returncode != 0:
            raise PeerError(_reason(done.stderr))
        return Sample.from_json(done.stdout.splitlines()[-1])

    def _python(self, peer: str) -> str:
        if peer in self._missing:
            raise PeerError(self._missing[peer])
        try:
            return str(interpreter_of(peer))
        except PeerError as error:
            self._missing[peer] = str(error)
            raise

    def _environment(self, peer: str) -> dict[str, str]:
        if peer not in self._homes:
            self._homes[peer] = Path(self._stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        environment = surroundings(peer, self._homes[peer])
        if peer in _SERVERS and peer not in self._servers:
            try:
                self._servers[peer] = self._serve(peer, environment)
            except PeerError as error:
                self._missing[peer] = str(error)
                raise
        return {**environment, **self._servers.get(peer, {})}

    def _serve(self, peer: str, environment: dict[str, str]) -> dict[str, str]:
        command = [self._python(peer), "-m", _SERVERS[peer]]
        server = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._stack.callback(server.communicate)
        line = server.stdout.readline() if server.stdout is not None else ""
        if not line:
            raise PeerError("its server did not start")
        settings: dict[str, str] = json.loads(line)
        return settings

    def _keep(self, found: dict[str, object]) -> None:
        line = json.dumps(found)
        self._load(line)
        if self._kept is not None:
            with self._kept.open("a", encoding="utf-8") as file:
                file.write(line + "\n")

    def _load(self, line: str) -> None:
        found = json.loads(line)
        trial = Trial(*found["trial"])
        if "failure" in found:
            self.failures[trial] = found["failure"]
        else:
            self.samples.setdefault(trial, {})[found["round"]] = Sample.from_json(found["sample"])


def _reason(stderr: str) -> str:
    """Return the name of the exception that ended a peer, or its last words."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    names = [found[1] for line in lines if (found := re.match(r"(?:[\w.]+\.)?(\w*(?:Error|Exception|Exit))\b", line))]
    if names:
        return names[-1]
    return lines[-1][:80] if lines else "ended without a word"


def say(text: str) -> None:
    """Tell whoever waits at the terminal."""
    print(text, file=sys.stderr, flush=True)
