"""The arguments of `flowbook deployment`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

__all__ = ["add_deployment"]

_NAME = "FLOW/NAME, or NAME if only one flow has it, or the beginning of its id"


def add_deployment(group: argparse.ArgumentParser, common: argparse.ArgumentParser) -> None:
    """Add the commands of `flowbook deployment` to its parser."""
    commands = group.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, text: str, example: str, *, is_of_one: bool = True) -> argparse.ArgumentParser:
        epilog = f"Example: flowbook deployment {name} {example}"
        found = commands.add_parser(name, parents=[common], help=text, description=text, epilog=epilog)
        found.set_defaults(command=f"deployment {name}")
        if is_of_one:
            found.add_argument("deployment", metavar="NAME", help=_NAME)
        return found

    create = add("create", "create or change the deployments that a file describes", "nightly.yaml", is_of_one=False)
    create.add_argument("file", help="a .py or .yaml file with DeploymentSpecs")
    ls = add("ls", "list the deployments, and when each runs next", "--flow delays", is_of_one=False)
    ls.add_argument("--flow", help="only of this flow")
    add("inspect", "show one deployment and its last runs", "delays/nightly")
    preview = add("preview", "show its next times and what would be started, and start nothing", "delays/nightly")
    preview.add_argument("--count", type=int, default=5, metavar="N", help="how many times; default: 5")
    run = add("run", "make a run, which an agent starts", "delays/nightly --param origin=JFK")
    run.add_argument("--at", metavar="TIME", help="not before this time, e.g. 'tomorrow 9:00' (local time)")
    execute = add("execute", "run it now, without an agent, and wait", "delays/nightly --param origin=JFK")
    for command in (run, execute):
        command.add_argument(
            "--param",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="a value instead of the deployment's; may be given several times",
        )
    add("pause", "pause its schedule", "delays/nightly")
    add("resume", "let its schedule go on from now; what has passed is left out", "delays/nightly")
    add("delete", "delete it; its runs stay", "delays/nightly")
