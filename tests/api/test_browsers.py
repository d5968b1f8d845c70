"""What browsers see: the login by a link, links from other sites, and the page about the API."""

import re

from tests.api.conftest import BEARER, TOKEN

BROWSER = {"Accept": "text/html,application/xhtml+xml", "Sec-Fetch-Dest": "document", "Sec-Fetch-Mode": "navigate"}


def test_a_browser_without_a_login_is_told_how_to_get_one(call):
    answer = call("GET", "/runs/last", headers={**BROWSER, "Sec-Fetch-Site": "none"})

    assert answer.status_code == 401
    assert "flowbook server start" in answer.text
    assert "refresh" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_a_link_from_another_site_leads_to_the_same_page_with_the_cookie(call):
    answer = call("GET", "/runs/la%22st?a=%22%3E&b", headers={**BROWSER, "Sec-Fetch-Site": "cross-site"})

    assert answer.status_code == 200
    assert re.findall(r'content="0;url=([^"]*)"', answer.text) == ["/runs/la%22st?a=%22%3E&amp;b"]


def test_such_a_link_leads_to_no_other_host(call):
    answer = call("GET", "http://127.0.0.1:4200//evil.example/", headers={**BROWSER, "Sec-Fetch-Site": "cross-site"})

    assert re.findall(r'content="0;url=([^"]*)"', answer.text) == ["/evil.example/"]


def test_a_link_with_a_token_leads_to_no_other_host(call):
    answer = call("GET", f"http://127.0.0.1:4200//evil.example/?token={TOKEN}", headers={})

    assert answer.status_code == 303
    assert answer.headers["location"] == "/evil.example/"


def test_scripts_of_a_page_get_no_page_for_an_answer(call):
    answer = call("GET", "/api/runs", headers={"Accept": "text/html", "Sec-Fetch-Dest": "empty"})

    assert answer.headers["content-type"] == "application/problem+json"


def test_the_page_about_the_api_names_every_operation_and_loads_nothing(call):
    document = call("GET", "/openapi.json").json()
    page = call("GET", "/docs", headers={**BEARER, **BROWSER})

    paths = [path for path in document["paths"] if path not in page.text]
    assert paths == []
    assert "<code>task</code>" in page.text
    assert "`" not in page.text
    assert "<script" not in page.text
    assert "http" not in page.text.replace("https://", "http://").split("<h1>")[1]
