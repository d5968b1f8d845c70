"""A run's container as this process sees it: a keeper is started on it, and again if that one dies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from flowbook import config
from flowbook.exceptions import FlowRunnerError
from flowbook.flow_runners.container_arguments import REMOVE_LABEL, RUN_LABEL
from flowbook.flow_runners.docker_engine import connected
from flowbook.flow_runners.keeper import LogFile, is_locked
from flowbook.flow_runners.keeping import Keeping, orders_for
from flowbook.flow_runners.run_output import prepared_output_file
from flowbook.store.process_identity import process_of
from flowbook.store.process_output import output_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowbook.flow_run.ports import Outcome, RunToStart
    from flowbook.flow_runners.docker_engine import FoundContainer

__all__ = [
    "ContainerMark",
    "containers_of_runs",
    "identifier_of",
    "keep",
    "keep_again",
    "put_into_output",
    "unkept_marks",
]

_KEEPER = ("-P", str(Path(__file__).with_name("container_keeper.py")))
_TRIES = 3
#: A dot, and the beginning of an id.
_SUFFIX_CHARS = 13


class ContainerMark(NamedTuple):
    """The mark that a keeper leaves beside a run's log file as long as there is something to keep.

    Attributes:
        container: the beginning of its id.
        path: of the mark's file.
    """

    container: str
    path: Path

    def remove(self) -> None:
        """Remove it: its container is gone."""
        self.path.unlink(missing_ok=True)


def unkept_marks() -> list[ContainerMark]:
    """Return the marks of keepers that have died."""
    found = output_file("any").parent.glob("*.log.*")
    marks = [ContainerMark(path.suffix[1:], path) for path in found if len(path.suffix) == _SUFFIX_CHARS]
    return [mark for mark in marks if not is_locked(mark.path)]


def containers_of_runs() -> list[FoundContainer]:
    """Return all containers that were made for runs, those that are over, too. Raises FlowRunnerError: if no engine answers."""
    with connected() as engine:
        return engine.with_label(RUN_LABEL)


def identifier_of(keeper: int, container: FoundContainer) -> str:
    """Return what a run's container is called in the store: with the process on this machine that keeps it."""
    return process_of(keeper, f"docker:{container.name}:{container.short_id}")


def put_into_output(run: RunToStart, text: str) -> None:
    """Put a line into the run's log file before its container exists."""
    LogFile(str(prepared_output_file(run.run_id)), config.output_bytes()).write(text.encode())


def keep(run: RunToStart, container: FoundContainer, started: Callable[[str], None], *, is_streamed: bool) -> Outcome:
    """Keep a container that was just started, and wait for its end.

    Args:
        run: that lives in it.
        container: which exists.
        started: called with its name, and that of its keeper, once that keeps it.
        is_streamed: whether this process shows its output.

    Raises:
        FlowRunnerError: if no keeper can be started; the container is removed then, and `started` hasn't been called.
        ChildProcessError: if it can't be kept any more; it goes on.
    """
    try:
        keeping = _start(run, container, is_streamed=is_streamed)
    except FlowRunnerError:
        with connected() as engine:
            engine.remove(container.id)
        raise
    for _ in range(_TRIES):
        with keeping:
            started(identifier_of(keeping.number, container))
            outcome = keeping.outcome()
        if outcome is not None:
            return outcome
        keeping = _start(run, container, is_streamed=is_streamed)
    msg = f"The keeper of container {container.name} ended {_TRIES} times."
    raise ChildProcessError(msg)


def keep_again(run: RunToStart, container: FoundContainer, started: Callable[[str], None]) -> Outcome | None:
    """Keep a container whose keeper has died, and wait for its end; return None if another keeper has it.

    Args:
        run: that lives in it.
        container: which may have ended.
        started: called with its name, and that of its keeper, once that keeps it.
    """
    try:
        keeping = _start(run, container, is_streamed=False)
    except FlowRunnerError:
        return None
    with keeping:
        started(identifier_of(keeping.number, container))
        return keeping.outcome()


def _start(run: RunToStart, container: FoundContainer, *, is_streamed: bool) -> Keeping:
    """Start a keeper, and return it once it keeps the container. Raises FlowRunnerError: if it can't."""
    orders = orders_for(run, is_streamed=is_streamed)
    orders |= {
        "container": container.id,
        "name": container.name,
        "mark": f"{orders['log']}.{container.short_id}",
        "removes": container.labels.get(REMOVE_LABEL) == "true",
    }
    keeping = Keeping(_KEEPER, orders)
    try:
        keeping.first_word(run)
    except FlowRunnerError:
        with keeping:
            raise
    return keeping
