"""Records that a run's own process ended in the middle: the run is Crashed, and says how, unless it is at rest already."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import TYPE_CHECKING

from flowbook.engine.events import FLOW, StateChanged
from flowbook.engine.masks import Masks, secret_variable
from flowbook.engine.state import Crashed, Pending, Running
from flowbook.exceptions import RunClaimedError
from flowbook.flow_run.new_record import owner_text
from flowbook.flow_run.recording import Recording
from flowbook.store.process_identity import is_at, place_of_run
from flowbook.store.process_output import last_output

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from flowbook.engine.events import Event
    from flowbook.flow_run.ports import Outcome
    from flowbook.store import Store
    from flowbook.store.run_snapshot import RunSnapshot

__all__ = ["how_it_ended", "record_lost", "record_process_end"]

_API_TOKEN = "FLOWBOOK_API_TOKEN"  # noqa: S105  # its name
_GOES_ON = "run.resume() goes on from what is stored."
#: How long somebody else's record of an end is waited for, and how often it is looked at.
_RECORDED_S, _LOOK_S = 10.0, 0.02


def record_process_end(store: Store, run_id: str, epoch: int, outcome: Outcome) -> bool:
    """Record that the process which was started for a run has ended; return whether the run crashed by that.

    Of several who watch one process, one records it, and the others wait until it has. A run that came to rest, or that
    another process has, stays as it is.

    Args:
        store: has the run.
        run_id: of the run.
        epoch: at which it was claimed for the process.
        outcome: how the process ended.
    """
    if store.ownership.owner(run_id).process is None:
        return False
    recording = Recording.of(store, run_id)
    snapshot = recording.snapshot()
    has_begun = snapshot.claim.epoch == epoch + 1
    is_taker = store.requests.was_asked(run_id, epoch, "hand_over")
    if not _is_left_behind(snapshot, run_id, epoch, is_taker=is_taker):
        if _is_bad(outcome) and snapshot.claim.epoch > epoch + 1:
            _wait_for_other(store, run_id, snapshot.claim.epoch)
        return False
    how = how_it_ended(outcome, "in the middle of the run" if has_begun else "before the run went on")
    is_first = _record_crash(recording, snapshot, how, outcome.last_lines)
    if not is_first and _is_bad(outcome):
        _wait_for_other(store, run_id, snapshot.claim.epoch + 1)
    return is_first


def _is_bad(outcome: Outcome) -> bool:
    """Return whether the process's keeper has the end recorded too."""
    return bool(outcome.exit_code or outcome.how)


def _wait_for_other(store: Store, run_id: str, epoch: int) -> None:
    """Wait until whoever claimed the run at `epoch` to record its end has recorded it, has died, or takes too long."""
    pause, deadline = threading.Event(), time.monotonic() + _RECORDED_S
    while time.monotonic() < deadline:
        if store.ownership.owner(run_id).epoch != epoch or not store.ownership.is_owned(run_id):
            return
        pause.wait(_LOOK_S)


def _record_crash(recording: Recording, snapshot: RunSnapshot, how: str, last_lines: Sequence[str]) -> bool:
    """Record how a process ended, unless another process claims the run at this moment."""
    recording.mark_read(snapshot)
    try:
        recording.claim(owner_text())
    except RunClaimedError:
        return False
    crashed = Crashed(_secrets().text(f"{how} {_GOES_ON}{_in_words(last_lines)}"))
    for event in _events(snapshot, crashed):
        recording.emit(event)
    recording.finish(crashed)
    return True


def record_lost(store: Store, run_id: str, epoch: int) -> bool:
    """Record that the process which had a run is gone, and that nobody saw how it ended; return whether that is so.

    Args:
        store: has the run.
        run_id: of the run.
        epoch: at which that process claimed it.
    """
    recording = Recording.of(store, run_id)
    snapshot = recording.snapshot()
    if snapshot.claim.epoch != epoch or snapshot.claim.process is None or snapshot.is_owned:
        return False
    how = f"Its process ({recording.owner_name(snapshot.claim)}) is gone, and nobody saw how it ended."
    return _record_crash(recording, snapshot, how, last_output(run_id))


def _is_left_behind(snapshot: RunSnapshot, run_id: str, epoch: int, *, is_taker: bool) -> bool:
    """Return whether nobody has the run any more although it isn't at rest.

    A process that was to take the run over leaves nothing behind before it has claimed it: its owner goes on with it then.
    A process in a container can't be seen from here, but it is known by the place that its flow runner gave it.
    """
    claim = snapshot.claim
    if claim.process is None:
        return False
    if claim.epoch == epoch:
        return not is_taker or not snapshot.is_owned
    has_died = not snapshot.is_owned or is_at(claim.process, place_of_run(run_id, epoch))
    return claim.epoch == epoch + 1 and has_died


def _events(snapshot: RunSnapshot, crashed: Crashed) -> Iterator[Event]:
    seq = snapshot.last_seq
    for key, state in snapshot.states().items():
        if key != FLOW and isinstance(state, Running):
            seq += 1
            yield StateChanged(seq, key, Pending("Its process ended while it ran; it is to run again."))
    yield StateChanged(seq + 1, FLOW, crashed)


def how_it_ended(outcome: Outcome, when: str = "in the middle of the run") -> str:
    """Return in a sentence how a process ended."""
    if outcome.how:
        return outcome.how
    if outcome.exit_code >= 0:
        return f"Its process ended with exit code {outcome.exit_code} {when}."
    try:
        name = signal.Signals(-outcome.exit_code).name
    except ValueError:
        name = f"signal {-outcome.exit_code}"
    guess = "; maybe the machine ran out of memory" if name == "SIGKILL" else ""
    return f"Its process was ended by {name} {when}{guess}."


def _in_words(last_lines: Sequence[str]) -> str:
    if not last_lines:
        return ""
    return "\nThe last lines of its output:\n" + "\n".join(f"    {line}" for line in last_lines)


def _secrets() -> Masks:
    """Return the secrets of the environment, which a program may have written to its output."""
    prefix = secret_variable("")
    return Masks(value for name, value in os.environ.items() if name.startswith(prefix) or name == _API_TOKEN)
