"""Runs that many processes submit over the API: none is lost, none is made twice, though each request may be sent again."""

import json
import os
import subprocess
import sys
import textwrap
from urllib.parse import urlsplit

import pytest

from flowbook import flow
from flowbook.deployments import DeploymentSpec, deploy
from tests.api.conftest import TOKEN

PROCESSES = 4
RUNS = 10_000 if os.environ.get("FLOWBOOK_SOAK") else 200
#: Each tenth request is cut before its answer is read, and sent again.
SUBMITTER = textwrap.dedent("""
    import json, sys, uuid
    from http.client import HTTPConnection

    host, port, token, count = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    connection, made = HTTPConnection(host, port), []
    for number in range(count):
        run_id = uuid.uuid4().hex
        body = json.dumps({"deployment": "many", "parameters": {"n": number}, "run_id": run_id})
        if number % 10 == 0:
            connection.request("POST", "/api/runs", body, headers)
            connection.close()
        connection.request("POST", "/api/runs", body, headers)
        answer = connection.getresponse()
        found = json.loads(answer.read())
        assert answer.status == 201, found
        made.append((found["run_id"], found["number"], found["parameters"]["n"]))
    print(json.dumps(made))
""")


@pytest.mark.soak
@pytest.mark.timeout(900 if os.environ.get("FLOWBOOK_SOAK") else 180)
def test_runs_that_four_processes_submit_are_all_there_once(address, store):
    @flow
    def many(n=0):
        return n

    deploy(DeploymentSpec("many", many))
    found = urlsplit(address)
    command = [sys.executable, "-c", SUBMITTER, found.hostname, str(found.port), TOKEN, str(RUNS // PROCESSES)]

    submitters = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(PROCESSES)]
    made = [each for submitter in submitters for each in json.loads(submitter.communicate()[0])]

    there = {each.run_id: (each.number, each.parameters["n"]) for each in store.runs.list()}
    assert len(made) == RUNS
    assert {run_id: (number, n) for run_id, number, n in made} == there
    assert sorted(number for number, _ in there.values()) == list(range(1, RUNS + 1))
