"""`flowbook server start`: what it says, how it ends, and what it says when it can't begin."""

import json
import signal
import socket
import subprocess
import sys

import httpx
import pytest

from flowbook.cli import server as server_command
from flowbook.cli.main import main, parser


@pytest.fixture
def server():
    command = [sys.executable, "-m", "flowbook", "server", "start", "--port", "0", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


def _bearer(facts):
    return {"Authorization": f"Bearer {facts['token']}"}


def test_it_says_where_it_is_and_its_token_lets_in(server, home):
    _, facts = server

    assert httpx.get(f"{facts['address']}api/health", headers=_bearer(facts)).json()["status"] == "ok"
    assert httpx.get(f"{facts['address']}api/health").status_code == 401
    assert (home / "api.token").stat().st_mode & 0o777 == 0o600
    assert (home / "api.token").read_text().strip() == facts["token"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_when_told_though_a_stream_is_open(server, number):
    process, facts = server

    with httpx.stream("GET", f"{facts['address']}api/events/stream", headers=_bearer(facts)) as answer:
        lines = answer.iter_lines()
        next(lines)
        process.send_signal(number)
        rest = list(lines)
    _, errors = process.communicate(timeout=20)

    assert process.returncode == 0
    assert "Traceback" not in errors
    assert all(not line.startswith("data") for line in rest)


def test_a_port_in_use_is_one_line_that_says_what_to_do(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code = main(["server", "start", "--port", str(port)])

    said = capsys.readouterr().err
    assert code == 1
    assert said == (
        f"flowbook: Port {port} of 127.0.0.1 is in use: another server has it. End that, or take another: --port {port + 1}.\n"
    )


def test_an_address_of_another_machine_is_refused(capsys):
    code = main(["server", "start", "--host", "203.0.113.7", "--port", "0"])

    assert code == 1
    assert "Give an address of this machine" in capsys.readouterr().err


def test_a_token_from_the_environment_is_taken_if_it_is_long_enough(capsys, monkeypatch):
    monkeypatch.setenv("FLOWBOOK_API_TOKEN", "short")

    code = main(["server", "start", "--port", "0"])

    assert code == 1
    assert "16 or more" in capsys.readouterr().err


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1"])
def test_the_address_that_it_says_can_be_opened(host):
    command = [sys.executable, "-m", "flowbook", "server", "start", "--port", "0", "--host", host]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        process.stdout.readline()
        address = process.stdout.readline().removeprefix("Open it: ").strip()
        answer = httpx.get(address, follow_redirects=True, headers={"Accept": "text/html"})
    finally:
        process.terminate()
        process.communicate()

    assert address.startswith("http://127.0.0.1:")
    assert answer.status_code == 200
    assert "token" not in str(answer.url)


@pytest.mark.parametrize(("given", "address"), [("flows", "/flows/"), ("/flows/", "/flows/"), ("/", "/")])
def test_a_prefix_may_be_given_with_or_without_slashes(given, address):
    command = [sys.executable, "-m", "flowbook", "server", "start", "--port", "0", "--json", "--prefix", given]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        facts = json.loads(process.stdout.readline())
        found = httpx.get(f"{facts['address']}api/health", headers=_bearer(facts))
        process.terminate()

    assert httpx.URL(facts["address"]).path == address
    assert found.status_code == 200


@pytest.mark.parametrize(
    ("given", "name"),
    [("Flows.example.org:8443", "flows.example.org"), ("::1", "[::1]"), ("[FE80::2]:80", "[fe80::2]"), ("lab", "lab")],
)
def test_a_name_is_allowed_without_its_port(given, name):
    assert server_command._name(given) == name


@pytest.mark.parametrize("given", ["99999", "-1", "http"])
def test_what_is_no_port_is_refused_with_what_to_give(given, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["server", "start", f"--port={given}"])

    assert ended.value.code == 2
    assert f"{given!r} isn't a port. Give a number from 0 to 65535." in capsys.readouterr().err


@pytest.mark.parametrize(
    "given",
    [
        "http://flows.example.org",
        "flows.example.org/",
        "a b",
        "",
        "flows.example.org:https",
        "ana@host",
        "flöws",
        "a\n",
    ],
)
def test_what_is_no_host_is_refused_with_what_to_give(given, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["server", "start", f"--allow-host={given}"])

    assert ended.value.code == 2
    assert f"{given!r} isn't a host. Give its name alone, e.g. flows.example.org" in capsys.readouterr().err


@pytest.mark.parametrize(
    "given", ["/../x", "flows/..", "/./", "a b", "/flöws", "http://host/flows", "/a?b", "//a", "a//b", "/a\n"]
)
def test_what_is_no_path_is_refused_with_what_to_give(given, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["server", "start", f"--prefix={given}"])

    assert ended.value.code == 2
    assert f"{given!r} isn't the path of an address." in capsys.readouterr().err


@pytest.mark.parametrize(
    "host", ["flows.example.org", "Flows:8443", "::1", "[FE80::2]:80", "10.0.0.7", "host.docker.internal", "*"]
)
@pytest.mark.parametrize("path", ["", "/", "flows", "/flows/", "user/ana@lab/flowbook", "/a%20b/.c", "/..."])
def test_hosts_and_paths_are_taken_as_they_are(host, path):
    args = parser().parse_args(["server", "start", f"--allow-host={host}", f"--prefix={path}"])

    assert (args.allow_host, args.prefix) == ([host], path)
