"""Source lines without the texts that names give away as secrets."""

from __future__ import annotations

import pytest

from flowbook.report.secret_literals import without_secrets


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ('password = "hunter2"', 'password = "*****"'),
        ("connect(user='ana', api_key='abc', port=1)", "connect(user='ana', api_key='*****', port=1)"),
        ('headers["X-Auth-Token"] = "abc"', 'headers["X-Auth-Token"] = "*****"'),
        ("{'DB_PASSWORD': f'abc{n}'}", "{'DB_PASSWORD': f'*****'}"),
        ('SECRET: str = "abc"', 'SECRET: str = "*****"'),
        ('if token == "abc":', 'if token == "*****":'),
        ('url = "postgres://ana:abc@db/x"', 'url = "postgres://ana:*****@db/x"'),
        ('github_token = "begins here', 'github_token = "*****'),
        ('password = ""', 'password = ""'),
        ("password = ask()", "password = ask()"),
        ('name = "hunter2"', 'name = "hunter2"'),
        ('print("a token is missing")', 'print("a token is missing")'),
        ('url = "https://example.com/a:b@c"', 'url = "https://example.com/a:b@c"'),
    ],
)
def test_a_text_is_hidden_where_its_name_sounds_secret(source, shown):
    assert without_secrets(source) == shown


def test_a_traceback_keeps_its_other_lines():
    text = 'Traceback:\n  File "a.py", line 3, in f\n    go(token="abc")\nKeyError: \'x\'\n'

    assert without_secrets(text) == text.replace("abc", "*****")
