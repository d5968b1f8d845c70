"""`flowbook server`: serves the API of the store until it is told to stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook import config
from flowbook.exceptions import InfrastructureError
from flowbook.store import open_store

if TYPE_CHECKING:
    from argparse import Namespace

    from flowbook.cli.output import Output

__all__ = ["start"]

#: Every address of this machine; no browser opens these.
_EVERY = frozenset({"0.0.0.0", "::", ""})  # noqa: S104  # what a person may ask for


def start(args: Namespace, out: Output) -> int:
    """Serve the store's API until Ctrl-C or SIGTERM; then answer what is under way, and end."""
    try:
        from flowbook.api.access_token import read_token  # noqa: PLC0415  # an optional extra
        from flowbook.api.app import create_app  # noqa: PLC0415  # as above
        from flowbook.api.server import ApiServer, listen  # noqa: PLC0415  # as above
        from flowbook.api.settings import LOOPBACK, ApiSettings  # noqa: PLC0415  # as above
        from flowbook.pages.app_part import OPEN_PATHS, add_pages  # noqa: PLC0415  # as above
    except ImportError as error:
        msg = (
            f"The server needs {error.name}, which isn't installed. Install it: pip install 'jupyter-flowbook[server]'"
        )
        raise InfrastructureError(msg, name=error.name) from error
    token = read_token()
    settings = ApiSettings(
        token=token,
        allowed_hosts=(
            *LOOPBACK,
            *(() if args.host in _EVERY else (_in_url(args.host),)),
            *map(_name, args.allow_host),
        ),
        allowed_origins=tuple(
            f"{scheme}://{_bracketed(name)}" for name in args.allow_host for scheme in ("https", "http")
        ),
        prefix=_prefix(args.prefix),
        open_paths=OPEN_PATHS,
    )
    app = create_app(open_store(config.home()), settings, parts=[add_pages])  # never the one behind another API
    with listen(args.host, args.port) as listener:
        port = listener.getsockname()[1]
        shown = "127.0.0.1" if args.host in _EVERY else _in_url(args.host)
        address = f"http://{shown}:{port}{settings.prefix}/"
        ApiServer(app, lambda: _greet(address, token, out)).run(sockets=[listener])
    return 0


def _name(host: str) -> str:
    """Return the name in "name", "name:port", "::1" or "[::1]:port"."""
    host = _bracketed(host)
    return host if host.endswith("]") else host.rpartition(":")[0] or host


def _bracketed(host: str) -> str:
    """Return a name as addresses hold it: an IPv6 address in brackets."""
    is_bare = host.count(":") > 1 and not host.startswith("[")
    return f"[{host.lower()}]" if is_bare else host.lower()


def _prefix(given: str) -> str:
    """Return the path of `--prefix`: "/flows" for "flows", "flows/" and "/flows"."""
    path = given.strip("/")
    return f"/{path}" if path else ""


def _in_url(host: str) -> str:
    """Return an address as it stands in a URL."""
    return f"[{host}]" if ":" in host else host.lower()


def _greet(address: str, token: str, out: Output) -> None:
    if out.is_json:
        out.done("", address=address, token=token)
    else:
        out.line(f"flowbook serves its pages and its API at {address}. Ctrl-C ends it.")
        out.line(f"Open it: {address}?token={token}")
    out.to.flush()
