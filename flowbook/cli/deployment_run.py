"""`flowbook deployment execute`: runs a deployment now, in a process of its own, and waits; no agent is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.cli.param_values import read_params
from flowbook.cli.run_ends import find_run
from flowbook.cli.run_start import follow
from flowbook.deployments.deployment_names import find_deployment
from flowbook.deployments.due_runs import create_run, settings_of_runs
from flowbook.exceptions import RunClaimedError
from flowbook.flow_run.flow_runner_of import flow_runner_of
from flowbook.flow_run.submission import Submission, claim_for_process
from flowbook.store import open_store

if TYPE_CHECKING:
    from argparse import Namespace
    from typing import Any

    from flowbook.cli.output import Output
    from flowbook.store.deployments import DeploymentRecord

__all__ = ["execute"]


def execute(args: Namespace, out: Output) -> int:
    """Make a run of a deployment, start it through its flow runner, and follow it to its end."""
    store = open_store()
    found = find_deployment(store, args.deployment)
    made = create_run(store, found, read_params(args.param))
    try:
        recording = claim_for_process(store, made.run_id)
    except RunClaimedError:
        pass  # an agent was quicker; it is followed all the same
    else:
        Submission(recording, flow_runner_of(_quiet(found))).start()
    run = find_run(made.run_id)
    try:
        return follow(run, out)
    except KeyboardInterrupt:
        run.cancel(by="Ctrl-C")
        run.wait()
        return follow(run, out)


def _quiet(found: DeploymentRecord) -> dict[str, Any]:
    """Return the settings of a flow runner that doesn't write its process's output here: the run's events say what happens."""
    settings = settings_of_runs(found)
    kind = "subprocess" if settings["type"] == "universal" else settings["type"]
    return {"type": kind, "config": {**settings["config"], "stream_output": False}}
