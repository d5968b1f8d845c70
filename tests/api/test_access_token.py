"""The server's token: made once, private, and refused where it isn't safe."""

import threading

import pytest

from flowbook.api.access_token import cookie_value, is_same, read_token
from flowbook.exceptions import InfrastructureError, StoreError


def test_it_is_made_once_in_a_private_file(home):
    first, second = read_token(), read_token()

    assert first == second
    assert len(first) >= 40
    assert (home / "api.token").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in home.iterdir()] == ["api.token"]


def test_many_that_start_at_once_take_the_same(home):
    found = []
    threads = [threading.Thread(target=lambda: found.append(read_token(home))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 20
    assert len(set(found)) == 1


def test_the_environment_comes_first(home, monkeypatch):
    monkeypatch.setenv("FLOWBOOK_API_TOKEN", "of-the-environment")

    assert read_token() == "of-the-environment"
    assert not home.exists()


@pytest.mark.parametrize(
    "token", ["short", "with spaces in the middle", "ümlaut-ümlaut-ümlaut", "line\nline-line-line"]
)
def test_one_that_is_not_safe_is_refused_and_not_shown(token, monkeypatch):
    monkeypatch.setenv("FLOWBOOK_API_TOKEN", token)

    with pytest.raises(InfrastructureError) as raised:
        read_token()

    assert token not in str(raised.value)


def test_a_file_that_others_may_write_is_refused(home):
    read_token()
    (home / "api.token").chmod(0o666)

    with pytest.raises(StoreError, match="can be written to by others"):
        read_token()


def test_an_empty_secret_equals_none():
    assert not is_same("", "")
    assert is_same("a", "a")
    assert not is_same("ü", "a")


def test_the_cookie_does_not_tell_the_token():
    assert "a-token-of-tests" not in cookie_value("a-token-of-tests")
