"""Where the output of a process that lives elsewhere goes, and which addresses it can reach the API at."""

import pytest

from flowbook.exceptions import FlowRunnerError
from flowbook.flow_run.ports import RunToStart
from flowbook.flow_runners.api_address import api_address, is_loopback
from flowbook.flow_runners.run_output import RunOutput

RUN = RunToStart("7c1f", "delays", 3, 1)


def test_output_is_kept_in_the_runs_file_and_shown(home, capsys):
    output = RunOutput(RUN, is_shown=True)

    output.write("10 Flüge\n".encode()[:5])
    output.write("10 Flüge\nonly half".encode()[5:])

    assert output.file == home / "output" / "7c1f.log"
    assert output.file.read_text() == "10 Flüge\nonly half" == capsys.readouterr().out
    assert output.last_lines() == ("10 Flüge", "only half")


def test_output_that_nobody_wants_to_see_is_kept_all_the_same(capsys):
    output = RunOutput(RUN, is_shown=False)

    output.write(b"kept\n")

    assert (output.file.read_text(), capsys.readouterr().out) == ("kept\n", "")


def test_the_last_lines_are_twenty_at_most():
    output = RunOutput(RUN, is_shown=False)

    for number in range(2000):
        output.write(f"line {number}\n".encode())

    assert output.last_lines() == tuple(f"line {number}" for number in range(1980, 2000))


def test_a_folder_that_cannot_be_made_is_said(home):
    home.mkdir(exist_ok=True)
    (home / "output").write_text("a file stands there")

    with pytest.raises(FlowRunnerError) as caught:
        RunOutput(RUN, is_shown=False)

    assert str(caught.value).startswith(
        f"The folder for the output of runs, {home / 'output'}, can't be made: File exists."
    )


def test_a_flow_runners_own_address_of_the_api_wins(monkeypatch):
    monkeypatch.setenv("FLOWBOOK_API_URL", "http://here:4200/")

    assert api_address("X", {}) == "http://here:4200"
    assert api_address("X", {"FLOWBOOK_API_URL": "http://there:4200"}) == "http://there:4200"


@pytest.mark.parametrize("address", ["", "file:///srv/flowbook", "/srv/flowbook", "here:4200", "http://"])
def test_what_no_other_machine_can_reach_is_refused(monkeypatch, address):
    monkeypatch.setenv("FLOWBOOK_API_URL", address)

    with pytest.raises(FlowRunnerError) as caught:
        api_address("KubernetesFlowRunner", {})

    assert "FLOWBOOK_API_URL" in str(caught.value)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("http://localhost:4200", True),
        ("http://api.LOCALHOST./", True),
        ("http://127.1.2.3:4200", True),
        ("http://[::1]:4200", True),
        ("http://0.0.0.0:4200", True),
        ("http://10.0.0.7:4200", False),
        ("https://flowbook.example.com", False),
        ("http://localhost.example.com", False),
    ],
)
def test_addresses_that_mean_the_machine_itself_are_known(address, expected):
    assert is_loopback(address) is expected
