"""The same application at `/`, under `/flowbook` in Jupyter, and behind `/user/ana/`."""

import asyncio

import pytest

from flowbook.api.app import create_app
from flowbook.api.settings import ApiSettings
from tests.api.conftest import TOKEN, Client
from tests.api.test_matrix import _status

PREFIX = "/user/ana/flowbook"


@pytest.fixture
def call(store):
    return Client(create_app(store, ApiSettings(token=TOKEN, prefix=PREFIX, open_paths=("/approve/",))))


@pytest.mark.parametrize("path", [f"{PREFIX}/api/health", "/api/health"])
def test_paths_are_found_whether_or_not_a_proxy_removes_the_prefix(call, path):
    assert call("GET", path).status_code == 200


@pytest.mark.parametrize("path", [f"{PREFIX}/", "/"])
def test_a_login_leads_back_below_the_prefix_and_its_cookie_stays_there(call, path):
    answer = call("GET", f"{path}?token={TOKEN}", headers={})

    assert answer.headers["location"] == f"{PREFIX}/"
    assert f"Path={PREFIX};" in f"{answer.headers['set-cookie']};"


@pytest.mark.parametrize("path", [f"{PREFIX}/runs/1", "/runs/1"])
def test_a_link_from_elsewhere_leads_back_below_the_prefix(call, path):
    page = call("GET", path, headers={"Accept": "text/html", "Sec-Fetch-Site": "cross-site"})

    assert f'content="0;url={PREFIX}/runs/1"' in page.text


@pytest.mark.parametrize(
    "path", ["/user/ana%20b/flowbook/api/health", "/user/ana b/flowbook/api/health", "/api/health"]
)
def test_a_prefix_may_hold_characters_that_addresses_encode(store, path):
    call = Client(create_app(store, ApiSettings(token=TOKEN, prefix="/user/ana%20b/flowbook")))

    login = call("GET", f"{path}?token={TOKEN}", headers={})

    assert call("GET", path).status_code == 200
    assert login.headers["location"] == "/user/ana%20b/flowbook/api/health"
    assert "Path=/user/ana%20b/flowbook;" in f"{login.headers['set-cookie']};"


def test_openapi_says_where_the_server_is(call):
    assert call("GET", f"{PREFIX}/openapi.json").json()["servers"] == [{"url": PREFIX}]


@pytest.mark.parametrize(
    "path", [f"{PREFIX}{PREFIX}/api/health", "/user/ana/api/health", "/user/ana/flowbooks/api/health"]
)
def test_other_paths_are_not_found(call, path):
    assert call("GET", path).status_code == 404


@pytest.mark.parametrize("path", ["/approve/x", f"{PREFIX}/approve/x"])
def test_open_paths_are_let_in_below_the_prefix(call, path):
    assert call("GET", path, headers={}).status_code == 404
    assert call("GET", path, headers={"Origin": "http://evil.example"}).status_code == 403


@pytest.mark.parametrize(
    "path", ["/approve/../api/runs", f"{PREFIX}/approve/../../api/runs", "/approve/%2e%2e/api/runs"]
)
def test_no_way_leads_from_an_open_path_to_another(call, path):
    status = asyncio.run(_status(call.app, path, ("GET", ("127.0.0.1", 1), (None, 1), (None, 1))))

    assert status in {401, 404}
