"""Creates deployments from specs: checks that flow, parameters and flow runner fit, and records all of them or none."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from flowbook import config
from flowbook._utils.versions import versions_here
from flowbook.core.flow_files import FlowFile, read_flow_file
from flowbook.deployments.changes import cancel_waiting
from flowbook.deployments.spec_files import read_spec_file
from flowbook.exceptions import DefinitionError, DeploymentError, FlowbookError, ParameterError, UnpicklableError
from flowbook.executors import LocalExecutor
from flowbook.flow_run.fingerprint import fingerprint
from flowbook.flow_run.new_record import shown_value
from flowbook.notices.receiver import store_receivers
from flowbook.store import open_store
from flowbook.store.deployments import DeploymentRecord

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from flowbook.core.flow import Flow
    from flowbook.deployments.deployment_spec import DeploymentSpec
    from flowbook.results.reference import ResultRef
    from flowbook.store import Store

__all__ = ["create_deployments", "create_deployments_in", "deploy"]


class _Placed(NamedTuple):
    """A spec with its flow, and where that is.

    Attributes:
        file: that makes the flow; None if it is kept by value.
    """

    spec: DeploymentSpec
    flow: Flow
    file: FlowFile | None


def create_deployments_in(store: Store, path: str | Path) -> list[DeploymentRecord]:
    """Create the deployments that a `.py` or `.yaml` file describes; those of the same flow and name are changed.

    Raises:
        DefinitionError: if the file can't be read or run, or a spec doesn't fit its flow; nothing is recorded then.
        StoreError: if they can't be written.
    """
    found = read_spec_file(path)
    files = {} if found.flow_file is None else {found.path: found.flow_file}
    try:
        return _create(store, found.specs, files)
    except DefinitionError as error:
        raise type(error)(f"{found.path}: {error}", **error.details) from error


def deploy(*specs: DeploymentSpec) -> list[DeploymentRecord]:
    """Create deployments in the store; those of the same flow and name are changed, and keep their ids.

    Raises:
        DefinitionError: if a spec doesn't fit its flow; nothing is recorded then.
        StoreError: if they can't be written.
    """
    return create_deployments(open_store(), specs)


def create_deployments(store: Store, specs: Sequence[DeploymentSpec]) -> list[DeploymentRecord]:
    """Create deployments; those of the same flow and name are changed, and keep their ids. Raises as above."""
    return _create(store, specs, {})


def _create(store: Store, specs: Sequence[DeploymentSpec], files: dict[Path, FlowFile]) -> list[DeploymentRecord]:
    placed = [_placed(spec, files) for spec in specs]
    _refuse_twins(placed)
    for each in placed:
        _check_parameters(each)
        _check_flow_runner(each.spec)
    records = [_record(store, each) for each in placed]
    before = [found for each in records for found in store.deployments.named(each.name, each.flow)]
    made = store.deployments.save(records)
    _cancel_made_ahead(store, before, made)
    return made


def _cancel_made_ahead(store: Store, before: Sequence[DeploymentRecord], after: Sequence[DeploymentRecord]) -> None:
    """Cancel the runs that schedules made ahead of their time which are others now."""
    now = store.now()
    schedules = {each.id: each.schedule for each in after}
    for each in before:
        if schedules[each.id] != each.schedule:
            ahead = [run_id for run_id, due in store.deployments.waiting_runs(each.id).items() if due > now]
            cancel_waiting(store, ahead, "The schedule was changed.")


def _placed(spec: DeploymentSpec, files: dict[Path, FlowFile]) -> _Placed:
    """Find a spec's flow; a file is run once for all specs that name it."""
    if spec.flow is not None:
        if not _is_of_this_machine(spec):
            return _Placed(spec, spec.flow, None)  # its code goes along: a container hasn't this machine's files
        home = next((file for file in files.values() if any(flow is spec.flow for flow in file.flows)), None)
        return _Placed(spec, spec.flow, home)
    assert spec.flow_location is not None  # noqa: S101  # a spec has one or the other
    path = spec.flow_location
    try:
        if path not in files:
            files[path] = read_flow_file(path)
        return _Placed(spec, files[path].flow(spec.flow_name), files[path])
    except DefinitionError as error:
        raise _error(spec, str(error), "flow_location") from error


def _is_of_this_machine(spec: DeploymentSpec) -> bool:
    """Return whether runs live in a process of the machine that starts them, with its files."""
    return bool(getattr(spec.flow_runner, "is_of_this_machine", True))


def _refuse_twins(placed: Sequence[_Placed]) -> None:
    seen = set()
    for spec, flow, _ in placed:
        if (flow.name, spec.name) in seen:
            msg = f"two deployments of flow {flow.name!r} have this name. Give each a name of its own."
            raise _error(spec, msg, "name")
        seen.add((flow.name, spec.name))


def _check_parameters(placed: _Placed) -> None:
    spec, flow, _ = placed
    known = {parameter.name: parameter for parameter in flow.parameters()}
    if unknown := [name for name in spec.parameters if name not in known]:
        there = ", ".join(known) or "none"
        msg = f"flow {flow.name!r} has no parameter {unknown[0]!r}. Its parameters: {there}."
        raise _error(spec, msg, "parameters")
    if missing := [name for name, each in known.items() if each.required and name not in spec.parameters]:
        msg = f"flow {flow.name!r} needs a value for {missing[0]!r}. Give it: parameters={{{missing[0]!r}: ...}}."
        raise _error(spec, msg, "parameters")
    for name, value in spec.parameters.items():
        try:
            known[name].accept(value)
        except ParameterError as error:
            raise _error(spec, str(error), "parameters") from error


def _check_flow_runner(spec: DeploymentSpec) -> None:
    if not _is_of_this_machine(spec):
        return  # the agent's machine may have what this one lacks
    try:
        spec.flow_runner.check()
    except FlowbookError as error:
        raise _error(spec, str(error), "flow_runner") from error


def _record(store: Store, placed: _Placed) -> DeploymentRecord:
    spec, flow, file = placed
    told = store_receivers((*flow.notify, *spec.notify), store.values)
    for name, why in told.unkept.items():
        message = f"{name} of notify= can't be stored, and its runs have processes of their own: {why}"
        raise _error(spec, message, "notify")
    flow_ref, why_not = _stored_flow(store, placed)
    return DeploymentRecord(
        flow=flow.name,
        name=spec.name,
        project=config.project(None if file is None else file.path.parent),
        graph=fingerprint(flow, flow.compile()),
        parameters={name: shown_value(value) for name, value in spec.parameters.items()},
        parameters_ref=_stored_parameters(store, spec),
        flow_ref=flow_ref,
        flow_unkept=why_not,
        flow_location=None if file is None else f"{file.path}:{flow.name}",
        file_digest=None if file is None else file.digest,
        made_by={**versions_here(), "folder": str(config.working_folder())},
        tags=spec.tags,
        executor=(flow.executor or LocalExecutor()).describe(),
        schedule=None if spec.schedule is None else spec.schedule.to_settings(),
        flow_runner=spec.flow_runner.to_settings().as_json(),
        receivers=told.rows,
        further=told.refs,
    )


def _stored_flow(store: Store, placed: _Placed) -> tuple[ResultRef | None, str | None]:
    """Store the flow by value; where it is read from its file, so that its runs can be looked at without running that."""
    found, why_not = store.runs.store_flow(placed.flow)
    if found is None and placed.file is None:
        msg = f"flow {placed.flow.name!r} can't be kept by value: {why_not} Or write it in a file, and give flow_location."
        raise _error(placed.spec, msg, "flow")
    return found, why_not


def _stored_parameters(store: Store, spec: DeploymentSpec) -> ResultRef:
    try:
        return store.values.put(spec.parameters)
    except UnpicklableError as error:
        name = next(each for each, value in spec.parameters.items() if not _is_storable(store, value))
        msg = f"parameter {name!r} is a {type(spec.parameters[name]).__name__}, which can't be stored. Give plain data."
        raise _error(spec, msg, "parameters") from error


def _is_storable(store: Store, value: object) -> bool:
    try:
        store.values.prepare(value)
    except UnpicklableError:
        return False
    return True


def _error(spec: DeploymentSpec, message: str, field: str) -> DeploymentError:
    return DeploymentError(f"Deployment {spec.name!r}: {message}", deployment=spec.name, field=field)
