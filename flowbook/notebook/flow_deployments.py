"""What `%flow deploy` and `%flow schedule` do: deploy a notebook's flow by value, and say what runs it."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any

from flowbook.deployments.creation import create_deployments
from flowbook.deployments.cron_schedule import CronSchedule
from flowbook.deployments.deployment_spec import DeploymentSpec
from flowbook.deployments.interval_schedule import IntervalSchedule
from flowbook.deployments.outlook import summary
from flowbook.deployments.rrule_schedule import RRuleSchedule
from flowbook.exceptions import ScheduleError

if TYPE_CHECKING:
    from flowbook.core.flow import Flow
    from flowbook.deployments.schedule import Schedule
    from flowbook.store import Store

__all__ = ["deploy_flow", "schedule_of"]

_EVERY = re.compile(r"every\s+(?P<count>\d+\s*)?(?P<unit>second|minute|hour|day|week|[smhdw])s?", re.IGNORECASE)
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_REFUSED = re.compile(r"[/%&><]")
_AGENT = "An agent of this machine runs it, also without this notebook. Start one in a terminal: flowbook agent start"
_CODE = "The code is kept as it is now: write this line again after a change."
_KEEP = "To keep an agent running: systemd, launchd or the Task Scheduler; docs/schedules.md says how."


def schedule_of(text: str, timezone: str = "UTC") -> Schedule:
    """Return the schedule that a line names: a cron line, "every 2 hours" or "FREQ=WEEKLY;BYDAY=MO".

    Raises:
        ScheduleError: if it is none of them.
    """
    if match := _EVERY.fullmatch(text.strip()):
        seconds = int(match["count"] or 1) * _UNITS_S[match["unit"][0].lower()]
        return IntervalSchedule(dt.timedelta(seconds=seconds), timezone=timezone)
    if text.strip().lower().startswith("every "):
        msg = f"{text!r} isn't understood. Write e.g. 'every 2 hours', or a cron line such as '0 6 * * *'."
        raise ScheduleError(msg, schedule=text)
    if "FREQ=" in text.upper():
        return RRuleSchedule(text, timezone=timezone)
    return CronSchedule(text, timezone=timezone)


def deploy_flow(store: Store, flow: Flow, notebook: str, schedule: Schedule | None = None, **fields: Any) -> str:  # noqa: ANN401  # those of a spec
    """Deploy a flow by value; return what to say of it.

    Args:
        store: where.
        flow: as it is written now.
        notebook: file name of the notebook, which names the deployment unless `fields` have a name.
        schedule: when it runs; None: when somebody runs it.
        fields: of `DeploymentSpec`: `name`, `parameters`, `flow_runner`.

    Raises:
        DefinitionError: if a field isn't what it should be, or the flow can't be kept by value.
        StoreError: if it can't be written.
    """
    name = fields.pop("name", None) or _name_of(notebook)
    (made,) = create_deployments(store, [DeploymentSpec(name, flow, schedule=schedule, **fields)])
    lines = [summary(made, dt.datetime.now(dt.UTC)), _CODE]
    if schedule is None:
        return "\n".join([*lines, f"Run it: flowbook deployment run '{made.title}'. {_AGENT}"])
    return "\n".join([*lines, _AGENT, _KEEP, f"Pause it: flowbook deployment pause '{made.title}'"])


def _name_of(notebook: str) -> str:
    return _REFUSED.sub("-", notebook.removesuffix(".ipynb")).strip() or "notebook"
