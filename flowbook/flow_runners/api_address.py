"""The address of flowbook's API for a process that doesn't share this machine's files: in a container or a cluster."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flowbook import config
from flowbook.exceptions import FlowRunnerError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["API_TOKEN", "API_URL", "api_address", "is_loopback"]

#: The environment variables that tell a process where the API is, and let it in.
API_URL, API_TOKEN = "FLOWBOOK_API_URL", "FLOWBOOK_API_TOKEN"  # names, no secret
_SCHEMES = ("http", "https")


def api_address(owner: str, env: Mapping[str, str]) -> str:
    """Return the address of the API: that of `env`, else this process's own.

    Args:
        owner: the flow runner's name, for the message.
        env: environment variables that the process gets.

    Raises:
        FlowRunnerError: if there is none, or it isn't an address that another machine could reach.
    """
    found = env.get(API_URL) or config.api_url()
    if not found:
        msg = (
            f"{owner} needs flowbook's API, since a process there can't reach this machine's files, and {API_URL} isn't set. "
            f"Start the API, flowbook server start, and set {API_URL} to its address as that process reaches it."
        )
        raise FlowRunnerError(msg, name=API_URL)
    if urlsplit(found).scheme not in _SCHEMES or not urlsplit(found).hostname:
        msg = f"{API_URL} is {found!r}, which isn't an address of flowbook's API. Give e.g. http://flowbook.example.com:4200."
        raise FlowRunnerError(msg, name=API_URL, value=found)
    return found


def is_loopback(address: str) -> bool:
    """Return whether an address means the machine itself, whichever that is: "localhost", 127.0.0.1, [::1], 0.0.0.0."""
    host = (urlsplit(address).hostname or "").rstrip(".").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return False
    return found.is_loopback or found.is_unspecified
