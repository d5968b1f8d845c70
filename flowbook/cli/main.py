"""The command line: its commands and their options, and how errors end them. Exit codes: 0 done, 1 failed, 2 wrong usage."""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from flowbook.cli.deployment_arguments import add_deployment
from flowbook.cli.output import standard
from flowbook.cli.plain_warnings import plain_warnings
from flowbook.cli.server_arguments import add_server
from flowbook.exceptions import DefinitionError, FlowbookError, InfrastructureError, UnknownTaskError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from flowbook.cli.output import Output

    Command = Callable[[argparse.Namespace, Output], int]

__all__ = ["main", "parser"]

DONE, FAILED, WRONG_USAGE = 0, 1, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    args = parser().parse_args(argv)
    out = standard(is_json=args.json)
    try:
        with plain_warnings(out):
            code = _command(args.command)(args, out)
        out.to.flush()
    except FlowbookError as error:
        out.error(error, getattr(args, "run", ""))
        is_wrong_use = isinstance(error, DefinitionError) and not isinstance(error, UnknownTaskError)
        return WRONG_USAGE if is_wrong_use else FAILED
    except BrokenPipeError:
        # The reader has closed the pipe; Python would complain again when it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except OSError as error:
        out.error(_system_error(error))
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # as above
        return FAILED
    except KeyboardInterrupt:
        return FAILED
    return code


def _system_error(error: OSError) -> InfrastructureError:
    """Return in words what the system refused; an error that names no file is about what is written to stdout."""
    why = error.strerror or str(error)
    if error.filename is None:
        return InfrastructureError(f"What is to be shown can't be written: {why}. Send it to another place.")
    return InfrastructureError(f"{error.filename} can't be used: {why}. Make it usable, or name another one.")


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="write JSON, for programs")
    top = argparse.ArgumentParser(
        prog="flowbook",
        description="Recorded runs and cached outputs of flowbook's store (FLOWBOOK_HOME).",
        epilog="Exit codes: 0 done, 1 failed, 2 wrong usage.",
    )
    top.add_argument("--version", action=_Version, nargs=0, help="the same as the command version")
    groups = top.add_subparsers(required=True, metavar="COMMAND")
    version = groups.add_parser("version", parents=[common], help="say which flowbook this is, and where its store is")
    version.set_defaults(command="version")
    _add_cache(groups.add_parser("cache", help="cached outputs"), common)
    _add_run(groups.add_parser("run", help="recorded runs"), common)
    add_deployment(groups.add_parser("deployment", help="flows that run on a schedule, or when asked for"), common)
    _add_notify(groups.add_parser("notify", help="who is told of runs"), common)
    _add_agent(groups.add_parser("agent", help="starts runs at their time"), common)
    add_server(groups.add_parser("server", help="serves the store to browsers and other machines"), common)
    return top


class _Version(argparse.Action):
    """`flowbook --version`, as in other programs."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, *_: object) -> None:
        namespace.json = False
        parser.exit(_command("version")(namespace, standard(is_json=False)))


def _add_cache(group: argparse.ArgumentParser, common: argparse.ArgumentParser) -> None:
    commands = group.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, text: str) -> argparse.ArgumentParser:
        found = commands.add_parser(name, parents=[common], help=text, description=text)
        found.set_defaults(command=f"cache {name}")
        return found

    ls = add("ls", "list the entries")
    ls.add_argument("--flow", help="only of this flow")
    ls.add_argument("--task", help="only of this task")
    ls.add_argument(
        "--at", metavar="TIME", help="only entries that were valid then, e.g. '2026-11-20 09:00' (local time)"
    )
    add("show", "show one entry, without loading it").add_argument("id")
    add("expire", "expire entries now").add_argument("id", nargs="+")
    gc = add("gc", "make room: drop values that are old, expired, unpinned and needed by no open run")
    gc.add_argument(
        "--older-than", type=_days, metavar="DAYS", help="keep younger values if there is room; default: 30"
    )
    gc.add_argument("--total-bytes", type=_bytes, metavar="N", help="keep at most N bytes; default: 20 GB")
    gc.add_argument("--dry-run", action="store_true", help="only show what would be dropped")


#: What follows the command in the example that its help shows.
_RUN_EXAMPLES = {
    "ls": "--flow delays --state Failed",
    "start": "delays.py:nightly --param origin=JFK --detach --on docker:flows:2",
    "inspect": "last failed",
    "logs": "delays --task clean --follow",
    "watch": "delays",
    "hand-over": "last --by ana",
    "cancel": "last --now --note 'wrong year'",
    "delete": "'delays 4'",
    "resume": "delays approve --input threshold=20 --note 'as agreed'",
    "skip": "delays approve",
    "reject": "delays approve --note 'August is missing'",
    "retry": "delays 'parse[3]' --flow delays.py",
    "export": "'delays 4' delays-4.flowbook",
    "import": "delays-4.flowbook",
}


def _add_run(group: argparse.ArgumentParser, common: argparse.ArgumentParser) -> None:
    commands = group.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, text: str, *, is_of_one: bool = True) -> argparse.ArgumentParser:
        example = f"Example: flowbook run {name} {_RUN_EXAMPLES[name]}".rstrip()
        found = commands.add_parser(name, parents=[common], help=text, description=text, epilog=example)
        found.set_defaults(command=f"run {name}")
        if is_of_one:
            found.add_argument(
                "run", help='id of the run or its beginning, number, flow, "delays 17", "last" or "last failed"'
            )
        return found

    ls = add("ls", "list the runs", is_of_one=False)
    ls.add_argument("--flow", help="only of this flow")
    ls.add_argument("--state", help="only in this state, e.g. Paused or Crashed")
    ls.add_argument("--waiting", action="store_true", help="only runs that wait for a person")
    ls.add_argument("--limit", type=_count, metavar="N", help="at most the N newest; default: 20")
    ls.add_argument("--all", action="store_true", help="every run")
    start = add("start", "run a flow from a Python file, recorded", is_of_one=False)
    start.add_argument("flow", metavar="FILE.py:FLOW", help="the file, and the flow's name if it makes several")
    start.add_argument(
        "--param", action="append", default=[], metavar="NAME=VALUE", help="a parameter; may be given several times"
    )
    start.add_argument("--name", default="", help="what people call this run")
    start.add_argument("--detach", action="store_true", help="in a process of its own, which outlives this terminal")
    _lives_on(start, "with --detach: where the process lives")
    inspect = add("inspect", "show one run and its tasks, or one task")
    inspect.add_argument("task", nargs="?", help="only this task or child, e.g. 'clean[3]'")
    inspect.add_argument("--all", action="store_true", help="every child of mapped tasks, too")
    inspect.add_argument("--traceback", action="store_true", help="every frame of a failure's traceback")
    logs = add("logs", "write the log lines, prints and tracebacks of its tasks")
    logs.add_argument("--task", help="only of this task")
    logs.add_argument("--follow", action="store_true", help="keep writing until the run is at rest")
    logs.add_argument("--output", action="store_true", help="what its own process wrote, instead; as it is")
    add("watch", "follow it until it is at rest, whichever process has it; Ctrl-C ends only the watching")
    _add_answers(add)
    about = "write it with its values into a file; into FILE.html as a report that opens in any browser"
    add("export", about).add_argument("file")
    import_ = add("import", "import a run from a file that export wrote", is_of_one=False)
    import_.add_argument("file")
    import_.add_argument(
        "--trust", action="store_true", help="even if somebody else signed it; its code then runs as you"
    )


def _lives_on(command: argparse.ArgumentParser, about: str) -> None:
    command.add_argument(
        "--on", metavar="WHERE", help=f"{about}: subprocess (the default), docker:IMAGE or kubernetes:IMAGE"
    )


def _add_answers(add: Callable[[str, str], argparse.ArgumentParser]) -> None:
    """Add what decides about a run."""
    hand_over = add("hand-over", "let a process of its own go on with it, whichever process has it now")
    _lives_on(hand_over, "where the process lives")
    _decides(hand_over)
    cancel = add("cancel", "cancel it, whichever process has it, and wait until its running tasks have ended")
    cancel.add_argument("--now", action="store_true", help="stop running tasks, too; they run again on resume")
    _decides(cancel)
    add("delete", "delete it for good; what it cached stays")
    resume = add("resume", "resume a run that waits, was cancelled or crashed; here, unless another process has it")
    resume.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="what the one task named gets instead, written as what it waits with; may be given several times",
    )
    skip = add("skip", "skip tasks that wait: they end without running, and so do those below")
    reject = add("reject", "reject tasks that wait: they fail, and those below don't run unless they handle failures")
    retry = add("retry", "run the failed tasks again; those that were rejected ask again")
    for command, which in ((resume, "wait"), (skip, "wait"), (reject, "wait"), (retry, "failed")):
        command.add_argument("task", nargs="*", help=f"only these tasks or children; default: all that {which}")
    for command in (resume, skip, reject, retry):
        _decides(command)
        command.add_argument(
            "--flow",
            metavar="FILE",
            help="use the flow in this Python file; default: the one that is stored with the run",
        )
        command.add_argument(
            "--force",
            action="store_true",
            help="even if that flow's code has changed, or an input of the run is missing here",
        )


def _add_agent(group: argparse.ArgumentParser, common: argparse.ArgumentParser) -> None:
    commands = group.add_subparsers(required=True, metavar="COMMAND")
    text = "start due runs on this machine, each in a process of its own, until Ctrl-C or SIGTERM"
    start = commands.add_parser(
        "start",
        parents=[common],
        help=text,
        description=f"{text}. The first Ctrl-C claims nothing more and waits for the runs that go on; a second one ends them.",
        epilog="Example: flowbook agent start --limit 4 --name west",
    )
    start.set_defaults(command="agent start")
    start.add_argument(
        "--limit", type=_count, metavar="N", help="at most N runs at once; default: one a core, 4 at least"
    )
    start.add_argument(
        "--prefetch",
        type=_seconds,
        metavar="S",
        default=10.0,
        help="claim a run S seconds before its time; default: 10",
    )
    start.add_argument(
        "--allow-host-mounts",
        action="store_true",
        help="let runs mount / and the Docker socket, which gives their containers this whole machine",
    )
    start.add_argument("--name", help="what people see of it; default: the machine's name and the process's number")
    text = "write what a service manager needs to keep an agent running; nothing is installed"
    example = "Example: flowbook agent unit > ~/.config/systemd/user/flowbook-agent.service"
    unit = commands.add_parser("unit", parents=[common], help=text, description=text, epilog=example)
    unit.set_defaults(command="agent unit")
    unit.add_argument("--manager", choices=("systemd", "launchd", "schtasks"), help="which; default: this system's")


def _add_notify(group: argparse.ArgumentParser, common: argparse.ArgumentParser) -> None:
    commands = group.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, text: str, example: str = "") -> argparse.ArgumentParser:
        epilog = f"Example: flowbook notify {example}" if example else None
        found = commands.add_parser(name, parents=[common], help=text, description=text, epilog=epilog)
        found.set_defaults(command=f"notify {name}")
        return found

    new = add(
        "add", "tell a URL of apprise, or a command, of all runs", "add --on failed mailto://ana:PASSWORD@example.com"
    )
    new.add_argument(
        "to", nargs="+", metavar="URL", help="a URL; - reads it from stdin; or a program and its arguments, after --"
    )
    new.add_argument(
        "--on",
        action="append",
        choices=("waits", "failed", "ended"),
        help="of what it is told; may be given several times; default: waits and failed",
    )
    add("ls", "list who is told; secrets of URLs are hidden", "ls --json")
    test = add("test", "send a test notice", "test 2")
    test.add_argument("receiver", nargs="?", help="a number of ls, or a URL; default: everybody")
    add("remove", "tell somebody no more", "remove 2").add_argument("receiver", help="a number of ls, or a URL")


def _decides(command: argparse.ArgumentParser) -> None:
    command.add_argument("--by", default=os.environ.get("USER", ""), help="who decides; default: you")
    command.add_argument("--note", default="", help="the reason; stored with the run")


#: The module of each command and its function there, which has the verb's name unless something else is written.
_COMMANDS: Mapping[str, str] = {
    "version": "version",
    "agent start": "agent",
    "server start": "server",
    "agent unit": "agent_unit",
    **dict.fromkeys([f"cache {verb}" for verb in ("ls", "show", "expire", "gc")], "cache"),
    **dict.fromkeys(
        [f"deployment {verb}" for verb in ("create", "ls", "inspect", "preview", "run", "pause", "resume", "delete")],
        "deployment",
    ),
    "deployment execute": "deployment_run",
    **dict.fromkeys([f"notify {verb}" for verb in ("add", "ls", "test", "remove")], "notify"),
    **dict.fromkeys([f"run {verb}" for verb in ("ls", "inspect", "logs", "export")], "run"),
    "run import": "run.import_",
    **dict.fromkeys([f"run {verb}" for verb in ("start", "watch")], "run_start"),
    "run hand-over": "run_start.hand_over",
    "run delete": "run_delete.delete",
    **dict.fromkeys([f"run {verb}" for verb in ("cancel", "resume", "skip", "reject", "retry")], "run_answers"),
}


def _command(name: str) -> Command:
    """Return a command; only what it needs is loaded, and `--help` needs nothing."""
    module, _, function = _COMMANDS[name].partition(".")
    found: Command = getattr(import_module(f"flowbook.cli.{module}"), function or name.rpartition(" ")[2])
    return found


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = -1.0
    if not 0 <= days <= 100_000:  # noqa: PLR2004  # 270 years
        msg = f"{text!r} isn't a number of days. Give 0 or more, e.g. 30."
        raise argparse.ArgumentTypeError(msg)
    return days


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 86_400:  # noqa: PLR2004  # a day
        msg = f"{text!r} isn't a number of seconds. Give 0 to 86400, e.g. 10."
        raise argparse.ArgumentTypeError(msg)
    return seconds


def _bytes(text: str) -> int:
    if not (text.isascii() and text.replace("_", "").isdigit()):
        msg = f"{text!r} isn't a size. Give a whole number of bytes, e.g. 20_000_000_000."
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text)):
        msg = f"{text!r} isn't a count. Give a whole number, 1 or more."
        raise argparse.ArgumentTypeError(msg)
    return int(text)
