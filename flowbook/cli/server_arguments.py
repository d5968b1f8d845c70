"""The arguments of `flowbook server`."""

from __future__ import annotations

import argparse
import re

__all__ = ["add_server"]

_MOST_PORT = 65_535
#: As it stands in the header Host; "*" is any.
_HOST = re.compile(r"\*|([a-zA-Z0-9._-]+|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?|[0-9a-fA-F:.]+")
#: Parts of an address's path, as they are written there.
_PATH = re.compile(r"/?((?!\.{1,2}(/|$))[a-zA-Z0-9._~!$&'()*+,;=:@%-]+(/|$))*")


def add_server(group: argparse.ArgumentParser, common: argparse.ArgumentParser) -> None:
    """Add the commands of `flowbook server` to its parser."""
    commands = group.add_subparsers(required=True, metavar="COMMAND")
    text = "serve the store's API until Ctrl-C or SIGTERM; each request needs the token that it prints"
    start = commands.add_parser(
        "start", parents=[common], help=text, description=text, epilog="Example: flowbook server start --port 4200"
    )
    start.set_defaults(command="server start")
    start.add_argument("--host", default="127.0.0.1", help="the address that it listens at; default: 127.0.0.1")
    start.add_argument("--port", type=_port, default=4200, help="its port; 0 takes a free one; default: 4200")
    start.add_argument(
        "--allow-host",
        action="append",
        type=_host,
        default=[],
        metavar="NAME",
        help="another name that it is reached by, e.g. of a proxy, with its port unless that is the usual one; may be given "
        "several times",
    )
    start.add_argument(
        "--prefix", type=_path, default="", metavar="PATH", help="the path under which a proxy serves it"
    )


def _port(given: str) -> int:
    """Return the number of a port: the system would take 99999 for another one."""
    if given.isascii() and given.isdigit() and int(given) <= _MOST_PORT:
        return int(given)
    raise argparse.ArgumentTypeError(f"{given!r} isn't a port. Give a number from 0 to {_MOST_PORT}.")


def _host(given: str) -> str:
    """Return the name of a host: no request has the address of a page in its header Host."""
    if _HOST.fullmatch(given):
        return given
    example = "flows.example.org, or with a port that isn't the usual one, flows.example.org:8443"
    raise argparse.ArgumentTypeError(f"{given!r} isn't a host. Give its name alone, e.g. {example}.")


def _path(given: str) -> str:
    """Return the path of an address."""
    if _PATH.fullmatch(given):
        return given
    msg = f"{given!r} isn't the path of an address. Give the part between host and page, e.g. /flows, with %20 for a space."
    raise argparse.ArgumentTypeError(msg)
