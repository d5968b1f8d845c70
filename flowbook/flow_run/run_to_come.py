"""Records a run that has yet to begin: at rest until its time has come, or claimed for a process that is about to start.

What can't go along to another process is said before anything is recorded as begun, by name.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from flowbook.engine.masks import secret_variable
from flowbook.engine.run_inputs import MissingInput
from flowbook.engine.state import Scheduled, Submitted
from flowbook.exceptions import RunIncompleteError
from flowbook.flow_run.new_record import owner_text, run_record
from flowbook.flow_run.recording import Recording
from flowbook.flow_run.stored_inputs import store_inputs
from flowbook.store import open_store

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

    from flowbook.engine.run_inputs import RunInputs
    from flowbook.flow_run.ports import FlowRunner
    from flowbook.flow_run.run_description import RunDescription, RunLabel

__all__ = [
    "create_run_to_come",
    "create_submitted_run",
    "lacking_secrets",
    "refuse_inputs_that_stay",
    "refuse_what_stays",
]


def create_run_to_come(  # noqa: PLR0913  # what such a run has
    run: RunDescription,
    inputs: RunInputs,
    due: dt.datetime,
    *,
    flow_runner: FlowRunner | None = None,
    deployment: str | None = None,
    flow_location: str | None = None,
) -> Recording | None:
    """Record a run at rest, in state Scheduled, for whoever starts it at its time.

    Returns:
        The run in the store; None if its deployment has a run of that time already.

    Raises:
        RunIncompleteError: if something of it can't be stored; says what.
        StoreError: if it can't be written.
    """
    return _create(run, inputs, flow_runner, due=due, deployment=deployment, flow_location=flow_location)


def create_submitted_run(run: RunDescription, inputs: RunInputs, flow_runner: FlowRunner) -> Recording:
    """Record a run that this process is about to start through a flow runner, in state Submitted. Raises as above."""
    found = _create(run, inputs, flow_runner, owner=owner_text())
    assert found is not None  # noqa: S101  # it is of no deployment
    return found


def _create(  # noqa: PLR0913  # as above
    run: RunDescription,
    inputs: RunInputs,
    flow_runner: FlowRunner | None,
    *,
    due: dt.datetime | None = None,
    owner: str = "",
    deployment: str | None = None,
    flow_location: str | None = None,
) -> Recording | None:
    store = open_store()
    record, missing, secrets, functions = run_record(store, run, inputs)
    if owner and flow_runner is not None:
        missing = (*missing, *lacking_secrets(secrets, flow_runner))
    refuse_what_stays(run.label, missing, record.flow_unkept if flow_location is None else None)
    record = replace(
        record,
        owner=owner,
        due=due,
        deployment=deployment,
        flow_runner=None if flow_runner is None else flow_runner.to_settings().as_json(),
        flow_ref=record.flow_ref if flow_location is None else None,
        flow_location=flow_location,
    )
    waits = Scheduled("It waits for its time.", start_time=due)
    state = Submitted("Its process is being started.", state=Scheduled(start_time=due)) if owner else waits
    created = store.runs.create_to_come(record, state)
    return None if created is None else Recording.at(store, created, 1, last_seq=1, functions=functions)


def refuse_what_stays(run: RunLabel, missing: Iterable[MissingInput], flow_unkept: str | None) -> None:
    """Raise RunIncompleteError if something that the run has can't go along to another process; names all of it.

    Args:
        run: named in the message.
        missing: inputs that can't be stored.
        flow_unkept: why the flow can't be stored; None if it can.
    """
    stays = {} if flow_unkept is None else {"its flow": flow_unkept}
    stays |= {_phrase(each): each.why for each in missing}
    if stays:
        listed = "; ".join(f"{name} ({why.removesuffix('.')})" for name, why in stays.items())
        msg = f"{run.title} can't go to another process, so nothing was started. These can't go along: {listed}."
        raise RunIncompleteError(msg, missing=tuple(stays))


def refuse_inputs_that_stay(
    recording: Recording, run: RunDescription, inputs: RunInputs, flow_runner: FlowRunner
) -> None:
    """Raise RunIncompleteError if inputs of a run at rest, or what its caller adds to them, can't go to its next process."""
    stored = store_inputs(inputs, run.graph, recording.store.values)
    new = [each for each in stored.missing if each not in inputs.missing]
    secrets = lacking_secrets(stored.secrets, flow_runner)
    refuse_what_stays(run.label, [*new, *secrets], None)


def lacking_secrets(secrets: Iterable[str], flow_runner: FlowRunner) -> list[MissingInput]:
    """Return the secrets of a run's context that a process of this flow runner wouldn't find in its environment."""
    if getattr(flow_runner, "keeps_secrets", False):
        return []
    found, env = [], {**os.environ, **flow_runner.env}
    for name in secrets:
        variable = secret_variable(name)
        if variable not in env:
            why = f"secrets are never stored; set the environment variable {variable} here, which the process inherits"
            found.append(MissingInput("secrets", name, why))
    return found


def _phrase(missing: MissingInput) -> str:
    kinds = {
        "outputs": "the output of ",
        "parameters": "parameter ",
        "secrets": "secret ",
        "state_handlers": "state handler ",
    }
    if missing.option == "executor":
        return "the executor"
    kind = kinds.get(missing.option)
    name = missing.name if missing.option == "state_handlers" else repr(missing.name)
    if kind is not None:
        return f"{kind}{name}"
    return f"{name} of the context" + (f" of task {missing.task!r}" if missing.task else "")
