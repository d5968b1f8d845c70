"""A run as one HTML file: complete, no longer than it may be, and without a script of anybody's but its own."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from flowbook import Flow, Parameter, task, triggers
from flowbook.exceptions import DefinitionError
from flowbook.notebook.panel_session import PanelSession
from flowbook.notebook.run_report import report_html, write_report
from tests.homes import home  # noqa: F401  # each test's own store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flowbook.flow_run.run import FlowRun

BROKEN = 3


@task(log_stdout=True)
def load(origin: str) -> pd.DataFrame:
    print("loading", origin)  # noqa: T201  # what tasks print is in the logs
    return pd.DataFrame({"carrier": [f"{origin}{n:04}" for n in range(500)], "n": range(500)})


@task
def count(frame: pd.DataFrame) -> int:
    return len(frame)


@task
def parse(n: int) -> int:
    if n == BROKEN:
        raise ValueError("n/a")
    return n


@task(trigger=triggers.manual_only)
def approve(n: int) -> int:
    return n


@pytest.fixture
def run() -> Iterator[FlowRun]:
    with Flow("delays") as flow:
        approve(count(load(Parameter("origin", default="JFK"))))
        parse.map(list(range(6)))
    flow.run(record=True)
    assert flow.last_run is not None
    flow.last_run.resume("approve", by="ada", note="As in July")
    flow.last_run.wait()
    return flow.last_run


def _inside(text: str) -> dict[str, Any]:
    packed = re.search(r'<script type="text/plain" id="flowbook-run">([A-Za-z0-9+/=]*)</script>', text)
    assert packed is not None
    return json.loads(zlib.decompress(base64.b64decode(packed[1])))


def test_a_report_holds_all_that_views_ask_for(run: FlowRun, tmp_path: Path) -> None:
    said = write_report(run, tmp_path / "report.html")

    text = (tmp_path / "report.html").read_text("utf-8")
    found = _inside(text)
    details = found["details"]
    assert re.fullmatch(rf"Wrote {tmp_path}/report.html: run 1 of delays, 0\.\d MB, opens in any browser\.", said)
    assert found["note"] == "A report of this run as it was. This file holds all of it."
    assert found["snapshot"]["run"]["parameters"] == {"origin": "JFK"}
    assert {*details} >= {"load", "count", "approve", "parse", "parse[3]", "parse[0]"}
    assert len(details["load"]["output"]["page"]["rows"]) == 100
    assert details["count"]["inputs"][0]["preview"] is None  # it is there as the output of load
    assert details["parse[3]"]["error"]["message"] == "n/a"
    assert all(each["actions"] == [] for each in details.values())
    assert "ada resumed it" in json.dumps(details["approve"]["why"])
    assert found["answers"]["children"]["parse"]["rows"][0]["key"] == "parse[3]"
    assert "loading JFK" in [line["text"] for line in found["answers"]["logs"]["lines"]]
    assert found["answers"]["runs"]["total"] == 1
    assert {"main", "host_report", "graph", "timeline"} <= {*found["parts"]}


def test_its_policy_names_its_one_script_and_allows_no_network(run: FlowRun, tmp_path: Path) -> None:
    write_report(run, tmp_path / "report.html")

    text = (tmp_path / "report.html").read_text("utf-8")
    scripts = re.findall(r"<script type=\"module\">(.*?)</script>", text, re.DOTALL)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert len(scripts) == 1
    assert policy is not None
    assert policy[1].split("; ") == [
        "default-src 'none'",
        f"script-src 'sha256-{digest}' blob:",
        "style-src 'unsafe-inline'",
        "img-src data: blob:",
        "font-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    assert "http://" not in text.replace("http://www.w3.org", "")
    assert re.findall(r"^import .*", scripts[0], re.MULTILINE) == []


@pytest.mark.parametrize(
    ("less_bytes", "left_out"),
    [
        (300, "Left out: all but 10 rows of load."),
        (900, "Left out: the values of load."),
    ],
)
def test_a_report_that_would_be_too_long_leaves_out_values_first_and_says_so(
    run: FlowRun, less_bytes: int, left_out: str
) -> None:
    session = PanelSession(run)
    whole, _ = report_html(session)

    text, said = report_html(session, len(whole.encode()) - less_bytes)

    session.close()
    assert said == left_out
    assert _inside(text)["note"] == f"A report of this run as it was. {left_out}"
    assert len(text.encode()) <= len(whole.encode()) - less_bytes
    assert _inside(text)["details"]["parse[3]"]["error"]["message"] == "n/a"


def test_without_room_for_details_the_states_stay(run: FlowRun) -> None:
    session = PanelSession(run)

    text, said = report_html(session, 1)

    session.close()
    assert said == "Left out: the details of all tasks, logs, and tables of children."
    assert _inside(text)["details"] == {}
    assert _inside(text)["snapshot"]["tasks"]["count"]["state"] == "Success"


def test_a_report_replaces_a_report_and_no_other_file(run: FlowRun, tmp_path: Path) -> None:
    (tmp_path / "mine.html").write_text("<p>my page", "utf-8")
    write_report(run, tmp_path / "report.html")
    write_report(run, tmp_path / "report.html")

    said = []
    for file in ("mine.html", "report.txt", "nowhere/report.html"):
        with pytest.raises(DefinitionError) as caught:
            write_report(run, tmp_path / file)
        said.append(str(caught.value).replace(str(tmp_path), "."))

    assert said == [
        "./mine.html is there already and isn't a report of flowbook's. Give another file, or move it away.",
        "A report is written into a file that ends in .html, not into ./report.txt.",
        "There is no folder ./nowhere. Make it first, or give another file.",
    ]
