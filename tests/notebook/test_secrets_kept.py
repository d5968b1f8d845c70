"""A secret parameter is used, but neither told to a page nor kept in what leaves the kernel: a notebook, a report."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from flowbook import Flow, Parameter, task, unmapped
from flowbook.notebook.panel_actions import PanelActions, Started
from flowbook.notebook.run_report import write_report
from tests.homes import home  # noqa: F401  # each test's own store
from tests.notebook.recorded import RecordedPanel, report_text, unpacked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: The word in no text of flowbook's that must not be seen, and the one beside it that must.
SECRET, ORDINARY = "hunter2", "lighthouse"
URL = f"postgresql://ada:{SECRET}@{ORDINARY}/db"
MASKED_URL = f"postgresql://ada:*****@{ORDINARY}/db"


@task(log_stdout=True)
def load(origin: str, db_password: str, dsn: str, options: object) -> str:
    print("connect to", dsn)  # noqa: T201  # what tasks print is in the logs
    return f"{origin} {len(db_password)} {options is None}"


@task
def connect(dsn: str, pwd: str) -> None:
    raise ConnectionError(f"no answer of {dsn}, {len(pwd)}")


@task
def url_of(dsn: str) -> str:
    return dsn


@task
def read_password() -> str:
    return SECRET


@task
def open_shard(pwd: str, dsn: str) -> int:
    return len(pwd + dsn)


@pytest.fixture
def flow() -> Flow:
    with Flow("delays") as flow:
        dsn = Parameter("dsn", default="sqlite://")
        load(Parameter("origin", default="JFK"), Parameter("db_password"), dsn, {"api_token": SECRET})
        connect(dsn, pwd=SECRET)
        url_of(dsn)
        read_password()
        open_shard.map(pwd=[SECRET, f"{SECRET}!"], dsn=[URL, f"{URL}/2"])
    flow.run({"db_password": SECRET, "origin": ORDINARY, "dsn": URL}, record=True, progress=False)
    return flow


@pytest.fixture
def given() -> list[dict[str, object]]:
    return []


@pytest.fixture
def panel(flow: Flow, given: list[dict[str, object]]) -> Iterator[RecordedPanel]:
    assert flow.last_run is not None
    panel = RecordedPanel(
        flow.last_run, PanelActions(run=lambda parameters, _: Started(given.append(dict(parameters))))
    )
    yield panel
    panel.close()


def test_a_page_is_told_the_parameters_without_their_secrets(panel: RecordedPanel) -> None:
    for node in panel.graph["nodes"]:
        if node["key"] != "read_password":  # a live page shows what tasks give
            panel.hear("inspect", key=node["key"])
    panel.hear("logs")

    told = json.dumps([panel.graph, panel.snapshot, panel.sent])
    assert panel.snapshot["run"]["parameters"] == {
        "dsn": MASKED_URL,
        "origin": ORDINARY,
        "db_password": "*****",
    }
    assert {each["name"]: each["secret"] for each in panel.graph["parameters"]} == {
        "dsn": False,
        "origin": False,
        "db_password": True,
    }
    assert f"connect to {MASKED_URL}" in told
    assert f"no answer of {MASKED_URL}" in told
    assert SECRET not in told


def test_a_secret_parameter_is_not_compared_between_runs(panel: RecordedPanel) -> None:
    said = {
        key: panel.hear("compare-values", first={"key": key}, second={"key": key}, key=None)
        for key in ("db_password", "origin")
    }

    assert {key: (each["ok"], each["text"]) for key, each in said.items()} == {
        "db_password": (False, "db_password isn't compared: its name sounds secret."),
        "origin": (True, ""),
    }
    assert ORDINARY in json.dumps(panel.all("diff"))
    assert SECRET not in json.dumps(panel.sent)


@task
def fetch(t: str, place: str) -> None:
    header = f"Bearer {t}"
    if header and place:
        raise ConnectionError(f"no answer at {len(t)}")


@task
def count(several: list[str], use: object) -> str:
    return f"{len(several)} {use}"


def test_a_panel_shows_no_secret_of_a_parameter_whatever_a_task_calls_it() -> None:
    with Flow("renamed") as flow:
        token, place = Parameter("api_token"), Parameter("place", default=ORDINARY)
        fetch(token, place)
        fetch.map(Parameter("passwords", default=[SECRET, f"{SECRET}!"]), unmapped(place))
        count([token, place], Parameter("use_token", default=True))
    flow.run({"api_token": SECRET}, progress=False)
    assert flow.last_run is not None
    panel = RecordedPanel(flow.last_run)

    for key in flow.last_run.states:
        panel.hear("inspect", key=key)
    panel.hear("children", key="fetch-2")
    told = json.dumps([panel.graph, panel.snapshot, panel.sent])
    details = {each["key"]: each for each in panel.all("details")}
    panel.close()

    values = [frame["values"] for frame in details["fetch"]["error"]["stack"] if frame["mine"]]
    assert values == [[["t", "*****"], ["place", f"{ORDINARY!r}"], ["header", "*****"]]]
    assert [each["text"] for each in details["count"]["inputs"]] == ["*****", "True"]
    assert SECRET not in told


def test_a_run_gets_the_secret_that_its_field_did_not_show(
    panel: RecordedPanel, given: list[dict[str, object]]
) -> None:
    panel.hear("run", parameters={"db_password": "*****", "dsn": MASKED_URL, "origin": "EWR"})

    assert given == [{"db_password": SECRET, "dsn": URL, "origin": "EWR"}]


def test_a_run_gets_another_secret_as_it_is_typed(panel: RecordedPanel, given: list[dict[str, object]]) -> None:
    panel.hear("run", parameters={"db_password": "12345", "dsn": MASKED_URL, "origin": "EWR"})

    assert given[0]["db_password"] == "12345"
    assert "12345" not in json.dumps(panel.sent)


def test_a_text_with_the_mask_in_it_is_taken_for_no_value(panel: RecordedPanel, given: list[dict[str, object]]) -> None:
    said = panel.hear("run", parameters={"dsn": "postgresql://ada:*****@elsewhere/db"})

    assert (said["ok"], said["text"]) == (
        False,
        "dsn has ***** in place of a secret that isn't shown. Type the whole value.",
    )
    assert given == []


def test_a_default_that_is_secret_is_told_by_a_mask_and_taken_by_the_flow() -> None:
    given: list[dict[str, object]] = []
    with Flow("defaults") as flow:
        load(
            Parameter("origin", default=ORDINARY), Parameter("token", default=SECRET), Parameter("dsn", default=URL), 1
        )
    flow.run(progress=False)
    assert flow.last_run is not None
    panel = RecordedPanel(
        flow.last_run, PanelActions(run=lambda parameters, _: Started(given.append(dict(parameters))))
    )

    defaults = {each["name"]: each["default"] for each in panel.graph["parameters"]}
    panel.hear("run", parameters=defaults)
    panel.close()

    assert defaults == {"origin": ORDINARY, "token": "*****", "dsn": MASKED_URL}
    assert given == [{"origin": ORDINARY, "token": SECRET, "dsn": URL}]


def test_a_switch_whose_name_sounds_secret_stays_one() -> None:
    with Flow("switch") as flow:
        load(Parameter("use_token", default=True), "", "", None)
    flow.run(progress=False)
    assert flow.last_run is not None
    panel = RecordedPanel(flow.last_run)

    (field,) = panel.graph["parameters"]
    parameters = panel.snapshot["run"]["parameters"]
    panel.close()

    assert (field["type"], field["default"], field["secret"]) == ("bool", True, False)
    assert parameters == {"use_token": "True"}


def test_a_notebook_keeps_no_secret(panel: RecordedPanel) -> None:
    kept = unpacked(panel.kept(500_000))

    told = json.dumps([kept, panel.picture(), panel.picture_text()])
    assert {*kept["details"]} >= {"load", "connect", "db_password", "dsn"}
    assert ORDINARY in told
    assert SECRET not in told


def test_a_report_holds_no_secret(flow: Flow, tmp_path: Path) -> None:
    assert flow.last_run is not None

    write_report(flow.last_run, tmp_path / "report.html")

    told = report_text(tmp_path / "report.html")
    assert ORDINARY in told
    assert SECRET not in told
