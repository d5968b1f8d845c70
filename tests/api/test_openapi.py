"""The application keeps what its OpenAPI promises, whatever it is sent."""

import os

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from flowbook.api.app import create_app
from flowbook.api.settings import ApiSettings
from flowbook.store import MemoryStore
from tests.api.conftest import BEARER, TOKEN, Client, approved, simple

SETTINGS = ApiSettings(token=TOKEN, allowed_hosts=("testserver", "127.0.0.1"))
EXAMPLES = 300 if os.environ.get("FLOWBOOK_SOAK") else 6
CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance, status_code_conformance]


def _operations():
    """Return method and path of each operation but those that stay open, which have tests of their own."""
    with MemoryStore() as store:
        document = create_app(store, SETTINGS).openapi()
    return [
        (method, path)
        for path, methods in document["paths"].items()
        for method in methods
        if not path.endswith(("/stream", "/changes"))
    ]


@pytest.mark.soak
@pytest.mark.parametrize(("method", "path"), _operations())
def test_nothing_that_is_sent_breaks_the_server(method, path, store):
    simple().start(record=True).wait()
    approved().start(record=True).wait()
    app = create_app(store, SETTINGS)
    operation = schemathesis.openapi.from_asgi("/openapi.json", app, headers=BEARER)[path][method]

    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), deadline=None, database=None)
    @given(case=operation.as_strategy())
    def check(case):
        case.validate_response(case.call(headers=BEARER), checks=CHECKS)

    check()


def test_every_operation_says_what_it_does(app):
    document = Client(app)("GET", "/openapi.json").json()

    silent = [
        (method, path)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if not operation.get("description")
    ]

    assert silent == []
