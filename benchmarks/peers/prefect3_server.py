"""The server of `prefect3`: prints the setting that names it, as JSON, and ends it when standard input ends."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.request
from urllib.error import URLError

_START_S = 90


def main() -> None:
    """Run it on a free port of this machine alone."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = str(found.getsockname()[1])
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", port, "--no-ui"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}/api"
        _wait_for(f"{url}/health", server)
        print(json.dumps({"PREFECT_API_URL": url}), flush=True)
        sys.stdin.read()
    finally:
        server.terminate()
        server.wait()


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _START_S
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(url):
                return
        except (URLError, ConnectionError):
            time.sleep(0.2)
    sys.exit("Prefect's server did not start.")


if __name__ == "__main__":
    main()
