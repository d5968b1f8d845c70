"""The arguments of `flowbook server`."""

from __future__ import annotations

import argparse

__all__ = ["add_server"]

_MOST_PORT = 65_535


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
        default=[],
        metavar="NAME",
        help="another name that it is reached by, e.g. of a proxy, with its port unless that is the usual one; may be given "
        "several times",
    )
    start.add_argument("--prefix", default="", metavar="PATH", help="the path under which a proxy serves it")


def _port(given: str) -> int:
    """Return the number of a port: the system would take 99999 for another one."""
    if given.isascii() and given.isdigit() and int(given) <= _MOST_PORT:
        return int(given)
    raise argparse.ArgumentTypeError(f"{given!r} isn't a port. Give a number from 0 to {_MOST_PORT}.")
