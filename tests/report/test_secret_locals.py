"""Among the values where an error passed, the secrets that the task got are masked under any name."""

import functools

import pytest

from flowbook.report.error_view import describe_error
from flowbook.terminal.lines import plain_text
from flowbook.terminal.marks import Marks
from flowbook.terminal.traceback_lines import traceback_lines

SECRET = "tok-5f3a9c71e2"


def decorated(function):
    def call(*arguments, **named):
        if not arguments:
            return function(**named)
        return function(*arguments, **named)

    return call


@decorated
def fetch(t, place, switch=True):
    header = f"Bearer {t}"
    headers = {"a": t, "b": place}
    if switch and place and header and headers:
        return send(header, place)
    return t


def send(text, place, t="of another function"):
    kept, other = [text], [place]
    if kept and other and t:
        raise ValueError(place)


def _raised(function, **given):
    with pytest.raises(ValueError, match="lighthouse") as raised:
        function(**given)
    return raised.value


def _values(error, *secret):
    """Return what is told of each frame's names, by the frame's function."""
    stack = describe_error(error, secret=secret).stack
    return {frame.where.rpartition(" ")[2]: dict(frame.values) for frame in stack if frame.mine}


def test_a_secret_is_masked_in_every_frame_and_text_that_has_it():
    found = _values(_raised(fetch, t=SECRET, place="lighthouse"), "t")

    assert found["fetch"] == {
        "t": "*****",
        "header": "*****",
        "headers": "*****",
        "place": "'lighthouse'",
        "switch": "True",
    }
    assert found["send"] == {"kept": "*****", "text": "*****", "other": "['lighthouse']", "place": "'lighthouse'"} | {
        "t": "'of another function'"
    }
    assert found["call"]["named"] == "*****"


def test_without_a_secret_all_is_told():
    error = _raised(fetch, t=SECRET, place="lighthouse")

    found = _values(error)

    assert found == _values(error, "gone")
    assert found["fetch"]["t"] == f"'{SECRET}'"


def test_a_short_secret_is_masked_where_it_stands_alone():
    found = _values(_raised(fetch, t="e", place="lighthouse"), "t")

    assert (found["fetch"]["t"], found["fetch"]["place"]) == ("*****", "'lighthouse'")


@pytest.mark.parametrize("given", [True, None])
def test_true_false_and_none_are_no_secrets(given):
    found = _values(_raised(fetch, t=given, place="lighthouse"), "t")

    assert found["fetch"]["t"] == str(given)


@pytest.mark.parametrize("given", [[SECRET], {"a": SECRET}, (1, SECRET)])
def test_the_texts_in_a_list_or_dict_are_as_secret(given):
    def each(several, place):
        for one in several.values() if isinstance(several, dict) else several:
            if one != 1:
                raise ValueError(place)

    found = _values(_raised(functools.partial(each, given), place="lighthouse"), "several")

    assert (found["each"]["one"], found["each"]["several"]) == ("*****", "*****")


def test_a_terminal_shows_none():
    error = _raised(fetch, t=SECRET, place="lighthouse")

    with_secret, without = (
        "\n".join(map(plain_text, traceback_lines(error, Marks(), secret=each))) for each in (("t",), ())
    )

    assert SECRET not in with_secret
    assert "kept   *****" in with_secret
    assert f"kept   ['Bearer {SECRET}']" in without
