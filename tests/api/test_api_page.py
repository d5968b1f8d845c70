"""The page on the API: its examples run, and it names what there is."""

import json
import os
import re
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from flowbook import Flow, Parameter, task, triggers
from flowbook.deployments import DeploymentSpec, deploy
from tests.api.conftest import TOKEN, Client

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
EXAMPLES = [
    command for block in re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL) for command in re.split(r"\n(?=curl)", block)
]


@pytest.fixture
def delays():
    @task
    def load(origin):
        return origin

    with Flow("delays") as flow:
        load(Parameter("origin", default="JFK")())
    deploy(DeploymentSpec("nightly", flow))


@pytest.fixture
def waiting():
    @task(trigger=triggers.manual_only)
    def approve(threshold):
        return threshold

    with Flow("approved") as flow:
        approve(Parameter("threshold", default=15)())
    run = flow.start(record=True)
    run.wait()
    return run


@pytest.mark.skipif(shutil.which("curl") is None, reason="platform: there is no curl")
@pytest.mark.parametrize("command", EXAMPLES)
def test_an_example_works(command, address, delays, waiting):
    del delays
    if "/stream" in command:
        threading.Timer(0.5, waiting.resume).start()

    done = subprocess.run(
        ["bash", "-c", command],
        env={**os.environ, "ADDRESS": address, "TOKEN": TOKEN},
        capture_output=True,
        text=True,
        check=True,
        timeout=50,
    )

    if "/stream" in command:
        assert done.stdout.rstrip().endswith('event: end\ndata: {"state":"Success"}')
    else:
        assert "detail" not in json.loads(done.stdout)


def test_there_are_examples():
    assert len(EXAMPLES) == 7


def test_every_path_stands_on_the_page(app):
    document = Client(app)("GET", "/openapi.json").json()
    paths = [path for path in document["paths"] if not path.startswith("/api/store")]

    lacking = [path for path in paths if re.sub(r"\{.*?\}.*", "", path) not in PAGE]
    verbs = [path.rpartition("/")[2] for path in paths if re.search(r"\}/\w", path)]

    assert lacking == []
    assert [verb for verb in verbs if f"/{verb}" not in PAGE] == []
