"""What `notify=` takes, and what it says of what it doesn't take."""

from __future__ import annotations

import sys

import pytest

from flowbook import Flow, flow
from flowbook.exceptions import ArgumentError, DefinitionError, FlowbookError, InfrastructureError
from flowbook.notices.receiver import read_receivers, store_receivers
from flowbook.store import MemoryStore


def tell(notice):
    """Receive a notice."""


def _shown(given):
    return [(each.shown, each.causes) for each in read_receivers("Flow 'delays'", given)]


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (None, []),
        ("mailto://ana:s3cret@example.com", [("mailto://ana:***@example.com", ("waits", "failed"))]),
        (
            "json://ana:s3cret@example.com:8000/hook/TOKEN?+X-Key=TOKEN",
            [("json://ana:***@example.com:8000", ("waits", "failed"))],
        ),
        (["notify-send", "flowbook"], [("notify-send (with 1 argument)", ("waits", "failed"))]),
        (("ssh",), [("ssh", ("waits", "failed"))]),
        (tell, [("tell()", ("waits", "failed"))]),
        ({"to": tell, "on": "ended"}, [("tell()", ("ended",))]),
        ({"to": ["ssh", "host"], "on": ["ended", "waits"]}, [("ssh (with 1 argument)", ("waits", "ended"))]),
        (
            ["json://localhost", ["ssh", "-v", "host"], tell, {"to": "json://other", "on": ["failed"]}],
            [
                ("json://localhost", ("waits", "failed")),
                ("ssh (with 2 arguments)", ("waits", "failed")),
                ("tell()", ("waits", "failed")),
                ("json://other", ("failed",)),
            ],
        ),
    ],
)  # fmt: skip
def test_a_receiver_is_a_url_a_command_or_a_function_and_shows_no_secret(given, shown):
    assert _shown(given) == shown


_EXAMPLES = (
    "ive a URL of apprise, e.g. 'mailto://ana:password@example.com', a command as a list, e.g. "
    "['notify-send', 'flowbook'], or a function that takes the notice."
)
_WIKI = "See https://github.com/caronc/apprise/wiki for its services and their URLs."


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        (5, ArgumentError, f"Flow 'delays': notify=5 names nobody. G{_EXAMPLES}"),
        ([], DefinitionError, f"Flow 'delays': notify=[] tells nobody. Leave it out. Or g{_EXAMPLES}"),
        (
            [[]],
            DefinitionError,
            "Flow 'delays': notify=[] is an empty command. Give the program first, e.g. ['notify-send', 'flowbook'].",
        ),
        (
            [""],
            DefinitionError,
            "Flow 'delays': notify=[''] is an empty command. Give the program first, e.g. ['notify-send', 'flowbook'].",
        ),
        (
            "notify-send",
            DefinitionError,
            "Flow 'delays': notify='notify-send' isn't a URL. To run a command, give a list: notify=['notify-send'].",
        ),
        (
            "pigeon://ana:s3cret@roof",
            DefinitionError,
            f"Flow 'delays': notify='pigeon://…' names the service pigeon://, which apprise doesn't have. {_WIKI}",
        ),
        (
            "slack://s3cret",
            DefinitionError,
            (
                "Flow 'delays': notify='slack://…' isn't a URL that the service slack:// understands: something is missing in "
                f"it, or too much. {_WIKI}"
            ),
        ),
        (
            [["ssh", 5]],
            ArgumentError,
            "Flow 'delays': the command in notify= has 5, which can't be an argument. Give texts.",
        ),
        (
            ["ssh", "a\0b"],
            ArgumentError,
            "Flow 'delays': the command in notify= has 'a\\x00b', which can't be an argument. Give texts.",
        ),
        (
            lambda: None,
            ArgumentError,
            (
                "Flow 'delays': notify=<lambda>() can't take a notice: too many positional arguments. "
                "Give a function of one argument."
            ),
        ),
        (
            {"to": tell, "on": ["paused"]},
            DefinitionError,
            "Flow 'delays': notify= is told on=['paused']. Give one or several of 'waits', 'failed', 'ended'.",
        ),
        (
            {"url": "json://localhost"},
            DefinitionError,
            (
                "Flow 'delays': a dict in notify= has 'url', which means nothing here. "
                "Write {'to': 'mailto://...', 'on': ['ended']}."
            ),
        ),
        (
            {"on": ["ended"]},
            DefinitionError,
            "Flow 'delays': a dict in notify= doesn't say whom to tell. Write {'to': 'mailto://...', 'on': ['ended']}.",
        ),
        (
            {"to": [tell, tell]},
            DefinitionError,
            "Flow 'delays': a dict in notify= has 2 receivers in 'to'. Give one, and a dict for each further one.",
        ),
    ],
)
def test_what_is_no_receiver_is_refused(given, kind, message):
    with pytest.raises(FlowbookError) as caught:
        Flow("delays", notify=given)

    assert (type(caught.value), str(caught.value)) == (kind, message)


def test_a_url_without_apprise_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "apprise", None)

    with pytest.raises(InfrastructureError) as caught:
        Flow("delays", notify="mailto://ana:s3cret@example.com")

    assert str(caught.value) == (
        "Flow 'delays': notify='mailto://…' needs the package apprise, which isn't installed. "
        "Install it with: pip install 'jupyter-flowbook[notify]'"
    )


def test_a_function_is_stored_and_one_that_cannot_be_is_known_by_its_name():
    store, lock = MemoryStore(), sys._getframe()
    receivers = read_receivers("Flow 'delays'", [tell, lambda notice: (notice, lock)])

    stored = store_receivers(receivers, store.values)

    assert [row.shown for row in stored.rows] == ["tell()", receivers[1].shown]
    assert [ref.load().__name__ for ref in stored.refs] == ["tell"]
    assert '"unkept": ' in stored.rows[1].spec
    assert list(stored.functions.values()) == [receivers[0].to, receivers[1].to]


def test_a_flow_made_from_a_function_tells_its_receivers_too():
    @flow(notify={"to": ["notify-send", "flowbook"], "on": "ended"})
    def delays():
        pass

    assert repr(delays.notify) == "(<Receiver notify-send (with 1 argument): ended>,)"
