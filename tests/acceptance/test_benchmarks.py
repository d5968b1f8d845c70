"""The command that measures: it runs, and a peer that does not is a cell of its table."""

from __future__ import annotations

import pytest

from benchmarks import environments
from benchmarks.__main__ import main
from benchmarks.runner import Runner, Trial

pytestmark = [pytest.mark.acceptance]


def test_the_command_measures_flowbook_alone_at_tiny_sizes_and_writes_the_tables(tmp_path):
    out, samples = tmp_path / "out.md", tmp_path / "samples.jsonl"
    out.write_text("# Old\n\n## Notes\n\nKept by hand.\n", encoding="utf-8")
    asked = ["--only", "chain", "growth", "--peers", "flowbook", "loop", "--scale", "0.001", "--rounds", "1"]

    main([*asked, "--samples", str(samples), "--out", str(out)])

    text = out.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    assert [line.split(" | ")[0] for line in lines if "chain of 5,000" in line] == [
        "| chain of 5,000",
        "| building it: chain of 5,000",
    ]
    assert "| tasks in a chain | flowbook | run |" in text
    assert text.endswith("## Notes\n\nKept by hand.\n")
    assert len(samples.read_text(encoding="utf-8").splitlines()) == 7


@pytest.mark.parametrize("again", ["--resume", "--report"])
def test_what_was_measured_is_not_measured_again(again, tmp_path, capsys):
    samples = tmp_path / "samples.jsonl"
    asked = [
        "--only",
        "passing",
        "--peers",
        "loop",
        "--rounds",
        "1",
        "--samples",
        str(samples),
        "--out",
        str(tmp_path / "out"),
    ]
    main(asked)
    capsys.readouterr()

    main([*asked, again])

    assert "round 1" not in capsys.readouterr().err
    assert "| 10 tasks passing on 200 MB |" in (tmp_path / "out").read_text(encoding="utf-8")


def test_a_peer_that_ends_with_an_error_is_told_by_its_name_and_not_tried_again():
    said = []
    wrong = Trial("dask", "chain", "nowhere", 10)

    with Runner(None, resume=False, say=said.append) as runner:
        runner.run([(wrong, Trial("loop", "chain", "caller", 10))], rounds=2)

    assert runner.failures == {wrong: "dask has no 'chain' on 'nowhere'."}
    assert {trial.peer: list(samples) for trial, samples in runner.samples.items()} == {"loop": [0, 1]}
    assert len([text for text in said if "nowhere" in text]) == 1


def test_a_peer_that_can_not_be_installed_is_told(tmp_path, monkeypatch):
    pins = tmp_path / "peers.toml"
    pins.write_text('[hamilton]\npython = "3.2"\npackages = []\n', encoding="utf-8")
    monkeypatch.setattr(environments, "PINS", pins)
    wanted = Trial("hamilton", "chain", "caller", 10)

    with Runner(None, resume=False, say=print) as runner:
        runner.run([(wanted,)], rounds=1)

    assert runner.failures == {wanted: "needs Python 3.2, which is not here"}
