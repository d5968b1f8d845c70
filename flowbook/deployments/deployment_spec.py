"""What a person writes to deploy a flow: its name, where the flow is, with which parameters, when and where it runs.

Making a spec touches nothing. `deploy(spec)` records it; `flowbook deployment create FILE` records all specs of a file.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowbook import config
from flowbook.core.flow import Flow
from flowbook.core.flow_files import split_location
from flowbook.deployments.schedule_settings import read_schedule
from flowbook.exceptions import DefinitionError, DeploymentError, FlowbookError
from flowbook.flow_run import option_checks
from flowbook.flow_runners import UniversalFlowRunner
from flowbook.notices.receiver import read_receivers

if TYPE_CHECKING:
    from flowbook.deployments.schedule import Schedule
    from flowbook.flow_run.ports import FlowRunner
    from flowbook.notices.receiver import Receiver

__all__ = ["SPEC_FIELDS", "DeploymentSpec", "collecting", "spec_folder"]

SPEC_FIELDS = ("name", "flow", "flow_location", "flow_name", "parameters", "tags", "schedule", "flow_runner", "notify")
#: They would make paths, queries and a shell's words of a name.
_REFUSED = "/%&><"

_specs: ContextVar[list[DeploymentSpec] | None] = ContextVar("flowbook_deployment_specs", default=None)
_folder: ContextVar[Path | None] = ContextVar("flowbook_deployment_folder", default=None)


class DeploymentSpec:
    """A deployment as it is written down.

    Args:
        name: what people call it, beside its flow: `flowbook deployment run FLOW/NAME`.
        flow: the flow. In a notebook its code is kept by value; in a file that is deployed, the file is, unless its runs live
            in containers.
        flow_location: instead of `flow`: the Python file that makes it, which is read again by each run. In a file of specs
            it is relative to that file.
        flow_name: name of the flow in `flow_location`, needed if the file makes several; or write "flows.py:nightly".
        parameters: values by name for each run.
        tags: labels.
        schedule: when runs are due: a cron line, a timedelta, a `CronSchedule`, `IntervalSchedule` or `RRuleSchedule`;
            default: only when somebody runs it.
        flow_runner: where the process of a run lives; default: `UniversalFlowRunner()`, which leaves it to the agent.
        notify: who is told of its runs, besides those that the flow names: as for `Flow`.

    Raises:
        DeploymentError: if the name or another field is not what it should be, or there is no flow.
        ScheduleError: if the schedule isn't one.
    """

    def __init__(  # noqa: PLR0913  # the names promised to users
        self,
        name: str | None = None,
        flow: Flow | None = None,
        flow_location: str | Path | None = None,
        flow_name: str | None = None,
        parameters: Mapping[str, object] | None = None,
        tags: list[str] | tuple[str, ...] | None = None,
        schedule: object = None,
        flow_runner: FlowRunner | None = None,
        notify: object = None,
        **unknown: object,
    ) -> None:
        self.name = _name(name)
        for field in unknown:
            near = difflib.get_close_matches(field, SPEC_FIELDS, 1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Its fields: {', '.join(SPEC_FIELDS)}."
            raise self._error(f"a DeploymentSpec has no field {field!r}. {hint}", field)
        self.flow = flow
        self.flow_location, name_there = self._location(flow_location)
        self.flow_name = self._text("flow_name", flow_name) or name_there
        self._check_flow()
        self.parameters = self._parameters(parameters)
        self.tags = self._tags(tags)
        self.schedule: Schedule | None = self._schedule(schedule)
        self.flow_runner = self._flow_runner(flow_runner)
        self.notify = self._receivers(notify)
        if (specs := _specs.get()) is not None:
            specs.append(self)

    def _location(self, given: object) -> tuple[Path | None, str | None]:
        """Return the file, and the flow's name if that stands behind it: "flows.py:nightly"."""
        if given is None:
            return None, None
        if not isinstance(given, str | Path) or not str(given).strip():
            raise self._error(
                f"flow_location={given!r} isn't a path. Give the Python file that makes the flow.", "flow_location"
            )
        file, name_there = split_location(str(given))
        return (spec_folder() / Path(file).expanduser()).absolute(), name_there

    def _check_flow(self) -> None:
        if self.flow is None and self.flow_location is None:
            message = "there is no flow. Give flow=..., or flow_location='flows.py' for the file that makes it."
            raise self._error(message, "flow")
        if self.flow is not None and not isinstance(self.flow, Flow):
            raise self._error(
                f"flow={self.flow!r} isn't a flow. Give the flow itself, not its function or name.", "flow"
            )
        if self.flow is not None and self.flow_location is not None:
            raise self._error("there are both flow and flow_location. Give one of them.", "flow_location")
        if self.flow is not None and self.flow_name not in {None, self.flow.name}:
            message = f"flow_name={self.flow_name!r}, but the flow is named {self.flow.name!r}. Leave flow_name out."
            raise self._error(message, "flow_name")

    def _text(self, field: str, given: object) -> str | None:
        if given is not None and (not isinstance(given, str) or not given.strip()):
            raise self._error(f"{field}={given!r} isn't a name. Give a text, or leave it out.", field)
        return given

    def _parameters(self, given: object) -> dict[str, object]:
        if given is not None and (not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given)):
            raise self._error(
                f"parameters={given!r} isn't a dict by name. Give e.g. {{'origin': 'JFK'}}.", "parameters"
            )
        return dict(given or {})

    def _tags(self, given: object) -> tuple[str, ...]:
        if given is not None and (
            not isinstance(given, list | tuple) or not all(isinstance(tag, str) for tag in given)
        ):
            raise self._error(f"tags={given!r} isn't a list of texts. Give e.g. ['db'].", "tags")
        return tuple(dict.fromkeys(given or ()))

    def _schedule(self, given: object) -> Schedule | None:
        try:
            return read_schedule(given)
        except FlowbookError as error:
            details = {**error.details, "field": "schedule"}
            raise type(error)(f"Deployment {self.name!r}: {error}", **details) from error

    def _flow_runner(self, given: Any) -> FlowRunner:  # noqa: ANN401  # as it came
        try:
            return option_checks.flow_runner(given) or UniversalFlowRunner()
        except DefinitionError as error:
            raise self._error(str(error), "flow_runner") from error

    def _receivers(self, given: object) -> tuple[Receiver, ...]:
        try:
            return read_receivers(f"Deployment {self.name!r}", given)
        except FlowbookError as error:
            raise type(error)(str(error), **{**error.details, "field": "notify"}) from error

    def _error(self, message: str, field: str) -> DeploymentError:
        return DeploymentError(f"Deployment {self.name!r}: {message}", deployment=self.name, field=field)

    def __repr__(self) -> str:
        where = f"flow={self.flow.name!r}" if self.flow is not None else f"flow_location={str(self.flow_location)!r}"
        return f"DeploymentSpec(name={self.name!r}, {where})"


@contextmanager
def collecting(folder: Path) -> Iterator[list[DeploymentSpec]]:
    """Collect the specs that are made in the block; their locations are relative to `folder`."""
    specs: list[DeploymentSpec] = []
    tokens = _specs.set(specs), _folder.set(folder)
    try:
        yield specs
    finally:
        _specs.reset(tokens[0])
        _folder.reset(tokens[1])


def spec_folder() -> Path:
    """Return the folder that locations are relative to: of the file that is read, or else the working folder."""
    return _folder.get() or config.working_folder()


def _name(given: object) -> str:
    if not isinstance(given, str) or not given.strip():
        msg = f"Deployment name {given!r} isn't a name. Give a text, e.g. DeploymentSpec(name='nightly', ...)."
        raise DeploymentError(msg, deployment=repr(given), field="name")
    if refused := [mark for mark in _REFUSED if mark in given]:
        msg = f"Deployment name {given!r} has {refused[0]!r} in it. Use any characters but {' '.join(_REFUSED)}."
        raise DeploymentError(msg, deployment=given, field="name")
    return given
