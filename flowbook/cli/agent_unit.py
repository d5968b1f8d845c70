"""`flowbook agent unit`: writes what a service manager needs to keep an agent running. Installs nothing.

Secrets never go into it: others may read a unit. It names a file of the user's from which they are read when the agent starts.
"""

from __future__ import annotations

import os
import plistlib
import subprocess
import sys
from typing import TYPE_CHECKING

from flowbook.engine.masks import secret_variable
from flowbook.terminal.lines import Span

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping, Sequence

    from flowbook.cli.output import Output

__all__ = ["launchd_job", "scheduled_task", "systemd_unit", "unit"]

_LABEL = "flowbook.agent"
_API_TOKEN = "FLOWBOOK_API_TOKEN"  # noqa: S105  # its name
#: Where the secrets are, in the user's home.
_SECRETS_FILE = ".config/flowbook/agent.env"
_KEEP = {
    "systemd": "write it to ~/.config/systemd/user/flowbook-agent.service, then: systemctl --user enable --now flowbook-agent",
    "launchd": f"write it to ~/Library/LaunchAgents/{_LABEL}.plist, then: launchctl load -w that file",
    "schtasks": "run it in a command prompt",
}


def unit(args: Namespace, out: Output) -> int:
    """Write the unit of a service manager to stdout, and to stderr what to do with it."""
    command = [sys.executable, "-m", "flowbook", "agent", "start"]
    given = {name: value for name, value in sorted(os.environ.items()) if name.startswith("FLOWBOOK_")}
    secrets = [name for name in given if name == _API_TOKEN or name.startswith(secret_variable(""))]
    settings = {name: value for name, value in given.items() if name not in secrets}
    kind = args.manager or {"darwin": "launchd", "win32": "schtasks"}.get(sys.platform, "systemd")
    text = {"systemd": systemd_unit, "launchd": launchd_job, "schtasks": scheduled_task}[kind](
        command, settings, secrets
    )
    if out.is_json:
        out.record({"manager": kind, "text": text, "then": _KEEP[kind], "left_out": secrets})
        return 0
    out.line(text.rstrip("\n"))
    if secrets:
        out.errors.write(f"{_left_out(secrets, kind)}\n")
    if out.to.isatty():
        out.lines([(), (Span(f"  {_KEEP[kind]}", "dim"),)])
    return 0


def _left_out(secrets: Sequence[str], kind: str) -> str:
    """Return in words where the agent is to find the secrets that aren't written."""
    if kind == "schtasks":
        return f"Secrets aren't written into the task: {', '.join(secrets)}. The agent reads those of your user: setx NAME value."
    lines = " and ".join(f"{name}=..." for name in secrets)
    return f"Secrets aren't written here. Put {lines} into ~/{_SECRETS_FILE}, and let nobody else read it: chmod 600."


def systemd_unit(command: Sequence[str], settings: Mapping[str, str], secrets: Sequence[str] = ()) -> str:
    """Return a unit for `systemd --user`. Pure.

    Args:
        command: starts the agent.
        settings: its environment.
        secrets: names of further variables, which it reads from the user's file.
    """
    lines = [f'Environment="{name}={_quoted(value)}"' for name, value in settings.items()]
    if secrets:
        lines += [f"# {_left_out(secrets, 'systemd')}", f"EnvironmentFile=%h/{_SECRETS_FILE}"]
    return "\n".join(
        [
            "[Unit]",
            "Description=flowbook agent",
            "",
            "[Service]",
            *lines,
            f"ExecStart={' '.join(_word(each) for each in command)}",
            "Restart=on-failure",
            # SIGTERM goes to the agent alone: it waits for its runs, whose processes are not to end with it.
            "KillMode=process",
            "",
            "[Install]",
            "WantedBy=default.target",
            "",
        ]
    )


def launchd_job(command: Sequence[str], settings: Mapping[str, str], secrets: Sequence[str] = ()) -> str:
    """Return a job for launchd, of the user who is logged in. It knows no file of variables, so a shell reads that. Pure."""
    reads = ["/bin/sh", "-c", f'set -a; . "$HOME/{_SECRETS_FILE}"; exec "$0" "$@"'] if secrets else []
    job = {"Label": _LABEL, "ProgramArguments": [*reads, *command], "RunAtLoad": True, "KeepAlive": True}
    if settings:
        job["EnvironmentVariables"] = dict(settings)
    return plistlib.dumps(job).decode()


def scheduled_task(command: Sequence[str], settings: Mapping[str, str], secrets: Sequence[str] = ()) -> str:
    """Return the command that makes a task which begins with each login. Its whole environment is the user's. Pure."""
    del settings, secrets
    return f"schtasks /create /tn flowbook-agent /sc onlogon /tr {subprocess.list2cmdline([subprocess.list2cmdline(command)])}"


def _word(text: str) -> str:
    """Return a word of a command, in which systemd would replace variables, too."""
    return f'"{_quoted(text.replace("$", "$$"))}"' if any(mark in text for mark in " \t\"'%$\\;") else text


def _quoted(text: str) -> str:
    """Escape what systemd would read as its own within quotes.

    Source: systemd.syntax(7), "Quoting"; systemd.unit(5), "Specifiers"; systemd.exec(5), "Environment=".
    """
    for mark, escaped in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%"), ("\n", "\\n")):
        text = text.replace(mark, escaped)
    return text
