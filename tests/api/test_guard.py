"""Who is let in."""

import pytest

from flowbook.api.app import create_app
from flowbook.api.guard import behind_other_login
from flowbook.api.settings import ApiSettings
from tests.api.conftest import BASE, BEARER, TOKEN, Client


def test_a_request_with_the_token_is_let_in(call):
    answer = call("GET", "/api/health")

    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}])
def test_one_without_it_is_refused(call, headers):
    answer = call("GET", "/api/health", headers=headers)

    assert answer.status_code == 401
    assert "flowbook server start" in answer.json()["detail"]


def test_one_that_names_another_host_is_refused(call):
    answer = call("GET", "/api/health", headers={**BEARER, "Host": "evil.example"})

    assert (answer.status_code, answer.json()["field"]) == (403, "Host")


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:1", "file://", "http://[", "http://]"]
)
def test_one_from_a_page_of_another_place_is_refused(call, origin):
    answer = call("GET", "/api/health", headers={**BEARER, "Origin": origin})

    assert (answer.status_code, answer.json()["field"]) == (403, "Origin")


def test_one_from_its_own_page_is_let_in(call):
    answer = call("GET", "/api/health", headers={**BEARER, "Origin": BASE})

    assert answer.status_code == 200


def test_a_link_with_the_token_leads_to_the_address_without_it_and_the_browser_is_let_in(call):
    link = call("GET", f"/api/health?token={TOKEN}&a=b", headers={})
    cookie = link.headers["set-cookie"]

    again = call("GET", link.headers["location"], headers={"Cookie": cookie.partition(";")[0]})

    assert (link.status_code, link.headers["location"]) == (303, "/api/health?a=b")
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert TOKEN not in cookie
    assert again.status_code == 200


def test_a_link_with_the_token_is_good_for_reading_alone(call):
    answer = call("POST", f"/api/health?token={TOKEN}", headers={})

    assert answer.status_code == 401


def test_an_application_without_a_token_is_not_made(store):
    with pytest.raises(ValueError, match="without a token"):
        create_app(store, ApiSettings())


def test_behind_another_login_no_token_is_asked_for(store):
    app = create_app(store, ApiSettings(prefix="/user/ana/flowbook"), guard=behind_other_login)

    answers = [Client(app, {})("GET", f"{prefix}/api/health") for prefix in ("/user/ana/flowbook", "")]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert {answer.headers["cache-control"] for answer in answers} == {"no-store"}
    assert {answer.headers["x-content-type-options"] for answer in answers} == {"nosniff"}


def test_pages_of_an_allowed_name_are_let_in_though_a_proxy_renames_the_host(store):
    settings = ApiSettings(token=TOKEN, allowed_origins=("https://flows.example.org",))
    call = Client(create_app(store, settings))

    answers = [
        call("GET", "/api/health", headers={**BEARER, "Origin": origin}).status_code
        for origin in ("https://flows.example.org", "https://flows.example.org:444", "https://other.example.org")
    ]

    assert answers == [200, 403, 403]


def test_a_link_from_elsewhere_leads_to_this_server_and_no_other(call):
    from_elsewhere = {"Accept": "text/html", "Sec-Fetch-Site": "cross-site"}

    addresses = [f"{BASE}//evil.example/", f"{BASE}/\\evil.example"]
    pages = [call("GET", address, headers=from_elsewhere).text for address in addresses]

    assert 'content="0;url=/evil.example/"' in pages[0]
    assert 'content="0;url=/%5Cevil.example"' in pages[1]
