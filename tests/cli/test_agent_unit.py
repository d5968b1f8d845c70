"""`flowbook agent unit` writes what keeps an agent running, for three service managers, and installs nothing."""

from __future__ import annotations

import json
import plistlib
import subprocess
import sys

import pytest

from flowbook.cli.agent_unit import launchd_job, scheduled_task, systemd_unit
from flowbook.cli.main import main

COMMAND = ["/my envs/$1/bin/python", "-m", "flowbook", "agent", "start"]


def test_a_unit_of_systemd_quotes_what_it_would_read_as_its_own():
    text = systemd_unit(COMMAND, {"FLOWBOOK_HOME": "/data/50% of $it"})

    assert text == (
        "[Unit]\n"
        "Description=flowbook agent\n"
        "\n"
        "[Service]\n"
        'Environment="FLOWBOOK_HOME=/data/50%% of $it"\n'
        'ExecStart="/my envs/$$1/bin/python" -m flowbook agent start\n'
        "Restart=on-failure\n"
        "KillMode=process\n"
        "\n"
        "[Install]\n"
        "WantedBy=default.target\n"
    )


def test_a_job_of_launchd_is_a_property_list():
    assert plistlib.loads(launchd_job(COMMAND, {"FLOWBOOK_HOME": "/data"}).encode()) == {
        "Label": "flowbook.agent",
        "ProgramArguments": COMMAND,
        "RunAtLoad": True,
        "KeepAlive": True,
        "EnvironmentVariables": {"FLOWBOOK_HOME": "/data"},
    }


def test_a_unit_of_systemd_reads_secrets_from_a_file_of_the_user():
    text = systemd_unit(["flowbook"], {}, ["FLOWBOOK_API_TOKEN"])

    assert "EnvironmentFile=%h/.config/flowbook/agent.env\n" in text
    assert "# Secrets aren't written here. Put FLOWBOOK_API_TOKEN=... into ~/.config/flowbook/agent.env" in text


@pytest.mark.skipif(sys.platform == "win32", reason="a shell of POSIX")
def test_a_job_of_launchd_reads_secrets_from_a_file_of_the_user(tmp_path):
    show = [sys.executable, "-c", "import os, sys; print(os.environ['FLOWBOOK_API_TOKEN'], *sys.argv[1:])", "a  b"]
    job = plistlib.loads(launchd_job(show, {}, ["FLOWBOOK_API_TOKEN"]).encode())
    file = tmp_path / ".config" / "flowbook" / "agent.env"
    file.parent.mkdir(parents=True)
    file.write_text("FLOWBOOK_API_TOKEN=token-of-the-file\n", encoding="utf-8")

    ended = subprocess.run(
        job["ProgramArguments"], env={"HOME": str(tmp_path)}, capture_output=True, text=True, check=True
    )

    assert ended.stdout == "token-of-the-file a  b\n"


@pytest.mark.parametrize("manager", ["systemd", "launchd", "schtasks"])
def test_no_secret_is_written_and_it_says_where_to_put_them(manager, capsys, monkeypatch):
    monkeypatch.setenv("FLOWBOOK_API_TOKEN", "token-of-the-server")
    monkeypatch.setenv("FLOWBOOK_SECRET_DB", "swordfish")

    main(["agent", "unit", "--manager", manager])
    captured = capsys.readouterr()
    main(["agent", "unit", "--manager", manager, "--json"])
    found = json.loads(capsys.readouterr().out)

    written = captured.out + captured.err + found["text"]
    assert "token-of-the-server" not in written
    assert "swordfish" not in written
    assert "FLOWBOOK_API_TOKEN" in captured.err
    assert found["left_out"] == ["FLOWBOOK_API_TOKEN", "FLOWBOOK_SECRET_DB"]


def test_a_task_of_windows_is_a_command():
    assert scheduled_task(COMMAND, {}) == (
        r"schtasks /create /tn flowbook-agent /sc onlogon "
        r'/tr "\"/my envs/$1/bin/python\" -m flowbook agent start"'
    )


@pytest.mark.parametrize("manager", ["systemd", "launchd", "schtasks"])
def test_the_command_names_this_python_and_these_settings(manager, capsys, home):
    code = main(["agent", "unit", "--manager", manager, "--json"])
    found = json.loads(capsys.readouterr().out)

    assert (code, found["manager"], sys.executable in found["text"]) == (0, manager, True)
    assert (str(home) in found["text"]) == (manager != "schtasks")


def test_without_a_terminal_the_text_is_all_that_is_written(capsys):
    main(["agent", "unit", "--manager", "systemd"])
    captured = capsys.readouterr()

    assert (captured.out.splitlines()[0], captured.out.splitlines()[-1], captured.err) == (
        "[Unit]",
        "WantedBy=default.target",
        "",
    )
