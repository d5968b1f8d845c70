from __future__ import annotations

from pathlib import Path

import pytest

from flowbook import config
from flowbook.exceptions import InfrastructureError


def test_folders_come_from_the_environment_when_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWBOOK_HOME", str(tmp_path / "a"))
    monkeypatch.setenv("FLOWBOOK_KEY_FILE", "~/k")

    assert (config.home(), config.key_file()) == (tmp_path / "a", Path.home() / "k")


def test_the_key_lies_outside_the_store_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLOWBOOK_HOME", raising=False)
    monkeypatch.delenv("FLOWBOOK_KEY_FILE", raising=False)

    assert config.home().name == "flowbook"
    assert not config.key_file().is_relative_to(config.home())


def test_the_project_is_the_nearest_folder_with_a_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLOWBOOK_PROJECT", raising=False)
    inner = tmp_path / "project" / "notebooks"
    inner.mkdir(parents=True)
    (tmp_path / "project" / "pyproject.toml").touch()

    monkeypatch.chdir(inner)

    assert config.project() == config.project(inner) == str(tmp_path / "project")
    monkeypatch.setenv("FLOWBOOK_PROJECT", "mine")
    assert config.project() == "mine"


def test_limits_have_defaults_and_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLOWBOOK_MAX_TOTAL_BYTES", raising=False)
    monkeypatch.setenv("FLOWBOOK_MAX_VALUE_BYTES", "5_000")

    assert config.limits() == config.Limits(value_bytes=5000, total_bytes=20_000_000_000)
    for wrong in ("5 GB", "-1", "0", "x"):
        monkeypatch.setenv("FLOWBOOK_MAX_VALUE_BYTES", wrong)
        with pytest.raises(InfrastructureError, match=f"FLOWBOOK_MAX_VALUE_BYTES is '{wrong}'. Give a positive"):
            config.limits()
