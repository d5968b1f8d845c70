"""What `%flow deploy` and `%flow schedule` do: deploy a notebook's flow by value, and say what runs it."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING

from IPython.core.error import UsageError

from flowbook.core.typed_parameters import read_as_defaults
from flowbook.deployments.changes import pause_deployment, resume_deployment
from flowbook.deployments.creation import create_deployments
from flowbook.deployments.deployment_names import find_deployment
from flowbook.deployments.deployment_spec import DeploymentSpec
from flowbook.deployments.outlook import summary
from flowbook.deployments.schedule_text import schedule_of
from flowbook.notebook.arguments import parse_flow_runner, parse_parameters
from flowbook.notebook.frontend import notebook_name
from flowbook.store import open_store

if TYPE_CHECKING:
    from argparse import Namespace

    from IPython.core.interactiveshell import InteractiveShell

    from flowbook.core.flow import Flow

__all__ = ["FlowDeployments"]

_REFUSED = re.compile(r"[/%&><]")
_AGENT = "An agent of this machine runs it, also without this notebook. Start one in a terminal: flowbook agent start"
_CODE = "The code is kept as it is now: write this line again after a change."
_KEEP = "To keep an agent running, with systemd, launchd or the Task Scheduler: flowbook agent unit"


class FlowDeployments:
    """The deployments of a notebook's flows.

    Args:
        shell: of the notebook.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell

    def deploy(self, flow: Flow, args: Namespace, when: str | None = None) -> str:
        """Deploy a flow by value, as it is written now; return what to say of it.

        Args:
            flow: of the notebook, with the executor that its runs are to have.
            args: of the line: `action`, `title`, `param`, `on`, `timezone`.
            when: a schedule, as a line names it.

        Raises:
            UsageError: if a schedule or a flow runner isn't one.
            DefinitionError: if a parameter or the name isn't what it should be, or the flow can't be kept by value.
            StoreError: if it can't be written.
        """
        if args.action == "schedule" and when is None:
            msg = f"When is {flow.name} to run? Write %flow schedule {flow.name} '0 6 * * *', or 'every 2 hours'."
            raise UsageError(msg)
        schedule = None if when is None else schedule_of(when, args.timezone or "UTC")
        spec = DeploymentSpec(
            args.title or self._name(),
            flow,
            parameters=read_as_defaults(flow.parameters(), parse_parameters(args.param, self._shell.user_ns)),
            schedule=schedule,
            flow_runner=None if args.on is None else parse_flow_runner(args.on, self._shell.user_ns),
        )
        (made,) = create_deployments(open_store(), [spec])
        lines = [summary(made, dt.datetime.now(dt.UTC)), _CODE]
        if schedule is None:
            return "\n".join([*lines, _AGENT, f"Ask for a run in a terminal: flowbook deployment run '{made.title}'"])
        return "\n".join([*lines, _AGENT, _KEEP, f"Pause it: %flow schedule {flow.name} off"])

    def switch(self, flow: str, args: Namespace, *, on: bool) -> str:
        """Pause the schedule of a flow's deployment, or let it go on; return what to say of it. Raises UnknownDeploymentError."""
        store = open_store()
        found = find_deployment(store, f"{flow}/{args.title or self._name()}")
        changed = (resume_deployment if on else pause_deployment)(store, found)
        return summary(changed, dt.datetime.now(dt.UTC))

    def _name(self) -> str:
        return _name_of(notebook_name(self._shell))


def _name_of(notebook: str) -> str:
    return _REFUSED.sub("-", notebook.removesuffix(".ipynb")).strip() or "notebook"
