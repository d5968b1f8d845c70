"""What a card says of an output that isn't kept: what `flowbook run inspect` says, live and from the record."""

import threading

import pytest

import flowbook
from flowbook import Flow, task
from flowbook.cli.main import main
from flowbook.notebook.panel_session import PanelSession
from flowbook.pages.stored_run import StoredRun
from flowbook.store import open_store


@pytest.fixture
def run(home):
    assert home is not None

    @task
    def lock():
        return threading.Lock()

    @task(keep=False)
    def scratch():
        return 1

    @task
    def kept(a, b):
        return [a is None, b]

    with Flow("held") as flow:
        kept(lock(), scratch())
    flow.run(record=True, progress=False)
    return flow.last_run


def _minded(session, **how):
    try:
        told = {key: session._shown.details(key, **how)["why"] for key in ("lock", "scratch", "kept")}
    finally:
        session.close()
    return {key: [said for name, said in why if name == "Mind"] for key, why in told.items()}


WAYS = {
    "live": lambda run: _minded(PanelSession(run)),
    "saved": lambda run: _minded(PanelSession(run), is_brief=True),
    "reported": lambda run: _minded(PanelSession(run), may_load=False),
    "loaded": lambda run: _minded(PanelSession(flowbook.run(run.run_id))),
    "page": lambda run: _minded(PanelSession(StoredRun(open_store(), run.run_id))),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_card_says_of_an_output_that_it_is_not_kept_as_the_command_does(run, way, capsys):
    found = WAYS[way](run)

    main(["run", "inspect", "last"])
    rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line.strip()}
    assert (len(found["lock"]), len(found["scratch"]), found["kept"]) == (1, 1, [])
    for key in ("lock", "scratch"):
        (said,) = found[key]
        assert said.startswith("Its output isn't kept: ")
        assert said[0].lower() + said[1:].removesuffix(".") in rows[key]


def test_where_there_is_no_value_any_more_the_card_shows_none_in_its_place(run):
    session = PanelSession(StoredRun(open_store(), run.run_id))

    shown = {key: session._shown.details(key)["output"] for key in ("lock", "kept")}
    session.close()

    assert shown["lock"] is None
    assert shown["kept"]["type"] == "list"
