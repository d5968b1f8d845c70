"""Which process owns a run: claimed by one at a time, kept alive by heartbeats, released at the end."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from flowbook.exceptions import RunClaimedError
from flowbook.store.process_identity import has_owner, this_process
from flowbook.store.queries import queries
from flowbook.store.records import Claim, from_stamp
from flowbook.store.run_lookup import RunRow, claimed_error, unknown_run
from flowbook.store.runs import store_graph
from flowbook.store.state_codec import is_finished_name, state_name
from flowbook.store.store_errors import in_words

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from flowbook.engine.state import State
    from flowbook.results.reference import ResultRef
    from flowbook.store.database import Database

__all__ = ["RunOwnership"]


class RunOwnership:
    """Claims and releases the runs of a store. Every change compares the epoch, so only the owner makes it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = queries()

    @in_words
    def claim(  # noqa: PLR0913  # what the row says of a claim
        self,
        run_id: str,
        epoch: int,
        owner: str,
        *,
        last_seq: int | None = None,
        process: str | None = None,
        is_start: bool = False,
    ) -> int:
        """Claim a run that was at `epoch`; return the new epoch. Of many who try at once, one wins.

        Args:
            run_id: of the run.
            epoch: as the caller saw it.
            owner: who claims it, in words.
            last_seq: number of the last event that the caller saw (`RunSnapshot.last_seq`): whoever missed an event does
                not know what is left to do. None: not compared.
            process: identity of the process that claims it, see `process_identity`; None: this one.
            is_start: whether its tasks run from now on. The run has started then, even if the process dies before it
                has recorded anything of it, and no agent begins it a second time.

        Raises:
            RunClaimedError: if somebody else claimed it in the meantime, or recorded more of it; says who and when.
            UnknownRunError: if there is no such run.
        """
        values: dict[str, object] = {
            "run_id": run_id,
            "epoch": epoch,
            "owner": owner,
            "now": time.time(),
            "last_seq": last_seq,
            "is_start": is_start,
        }
        values["process"] = process or this_process()
        self._compare_and_set("claim_run", values)
        return epoch + 1

    def release(self, run_id: str, epoch: int, why: str | None = None) -> None:
        """Release a run, so that it has no owner. Raises as `claim`.

        Args:
            run_id: of the run.
            epoch: at which this process claimed it.
            why: in one sentence, if its record ends in the middle; people see it as the run's message.
        """
        self._compare_and_set("release_run", {"run_id": run_id, "epoch": epoch, "now": time.time(), "why": why})

    def finish(self, run_id: str, epoch: int, state: str | State) -> None:
        """Record the state in which a run comes to rest (finished, or Paused) and release it. Raises as `claim`."""
        name = state if isinstance(state, str) else state_name(state)
        values = {"run_id": run_id, "epoch": epoch, "now": time.time(), "state": name}
        self._compare_and_set("finish_run", {**values, "is_finished": is_finished_name(name)})

    def delete(self, run_id: str, epoch: int) -> None:
        """Delete a run with its events, requests and progress; values that nothing else needs are dropped by `gc`.

        Raises as `claim`: whoever has claimed the run since `epoch` keeps it.
        """
        self._compare_and_set("delete_run", {"run_id": run_id, "epoch": epoch})

    def beat(self, run_id: str, epoch: int) -> None:
        """Write a heartbeat. Raises as `claim`."""
        self._compare_and_set("beat_run", {"run_id": run_id, "epoch": epoch, "now": time.time()})

    @in_words
    def is_owned(self, run_id: str) -> bool:
        """Return whether a live process owns the run, as far as can be known from here. Raises UnknownRunError."""
        process, beat, *_, state, identifier = self._owner_row(run_id)
        return has_owner(state, process, identifier, beat, time.time())

    @in_words
    def owner(self, run_id: str) -> Claim:
        """Return who owns the run, without reading its events. Raises UnknownRunError."""
        process, beat, owner, epoch, started, ended, *_ = self._owner_row(run_id)
        return Claim(epoch, owner, process, from_stamp(beat), from_stamp(started), from_stamp(ended))

    def _owner_row(self, run_id: str) -> tuple[Any, ...]:
        rows = self._database.read(self._sql["run_owner"], (run_id,))
        if not rows:
            raise unknown_run(run_id)
        return rows[0]

    def set_inputs(self, run_id: str, epoch: int, inputs: ResultRef, further: Sequence[ResultRef]) -> None:
        """Replace the run's inputs by `inputs`, which names the values in `further`. Raises as `claim`."""
        values = {
            "run_id": run_id,
            "epoch": epoch,
            "digest": bytes.fromhex(inputs.digest),
            "size_bytes": inputs.size_bytes,
        }
        self._compare_and_set("set_inputs", values, needed=(inputs, *further))

    def set_identifier(self, run_id: str, epoch: int, identifier: str) -> None:
        """Note what its flow runner calls the process that was started for the run.

        Args:
            run_id: of the run.
            epoch: at which it was claimed for that process, which may have claimed it itself by now.
            identifier: as given to `started` by the flow runner.
        """
        values = {"run_id": run_id, "epoch": epoch, "identifier": identifier}
        self._database.write(lambda connection: connection.execute(self._sql["set_identifier"], values))

    def set_flow_runner(self, run_id: str, epoch: int, flow_runner: Mapping[str, Any] | None) -> None:
        """Note the settings of the flow runner that starts the run's processes from now on. Raises as `claim`."""
        text = None if flow_runner is None else json.dumps(dict(flow_runner))
        self._compare_and_set("set_flow_runner", {"run_id": run_id, "epoch": epoch, "flow_runner": text})

    def set_flow(
        self, run_id: str, epoch: int, graph: Mapping[str, Any], flow: ResultRef | None, unkept: str | None
    ) -> None:
        """Replace graph and flow of a run that hasn't begun, whose flow was read from its file again. Raises as `claim`."""
        text = json.dumps(graph, separators=(",", ":"))
        values: dict[str, object] = {
            "run_id": run_id,
            "epoch": epoch,
            "graph_id": self._database.write(lambda connection: store_graph(connection, text)),
            "digest": flow and bytes.fromhex(flow.digest),
            "size_bytes": flow and flow.size_bytes,
            "unkept": unkept,
        }
        self._compare_and_set("set_flow", values, needed=() if flow is None else (flow,))

    def _compare_and_set(self, statement: str, values: dict[str, object], needed: Sequence[ResultRef] = ()) -> None:
        """Change the run's row if it is at the expected epoch; `needed` are values that the run needs from then on."""
        run_id = str(values["run_id"])

        def change(connection: sqlite3.Connection) -> tuple[RunRow, str] | None:
            is_changed = connection.execute(self._sql[statement], values).rowcount
            if is_changed and not needed:
                return None
            found = connection.execute(self._sql["run_row"], (run_id,)).fetchone()
            if found is None:
                raise unknown_run(run_id)
            row = RunRow._make(found)
            if is_changed:
                rows = [(row.id, bytes.fromhex(ref.digest)) for ref in needed]
                connection.executemany(self._sql["hold_value"], rows)
                return None
            decided = connection.execute(self._sql["last_decision"], (row.id,)).fetchone()
            return row, json.loads(decided[0])["by"] if decided else ""

        if (lost := self._database.write(change)) is not None:
            raise _moved_on(run_id, lost[0]) if lost[0].epoch == values["epoch"] else claimed_error(run_id, *lost)


def _moved_on(run_id: str, row: RunRow) -> RunClaimedError:
    msg = (
        f"Run {run_id} has recorded more since it was read, so it isn't claimed. "
        f"Look at it again with flowbook.run({run_id!r}), then go on with it."
    )
    return RunClaimedError(msg, run_id=run_id, owner=row.owner, since=from_stamp(row.claimed), epoch=row.epoch)
