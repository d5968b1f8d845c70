"""What is hidden in values that people are shown."""

import time

import pytest

from flowbook.report.secret_names import shown_text, shown_value, sounds_secret
from tests.pace import slowness

WORD = "hunter2"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgres://ana:hunter2@db/x", "postgres://ana:*****@db/x"),
        ("redis://:hunter2@db", "redis://:*****@db"),
        ("https://x.example/?api_key=hunter2&n=3", "https://x.example/?api_key=*****&n=3"),
        ("https://x.example/?token=hunter2#top", "https://x.example/?token=*****"),
        ("host=db password=hunter2 user=ana", "host=db password=***** user=ana"),
        ("host=db password='hunter 2' user=ana", "host=db password='*****' user=ana"),
        ("host=db password = hunter2", "host=db password = *****"),
        ("Server=db;Uid=ana;Pwd=hunter 2;Port=1", "Server=db;Uid=ana;Pwd=*****;Port=1"),
        ("DRIVER={X};PWD={hunter2};UID=ana", "DRIVER={X};PWD={*****};UID=ana"),
        ("AccountName=a;AccountKey=hunter2==;x=1", "AccountName=a;AccountKey=*****;x=1"),
        ('{"db": {"dbPassword": "hunter2", "port": 1}}', '{"db": {"dbPassword": "*****", "port": 1}}'),
        ("{'password': 'hunter2'}", "{'password': '*****'}"),
        (r"'password=\'hunter2\' x'", r"'password=\'*****\' x'"),
        ("PASSWORD: hunter2", "PASSWORD: *****"),
        ("export DB_PASSWORD_FILE=x GITHUB_TOKEN=hunter2", "export DB_PASSWORD_FILE=***** GITHUB_TOKEN=*****"),
        ("psql --password hunter2 --host db", "psql --password ***** --host db"),
        ("psql --api-key=hunter2 -h db", "psql --api-key=***** -h db"),
        ("Authorization: Bearer hunter2.x", "Authorization: Bearer *****"),
        ("-----BEGIN RSA PRIVATE KEY-----\nhunter2\n-----END RSA", "-----BEGIN RSA PRIVATE KEY-----*****-----END RSA"),
    ],
)
def test_a_secret_in_a_text_is_hidden(text, shown):
    assert shown_text(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "JFK",
        "monkey=3, keyboard: 4",
        "key=carrier",
        "the keys are kept in a book",
        "https://x.example/runs/3?month=8",
        "postgres://ana@db:5432/x",
        "passengers=12; pass_rate=0.5",
        "compass=north",
        "token ring",
        "see https://x.example:80/a@b",
        "2013-08-01 06:00:00",
    ],
)
def test_an_ordinary_text_stays_as_it_is(text):
    assert shown_text(text) == text


@pytest.mark.parametrize(
    "name", ["password", "db_password", "dbPassword", "X-Api-Key", "AWS_SECRET_ACCESS_KEY", "Pwd", "pass"]
)
def test_a_name_sounds_secret(name):
    assert sounds_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        "key",
        "keys",
        "passengers",
        "tokenizer",
        "pass_rate",
        "monkey",
        "author",
        "",
        "max_tokens",
        "maxNewTokens",
        "token_count",
        "count_tokens",
    ],
)
def test_a_name_sounds_like_no_secret(name):
    assert not sounds_secret(name)


def test_what_lies_in_containers_is_hidden_by_its_name_and_by_its_text():
    value = {"db": {"password": WORD, "port": 1, "urls": [f"amqp://a:{WORD}@h", ("x", f"token={WORD}")]}, 3: {WORD[:3]}}

    shown = shown_value("settings", value)

    assert shown == {
        "db": {"password": "*****", "port": 1, "urls": ["amqp://a:*****@h", ("x", "token=*****")]},
        3: {"hun"},
    }
    assert shown_value("api_token", 12345) == "*****"
    assert value["db"]["password"] == WORD


def test_a_ring_ends():
    ring = []
    ring.append(ring)

    assert "*****" in str(shown_value("", ring))


@pytest.mark.parametrize(
    "text", ["password" * 20_000, "a" * 200_000, "://" * 50_000, "x" * 100_000 + "=", "key " * 40_000, "Bearer " * 30_000,
             "-----BEGIN PRIVATE KEY" * 10_000, "pwd='" * 30_000, "a://b:" * 30_000, "_token" * 30_000]
)  # fmt: skip
def test_a_long_text_is_looked_through_quickly(text):
    begin = time.process_time()

    shown_text(text)

    assert time.process_time() - begin < 2 * slowness()
