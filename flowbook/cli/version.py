"""`flowbook version`."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from typing import TYPE_CHECKING

from flowbook import config
from flowbook.results.remote_blobs import redact_url

if TYPE_CHECKING:
    from argparse import Namespace

    from flowbook.cli.output import Output

__all__ = ["version"]


def version(args: Namespace, out: Output) -> int:
    """Say which flowbook this is, on which Python, and where its store is; the store is not opened."""
    del args
    try:
        number = installed("jupyter-flowbook")
    except PackageNotFoundError:
        number = "unknown: it is not installed, only on the path"
    out.record({"flowbook": number, "python": platform.python_version(), "store": _store(), **_blobs()})
    return 0


def _store() -> str:
    """Return where the store is: the address of its API, or its folder."""
    return config.api_url() or str(config.home())


def _blobs() -> dict[str, str]:
    """Return where large values go, where that is not into the store's folder."""
    url = config.blobs()
    return {} if url is None else {"blobs": redact_url(url)}
